"""Paying from the order page: what is asked, where it leads, and that nobody pays twice."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from apps.events import legal
from apps.events.models import Event, LegalText
from apps.ticketing import checkout, clock, event_face, extensions, outbox, payments, reasons
from apps.ticketing.models import Order, Payment, SandboxCharge, Ticket
from apps.ticketing.payments import sandbox
from tests import factories
from tests.clock import clock_moved
from tests.ticketing.test_order_page import address, fresh, reserved
from tests.ticketing.test_views import text_of

pytestmark = pytest.mark.django_db

GOOD = {"name": "Robin Ek", "terms": "on"}


@pytest.fixture(autouse=True)
def english(settings: LazySettings) -> None:
    settings.LANGUAGE_CODE = "en"
    event_face.forget()


@pytest.fixture
def event() -> Any:
    return factories.event()


@pytest.fixture
def order(event: Any) -> Order:
    return reserved(event, factories.ticket_type(event, factories.quota(event, 5), name_en="Dinner"), 2)


@pytest.fixture
def free_order(event: Any) -> Order:
    return reserved(event, factories.ticket_type(event, factories.quota(event, 5), price_minor=0))


def charge() -> SandboxCharge:
    return SandboxCharge.objects.order_by("-pk")[0]


def test_the_checkout_asks_name_and_terms_and_says_the_sum(client: Client, order: Order) -> None:
    text = text_of(client.get(address(order))).replace("\xa0", " ")
    page = client.get(address(order)).content.decode()

    assert "2 tickets are yours if you pay now" in text and "Pay SEK 500" in text
    assert "I accept the terms of purchase of" in text
    assert f'value="{order.email}" readonly' in page
    assert 'name="provider"' not in page  # only one way to pay


@pytest.mark.parametrize(("name", "status"), [("order", 200), ("order_leave", 200), ("order_pay", 303)])
def test_a_program_that_looks_up_a_link_of_an_order_is_answered_and_moves_nothing(
    client: Client, order: Order, name: str, status: int
) -> None:
    response = client.head(address(order, name), GOOD)

    assert (response.status_code, response.content) == (status, b"")
    assert (fresh(order).state, order.name, Payment.objects.count()) == ("reserved", "", 0)


def test_paying_leads_to_the_bank_and_notes_name_and_terms(
    client: Client, order: Order, settings: LazySettings
) -> None:
    response = client.post(address(order, "order_pay"), GOOD)

    payment = Payment.objects.get()
    assert (response.status_code, response["Location"]) == (303, payment.redirect_url)
    assert (fresh(order).state, order.name, payment.amount_minor) == ("reserved", "Robin Ek", 50_000)
    assert charge().return_url == settings.SITE_URL + address(order)


def test_a_free_order_has_its_tickets_at_once(client: Client, free_order: Order) -> None:
    assert "Get the tickets" in text_of(client.get(address(free_order)))

    response = client.post(address(free_order, "order_pay"), GOOD)

    assert (response.status_code, response["Location"]) == (303, address(free_order))
    assert fresh(free_order).state == "paid"
    assert Ticket.objects.get().holder_name == "Robin Ek"
    assert Payment.objects.count() == 0


@pytest.mark.parametrize(
    ("data", "sentences"),
    [
        pytest.param({}, ["Write your name", "Accept the terms of purchase"], id="nothing"),
        pytest.param({"name": "Robin Ek"}, ["Accept the terms of purchase to go on."], id="terms-not-accepted"),
        pytest.param({"terms": "on", "name": " "}, ["Write your name"], id="no-name"),
        pytest.param({**GOOD, "name": "x" * 500}, ["Write at most 120 characters."], id="long-name"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_lost(
    client: Client, order: Order, data: dict[str, str], sentences: list[str]
) -> None:
    response = client.post(address(order, "order_pay"), data)

    assert response.status_code == 422
    for sentence in sentences:
        assert sentence in text_of(response)
    assert f'value="{data.get("name", "")}"' in response.content.decode()
    assert fresh(order).state == "reserved" and Payment.objects.count() == 0


class Swish:
    slug = "swish"
    label = "Swish"

    def is_available(self, currency: str) -> bool:
        return True

    def start(self, payment: Payment, *, key: str, return_url: str) -> extensions.Started:
        return extensions.Started(reference=f"swish-{payment.pk}", redirect_url="https://swish.example/pay")


def test_the_way_to_pay_is_asked_only_where_there_is_a_choice(client: Client, order: Order) -> None:
    with extensions.payment_providers.temporarily(Swish()):  # type: ignore[arg-type]
        page = client.get(address(order)).content.decode()
        without = client.post(address(order, "order_pay"), GOOD)
        foreign = client.post(address(order, "order_pay"), {**GOOD, "provider": "cash"})
        chosen = client.post(address(order, "order_pay"), {**GOOD, "provider": "swish"})

    assert page.count('name="provider"') == 2
    assert without.status_code == 422 and "Choose how to pay." in text_of(without)
    assert foreign.status_code == 422 and "Choose one of these ways to pay." in text_of(foreign)
    assert (chosen.status_code, chosen["Location"]) == (303, "https://swish.example/pay")


def test_a_second_tab_gets_the_same_payment(client: Client, order: Order) -> None:
    first, second = (client.post(address(order, "order_pay"), GOOD) for _ in range(2))

    assert first["Location"] == second["Location"]
    assert Payment.objects.count() == 1


def test_a_payment_left_in_the_middle_can_be_gone_on_with(client: Client, order: Order) -> None:
    location = client.post(address(order, "order_pay"), GOOD)["Location"]

    page = client.get(address(order))

    assert "You have begun to pay. Nothing has been charged." in text_of(page)
    assert f'href="{location}"' in page.content.decode()


def test_whoever_returns_before_the_notice_finds_the_tickets(client: Client, order: Order) -> None:
    client.post(address(order, "order_pay"), GOOD)
    sandbox.give_card(charge().public_id, "pays")  # its notice is still on the way

    text = text_of(client.get(address(order))).replace("\xa0", " ")

    assert "The tickets are yours!" in text and "SEK 500 is paid." in text
    assert fresh(order).state == "paid"


def test_a_declined_card_is_said_and_everything_is_kept(client: Client, order: Order) -> None:
    client.post(address(order, "order_pay"), GOOD)
    sandbox.give_card(charge().public_id, "declined")

    page = client.get(address(order))

    assert reasons.sentence(reasons.PAYMENT_DECLINED) in text_of(page)
    assert 'value="Robin Ek"' in page.content.decode()
    assert "The place is yours until" in text_of(page)
    again = client.post(address(order, "order_pay"), GOOD)
    assert again.status_code == 303 and Payment.objects.count() == 2


def test_while_the_bank_is_silent_nobody_is_asked_to_pay_again(client: Client, order: Order) -> None:
    client.post(address(order, "order_pay"), GOOD)
    sandbox.give_card(charge().public_id, "slow")

    page = client.get(address(order))
    again = client.post(address(order, "order_pay"), GOOD)
    left = client.post(address(order, "order_leave"))

    text = text_of(page)
    assert "The bank has not answered yet" in text and "Do not pay again." in text
    assert 'data-state="paying"' in page.content.decode() and "order_pay" not in page.content.decode()
    assert f'action="{address(order, "order_pay")}"' not in page.content.decode()
    assert [again["Location"], left["Location"]] == [address(order)] * 2
    assert (fresh(order).state, Payment.objects.count()) == ("reserved", 1)
    assert client.get(address(order, "order_status")).json()["state"] == "paying"


def test_a_hold_that_ended_while_writing_is_told_and_nothing_is_charged(client: Client, order: Order) -> None:
    with clock_moved(timedelta(minutes=16)):
        response = client.post(address(order, "order_pay"), GOOD)
        text = text_of(client.get(address(order)))

    assert (response.status_code, response["Location"]) == (303, address(order))
    assert reasons.sentence(reasons.HOLD_EXPIRED) in text
    assert Payment.objects.count() == 0


@pytest.mark.parametrize("state", ["queued", "paid", "cancelled"])
def test_paying_an_order_that_is_not_held_leads_back_to_it(client: Client, event: Any, state: str) -> None:
    kind = factories.ticket_type(event, factories.quota(event, 5), price_minor=0)
    order = factories.order(event, factories.wanted(kind))
    if state == "paid":
        from apps.ticketing import queue

        queue.drain(event.pk)
        payments.start(order, "", "")
    if state == "cancelled":
        from apps.ticketing import ordering

        ordering.cancel(order)

    response = client.post(address(order, "order_pay"), GOOD)

    assert (response.status_code, response["Location"], fresh(order).state) == (303, address(order), state)


# --- Before payment opens --------------------------------------------------------------------------------------------


def opening_in(seconds: float, order: Order) -> Order:
    """The order, with its payment opening so many seconds from now."""
    opens = clock.now() + timedelta(seconds=seconds)
    Order.objects.filter(pk=order.pk).update(pays_from=opens, reserved_until=opens + timedelta(minutes=15))
    return fresh(order)


def seconds_of(order: Order) -> str:
    assert order.pays_from is not None
    return f"{order.pays_from.astimezone(order.event.zone):%H:%M:%S}"


def test_before_payment_opens_the_page_says_when_and_that_the_tickets_are_held(client: Client, order: Order) -> None:
    opening_in(40, order)

    response = client.get(address(order))

    page, text = response.content.decode(), text_of(response)
    assert "2 tickets are held for you" in text
    assert re.search(rf"Payment opens for you at {seconds_of(order)} ?, in (39|40) seconds ?\.", text)
    assert "Nothing has been charged." in text
    refresh = re.search(r'<noscript><meta http-equiv="refresh" content="(\d+)">', page)
    assert refresh and int(refresh[1]) in (40, 41)
    assert 'data-after="opens" hidden data-busy-text' in page  # the button to pay, until then
    status = client.get(address(order, "order_status")).json()
    assert (status["state"], status["pays_from"]) == ("reserved", order.pays_from.isoformat())


def test_once_payment_opened_the_page_is_as_any_other(client: Client, order: Order) -> None:
    opening_in(-1, order)

    page = client.get(address(order)).content.decode()

    assert "2 tickets are yours if you pay now" in text_of(client.get(address(order)))
    assert all(word not in page for word in ("opens", 'http-equiv="refresh"', 'name="keep"'))
    assert client.post(address(order, "order_pay"), GOOD)["Location"] == Payment.objects.get().redirect_url


def test_what_is_written_before_payment_opens_is_kept(client: Client, order: Order) -> None:
    opening_in(40, order)

    response = client.post(address(order, "order_pay"), {**GOOD, "keep": "1"})

    assert (response.status_code, response["Location"]) == (303, address(order))
    page = client.get(address(order)).content.decode()
    assert 'value="Robin Ek"' in page and 'name="terms" required checked' in page
    assert not Payment.objects.exists()


@pytest.mark.parametrize(
    ("written", "name", "accepted"),
    [
        pytest.param({"name": "Robin Ek"}, "Robin Ek", False, id="name-only"),
        pytest.param({"name": " ", "terms": "on"}, "As before", True, id="terms-only"),
        pytest.param({"name": "x" * 500}, "As before", False, id="long"),
        pytest.param({"name": "Ro\0bin"}, "Ro bin", False, id="with-what-cannot-be-seen"),
        pytest.param({}, "As before", False, id="nothing"),
    ],
)
def test_what_can_be_used_of_it_is_kept(
    client: Client, order: Order, written: dict[str, str], name: str, accepted: bool
) -> None:
    Order.objects.filter(pk=order.pk).update(name="As before")

    assert client.post(address(order, "order_pay"), {**written, "keep": "1"}).status_code == 303

    assert (fresh(order).name, checkout.has_accepted(order, legal.standing(order.organisation, "terms"))) == (
        name,
        accepted,
    )


def test_paying_too_early_is_refused_with_when_and_everything_kept(client: Client, order: Order) -> None:
    opening_in(40, order)

    response = client.post(address(order, "order_pay"), GOOD)

    text = text_of(response)
    assert response.status_code == 409
    assert reasons.sentence(reasons.PAYMENT_NOT_OPEN) in text and f"Your turn to pay is at {seconds_of(order)}" in text
    assert (fresh(order).name, Payment.objects.count(), SandboxCharge.objects.count()) == ("Robin Ek", 0, 0)


def test_more_time_keeps_what_is_written(client: Client, order: Order) -> None:
    until = order.reserved_until

    client.post(address(order, "order_more_time"), GOOD)

    assert until and fresh(order).reserved_until == until + timedelta(minutes=5)
    assert 'value="Robin Ek"' in client.get(address(order)).content.decode()


# --- Leaving with an open payment ------------------------------------------------------------------------------------


def test_leaving_closes_the_payment_at_the_bank_first(client: Client, order: Order) -> None:
    client.post(address(order, "order_pay"), GOOD)

    client.post(address(order, "order_leave"))

    assert (fresh(order).state, Payment.objects.get().state, charge().status) == ("cancelled", "cancelled", "cancelled")
    assert order.lines.filter(is_held=True).count() == 0
    with pytest.raises(sandbox.ChargeOver):
        sandbox.give_card(charge().public_id, "pays")


def test_leaving_after_paying_in_another_tab_keeps_the_tickets(client: Client, order: Order) -> None:
    client.post(address(order, "order_pay"), GOOD)
    sandbox.give_card(charge().public_id, "pays")

    client.post(address(order, "order_leave"))

    assert (fresh(order).state, Ticket.objects.filter(state="valid").count()) == ("paid", 2)


def test_leaving_frees_the_places_although_the_bank_is_silent(
    client: Client, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post(address(order, "order_pay"), GOOD)

    def lost(self: Any, payment: Payment, *, key: str) -> Any:
        raise extensions.UnknownOutcome("no answer")

    monkeypatch.setattr(sandbox.Sandbox, "cancel", lost)
    client.post(address(order, "order_leave"))

    assert (fresh(order).state, order.lines.filter(is_held=True).count()) == ("cancelled", 0)
    monkeypatch.undo()
    with clock_moved(timedelta(minutes=1)):  # the outbox goes on asking
        outbox.sweep()
        outbox.run_all(kinds=["payment.close"])
    assert charge().status == "cancelled"


def test_without_any_way_to_pay_the_page_says_so(client: Client, order: Order, settings: LazySettings) -> None:
    settings.PAYMENT_PROVIDERS_ENABLED = []

    page, posted = client.get(address(order)), client.post(address(order, "order_pay"), GOOD)

    assert "There is no way to pay right now. Nothing has been charged." in text_of(page)
    assert (posted.status_code, fresh(order).state) == (409, "reserved")


def test_the_order_names_the_version_of_the_terms_that_was_accepted(client: Client) -> None:
    event = factories.event()
    order = reserved(event, factories.ticket_type(event, factories.quota(event, 5), price_minor=0))
    legal.standing(event.organisation, "terms")
    write_terms(event, "<p>These are ours.</p>")
    before = client.get(address(order)).content.decode()

    client.post(address(order, "order_pay"), GOOD)

    where = f"/en/legal/{event.organisation.slug}/terms/2/"
    assert f'href="{where}"' in before
    assert fresh(order).terms_version == "2:en"
    write_terms(event, "<p>These are others.</p>")
    legal.standing(event.organisation, "terms")
    after = client.get(address(order)).content.decode()
    assert f'href="{where}"' in after and "Terms of purchase that you accepted, version 2" in after
    assert "These are ours." in client.get(where).content.decode()


def test_who_read_terms_that_hold_no_more_is_asked_again(client: Client) -> None:
    event = factories.event()
    order = reserved(event, factories.ticket_type(event, factories.quota(event, 5), price_minor=0))
    read = legal.standing(event.organisation, "terms").number
    write_terms(event, "<p>These are new.</p>")

    asked = client.post(address(order, "order_pay"), GOOD | {"terms_number": str(read)})
    kept = client.post(address(order, "order_pay"), GOOD | {"terms_number": str(read), "keep": "1"})

    assert (asked.status_code, fresh(order).state, fresh(order).terms_version) == (422, "reserved", "")
    assert "The terms have changed since this page was opened." in text_of(asked)
    assert kept.status_code == 303
    client.post(address(order, "order_pay"), GOOD | {"terms_number": str(read + 1)})
    assert (fresh(order).state, fresh(order).terms_version) == ("paid", f"{read + 1}:en")


def write_terms(event: Event, text: str) -> None:
    LegalText.objects.update_or_create(organisation=event.organisation, kind="terms", defaults={"text_en": text})


def test_what_is_accepted_are_the_terms_of_now_though_pages_keep_theirs_for_a_moment(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    legal.shown.forget()
    monkeypatch.setattr(legal.shown, "seconds", 60.0)
    event = factories.event()
    order = reserved(event, factories.ticket_type(event, factories.quota(event, 5), price_minor=0))
    assert checkout.shown_terms(event).number == 1

    write_terms(event, "<p>These are new.</p>")
    client.post(address(order, "order_pay"), GOOD)

    assert checkout.shown_terms(event).number == 1
    assert fresh(order).terms_version == "2:en"
    legal.shown.forget()
