"""Whether somebody looks at an order's page just now, so that nobody is mailed what they are reading.

Kept in the cache alone: when it is lost, somebody gets a mail too many.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.core.cache import cache

from apps.ticketing.models import Order

SECONDS = 120


def _key(order: Order) -> str:
    return f"seen:{order.public_id}:{order.state}"


def note(order: Order, at: datetime) -> bool:
    """The buyer's page has shown the order in its present state at the database's moment `at`. Whether that is for the
    first time within two minutes, which is one question; else it is two."""
    is_first = cache.add(_key(order), at.timestamp(), SECONDS)
    if not is_first:
        cache.set(_key(order), at.timestamp(), SECONDS)
    return is_first


def has_seen(order: Order) -> bool:
    """Whether the present state was shown to the buyer within the last two minutes."""
    return cache.get(_key(order)) is not None


def seen_among(orders: Iterable[Order]) -> set[int]:
    """The keys of those among `orders` whose present state was shown within the last two minutes. One question."""
    keys = {_key(order): order.pk for order in orders}
    return {keys[key] for key in cache.get_many(keys)}


def seen_since(order: Order, moment: datetime) -> bool:
    """Whether it was shown after `moment`, and that within the last two minutes."""
    shown = cache.get(_key(order))
    return shown is not None and shown >= moment.timestamp()
