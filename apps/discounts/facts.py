"""An event's discounts as plain facts in memory, kept for half a second per process; how often they were used is never
in here. An event without discounts costs one short query in half a second, and nothing else.

They are read anew when their edition has changed: which version of each row there is, as PostgreSQL numbers them (as
ticketing does with its catalogue).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection
from django.db.models import QuerySet

from apps.discounts.models import Discount, DiscountBody, DiscountTicketType, MemberBody
from apps.discounts.sources import is_at_door, login_of
from apps.events.translated import pick
from apps.ticketing.context import ContextLine
from apps.ticketing.extensions import ORGANISER
from apps.ticketing.money import Money

KEPT_SECONDS = 0.5

_EDITIONS = """
SELECT asked.id, (
    WITH own AS MATERIALIZED (
        SELECT id, xmin, ctid, sponsor_id FROM discounts_discount WHERE event_id = asked.id AND is_active
    )
    SELECT coalesce(md5(string_agg(part, ' ' ORDER BY part)), '') FROM (
        SELECT 'discount' || xmin || ctid FROM own
        UNION ALL SELECT 'size' || a.discount_id || ':' || coalesce(a.size::text, '') FROM discounts_allowance a
            WHERE a.discount_id IN (SELECT id FROM own)
        UNION ALL SELECT 'type' || t.xmin || t.ctid FROM discounts_discount_ticket_types t
            WHERE t.discount_id IN (SELECT id FROM own)
        UNION ALL SELECT 'body' || b.xmin || b.ctid || m.xmin || m.ctid FROM discounts_discount_bodies b
            JOIN discounts_memberbody m ON m.id = b.memberbody_id WHERE b.discount_id IN (SELECT id FROM own)
        UNION ALL SELECT 'sponsor' || s.xmin || s.ctid FROM discounts_sponsor s
            WHERE s.id IN (SELECT sponsor_id FROM own)
        UNION ALL SELECT 'event' || xmin || ctid FROM events_event WHERE id = asked.id AND EXISTS (SELECT 1 FROM own)
    ) AS parts(part)
) FROM unnest(%s::bigint[]) AS asked(id)
"""


@dataclass(frozen=True)
class BodyFacts:
    """One member body that a discount asks for. `login` is what the login is called that its members are known by,
    empty where any account will do. `is_at_door`: nobody is known before the door."""

    id: int
    public_hex: str
    name_sv: str
    name_en: str
    login: str = ""
    is_at_door: bool = False

    @property
    def name(self) -> str:
        return pick(self.name_sv, self.name_en)


@dataclass(frozen=True)
class DiscountFacts:
    """One discount that is switched on. `size` is how many tickets may have it in all."""

    id: int
    name_sv: str
    name_en: str
    kind: str
    amount_minor: int
    percent: Decimal
    covers_choices: bool
    is_added: bool
    type_ids: frozenset[int]
    bodies: tuple[BodyFacts, ...]
    gives_when_unknown: bool
    needs_code: bool
    needs_list: bool
    min_quantity: int | None
    opens_at: datetime | None
    closes_at: datetime | None
    max_per_person: int | None
    size: int | None
    bearer: str = ORGANISER
    paid_by: str = ""  # the sponsor's name
    zone: str = ""

    @property
    def name(self) -> str:
        return pick(self.name_sv, self.name_en)

    @property
    def is_limited(self) -> bool:
        return self.size is not None or self.max_per_person is not None or self.needs_code

    @property
    def is_asked_anew(self) -> bool:
        """Whether a ticket that is sold again has it as its new owner does: one that is for a person, or for everybody
        at all times."""
        if self.needs_code or self.min_quantity:
            return False
        return bool(self.bodies) or self.needs_list or not (self.is_limited or self.opens_at or self.closes_at)

    def covers(self, line: ContextLine) -> bool:
        """Whether it is about this ticket at all. A ticket that is sold in another way than by issuing it has a price
        of its own."""
        return line.fulfilment == "issue" and (not self.type_ids or line.ticket_type_id in self.type_ids)

    def change(self, base_minor: int, currency: str) -> int:
        """What it adds to a price of `base_minor`; a discount takes no more than there is, and never adds."""
        if self.kind == Discount.Kind.LESS:
            return -min(self.amount_minor, base_minor)
        if self.kind == Discount.Kind.PRICE:
            return min(0, self.amount_minor - base_minor)
        if self.kind == Discount.Kind.MORE:
            return self.amount_minor
        share = Money(base_minor, currency).percent(self.percent).minor
        return share if self.kind == Discount.Kind.PERCENT_MORE else -share


@dataclass(frozen=True)
class EventDiscounts:
    """All discounts of one event that are switched on, in the order of the organiser's list."""

    discounts: tuple[DiscountFacts, ...] = ()

    @property
    def needs_code(self) -> bool:
        return any(discount.needs_code for discount in self.discounts)

    @property
    def depends_on_order(self) -> bool:
        """Whether a ticket's price depends on what else is ordered, or has been."""
        return any(discount.is_limited or discount.min_quantity for discount in self.discounts)


NOTHING = EventDiscounts()


@dataclass(eq=False)
class Kept:
    """One edition of an event's discounts, as this process keeps it until it looks whether there is another."""

    until: float
    edition: str
    discounts: EventDiscounts


_kept: dict[int, Kept] = {}


def load(event_id: int) -> EventDiscounts:
    """The event's discounts, half a second old at most. Locks nothing."""
    return keep(event_id).discounts


def keep(event_id: int) -> Kept:
    """What `load` answers from: the same object for as long as the edition is the same."""
    return _keep([event_id])[event_id]


def load_many(event_ids: Iterable[int]) -> dict[int, EventDiscounts]:
    """{event id: its discounts}, half a second old at most. One query for all of them, and for each that has changed
    those that read it."""
    return {event_id: kept.discounts for event_id, kept in _keep(event_ids).items()}


def _keep(event_ids: Iterable[int]) -> dict[int, Kept]:
    now, wanted = time.monotonic(), set(event_ids)
    found = {pk: kept for pk in wanted if (kept := _kept.get(pk)) is not None and now < kept.until}
    if not (stale := sorted(wanted - found.keys())):
        return found
    with connection.cursor() as cursor:
        cursor.execute(_EDITIONS, [stale])
        editions = dict(cursor.fetchall())
    for event_id, edition in editions.items():
        kept = _kept.get(event_id)
        if kept is None or kept.edition != edition:
            # Read after its edition: what changes in between is read now and once more the next time, never missed.
            kept = _kept[event_id] = Kept(0.0, edition, _read(event_id) if edition else NOTHING)
        kept.until = time.monotonic() + KEPT_SECONDS
        found[event_id] = kept
    return found


def forget(**_: object) -> None:
    """Drop what this process keeps. Connected to saves, so that an editor sees changes at once."""
    _kept.clear()


def _read(event_id: int) -> EventDiscounts:
    rows = list(rows_of(event_id).filter(is_active=True))
    ids = [row.pk for row in rows]
    types: dict[int, set[int]] = defaultdict(set)
    of_types = DiscountTicketType.objects.filter(discount_id__in=ids).order_by()
    for discount_id, type_id in of_types.values_list("discount_id", "tickettype_id"):
        types[discount_id].add(type_id)
    bodies: dict[int, list[BodyFacts]] = defaultdict(list)
    links = DiscountBody.objects.filter(discount_id__in=ids).select_related("memberbody")
    for link in links.order_by("memberbody_id"):
        bodies[link.discount_id].append(body_of(link.memberbody))
    return EventDiscounts(tuple(facts_of(row, frozenset(types[row.pk]), tuple(bodies[row.pk])) for row in rows))


def rows_of(event_id: int) -> QuerySet[Discount]:
    """Rows of which `facts_of` makes facts, in the order of the organiser's list."""
    rows = Discount.objects.filter(event_id=event_id).select_related("sponsor", "allowance", "event")
    return rows.order_by("position", "pk")


def body_of(body: MemberBody) -> BodyFacts:
    login = login_of(body.source, body.source_key)
    return BodyFacts(body.pk, body.public_id.hex, body.name_sv, body.name_en, login, is_at_door(body.source))


def facts_of(row: Discount, type_ids: frozenset[int], bodies: tuple[BodyFacts, ...]) -> DiscountFacts:
    """One discount as plain facts."""
    allowance = getattr(row, "allowance", None)
    return DiscountFacts(
        id=row.pk,
        name_sv=row.name_sv,
        name_en=row.name_en,
        kind=row.kind,
        amount_minor=row.amount_minor,
        percent=row.percent,
        covers_choices=row.covers_choices,
        is_added=row.stacking == Discount.Stacking.ADDED,
        type_ids=type_ids,
        bodies=bodies,
        gives_when_unknown=row.when_unknown == Discount.WhenUnknown.MEMBER,
        needs_code=row.needs_code,
        needs_list=row.needs_list,
        min_quantity=row.min_quantity,
        opens_at=row.opens_at,
        closes_at=row.closes_at,
        max_per_person=row.max_per_person,
        size=allowance.size if allowance is not None else None,
        bearer=row.sponsor.bearer if row.sponsor is not None else ORGANISER,
        paid_by=row.sponsor.name if row.sponsor is not None else "",
        zone=row.event.time_zone,
    )
