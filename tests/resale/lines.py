"""People on a waiting list, and what is offered to them, by the real verbs."""

from __future__ import annotations

from typing import Any

from apps.events.models import Event
from apps.resale import waiting
from apps.resale.models import WaitingEntry, WaitingOffer
from apps.ticketing import clock, queue, refunds
from apps.ticketing.models import Order, TicketType
from tests import factories
from tests.resale import houses


def sold_out(size: int = 1, **values: Any) -> tuple[Event, TicketType]:
    """An event whose only type is on sale and has nothing left, and the type. Who bought it is in `Ticket`."""
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, size), **values)
    for _ in range(size):
        factories.paid_order(of=kind)
    return event, kind


def waits(event: Event, *kinds: TicketType, email: str = "", **values: Any) -> WaitingEntry:
    """Somebody with an account, on the list for these kinds: all of the event's unless said otherwise."""
    person = factories.user(**({"email": email} if email else {}))
    chosen = kinds or tuple(TicketType.objects.filter(event=event))
    wish = {"quantity": 1, **values}
    return waiting.join(event, email=person.email, user=person, type_ids=[kind.pk for kind in chosen], **wish)


def offers_to(entry: WaitingEntry) -> list[WaitingOffer]:
    rows = WaitingOffer.objects.filter(entry=entry).select_related(
        "entry__event", "entry__user", "order", "ticket_type"
    )
    return list(rows.order_by("pk"))


def offer_to(entry: WaitingEntry) -> WaitingOffer:
    """The one offer that this person was ever made."""
    (offer,) = offers_to(entry)
    return offer


def states_of(entry: WaitingEntry) -> list[str]:
    return [offer.state for offer in offers_to(entry)]


def decided(order: Order) -> Order:
    queue.drain(order.event_id)
    order.refresh_from_db()
    return order


def comes_back(order: Order) -> None:
    """The order's tickets are refunded, and the queue looks at what came back."""
    refunds.order_refund(order, list(order.lines.all()), reason="by_organiser")
    queue.drain(order.event_id)


def paid(order: Order) -> Order:
    """Decided, paid, and noticed by the list: in a test's transaction no signal is sent."""
    houses.pay(decided(order))
    waiting.sweep(clock.now())
    return order
