"""The bank of our own: its page, its notices over real HTTP, and its refusal to stand where money is."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import reverse

from apps.ticketing import outbox, payments, refunds
from apps.ticketing.extensions import UnknownOutcome, payment_providers
from apps.ticketing.models import Effect, Order, Payment, Refund, SandboxCharge, SandboxRefund, Ticket
from apps.ticketing.payments import sandbox
from tests import factories
from tests.clock import clock_moved

BACK = "https://foyer.example/sv/orders/back/"


@pytest.fixture
def payment(db):
    order = factories.reserved_order(2, price_minor=25_000)
    return payments.open(payments.start(order, "sandbox", BACK))


class BankPage:
    """The bank's page at one address: call it to post to it."""

    def __init__(self, address):
        self.address, self.client = address, Client()

    def __call__(self, **data):
        return self.client.post(self.address, data)

    def get(self):
        return self.client.get(self.address)


@pytest.fixture
def bank_page(payment):
    """Opens the bank's page and returns it."""
    page = BankPage(payment.redirect_url.removeprefix("http://localhost:8000"))
    assert page.get().status_code == 200
    return page


def order_after_asking() -> str:
    return payments.refresh(Order.objects.get()).state


def test_start_leads_to_a_page_of_the_bank_in_the_buyers_language(payment):
    charge = SandboxCharge.objects.get()

    assert payment.redirect_url == f"http://localhost:8000/sv/sandbox/{charge.public_id}/"
    assert (charge.amount_minor, charge.currency, charge.reference) == (50_000, "SEK", str(payment.public_id))


def test_start_under_the_same_key_opens_one_charge(payment):
    bank = payment_providers.get("sandbox")

    again = bank.start(payment, key=f"payment.start:{payment.public_id}", return_url=BACK)

    assert (again.reference, SandboxCharge.objects.count()) == (payment.provider_reference, 1)


def test_page_says_that_no_money_moves_and_offers_every_card(bank_page):
    page = bank_page.get().content.decode()

    assert all(card.number in page for card in sandbox.CARDS)
    assert "style=" not in page.split("<main")[1]


def test_the_card_that_pays_pays(bank_page, promises_kept):
    response = bank_page(card="pays", action="pay")

    assert (response.status_code, response["Location"]) == (302, BACK)
    assert order_after_asking() == "paid"


def test_the_declined_card_leaves_the_hold(bank_page, promises_kept):
    assert bank_page(card="declined", action="pay")["Location"] == BACK

    assert order_after_asking() == "reserved"
    assert Payment.objects.get().reason == "payment_declined"


@pytest.mark.parametrize(
    ("answer", "state"), [("approve", "paid"), ("refuse", "reserved")], ids=["approved", "refused"]
)
def test_the_card_that_asks_waits_for_the_answer(bank_page, answer, state, promises_kept):
    bank_page(card="confirm", action="pay")
    confirmation = bank_page.get()

    assert b'value="approve"' in confirmation.content
    assert order_after_asking() == "reserved"
    assert bank_page(action=answer)["Location"] == BACK
    with clock_moved(timedelta(seconds=3)):
        assert order_after_asking() == state


def test_the_slow_card_is_processing_until_the_bank_is_done(bank_page, promises_kept):
    bank_page(card="slow", action="pay")

    assert order_after_asking() == "reserved"
    assert Payment.objects.get().state == "processing"
    assert Effect.objects.get(kind=sandbox.DELIVER).due_at > SandboxCharge.objects.get().changed_at
    with clock_moved(timedelta(seconds=sandbox.SLOW_SECONDS + 1)):
        assert order_after_asking() == "paid"


def test_the_silent_card_is_unknown_and_found_out_by_asking(bank_page, promises_kept):
    bank_page(card="silent", action="pay")

    assert order_after_asking() == "reserved"
    assert Payment.objects.get().state == "unknown"
    assert not Effect.objects.filter(kind=sandbox.DELIVER).exists()
    with clock_moved(timedelta(seconds=sandbox.SLOW_SECONDS + 1)):
        assert order_after_asking() == "paid"


def test_going_back_cancels_the_payment_and_keeps_the_hold(bank_page):
    assert bank_page(action="leave")["Location"] == BACK

    assert order_after_asking() == "reserved"
    assert Payment.objects.get().state == "cancelled"


@pytest.mark.parametrize("data", [{}, {"action": "pay"}, {"action": "pay", "card": "gold"}], ids=str)
def test_no_card_is_said_beside_the_cards(bank_page, data):
    response = bank_page(**data)

    assert response.status_code == 400
    assert b'role="alert"' in response.content
    assert SandboxCharge.objects.get().status == "requires_card"


@pytest.mark.parametrize(
    "data", [{"action": "approve"}, {"card": "pays", "action": "pay"}, {"action": "leave"}], ids=str
)
def test_a_charge_that_is_over_leads_back_and_stays_as_it_is(bank_page, data):
    bank_page(card="declined", action="pay")

    assert bank_page(**data)["Location"] == BACK
    assert bank_page.get()["Location"] == BACK
    assert SandboxCharge.objects.get().status == "declined"


def test_an_unknown_charge_is_not_found(db):
    assert Client().get(reverse("ticketing:sandbox_pay", args=[uuid.uuid4()])).status_code == 404


def test_cancel_closes_an_open_charge_and_tells_the_truth_about_a_paid_one(payment, bank_page):
    bank = payment_providers.get("sandbox")
    bank_page(card="pays", action="pay")

    assert bank.cancel(payment, key="one").state == "captured"

    SandboxCharge.objects.update(status="requires_card")
    assert bank.cancel(payment, key="one").state == "cancelled"


def test_silence_is_an_unknown_outcome(payment, bank_page):
    bank_page(card="silent", action="pay")

    with pytest.raises(UnknownOutcome):
        payment_providers.get("sandbox").fetch(payment)


@pytest.mark.django_db(transaction=True)
def test_the_notice_reaches_the_inbox_over_http_and_pays_the_order(live_server, settings):
    settings.INTERNAL_URL = live_server.url
    order = factories.reserved_order(2)
    payments.open(payments.start(order, "sandbox", BACK))

    sandbox.give_card(SandboxCharge.objects.get().public_id, "pays")
    outbox.run_all(kinds=[sandbox.DELIVER, "provider.notice"])

    order.refresh_from_db()
    assert (order.state, Ticket.objects.count()) == ("paid", 2)
    assert set(Effect.objects.exclude(kind__in=["mail.send", "document.make"]).values_list("state", flat=True)) == {
        "done"
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("card", "state"), [("pays", "done"), ("refund_fails", "failed")])
def test_a_refund_is_told_over_http(live_server, settings, card, state, caplog):
    settings.INTERNAL_URL = live_server.url
    order = factories.reserved_order(2)
    payment = payments.open(payments.start(order, "sandbox", BACK))
    sandbox.give_card(SandboxCharge.objects.get().public_id, card)
    payments.fetch(payment.pk)
    refunds.order_refund(order, order.lines.all(), reason="cancelled_by_organiser")

    outbox.run_all(kinds=[refunds.SEND])
    assert Refund.objects.get().state == "pending"
    outbox.run_all(kinds=[sandbox.DELIVER, "provider.notice"])

    assert Refund.objects.get().state == state
    assert (SandboxRefund.objects.count(), SandboxCharge.objects.get().refunded_minor) == (
        1,
        50_000 if state == "done" else 0,
    )


@pytest.mark.django_db(transaction=True)
def test_a_notice_that_cannot_be_delivered_is_tried_again(settings):
    settings.INTERNAL_URL = "http://127.0.0.1:9"
    payments.open(payments.start(factories.reserved_order(), "sandbox", BACK))
    sandbox.give_card(SandboxCharge.objects.get().public_id, "pays")

    outbox.run_all(kinds=[sandbox.DELIVER])

    effect = Effect.objects.get(kind=sandbox.DELIVER)
    assert (effect.state, effect.tries) == ("due", 1)


def test_a_refund_under_the_same_key_moves_money_once(payment, bank_page):
    bank_page(card="pays", action="pay")
    payments.fetch(payment.pk)
    refund = refunds.order_refund(payment.order, payment.order.lines.all()[:1], reason="refused")
    bank = payment_providers.get("sandbox")

    answers = {bank.refund(refund, key="same").reference for _ in range(3)}

    assert len(answers) == 1
    assert SandboxCharge.objects.get().refunded_minor == 25_000


def test_what_is_disputed_does_not_lie_ready_to_be_sent_back(payment, bank_page):
    client_pays = sandbox.give_card(payment.provider_reference, "pays")
    bank, organisation = sandbox.Sandbox(), payment.order.organisation
    assert bank.balance(organisation, "SEK") == payment.amount_minor

    left = []
    for state in ("opened", "lost"):
        sandbox.dispute(client_pays.public_id, state)
        left.append(bank.balance(organisation, "SEK"))
    SandboxCharge.objects.update(dispute="won")

    assert (left, bank.balance(organisation, "SEK")) == ([0, 0], payment.amount_minor)


def test_it_refuses_to_start_in_production(settings):
    settings.IS_PRODUCTION = True

    with pytest.raises(ImproperlyConfigured):
        sandbox.enable()
    assert not payment_providers.get("sandbox").is_available("SEK")


def test_its_page_is_gone_in_production(payment, settings):
    settings.IS_PRODUCTION = True

    assert Client().get(payment.redirect_url.removeprefix("http://localhost:8000")).status_code == 404


def test_it_needs_a_secret(settings):
    assert sandbox.check_secret(None) == []

    settings.SANDBOX_SECRET = "short"

    assert [message.id for message in sandbox.check_secret(None)] == ["ticketing.E001"]


def test_it_is_left_out_where_nobody_asked_for_it(settings):
    settings.PAYMENT_PROVIDERS_ENABLED = []

    sandbox.enable()  # would raise AlreadyRegistered if it registered

    assert not payment_providers.get("sandbox").is_available("SEK")
