"""Time travel: the moment at which, and the person as whom, an editor looks at an event page in its preview.

Both stand in Wagtail's preview mode, as a query: `at=2026-12-12T18:00&as=member`. `at` is the wall clock at the event's
place. Who the persons are is for whoever sells to say; here it is only a word that is passed on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from urllib.parse import urlencode

from django.http import QueryDict

YEARS = range(1990, 2200)


@dataclass(frozen=True)
class Travel:
    """`at` is None for now; `given` is what was written for it, and `person` empty for a guest."""

    at: datetime | None = None
    given: str = ""
    person: str = ""

    @property
    def is_unreadable(self) -> bool:
        return bool(self.given) and self.at is None

    @property
    def query(self) -> str:
        """As `read` reads it."""
        return urlencode({"at": self.given, "as": self.person})


def read(query: QueryDict, zone: tzinfo) -> Travel:
    """The travel that a query asks for; now, as a guest, where it says nothing that can be read."""
    given, person = query.get("at", "")[:40], query.get("as", "")[:60]
    try:
        at = datetime.fromisoformat(given).replace(tzinfo=zone)
    except ValueError:
        at = None
    return Travel(at if at is not None and at.year in YEARS else None, given, person)
