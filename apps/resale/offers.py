"""What a ticket that is for sale costs: somebody, and this person. The same rules as for the order that buys it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Prefetch, QuerySet

from apps.resale.fulfilment import Resale
from apps.resale.models import Listing
from apps.ticketing import clock, ordering, pricing
from apps.ticketing.context import ContextLine, PurchaseContext
from apps.ticketing.models import LineChoice, Ticket
from apps.ticketing.reservations import as_sold, with_tickets


def listed(listings: QuerySet[Listing]) -> QuerySet[Listing]:
    """With what a list tells a stranger of them: ticket, type, event and choices."""
    choices = LineChoice.objects.select_related("choice__variation").order_by("choice__variation__position", "pk")
    related = listings.select_related("ticket__ticket_type", "ticket__line", "event")
    return related.prefetch_related(Prefetch("ticket__line__choices", choices))


def told(listings: QuerySet[Listing]) -> QuerySet[Listing]:
    """With what pages tell of them, and what a person's price is made of: seller and adjustments besides."""
    related = listed(listings).select_related("ticket__line__order", "event__organisation", "event__resale_rule")
    return related.prefetch_related("ticket__line__adjustments", "ticket__listings")


def quotes(
    listings: Sequence[Listing],
    at: datetime,
    *,
    user: Any = None,
    tokens: Sequence[str] = (),
    locale: str = "sv",
    as_one: bool = False,
) -> dict[int, pricing.Quote]:
    """{listing id: its price} for this person, a stranger without one: each as if they bought nothing else, or
    `as_one` order. A constant number of queries of ours."""
    person = user if user is not None and user.is_authenticated else None
    common: dict[str, Any] = {
        "at": at,
        "user_id": getattr(person, "pk", None),
        "email": getattr(person, "email", ""),
        "buyer_key": ordering.buyer_key(person, person.email) if person else "",
        "locale": locale,
        "tokens": tuple(tokens),
        "each_alone": not as_one,
    }
    lines = [
        ContextLine(
            key=listing.pk,
            ticket_type_id=listing.ticket.ticket_type_id,
            price_minor=0,
            vat_percent=listing.ticket.line.vat_percent,
            fulfilment=Resale.slug,
            subject=str(listing.public_id),
        )
        for listing in listings
    ]
    sold = with_tickets(lines)
    contexts = [
        PurchaseContext(event_id=listing.event_id, currency=listing.currency, lines=(sold[listing.pk],), **common)
        for listing in listings
        if listing.pk in sold
    ]
    priced = pricing.quote_many(contexts, at)
    return {context.lines[0].key: quote for context, quote in zip(contexts, priced, strict=True)}


def prices(listings: Sequence[Listing], at: datetime, *, user: Any = None) -> dict[int, int]:
    """{listing id: minor units}, as `quotes`."""
    return {pk: quote.total_minor for pk, quote in quotes(listings, at, user=user).items()}


def stranger_minor(ticket: Ticket) -> int:
    """What this ticket costs, sold as it is now, to somebody without any discount of their own, in minor units."""
    line = as_sold(ticket)
    order = ticket.line.order
    context = PurchaseContext(event_id=order.event_id, currency=order.currency, at=clock.now(), lines=(line,))
    return pricing.quote(context).total_minor


def lines_of(ticket: Ticket) -> str:
    """The choices made for a ticket, in the reader's language: "alcohol-free, no dessert". What tells about its owner's
    health or belief is nobody else's business."""
    picked = []
    for pick in ticket.line.choices.all():
        if pick.choice.is_sensitive:
            continue
        name = pick.choice.name
        picked.append(f"{pick.quantity} × {name}" if pick.quantity > 1 else name)
    return ", ".join(picked)
