"""One place per person: what a second wish meets, by whom it is made, and how a place changes hands."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from apps.ticketing import draws, event_face, invariants, mails, ordering, outbox, places, queue, reasons, reservations
from apps.ticketing.mails import letters
from apps.ticketing.models import AuditEntry, Effect, Order, Quota
from apps.ticketing.visitors import address_of
from tests import factories
from tests.ticketing.test_draws import WINDOW
from tests.ticketing.test_views import address, sent, text_of

pytestmark = pytest.mark.django_db

ALVA = "alva@example.org"


@pytest.fixture(autouse=True)
def english(settings: LazySettings) -> None:
    settings.LANGUAGE_CODE = "en"
    event_face.forget()


@pytest.fixture
def event() -> Any:
    return factories.event()


@pytest.fixture
def dinner(event: Any) -> Any:
    return factories.ticket_type(event, factories.quota(event, 10), name_en="Dinner", max_per_order=4)


def choose(client: Client, event: Any, dinner: Any, email: str = ALVA, number: int = 1) -> Any:
    return client.post(address(event), sent(dinner, number, email=email))


def mailed_link(email: str = ALVA) -> str:
    """The path that the one mail to this address leads to."""
    outbox.run_all(early=True)
    (letter,) = [message for message in mail.outbox if message.to == [email]]
    return re.search(r"https?://[^/]+(/\S+/claim/)", str(letter.body))[1]  # type: ignore[index]


# --- The rule ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["queued", "waiting", "offered"])
def test_place_refuses_a_second_order_of_one_in_line(event: Any, dinner: Any, state: str) -> None:
    if state != "queued":
        Quota.objects.update(size=1)
    first = factories.order(event, factories.wanted(dinner, 2), email=ALVA, fewer_is_fine=state == "offered")
    if state != "queued":
        queue.drain(event.pk)
    assert Order.objects.get().state == state

    with pytest.raises(ordering.AlreadyQueued) as refused:
        factories.order(event, factories.wanted(dinner), email="Alva+ball@Example.org")

    assert (refused.value.order, refused.value.reason) == (first, reasons.IN_QUEUE)
    assert Order.objects.count() == 1


def test_place_takes_another_order_once_the_first_is_held_paid_or_left(event: Any, dinner: Any) -> None:
    held = factories.order(event, factories.wanted(dinner), email=ALVA)
    queue.drain(event.pk)
    left = factories.order(event, factories.wanted(dinner), email=ALVA)
    ordering.cancel(left)

    third = factories.order(event, factories.wanted(dinner), email=ALVA)

    assert list(Order.objects.order_by("pk").values_list("pk", "state")) == [
        (held.pk, "reserved"), (left.pk, "cancelled"), (third.pk, "queued"),
    ]  # fmt: skip


def test_place_allows_one_place_at_each_event_and_one_for_each_person(event: Any, dinner: Any) -> None:
    other = factories.event()
    user = factories.user(email=ALVA)

    factories.order(event, factories.wanted(dinner), email=ALVA)
    factories.order(event, factories.wanted(dinner), email=ALVA, user=user)  # the account is a person of its own
    factories.order(event, factories.wanted(dinner), email="bo@example.org")
    factories.order(other, factories.wanted(factories.ticket_type(other, factories.quota(other))), email=ALVA)

    assert Order.objects.filter(state="queued").count() == 4


def test_database_itself_allows_one_place(event: Any, dinner: Any) -> None:
    first = factories.order(event, factories.wanted(dinner), email=ALVA)
    second = factories.order(event, factories.wanted(dinner), email="bo@example.org")

    with pytest.raises(IntegrityError, match="order_one_place_per_person"), transaction.atomic():
        Order.objects.filter(pk=second.pk).update(buyer_key=first.buyer_key)

    Order.objects.update(buyer_key="")  # erased people are nobody's double


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("has_rule", [True, False], ids=["with-the-rule", "without-it"])
def test_a_crowd_of_one_gets_one_place(has_rule: bool) -> None:
    """Eight forms of one person at once. Negative control: without the database's rule they get eight places."""
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 3))
    rule = next(c for c in Order._meta.constraints if c.name == "order_one_place_per_person")

    def send(number: int) -> int:
        try:
            return factories.order(event, factories.wanted(kind), email=ALVA, idempotency_key=f"form-{number:04}").pk
        except ordering.AlreadyQueued as taken:
            return taken.order.pk
        finally:
            connection.close()

    if not has_rule:
        with connection.schema_editor() as editor:
            editor.remove_constraint(Order, rule)
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = set(pool.map(send, range(8)))
    finally:
        if not has_rule:
            Order.objects.update(state="cancelled")
            with connection.schema_editor() as editor:
                editor.add_constraint(Order, rule)

    assert len(answers) == (1 if has_rule else 8)
    assert event.orders.count() == len(answers)


def test_declined_offer_keeps_the_place_while_nothing_else_was_placed(event: Any, dinner: Any) -> None:
    Quota.objects.update(size=1)
    order = factories.order(event, factories.wanted(dinner, 2), email=ALVA)
    queue.drain(event.pk)
    with pytest.raises(ordering.AlreadyQueued):
        factories.order(event, factories.wanted(dinner), email=ALVA)

    order.refresh_from_db()
    reservations.decline_offer(order)

    assert order.state == "waiting"
    assert invariants.check() == []


# --- The answer -------------------------------------------------------------------------------------------------------


def test_second_form_of_the_same_browser_leads_to_its_place(client: Client, event: Any, dinner: Any) -> None:
    choose(client, event, dinner)
    order = Order.objects.get()

    again = choose(client, event, dinner, number=2)

    assert (again.status_code, again["Location"]) == (303, address_of(order) + "?again=1")
    page = text_of(client.get(again["Location"]))
    assert "You are in the queue already; here is your place." in page
    assert "Leave it to choose anew." in page
    assert Order.objects.count() == 1
    assert not Effect.objects.filter(payload__name="place_is_kept").exists()


def test_second_form_of_an_account_leads_to_its_place_on_any_browser(event: Any, dinner: Any) -> None:
    user = factories.user()
    order = factories.order(event, factories.wanted(dinner), user=user, email=user.email)
    elsewhere = Client()
    elsewhere.force_login(user)

    again = choose(elsewhere, event, dinner, email="another@example.org")

    assert (again.status_code, again["Location"]) == (303, address_of(order) + "?again=1")


def test_sentence_is_gone_once_it_is_their_turn(client: Client, event: Any, dinner: Any) -> None:
    choose(client, event, dinner)
    order = Order.objects.get()
    queue.drain(event.pk)

    assert "already" not in text_of(client.get(address_of(order) + "?again=1"))


def test_stranger_learns_no_link_and_the_address_gets_it(client: Client, event: Any, dinner: Any) -> None:
    order = factories.order(event, factories.wanted(dinner), email=ALVA, locale="en")

    answer = choose(client, event, dinner)

    assert answer.status_code == 409
    assert "We have written to alva@example.org" in text_of(answer)
    assert order.secret not in answer.content.decode() and order.reference not in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert f"order-{event.public_id.hex}" not in answer.cookies
    assert reverse("ticketing:order_claim", args=[order.reference, "x" * 40]).rsplit("/", 3)[0] in mailed_link()


def test_cookie_of_another_order_is_no_proof(client: Client, event: Any, dinner: Any) -> None:
    factories.order(event, factories.wanted(dinner), email=ALVA)
    choose(client, event, dinner, email="bo@example.org")

    assert choose(client, event, dinner, email=ALVA).status_code == 409


def test_mailbox_is_not_flooded(client: Client, event: Any, dinner: Any) -> None:
    factories.order(event, factories.wanted(dinner), email=ALVA)

    for _ in range(5):
        assert choose(client, event, dinner).status_code == 409

    assert Effect.objects.filter(payload__name="place_is_kept").count() <= 2  # once in ten minutes


def test_second_entry_to_a_draw_is_answered_alike(client: Client, event: Any, dinner: Any) -> None:
    draws.set_up(event, factories.clock.now() + WINDOW)
    choose(client, event, dinner)

    known = client.get(choose(client, event, dinner)["Location"])
    stranger = choose(Client(), event, dinner)

    assert "You are in the draw already; this is your entry." in text_of(known)
    assert (stranger.status_code, "This address is in the draw already." in text_of(stranger)) == (409, True)
    assert Order.objects.count() == 1


# --- Whose place it is ------------------------------------------------------------------------------------------------


def test_whoever_reads_the_address_takes_the_place_from_a_stranger(event: Any, dinner: Any) -> None:
    stranger, alva = Client(), Client()
    choose(stranger, event, dinner)
    theirs = address_of(Order.objects.get())
    rank = Order.objects.get().rank
    choose(alva, event, dinner, number=2)
    link = mailed_link()

    question = alva.get(link)
    assert "1 × Dinner" in text_of(question) and "Was it you?" in text_of(question)
    assert alva.get(link).status_code == stranger.get(theirs).status_code == 200  # looking changes nothing
    taken = alva.post(link)

    order = Order.objects.get()
    assert (taken.status_code, taken["Location"], order.rank) == (303, address_of(order), rank)
    assert (stranger.get(theirs).status_code, alva.get(taken["Location"]).status_code) == (404, 200)
    assert stranger.post(f"{theirs}leave/").status_code == 404
    assert alva.post(f"{taken['Location']}leave/").status_code == 303
    assert choose(alva, event, dinner, number=2)["Location"] == address_of(Order.objects.get(state="queued"))
    assert alva.get(link).status_code == 404  # it ended with the secret it was made from


def test_whoever_did_it_themselves_just_opens_the_place(client: Client, event: Any, dinner: Any) -> None:
    order = factories.order(event, factories.wanted(dinner), email=ALVA, locale="en")

    page = client.get(places.claim_path(order)).content.decode()

    assert f'href="{address_of(order)}?again=1"' in page


@pytest.mark.parametrize("state", ["paid", "cancelled", "paying"])
def test_place_that_is_over_or_being_paid_is_not_taken(client: Client, event: Any, dinner: Any, state: str) -> None:
    order = factories.order(event, factories.wanted(dinner), email=ALVA)
    if state == "cancelled":
        ordering.cancel(order)
    else:
        queue.drain(event.pk)
        order.refresh_from_db()
        factories.payment(order)
    secret = order.secret

    answer = client.post(places.claim_path(order))

    order.refresh_from_db()
    assert (answer.status_code, answer["Location"], order.secret) == (303, address_of(order), secret)
    assert places.take_over(order) is False


@pytest.mark.parametrize("token", ["x" * 40, "0" * 40])
def test_made_up_link_opens_nothing(client: Client, event: Any, dinner: Any, token: str) -> None:
    order = factories.order(event, factories.wanted(dinner), email=ALVA)

    for ask in (client.get, client.post):
        assert ask(reverse("ticketing:order_claim", args=[order.reference, token])).status_code == 404


def test_everything_about_an_order_goes_to_its_own_address() -> None:
    order = factories.paid_order()
    Order.objects.filter(pk=order.pk).update(email=ALVA)
    order.refresh_from_db()

    outbox.run_all(early=True)
    with transaction.atomic():
        for name in ("order_confirmation", "your_turn", "place_is_kept"):
            mails.send_again(order, {"name": name, "to": "bo@example.org", "email": "bo@example.org"})
    outbox.run_all(early=True)

    to_the_buyer = [name for name, kind in letters.kinds.items() if not (kind.to_organiser or kind.to_former)]
    assert {name: letters.address_for(order, name, {"to": "bo@example.org"}) for name in to_the_buyer} == dict.fromkeys(
        to_the_buyer, ALVA
    )
    assert {address for message in mail.outbox for address in message.recipients()} == {ALVA}


# --- Orders from before the rule --------------------------------------------------------------------------------------


def test_migration_gives_up_second_places_and_says_so(event: Any, dinner: Any) -> None:
    from importlib import import_module

    rule = next(c for c in Order._meta.constraints if c.name == "order_one_place_per_person")
    orders = [factories.order(event, factories.wanted(dinner), email=f"a{n}@example.org") for n in range(3)]
    with connection.schema_editor() as editor:
        editor.remove_constraint(Order, rule)
    Order.objects.update(buyer_key=orders[0].buyer_key)
    Order.objects.filter(pk=orders[2].pk).update(state="waiting")

    with connection.cursor() as cursor:
        cursor.execute(import_module("apps.ticketing.migrations.0010_one_place_per_person").GIVE_UP_SECOND_PLACES)
    with connection.schema_editor() as editor:
        editor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        editor.add_constraint(Order, rule)

    assert list(Order.objects.order_by("pk").values_list("state", "reason")) == [
        ("queued", ""), ("cancelled", "in_queue"), ("cancelled", "in_queue"),
    ]  # fmt: skip
    told = AuditEntry.objects.filter(model="ticketing.order", new="cancelled").order_by("pk")
    assert list(told.values_list("row_id", "old")) == [(orders[1].pk, "queued"), (orders[2].pk, "waiting")]
