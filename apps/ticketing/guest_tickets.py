"""Guest tickets and the tickets that bring them: whoever parts with a host keeps no guest without one.

Asked wherever a ticket leaves its owner: given back (refunds), given away (giving), sold again (resale). Guests that go
the same way need no host: those offered to the same person, or for sale as well. Their host goes first, since nobody
gets a guest ticket without one; what becomes of no such offer stays its owner's, who may give it back. Buying is
decided by the queue (allocation), by the same count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from apps.ticketing import catalogue, reservations
from apps.ticketing.catalogue import GuestRule
from apps.ticketing.holders import owner_of
from apps.ticketing.models import OrderLine, Ticket, TicketType


@dataclass(frozen=True)
class Owners:
    """What some people own at an event, and the rules of those guest tickets whose hosts they may part with. A host
    that is being bought from its owner counts as theirs, and as none that brings guests."""

    rules: Sequence[GuestRule]
    owned: Mapping[str, Mapping[int, int]]  # {owner key: {ticket type id: number}}
    paid: Mapping[str, Mapping[int, int]]

    def lack_hosts(self, owner_key: str, going: Mapping[int, int]) -> bool:
        """Whether one of them without `going`, {ticket type id: number}, would own more guest tickets than the paid
        tickets that are left to them allow. Of hosts only those in `going` matter, be their number 0."""
        owned, paid = self.owned.get(owner_key, {}), self.paid.get(owner_key, {})
        return any(
            owned.get(rule.type_id, 0) - going.get(rule.type_id, 0)
            > rule.per_ticket * max(0, paid.get(rule.host_id, 0) - going.get(rule.host_id, 0))
            for rule in self.rules
            if rule.host_id in going
        )


def owners(event_id: int, owner_keys: Iterable[str], *, hosts: Iterable[int]) -> Owners:
    """What these people own over all orders, to say of each whether they may part with tickets of the types `hosts`.
    What they gave away is its holder's, and what they were given counts as bought. One query for any number of them,
    none where no such type brings guests."""
    types, keys = set(hosts), {key for key in owner_keys if key}
    rules = [rule for rule in catalogue.load(event_id).guest_rules if rule.host_id in types]
    owned, paid = reservations.owned_and_paid(event_id, keys) if rules and keys else ({}, {})
    return Owners(rules if keys else [], owned, paid)


def are_left_alone(event_id: int, owner_key: str, lines: Sequence[OrderLine]) -> bool:
    """Whether one person without these lines would own more guest tickets than their paid tickets allow. At most one
    query."""
    going = Counter(line.ticket_type_id for line in lines)
    return owners(event_id, {owner_key}, hosts=going).lack_hosts(owner_key, going)


def need(ticket: Ticket, going: Iterable[OrderLine]) -> bool:
    """Whether guest tickets of its owner need this ticket. `going` are lines of others of theirs that leave them as
    well. At most one query, with line and order fetched along."""
    lines = {line.pk: line for line in (ticket.line, *going)}
    return are_left_alone(ticket.event_id, owner_of(ticket.line), list(lines.values()))


def own_lines(ticket: Ticket) -> QuerySet[OrderLine]:
    """The lines of all tickets that its owner has at the event."""
    key = owner_of(ticket.line)
    own = Q(owner_key=key) | Q(owner_key="", order__buyer_key=key)
    return OrderLine.objects.filter(own, order__event=ticket.event_id, is_held=True)


def got_since(ticket: Ticket, at: datetime) -> bool:
    """Whether its owner has got guest tickets that need a ticket such as this since `at`. One query."""
    guests = own_lines(ticket).filter(ticket_type__guests_of=ticket.ticket_type_id)
    return guests.filter(order__decided_at__gte=at).exists()


def hosts() -> QuerySet[TicketType, int | None]:
    """The ids of the ticket types that bring guests, of all events."""
    return TicketType.objects.filter(guests_of__isnull=False).values_list("guests_of", flat=True)


def brings_guests(ticket: Ticket) -> bool:
    """Whether tickets of this kind bring guests."""
    return any(rule.host_id == ticket.ticket_type_id for rule in catalogue.load(ticket.event_id).guest_rules)
