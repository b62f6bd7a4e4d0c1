"""The blank ticket form, as every stranger sees it: rendered twice a second and shown to thousands.

What belongs to one visitor (the CSRF token, the idempotency key and the challenge made for it) and the time at which
the form was shown are marks in the kept text, replaced for each; whatever else of a visitor should get into the form
must become a mark as well, or not be kept. Who is signed in, has an order of theirs or was just told something gets a
form of their own (`is_for`). What is kept is at most half a second old, and never lives past the moment at which a
sale opens or closes.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token

from apps.events.models import Event
from apps.ticketing import catalogue, challenges
from apps.ticketing.forms import new_key

KEPT_SECONDS = 0.5
MOST_KEPT = 200
# Made up anew by each process, so that nobody can write one into a text of theirs.
TOKEN, KEY, NOW, CHALLENGE, SEED = (
    f"{name}{secrets.token_hex(16)}" for name in ("token", "key", "now", "challenge", "seed")
)


@dataclass(frozen=True)
class Blank:
    """A form with its marks. `at` is the database's moment it shows, `changes_at` the next at which it will not do."""

    text: str
    at: datetime
    changes_at: datetime | None = None
    challenged: Event | None = None  # the event, where it challenges guests: each key has a challenge of its own


@dataclass(frozen=True)
class _Kept:
    blank: Blank
    since: float
    until: float
    edition: int  # of the catalogue's memory: an editor of this process sees changes at once


_kept: dict[tuple[str, bool], _Kept] = {}
_rendering: dict[tuple[str, bool], threading.Lock] = {}


def forget() -> None:
    """Render every form anew."""
    _kept.clear()


def is_for(request: HttpRequest, own_order_cookie: str) -> bool:
    """Whether this visitor sees what all strangers see."""
    strange = (settings.SESSION_COOKIE_NAME, own_order_cookie, CookieStorage.cookie_name)
    return request.method == "GET" and not request.GET and not any(name in request.COOKIES for name in strange)


def show(request: HttpRequest, render: Callable[[], Blank]) -> HttpResponse:
    """The form of this address with a key and a token of this visitor's; `render` makes it when none is kept."""
    # The address names event and language.
    name = (request.path, bool(request.headers.get("HX-Request")))
    kept = _current(name)
    if kept is None:
        # One thread renders it, and the others wait for that: they all come in the same moment.
        with _rendering.setdefault(name, threading.Lock()):
            begun = time.monotonic()
            kept = _current(name) or _keep(name, render(), begun=begun, since=time.monotonic())
    now = time.monotonic()
    # Counted from when it was ready, so that it is never ahead of the database: pages open a sale by it.
    shown_at = kept.blank.at + timedelta(seconds=max(0.0, now - kept.since))
    key = new_key()
    text = kept.blank.text.replace(TOKEN, get_token(request)).replace(KEY, key)
    if kept.blank.challenged is not None:
        challenge = challenges.issue(kept.blank.challenged, key)
        text = text.replace(CHALLENGE, challenge.token).replace(SEED, challenge.seed)
    return HttpResponse(text.replace(NOW, shown_at.isoformat()))


def _current(name: tuple[str, bool]) -> _Kept | None:
    kept = _kept.get(name)
    is_current = kept is not None and time.monotonic() < kept.until and kept.edition == catalogue.times_forgotten
    return kept if is_current else None


def _keep(name: tuple[str, bool], blank: Blank, *, begun: float, since: float) -> _Kept:
    seconds = KEPT_SECONDS
    if blank.changes_at is not None:
        seconds = min(seconds, (blank.changes_at - blank.at).total_seconds())
    if len(_kept) >= MOST_KEPT:
        _kept.clear()
        _rendering.clear()
    kept = _kept[name] = _Kept(blank, since, begun + seconds, catalogue.times_forgotten)
    return kept
