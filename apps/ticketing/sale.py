"""What the ticket block shows one visitor at one moment: which types, at which price, how many, in which state.

Reads the catalogue, the stock, the gates and the price rules; decides and writes nothing. Counts are the database's and
true: "few left" is said from a tenth of the places, or from 50 when they are at most a third.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from apps.events.models import Event
from apps.ticketing import catalogue as catalogues
from apps.ticketing import pricing, reasons, reservations
from apps.ticketing.catalogue import Catalogue, DrawFacts, TypeFacts
from apps.ticketing.context import ContextLine, PurchaseContext
from apps.ticketing.extensions import Holding, NamedAdjustment, Share, Why, purchase_gates
from apps.ticketing.models import Order, Quota, TicketType
from apps.ticketing.states import OrderState

FEW_LEFT_COUNT = 50
FEW_LEFT_SHARE = 10  # a tenth
FEW_LEFT_AT_MOST = 3  # a third, however small the event
IN_QUEUE = (OrderState.QUEUED, OrderState.WAITING, OrderState.OFFERED, OrderState.RESERVED)


class SaleState(TextChoices):
    """The states of the ticket block; `queueing` is decided by the view, which knows the visitor's order."""

    NOT_OPEN = "not_open", _("not open")
    QUEUEING = "queueing", _("queueing")
    ON_SALE = "on_sale", _("on sale")
    SOLD_OUT = "sold_out", _("sold out")
    OVER = "over", _("over")


@dataclass(frozen=True)
class TypeOffer:
    """One ticket type as this visitor sees it. `why_not` is a sentence when a gate refuses; prices in minor units."""

    facts: TypeFacts
    left: int
    size: int
    is_open: bool
    opens_later: bool
    price_minor: int
    list_minor: int
    adjustments: tuple[NamedAdjustment, ...] = ()
    whys: tuple[Why, ...] = ()
    why_not: str = ""
    not_with: tuple[str, ...] = ()
    sold_out_choices: frozenset[int] = frozenset()
    per_person: int | None = None  # the most of all types together
    share: Share | None = None  # what the visitor's link keeps of this type for them
    is_by_share_only: bool = False  # whoever has no such link does not see it

    @property
    def is_sold_out(self) -> bool:
        return self.left <= 0

    @property
    def can_be_chosen(self) -> bool:
        return self.is_open and not self.is_sold_out and not self.why_not

    @property
    def can_be_prepared(self) -> bool:
        """Whether it opens later: it can be chosen ahead, and sent from that second on."""
        return self.opens_later and not self.is_sold_out and not self.why_not

    @property
    def is_asked(self) -> bool:
        """Whether the form asks how many: it can be bought now, or be chosen for when it opens."""
        return self.can_be_chosen or self.can_be_prepared

    @property
    def few_left(self) -> bool:
        """Whether it is fair to say that few are left."""
        if self.is_sold_out:
            return False
        return self.left * FEW_LEFT_SHARE <= self.size or (
            self.left <= FEW_LEFT_COUNT and self.left * FEW_LEFT_AT_MOST <= self.size
        )

    @property
    def few_left_count(self) -> int | None:
        """The number to say with it; none while it is large."""
        return self.left if self.left <= FEW_LEFT_COUNT else None

    @property
    def highest(self) -> int:
        """The most that one order may take."""
        by_link = self.share.most if self.share is not None and self.is_by_share_only else None
        limits = (self.facts.max_per_order, self.facts.max_per_person, self.per_person, by_link)
        return min(limit for limit in limits if limit is not None)


@dataclass(frozen=True)
class Sale:
    """An event's ticket block for one visitor at the moment `at`."""

    event: Event
    catalogue: Catalogue
    at: datetime
    state: SaleState
    offers: tuple[TypeOffer, ...]
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    held: int = 0  # orders that hold places unpaid; places come back when they let go
    seats: int = 0  # tickets in all of those shown to everybody; 0 where quotas overlap and no sum would be true
    token_problems: tuple[str, ...] = ()  # sentences: why a link or code of the visitor's is worth nothing

    @property
    def changes_at(self) -> datetime | None:
        """The next moment at which something opens or closes, whether it is shown or not."""
        moments = [self.event.ends_at, *(moment for facts in self.catalogue.types for moment in facts.window)]
        if self.catalogue.draw is not None:
            moments.append(self.catalogue.draw.closes_at)
        return min((moment for moment in moments if moment is not None and moment > self.at), default=None)

    @property
    def has_more_for_members(self) -> bool:
        """Whether there are tickets for members that this visitor does not see. That there are some is no secret."""
        shown = {offer.facts.id for offer in self.offers}
        members = TicketType.Visibility.MEMBERS
        return any(facts.visibility == members and facts.id not in shown for facts in self.catalogue.types)

    @property
    def open_draw(self) -> DrawFacts | None:
        """The draw one enters now instead of the queue."""
        draw = self.catalogue.draw
        return draw if draw is not None and not draw.is_held and self.at < draw.closes_at else None

    @property
    def choosable(self) -> tuple[TypeOffer, ...]:
        """What the form asks about, now or ahead of its opening."""
        return tuple(offer for offer in self.offers if offer.is_asked)

    @property
    def opens_later(self) -> bool:
        """Whether a type that can be chosen here has yet to open."""
        return any(offer.can_be_prepared for offer in self.offers)

    @property
    def is_free(self) -> bool:
        """Whether nothing that can be chosen here costs anything; of a sale where nothing can be, that nothing did."""
        offers = self.choosable or self.offers
        choices = [c for offer in offers for variation in offer.facts.variations for c in variation.choices]
        return not any(offer.price_minor for offer in offers) and all(c.delta_minor <= 0 for c in choices)


def load(event: Event, context: PurchaseContext) -> Sale:
    """The sale of `event` as the visitor of `context` sees it at `context.at`. A constant number of queries."""
    catalogue = catalogues.load(event.pk)
    lines = tuple(
        ContextLine(
            key=position,
            ticket_type_id=facts.id,
            price_minor=facts.price_minor,
            vat_percent=facts.vat_percent,
            vat_split=facts.vat_split,
        )
        for position, facts in enumerate(catalogue.types)
    )
    context = replace(context, lines=lines, each_alone=True)
    quotas = {quota.pk: quota for quota in Quota.objects.filter(event_id=event.pk)}
    left = {pk: quota.left for pk, quota in quotas.items()}
    denied, allowed = _ask_gates(context)
    holding = _holding_of(context)
    quote = pricing.quote(context, explains=True)

    open_ids = {line.ticket_type_id for line in lines if line.key in allowed}
    open_ids |= {facts.id for facts in catalogue.types if catalogue.shows(facts, left)}
    shares = {type_id: one for one in reversed(holding.shares) if one.most for type_id in one.ticket_type_ids}
    offers = []
    for line, priced in zip(lines, quote.lines, strict=True):
        facts = catalogue.types[line.key]
        share, is_open = shares.get(facts.id), facts.id in open_ids
        if not is_open and share is None:
            continue
        own = [quotas[pk] for pk in facts.quota_ids if pk in quotas]
        tightest = min(own, key=lambda quota: quota.left, default=None)
        gone = _sold_out_choices(facts, left)
        offers.append(
            TypeOffer(
                facts=facts,
                left=0 if _lacks_a_choice(facts, gone) else _left_for(facts, left, share, is_open=is_open),
                size=tightest.size if tightest else 0,
                is_open=facts.is_open(context.at),
                opens_later=facts.opens_at is not None and context.at < facts.opens_at,
                price_minor=priced.price_minor,
                list_minor=priced.list_minor,
                adjustments=priced.adjustments,
                whys=priced.whys,
                why_not=reasons.sentence(denied[line.key]) if line.key in denied else "",
                not_with=tuple(
                    other.name
                    for other in catalogue.types
                    if other.id in facts.conflicts and (other.id in open_ids or other.id in shares)
                ),
                sold_out_choices=gone,
                per_person=catalogue.max_per_person,
                share=share,
                is_by_share_only=not is_open,
            )
        )
    sentences = tuple(dict.fromkeys(reasons.sentence(reason) for reason in holding.refusals))
    drawn = [offer.facts.quota_ids for offer in offers if not offer.is_by_share_only]
    seats = sum(quotas[pk].size for pk in {pk for ids in drawn for pk in ids} if pk in quotas)
    is_sum = all(len(ids) == 1 for ids in drawn)
    return _sale(event, catalogue, context.at, tuple(offers), seats if is_sum else 0, sentences)


def may_choose(event: Event, context: PurchaseContext) -> frozenset[int]:
    """The types that are not shown to everybody, and that this visitor may choose: by their tokens, or because a gate
    lets them. The rest must be answered as if it was not there."""
    catalogue = catalogues.load(event.pk)
    lines = tuple(
        ContextLine(position, facts.id, facts.price_minor, facts.vat_percent, vat_split=facts.vat_split)
        for position, facts in enumerate(catalogue.types)
    )
    context = context.with_lines(lines)
    left = catalogues.stock(event.pk) if catalogue.later_types else {}
    _denied, allowed = _ask_gates(context)
    shared = {type_id for share in _holding_of(context).shares for type_id in share.ticket_type_ids}
    return frozenset(
        line.ticket_type_id
        for line, facts in zip(lines, catalogue.types, strict=True)
        if line.key in allowed or facts.id in shared or catalogue.shows(facts, left)
    )


def _holding_of(context: PurchaseContext) -> Holding:
    """What the visitor's tokens are worth; nothing is asked for whoever has none."""
    if not context.tokens:
        return Holding()
    return reservations.holdings_of([context], context.at, lock=False).get(context.order_id, Holding())


def _left_for(facts: TypeFacts, left: dict[int, int], share: Share | None, *, is_open: bool) -> int:
    """How many of a type are left for this visitor: what everybody may have, and what is kept for their link."""
    of_all = catalogues.left_of(facts, left)
    if share is None:
        return of_all
    kept = {pk: left.get(pk, 0) + share.set_aside.get(pk, 0) for pk in facts.quota_ids}
    by_link = min(share.most, catalogues.left_of(facts, kept))
    return max(of_all, by_link) if is_open else by_link


def _sale(
    event: Event,
    catalogue: Catalogue,
    at: datetime,
    offers: tuple[TypeOffer, ...],
    seats: int,
    token_problems: tuple[str, ...],
) -> Sale:
    open_now = [offer for offer in offers if offer.is_open]
    opens = [offer.facts.opens_at for offer in offers if offer.opens_later and offer.facts.opens_at]
    closes = {offer.facts.closes_at for offer in open_now}
    held = 0
    if at >= event.ends_at or not offers or catalogue.is_ended:
        state = SaleState.OVER
    elif any(not offer.is_sold_out for offer in open_now):
        state = SaleState.ON_SALE
    elif opens:
        state = SaleState.NOT_OPEN
    elif open_now:
        state = SaleState.SOLD_OUT
        held = Order.objects.filter(event=event, state__in=[OrderState.RESERVED, OrderState.OFFERED]).count()
    else:
        state = SaleState.OVER
    return Sale(
        event=event,
        catalogue=catalogue,
        at=at,
        state=state,
        offers=offers,
        opens_at=min(opens, default=None),
        closes_at=closes.pop() if len(closes) == 1 else None,
        held=held,
        seats=seats,
        token_problems=token_problems,
    )


def _ask_gates(context: PurchaseContext) -> tuple[dict[int, str], set[int]]:
    """({line key: reason it is denied for}, line keys that some gate allows). Any deny wins."""
    denied: dict[int, str] = {}
    allowed: set[int] = set()
    for gate in purchase_gates:
        answers = gate.prepare([context], context.at)
        for line in context.lines:
            opinion = gate.opinion(context, line, answers)
            if opinion.allows is False:
                denied.setdefault(line.key, opinion.reason or reasons.REFUSED)
            elif opinion.allows:
                allowed.add(line.key)
    return denied, allowed


def _sold_out_choices(facts: TypeFacts, left: dict[int, int]) -> frozenset[int]:
    choices = [choice for variation in facts.variations for choice in variation.choices]
    return frozenset(choice.id for choice in choices if catalogues.is_sold_out(choice, left))


def _lacks_a_choice(facts: TypeFacts, gone: frozenset[int]) -> bool:
    """Whether every answer to a question that must be answered is sold out: then so is the ticket."""
    return any(
        variation.is_mandatory and all(choice.id in gone for choice in variation.choices)
        for variation in facts.variations
    )


def own_order(event: Event, *, buyer_key: str = "", reference: str = "", secret: str = "") -> Order | None:
    """The visitor's newest order in the queue or held, known by their key or by their link. One query at most."""
    if reference and secret:
        orders = Order.objects.filter(event=event, reference=reference, secret=secret)
    elif buyer_key:
        orders = Order.objects.filter(event=event, buyer_key=buyer_key)
    else:
        return None
    return orders.filter(state__in=IN_QUEUE).select_related("draw").defer("draw__seed").order_by("-pk").first()
