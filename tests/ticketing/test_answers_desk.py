"""The organiser's side: making choices and questions, and reading what came back, each as far as they need it."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from apps.events import tenancy
from apps.events.models import Event
from apps.ticketing import answers, bell, clock, kitchen, queue
from apps.ticketing.answers import Given
from apps.ticketing.models import AuditEntry, Choice, Question, Ticket, TicketType
from apps.ticketing.payments import settle
from tests import factories, mould
from tests.tenancy.world import member

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def in_english() -> Any:
    with override("en"):
        yield


@pytest.fixture
def client() -> Client:
    return Client(headers={"accept-language": "en"})


@pytest.fixture
def kind() -> TicketType:
    organisation = mould.cast(tenancy.create_organisation, "Lyktan")
    event = factories.event(organisation=organisation, starts_at=clock.now() + timedelta(days=30))
    return factories.ticket_type(event, factories.quota(event, 20), name_en="Dinner")


@pytest.fixture
def guests(kind: TicketType) -> list[Ticket]:
    """Two with beer and snaps, of whom one is vegan and cannot stand celery, and one who has answered nothing."""
    drink, extra = factories.variation(kind), factories.variation(kind, kind="many", name_en="Extras", position=1)
    beer, water = factories.choice(drink, name_en="Beer"), factories.choice(drink, name_en="Water")
    snaps = factories.choice(extra, name_en="Snaps", max_quantity=3)
    Question.objects.create(ticket_type=kind, text_en="Diet?", kind="diet")
    Question.objects.create(ticket_type=kind, text_en="Song?", position=1)
    Question.objects.create(ticket_type=kind, text_en="Bus?", kind="yes_no", position=2)
    found = []
    for name, picks in (("Ada", [(beer, 1), (snaps, 2)]), ("=Bo", [(beer, 1), (snaps, 1)]), ("Cy", [(water, 1)])):
        placed = factories.order(kind.event, factories.wanted(kind, 1, *picks))
        queue.drain(kind.event_id)
        placed.refresh_from_db()
        placed.name = name
        placed.save(update_fields=["name"])
        due = factories.payment(placed)
        settle.settle(factories.notice(due), provider=due.provider)
        found.append(Ticket.objects.select_related("line").get(line__order=placed))
    diet, song, bus = kind.questions.order_by("position")
    answers.answer(
        found[0].line,
        {diet.pk: Given(("vegan",), "celery"), song.pk: Given((), "Minne"), bus.pk: Given(("yes",))},
    )
    answers.answer(found[1].line, {diet.pk: Given(("everything",)), bus.pk: Given(("no",))})
    return found


def test_the_kitchen_gets_counts_and_no_names(kind: TicketType, guests: list[Ticket]) -> None:
    [dinner] = kitchen.counts(kind.event, with_private=True)

    said = {asked.title: ({one.label: one.number for one in asked.counts}, asked.unanswered) for asked in dinner.asked}
    assert (dinner.name, dinner.tickets) == ("Dinner", 3)
    assert said == {
        "Beverage": ({"Beer": 2, "Water": 1}, 0),
        "Extras": ({"Snaps": 3}, 0),
        "Diet?": ({"Eats everything": 1, "Vegan": 1}, 1),
        "Song?": ({}, 2),
        "Bus?": ({"Yes": 1, "No": 1}, 1),
    }
    assert [asked.words for asked in dinner.asked] == [(), (), ("celery",), ("Minne",), ()]


def test_refunded_and_unpaid_tickets_are_not_cooked_for(kind: TicketType, guests: list[Ticket]) -> None:
    Ticket.objects.filter(pk=guests[0].pk).update(state="revoked")
    beer = Choice.objects.get(name_en="Beer")
    factories.order(kind.event, factories.wanted(kind, 1, (beer, 1)))
    queue.drain(kind.event_id)

    [dinner] = kitchen.counts(kind.event)

    assert dinner.tickets == 2
    assert dinner.asked[0].counts[0].number == 1


def test_lists_take_as_many_queries_for_one_guest_as_for_three(
    kind: TicketType, guests: list[Ticket], django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(8):
        kitchen.counts(kind.event)
    with django_assert_max_num_queries(6):
        kitchen.guests(kind.event)


def page(client: Client, who: Any, event: Event, query: str = "") -> str:
    client.force_login(who)
    response = client.get(reverse("event_answers", args=[event.public_id]) + query)
    assert response.status_code == 200
    return response.content.decode()


def test_an_editor_sees_what_is_private_only_when_asking_and_that_is_noted(
    client: Client, kind: TicketType, guests: list[Ticket]
) -> None:
    editor = member(kind.event.organisation, tenancy.Role.EDITOR)

    plain = page(client, editor, kind.event)
    private = page(client, editor, kind.event, "?private=1")

    names = plain[plain.index('id="guests"') :]
    assert ("Ada" in names, "Minne" in names) == (True, True)
    assert ("Vegan" in names, "celery" in names) == (False, False)
    assert "celery" in private[private.index('id="guests"') :]
    [noted] = AuditEntry.objects.filter(reason="private_answers_read")
    assert (noted.actor, noted.row_id) == (editor, kind.event.pk)


def test_a_treasurer_never_sees_what_is_private(client: Client, kind: TicketType, guests: list[Ticket]) -> None:
    treasurer = member(kind.event.organisation, tenancy.Role.TREASURER)

    seen = page(client, treasurer, kind.event, "?private=1")
    files = ""
    for name in ("event_kitchen_file", "event_guests_file"):
        response = client.get(reverse(name, args=[kind.event.public_id]) + "?private=1")
        files += b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]

    assert "Minne" in seen
    assert "Minne" in files
    assert "celery" not in seen + files
    assert AuditEntry.objects.filter(reason="private_answers_read").count() == 0


def test_files_open_in_a_spreadsheet_and_hold_no_formula(
    client: Client, kind: TicketType, guests: list[Ticket]
) -> None:
    client.force_login(member(kind.event.organisation, tenancy.Role.EDITOR))

    response = client.get(reverse("event_guests_file", args=[kind.event.public_id]) + "?private=1")
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    head, *rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")))

    assert head == ["Short code", "Holder", "Ticket", "Order", "Choices", "Diet?", "Song?", "Bus?"]
    assert [row[1] for row in rows] == ["Ada", "'=Bo", "Cy"]
    assert rows[0][4:] == ["Beer, 2 × Snaps", "Vegan, celery", "Minne", "Yes"]


# --- Making them -----------------------------------------------------------------------------------------------------


def formset(prefix: str, total: int, initial: int = 0) -> dict[str, str]:
    counts = {"TOTAL": total, "INITIAL": initial, "MIN_NUM": 0, "MAX_NUM": 1000}
    return {f"{prefix}-{name}_FORMS": str(number) for name, number in counts.items()}


def form(kind: TicketType, **values: Any) -> dict[str, Any]:
    return {
        "name_sv": "", "name_en": "Dinner", "description_sv": "", "description_en": "", "price_minor": "250",
        "vat_percent": "12", "quotas": [quota.pk for quota in kind.quotas.all()], "max_per_order": "6",
        "min_per_order": "0", "position": "0", "visibility": "public", "is_published": "on", "change_hours": "48",
        "guests_per_ticket": "1",
        **formset("variations", 0), **formset("questions", 0), **values,
    }  # fmt: skip


@pytest.fixture
def editor(client: Client, kind: TicketType) -> Client:
    client.force_login(member(kind.event.organisation, tenancy.Role.EDITOR))
    return client


def test_an_editor_makes_choices_with_a_default_a_price_and_stock(editor: Client, kind: TicketType) -> None:
    cellar = factories.quota(kind.event, 5)
    choices = {
        "variations-0-name_en": "Beverage", "variations-0-kind": "one", **formset("variations-0-choices", 2),
        "variations-0-choices-0-name_en": "Beer", "variations-0-choices-0-max_quantity": "1",
        "variations-0-choices-0-is_default": "on", "variations-0-choices-0-is_published": "on",
        "variations-0-choices-1-name_en": "Wine", "variations-0-choices-1-max_quantity": "1",
        "variations-0-choices-1-delta_minor": "90", "variations-0-choices-1-is_published": "on",
        "variations-0-choices-1-quotas": [cellar.pk],
    }  # fmt: skip

    edit = reverse("ticket_type_desk:edit", args=[kind.public_id])
    response = editor.post(edit, form(kind, **choices, **formset("variations", 1)))

    assert response.status_code == 302
    made = Choice.objects.order_by("position").values_list("name_en", "delta_minor", "is_default", "quotas")
    assert list(made) == [("Beer", 0, True, None), ("Wine", 9_000, False, cellar.pk)]
    kind.refresh_from_db()
    assert kind.change_hours == 48


@pytest.mark.parametrize("what", ["the type", "a choice", "a choice to none"])
def test_who_waits_is_served_when_an_editor_moves_what_they_wait_for_to_other_quotas(
    editor: Client,
    kind: TicketType,
    what: str,
    django_capture_on_commit_callbacks: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rung: list[int] = []
    monkeypatch.setattr(bell, "ring", rung.append)
    hall, full, other = kind.quotas.get(), factories.quota(kind.event, 0), factories.quota(kind.event, 1)
    wine = factories.choice(factories.variation(kind, name_en="Beverage"), full, name_en="Wine")
    if what == "the type":
        wine.quotas.clear()
        kind.quotas.set([full])
    waiting = factories.order(kind.event, factories.wanted(kind, 1, (wine, 1)))
    queue.drain(kind.event_id)
    later = factories.order(kind.event, factories.wanted(kind, 1, (wine, 1)))
    rung.clear()
    variation = wine.variation
    sent = form(
        kind, quotas=[other.pk if what == "the type" else hall.pk], **formset("variations", 1, 1),
        **formset("variations-0-choices", 1, 1),
        **{"variations-0-id": variation.pk, "variations-0-name_en": "Beverage", "variations-0-kind": "one",
           "variations-0-choices-0-id": wine.pk, "variations-0-choices-0-name_en": "Wine",
           "variations-0-choices-0-max_quantity": "1", "variations-0-choices-0-is_published": "on"},
        **({"variations-0-choices-0-quotas": [other.pk]} if what == "a choice" else {}),
    )  # fmt: skip

    with django_capture_on_commit_callbacks(execute=True):
        response = editor.post(reverse("ticket_type_desk:edit", args=[kind.public_id]), sent)
    queue.drain(kind.event_id)

    assert (response.status_code, rung[:1]) == (302, [kind.event_id])
    for order in (waiting, later):
        order.refresh_from_db()
    assert (waiting.state, later.state) == ("reserved", "reserved" if what == "a choice to none" else "waiting")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"variations-0-choices-1-is_default": "on"}, "What costs extra cannot be preselected"),
        (
            {"variations-0-choices-0-is_default": "on", "variations-0-choices-1-is_default": "on",
             "variations-0-choices-1-delta_minor": "0"},
            "Only one answer can be preselected",
        ),
        (
            {"variations-0-kind": "many", "variations-0-choices-0-is_default": "on"},
            "Only where one must be chosen is one preselected",
        ),
    ],
    ids=["costs-extra", "two", "in-numbers"],
)  # fmt: skip
def test_an_impossible_default_is_refused_beside_the_field(
    editor: Client, kind: TicketType, changes: dict[str, str], says: str
) -> None:
    choices = {
        "variations-0-name_en": "Beverage", "variations-0-kind": "one", **formset("variations-0-choices", 2),
        "variations-0-choices-0-name_en": "Beer", "variations-0-choices-0-max_quantity": "1",
        "variations-0-choices-1-name_en": "Wine", "variations-0-choices-1-max_quantity": "1",
        "variations-0-choices-1-delta_minor": "90", **changes,
    }  # fmt: skip

    edit = reverse("ticket_type_desk:edit", args=[kind.public_id])
    response = editor.post(edit, form(kind, **choices, **formset("variations", 1)))

    assert response.status_code == 200
    assert says in response.content.decode()
    assert Choice.objects.count() == 0


def test_an_editor_makes_questions_and_what_is_eaten_is_always_private(editor: Client, kind: TicketType) -> None:
    asked = {
        "questions-0-text_en": "What do you not eat?", "questions-0-kind": "diet", "questions-0-is_required": "on",
        "questions-0-is_published": "on",
        "questions-1-text_en": "Song?", "questions-1-kind": "text", "questions-1-is_asked_before_paying": "on",
        "questions-1-is_published": "on",
    }  # fmt: skip

    editor.post(reverse("ticket_type_desk:edit", args=[kind.public_id]), form(kind, **asked, **formset("questions", 2)))

    made = kind.questions.order_by("position").values_list("text_en", "is_sensitive", "is_asked_before_paying")
    assert list(made) == [("What do you not eat?", True, False), ("Song?", False, True)]


def test_a_question_that_was_answered_is_not_deleted(editor: Client, kind: TicketType, guests: list[Ticket]) -> None:
    diet = kind.questions.get(kind="diet")
    rows = {"questions-0-id": diet.pk, "questions-0-text_en": "Diet?", "questions-0-kind": "diet",
            "questions-0-DELETE": "on"}  # fmt: skip

    response = editor.post(
        reverse("ticket_type_desk:edit", args=[kind.public_id]), form(kind, **rows, **formset("questions", 1, 1))
    )

    assert "it cannot be deleted: Diet?" in response.content.decode()
    assert kind.questions.count() == 3


def test_a_form_that_knows_nothing_of_questions_leaves_them_alone(editor: Client, kind: TicketType) -> None:
    Question.objects.create(ticket_type=kind, text_en="Song?")
    sent = {name: value for name, value in form(kind).items() if not name.startswith("questions-")}

    response = editor.post(reverse("ticket_type_desk:edit", args=[kind.public_id]), sent)

    assert response.status_code == 302
    assert kind.questions.count() == 1


def test_a_guest_ticket_cannot_bring_guests_of_its_own(editor: Client, kind: TicketType) -> None:
    first = factories.ticket_type(kind.event, *kind.quotas.all(), guests_of=kind)

    edit = reverse("ticket_type_desk:edit", args=[kind.public_id])
    response = editor.post(edit, form(kind, guests_of=first.pk))

    assert "That is a guest ticket itself" in response.content.decode()
