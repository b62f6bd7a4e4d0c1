"""What guests are asked: who may answer, until when, what is kept of it and for how long; whatever is sent."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import override
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.ticketing import answer_views, answers, changes, clock, corrections, outbox, queue, reservations, tickets
from apps.ticketing.answers import Given
from apps.ticketing.models import Answer, ChoiceChange, Effect, LineChoice, Order, Question, Ticket, TicketType
from apps.ticketing.payments import settle
from apps.ticketing.personal_data import TicketingData
from tests import factories
from tests.clock import move_clock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("promises_kept")]


def question(of: TicketType, **values: Any) -> Question:
    return Question.objects.create(ticket_type=of, **{"text_sv": "Sång?", "text_en": "Which song?", **values})


@pytest.fixture
def kind() -> TicketType:
    event = factories.event(starts_at=clock.now() + timedelta(days=30))
    return factories.ticket_type(event, factories.quota(event, 20))


@pytest.fixture
def song(kind: TicketType) -> Question:
    return question(kind)


@pytest.fixture
def diet(kind: TicketType) -> Question:
    return question(kind, kind="diet", text_en="What do you not eat?", is_required=True, position=1)


@pytest.fixture
def bus(kind: TicketType) -> Question:
    return question(kind, kind="yes_no", text_en="Do you take the bus?", position=2)


def bought(kind: TicketType, number: int = 2) -> Order:
    order = factories.reserved_order(number, of=kind)
    due = factories.payment(order)
    settle.settle(factories.notice(due), provider=due.provider)
    order.refresh_from_db()
    return order


def ticket_of(order: Order, place: int = 0) -> Ticket:
    return Ticket.objects.select_related("line", "ticket_type", "event").filter(line__order=order).order_by("pk")[place]


def link(ticket: Ticket) -> str:
    with override("en"):
        return reverse("ticketing:ticket_answers", args=[ticket.public_id, answers.token_of(ticket)])


def name(ticket: Ticket, asked: Question, end: str = "") -> str:
    return f"answer-{ticket.line.position + 1}-{asked.public_id}{end}"


def said(ticket: Ticket) -> dict[str, Given]:
    rows = Answer.objects.filter(line=ticket.line).select_related("question")
    return {row.question.text_en: answers.given_by(row) for row in rows}


def test_a_guest_answers_by_a_link_of_their_own(
    client: Client, kind: TicketType, song: Question, diet: Question, bus: Question
) -> None:
    ticket = ticket_of(bought(kind))

    page = client.get(link(ticket))
    sent = client.post(
        link(ticket),
        {name(ticket, song, "-text"): " Helan  går ", name(ticket, diet): ["vegan", "no_nuts"],
         name(ticket, diet, "-text"): "selleri", name(ticket, bus): "yes"},
    )  # fmt: skip

    assert "Which song?" in page.content.decode()
    assert sent.status_code == 303
    assert said(ticket) == {
        "Which song?": Given((), "Helan går"),
        "What do you not eat?": Given(("vegan", "no_nuts"), "selleri"),
        "Do you take the bus?": Given(("yes",), ""),
    }
    assert said(ticket_of(bought(kind), 1)) == {}


def test_the_link_opens_neither_code_nor_order(client: Client, kind: TicketType, song: Question) -> None:
    order = bought(kind)
    ticket = ticket_of(order)

    page = client.get(link(ticket)).content.decode()

    for secret in (ticket.secret, ticket.short_code, order.secret, order.reference, order.email):
        assert secret not in page
    wrong = reverse("ticketing:ticket_answers", args=[ticket.public_id, "x" * 40])
    by_secret = reverse("ticketing:ticket_answers", args=[ticket.public_id, ticket.secret])
    assert [client.get(path).status_code for path in (wrong, by_secret)] == [404, 404]
    other = ticket_of(order, 1)
    crossed = reverse("ticketing:ticket_answers", args=[other.public_id, answers.token_of(ticket)])
    assert client.get(crossed).status_code == 404


def test_the_page_is_neither_cached_nor_indexed(client: Client, kind: TicketType, song: Question) -> None:
    response = client.get(link(ticket_of(bought(kind))))

    assert response["Cache-Control"] == "private, no-store"
    assert response["X-Robots-Tag"] == "noindex, nofollow"


def test_answers_lie_encrypted_in_the_database(kind: TicketType, song: Question) -> None:
    ticket = ticket_of(bought(kind))
    answers.answer(ticket.line, {song.pk: Given((), "hasselnöt")})

    with connection.cursor() as cursor:
        cursor.execute("SELECT value FROM ticketing_answer")
        [(stored,)] = cursor.fetchall()

    assert "hassel" not in stored


REFUSED = {
    "a required question left empty": ({}, "This must be answered."),
    "everything and yet not all": ({"diet": ["everything", "vegan"]}, "Choose either that everything is eaten"),
    "too long": ({"diet": ["vegan"], "diet-text": "x" * 301}, "Write at most 300 characters."),
    "yes and no": ({"diet": ["vegan"], "bus": ["yes", "no"]}, "Choose yes or no."),
}


@pytest.mark.parametrize(("sent", "says"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_said_and_nothing_is_saved(
    client: Client, kind: TicketType, song: Question, diet: Question, bus: Question, sent: dict, says: str
) -> None:
    ticket = ticket_of(bought(kind))
    fields = {"diet": name(ticket, diet), "diet-text": name(ticket, diet, "-text"), "bus": name(ticket, bus)}

    data = {fields[key]: value for key, value in sent.items()} | {name(ticket, song, "-text"): "kept"}
    response = client.post(link(ticket), data)

    assert response.status_code == 422
    assert says in response.content.decode()
    assert 'value="kept"' in response.content.decode()
    assert said(ticket) == {}


def test_an_answer_can_be_changed_until_the_cut_off_and_a_first_one_until_the_event(
    client: Client, kind: TicketType, song: Question, bus: Question
) -> None:
    ticket = ticket_of(bought(kind))
    client.post(link(ticket), {name(ticket, song, "-text"): "first"})
    client.post(link(ticket), {name(ticket, song, "-text"): "second"})
    move_clock(timedelta(days=27, minutes=1))  # 72 hours before

    client.post(link(ticket), {name(ticket, song, "-text"): "third", name(ticket, bus): "no"})

    assert said(ticket) == {"Which song?": Given((), "second"), "Do you take the bus?": Given(("no",), "")}
    page = client.get(link(ticket)).content.decode()
    assert "second" in page
    assert "Changes were possible until" in page
    move_clock(timedelta(days=30, minutes=1))
    assert "Save the answers" not in client.get(link(ticket)).content.decode()


def test_an_empty_answer_takes_back_what_stood_there(client: Client, kind: TicketType, song: Question) -> None:
    ticket = ticket_of(bought(kind))
    client.post(link(ticket), {name(ticket, song, "-text"): "x"})

    client.post(link(ticket), {name(ticket, song, "-text"): ""})

    assert said(ticket) == {}


def test_a_ticket_that_ended_shows_nothing_of_what_was_answered(
    client: Client, kind: TicketType, song: Question
) -> None:
    ticket = ticket_of(bought(kind))
    answers.answer(ticket.line, {song.pk: Given((), "Minne")})
    tickets.revoke([ticket.pk], reason="test")
    page = client.get(link(ticket)).content.decode()
    client.post(link(ticket), {name(ticket, song, "-text"): "other"})

    assert "Minne" not in page
    assert said(ticket) == {"Which song?": Given((), "Minne")}
    Ticket.objects.filter(pk=ticket.pk).update(state="valid")


def test_a_corrected_address_ends_the_links_sent_before(kind: TicketType, song: Question) -> None:
    order = bought(kind)
    before = answers.token_of(ticket_of(order))

    corrections.correct_address(order, "right@example.org", by_desk=True)

    assert answers.token_of(ticket_of(order)) != before


# --- The buyer's page ------------------------------------------------------------------------------------------------


def page_of(order: Order, what: str = "order_answers") -> str:
    with override("en"):
        return reverse(f"ticketing:{what}", args=[order.reference, order.secret])


def test_the_buyer_sees_who_has_answered_and_never_what(client: Client, kind: TicketType, diet: Question) -> None:
    order = bought(kind)
    answers.answer(ticket_of(order).line, {diet.pk: Given(("no_nuts",), "selleri")})

    page = client.get(page_of(order)).content.decode()

    assert ("All answered" in page, "1 question left" in page) == (True, True)
    assert "selleri" not in page
    assert link(ticket_of(order, 1)) in page


def test_the_link_is_mailed_to_a_guest_without_the_buyers_secrets(
    client: Client, kind: TicketType, diet: Question, mailoutbox: list[Any]
) -> None:
    order = bought(kind)
    guest = ticket_of(order, 1)

    response = client.post(page_of(order), {"ticket": str(guest.public_id), "email": "friend@example.org"})
    outbox.run(Effect.objects.get(payload__name="guest_questions").pk)

    assert response.status_code == 303
    [mail] = [mail for mail in mailoutbox if mail.to == ["friend@example.org"]]
    whole = mail.body + str(mail.alternatives[0][0])
    assert answers.token_of(guest) in whole
    for secret in (order.secret, guest.secret, guest.short_code):
        assert secret not in whole


@pytest.mark.parametrize("email", ["", "nobody", "a@b", "x" * 300 + "@example.org"])
def test_a_wrong_address_is_said_and_nothing_is_sent(
    client: Client, kind: TicketType, diet: Question, email: str
) -> None:
    order = bought(kind)

    response = client.post(page_of(order), {"ticket": str(ticket_of(order).public_id), "email": email})

    assert response.status_code == 422
    assert Effect.objects.filter(payload__name="guest_questions").count() == 0


def test_a_guest_is_not_flooded(client: Client, kind: TicketType, diet: Question) -> None:
    order = bought(kind)
    sent = [
        client.post(page_of(order), {"ticket": str(ticket_of(order).public_id), "email": "friend@example.org"})
        for _ in range(6)
    ]

    assert [response.status_code for response in sent] == [303] * 5 + [422]
    assert "was mailed 5 times already" in sent[-1].content.decode()


def test_a_ticket_of_another_order_is_not_there(client: Client, kind: TicketType, diet: Question) -> None:
    order, other = bought(kind), bought(kind)

    response = client.post(page_of(order), {"ticket": str(ticket_of(other).public_id), "email": "a@example.org"})

    assert response.status_code == 404


def test_a_paid_order_without_questions_asks_no_query_more(
    client: Client, kind: TicketType, kept_for_long: Any
) -> None:
    order = bought(kind)
    at = clock.now()
    found = list(Ticket.objects.filter(line__order=order).select_related("line"))
    answer_views.paid_context(order, found, at)
    with CaptureQueriesContext(connection) as captured:
        answer_views.paid_context(order, found, at)

    assert len(captured) == 0


# --- Before paying ---------------------------------------------------------------------------------------------------


@pytest.fixture
def asked_before(kind: TicketType) -> Question:
    return question(kind, is_asked_before_paying=True, is_required=True, text_en="Student number?")


def test_what_is_asked_before_paying_stands_in_the_checkout(
    client: Client, kind: TicketType, asked_before: Question
) -> None:
    order = factories.reserved_order(2, of=kind)
    fields = [f"answer-{number}-{asked_before.public_id}-text" for number in (1, 2)]
    form = {"name": "Robin", "terms": "on", "provider": "sandbox", "agreed_minor": str(order.total_minor)}

    page = client.get(page_of(order, "order")).content.decode()
    refused = client.post(page_of(order, "order_pay"), {**form, fields[0]: "abc123"})
    paid = client.post(page_of(order, "order_pay"), {**form, fields[0]: "abc123", fields[1]: "def456"})

    assert all(field in page for field in fields)
    assert refused.status_code == 422
    assert "This must be answered." in refused.content.decode()
    assert 'value="abc123"' in refused.content.decode()
    assert paid.status_code == 303
    kept = [answers.given_by(row).text for row in Answer.objects.order_by("line__position")]
    assert kept == ["abc123", "def456"]


def test_other_questions_do_not_stand_between_a_buyer_and_the_payment(
    client: Client, kind: TicketType, diet: Question
) -> None:
    order = factories.reserved_order(1, of=kind)
    form = {"name": "Robin", "terms": "on", "provider": "sandbox", "agreed_minor": str(order.total_minor)}

    page = client.get(page_of(order, "order")).content.decode()
    response = client.post(page_of(order, "order_pay"), form)

    assert str(diet.public_id) not in page
    assert response.status_code == 303


# --- A new owner -----------------------------------------------------------------------------------------------------


def test_a_new_owner_is_asked_what_is_marked_and_all_that_is_private(
    kind: TicketType, song: Question, diet: Question, bus: Question
) -> None:
    Question.objects.filter(pk=bus.pk).update(ask_again_on_resale=True)
    food = factories.variation(kind, name_en="Food", ask_again_on_resale=True)
    factories.choice(food, is_default=True)
    ticket = ticket_of(bought_with_default(kind))
    other = ticket_of(bought_with_default(kind))
    answers.answer(ticket.line, {pk: Given((), "x") for pk in (song.pk, diet.pk, bus.pk)})

    anew = answers.ask_anew(ticket)
    answers.carry_over(ticket.line, other.line)

    assert [row.text_en for row in anew.questions] == ["What do you not eat?", "Do you take the bus?"]
    assert [row.name_en for row in anew.variations] == ["Food"]
    assert said(other) == {"Which song?": Given((), "x")}


def bought_with_default(kind: TicketType) -> Order:
    choice = kind.variations.get().choices.get()
    placed = factories.order(kind.event, factories.wanted(kind, 1, (choice, 1)))
    queue.drain(kind.event_id)
    placed.refresh_from_db()
    due = factories.payment(placed)
    settle.settle(factories.notice(due), provider=due.provider)
    placed.refresh_from_db()
    return placed


# --- Forgetting ------------------------------------------------------------------------------------------------------


def test_what_is_private_goes_a_week_after_the_event_and_all_after_ninety_days(
    kind: TicketType, song: Question, diet: Question
) -> None:
    few = factories.quota(kind.event, 5)
    food = factories.variation(kind, kind="many")
    vegetarian = factories.choice(food, few, is_sensitive=True)
    wine = factories.choice(food)
    placed = factories.order(kind.event, factories.wanted(kind, 1, (vegetarian, 1), (wine, 1)))
    queue.drain(kind.event_id)
    placed.refresh_from_db()
    due = factories.payment(placed)
    settle.settle(factories.notice(due), provider=due.provider)
    ticket = ticket_of(placed)
    answers.answer(ticket.line, {song.pk: Given((), "x"), diet.pk: Given(("vegan",))})

    def left() -> tuple[list[str], list[int]]:
        answers.forget_old()
        kept = LineChoice.objects.filter(line=ticket.line).values_list("choice", flat=True)
        return sorted(said(ticket)), sorted(kept)

    move_clock(timedelta(days=36))
    assert left() == (["What do you not eat?", "Which song?"], sorted([vegetarian.pk, wine.pk]))
    move_clock(timedelta(days=38))
    assert left() == (["Which song?"], [wine.pk])
    few.refresh_from_db()
    assert few.taken == 0
    move_clock(timedelta(days=121))
    assert left() == ([], [wine.pk])


@pytest.mark.parametrize("is_paid", [True, False])
def test_what_a_change_of_choices_remembers_goes_a_week_after_the_event(kind: TicketType, is_paid: bool) -> None:
    food = factories.variation(kind)
    vegan = factories.choice(food, is_sensitive=True)
    ticket = ticket_of(bought_with_default(kind))
    feast = factories.choice(food, delta_minor=5_000)
    supplement = changes.begin(ticket.line.order, ticket, {feast.pk: 1}, agreed_minor=5_000)
    assert supplement is not None
    if is_paid:
        due = factories.payment(supplement)
        settle.settle(factories.notice(due), provider=due.provider)
    else:
        reservations.expire_overdue(clock.now() + timedelta(hours=1))

    def remembered() -> tuple[list[list[int]], list[list[int]]]:
        answers.forget_old()
        return ChoiceChange.objects.values_list("wanted", "replaced").get()

    move_clock(timedelta(days=36))
    assert remembered() == (([], [[vegan.pk, 1, 0]]) if is_paid else ([[feast.pk, 1, 5_000]], []))
    move_clock(timedelta(days=38))
    assert remembered() == ([], [])


def test_a_person_gets_their_own_answers_and_may_have_them_erased(
    kind: TicketType, song: Question, diet: Question
) -> None:
    person = factories.user(email="robin@example.org")
    placed = factories.order(kind.event, factories.wanted(kind, 2), email=person.email, user=person)
    queue.drain(kind.event_id)
    placed.refresh_from_db()
    due = factories.payment(placed)
    settle.settle(factories.notice(due), provider=due.provider)
    answers.answer(ticket_of(placed).line, {diet.pk: Given(("vegan",), "selleri")})

    exported = json.dumps(TicketingData().export(person), ensure_ascii=False)
    assert "selleri" in exported

    move_clock(timedelta(days=31))
    TicketingData().erase(person)
    assert Answer.objects.count() == 0


# --- Whatever is sent ------------------------------------------------------------------------------------------------

garbage = st.text(max_size=400) | st.sampled_from(["yes", "no", "vegan", "everything", "\x00", "‮", "1e9", "'; DROP"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_garbage_in_the_form_becomes_answers_or_sentences(
    kind: TicketType, song: Question, diet: Question, bus: Question, client: Client, data: Any
) -> None:
    order = Order.objects.first() or bought(kind)
    ticket = ticket_of(order)
    fields = [name(ticket, asked, end) for asked in (song, diet, bus) for end in ("", "-text")] + ["nonsense", "\x00"]
    sent = QueryDict(mutable=True)
    for field in data.draw(st.lists(st.sampled_from(fields), max_size=8)):
        sent.appendlist(field, data.draw(garbage))

    response = client.post(link(ticket), dict(sent.lists()))

    assert response.status_code in (303, 422)
    for one in said(ticket).values():
        assert len(one.text) <= 300
        assert "\x00" not in one.text
        assert set(one.picked) <= {"yes", "no", *answers.Diet.values}
