"""Money that comes when the hold is over: a place if one is free, else back by itself at once, and the buyer told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils.translation import override

from apps.ticketing import clock, ledger, outbox, payments, queue, reasons, refunds, reservations
from apps.ticketing.extensions import payment_providers
from apps.ticketing.models import Effect, Order, Payment, Refund, SandboxCharge, Ticket
from apps.ticketing.payments import sandbox, settle
from tests import factories
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db

HOLD = timedelta(minutes=15)
LATE = [timedelta(seconds=1), timedelta(minutes=10), timedelta(days=1), timedelta(days=3)]
late = pytest.mark.parametrize("after", LATE, ids=["a second", "ten minutes", "a day", "three days"])


@pytest.fixture(autouse=True)
def promises(promises_kept: None) -> None:
    """Every test here ends with all promises kept."""


def paid_too_late(order: Order) -> Payment:
    """The buyer has given their card at the bank, but its word does not reach us before the hold is over."""
    payment = payments.open(payments.start(order, "sandbox", "https://foyer.example/back/"))
    sandbox.give_card(payment.provider_reference, "pays")
    settle.give_up(order, payment)
    return payment


def expire(order: Order) -> None:
    reservations.expire_overdue(clock.now())
    order.refresh_from_db()
    assert order.state == "expired"


def hear(payment: Payment) -> None:
    """The notice arrives."""
    settle.settle(payment_providers.get("sandbox").fetch(payment), provider="sandbox")


@late
def test_late_money_takes_a_free_place_before_those_who_wait(after: timedelta) -> None:
    order = factories.reserved_order(2, size=3)
    payment = paid_too_late(order)
    waiting = factories.order(
        order.event, factories.wanted(order.lines.first().ticket_type, 3), fewer_is_fine=False, email="b@example.org"
    )
    queue.drain(order.event_id)

    with clock_moved(HOLD + after):
        expire(order)
        hear(payment)
        queue.drain(order.event_id)

    order.refresh_from_db()
    waiting.refresh_from_db()
    assert (order.state, waiting.state) == ("paid", "waiting")
    assert list(Ticket.objects.filter(line__order=order).values_list("state", flat=True)) == ["valid", "valid"]
    assert (Refund.objects.count(), ledger.balance("clearing", order=order)) == (0, order.total_minor)


@late
@pytest.mark.parametrize("language", ["sv", "en"])
def test_late_money_goes_back_by_itself_at_once_when_it_is_full(
    after: timedelta, language: str, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    order = factories.reserved_order(2, size=2, price_minor=25_000)
    Order.objects.filter(pk=order.pk).update(locale=language)
    payment = paid_too_late(order)

    with clock_moved(HOLD + after):
        expire(order)
        taken = factories.order(order.event, factories.wanted(order.lines.first().ticket_type, 2))
        queue.drain(order.event_id)
        hear(payment)
        refund = Refund.objects.get()
        sends = Effect.objects.get(kind=refunds.SEND)
        assert sends.due_at - refund.created_at < timedelta(seconds=1)
        outbox.run_all(kinds=[refunds.SEND, "mail.send"])
        refund.refresh_from_db()

    order.refresh_from_db()
    taken.refresh_from_db()
    assert (order.state, taken.state) == ("expired", "reserved")
    assert (refund.amount_minor, refund.reason, refund.state) == (50_000, reasons.LATE_PAYMENT, "pending")
    assert SandboxCharge.objects.get(public_id=payment.provider_reference).refunded_minor == 50_000
    told = [message for message in mail.outbox if message.to == [order.email]]
    with override(language):
        assert any(reasons.sentence(reasons.LATE_PAYMENT) in " ".join(str(one.body).split()) for one in told)


def test_late_money_for_an_event_that_is_over_goes_back() -> None:
    """Places are free, but of what use would they be."""
    order = factories.reserved_order(1)
    payment = paid_too_late(order)

    with clock_moved(HOLD + timedelta(seconds=1)):
        expire(order)
    with clock_moved(timedelta(days=40)):
        hear(payment)

    order.refresh_from_db()
    assert (order.state, Refund.objects.get().amount_minor) == ("expired", order.total_minor)


def test_of_two_late_payments_for_the_last_places_one_is_placed_and_one_goes_back() -> None:
    first = factories.reserved_order(2, size=2)
    one = paid_too_late(first)
    with clock_moved(HOLD + timedelta(seconds=1)):
        expire(first)
        second = factories.order(first.event, factories.wanted(first.lines.first().ticket_type, 2))
        queue.drain(first.event_id)
        second.refresh_from_db()
        two = paid_too_late(second)
    with clock_moved(2 * HOLD + timedelta(seconds=2)):
        expire(second)
        hear(two)
        hear(one)
        hear(two)

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == ("expired", "paid")
    assert list(Refund.objects.values_list("payment", "reason")) == [(one.pk, reasons.LATE_PAYMENT)]
