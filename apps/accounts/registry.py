"""A registry is a question one app asks of others: "who has an opinion on this price?".

Every extension point of Foyer is one `Registry`. Whoever answers registers an object with a `slug` when its app is
ready; whoever asks iterates. Answers are given inside the caller's transaction, and an error is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar


class HasSlug(Protocol):
    """Whatever can be registered: `slug` names it, once in each registry."""

    @property
    def slug(self) -> str: ...


T = TypeVar("T", bound=HasSlug)

_registries: list[Registry[Any]] = []


class AlreadyRegistered(Exception):
    """Two parts claim the same slug in one registry; the second is refused at start."""


class Registry(Generic[T]):
    """Named answers in the order in which they were registered. `name` is how docs/extending.md calls the point."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._entries: dict[str, T] = {}
        _registries.append(self)

    def register(self, entry: T) -> T:
        """Add `entry` under its slug. Raises AlreadyRegistered when the slug is taken."""
        if entry.slug in self._entries:
            raise AlreadyRegistered(f"{self.name} already has an entry called “{entry.slug}”.")
        self._entries[entry.slug] = entry
        return entry

    @contextmanager
    def temporarily(self, entry: T) -> Iterator[T]:
        """Register `entry` for the length of a with-block; made for tests."""
        self.register(entry)
        try:
            yield entry
        finally:
            del self._entries[entry.slug]

    def get(self, slug: str) -> T:
        """The entry called `slug`; KeyError when nobody registered it (its plugin may be gone)."""
        return self._entries[slug]

    def __contains__(self, slug: str) -> bool:
        return slug in self._entries

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)


def entries() -> dict[str, list[str]]:
    """{name of a registry: slugs in it}, of all registries that are in use by now."""
    return {registry.name: [entry.slug for entry in registry] for registry in _registries}
