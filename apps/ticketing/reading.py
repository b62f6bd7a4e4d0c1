"""What the pages of an order and the settling of its payment read again and again, by prepared statements. They are the
reads of a rush; all others go through the ORM.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

from apps.accounts.prepared import Rows
from apps.ticketing.models import Adjustment, LineChoice, Order, OrderLine, Payment, Refund, Ticket
from apps.ticketing.states import PAYMENT_LIVE

OfLine = TypeVar("OfLine", LineChoice, Adjustment)

_OF_LINES = "JOIN ticketing_orderline l ON l.id = r.line_id WHERE l.order_id = $1"
_LIVE = ", ".join(f"'{state}'" for state in PAYMENT_LIVE)

order = Rows("order_by_id", Order, ("bigint",), "WHERE r.id = $1")
order_by_link = Rows("order_by_link", Order, ("text", "text"), "WHERE r.reference = $1 AND r.secret = $2")
order_locked = Rows("order_locked", Order, ("bigint",), "WHERE r.id = $1 FOR NO KEY UPDATE")

# Of one order, by its key.
lines = Rows("order_lines", OrderLine, ("bigint",), "WHERE r.order_id = $1 ORDER BY r.position")
picks = Rows("order_picks", LineChoice, ("bigint",), f"{_OF_LINES} ORDER BY r.id")
adjustments = Rows("order_adjustments", Adjustment, ("bigint",), f"{_OF_LINES} ORDER BY r.id")
tickets = Rows("order_tickets", Ticket, ("bigint",), f"{_OF_LINES} ORDER BY l.position, r.id")
newest_payment = Rows("order_payment", Payment, ("bigint",), "WHERE r.order_id = $1 ORDER BY r.id DESC LIMIT 1")
refunds = Rows(
    "order_refunds",
    Refund,
    ("bigint",),
    "JOIN ticketing_payment p ON p.id = r.payment_id WHERE p.order_id = $1"
    " AND NOT EXISTS (SELECT 1 FROM ticketing_refund retry WHERE retry.retry_of_id = r.id) ORDER BY r.id",
)
live_payments_locked = Rows(
    "order_live_payments",
    Payment,
    ("bigint",),
    f"WHERE r.order_id = $1 AND r.state IN ({_LIVE}) ORDER BY r.id FOR NO KEY UPDATE",
)

payment = Rows("payment_by_id", Payment, ("bigint",), "WHERE r.id = $1")
payment_locked = Rows("payment_locked", Payment, ("bigint",), "WHERE r.id = $1 FOR NO KEY UPDATE")
payment_by_public_id = Rows(
    "payment_by_public_id", Payment, ("text", "uuid"), "WHERE r.provider = $1 AND r.public_id = $2"
)
tickets_of_lines = Rows("tickets_of_lines", Ticket, ("bigint[]",), "WHERE r.line_id = ANY($1) ORDER BY r.id")


def by_line(rows: Iterable[OfLine]) -> dict[int, list[OfLine]]:
    """{line: its rows in their order}, with an empty list for every other line."""
    found: dict[int, list[OfLine]] = defaultdict(list)
    for row in rows:
        found[row.line_id].append(row)
    return found
