"""How events are found: the public list, by word, organisation and time, the coming ones and those that are over.

Every choice stands in the address, so that what somebody found can be sent to a friend. Pages without a word to search
for are kept whole (`page_cache`), so nothing here looks at who asks. Words are folded, that is written small and
without accents: "orsted" finds Ørsted, and "sittning" the Luciasittning.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from apps.accounts.plain_text import one_line
from apps.events import listing, wording
from apps.events.body import words_of
from apps.events.models import Event, EventPage, Organisation

PER_PAGE = 24
MOST_WORDS = 8
WINDOWS = {"week": 7, "month": 31}
SLUG = re.compile(r"[A-Za-z0-9_-]{1,60}")
MONTH = re.compile(r"20\d\d-(0[1-9]|1[0-2])")


def _folds() -> Iterator[tuple[str, str]]:
    yield from (("ø", "o"), ("Ø", "o"), ("ł", "l"), ("Ł", "l"), ("đ", "d"), ("Đ", "d"), ("ß", "s"))
    for code in (*range(0x41, 0x5B), *range(0xC0, 0x250)):
        base = unicodedata.normalize("NFD", chr(code))[0].lower()
        if base != chr(code) and base.isascii() and base.isalpha():
            yield chr(code), base


FOLDS = dict(_folds())
_TABLE = str.maketrans(FOLDS)


def fold(text: str) -> str:
    """`text` small and without accents."""
    return unicodedata.normalize("NFC", text).translate(_TABLE)


def words_for(page: EventPage) -> str:
    """What a page is found by beside the name of its organisation: all it says, and where and what the event is."""
    event = page.event
    facts = (event.title_sv, event.title_en, event.venue, event.venue_address)
    return fold("\n".join([page.title, *words_of(page.body), *facts]))


def tell_anew(instance: Event, **_: Any) -> None:
    """Let the pages of an event that was saved be found by what it is now. A receiver of its signal."""
    for page in EventPage.objects.filter(event=instance).select_related("event"):
        EventPage.objects.filter(pk=page.pk).update(words=words_for(page))


@dataclass(frozen=True)
class Asked:
    """What a visitor looks for, as the address says it."""

    words: str = ""
    by: str = ""  # an organisation's slug
    when: str = ""  # `week`, `month` or a month as 2026-12
    is_past: bool = False

    @property
    def is_filtered(self) -> bool:
        return bool(self.words or self.by or self.when)

    def query(self, page: int = 1) -> str:
        """The address's query, with nothing in it that says nothing: empty or `?…`."""
        values = {
            "show": "past" if self.is_past else "",
            "q": self.words,
            "by": self.by,
            "when": self.when,
            "page": str(page) if page > 1 else "",
        }
        written = urlencode({name: value for name, value in values.items() if value})
        return f"?{written}" if written else ""


def read(request: HttpRequest) -> Asked:
    """What is asked for; what nobody can mean is as if it were not said."""
    words, by, when = (one_line(request.GET.get(name, ""))[:80] for name in ("q", "by", "when"))
    is_past = request.GET.get("show") == "past"
    by = by if SLUG.fullmatch(by) else ""
    known = MONTH.fullmatch(when) or when in WINDOWS and not is_past
    return Asked(words=words, by=by, when=when if known else "", is_past=is_past)


def says_nothing(request: HttpRequest) -> bool:
    """Whether the address has empty parts, as a form sends it: there is a shorter one for the same page."""
    return any(value == "" for value in request.GET.values())


# --- Rows ----------------------------------------------------------------------------------------------------------


def told(words: str = "") -> Exists:
    """The condition that an event has a public page, one that tells of all `words`."""
    pages = EventPage.objects.live().public().filter(event=OuterRef("pk"))
    wanted = fold(words).split()[:MOST_WORDS]
    names = [(pk, fold(name)) for pk, name in Organisation.objects.values_list("pk", "name")] if wanted else []
    for word in wanted:
        owners = [pk for pk, name in names if word in name]
        pages = pages.filter(Q(words__contains=word) | Q(event__organisation__in=owners))
    return Exists(pages)


def events(asked: Asked, at: datetime) -> QuerySet[Event]:
    """The events that fit, the coming ones first to last, those that are over latest first."""
    rows = Event.objects.filter(told(asked.words), _in_time(asked, at))
    if asked.by:
        rows = rows.filter(organisation__slug=asked.by)
    return rows.order_by("-starts_at", "-pk") if asked.is_past else rows.order_by("starts_at", "pk")


def _in_time(asked: Asked, at: datetime) -> Q:
    which = Q(ends_at__lte=at) if asked.is_past else Q(ends_at__gt=at)
    if asked.when in WINDOWS:
        return which & Q(starts_at__lt=at + timedelta(days=WINDOWS[asked.when]))
    if asked.when:
        year, month = map(int, asked.when.split("-"))
        begin = timezone.make_aware(datetime(year, month, 1))
        return which & Q(starts_at__gte=begin, starts_at__lt=_month_after(begin))
    return which


def _month_after(begin: datetime) -> datetime:
    return timezone.make_aware(datetime(begin.year + begin.month // 12, begin.month % 12 + 1, 1))


def organisations(rows: QuerySet[Event]) -> QuerySet[Organisation]:
    """Those that arrange one of these."""
    return Organisation.objects.filter(pk__in=rows.order_by().values("organisation"))


def months(rows: QuerySet[Event], at: datetime, *, is_past: bool) -> list[tuple[str, str]]:
    """The months in which these begin: as the address says them, and as the reader does."""
    found = rows.datetimes("starts_at", "month", order="DESC" if is_past else "ASC")
    return [(f"{month:%Y-%m}", wording.write_month(month, at)) for month in found]


# --- What pages show -----------------------------------------------------------------------------------------------


def filters_context(asked: Asked, at: datetime) -> dict[str, Any]:
    """The form with which one searches, on the start page and on the list."""
    rows = events(Asked(is_past=asked.is_past), at)
    return {
        "asked": asked,
        "organisations": organisations(rows),
        "months_to_choose": months(rows, at, is_past=asked.is_past),
    }


def list_context(request: HttpRequest, asked: Asked) -> dict[str, Any]:
    """The list: one page of events as cards, by month."""
    at = listing.now()
    page: Page[Event] = Paginator(events(asked, at), PER_PAGE).get_page(request.GET.get("page"))
    cards = listing.cards_of(listing.pages_of(page.object_list), request, at, is_past=asked.is_past)
    numbers = page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1)
    return {
        **filters_context(asked, at),
        "months": listing.by_month(cards, at),
        "page_of_events": page,
        "pages": [(number, asked.query(number) if isinstance(number, int) else "") for number in numbers],
        "previous": asked.query(page.number - 1) if page.has_previous() else None,
        "next": asked.query(page.number + 1) if page.has_next() else None,
        "coming_query": replace(asked, is_past=False, when="").query(),
        "past_query": replace(asked, is_past=True, when="").query(),
    }
