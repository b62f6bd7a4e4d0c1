"""Which discounts a ticket that is sold again has for its new owner. Next: `rules` asks whether they get them.

What depends on a person is asked anew, within its limits; of a gift, for which nothing is claimed, without what is
limited. Codes, early birds, groups and what the first ones got end with the first sale. A surcharge stays as it was
paid, whatever its organiser has made of it since: whoever paid it is repaid, so that somebody pays it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from apps.discounts import granting
from apps.discounts.claims import Granted
from apps.discounts.facts import DiscountFacts, EventDiscounts
from apps.discounts.models import Discount, DiscountUse
from apps.ticketing.context import ContextLine, PurchaseContext
from apps.ticketing.extensions import NamedAdjustment
from apps.ticketing.models import Adjustment, Ticket

_SURCHARGES = (Discount.Kind.MORE, Discount.Kind.PERCENT_MORE)
_PAID = DiscountFacts(
    id=0,
    name_sv="",
    name_en="",
    kind=Discount.Kind.MORE,
    amount_minor=0,
    percent=Decimal(0),
    covers_choices=False,
    is_added=True,
    type_ids=frozenset(),
    bodies=(),
    gives_when_unknown=False,
    needs_code=False,
    needs_list=False,
    min_quantity=None,
    opens_at=None,
    closes_at=None,
    max_per_person=None,
    size=None,
)


@dataclass(frozen=True)
class Paid:
    """A surcharge that its ticket was bought with, and which one it was of those that are still there."""

    row: Adjustment
    was: DiscountFacts | None

    @property
    def id(self) -> int:
        """What it is known by while it is served: nothing of it is counted with its discount."""
        return -self.row.pk

    def named(self, amount_minor: int) -> NamedAdjustment:
        """As it was named, with what it was noted where that is counted nowhere: by it a later sale knows it again."""
        named = replace(NamedAdjustment.of(self.row), amount_minor=amount_minor)
        if self.was is None or self.was.is_limited:
            return named
        return Granted(**vars(named), discount_id=self.was.id)


@dataclass(frozen=True)
class Resold:
    """A line that sells a ticket again, as one that is sold new: with what is asked about it, and the surcharges it was
    paid with among that by their ids."""

    line: ContextLine
    discounts: EventDiscounts
    paid: Mapping[int, Paid]

    def named(self, granted: Iterable[Granted]) -> list[NamedAdjustment]:
        """What the new owner's price is changed by, when `granted` was given."""
        return [
            self.paid[one.discount_id].named(one.amount_minor) if one.discount_id in self.paid else one
            for one in granted
        ]


Uses = Mapping[int, Sequence[DiscountUse]]  # by line


def uses_of(contexts: Iterable[PurchaseContext], *, source: str) -> Uses:
    """What the tickets were bought with that are sold again with a surcharge. One query, and none without any."""
    sold = [line.sells.line for context in contexts for line in context.lines if line.sells is not None]
    lines = {was.pk for was in sold if any(_is_surcharge(row, source) for row in was.adjustments.all())}
    uses: dict[int, list[DiscountUse]] = defaultdict(list)
    if lines:
        for use in DiscountUse.objects.filter(line__in=lines, amount_minor__gt=0).order_by("pk"):
            uses[use.line_id].append(use)
    return uses


def of_line(
    context: PurchaseContext, line: ContextLine, discounts: EventDiscounts, uses: Uses, *, source: str
) -> Resold:
    """`line` sells a ticket, with its adjustments fetched. Asks the database nothing."""
    as_new = replace(line, price_minor=max(0, line.price_minor), fulfilment="issue", subject="", sells=None)
    rows = [row for row in line.sells.line.adjustments.all() if row.source == source]
    more = [row for row in rows if _is_surcharge(row, source)]
    known = _discounts_of(more, uses.get(line.sells.line_id, ()), discounts)
    places = {discount.id: place for place, discount in enumerate(discounts.discounts)}
    were_paid = {found.id for found in known.values()}
    asked = [
        (places[discount.id], 0, discount)
        for discount in discounts.discounts
        if (discount.is_asked_anew or _was_share_of_nothing(line.sells, discount))
        and discount.id not in were_paid
        and not (context.is_gift and discount.is_limited)
    ]
    place = len(places)  # of one that is not there any more: before the next that is
    for number, row in reversed(list(enumerate(more))):
        was = known.get(row.pk)
        place = places[was.id] if was else place
        is_share = was is not None and _is_share_of_then(context, as_new, rows, row, was)
        facts = replace(_PAID, id=-row.pk, amount_minor=row.amount_minor)
        if was is not None and is_share:
            facts = replace(facts, kind=was.kind, percent=was.percent, covers_choices=was.covers_choices)
        asked.append((place, number, facts))
    in_order = tuple(each for _place, _number, each in sorted(asked, key=lambda each: each[:2]))
    return Resold(as_new, EventDiscounts(in_order), {-row.pk: Paid(row, known.get(row.pk)) for row in more})


def _was_share_of_nothing(ticket: Ticket, discount: DiscountFacts) -> bool:
    """Whether a surcharge of so much of a hundred was asked for a ticket that cost nothing: it came to nothing and left
    no trace, and whoever pays for the ticket now pays it."""
    if discount.kind != Discount.Kind.PERCENT_MORE or discount.is_limited or discount.min_quantity:
        return False
    is_late = discount.opens_at is not None and ticket.issued_at < discount.opens_at
    is_over = discount.closes_at is not None and ticket.issued_at >= discount.closes_at
    return ticket.line.price_minor == 0 and not is_late and not is_over


def _is_surcharge(row: Adjustment, source: str) -> bool:
    return row.source == source and row.amount_minor > 0


def _discounts_of(
    rows: Sequence[Adjustment], uses: Sequence[DiscountUse], discounts: EventDiscounts
) -> dict[int, DiscountFacts]:
    """{row id: the surcharge it was} of those that are still there: by what was used, as a name may have been corrected
    since, else by their name. Of two each is found once."""
    there = {each.id: each for each in discounts.discounts if each.kind in _SURCHARGES}
    known: dict[int, DiscountFacts] = {}
    for row in rows:
        used = [
            there[use.discount_id] for use in uses if use.amount_minor == row.amount_minor and use.discount_id in there
        ]
        if used:
            known[row.pk] = min(used, key=lambda each: _label(each) != row.label_sv)
            del there[known[row.pk].id]
    for row in rows:
        named = next((each for each in there.values() if _label(each) == row.label_sv), None)
        if row.pk not in known and named is not None:
            known[row.pk] = there.pop(named.id)
    return known


def _label(discount: DiscountFacts) -> str:
    return discount.name_sv or discount.name_en


def _is_share_of_then(
    context: PurchaseContext, line: ContextLine, rows: Sequence[Adjustment], of: Adjustment, was: DiscountFacts
) -> bool:
    """Whether a surcharge is a percentage still, of the same and of as much: it is reckoned on what the new owner pays
    then. It is not where it comes to something else than was paid, on the price of then."""
    if was.kind != Discount.Kind.PERCENT_MORE or not was.covers(line):
        return False
    price = granting.Price.of(context, line)
    for row in rows:
        if row == of:
            return price.change(was) == row.amount_minor
        price.apply(row.amount_minor)
    return False
