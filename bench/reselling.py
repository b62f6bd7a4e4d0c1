"""What the rows about resale share: tickets that were sold, by the thousand, and put up for sale again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from apps.resale.models import Listing
    from apps.ticketing.models import TicketType

PRICE_MINOR = 25_000


def put_up(kinds: Sequence[TicketType], count: int) -> list[Listing]:
    """So many tickets of these types, in turn, each paid with an order of its own and for sale at what was paid. What
    `put_up` does for one, in bulk."""
    from apps.accounts.ids import new_secret
    from apps.resale.models import Listing
    from apps.ticketing import clock
    from apps.ticketing.models import Order, OrderLine, Payment, Quota, Ticket

    at, turns = clock.now(), [kinds[number % len(kinds)] for number in range(count)]
    orders = Order.objects.bulk_create(
        Order(
            organisation_id=kind.event.organisation_id,
            event_id=kind.event_id,
            currency="SEK",
            reference=f"S{number:07d}",
            secret=new_secret(),
            idempotency_key=f"seller-{number}",
            buyer_key=f"seller-{number}",
            email=f"seller{number}@example.org",
            name=f"Seller {number}",
            locale="sv",
            fewer_is_fine=False,
            state="paid",
            rank=number + 1,
            queued_at=at,
            decided_at=at,
            paid_at=at,
            total_minor=PRICE_MINOR,
        )
        for number, kind in enumerate(turns)
    )
    lines = OrderLine.objects.bulk_create(
        OrderLine(
            order=order,
            ticket_type=kind,
            position=0,
            is_held=True,
            list_minor=PRICE_MINOR,
            price_minor=PRICE_MINOR,
            vat_percent=kind.vat_percent,
            vat_minor=5_000,
        )
        for order, kind in zip(orders, turns, strict=True)
    )
    Payment.objects.bulk_create(
        Payment(
            order=order,
            provider="sandbox",
            provider_reference=str(uuid4()),
            amount_minor=PRICE_MINOR,
            currency="SEK",
            state="captured",
            created_at=at,
        )
        for order in orders
    )
    tickets = Ticket.objects.bulk_create(
        Ticket(
            event_id=order.event_id,
            ticket_type=kind,
            line=line,
            holder_name=order.name,
            holder_email=order.email,
            short_code=f"{number:06d}",
            issued_at=at,
        )
        for number, (order, kind, line) in enumerate(zip(orders, turns, lines, strict=True))
    )
    for kind in kinds:
        Quota.objects.filter(ticket_types=kind).update(taken=turns.count(kind))
    listings = Listing.objects.bulk_create(
        Listing(
            ticket=ticket,
            event_id=ticket.event_id,
            paid_minor=PRICE_MINOR,
            asked_minor=asked,
            fee_minor=500,
            price_minor=asked,
            currency="SEK",
            listed_at=at,
        )
        for ticket, asked in zip(tickets, (PRICE_MINOR - 100 * (n % 150) for n in range(count)), strict=True)
    )
    return list(Listing.objects.filter(pk__in=[row.pk for row in listings]).select_related("ticket", "event"))
