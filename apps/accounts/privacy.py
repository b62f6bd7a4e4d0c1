"""What each stored field says about a person, why we keep it and for how long.

Every model names its personal fields in `PERSONAL` and all others in `NOT_PERSONAL`; a test fails for a field that
stands in neither. Export, erasure and the retention job read these tables, so that nothing personal is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Personal:
    """One personal field: the purpose it is kept for (GDPR art. 5.1 b) and until when (art. 5.1 e)."""

    purpose: str
    keep: str


ACCOUNT = "until the account is erased"
EVENT_DAYS = 90
EVENT = f"{EVENT_DAYS} days after the event"
ANSWERS = "7 days after the event where it is marked as sensitive, else 90 days"
DEBT = "until the money is paid"
BOOKS = "7 years after the year's end (Swedish Bookkeeping Act 7:2)"


def fields(names: str) -> frozenset[str]:
    """Field names written as one string of words."""
    return frozenset(names.split())
