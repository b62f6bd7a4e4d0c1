"""Orders that cost their buyer nothing: settled by the click, without a payment."""

from __future__ import annotations

from datetime import datetime

from apps.ticketing import ledger
from apps.ticketing.models import Order
from apps.ticketing.payments import settle


def settle_free(order: Order, at: datetime) -> None:
    """Make a reserved order over nothing paid. Inside a transaction that has locked the order."""
    settle.pay(order, at)
    ledger.given_away(order)
