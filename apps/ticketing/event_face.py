"""How an event looks beside an order: its poster, and the page to go back to. Kept a minute per process, because the
queue page is loaded by thousands and a poster changes seldom; what an editor changes is seen within a second.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.utils.safestring import SafeString, mark_safe

from apps.events import page_cache
from apps.events.listing import posters_of
from apps.events.looks import poster_ground
from apps.events.models import Event, EventPage
from apps.events.posters import palette_from, poster_svg
from apps.events.translated import active_language

KEPT_SECONDS = 60.0
LOOKED_AT_SECONDS = 0.5


@dataclass(frozen=True)
class Face:
    """`url` is empty for an event without a page of its own."""

    poster: SafeString
    url: str


_kept: dict[tuple[int, str], tuple[float, Face]] = {}
# The generation of pages (events.page_cache) that `_kept` belongs to, and until when that need not be looked at again.
_generation: tuple[float, str] = (0.0, "")


def forget() -> None:
    """Read every face anew."""
    _kept.clear()


def of(event: Event) -> Face:
    """The face of `event` in the reader's language. `event.organisation` is read."""
    _follow_edits()
    key = (event.pk, active_language())
    until, face = _kept.get(key, (0.0, None))
    if face is None or time.monotonic() >= until:
        face = _read(event, key[1])
        _kept[key] = (time.monotonic() + KEPT_SECONDS, face)
    return face


def _follow_edits() -> None:
    """Forget every face when a page, an event or an organisation was saved, in whichever process."""
    global _generation
    until, known = _generation
    if time.monotonic() < until:
        return
    present = page_cache.generation()
    if present != known:
        forget()
    _generation = (time.monotonic() + LOOKED_AT_SECONDS, present)


def _read(event: Event, language: str) -> Face:
    pages = EventPage.objects.live().public().filter(event=event).select_related("event__organisation", "locale")
    page = min(pages.order_by("pk"), key=lambda page: page.locale.language_code != language, default=None)
    if page is not None:
        return Face(posters_of([page])[page.pk].html, page.url or "")
    palette = palette_from(poster_ground(event.organisation))
    return Face(mark_safe(poster_svg(str(event.public_id), palette)), "")  # our own drawing
