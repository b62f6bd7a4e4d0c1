"""What may be a moment old, kept in this process: thousands look in the same second, and one of them asks the database.

For showing alone. Whoever decides reads under lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
MOST_KEPT = 200


class Kept(Generic[Key, Value]):
    """What `read` says of a key, asked again after so many seconds, or when `edition` says that something changed."""

    def __init__(self, read: Callable[[Key], Value], *, seconds: float, edition: Callable[[], int] = lambda: 0) -> None:
        self._read = read
        self.seconds = seconds
        self._edition = edition
        self._kept: dict[Key, tuple[float, int, Value]] = {}

    def __call__(self, key: Key) -> Value:
        """What is kept of the key, else what is read now. Raises what `read` raises, and then keeps nothing."""
        kept = self._kept.get(key)
        edition = self._edition()
        if kept is not None and time.monotonic() < kept[0] and kept[1] == edition:
            return kept[2]
        value = self._read(key)
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[key] = (time.monotonic() + self.seconds, edition, value)
        return value

    def forget(self) -> None:
        """Read everything anew."""
        self._kept.clear()
