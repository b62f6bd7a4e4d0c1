"""The notice of a sale that is paused, moved, ended or goes on again, as pages show it (ticketing/sale_notice.html).

Every page that shows it holds all its wordings, so that an open page can change from one to the other when it hears of
a change (sale.js) without asking for anything: thousands hear of it in the same second.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse

from apps.accounts.kept import Kept
from apps.events import wording
from apps.events.models import Event
from apps.ticketing import clock, live, sale_control
from apps.ticketing.sale_control import Standing

# With the second for which a browser keeps the answer, and the three between two questions of sale-stream.js, less than
# the five seconds within which everybody is told.
KEPT_SECONDS = 0.5


@dataclass(frozen=True)
class Notice:
    """What one page shows. What a stop means differs for who reads it: `where` is `block` (the form is there),
    `closed` (nothing can be chosen), `line` or `hold`.

    `told` is empty while there is nothing to say. `stream_url` is empty where the page has a stream already (queue.js);
    `poll_url` is then asked while that stream is away.
    """

    where: str
    number: int
    told: str
    say: str
    moment: str
    time_zone: str
    stands_still: bool
    stream_url: str = ""
    poll_url: str = ""


def of(event: Event, standing: Standing, at: datetime, *, where: str, hears_by_itself: bool = False) -> Notice:
    """The notice for a page made at `at`. One that `hears_by_itself` has no other script that listens or asks."""
    stream = live.sale_stream_url(event.public_id, at=at, sale_number=standing.number) if hears_by_itself else ""
    return Notice(
        where=where,
        number=standing.number,
        told=standing.told(at),
        say=standing.say,
        moment=wording.write_moment(standing.opens_at, event.zone) if standing.opens_at else "",
        time_zone=event.time_zone,
        stands_still=standing.stands_still(at),
        stream_url=stream,
        poll_url=reverse("ticketing:sale_news", args=[event.public_id]) if hears_by_itself or where == "line" else "",
    )


def _read_news(event_id: int) -> dict[str, Any]:
    return sale_control.state_of(event_id).news(clock.now())


# What open pages are told of an event: thousands may ask.
news_of: Kept[int, dict[str, Any]] = Kept(_read_news, seconds=KEPT_SECONDS)
