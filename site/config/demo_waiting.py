"""What the demo shows of a waiting list: a balcony that is sold out, whose one seat is offered to the demo's buyer."""

from __future__ import annotations

from apps.accounts.models import User
from apps.events.models import Event
from apps.resale import listings, rules, waiting
from apps.resale.models import WaitingEntry
from apps.ticketing import catalogue, ordering
from apps.ticketing.models import Quota, Ticket, TicketType
from config import demo_orders

BUYER, OTHER, SELLER = "buyer@example.org", "doris@example.org", "edvin@example.org"
PRICE_MINOR = 18_000


def make(event: Event) -> None:
    """A seat of `event`, sold, and two who wait for it, once. An event that is over or cancelled stays as it is."""
    buyer = User.objects.filter(email=BUYER).first()
    if buyer is None or event.cancelled_at is not None or WaitingEntry.objects.filter(event=event).exists():
        return
    kind = _balcony(event)
    try:
        demo_orders.buy(event, kind, "Edvin Ek", SELLER)
        for email, user in ((BUYER, buyer), (OTHER, None)):
            entry = waiting.join(event, email=email, user=user, type_ids=[kind.pk], quantity=1)
            waiting.confirm(entry)
        ticket = Ticket.objects.select_related("event", "line__order", "ticket_type").get(ticket_type=kind)
        agreed = listings.terms(ticket, rules.of(event), ticket.line.kept_minor)
        listings.put_up(ticket, asked_minor=agreed.asked_minor, agreed_payout_minor=agreed.payout_minor)
    except (ordering.Refused, listings.CannotSell, Ticket.DoesNotExist):
        return  # the demo was left alone for long


def _balcony(event: Event) -> TicketType:
    quota, _made = Quota.objects.get_or_create(event=event, name="Balkong", defaults={"size": 1})
    kind, made = TicketType.objects.get_or_create(
        event=event,
        name_sv="Balkongen",
        defaults={"name_en": "The balcony", "price_minor": PRICE_MINOR, "position": 1},
    )
    if made:
        kind.quotas.set([quota])
        catalogue.forget()
    return kind
