"""How full the house is: what the scans of the entrance add up to."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.db.models import Count, OuterRef, Subquery

from apps.checkin.models import Scan
from apps.events.models import Event
from apps.ticketing.models import Ticket
from apps.ticketing.states import TicketState

EXPECTED = (TicketState.VALID, TicketState.HELD, TicketState.USED)
KEPT_SECONDS = 1.0
MOST_KEPT = 100


@dataclass(frozen=True)
class Crowd:
    """How many guests are inside and how many tickets there are to come."""

    inside: int
    expected: int


_kept: dict[int, tuple[Crowd, float]] = {}  # {event: its crowd, and when that was counted}


def count(event: Event) -> Crowd:
    """The fold over the scans of the entrance, and the tickets that may still come. One query, which reads them all."""
    inside = (
        Scan.objects.filter(
            checkin_list__event=OuterRef("pk"),
            checkin_list__admits=True,
            outcome=Scan.Outcome.ADMITTED,
            undone_by__isnull=True,
        )
        .order_by()
        .values("checkin_list__event")
        .values(number=Count("ticket", distinct=True))
    )
    expected = (
        Ticket.objects.filter(event=OuterRef("pk"), state__in=EXPECTED)
        .order_by()
        .values("event")
        .values(number=Count("pk"))
    )
    counts = Event.objects.filter(pk=event.pk).values_list(Subquery(inside), Subquery(expected)).get()
    crowd = Crowd(inside=counts[0] or 0, expected=counts[1] or 0)
    if len(_kept) >= MOST_KEPT:
        _kept.clear()
    _kept[event.pk] = crowd, time.monotonic()
    return crowd


def after(event: Event, came: int) -> Crowd:
    """The crowd now that this process let `came` more guests in: what was counted within the last second and those,
    else counted anew. Other processes' guests are in it a second later."""
    crowd, counted_at = _kept.get(event.pk, (None, 0.0))
    if crowd is None or time.monotonic() - counted_at > KEPT_SECONDS:
        return count(event)
    crowd = Crowd(crowd.inside + came, crowd.expected)
    _kept[event.pk] = crowd, counted_at
    return crowd
