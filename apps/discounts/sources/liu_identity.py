"""Under what LiU's registries know a person who has signed in with LiU."""

from __future__ import annotations

from dataclasses import dataclass

from apps.discounts.extensions import Person
from apps.discounts.sources.claims import LIU


@dataclass(frozen=True)
class LiuIdentity:
    """`lin` (norEduPersonLIN) stays a person's for good, their LiU ID may change; either may be empty."""

    lin: str
    liu_id: str


def identity_of(person: Person) -> LiuIdentity | None:
    """Who they are at LiU, as their LiU login proved; None without one."""
    told = person.claims.get(LIU, {})
    lin, liu_id = str(told.get("norEduPersonLIN") or ""), str(told.get("liu_id") or "")
    return LiuIdentity(lin, liu_id.lower()) if lin or liu_id else None
