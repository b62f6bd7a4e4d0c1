"""Reminders for a whole batch: one effect, which asks for each mail when its moment has come.

Most of a batch have paid or are on their page by then, and nothing was written down for them. A rush would otherwise
write two effects for each order, and start a job for each, to send a handful of mails.
"""

from __future__ import annotations

from django.db import transaction

from apps.ticketing import outbox, presence
from apps.ticketing.mails import asking
from apps.ticketing.models import Effect, Order
from apps.ticketing.states import OrderState

# Who may still need it; the letter itself looks again, and more closely.
STATES = {
    "your_turn": (OrderState.RESERVED, OrderState.OFFERED),
    "hold_ends_soon": (OrderState.RESERVED,),
}


@outbox.handler(asking.ROUND)
def _go_round(effect: Effect) -> None:
    """Ask for the mails of those who have not been served otherwise. Repeating it asks for none twice."""
    name = effect.payload["name"]
    orders = list(Order.objects.filter(pk__in=effect.payload["orders"], state__in=STATES[name]))
    watching = presence.seen_among(orders)
    with transaction.atomic():
        ids = [order.pk for order in orders if order.pk not in watching]
        asking.ask_many(name, ids, asked_at=effect.payload["at"])
