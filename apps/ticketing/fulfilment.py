"""From a paid order to what was bought: each line is delivered by its own fulfilment.

`issue`, a new ticket, is ours and stands here. Resale registers its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from apps.ticketing import reading, tickets
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.extensions import SellsAgain, fulfilments
from apps.ticketing.models import Order, OrderLine, Ticket
from apps.ticketing.models.orders import RESALE

# The slug of what changes the choices of a ticket sold before, against payment of the difference; see `changes`.
CHANGE = "change"
# The slug of what a ticket costs more whom it is given to; see `gift_payments`.
DIFFERENCE = "difference"
NO_TICKETS = (CHANGE, DIFFERENCE)  # whose lines are no ticket more


class Issue:
    """The usual fulfilment: a new ticket for every paid line. Quotas hold its place; nothing else is to be held."""

    slug = "issue"
    takes_stock = True
    once_taken = ""  # names nothing

    def refusals(self, lines: Sequence[OrderLine]) -> Mapping[int, str]:
        return {}

    def reserve(self, lines: Sequence[OrderLine]) -> None:
        """Its place is all it takes."""

    def fulfil(self, lines: Sequence[OrderLine]) -> Sequence[Ticket]:
        return tickets.issue(lines)

    def release(self, lines: Sequence[OrderLine]) -> None:
        """Nothing is held besides the place, which `reservations` gives back."""


def missing(order: Order) -> str:
    """Why what a held order names can no longer be delivered, as a code from `reasons`; empty when it can. Inside the
    transaction that settles its payment, with the order locked. No query for an ordinary order."""
    if order.channel != RESALE:
        return ""
    by_slug: dict[str, list[OrderLine]] = defaultdict(list)
    for line in reading.lines.all(order.pk):
        if line.is_held and line.refunded_at is None:
            by_slug[line.fulfilment].append(line)
    for slug, lines in sorted(by_slug.items()):
        fulfilment = fulfilments.get(slug)
        if isinstance(fulfilment, SellsAgain) and (reason := fulfilment.missing(lines)):
            return reason
    return ""


def fulfil(order: Order) -> list[Ticket]:
    """Deliver every held line of a paid order, once. Inside the transaction that pays it, with the order locked.

    Raises KeyError for a line whose plugin is gone: then the payment is settled when it is back. Next: the mail.
    """
    by_slug: dict[str, list[OrderLine]] = defaultdict(list)
    for line in reading.lines.all(order.pk):
        if line.is_held and line.refunded_at is None:
            line.order = order
            by_slug[line.fulfilment].append(line)
    delivered = [ticket for slug, lines in sorted(by_slug.items()) for ticket in fulfilments.get(slug).fulfil(lines)]
    crashpoint("fulfilment.delivered")
    return delivered
