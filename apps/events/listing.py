"""What is on: the cards of the start page and of an organisation, poster and prices at the top of an event page.

The number of queries does not depend on the number of events: pages, posters' photos and offers are read in bulk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Any

from django.db import connection
from django.db.models import Case, When
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from apps.events import photos, wording
from apps.events.blocks import DRAWINGS
from apps.events.extensions import Offer, offerings
from apps.events.looks import poster_ground
from apps.events.models import Event, EventPage, Organisation
from apps.events.posters import NIGHT, Palette, palette_from, poster_svg
from apps.events.translated import active_language

FAR_DAYS = 300
LONG, LONGEST = 14, 18  # letters of a title's longest word from which it is set smaller


@dataclass(frozen=True)
class Standing:
    """Whether tickets can be had: a word, and the `level` of its chip."""

    word: str
    level: str
    is_open: bool = False


@dataclass(frozen=True)
class Poster:
    """A poster as HTML, for a hero or a card, and which title reads on it."""

    html: SafeString
    takes_light_title: bool = True
    is_photo: bool = False
    is_cut_paper: bool = False  # drawn by us, on a ground of the organisation's colour


@dataclass(frozen=True)
class Card:
    """One event in a list."""

    event: Event
    date: str
    title: str
    language: str
    url: str
    by: str
    poster: Poster
    standing: Standing | None
    price: str
    invitation: str


def now() -> datetime:
    """The database's time, as everywhere (DESIGN 5)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT foyer_now()")
        return cursor.fetchone()[0]


# --- Offers --------------------------------------------------------------------------------------------------------


def offers_of(events: Sequence[Event], at: datetime) -> dict[int, list[Offer]]:
    """All offers by event id, of everybody who offers something."""
    found: dict[int, list[Offer]] = {event.pk: [] for event in events}
    for offering in offerings:
        for event_id, offers in offering.offers(events, at).items():
            found[event_id].extend(offers)
    return found


def standing_of(event: Event, offers: Iterable[Offer], at: datetime) -> Standing | None:
    """What a visitor should know at a glance; None for an event that offers nothing."""
    offers = list(offers)
    states = {offer.availability for offer in offers}
    if event.cancelled_at is not None:
        return Standing(_("Called off"), "danger")
    if event.ends_at <= at:
        return Standing(_("Over"), "neutral")
    if not offers:
        return None
    if "InStock" in states or "LimitedAvailability" in states:
        if "InStock" not in states:
            return Standing(_("Few left"), "warning", is_open=True)
        is_free = all(offer.price_minor == 0 for offer in offers)
        return Standing(_("Sign-up open") if is_free else _("On sale"), "success", is_open=True)
    if "OutOfStock" in states:
        return Standing(_("Paused"), "warning", is_open=True)
    if "PreOrder" in states:
        opens = min(offer.opens_at for offer in offers if offer.availability == "PreOrder" and offer.opens_at)
        moment = wording.write_moment(opens, event.time_zone)
        return Standing(_("Opens %(moment)s") % {"moment": moment}, "info")
    if "SoldOut" in states:
        return Standing(_("Sold out"), "danger")
    return Standing(_("Sale closed"), "neutral")


def price_of(offers: Iterable[Offer]) -> str:
    """ "Free", a price, or "from" the lowest. What can still be had counts before what cannot, and a free ticket beside
    priced ones (a helper's) is not what most come for."""
    offers = list(offers)
    to_be_had = [offer for offer in offers if offer.availability not in ("SoldOut", "Discontinued")] or offers
    priced = [offer for offer in to_be_had if offer.price_minor or offer.may_cost_more]
    if not priced:
        return _("Free") if to_be_had else ""
    lowest = min(offer.price_minor for offer in priced)
    price = wording.write_money(lowest, priced[0].currency)
    if any(offer.may_cost_more or offer.price_minor != lowest for offer in priced):
        return _("from %(price)s") % {"price": price}
    return price


def invitation_of(offers: Iterable[Offer]) -> str:
    """What the button to the tickets says: "Tickets from 240 kr"."""
    price = price_of(offers)
    return _("Free tickets") if price == _("Free") else _("Tickets %(price)s") % {"price": price}


# --- Posters -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _palette(brand: str) -> Palette:
    return palette_from(brand)


@lru_cache(maxsize=512)
def _drawn(public_id: str, brand: str, motif: str) -> Poster:
    palette = _palette(brand)
    html = mark_safe(poster_svg(public_id, palette, motif or None))  # our own drawing, no word of anybody's in it
    return Poster(html, palette.takes_light_title, is_cut_paper=True)


def hero_of(page: EventPage) -> dict[str, Any]:
    """What the page's hero block chose: `kicker`, `motif`, the id of a `photo`, and what the photo shows (`photo_alt`:
    empty when it only decorates, None when nothing is said here). Empty without a hero block."""
    chosen: dict[str, Any] = next((block["value"] for block in page.body.raw_data if block["type"] == "hero"), {})
    photo = chosen.get("photo")
    if not isinstance(photo, dict):  # as stored before a photo could be described
        return chosen
    alt = "" if photo.get("decorative") else photo.get("alt_text") or None
    return {**chosen, "photo": photo.get("image"), "photo_alt": alt}


def posters_of(pages: Sequence[EventPage], *, for_hero: bool = False, brand: str = "") -> dict[int, Poster]:
    """Posters by page id, as the hero blocks chose: a photo, a drawing, a motif, else one drawn for the event alone.

    On a ground of the organisation's colour, or of `brand` where the page around it is not the organisation's.
    """
    heroes = {page.pk: hero_of(page) for page in pages}
    wanted = {hero["photo"] for hero in heroes.values() if hero.get("photo")}
    there = photos.read(wanted, "hero" if for_hero else "card") if wanted else {}
    found = {}
    for page in pages:
        hero = heroes[page.pk]
        photo = _photo(there.get(hero.get("photo") or 0), hero, for_hero)
        if photo is not None:
            found[page.pk] = photo
        elif hero.get("motif") in DRAWINGS:
            found[page.pk] = _drawing(hero["motif"], for_hero)
        else:
            ground = brand or poster_ground(page.event.organisation)
            found[page.pk] = _drawn(str(page.event.public_id), ground, hero.get("motif") or "")
    return found


def _photo(image: Any, hero: dict[str, Any], for_hero: bool) -> Poster | None:
    """A photo as poster; None without one that can be read. In a list the title beside it says what it is of."""
    alt = hero.get("photo_alt") if for_hero else ""
    html = photos.picture(image, "hero" if for_hero else "card", alt=alt, eager=for_hero)
    return Poster(html, is_photo=True) if html else None


def _drawing(name: str, for_hero: bool) -> Poster:
    _title, hero_file, card_file = DRAWINGS[name]
    width, height = ("800", "760") if for_hero else ("300", "400")
    address = static(hero_file if for_hero else card_file)
    return Poster(format_html('<img src="{}" alt="" width="{}" height="{}">', address, width, height))


def title_size(title: str) -> str:
    """`long` or `longest` when the longest word needs smaller type; soft hyphens break words."""
    longest = max((len(word) for word in title.replace("\u00ad", " ").split()), default=0)
    return "longest" if longest > LONGEST else "long" if longest >= LONG else ""


# --- Lists ---------------------------------------------------------------------------------------------------------


def pages_of(events: Iterable[Event]) -> list[EventPage]:
    """One live page for each event, in its order, in the reader's language where there is one."""
    events = list(events)
    own_language = Case(When(locale__language_code=active_language(), then=0), default=1)
    pages = (
        EventPage.objects.live()
        .public()
        .filter(event__in=events)
        .select_related("event__organisation", "locale")
        .defer("words")
        .order_by("event_id", own_language, "pk")
        .distinct("event_id")
    )
    found = {page.event_id: page for page in pages}
    return [found[event.pk] for event in events if event.pk in found]


def cards_of(pages: Sequence[EventPage], request: HttpRequest, at: datetime, *, is_past: bool = False) -> list[Card]:
    """Cards of pages, with their standing and price at the moment `at`; without them where all `is_past`."""
    offers = {} if is_past else offers_of([page.event for page in pages], at)
    posters = posters_of(pages)
    return [
        Card(
            event=page.event,
            date=date_of(page.event, at),
            title=page.title,
            language=page.locale.language_code,
            url=page.get_url(request) or "",
            by=page.event.organisation.name,
            poster=posters[page.pk],
            standing=None if is_past else standing_of(page.event, offers[page.event_id], at),
            price=price_of(offers.get(page.event_id, [])),
            invitation=invitation_of(offers.get(page.event_id, [])),
        )
        for page in pages
    ]


def date_of(event: Event, at: datetime) -> str:
    """The day of an event on its card, with the year when it is so far away that one could mean another."""
    day = wording.write_day(event.starts_at, event.time_zone)
    is_far = abs(event.starts_at - at) > timedelta(days=FAR_DAYS)
    return f"{day} {timezone.localtime(event.starts_at, event.zone).year}" if is_far else day


def by_month(cards: Iterable[Card], at: datetime) -> list[tuple[str, list[Card]]]:
    """Cards under the name of their month, as the reader writes it."""

    def month(card: Card) -> str:
        return wording.write_month(timezone.localtime(card.event.starts_at, card.event.zone), at)

    return [(name, list(group)) for name, group in groupby(cards, key=month)]


SHOWN = 12  # coming events on the start page and on an organisation's; the list has them all


def home_context(request: HttpRequest) -> dict[str, Any]:
    """The start page: the next event as a poster, those after it as cards, and the way to the list of all."""
    from apps.events import finding  # finding makes its cards here

    at, asked = now(), finding.Asked()
    pages = pages_of(finding.events(asked, at)[: SHOWN + 1])
    cards = cards_of(pages, request, at)
    first = pages[0] if pages else None
    return {
        **finding.filters_context(asked, at),
        "has_hero": first is not None,
        "first": cards[0] if first else None,
        "first_poster": posters_of([first], for_hero=True, brand=NIGHT)[first.pk] if first else None,
        "first_title_size": title_size(first.title) if first else "",
        "months": by_month(cards[1:], at),
    }


def organisation_context(request: HttpRequest, organisation: Organisation) -> dict[str, Any]:
    """An organisation's page: a poster of its own, its coming events, and the ways to all of them and to those that are
    over."""
    from apps.events import finding

    at, asked = now(), finding.Asked(by=organisation.slug)
    coming = list(finding.events(asked, at)[: SHOWN + 1])
    over = replace(asked, is_past=True)
    return {
        "has_hero": True,
        "has_brand": True,
        "title_size": title_size(organisation.name),
        "poster": _drawn(str(organisation.public_id), poster_ground(organisation), ""),
        "months": by_month(cards_of(pages_of(coming[:SHOWN]), request, at), at),
        "all_query": asked.query() if len(coming) > SHOWN else "",
        "past_query": over.query() if finding.events(over, at).exists() else "",
    }


def event_context(page: EventPage, at: datetime | None = None) -> dict[str, Any]:
    """An event page at the moment `at` (default: now): its facts, poster, price and standing, and its blocks in order.

    The first ticket block stands beside the story on wide screens, so the story is cut in two around it.
    """
    at = at or now()
    event = page.event
    offers = offers_of([event], at)[event.pk]
    blocks = [block for block in page.body if block.block_type != "hero"]
    aside = next(
        (place for place, block in enumerate(blocks) if getattr(block.block.meta, "stands_beside", False)), None
    )
    poster = posters_of([page], for_hero=True)[page.pk]
    return {
        "event": event,
        "offers": offers,
        "has_hero": True,
        "has_brand": poster.is_cut_paper,
        "kicker": hero_of(page).get("kicker", ""),
        "poster": poster,
        "title_size": title_size(page.title),
        "standing": standing_of(event, offers, at),
        "price": price_of(offers),
        "invitation": invitation_of(offers),
        "before": blocks if aside is None else blocks[:aside],
        "aside": None if aside is None else blocks[aside],
        "after": [] if aside is None else blocks[aside + 1 :],
    }
