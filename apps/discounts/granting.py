"""Which discounts each ticket gets, and why it does not get the others: decided in plain Python for a whole batch.

The rule, which reads as a sentence to the organiser: of the discounts that compete, the buyer gets the best one; those
that are added come on top of it, one after the other in the order of the list, each on what is left. The dearest
tickets of an order are served first, so that a limited right is worth most to its buyer; orders are served in the order
of the batch. Nothing here asks the database; `rules` reads, `claims` writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from apps.discounts import codes
from apps.discounts.claims import Granted
from apps.discounts.extensions import Verdict
from apps.discounts.facts import DiscountFacts, EventDiscounts
from apps.ticketing.context import ContextLine, PurchaseContext

SOURCE = "discounts"
MEMBER, UNKNOWN = "member:", "unknown:"  # what somebody made up is taken for, with a body's public id behind


class Outcome(StrEnum):
    """What became of one discount for one ticket."""

    GIVEN = "given"
    BEATEN = "beaten"  # another one is better for the buyer
    NOTHING = "nothing"  # it would change nothing
    NOT_YET = "not_yet"
    OVER = "over"
    NO_CODE = "no_code"
    CODE_USED_UP = "code_used_up"
    SIGN_IN = "sign_in"  # nobody knows who this is
    NOT_LISTED = "not_listed"
    NOT_MEMBER = "not_member"
    NOT_KNOWN = "not_known"  # whether they are a member
    TOO_FEW = "too_few"
    HAD = "had"  # as often as one person may
    USED_UP = "used_up"
    NOT_THEN = "not_then"  # it would be given today, and was not when the ticket was sold


@dataclass(frozen=True)
class CodeFacts:
    """One code as it stands now."""

    id: int
    discount_id: int
    text: str
    size: int | None
    taken: int
    is_active: bool


@dataclass(frozen=True)
class Finding:
    """One discount and one ticket. `amount_minor` is what it changes, or would change alone."""

    discount: DiscountFacts
    outcome: Outcome
    amount_minor: int = 0
    is_provisional: bool = False
    code: str = ""
    beaten_by: DiscountFacts | None = None

    @property
    def key(self) -> tuple[Hashable, ...]:
        """What tells it from other findings of one batch, quicker than the facts of its discount do."""
        better = self.beaten_by.id if self.beaten_by else None
        return (self.discount.id, str(self.outcome), self.amount_minor, self.is_provisional, self.code, better)


@dataclass
class Known:
    """All that is known of the buyers and of what is left, read for a batch at once. The counters go down while the
    batch is served."""

    verdicts: Mapping[int, Mapping[int, Verdict]] = field(default_factory=dict)
    listed: Mapping[tuple[int, int], str] = field(default_factory=dict)  # (discount, user): their entry of its list
    codes: Mapping[tuple[int, str], CodeFacts] = field(default_factory=dict)  # by (event, text)
    taken: dict[int, int] = field(default_factory=dict)  # by discount
    had: Counter[tuple[int, str]] = field(default_factory=Counter)  # by (discount, who it is counted for)
    own: Mapping[tuple[int, int], int | None] = field(default_factory=dict)  # (line, discount): code; held already
    code_taken: dict[int, int] = field(default_factory=dict)
    worked: dict[int, _Worked] = field(default_factory=dict)  # by the id of the discounts, which it keeps

    def counted_for(self, context: PurchaseContext, discount: DiscountFacts) -> str:
        """Whose limit a ticket uses up: of a personal list each entry has one, however many accounts come by it."""
        return self.listed.get((discount.id, context.user_id or 0), "") or context.buyer_key


@dataclass(frozen=True)
class Served:
    """What one context's tickets get, by the key of the line."""

    granted: Mapping[int, tuple[Granted, ...]]
    findings: Mapping[int, tuple[Finding, ...]]


@dataclass(frozen=True)
class _Standing:
    """How a person stands to a discount before its limits are looked at."""

    outcome: Outcome
    is_provisional: bool = False
    codes: tuple[CodeFacts, ...] = ()


class _Worked:
    """What was worked out for an event's discounts while a batch is served, since most of its buyers are alike: which
    of them a ticket is about, how anybody without an account stands to them, and what comes of that at a price."""

    def __init__(self, discounts: EventDiscounts) -> None:
        self.discounts = discounts
        self.about: dict[tuple[int, str], tuple[DiscountFacts, ...]] = {}
        self.standings: dict[Hashable, Mapping[int, _Standing]] = {}
        self.settled: dict[Hashable, _Settled] = {}
        self.with_minimum = [each for each in discounts.discounts if each.min_quantity is not None]
        self.in_time = [each for each in discounts.discounts if each.opens_at is not None or each.closes_at is not None]

    def about_line(self, line: ContextLine) -> tuple[DiscountFacts, ...]:
        key = (line.ticket_type_id, line.fulfilment)
        if key not in self.about:
            self.about[key] = tuple(discount for discount in self.discounts.discounts if discount.covers(line))
        return self.about[key]


@dataclass(frozen=True)
class _Settled:
    """What comes of how a buyer stands to the discounts of one ticket: those given, in the order in which they are, by
    what they change it, and what is found of each."""

    given: tuple[tuple[DiscountFacts, int, CodeFacts | None, bool], ...]
    findings: tuple[Finding, ...]


def serve(context: PurchaseContext, discounts: EventDiscounts, known: Known) -> Served:
    """Decide one context, taking what it uses up out of `known`."""
    granted: dict[int, tuple[Granted, ...]] = {}
    findings: dict[int, tuple[Finding, ...]] = {}
    worked = known.worked.get(id(discounts))
    if worked is None:
        worked = known.worked[id(discounts)] = _Worked(discounts)
    standings = _standings(context, worked, known)
    for line in sorted(context.lines, key=lambda line: (-line.list_minor, line.key)):
        if about := worked.about_line(line):
            granted[line.key], findings[line.key] = _serve_line(context, line, about, standings, known, worked)
    return Served(granted, findings)


def _standings(context: PurchaseContext, worked: _Worked, known: Known) -> Mapping[int, _Standing]:
    """How a buyer stands to each discount. Those without an account differ by their codes, by how many tickets they
    want, and by when they came."""
    counts = {
        discount.id: 1 if context.each_alone else sum(discount.covers(line) for line in context.lines)
        for discount in worked.with_minimum
    }
    key: Hashable = None
    if context.user_id is None and not context.pretends:
        times = tuple(_moment(context, each) for each in worked.in_time)
        key = (context.event_id, context.tokens, tuple(counts.values()), times)
        if key in worked.standings:
            return worked.standings[key]
    found = {
        discount.id: _standing(context, discount, counts.get(discount.id, 0), known)
        for discount in worked.discounts.discounts
    }
    if key is not None:
        worked.standings[key] = found
    return found


def _serve_line(
    context: PurchaseContext,
    line: ContextLine,
    about: tuple[DiscountFacts, ...],
    standings: Mapping[int, _Standing],
    known: Known,
    worked: _Worked,
) -> tuple[tuple[Granted, ...], tuple[Finding, ...]]:
    stand = tuple([_stands(context, line, discount, standings[discount.id], known) for discount in about])
    key = (line.ticket_type_id, line.fulfilment, context.currency, line.list_minor, line.price_minor, stand)
    settled = worked.settled.get(key)
    if settled is None:
        settled = worked.settled[key] = _settle(Price.of(context, line), about, stand)
    granted = []
    for discount, change, code, is_provisional in settled.given:
        _take(context, line, discount, code, known)
        granted.append(
            Granted(
                SOURCE,
                discount.name_sv or discount.name_en,
                discount.name_en or discount.name_sv,
                change,
                discount.bearer,
                is_provisional=is_provisional,
                discount_id=discount.id,
                code_id=code.id if code else None,
                buyer_key=known.counted_for(context, discount),
            )
        )
    return tuple(granted), settled.findings


def _stands(
    context: PurchaseContext, line: ContextLine, discount: DiscountFacts, standing: _Standing, known: Known
) -> tuple[Outcome, bool, CodeFacts | None]:
    """How one ticket stands to a discount now that its limits are looked at: (outcome, whether it is provisional, the
    code it is by)."""
    if context.anew is not None and (line.key, discount.id) in known.own:
        standing = _kept(context, line, discount, known)
        return standing.outcome, standing.is_provisional, next(iter(standing.codes), None)
    if standing.outcome != Outcome.GIVEN:
        return standing.outcome, standing.is_provisional, None
    if not _may_come_later(context, discount):
        return Outcome.NOT_THEN, standing.is_provisional, None
    outcome, code = _right(context, line, discount, standing, known)
    return outcome, standing.is_provisional, code


def _settle(
    price: Price, about: Sequence[DiscountFacts], stand: Sequence[tuple[Outcome, bool, CodeFacts | None]]
) -> _Settled:
    """Of what competes the best, then what is added, each on what is left of the price."""
    found: dict[int, Finding] = {}
    open_to: dict[int, CodeFacts | None] = {}
    for discount, (outcome, is_provisional, code) in zip(about, stand, strict=True):
        change = price.change(discount)
        if outcome == Outcome.GIVEN and not discount.is_added and not change:
            outcome = Outcome.NOTHING
        found[discount.id] = Finding(discount, outcome, change, is_provisional, code.text if code else "")
        if outcome == Outcome.GIVEN:
            open_to[discount.id] = code

    competing = [discount for discount in about if discount.id in open_to and not discount.is_added]
    best = min(competing, key=lambda discount: found[discount.id].amount_minor, default=None)
    for discount in competing:
        if best is not None and discount is not best:
            finding = found[discount.id]
            found[discount.id] = Finding(discount, Outcome.BEATEN, finding.amount_minor, beaten_by=best)
    given = []
    for discount in ([best] if best else []) + [each for each in about if each.id in open_to and each.is_added]:
        change = price.change(discount)
        finding = found[discount.id]
        if not change:
            found[discount.id] = Finding(discount, Outcome.NOTHING)
            continue
        price.apply(change)
        found[discount.id] = Finding(discount, Outcome.GIVEN, change, finding.is_provisional, finding.code)
        given.append((discount, change, open_to[discount.id], finding.is_provisional))
    return _Settled(tuple(given), tuple(found.values()))


@dataclass
class Price:
    """A price on its way down or up: the whole of it, and the part that is the ticket's own, without its choices."""

    currency: str
    whole: int
    own: int

    @classmethod
    def of(cls, context: PurchaseContext, line: ContextLine) -> Price:
        return cls(context.currency, whole=line.list_minor, own=min(line.price_minor, line.list_minor))

    def change(self, discount: DiscountFacts) -> int:
        base = self.whole if discount.covers_choices else min(self.own, self.whole)
        return discount.change(base, self.currency)

    def apply(self, change: int) -> None:
        self.whole += change
        self.own = max(0, self.own + change)


# --- Conditions ------------------------------------------------------------------------------------------------------


def _moment(context: PurchaseContext, discount: DiscountFacts) -> Outcome:
    """Whether it is a discount's time."""
    if discount.opens_at is not None and context.at < discount.opens_at:
        return Outcome.NOT_YET
    is_over = discount.closes_at is not None and context.at >= discount.closes_at
    return Outcome.OVER if is_over else Outcome.GIVEN


def _standing(context: PurchaseContext, discount: DiscountFacts, count: int, known: Known) -> _Standing:
    if (moment := _moment(context, discount)) != Outcome.GIVEN:
        return _Standing(moment)
    own_codes: tuple[CodeFacts, ...] = ()
    if discount.needs_code:
        texts = codes.of_tokens(context.tokens)
        typed = (known.codes.get((context.event_id, text)) for text in texts)
        own_codes = tuple(code for code in typed if code and code.is_active and code.discount_id == discount.id)
        if not own_codes:
            return _Standing(Outcome.NO_CODE)
    is_known = context.user_id is not None or bool(context.pretends)
    if (discount.needs_list or discount.bodies) and not is_known:
        return _Standing(Outcome.SIGN_IN)
    if discount.needs_list and (discount.id, context.user_id) not in known.listed:
        return _Standing(Outcome.NOT_LISTED)
    is_provisional = False
    if discount.bodies:
        verdict = _verdict(context, discount, known)
        is_provisional = verdict == Verdict.UNKNOWN
        if verdict == Verdict.NO:
            return _Standing(Outcome.NOT_MEMBER)
        if is_provisional and not discount.gives_when_unknown:
            return _Standing(Outcome.NOT_KNOWN)
    if discount.min_quantity is not None and count < discount.min_quantity:
        return _Standing(Outcome.TOO_FEW)
    return _Standing(Outcome.GIVEN, is_provisional, own_codes)


def _may_come_later(context: PurchaseContext, discount: DiscountFacts) -> bool:
    """Whether a ticket may get it now that did not get it when it was sold: by a membership that was learnt since."""
    if context.anew is None or context.anew.learned is None:
        return True
    return any(f"{MEMBER}{body.public_hex}" in context.anew.learned for body in discount.bodies)


def _kept(context: PurchaseContext, line: ContextLine, discount: DiscountFacts, known: Known) -> _Standing:
    """How somebody stands to what their ticket got when it was sold: it stays, whatever became of its code, its list
    or the other tickets of the order. Only that they are no member ends it."""
    verdict = _verdict(context, discount, known) if discount.bodies else Verdict.YES
    if verdict == Verdict.NO:
        return _Standing(Outcome.NOT_MEMBER)
    code_id = known.own[line.key, discount.id]
    own_codes = tuple(code for code in known.codes.values() if code.id == code_id)
    if code_id is not None and not own_codes:
        return _Standing(Outcome.NO_CODE)
    is_provisional = verdict == Verdict.UNKNOWN and discount.gives_when_unknown
    return _Standing(Outcome.GIVEN, is_provisional, own_codes)


def _verdict(context: PurchaseContext, discount: DiscountFacts, known: Known) -> Verdict:
    """A member of one of the bodies is one, and who is perhaps a member of one is not known."""
    if context.pretends:
        names = [body.public_hex for body in discount.bodies]
        if any(f"{MEMBER}{name}" in context.pretends for name in names):
            return Verdict.YES
        return Verdict.UNKNOWN if any(f"{UNKNOWN}{name}" in context.pretends for name in names) else Verdict.NO
    stored = known.verdicts.get(context.user_id or 0, {})
    verdicts = {stored.get(body.id, Verdict.UNKNOWN) for body in discount.bodies}
    return next((verdict for verdict in (Verdict.YES, Verdict.UNKNOWN) if verdict in verdicts), Verdict.NO)


def _right(
    context: PurchaseContext, line: ContextLine, discount: DiscountFacts, standing: _Standing, known: Known
) -> tuple[Outcome, CodeFacts | None]:
    """Whether its limits leave room for one ticket more, and by which code."""
    own = (line.key, discount.id)
    if context.order_id is not None and own in known.own:
        return Outcome.GIVEN, next((code for code in standing.codes if code.id == known.own[own]), None)
    if discount.size is not None and known.taken.get(discount.id, 0) >= discount.size:
        return Outcome.USED_UP, None
    if discount.max_per_person is not None:
        keys = {context.buyer_key, known.counted_for(context, discount)}
        if sum(known.had[discount.id, key] for key in keys) >= discount.max_per_person:
            return Outcome.HAD, None
    if not discount.needs_code:
        return Outcome.GIVEN, None
    for code in standing.codes:
        if code.size is None or known.code_taken.get(code.id, code.taken) < code.size:
            return Outcome.GIVEN, code
    return Outcome.CODE_USED_UP, None


def _take(
    context: PurchaseContext, line: ContextLine, discount: DiscountFacts, code: CodeFacts | None, known: Known
) -> None:
    if context.each_alone or (context.order_id is not None and (line.key, discount.id) in known.own):
        return
    known.taken[discount.id] = known.taken.get(discount.id, 0) + 1
    known.had[discount.id, known.counted_for(context, discount)] += 1
    if code is not None:
        known.code_taken[code.id] = known.code_taken.get(code.id, code.taken) + 1
