"""Which discounts a ticket that is sold again has for its new owner. Next: `rules` asks whether they get them.

What depends on a person is asked anew, within its limits. Codes, early birds, groups and what the first ones got end
with the first sale. A surcharge that is not asked anew stays: whoever paid it is repaid, so that somebody pays it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from apps.discounts.facts import DiscountFacts, EventDiscounts
from apps.discounts.models import DiscountUse
from apps.ticketing.context import ContextLine
from apps.ticketing.extensions import NamedAdjustment
from apps.ticketing.models import Adjustment, Ticket


@dataclass(frozen=True)
class Resold:
    """A line that sells a ticket again, as one that is sold new: with the discounts that are asked about it, those of
    them that stay whoever has it, and the surcharges that are as they were frozen."""

    line: ContextLine
    discounts: EventDiscounts
    staying: frozenset[int] = frozenset()
    frozen: tuple[NamedAdjustment, ...] = ()


def asked_anew(discounts: EventDiscounts) -> EventDiscounts:
    """Those that hold for a person, within their limits and dates, and those that hold always."""
    return EventDiscounts(tuple(discount for discount in discounts.discounts if discount.is_asked_anew))


def of_line(line: ContextLine, discounts: EventDiscounts, *, source: str) -> Resold:
    """`line` sells a ticket, with its adjustments fetched. One query where a surcharge of it was renamed."""
    as_new = replace(line, price_minor=max(0, line.price_minor), fulfilment="issue", subject="", sells=None)
    anew = asked_anew(discounts)
    rows = [row for row in line.sells.line.adjustments.all() if row.source == source and row.amount_minor > 0]
    if not rows:
        return Resold(as_new, anew)
    known = _discounts_of(line.sells, rows, discounts)
    staying = {found.id for found in known.values() if not found.is_asked_anew}
    asked = [
        _unconditional(discount) if discount.id in staying else discount
        for discount in discounts.discounts
        if discount.is_asked_anew or discount.id in staying
    ]
    frozen = tuple(NamedAdjustment.of(row) for row in rows if row.pk not in known)
    return Resold(as_new, EventDiscounts(tuple(asked)), frozenset(staying), frozen)


def _discounts_of(ticket: Ticket, rows: list[Adjustment], discounts: EventDiscounts) -> dict[int, DiscountFacts]:
    """{row id: the surcharge it was} of those that are still there: by their name, else by what was used, as a name may
    have been corrected since."""
    named = {discount.name_sv or discount.name_en: discount for discount in discounts.discounts}
    known = {row.pk: named[row.label_sv] for row in rows if row.label_sv in named}
    renamed = [row for row in rows if row.pk not in known]
    if renamed:
        by_name = {discount.id for discount in known.values()}
        uses = DiscountUse.objects.filter(line=ticket.line_id, amount_minor__gt=0).exclude(discount__in=by_name)
        there = {discount.id: discount for discount in discounts.discounts}
        left = [use for use in uses.order_by("pk") if use.discount_id in there]
        for row in renamed:
            if use := next((use for use in left if use.amount_minor == row.amount_minor), None):
                left.remove(use)
                known[row.pk] = there[use.discount_id]
    return known


def _unconditional(discount: DiscountFacts) -> DiscountFacts:
    """A surcharge that was paid already: it asks nothing any more and is not counted."""
    return replace(
        discount, needs_code=False, min_quantity=None, opens_at=None, closes_at=None, max_per_person=None, size=None
    )
