"""What stands on a PDF ticket, read from the rows in a constant number of queries and written in the order's language.

Reads only; the same rows give the same pages, to the byte, because a file is known by what it shows (see `files`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Prefetch
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from apps.events import wording
from apps.events.listing import hero_of
from apps.events.models import Event, EventPage, Organisation
from apps.events.translated import Fallback, active_language, joined, repeated
from apps.ticketing import credentials
from apps.ticketing.documents.posters import Poster, poster_of
from apps.ticketing.documents.themes import Theme, theme_of
from apps.ticketing.models import LineChoice, Order, OrderLine, Ticket
from apps.ticketing.states import TicketState
from apps.ticketing.ticket_page import SHOWS_CODE

LIVE = (*SHOWS_CODE, TicketState.BLOCKED)
# The largest title size whose lines still leave room for time and place: (class, longest word, longest title).
TITLE_SIZES = (("huge", 13, 34), ("large", 17, 60), ("middle", 24, 100))
# The table's height, in facts of one line each, from which it is set smaller, and how many letters a line takes.
SMALLER_FROM = (("packed", 12), ("crowded", 8.5))
LETTERS_OF_A_LINE = 34
MOST_MARKS = 4  # on one letter
LONG_PLACE = 110  # letters of venue and address


@dataclass(frozen=True)
class Fact:
    """One line of the page's table."""

    label: str
    value: str


@dataclass(frozen=True)
class Sheet:
    """One page: one ticket. `qr` is the name of its picture, `code` what the picture says."""

    ticket: Ticket
    code: str
    qr: str
    short_code: str
    facts: tuple[Fact, ...]
    size: str
    organiser_email: str
    legal: str


@dataclass(frozen=True)
class Evening:
    """What all pages of an order share."""

    kicker: str
    title: str
    title_size: str
    day: str
    times: str
    place: tuple[str, ...]
    is_long_place: bool
    poster: Poster


@dataclass(frozen=True)
class Booklet:
    """An order's pages, in its own order; a ticket without a good code has none."""

    order: Order
    theme: Theme
    evening: Evening
    sheets: tuple[Sheet, ...]


def read(order: Order) -> Booklet:
    """The pages of an order, in the language that is active. Constant queries, whatever the number of tickets."""
    order = Order.objects.select_related("event__organisation", "organisation").get(pk=order.pk)
    choices = LineChoice.objects.select_related("choice__variation").order_by(
        "choice__variation__position", "choice__variation_id", "choice__position", "pk"
    )
    live = list(
        Ticket.objects.filter(line__order=order, state__in=LIVE)
        .select_related("ticket_type", "line")
        .prefetch_related(Prefetch("line__choices", choices))
        .order_by("line__position", "pk")
    )
    organisation = order.event.organisation
    theme = theme_of(organisation.theme)
    sheets = tuple(
        _sheet(order, ticket, number, len(live)) for number, ticket in enumerate(live, 1) if ticket.state in SHOWS_CODE
    )
    return Booklet(order, theme, _evening(order.event, organisation, theme), sheets)


def clean(text: str) -> str:
    """One line of text as it may stand on paper: letters, signs and emoji of every script, and what joins them.

    Left out are control characters and those that turn the direction of the text around them: a name must not be able
    to change how the rest of the page reads. Of marks heaped on one letter the first few stay, which no language has
    more of: the rest would cover the lines above.
    """
    kept: list[str] = []
    marks = 0
    for letter in text:
        marks = marks + 1 if unicodedata.category(letter) in ("Mn", "Me") else 0
        if marks <= MOST_MARKS:
            kept.append(letter if _may_stand(letter) else " " if letter.isspace() else "")
    cleaned = " ".join("".join(kept).split())
    return Fallback.of(cleaned, text.language) if isinstance(text, Fallback) else cleaned


def _may_stand(letter: str) -> bool:
    if unicodedata.category(letter) in ("Cc", "Cs", "Cn", "Zl", "Zp"):
        return False
    return not ("\u202a" <= letter <= "\u202e" or "\u2066" <= letter <= "\u2069" or letter in "\ufeff\ufffe\uffff")


# --- The evening -------------------------------------------------------------------------------------------------


def _evening(event: Event, organisation: Organisation, theme: Theme) -> Evening:
    page = _page_of(event)
    title = clean(event.title)
    place = tuple(line for line in (clean(event.venue), clean(event.venue_address)) if line)
    kicker = clean(hero_of(page).get("kicker", "")) if page else ""
    if page is not None and kicker and page.locale.language_code != active_language():
        kicker = Fallback.of(kicker, page.locale.language_code)
    starts = wording.write_clock_time(event.starts_at, event.zone)
    doors = wording.write_clock_time(event.doors_at, event.zone) if event.doors_at else ""
    day = date_format(timezone.localtime(event.starts_at, event.zone), "l j F Y")
    return Evening(
        kicker=kicker or _("%(name)s invites you") % {"name": clean(organisation.name)},
        title=title,
        title_size=title_size(title),
        day=day[:1].upper() + day[1:],
        times=_("Doors %(doors)s, start %(start)s") % {"doors": doors, "start": starts}
        if doors
        else _("Start %(start)s") % {"start": starts},
        place=place,
        is_long_place=sum(map(len, place)) > LONG_PLACE,
        poster=poster_of(event, page, theme.paper),
    )


def _page_of(event: Event) -> EventPage | None:
    """The live page that tells of the event, in the reader's language where there is one."""
    language = active_language()
    pages = EventPage.objects.live().filter(event=event).select_related("locale").order_by("pk")
    return min(pages, key=lambda page: page.locale.language_code != language, default=None)


def title_size(title: str) -> str:
    """How large a title may be set so that no word and no line of it is cut off."""
    longest = max((_width(word) for word in title.replace("\u00ad", " ").split()), default=0)
    width = _width(title)
    return next((name for name, word, whole in TITLE_SIZES if longest <= word and width <= whole), "small")


def _width(text: str) -> int:
    """How many letters' room a text takes: signs of East Asia and emoji take two, marks on a letter none."""
    return sum(_width_of(letter) for letter in text)


def _width_of(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


# --- One ticket --------------------------------------------------------------------------------------------------


def _sheet(order: Order, ticket: Ticket, number: int, tickets: int) -> Sheet:
    facts = tuple(_facts(order, ticket, number, tickets))
    return Sheet(
        ticket=ticket,
        code=credentials.sign(ticket),
        qr=f"qr/{ticket.public_id.hex}",
        short_code=f"{ticket.short_code[:3]} · {ticket.short_code[3:]}",
        facts=facts,
        size=_size_of(facts),
        organiser_email=clean(order.organisation.email),
        legal=_legal(order, ticket),
    )


def _size_of(facts: Sequence[Fact]) -> str:
    """How small the table must be set so that all of it stands above the fold; empty for the usual size."""
    more_lines = sum(max(len(fact.value), 2 * len(fact.label)) // LETTERS_OF_A_LINE for fact in facts)
    height = len(facts) + more_lines / 2
    return next((name for name, least in SMALLER_FROM if height >= least), "")


def _facts(order: Order, ticket: Ticket, number: int, tickets: int) -> Iterable[Fact]:
    kind, line = ticket.ticket_type, ticket.line
    yield Fact(_("Ticket"), clean(kind.name))
    if holder := clean(ticket.holder_name):
        yield Fact(_("Holder"), holder)
    chosen: dict[str, list[str]] = {}
    for picked in line.choices.all():
        said = repeated(clean(picked.choice.name), picked.quantity)
        chosen.setdefault(clean(picked.choice.variation.name), []).append(said)
    for question, answers in chosen.items():
        yield Fact(question, joined(answers))
    if kind.minimum_age and kind.needs_id:
        yield Fact(_("Age"), _("%(age)s years, bring identification") % {"age": kind.minimum_age})
    elif kind.minimum_age:
        yield Fact(_("Age"), _("%(age)s years") % {"age": kind.minimum_age})
    elif kind.needs_id:
        yield Fact(_("At the door"), _("Bring identification"))
    if ticket.holder_email != order.email:
        return  # given away: what it cost is the buyer's business
    which = _("%(reference)s, ticket %(number)s of %(tickets)s") % {
        "reference": order.reference, "number": number, "tickets": tickets,
    }  # fmt: skip
    yield Fact(_("Order"), which)
    yield Fact(pgettext("amount", "Paid"), _price(line, order.currency))


def _price(line: OrderLine, currency: str) -> str:
    if not line.price_minor:
        return _("Free")
    price = wording.write_money(line.price_minor, currency)
    taxed = [part for part in line.vat_parts if part.vat_minor]
    if not taxed:
        return price
    inside = [
        {
            "percent": number_format(part.rate, decimal_pos=0 if part.rate == int(part.rate) else 2),
            "vat": wording.write_money(part.vat_minor, currency),
        }
        for part in taxed
    ]
    first = _("%(price)s, of which VAT %(percent)s%%: %(vat)s") % {"price": price, **inside[0]}
    return ", ".join([first, *(_("VAT %(percent)s%%: %(vat)s") % part for part in inside[1:])])


def _legal(order: Order, ticket: Ticket) -> str:
    """Who sells and arranges, and what this paper is."""
    seller = order.organisation
    parts = [clean(seller.seller_name)]
    if seller.organisation_number:
        parts.append(_("org. no. %(number)s") % {"number": clean(seller.organisation_number)})
    if seller.vat_number:
        parts.append(_("VAT no. %(number)s") % {"number": clean(seller.vat_number)})
    parts += [text for text in (clean(seller.address.replace("\n", ", ")), clean(seller.email)) if text]
    issued = timezone.localtime(ticket.issued_at, order.event.zone)
    return _(
        "Seller and organiser: %(seller)s. This ticket is version %(version)s and may be replaced when it changes"
        " hands. Issued %(day)s by Foyer."
    ) % {
        "seller": ", ".join(parts),
        "version": ticket.credential_version,
        "day": date_format(issued, "j F Y"),
    }


def of_ticket(booklet: Booklet, ticket: Ticket) -> Sequence[Sheet]:
    """The page of one ticket of the order; none when it shows no code any more."""
    return [sheet for sheet in booklet.sheets if sheet.ticket.pk == ticket.pk]
