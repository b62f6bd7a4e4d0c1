"""An event's catalogue as plain facts in memory: what the form shows, what a POST is checked against, what a batch is
decided by. Read in a few queries, kept for half a second per process; stock is never in here.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from django.db.models import Exists, OuterRef

from apps.events.models import Event, Organisation
from apps.events.translated import pick
from apps.ticketing import catalogue_edition, vat
from apps.ticketing.models import Choice, Draw, Question, Quota, SaleChange, TicketType, Variation

KEPT_SECONDS = 0.5
MODELS = (Event, Organisation, TicketType, Variation, Choice, Question, Draw)


@dataclass(frozen=True)
class ChoiceFacts:
    """One thing that can be chosen, such as vegetarian food. `delta_minor` is added to the price, in minor units."""

    id: int
    public_id: uuid.UUID
    name_sv: str
    name_en: str
    delta_minor: int
    max_quantity: int
    quota_ids: tuple[int, ...]
    is_default: bool = False

    @property
    def name(self) -> str:
        return pick(self.name_sv, self.name_en)


@dataclass(frozen=True)
class VariationFacts:
    """One question a ticket asks, with the choices it is answered by."""

    id: int
    public_id: uuid.UUID
    name_sv: str
    name_en: str
    kind: str
    choices: tuple[ChoiceFacts, ...]

    @property
    def name(self) -> str:
        return pick(self.name_sv, self.name_en)

    @property
    def is_mandatory(self) -> bool:
        return self.kind == Variation.Kind.ONE

    @property
    def default(self) -> ChoiceFacts | None:
        """What whoever does not choose gets: never anything that adds to the price."""
        if not self.is_mandatory:
            return None
        return next((choice for choice in self.choices if choice.is_default and choice.delta_minor <= 0), None)


@dataclass(frozen=True)
class TypeFacts:
    """One ticket type with all that decides whether and how it can be bought."""

    id: int
    public_id: uuid.UUID
    name_sv: str
    name_en: str
    description_sv: str
    description_en: str
    price_minor: int
    vat_percent: Decimal  # 0 where the organisation is outside VAT
    visibility: str
    after_quota_ids: tuple[int, ...] | None  # of the type it is shown after, published or not; None: after no other
    opens_at: datetime | None
    closes_at: datetime | None
    min_per_order: int
    max_per_order: int
    max_per_person: int | None
    conflicts: frozenset[int]
    quota_ids: tuple[int, ...]
    variations: tuple[VariationFacts, ...]
    needs_name: bool
    vat_split: vat.Split = ()
    has_come_up: bool = False  # the ticket it is shown after has sold out, now or before
    guests_of_id: int | None = None  # the type that each ticket of this one is a guest ticket of
    guests_per_ticket: int = 1
    currency: str = ""  # the event's

    @property
    def name(self) -> str:
        return pick(self.name_sv, self.name_en)

    @property
    def is_for_all(self) -> bool:
        """Whether strangers see it, whatever is left of anything now."""
        return self.visibility == TicketType.Visibility.PUBLIC or (
            self.visibility == TicketType.Visibility.AFTER and self.has_come_up
        )

    @property
    def description(self) -> str:
        return pick(self.description_sv, self.description_en)

    def choice(self, choice_id: int) -> ChoiceFacts | None:
        return self._choices.get(choice_id)

    @cached_property
    def _choices(self) -> dict[int, ChoiceFacts]:
        return {choice.id: choice for variation in self.variations for choice in variation.choices}

    @property
    def window(self) -> tuple[datetime | None, datetime | None]:
        return self.opens_at, self.closes_at

    def is_open(self, at: datetime) -> bool:
        """Within the sale window at `at`: the opening second is in, the closing second is out."""
        return (self.opens_at is None or self.opens_at <= at) and (self.closes_at is None or at < self.closes_at)


@dataclass(frozen=True)
class DrawFacts:
    """The event's draw. Until it is held, orders enter it instead of the queue."""

    id: int
    closes_at: datetime
    seed_hash: str
    is_held: bool


@dataclass(frozen=True)
class GuestRule:
    """How many tickets of a type, published or not, each ticket of its host brings."""

    type_id: int
    host_id: int
    per_ticket: int


@dataclass(frozen=True)
class Catalogue:
    """One event's published types in the order of the page."""

    event_id: int
    event_public_id: uuid.UUID
    organisation_id: int
    currency: str
    max_per_person: int | None
    sign_in_required: bool
    ends_at: datetime
    types: tuple[TypeFacts, ...]
    draw: DrawFacts | None = None
    is_ended: bool = False  # the organiser has ended the sale (sale_control)
    is_cancelled: bool = False  # there will be no event
    guest_rules: tuple[GuestRule, ...] = ()
    quota_names: Mapping[int, str] = field(default_factory=dict, hash=False)  # {quota id: its public id}

    def type(self, type_id: int) -> TypeFacts | None:
        return self._types.get(type_id)

    @cached_property
    def _types(self) -> dict[int, TypeFacts]:
        return {facts.id: facts for facts in self.types}

    @cached_property
    def for_all(self) -> Catalogue:
        """As strangers may know it: without the types that are not shown to everybody."""
        return self.only({facts.id for facts in self.types if facts.is_for_all})

    @cached_property
    def for_all_quotas(self) -> frozenset[str]:
        """The public ids of the quotas that types shown to everybody draw on."""
        return self.quotas_of({facts.id for facts in self.types if facts.is_for_all})

    def quotas_of(self, type_ids: Set[int]) -> frozenset[str]:
        """The public ids of the quotas that these types draw on."""
        drawn = {quota_id for facts in self.types if facts.id in type_ids for quota_id in facts.quota_ids}
        return frozenset(name for quota_id, name in self.quota_names.items() if quota_id in drawn)

    def only(self, type_ids: Set[int]) -> Catalogue:
        """The same with these types alone."""
        if all(facts.id in type_ids for facts in self.types):
            return self
        return replace(self, types=tuple(facts for facts in self.types if facts.id in type_ids))

    @cached_property
    def later_types(self) -> tuple[TypeFacts, ...]:
        """Types that are shown once another is sold out, and have not been yet."""
        return tuple(facts for facts in self.types if facts.visibility == "after" and not facts.has_come_up)

    def shows(self, facts: TypeFacts, left: Mapping[int, int]) -> bool:
        """Whether strangers see a type while so many places are `left` by quota. One that waits for another to be sold
        out is shown when nothing is left of that, also while that is not published, and stays (see reservations): who
        chose it is not sent away."""
        if facts.visibility == TicketType.Visibility.AFTER and not facts.has_come_up:
            return facts.after_quota_ids is None or _left_in(facts.after_quota_ids, left) == 0
        return facts.is_for_all

    @cached_property
    def has_limits(self) -> bool:
        """Whether what somebody owns already can keep them from buying more."""
        return self.max_per_person is not None or any(
            facts.max_per_person is not None or facts.conflicts or facts.guests_of_id for facts in self.types
        )


@dataclass
class _Kept:
    """A catalogue in memory: until when it may be shown unasked, and the edition it was read in."""

    until: float
    edition: str
    catalogue: Catalogue


_kept: dict[int, _Kept] = {}
times_forgotten = 0


def load(event_id: int, *, fresh: bool = False) -> Catalogue:
    """The catalogue of one event, half a second old at most. Raises Event.DoesNotExist. Locks nothing.

    `fresh`: as the database has it now. One query when nothing has changed since it was read last.
    """
    kept = _kept.get(event_id)
    if kept is not None and not fresh and time.monotonic() < kept.until:
        return kept.catalogue
    edition = catalogue_edition.now(event_id)
    if kept is None or kept.edition != edition:
        # Read after its edition: what changes in between is read now and once more the next time, never missed.
        kept = _kept[event_id] = _Kept(0.0, edition, _read(event_id))
    kept.until = time.monotonic() + KEPT_SECONDS
    return kept.catalogue


def forget(**_: object) -> None:
    """Drop what this process keeps, and the forms made from it (blank_forms). Connected to saves of the catalogue's
    models, so that an editor sees changes at once."""
    global times_forgotten
    times_forgotten += 1
    _kept.clear()


def _pairs(through: type, left: str, right: str, ids: Iterable[int]) -> dict[int, list[int]]:
    grouped: dict[int, list[int]] = {}
    rows = through.objects.filter(**{f"{left}__in": list(ids)}).values_list(left, right).order_by(left, right)  # type: ignore[attr-defined]
    for one, other in rows:
        grouped.setdefault(one, []).append(other)
    return grouped


def _read(event_id: int) -> Catalogue:
    ended = SaleChange.objects.filter(event=OuterRef("pk"), until__isnull=True, kind=SaleChange.Kind.ENDED)
    events = Event.objects.select_related("draw", "organisation").defer("draw__seed").annotate(is_ended=Exists(ended))
    event = events.get(pk=event_id)
    has_vat = not event.organisation.is_outside_vat
    draw = getattr(event, "draw", None)
    all_types = list(TicketType.objects.filter(event_id=event_id))
    types = [row for row in all_types if row.is_published]
    variations = list(Variation.objects.filter(ticket_type__in=types))
    choices = list(Choice.objects.filter(variation__in=variations, is_published=True))
    type_ids = [row.pk for row in types]
    with_earlier = {*type_ids, *(row.after_type_id for row in types if row.after_type_id is not None)}
    type_quotas = _pairs(TicketType.quotas.through, "tickettype_id", "quota_id", with_earlier)
    choice_quotas = _pairs(Choice.quotas.through, "choice_id", "quota_id", [row.pk for row in choices])
    conflicts = _pairs(TicketType.conflicts_with.through, "from_tickettype_id", "to_tickettype_id", type_ids)

    choices_of: dict[int, list[ChoiceFacts]] = {}
    for row in choices:
        choices_of.setdefault(row.variation_id, []).append(
            ChoiceFacts(
                id=row.pk,
                public_id=row.public_id,
                name_sv=row.name_sv,
                name_en=row.name_en,
                delta_minor=row.delta_minor,
                max_quantity=row.max_quantity,
                quota_ids=tuple(choice_quotas.get(row.pk, ())),
                is_default=row.is_default,
            )
        )
    variations_of: dict[int, list[VariationFacts]] = {}
    for variation in variations:
        variations_of.setdefault(variation.ticket_type_id, []).append(
            VariationFacts(
                id=variation.pk,
                public_id=variation.public_id,
                name_sv=variation.name_sv,
                name_en=variation.name_en,
                kind=variation.kind,
                choices=tuple(choices_of.get(variation.pk, ())),
            )
        )
    return Catalogue(
        event_id=event.pk,
        event_public_id=event.public_id,
        organisation_id=event.organisation_id,
        currency=event.currency,
        max_per_person=event.max_per_person,
        sign_in_required=event.sign_in_required,
        ends_at=event.ends_at,
        is_ended=event.is_ended,
        is_cancelled=event.cancelled_at is not None,
        guest_rules=tuple(
            GuestRule(row.pk, row.guests_of_id, row.guests_per_ticket) for row in all_types if row.guests_of_id
        ),
        quota_names={pk: str(name) for pk, name in event.quotas.values_list("pk", "public_id")},
        draw=DrawFacts(draw.pk, draw.closes_at, draw.seed_hash, draw.drawn_at is not None) if draw else None,
        types=tuple(
            TypeFacts(
                id=row.pk,
                public_id=row.public_id,
                name_sv=row.name_sv,
                name_en=row.name_en,
                description_sv=row.description_sv,
                description_en=row.description_en,
                price_minor=row.price_minor,
                currency=event.currency,
                vat_percent=row.vat_percent if has_vat else Decimal(0),
                vat_split=vat.split_of(row.vat_split) if has_vat else (),
                visibility=row.visibility,
                after_quota_ids=None if row.after_type_id is None else tuple(type_quotas.get(row.after_type_id, ())),
                has_come_up=row.came_up_at is not None,
                opens_at=row.sale_opens_at,
                closes_at=row.sale_closes_at,
                min_per_order=row.min_per_order,
                max_per_order=row.max_per_order,
                max_per_person=row.max_per_person,
                conflicts=frozenset(conflicts.get(row.pk, ())),
                quota_ids=tuple(type_quotas.get(row.pk, ())),
                variations=tuple(variations_of.get(row.pk, ())),
                needs_name=row.needs_name,
                guests_of_id=row.guests_of_id,
                guests_per_ticket=row.guests_per_ticket,
            )
            for row in types
        ),
    )


def stock(event_id: int) -> dict[int, int]:
    """Places left by quota id, as committed now. For showing only: deciding reads under lock."""
    return {quota.pk: quota.left for quota in Quota.objects.filter(event_id=event_id)}


def left_of(facts: TypeFacts, left: Mapping[int, int]) -> int:
    """How many of a type are left by its own quotas; a type without any quota has none to sell."""
    return _left_in(facts.quota_ids, left)


def is_sold_out(choice: ChoiceFacts, left: Mapping[int, int]) -> bool:
    """Whether a choice takes from a quota that has nothing left."""
    return any(left.get(quota_id, 0) <= 0 for quota_id in choice.quota_ids)


def _left_in(quota_ids: Iterable[int], left: Mapping[int, int]) -> int:
    return max(0, min((left.get(quota_id, 0) for quota_id in quota_ids), default=0))
