"""How often one person may send an order to one event: counted by account, else by e-mail address, never by where it
comes from. A whole campus behind one address is a thousand people.

Counted in Redis, in one round trip and no query. While Redis is away nobody is refused (the cache logs it).
"""

from __future__ import annotations

from typing import Any

from django.core.cache import cache

from apps.events.models import Event

ORDERS = 20
WITHIN_SECONDS = 300


def seconds_to_wait(event: Event, buyer_key: str) -> int:
    """Count one more order sent by this person; 0 while they may, else in how many seconds they may again."""
    counter: Any = cache  # the house's own: config.cache
    count, left = counter.tally(f"orders:{event.pk}:{buyer_key}", WITHIN_SECONDS)
    return max(left, 1) if count > ORDERS else 0
