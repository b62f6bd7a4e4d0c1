"""Taking over a ticket that is for sale: an ordinary order that goes the ordinary way, and is decided in its turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.resale import choices
from apps.resale.fulfilment import Resale
from apps.resale.models import Listing
from apps.ticketing import ordering
from apps.ticketing.models import Order
from apps.ticketing.models.orders import RESALE


def buy(
    listings: Sequence[Listing],
    *,
    email: str,
    user: Any = None,
    idempotency_key: str,
    locale: str = "sv",
    tokens: Sequence[str] = (),
    seen: Mapping[int, int] | None = None,
) -> Order:
    """Order these listings, all or none, of one event. Raises ordering.Refused. Next: queue.drain holds them for this
    buyer, or rejects the order at once.

    `seen` is what the buyer was shown of them, {listing id: minor units}: a higher price at the checkout is told.
    """
    chosen = choices.going_along([listing.ticket.line_id for listing in listings])
    wanted = [
        ordering.WantedTicket(
            ticket_type_id=listing.ticket.ticket_type_id,
            choices=tuple(chosen.get(listing.ticket.line_id, {}).items()),
            fulfilment=Resale.slug,
            subject=str(listing.public_id),
            seen_minor=(seen or {}).get(listing.pk),
        )
        for listing in listings
    ]
    return ordering.place(
        event=listings[0].event,
        tickets=wanted,
        email=email,
        user=user,
        idempotency_key=idempotency_key,
        fewer_is_fine=False,
        locale=locale,
        tokens=tokens,
        channel=RESALE,
    )
