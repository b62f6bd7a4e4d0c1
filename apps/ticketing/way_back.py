"""Where money that is sent back goes, in words for whoever paid it.

Only they are told, and the treasurer who sends it back: the words may name their card.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from apps.ticketing.models import WAY_UNSAID, Order, Payment
from apps.ticketing.states import PaymentState


@dataclass(frozen=True)
class WayBack:
    """`words` stand within a sentence: "to Visa ···· 4242", "by Swish", "the way it was paid". `is_by_hand`: all of it
    is paid out by a treasurer."""

    words: str
    is_by_hand: bool = False


def of_order(order: Order) -> WayBack:
    """The way of what was paid for the order's tickets. One query."""
    return _of(_bought(Q(order=order)))


def of_order_and_changes(order: Order) -> WayBack:
    """The way of that, and of what its buyer paid more for other choices. One query."""
    of_change = Q(order__lines__choice_change__of_line__order=order, order__lines__choice_change__gift=None)
    return _of(_bought(Q(order=order) | of_change).distinct())


def _bought(whose: Q) -> QuerySet[Payment]:
    return Payment.objects.filter(whose, state=PaymentState.CAPTURED, reason="")


def _of(payments: Iterable[Payment]) -> WayBack:
    ways = {WayBack(payment.way_back, payment.is_by_hand) for payment in payments}
    return ways.pop() if len(ways) == 1 else WayBack(str(WAY_UNSAID))
