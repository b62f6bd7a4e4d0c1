"""A circuit breaker that all processes share: a registry that is down costs a few time-outs, not one for each person.

It lives in the cache. While Redis is away it lets every call through, each with its own short time-out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.cache import cache

from apps.discounts.extensions import Silent

FAILURES = 5  # in a row, so many open it
REMEMBERED_SECONDS = 600
OPEN_SECONDS = 30
PROBE_SECONDS = 5


class Breaker:
    """Closed: calls go through. Open: none does, for half a minute. Then one at a time tries whether it is over."""

    def __init__(self, name: str) -> None:
        self._failed, self._open, self._probe = (f"breaker.{name}.{part}" for part in ("failed", "open", "probe"))

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Around one call, which raises Silent when it fails. Raises Silent at once while the breaker is open."""
        if not self._may_call():
            raise Silent("it has failed lately and is left alone for a while")
        try:
            yield
        except Silent:
            times, _left = _cache.tally(self._failed, REMEMBERED_SECONDS)
            if times >= FAILURES:
                cache.set(self._open, True, OPEN_SECONDS)
            raise
        cache.delete_many([self._failed, self._open, self._probe])

    def _may_call(self) -> bool:
        known = cache.get_many([self._open, self._failed])
        if known.get(self._open):
            return False
        return known.get(self._failed, 0) < FAILURES or bool(cache.add(self._probe, True, PROBE_SECONDS))


_cache: Any = cache  # ours, which can count
