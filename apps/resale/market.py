"""The marketplace: tickets that can be bought now from people who cannot go.

Every choice stands in the address, so that what somebody found can be sent to a friend. Shown is only what anybody may
buy: open listings of good tickets to public events, of types that are shown to everybody, before selling ends and while
the event's sale is not paused.
"""

from __future__ import annotations

import time
import uuid
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.accounts.kept import Kept
from apps.accounts.personal_data import verified_emails
from apps.accounts.plain_text import one_line
from apps.events import finding, page_cache
from apps.events.listing import pages_of, posters_of
from apps.events.models import Event
from apps.events.translated import active_language
from apps.events.wording import SIGNS, write_money
from apps.resale import offers, owners, rules
from apps.resale.models import SHOWN, Listing, OfferedListing
from apps.resale.states import ListingState
from apps.ticketing import clock, sale_control
from apps.ticketing.models import TicketType
from apps.ticketing.states import TicketState

PER_PAGE = 24
MOST_TO_CHOOSE = 100
HIGHEST = 100_000
MINOR = 100
KRONOR = "SEK"
CURRENCIES = tuple(SIGNS)  # kronor first
SORTS = {
    "price": ("price_minor", "pk"),
    "-price": ("-price_minor", "pk"),
    "date": ("event__starts_at", "price_minor", "pk"),
    "-date": ("-event__starts_at", "price_minor", "pk"),
}
USUAL = "price"
BY_DATE = ("date", "-date")
# Nothing is converted: where several currencies are for sale, those of one stand together, kronor first.
BY_CURRENCY = "-currency"


@dataclass(frozen=True)
class Asked:
    """What a visitor looks for, as the address says it. A range is of whole `currency`; empty: kronor. Without a range,
    what is sold in that currency; empty: in any."""

    words: str = ""
    event: uuid.UUID | None = None
    type: uuid.UUID | None = None
    from_whole: int | None = None
    to_whole: int | None = None
    currency: str = ""
    sort: str = USUAL

    @property
    def is_filtered(self) -> bool:
        return bool(self.words or self.event or self.type or self.is_of_one_currency)

    @property
    def has_range(self) -> bool:
        return self.from_whole is not None or self.to_whole is not None

    @property
    def is_of_one_currency(self) -> bool:
        return self.has_range or bool(self.currency)

    @property
    def range_currency(self) -> str:
        return self.currency or KRONOR

    def query(self, page: int = 1) -> str:
        """The address's query, with nothing in it that says nothing: empty or `?…`."""
        values = {
            "q": self.words,
            "event": str(self.event or ""),
            "type": str(self.type or ""),
            "from": "" if self.from_whole is None else str(self.from_whole),
            "to": "" if self.to_whole is None else str(self.to_whole),
            "currency": self.currency,
            "sort": "" if self.sort == USUAL else self.sort,
            "page": str(page) if page > 1 else "",
        }
        written = urlencode({name: value for name, value in values.items() if value})
        return f"?{written}" if written else ""


@dataclass(frozen=True)
class Chip:
    """One thing that is asked for, and the address without it."""

    word: str
    query: str


@dataclass(frozen=True)
class Currency:
    """One to choose."""

    code: str
    sign: str
    is_chosen: bool

    @property
    def is_usual(self) -> bool:
        """Whether an address need not say it."""
        return self.code == KRONOR


@dataclass(frozen=True)
class Row:
    """One listing as the list tells it. `own` when the reader sells it; `price_minor` is theirs."""

    listing: Listing
    chosen: str
    price_minor: int
    is_reduced: bool  # the reader pays less than a stranger
    is_own: bool
    poster: str

    @property
    def new_minor(self) -> int:
        """What it cost new where that is more than it costs now; else 0."""
        was = self.listing.ticket.line.list_minor
        return was if was > self.listing.price_minor else 0


def read(request: HttpRequest) -> Asked:
    """What is asked for; what nobody can mean is as if it were not said. A range that is upside down is turned."""
    low, high = _whole(request, "from"), _whole(request, "to")
    if low is not None and high is not None and low > high:
        low, high = high, low
    sort = request.GET.get("sort", USUAL)
    asked = Asked(
        words=one_line(request.GET.get("q", ""))[:80],
        event=_uuid(request, "event"),
        type=_uuid(request, "type"),
        from_whole=low,
        to_whole=high,
        sort=sort if sort in SORTS else USUAL,
    )
    return replace(asked, currency=_currency(request, asked))


def _currency(request: HttpRequest, asked: Asked) -> str:
    """A range is in the currency of the event, where one is asked for, else in the one that is said, else in the first
    on offer; without a range one is chosen where there are several."""
    said = "" if asked.event else request.GET.get("currency", "")
    offered = kept_currencies(asked.event)
    if said in CURRENCIES and (asked.has_range or len(offered) > 1):
        return said
    return offered[0] if asked.has_range and offered[0] != KRONOR else ""


def _whole(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "").strip().replace("\u00a0", "").replace(" ", "")
    text = text.removesuffix("kr").strip("€").split(",")[0].split(".")[0]
    return min(int(text), HIGHEST) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _uuid(request: HttpRequest, name: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(request.GET.get(name, ""))
    except ValueError:
        return None


# --- Rows ----------------------------------------------------------------------------------------------------------


def for_sale(at: datetime) -> QuerySet[Listing]:
    """What anybody may buy at this moment: not what is offered to somebody on the waiting list first, nor what would
    wait until its event's sale goes on."""
    public = Listing.objects.filter(
        state=ListingState.OPEN,
        is_private=False,
        ticket__state=TicketState.VALID,
        ticket__ticket_type__visibility__in=SHOWN,
    ).exclude(pk__in=OfferedListing.objects.filter(is_live=True).values("listing"))
    # Asked apart: mostly none is stopped, and a condition on every listing would make counting them half as slow again.
    return rules.running(public, at).exclude(event__in=sale_control.stopped_events())


def found(asked: Asked, at: datetime) -> QuerySet[Listing]:
    """The listings that fit, of events with a public page, in the order that is asked for."""
    public = Event.objects.filter(finding.told())
    rows = for_sale(at)
    if asked.words:
        told = Event.objects.filter(finding.told(asked.words))
        named = Q(ticket__ticket_type__name_sv__icontains=asked.words)
        named |= Q(ticket__ticket_type__name_en__icontains=asked.words)
        rows = rows.filter(Q(event__in=told) | named)
    rows = rows.filter(event__in=public)
    if asked.event:
        rows = rows.filter(event__public_id=asked.event)
    if asked.type:
        rows = rows.filter(ticket__ticket_type__public_id=asked.type)
    if asked.is_of_one_currency:
        rows = rows.filter(currency=asked.range_currency)
    if asked.from_whole is not None:
        rows = rows.filter(price_minor__gte=asked.from_whole * MINOR)
    if asked.to_whole is not None:
        rows = rows.filter(price_minor__lte=asked.to_whole * MINOR)
    return rows.order_by(*_order(asked))


def _order(asked: Asked) -> tuple[str, ...]:
    """By price alone where there is one currency: so does the index."""
    keys = SORTS[asked.sort]
    if asked.is_of_one_currency or len(kept_currencies(asked.event)) == 1:
        return keys
    before = 1 if asked.sort in BY_DATE else 0
    return (*keys[:before], BY_CURRENCY, *keys[before:])


def _count(asked: Asked) -> dict[datetime, int]:
    by_date = found(asked, clock.now()).order_by("event__starts_at").values_list("event__starts_at")
    return dict(by_date.annotate(number=Count("pk")))


# A pause takes many away at once, or brings them back, and begins a new generation of all pages: what is kept here is
# read anew then, in every process.
kept_generation: Kept[None, str] = Kept(lambda _key: page_cache.generation(), seconds=page_cache.LOOK_SECONDS)


def _generation() -> str:
    return kept_generation(None)


def _read_currencies(event: uuid.UUID | None) -> tuple[str, ...]:
    """Those of what is for sale, to this event or to any, kronor first; never none."""
    public = Event.objects.filter(finding.told())
    if event is not None:
        return tuple(public.filter(public_id=event).values_list("currency", flat=True)) or (KRONOR,)
    rows = for_sale(clock.now()).filter(event__in=public)
    return tuple(code for code in CURRENCIES if rows.filter(currency=code).exists()) or (KRONOR,)


kept_currencies: Kept[uuid.UUID | None, tuple[str, ...]] = Kept(_read_currencies, seconds=10.0, edition=_generation)


# How many fit by the start of their events, soonest first, of the last two hundred that were asked for: counting takes
# longer than reading one page of them. That there is none is asked each time, which takes no longer than that.
kept_counts: Kept[Asked, dict[datetime, int]] = Kept(_count, seconds=10.0, edition=_generation)


class Counted(Paginator):
    """Pages of what fits, whose number may be a moment old."""

    def __init__(self, asked: Asked, rows: QuerySet[Listing, int]) -> None:
        super().__init__(rows, PER_PAGE)
        self.rows, self.sort = rows, asked.sort
        self.counts = kept_counts(replace(asked, sort=USUAL)) or _count(asked)

    @property
    def count(self) -> int:  # type: ignore[override]
        return sum(self.counts.values())

    def page(self, number: int | str) -> Page[int]:
        """The database reads all that comes before a page: so one of the second half is read from the end, and by date
        only its own events."""
        page = super().page(number)
        first, last = page.start_index() - 1, page.end_index()
        if self.sort in BY_DATE and self.count:
            page.object_list = self._of_dates(first, last)
        elif first > self.count // 2:
            page.object_list = list(self.rows.reverse()[self.count - last : self.count - first])[::-1]
        return page

    def _of_dates(self, first: int, last: int) -> QuerySet[Listing, int]:
        counts = list(self.counts.items())
        if self.sort == "-date":
            counts.reverse()
        ends = list(accumulate(number for _moment, number in counts))
        begin, end = bisect_right(ends, first), bisect_left(ends, last)
        dates = [moment for moment, _number in counts[begin : end + 1]]
        before = ends[begin - 1] if begin else 0
        rows = self.rows.filter(event__starts_at__gte=min(dates), event__starts_at__lte=max(dates))
        return rows[first - before : last - before]


def _has_any(public_id: uuid.UUID) -> bool:
    return found(Asked(event=public_id), clock.now()).exists()


kept_any: Kept[uuid.UUID, bool] = Kept(_has_any, seconds=5.0, edition=_generation)


class SecondHand:
    """Our answer to `ticketing.markets`."""

    slug = "resale"

    def url(self, event: Event) -> str:
        return reverse("resale:market") + Asked(event=event.public_id).query()

    def has_any(self, event: Event) -> bool:
        return kept_any(event.public_id)


# --- What pages show -----------------------------------------------------------------------------------------------


def context(request: HttpRequest, asked: Asked, person: Any) -> dict[str, Any]:
    """The list: one page of it, with what is asked for as chips."""
    at = clock.now()
    paginator = Counted(asked, found(asked, at).values_list("pk", flat=True))
    page: Page[int] = paginator.get_page(request.GET.get("page"))
    currencies = _currencies(asked)
    numbers = paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1)
    return {
        "asked": asked,
        "chips": _chips(asked),
        "events": _events(asked),
        "types": _types(asked, at),
        "currencies": currencies,
        "currency": next((one for one in currencies if one.is_chosen), currencies[0]),
        "rows": rows_of(list(page.object_list), at, person),
        "page_of_rows": page,
        "pages": [(number, asked.query(number) if isinstance(number, int) else "") for number in numbers],
        "previous": asked.query(page.number - 1) if page.has_previous() else None,
        "next": asked.query(page.number + 1) if page.has_next() else None,
    }


def rows_of(ids: list[int], at: datetime, person: Any) -> list[Row]:
    """These listings as rows, in the order of `ids`. A constant number of queries for any number of them."""
    with_all = offers.listed if person is None else offers.told
    known = with_all(Listing.objects.filter(pk__in=ids)).in_bulk()
    listings = [known[pk] for pk in ids if pk in known]
    own = offers.prices(listings, at, user=person) if person is not None else {}
    emails = verified_emails(person) if person is not None and listings else ()
    events = tuple(sorted({listing.event_id for listing in listings}))
    posters = kept_posters((active_language(), events)) if events else {}
    return [
        Row(
            listing=listing,
            chosen=offers.lines_of(listing.ticket),
            price_minor=own.get(listing.pk, listing.price_minor),
            is_reduced=own.get(listing.pk, listing.price_minor) < listing.price_minor,
            is_own=owners.is_of(listing.ticket, person, emails),
            poster=posters.get(listing.event_id, ""),
        )
        for listing in listings
    ]


def _read_posters(key: tuple[str, tuple[int, ...]]) -> dict[int, str]:
    """{event: its poster}, of the page in the language of `key`, which is the active one."""
    pages = pages_of(Event.objects.filter(pk__in=key[1]))
    drawn = posters_of(pages) if pages else {}
    return {page.event_id: drawn[page.pk].html for page in pages}


# Pages are large, and a list shows the same ones to everybody; read anew once one of them is edited, and each minute.
kept_posters: Kept[tuple[str, tuple[int, ...]], dict[int, str]] = Kept(
    _read_posters,
    seconds=0.5,
    version=lambda key: (page_cache.generation(), time.monotonic() // page_cache.SECONDS),
)


def _read_events(_key: None) -> list[Event]:
    # Asked of one event after the other until there are enough, not of every listing.
    has_any = Exists(for_sale(clock.now()).filter(event=OuterRef("pk")))
    return list(Event.objects.filter(has_any, finding.told()).order_by("starts_at", "pk")[:MOST_TO_CHOOSE])


kept_events: Kept[None, list[Event]] = Kept(_read_events, seconds=10.0, edition=_generation)


def _events(asked: Asked) -> list[Event]:
    """The events to choose from, the next one first, that which is chosen among them; those beyond are found by a
    word."""
    events = kept_events(None)
    if asked.event and asked.event not in {event.public_id for event in events}:
        return [*Event.objects.filter(finding.told(), public_id=asked.event), *events]
    return events


def _types(asked: Asked, at: datetime) -> list[TicketType]:
    """The kinds of ticket to choose from, of the event that is asked for."""
    if asked.event is None:
        return []
    ids = for_sale(at).filter(event__public_id=asked.event).order_by().values("ticket__ticket_type")
    return list(TicketType.objects.filter(pk__in=ids))


def _currencies(asked: Asked) -> list[Currency]:
    """Those on offer, and the one that an address asks for. None is chosen where all are shown."""
    offered = kept_currencies(asked.event)
    chosen = asked.range_currency if asked.is_of_one_currency else offered[0] if len(offered) == 1 else ""
    codes = [code for code in CURRENCIES if code in offered or code == chosen]
    return [Currency(code, SIGNS[code], code == chosen) for code in codes]


def _chips(asked: Asked) -> list[Chip]:
    chips = []
    if asked.words:
        chips.append(Chip(_("“%(words)s”") % {"words": asked.words}, replace(asked, words="").query()))
    if asked.event:
        event = Event.objects.filter(finding.told(), public_id=asked.event).first()
        name = event.title if event else _("unknown event")
        chips.append(Chip(name, replace(asked, event=None).query()))
    if asked.type:
        kind = TicketType.objects.filter(public_id=asked.type, visibility__in=SHOWN).first()
        chips.append(Chip(kind.name if kind else _("unknown ticket"), replace(asked, type=None).query()))
    if asked.has_range:
        chips.append(Chip(_range(asked), replace(asked, from_whole=None, to_whole=None, currency="").query()))
    elif asked.currency:
        chips.append(Chip(SIGNS[asked.currency], replace(asked, currency="").query()))
    return chips


def _range(asked: Asked) -> str:
    low, high, currency = asked.from_whole or 0, asked.to_whole, asked.range_currency
    if high is None:
        return _("from %(low)s") % {"low": write_money(low * MINOR, currency)}
    return _("%(low)s–%(high)s") % {"low": low, "high": write_money(high * MINOR, currency)}
