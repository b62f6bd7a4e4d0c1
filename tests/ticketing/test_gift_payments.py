"""A ticket that costs its recipient more than was paid: they pay the difference, and each gets back their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils.translation import override

from apps.ticketing import (
    clock,
    gift_payments,
    giving,
    ledger,
    outbox,
    refunds,
)
from apps.ticketing.extensions import price_rules
from apps.ticketing.giving import MustPay
from apps.ticketing.models import Gift, GivingRule, Order, Payment, Refund, Ticket
from apps.ticketing.payments import settle
from tests import factories
from tests.ticketing.test_giving import ForMembers, bought, offer, owned

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("promises_kept")]

MORE = 5_000  # what the ticket costs Kim more than its member


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with override("en"):
        yield


@pytest.fixture(autouse=True)
def for_members() -> Iterator[None]:
    with price_rules.temporarily(ForMembers()):
        yield


def offered(**values: Any) -> Gift:
    """A member's ticket, offered to Kim, who is none, where recipients pay the difference."""
    ticket = bought(**values)
    GivingRule.objects.create(event=ticket.event, at=clock.now(), when_dearer="pay")
    return offer(ticket)


def begun(gift: Gift, agreed_minor: int = MORE, **values: Any) -> Order:
    return gift_payments.begin(gift, agreed_minor=agreed_minor, **values)


def capture(order: Order) -> Payment:
    """The money arrives; what comes of it is left to the outbox."""
    due = factories.payment(order)
    settle.settle(factories.notice(due), provider=due.provider)
    order.refresh_from_db()
    return due


def pay(order: Order) -> Payment:
    paid = capture(order)
    work()
    order.refresh_from_db()
    return paid


def work() -> None:
    outbox.run_all(kinds=[gift_payments.ACCEPT, giving.LET_GO, refunds.LATER])


def held_by(gift: Gift) -> list[tuple[str, str]]:
    """(state, holder) of every ticket of the place, the first first."""
    rows = Ticket.objects.filter(line=gift.ticket.line).order_by("pk")
    return [(ticket.state, ticket.holder_email) for ticket in rows]


def back() -> dict[str, int]:
    """{e-mail: what goes back to them}."""
    found: dict[str, int] = {}
    for refund in Refund.objects.select_related("payment__order"):
        email = refund.payment.order.email
        found[email] = found.get(email, 0) + refund.amount_minor
    return found


def test_recipient_pays_the_difference_and_has_the_ticket() -> None:
    gift = offered()
    with pytest.raises(MustPay, match="50"):
        giving.accept(gift)

    order = begun(gift, name="Kim Ekström")
    assert (order.state, order.total_minor, order.email) == ("reserved", MORE, "kim@example.org")
    assert held_by(gift) == [("valid", gift.ticket.holder_email)], "nothing is done before it is paid"
    pay(order)

    gift.refresh_from_db()
    assert held_by(gift) == [("superseded", gift.ticket.holder_email), ("valid", "kim@example.org")]
    assert (gift.state, gift.asks_proof, gift.became.holder_name) == ("accepted", False, "Kim Ekström")
    assert owned(gift.ticket, "kim@example.org") == 1
    assert back() == {}
    assert -ledger.balance("revenue", order=order) - ledger.balance("vat", order=order) == MORE
