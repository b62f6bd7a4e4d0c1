"""What may be a moment old, kept in this process: thousands look in the same second, and one of them asks the database.

For showing alone. Whoever decides reads under lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
MOST_KEPT = 200


@dataclass(frozen=True)
class Entry(Generic[Value]):
    """A value, until when it may be given unasked, and of which edition and version it is."""

    until: float
    edition: object
    version: object
    value: Value


class Kept(Generic[Key, Value]):
    """What `read` says of a key, asked again after so many seconds, or when `edition` says that something changed.

    Where reading is dear, `version` tells by one question whether what was read still stands: then it is kept on. It is
    asked before `read`, so that a change in between is read now and once more the next time, never missed. None says
    that there is nothing to go by.
    """

    def __init__(
        self,
        read: Callable[[Key], Value],
        *,
        seconds: float,
        edition: Callable[[], object] = lambda: 0,
        version: Callable[[Key], object] = lambda key: None,
    ) -> None:
        self._read = read
        self.seconds = seconds
        self._edition = edition
        self._version = version
        self._kept: dict[Key, Entry[Value]] = {}
        self._asking: dict[Key, threading.Lock] = {}

    def __call__(self, key: Key) -> Value:
        """What is kept of the key, else what is read now: by one thread, for which the others wait. Raises what `read`
        raises, and then keeps nothing."""
        kept = self._current(key)
        if kept is not None:
            return kept.value
        with self._asking.setdefault(key, threading.Lock()):
            kept = self._current(key)
            return kept.value if kept is not None else self._renewed(key)

    def forget(self) -> None:
        """Read everything anew."""
        self._kept.clear()
        self._asking.clear()

    def _current(self, key: Key) -> Entry[Value] | None:
        kept = self._kept.get(key)
        is_current = kept is not None and time.monotonic() < kept.until and kept.edition == self._edition()
        return kept if is_current else None

    def _renewed(self, key: Key) -> Value:
        edition = self._edition()
        version = self._version(key)
        kept = self._kept.get(key)
        if kept is not None and version is not None and (kept.edition, kept.version) == (edition, version):
            value = kept.value
        else:
            value = self._read(key)
        if len(self._kept) >= MOST_KEPT:
            self.forget()
        self._kept[key] = Entry(time.monotonic() + self.seconds, edition, version, value)
        return value
