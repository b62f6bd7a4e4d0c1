"""Until when an offer may be answered. Between 22 and 8 where the event is, the clock rests: nobody loses a ticket in
their sleep. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

WAKES, RESTS = time(8), time(22)
SHORTEST = timedelta(minutes=30)
TURNS = 4  # of the time that is left, one person gets at most a quarter


def answer_until(at: datetime, *, hours: int, closes_at: datetime, zone: ZoneInfo) -> datetime:
    """When an offer made at `at` lapses: after `hours` of waking time, sooner when tickets soon change hands no more
    (`closes_at`), so that others get a turn too. Never after that."""
    left = _awake_between(at, closes_at, zone)
    given = max(SHORTEST, min(timedelta(hours=hours), left / TURNS))
    return min(_after(at, given, zone), closes_at)


def _after(at: datetime, awake: timedelta, zone: ZoneInfo) -> datetime:
    """`awake` of waking time after `at`."""
    for wakes, rests in _days(at, zone):
        begins = max(at, wakes)
        if begins + awake <= rests:
            return begins + awake
        awake -= max(timedelta(0), rests - begins)
    raise AssertionError("days do not end")


def _awake_between(start: datetime, end: datetime, zone: ZoneInfo) -> timedelta:
    awake = timedelta(0)
    for wakes, rests in _days(start, zone):
        if wakes >= end:
            break
        awake += max(timedelta(0), min(rests, end) - max(start, wakes))
    return awake


def _days(at: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """(wakes, rests) of each day from that of `at` on. In UTC, where a day of changing clocks adds up."""
    day: date = at.astimezone(zone).date()
    while True:
        yield (
            datetime.combine(day, WAKES, tzinfo=zone).astimezone(UTC),
            datetime.combine(day, RESTS, tzinfo=zone).astimezone(UTC),
        )
        day += timedelta(days=1)
