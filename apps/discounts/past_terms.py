"""Discounts as they stood at a moment that is past: what an editor changes is not for orders decided before.

An order is priced anew when a membership is learnt after it was sold (`ticketing.requoting`). It gets what it would
have got, had the membership been known: the discounts of the moment at which its price was frozen, with the amounts and
conditions they had.
Names, sponsors, codes and what is left of limited numbers are as they are now.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from django.db import models

from apps.discounts import facts
from apps.discounts.facts import EventDiscounts, body_of, facts_of, rows_of
from apps.discounts.models import Discount, DiscountBody, DiscountTicketType, MemberBody, PastTerms
from apps.ticketing import clock

FIELDS = (
    "is_active",
    "position",
    "kind",
    "amount_minor",
    "percent",
    "covers_choices",
    "stacking",
    "when_unknown",
    "needs_code",
    "needs_list",
    "min_quantity",
    "opens_at",
    "closes_at",
    "max_per_person",
)

Terms = dict[str, Any]  # each of FIELDS as text, and ids of what the discount is for


def terms_of(discount_id: int) -> Terms:
    """What prices depend on, as it is stored now. Three queries."""
    row = Discount.objects.get(pk=discount_id)
    empty = {field.name: None for field in _fields()}
    written = {field.name: field.value_to_string(row) for field in _fields() if getattr(row, field.name) is not None}
    bodies = DiscountBody.objects.filter(discount=row).order_by("memberbody")
    types = DiscountTicketType.objects.filter(discount=row).order_by("tickettype")
    return {
        **empty,
        **written,
        "bodies": list(bodies.values_list("memberbody", flat=True)),
        "ticket_types": list(types.values_list("tickettype", flat=True)),
    }


def _fields() -> list[models.Field[Any, Any]]:
    return [field for field in Discount._meta.fields if field.name in FIELDS]


def remember(discount_id: int, was: Terms) -> None:
    """Keep what `terms_of` said before a discount was saved, where it says something else now."""
    if terms_of(discount_id) != was:
        PastTerms.objects.create(discount_id=discount_id, until=clock.now(), terms=was)


# {event: the edition, until when, and when anything of it was changed last}: where nothing was since, now is then.
_last: dict[int, tuple[facts.Kept, float, datetime | None]] = {}


def as_of(event_id: int, at: datetime) -> EventDiscounts:
    """The event's discounts as they stood at `at`, as far as that is known. Where nothing was changed since, they are
    those of now, and it costs a query or two in half a second; else five at most for each time that it is asked."""
    now = facts.keep(event_id)
    edition, until, changed_at = _last.get(event_id, (None, 0.0, None))
    if edition is not now or time.monotonic() >= until:
        changed_at = _last_change(event_id)
        _last[event_id] = (now, time.monotonic() + facts.KEPT_SECONDS, changed_at)
    if changed_at is None or changed_at <= at:
        return now.discounts
    return _read(event_id, at)


def _last_change(event_id: int) -> datetime | None:
    made = Discount.objects.filter(event=event_id).order_by().values_list("made_at")
    changed = PastTerms.objects.filter(discount__event=event_id).order_by().values_list("until")
    return max((at for (at,) in made.union(changed) if at is not None), default=None)


def _read(event_id: int, at: datetime) -> EventDiscounts:
    past = PastTerms.objects.filter(discount__event=event_id, until__gt=at).order_by("-until", "-pk")
    terms: dict[int, Terms] = {each.discount_id: each.terms for each in past}  # the one that ended first is left
    known = MemberBody.objects.in_bulk({pk for each in terms.values() for pk in each["bodies"]}) if terms else {}
    found = []
    for row in rows_of(event_id).prefetch_related("bodies", "ticket_types"):
        if row.made_at is not None and row.made_at > at:
            continue
        types, bodies = [kind.pk for kind in row.ticket_types.all()], list(row.bodies.all())
        if was := terms.get(row.pk):
            for field in _fields():
                setattr(row, field.name, field.to_python(was[field.name]))
            types, bodies = was["ticket_types"], [known[pk] for pk in was["bodies"] if pk in known]
            if was["bodies"] and not bodies:
                continue  # whoever it was for cannot be told any more; it was not for everybody
        if row.is_active:
            found.append((row, frozenset(types), tuple(body_of(body) for body in sorted(bodies, key=lambda b: b.pk))))
    found.sort(key=lambda each: (each[0].position, each[0].pk))
    return EventDiscounts(tuple(facts_of(*each) for each in found))
