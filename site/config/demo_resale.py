"""What the demo shows of resale: an event's fee, and tickets of people who cannot go."""

from __future__ import annotations

from apps.events.models import Event
from apps.resale import listings
from apps.resale.models import Listing, ResaleRule
from apps.ticketing.models import Ticket
from apps.ticketing.states import TicketState

FEE_MINOR = 1_000
# Of each hundred of the price, what sellers ask: one the whole, the next a little less.
ASKED_PERCENT = (100, 80, 90)


def put_up(event: Event) -> None:
    """A few tickets of `event` for sale, once. An event whose resale is over stays as it is."""
    rule, _created = ResaleRule.objects.get_or_create(event=event, defaults={"fee_minor": FEE_MINOR})
    if Listing.objects.filter(event=event).exists():
        return
    tickets = Ticket.objects.filter(event=event, state=TicketState.VALID, owner__isnull=True)
    told = tickets.select_related("event", "line__order", "ticket_type").order_by("-pk")
    for ticket, percent in zip(told, ASKED_PERCENT, strict=False):
        asked = ticket.line.kept_minor * percent // 10_000 * 100
        try:
            agreed = listings.terms(ticket, rule, asked)
            listings.put_up(ticket, asked_minor=asked, agreed_payout_minor=agreed.payout_minor)
        except listings.CannotSell:
            return
