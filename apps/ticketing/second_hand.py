"""Tickets that people who have them sell, as pages and the door tell of them: asked of whoever sells them."""

from __future__ import annotations

from collections.abc import Mapping

from apps.events import wording
from apps.events.models import Event
from apps.ticketing.extensions import SellsAgain, fulfilments, markets
from apps.ticketing.models import Order
from apps.ticketing.states import TicketState


def url(event: Event) -> str:
    """The page of what is for sale second hand to this event; empty where there is no market."""
    return next((market.url(event) for market in markets), "")


def url_if_any(event: Event) -> str:
    """That page where something is for sale there now, else empty."""
    return next((market.url(event) for market in markets if market.has_any(event)), "")


def told_times(states: Mapping[int, str]) -> dict[int, str]:
    """{ticket id: until when somebody may pay for it, "14.32" in the event's zone} of those that are being bought, of
    {ticket id: state}. No query where none is, else one for each fulfilment that sells tickets again."""
    held = [pk for pk, state in states.items() if state == TicketState.HELD]
    orders: dict[int, Order] = {}
    for fulfilment in fulfilments if held else ():
        if isinstance(fulfilment, SellsAgain):
            orders.update(fulfilment.buyers_of(held))
    return {
        pk: wording.write_clock_time(order.reserved_until, order.event.zone)
        for pk, order in orders.items()
        if order.reserved_until is not None
    }
