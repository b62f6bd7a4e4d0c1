"""Hosts for sale that their sellers need: whoever sells a ticket that brings guests has their guest tickets for sale as
well, or none that needs it. Asked by the queue, when a payment has come, and by the sweep.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from django.db.models import Q, QuerySet

from apps.resale.models import Listing
from apps.resale.states import ON_OFFER
from apps.ticketing import guest_tickets, holders
from apps.ticketing.states import TicketState


@dataclass(frozen=True)
class Sellers:
    """What the sellers of some listings own, and which guest tickets of theirs are for sale."""

    owners: guest_tickets.Owners
    guests_for_sale: Mapping[str, Mapping[int, int]]  # {owner key: {ticket type id: number}}

    def need(self, listing: Listing, going: Iterable[Listing] = ()) -> bool:
        """Whether guest tickets of its seller need this ticket. `going` may be sold besides."""
        key = holders.owner_of(listing.ticket.line)
        gone = Counter(self.guests_for_sale.get(key, {}))
        guests = {rule.type_id for rule in self.owners.rules}
        for one in {listing.pk: listing, **{other.pk: other for other in going}}.values():
            if holders.owner_of(one.ticket.line) == key and one.ticket.ticket_type_id not in guests:
                # one that is being bought brings its seller no guests already
                gone[one.ticket.ticket_type_id] += 0 if one.ticket.state == TicketState.HELD else 1
        return self.owners.lack_hosts(key, gone)


def sellers_of(listings: Collection[Listing]) -> Sellers:
    """Of listings of one event, with ticket, line and order fetched along. At most two queries for any number."""
    event_id = next((listing.event_id for listing in listings), 0)
    keys = {holders.owner_of(listing.ticket.line) for listing in listings}
    hosts = {listing.ticket.ticket_type_id for listing in listings}
    owners = guest_tickets.owners(event_id, keys, hosts=hosts) if listings else guest_tickets.Owners([], {}, {})
    for_sale: dict[str, Counter[int]] = defaultdict(Counter)
    if owners.rules:
        own = Q(ticket__line__owner_key__in=keys) | Q(
            ticket__line__owner_key="", ticket__line__order__buyer_key__in=keys
        )
        guests = Q(ticket__ticket_type__in={rule.type_id for rule in owners.rules})
        rows = Listing.objects.filter(own, guests, event=event_id, state__in=ON_OFFER)
        for row in rows.select_related("ticket__line__order"):
            for_sale[holders.owner_of(row.ticket.line)][row.ticket.ticket_type_id] += 1
    return Sellers(owners, for_sale)


def needed(listings: QuerySet[Listing]) -> QuerySet[Listing]:
    """Those of them whose sellers need the tickets by now."""
    hosts = listings.filter(ticket__ticket_type__in=guest_tickets.hosts())
    rows = hosts.select_related("ticket__line__order").order_by("event_id", "pk")
    found: list[int] = []
    for _event_id, group in groupby(rows, key=lambda listing: listing.event_id):
        of_event = list(group)
        sellers = sellers_of(of_event)
        found += [listing.pk for listing in of_event if sellers.need(listing)]
    return listings.filter(pk__in=found)
