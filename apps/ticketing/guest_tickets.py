"""Guest tickets and the tickets that bring them: whoever parts with a host keeps no guest without one.

Asked wherever a ticket leaves its owner: given back (refunds), given away (giving), sold again (resale). Buying is
decided by the queue (allocation), by the same count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.ticketing import catalogue, reservations
from apps.ticketing.models import OrderLine, Ticket

NEED_IT = _("Your guest tickets need this ticket. Sell or give those away first. Your ticket is as it was.")
GIVERS_NEED_IT = _("Guest tickets of its giver need this ticket by now. It is its giver's as before.")


def why_not_part(ticket: Ticket, *, going: Sequence[OrderLine] = ()) -> str | Promise:
    """Why its owner cannot part with this ticket, as a sentence; empty when they can. `going` are lines of others of
    theirs that may leave them as well. At most one query, with line and order fetched along."""
    lines = {line.pk: line for line in (ticket.line, *going)}
    return NEED_IT if are_left_alone(ticket.event_id, owner_of(ticket.line), list(lines.values())) else ""


def owner_of(line: OrderLine) -> str:
    """The key of whom the ticket of this line counts for: its buyer, or whoever was given it."""
    return line.owner_key or line.order.buyer_key


def are_left_alone(event_id: int, owner_key: str, lines: Sequence[OrderLine]) -> bool:
    """Whether one person without these lines would own more guest tickets, over all orders, than the paid tickets that
    are left to them allow. What they gave away is its holder's, and what they were given counts as bought."""
    hosts = {line.ticket_type_id for line in lines}
    rules = [rule for rule in catalogue.load(event_id).guest_rules if rule.host_id in hosts]
    if not rules or not owner_key:
        return False
    given = Counter(line.ticket_type_id for line in lines)
    owned, paid = (
        {kind: number - given[kind] for kind, number in counted.items()}
        for counted in reservations.owned_and_paid_by(event_id, owner_key)
    )
    return any(owned.get(rule.type_id, 0) > rule.per_ticket * paid.get(rule.host_id, 0) for rule in rules)


def brings_guests(ticket: Ticket) -> bool:
    """Whether tickets of this kind bring guests."""
    return any(rule.host_id == ticket.ticket_type_id for rule in catalogue.load(ticket.event_id).guest_rules)
