"""What the demo shows of tickets given away: one that is offered to the demo's buyer and waits for their answer."""

from __future__ import annotations

from apps.events.models import Event
from apps.ticketing import giving
from apps.ticketing.models import Gift, Ticket

RECIPIENT = ("Kim Karlsson", "buyer@example.org")
NOTE = "Jag hinner inte. Gå du i stället!"


def offer(event: Event) -> None:
    """A stranger's ticket to `event`, offered once to the buyer: it stands on their My pages and in their mail."""
    name, email = RECIPIENT
    if Gift.objects.filter(ticket__event=event).exists():
        return
    ticket = Ticket.objects.filter(event=event, state="valid").exclude(holder_email=email).order_by("pk").first()
    if ticket is None:
        return
    try:
        giving.give(ticket, name=name, email=email, note=NOTE)
    except giving.CannotGive:
        return  # its time is over, or its event is cancelled: the demo was left alone for long
