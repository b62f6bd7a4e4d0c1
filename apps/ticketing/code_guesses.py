"""How many wrong codes one may try at an event, so that nobody finds “LUCIA24” by trying words.

Counted by account; for guests by the address they wrote and by their browser, and never by where they come from: a
campus behind one address is a thousand people. A browser is known by a cookie that it gets with its first wrong code,
for this event and an hour. Those that come without one count together, with room for a crowd that mistypes; each
cookie costs whoever throws theirs away one of these, so that nobody tries more than WRONG_OF_STRANGERS times WRONG
codes. The same wrong code counts once, however often a form sends it, and a right one never.

Counted in Redis. While that is away nobody is refused; codes that are drawn by chance (`discounts.codes`) are found by
no trying.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core import signing
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from apps.events.models import Event
from apps.ticketing import ordering, reasons

WRONG = 10
WRONG_OF_STRANGERS = 500
WITHIN_SECONDS = 3600
STRANGERS = "strangers"
COOKIE = "browser"
SALT = "ticketing.code_guesses"

TOO_MANY = reasons.register(
    "too_many_codes",
    _("Too many wrong codes were tried. Nothing was charged. Buy without a code, or try again in an hour."),
)
TOO_MANY_OF_STRANGERS = reasons.register(
    "too_many_codes_of_strangers",
    _("Very many wrong codes are being tried at this event. Nothing was charged. Sign in to use yours, or try again in"
      " an hour."),
)  # fmt: skip
REFUSALS = frozenset({TOO_MANY, TOO_MANY_OF_STRANGERS})


@dataclass
class Guesser:
    """Who types a code at an event: {key: how many wrong ones it may try}. `new_browser` is the name for a browser that
    had none, and is given to it once a wrong code of its was counted: else names could be had for nothing."""

    event_id: int
    keys: dict[str, int]
    new_browser: str = ""
    has_counted: bool = False

    def refusal(self) -> str:
        """Why this one may try no more codes now: a code from `reasons`; empty while they may. Asks Redis once."""
        counts = cache.get_many([self._key(key) for key in self.keys])
        spent = [key for key, most in self.keys.items() if int(counts.get(self._key(key), 0)) >= most]
        if not spent:
            return ""
        return TOO_MANY_OF_STRANGERS if spent == [STRANGERS] else TOO_MANY

    def count(self, token: str) -> None:
        """A code that there is not was tried."""
        self.has_counted = True
        mark = salted_hmac(SALT, token, algorithm="sha256").hexdigest()[:16]
        counter: Any = cache  # the house's own: config.cache
        for key in self.keys:
            if cache.add(f"{self._key(key)}:{mark}", 1, WITHIN_SECONDS):
                counter.tally(self._key(key), WITHIN_SECONDS)

    def _key(self, key: str) -> str:
        return f"code-guesses:{self.event_id}:{key}"


def guesser(request: HttpRequest, event: Event, person: Any, email: str) -> Guesser:
    """Whoever sent the form: their account, or the address in it and the browser."""
    if person is not None:
        return Guesser(event.pk, {f"account:{person.pk}": WRONG})
    known = _browser_of(request, event)
    new = "" if known else secrets.token_urlsafe(12)
    keys = {f"browser:{known or new}": WRONG}
    if new:
        keys[STRANGERS] = WRONG_OF_STRANGERS
    if email:
        keys[f"buyer:{ordering.buyer_key(None, email)}"] = WRONG
    return Guesser(event.pk, keys, new)


def remember(response: HttpResponse, guesser: Guesser | None) -> HttpResponse:
    """Know the browser of a guest who typed a wrong code from now on. A cookie for this alone; it tells nothing of its
    bearer."""
    if guesser is not None and guesser.new_browser and guesser.has_counted:
        response.set_cookie(
            COOKIE,
            signing.dumps(f"{guesser.event_id}:{guesser.new_browser}", salt=SALT),
            max_age=WITHIN_SECONDS,
            httponly=True,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )
    return response


def _browser_of(request: HttpRequest, event: Event) -> str:
    """The browser's own word, where we gave it one for this event within the hour."""
    try:
        word = str(signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=WITHIN_SECONDS))
    except signing.BadSignature:
        return ""
    of_event, _colon, browser = word.partition(":")
    return browser if of_event == str(event.pk) else ""
