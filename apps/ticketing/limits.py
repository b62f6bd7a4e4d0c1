"""How often one person may send an order to one event: counted by account, else by e-mail address and browser, never by
where it comes from. A whole campus behind one address is a thousand people. And never by e-mail address alone: anybody
can type anybody's, and would lock its owner out of an opening (decision 0005).

Counted in Redis, in one round trip and no query. While Redis is away nobody is refused (the cache logs it).
"""

from __future__ import annotations

import hashlib
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest

from apps.events.models import Event

ORDERS = 20
WITHIN_SECONDS = 300


def seconds_to_wait(event: Event, buyer_key: str, *, browser: str = "") -> int:
    """Count one more order sent by this person, a guest from this browser; 0 while they may, else in how many seconds
    they may again."""
    counter: Any = cache  # the house's own: config.cache
    count, left = counter.tally(f"orders:{event.pk}:{buyer_key}:{browser}", WITHIN_SECONDS)
    return max(left, 1) if count > ORDERS else 0


def browser_of(request: HttpRequest) -> str:
    """What tells this browser from others: the secret that it must send with every form, hashed."""
    return hashlib.sha256(request.COOKIES.get(settings.CSRF_COOKIE_NAME, "").encode()).hexdigest()[:16]
