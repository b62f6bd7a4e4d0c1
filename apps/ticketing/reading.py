"""What the pages of an order and the settling of its payment read again and again, by prepared statements. They are the
reads of a rush; all others go through the ORM.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from apps.accounts.prepared import Rows
from apps.ticketing.models import Adjustment, Order, OrderLine, Payment, Refund, Ticket
from apps.ticketing.states import PAYMENT_LIVE

_OF_LINES = "JOIN ticketing_orderline l ON l.id = r.line_id WHERE l.order_id = $1"
_LIVE = ", ".join(f"'{state}'" for state in PAYMENT_LIVE)

# An order comes with the moment at which it was read, and whether anybody has begun to pay it: else these are three
# questions more.
_BESIDES = {
    "read_at": "foyer_now()",
    "has_payment": "EXISTS (SELECT 1 FROM ticketing_payment p WHERE p.order_id = r.id)",
}
order = Rows("order_by_id", Order, ("bigint",), "WHERE r.id = $1", also=_BESIDES)
order_by_link = Rows(
    "order_by_link", Order, ("text", "text"), "WHERE r.reference = $1 AND r.secret = $2", also=_BESIDES
)
order_locked = Rows("order_locked", Order, ("bigint",), "WHERE r.id = $1 FOR NO KEY UPDATE")

orders_of_tickets = Rows(
    "orders_of_tickets",
    Order,
    ("bigint[]",),
    "WHERE r.id IN (SELECT l.order_id FROM ticketing_ticket t JOIN ticketing_orderline l ON l.id = t.line_id"
    " WHERE t.id = ANY($1)) ORDER BY r.id",
)

# Of one order, by its key.
lines = Rows(
    "order_lines",
    OrderLine,
    ("bigint",),
    "WHERE r.order_id = $1 ORDER BY r.position",
    also={
        "chosen": "ARRAY(SELECT ARRAY[c.choice_id, c.quantity, c.delta_minor] FROM ticketing_linechoice c"
        " WHERE c.line_id = r.id ORDER BY c.id)",
        "is_adjusted": "EXISTS (SELECT 1 FROM ticketing_adjustment a WHERE a.line_id = r.id)",
    },
)
_adjustments = Rows("order_adjustments", Adjustment, ("bigint",), f"{_OF_LINES} ORDER BY r.id")
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

# What bought the order's tickets: a capture that was sent back has a reason.
bought_by = Rows(
    "payment_that_bought",
    Payment,
    ("bigint",),
    "WHERE r.order_id = $1 AND r.state = 'captured' AND r.reason = '' ORDER BY r.id",
)
payment = Rows("payment_by_id", Payment, ("bigint",), "WHERE r.id = $1")
payment_locked = Rows("payment_locked", Payment, ("bigint",), "WHERE r.id = $1 FOR NO KEY UPDATE")
payment_by_public_id = Rows(
    "payment_by_public_id", Payment, ("text", "uuid"), "WHERE r.provider = $1 AND r.public_id = $2"
)
tickets_of_lines = Rows("tickets_of_lines", Ticket, ("bigint[]",), "WHERE r.line_id = ANY($1) ORDER BY r.id")


def may_have_payment(order: Order) -> bool:
    """Whether somebody has begun to pay; of an order that was not read here, that is not known."""
    return getattr(order, "has_payment", True)


@dataclass(frozen=True)
class Pick:
    """A choice that was made for a ticket, as `LineChoice` has it."""

    choice_id: int
    quantity: int
    delta_minor: int


def picks_of(line: OrderLine) -> list[Pick]:
    """What was chosen for a line that was read here."""
    return [Pick(*numbers) for numbers in line.chosen]  # type: ignore[attr-defined]


def adjustments_of(lines: Iterable[OrderLine]) -> dict[int, list[Adjustment]]:
    """{line: its named changes of the price} of one order, with an empty list for every other line. No question
    where there is none, and the lines were read here."""
    found: dict[int, list[Adjustment]] = defaultdict(list)
    adjusted = next((line for line in lines if getattr(line, "is_adjusted", True)), None)
    for row in _adjustments.all(adjusted.order_id) if adjusted is not None else ():
        found[row.line_id].append(row)
    return found
