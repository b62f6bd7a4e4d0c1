"""What an offer comes to, as the person it is made to reads it on the page and in the mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from apps.events.translated import repeated
from apps.resale import offers, waiting_line
from apps.resale.models import Listing, WaitingOffer
from apps.ticketing import catalogue, pricing


@dataclass(frozen=True)
class Row:
    """One kind of ticket in an offer: its name, what was chosen for it already, and what it costs in minor units. The
    mail's price lines read it."""

    name: str
    parts: str
    price_minor: int


@dataclass(frozen=True)
class Told:
    """`total_minor` is what the person pays for all of it, before choices they have yet to make."""

    rows: tuple[Row, ...]
    total_minor: int
    currency: str


def of(offer: WaitingOffer, at: datetime) -> Told:
    """What is offered, at this person's price. `entry.user` and `entry.event` are read."""
    if offer.ticket_type_id is not None:
        return _of_places(offer, at)
    listings = list(offers.told(Listing.objects.filter(offered__offer=offer)).order_by("pk"))
    quoted = offers.quotes(listings, at, user=offer.entry.user, locale=offer.entry.locale, as_one=True)
    priced = [(listing, quoted[listing.pk].total_minor) for listing in listings if listing.pk in quoted]
    rows = tuple(Row(one.ticket.ticket_type.name, offers.lines_of(one.ticket), price) for one, price in priced)
    return Told(rows, sum(price for _listing, price in priced), offer.entry.event.currency)


def _of_places(offer: WaitingOffer, at: datetime) -> Told:
    entry = offer.entry
    facts = catalogue.load(entry.event_id)
    kind = facts.type(offer.ticket_type_id or 0)
    if kind is None:
        return Told((), 0, facts.currency)
    context = waiting_line.context_of(entry, [kind] * offer.quantity, facts, at)
    total = pricing.quote(context).total_minor
    return Told((Row(repeated(kind.name, offer.quantity), "", total),), total, facts.currency)
