"""Holding places: deciding a batch of queued orders, and letting go of what is not paid for.

The only writer of `Quota.taken`, `Quota.set_aside` and of `OrderLine.is_held`. Lock order: the event's advisory lock
(held by the queue), orders by id, whatever fulfilments hold, quotas by id, counters of allotments, counters of price
rules, the pace of payment. The database's CHECK on Quota is the last word: a mistake here fails loudly instead of
overselling.
"""

from __future__ import annotations

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from apps.accounts.prepared import Statement
from apps.events import page_cache
from apps.ticketing import bell, clock, live, mails, pacing, pricing, progress, reasons, sale_control, signals, vat
from apps.ticketing import catalogue as catalogues
from apps.ticketing.allocation import Decision, Room, Wish, decide, limit_refusal
from apps.ticketing.catalogue import Catalogue
from apps.ticketing.context import Chosen, ContextLine, PurchaseContext
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.extensions import (
    Holding,
    NamedAdjustment,
    RightIsGone,
    SellsAgain,
    Taken,
    allotments,
    fulfilments,
    price_rules,
    purchase_gates,
    waiting_lists,
)
from apps.ticketing.fulfilment import CHANGE, Issue
from apps.ticketing.models import (
    Adjustment,
    ChoiceChange,
    LineChoice,
    Order,
    OrderLine,
    Payment,
    Quota,
    Ticket,
    TicketType,
)
from apps.ticketing.models.orders import LIST, RESALE
from apps.ticketing.retries import is_passing, once_more
from apps.ticketing.states import ORDER_HOLDS, ORDER_IN_QUEUE, PAYMENT_LIVE, OrderState
from apps.ticketing.transitions import StaleState, move, move_many

EXTENSION_MINUTES = 5
LONGEST_HOLD_MINUTES = 30

log = logging.getLogger(__name__)


class BelowTaken(Exception):
    """A quota cannot become smaller than what is sold, held or set aside. Nothing was changed."""

    def __init__(self, quota: Quota, size: int) -> None:
        super().__init__(f"{quota.pk}: {size} < {quota.taken} + {quota.set_aside}")
        self.quota = quota


class TooFewLeft(Exception):
    """So many places cannot be set aside: they are sold, held or set aside already. Nothing was changed."""

    def __init__(self, quota: Quota, wanted: int) -> None:
        super().__init__(f"{quota.pk}: {wanted} > {quota.left}")
        self.quota = quota
        self.wanted = wanted


class MoreHeldThanPlaces(Exception):
    """A recount found more places held than a quota has: raise it or refund tickets first. Nothing was changed."""

    def __init__(self, quota: Quota, held: int) -> None:
        super().__init__(f"{quota.pk}: {held} + {quota.set_aside} > {quota.size}")
        self.quota = quota
        self.held = held


@dataclass(frozen=True)
class _Wanted:
    """What the decision, the gates and the prices ask of one order in the queue."""

    id: int
    public_id: UUID
    state: str
    organisation_id: int
    event_id: int
    currency: str
    queued_at: datetime
    buyer_key: str
    user_id: int | None
    email: str
    locale: str
    tokens: list[str] | str  # jsonb, which arrives as text
    channel: str
    fewer_is_fine: bool

    @property
    def pk(self) -> int:
        return self.id


NO_TOKENS = "[]"  # as PostgreSQL writes an empty array of jsonb
_ORDERS = Statement(
    "batch_orders",
    ("bigint[]", "text[]"),
    f"SELECT {', '.join(field.name for field in dataclass_fields(_Wanted))} FROM ticketing_order"
    " WHERE id = ANY($1) AND state = ANY($2) ORDER BY rank, id",
)
_LINES = Statement(
    "batch_lines",
    ("bigint[]",),
    "SELECT order_id, id, ticket_type_id, fulfilment, subject FROM ticketing_orderline"
    " WHERE order_id = ANY($1) AND is_wanted ORDER BY order_id, position",
)
_CHOICES = Statement(
    "batch_choices",
    ("bigint[]",),
    "SELECT line_id, choice_id, quantity, delta_minor FROM ticketing_linechoice WHERE line_id = ANY($1)"
    " ORDER BY line_id, id",
)


@dataclass(frozen=True)
class _Batch:
    orders: list[_Wanted]  # by rank
    contexts: dict[int, PurchaseContext]
    deltas: dict[tuple[int, int], int]  # {(line id, choice id): what stands there}, mostly what it costs still

    @property
    def lines(self) -> Iterator[ContextLine]:
        return (line for order in self.orders for line in self.contexts[order.pk].lines)

    @property
    def waited(self) -> set[int]:
        """Orders that were looked at before: only these may have prices from an offer that was declined."""
        return {order.pk for order in self.orders if order.state == OrderState.WAITING}


class PlacesCameBack(Exception):
    """Places came back that nobody who waits has looked at yet. Nothing was decided: those who wait come first."""


def reserve(order_ids: Sequence[int], event_id: int, at: datetime, *, are_newcomers: bool = False) -> list[Decision]:
    """Decide orders that wait in the queue: claim capacity, freeze prices, move their states. In rank order.

    The caller holds the event's advisory lock and has locked the orders; quotas are locked here, in id order. A
    constant number of queries for any number of orders. An order that somebody moved meanwhile is left out; once the
    event is over all are turned away. Raises PlacesCameBack, for newcomers alone, and whatever a plugin raises: then
    nothing of the batch is kept. Next: the buyer pays, payments.start.
    """
    facts = catalogues.load(event_id, fresh=True)
    batch = _read_batch(facts, order_ids)
    if not batch.orders:
        return []
    denials, allowed = _ask_gates(batch, at) if at < facts.ends_at else _deny_all(batch, reasons.EVENT_OVER)
    elsewhere = _ask_elsewhere(batch, denials)
    left, places_came_back = _lock_quotas(event_id)
    if are_newcomers and places_came_back and _somebody_waits(event_id):
        raise PlacesCameBack
    # Which quotas a type draws on changes only under these locks, so it is read again now that we hold them.
    facts = catalogues.load(event_id, fresh=True)
    buyers = {order.buyer_key for order in batch.orders}
    owned, paid = owned_and_paid(event_id, buyers) if facts.has_limits else ({}, {})
    holdings = _ask_allotments(batch, at)
    room = Room(left=dict(left), owned=owned, paid=paid)

    decisions = [
        decide(
            facts,
            room,
            Wish(
                order_id=order.pk,
                buyer_key=order.buyer_key,
                is_signed_in=order.user_id is not None,
                fewer_is_fine=order.fewer_is_fine,
                lines=batch.contexts[order.pk].lines,
                denials=denials,
                allowed=allowed,
                without_stock=elsewhere.without_stock,
                once_taken=elsewhere.once_taken,
                shares=holdings[order.pk].shares if order.pk in holdings else (),
                token_refusal=next(iter(holdings[order.pk].refusals), "") if order.pk in holdings else "",
            ),
        )
        for order in batch.orders
    ]
    decisions = [_without_waiting(order, decision) for order, decision in zip(batch.orders, decisions, strict=True)]
    _hold_elsewhere(elsewhere, decisions)
    totals = _write_prices(batch, decisions, at)
    kept = sum((Counter(places) for places in room.kept_taken.values()), Counter[int]())
    taken = {quota_id: was - room.left[quota_id] + kept[quota_id] for quota_id, was in left.items()}
    _write_taken({quota_id: count for quota_id, count in taken.items() if count}, {pk: -n for pk, n in kept.items()})
    _write_shares(batch, decisions, room)
    _note_come_up(facts, room.left, at)
    _write_states(batch, decisions, totals, at)
    names = {order.pk: order.public_id for order in batch.orders}
    results = [(names[decision.order_id], str(decision.state)) for decision in decisions]
    crashpoint("drain.before_commit")
    transaction.on_commit(partial(_tell, facts.event_public_id, results))
    return decisions


def _tell(event: UUID, results: Sequence[tuple[UUID, str]]) -> None:
    """Tell waiting pages what was decided, once the batch is committed."""
    crashpoint("drain.committed")
    live.publish_results(event, results)


def _lock_quotas(event_id: int) -> tuple[dict[int, int], bool]:
    """{quota id: places left} of every quota of the event, locked in id order; and whether places came back that
    nobody has looked at."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, size - taken - set_aside, returns <> returns_seen FROM ticketing_quota WHERE event_id = %s"
            " ORDER BY id FOR UPDATE",
            [event_id],
        )
        rows = cursor.fetchall()
    return {pk: left for pk, left, _came_back in rows}, any(came_back for _pk, _left, came_back in rows)


def _somebody_waits(event_id: int) -> bool:
    """In line, or on a waiting list."""
    in_line = Order.objects.filter(event_id=event_id, state=OrderState.WAITING).exists()
    return in_line or any(waiting_list.is_awaited(event_id) for waiting_list in waiting_lists)


def _without_waiting(order: _Wanted, decision: Decision) -> Decision:
    """Whoever accepted places that were kept for them does not wait in line for others."""
    if order.channel != LIST or decision.state != OrderState.WAITING:
        return decision
    return replace(decision, state=OrderState.REJECTED)


def _read_batch(facts: Catalogue, order_ids: Sequence[int]) -> _Batch:
    """The orders that are still to be decided, with what they want. Plain rows: three queries, no model objects."""
    orders = [_Wanted(*row) for row in _ORDERS.run(list(order_ids), [str(state) for state in ORDER_IN_QUEUE])]
    lines: dict[int, list[ContextLine]] = {order.pk: [] for order in orders}
    rows = _LINES.run(list(lines))
    choices: dict[int, list[tuple[int, int]]] = defaultdict(list)
    deltas = {}
    for line_id, choice_id, quantity, delta_minor in _CHOICES.run([row[1] for row in rows]):
        choices[line_id].append((choice_id, quantity))
        deltas[line_id, choice_id] = delta_minor
    for order_id, pk, type_id, fulfilment, subject in rows:
        lines[order_id].append(_context_line(facts, pk, type_id, choices.get(pk, ()), fulfilment, subject))
    if any(row[3] != Issue.slug for row in rows):
        sold_again = with_tickets([line for of_order in lines.values() for line in of_order])
        lines = {order_id: [sold_again.get(line.key, line) for line in own] for order_id, own in lines.items()}
    return _Batch(orders, {order.pk: context_of(order, lines[order.pk]) for order in orders}, deltas)


def with_tickets(lines: Iterable[ContextLine]) -> dict[int, ContextLine]:
    """{key: line} of those that sell somebody's ticket again, at what that ticket's price was made of: see
    `extensions.SellsAgain`. The others are left out; two or three queries for each such fulfilment."""
    found: dict[int, ContextLine] = {}
    elsewhere: dict[str, list[ContextLine]] = defaultdict(list)
    for line in lines:
        if line.fulfilment != Issue.slug and line.fulfilment in fulfilments:
            elsewhere[line.fulfilment].append(line)
    for slug, own in elsewhere.items():
        fulfilment = fulfilments.get(slug)
        if not isinstance(fulfilment, SellsAgain):
            continue
        sold = fulfilment.tickets_of([line.subject for line in own])
        found.update({line.key: _as_frozen(line, sold[line.subject]) for line in own if line.subject in sold})
    return found


def as_sold(ticket: Ticket) -> ContextLine:
    """A line that sells this ticket again, for asking what it would cost."""
    empty = ContextLine(ticket.pk, ticket.ticket_type_id, price_minor=0, vat_percent=ticket.line.vat_percent)
    return _as_frozen(empty, ticket)


def _as_frozen(line: ContextLine, ticket: Ticket) -> ContextLine:
    """The line with the base of `ticket`: its frozen list price, choices and rates of VAT."""
    was = ticket.line
    choices = tuple(Chosen(pick.choice_id, pick.quantity, pick.delta_minor) for pick in was.choices.all())
    # The type's part may have come to less than nothing with its choices; then all of it is the type's.
    own_minor = was.list_minor - sum(chosen.delta_minor * chosen.quantity for chosen in choices)
    return replace(
        line,
        price_minor=own_minor,
        vat_percent=was.vat_percent,
        vat_split=tuple((part.rate, part.list_minor) for part in was.vat_parts[1:]),
        choices=choices,
        sells=ticket,
    )


def context_of(order: Order | _Wanted, lines: Iterable[ContextLine]) -> PurchaseContext:
    """The facts plugins judge an order by. Its moment is when it was queued: waiting in line costs nobody a price."""
    return PurchaseContext(
        event_id=order.event_id,
        currency=order.currency,
        at=order.queued_at,
        buyer_key=order.buyer_key,
        user_id=order.user_id,
        email=order.email,
        locale=order.locale,
        tokens=_tokens(order.tokens),
        channel=order.channel,
        order_id=order.pk,
        lines=tuple(lines),
    )


def _tokens(written: list[str] | str) -> tuple[str, ...]:
    if written == NO_TOKENS:
        return ()  # nearly everybody, and cheaper than asking a parser
    return tuple(json.loads(written) if isinstance(written, str) else written)


def _context_line(
    facts: Catalogue, pk: int, type_id: int, choices: Sequence[tuple[int, int]], fulfilment: str, subject: str
) -> ContextLine:
    kind = facts.type(type_id)
    picked = []
    for choice_id, quantity in choices:
        choice = kind.choice(choice_id) if kind else None
        picked.append(Chosen(choice_id, quantity, choice.delta_minor if choice else 0))
    return ContextLine(
        key=pk,
        ticket_type_id=type_id,
        price_minor=kind.price_minor if kind else 0,
        vat_percent=kind.vat_percent if kind else Decimal(0),  # a type that is gone is refused, whatever it would cost
        vat_split=kind.vat_split if kind else (),
        choices=tuple(picked),
        fulfilment=fulfilment,
        subject=subject,
    )


def _ask_gates(batch: _Batch, at: datetime) -> tuple[dict[int, str], frozenset[int]]:
    """({line id: reason it is denied for}, line ids that some gate allows). Any deny wins."""
    denials: dict[int, str] = {}
    allowed: set[int] = set()
    contexts = list(batch.contexts.values())
    for gate in purchase_gates:
        answers = gate.prepare(contexts, at)
        for context in contexts:
            for line in context.lines:
                opinion = gate.opinion(context, line, answers)
                if opinion.allows is False:
                    denials.setdefault(line.key, opinion.reason or reasons.REFUSED)
                elif opinion.allows:
                    allowed.add(line.key)
    return denials, frozenset(allowed)


def _deny_all(batch: _Batch, reason: str) -> tuple[dict[int, str], frozenset[int]]:
    """As if a gate denied every line."""
    return {line.key: reason for line in batch.lines}, frozenset()


def _ask_allotments(batch: _Batch, at: datetime) -> dict[int | None, Holding]:
    """{order id: what its tokens are worth} of the orders that have any. Locks the allotments' counters."""
    contexts = [context for context in batch.contexts.values() if context.tokens]
    return holdings_of(contexts, at, lock=True) if contexts else {}


def holdings_of(contexts: Sequence[PurchaseContext], at: datetime, *, lock: bool) -> dict[int | None, Holding]:
    """{order id: what the tokens of its context are worth to all allotments together}; None names a form not sent."""
    found: dict[Any, Holding] = {}
    for allotment in allotments:
        for context, holding in zip(contexts, allotment.holdings(contexts, at, lock=lock), strict=True):
            sofar = found.get(context.order_id, Holding())
            found[context.order_id] = Holding(sofar.shares + holding.shares, sofar.refusals + holding.refusals)
    return found


@dataclass(frozen=True)
class _Elsewhere:
    """What lines of a batch name at other fulfilments: `rows` by line id, and why each is refused once taken."""

    rows: Mapping[int, OrderLine]
    without_stock: frozenset[int]
    once_taken: Mapping[int, str]


def _ask_elsewhere(batch: _Batch, denials: dict[int, str]) -> _Elsewhere:
    """Ask other fulfilments which lines cannot have what they name, which joins `denials`; they lock it."""
    by_slug: dict[str, list[int]] = defaultdict(list)
    for line in batch.lines:
        if line.fulfilment != Issue.slug:  # ours holds nothing but its place
            by_slug[line.fulfilment].append(line.key)
    rows = OrderLine.objects.in_bulk([key for keys in by_slug.values() for key in keys]) if by_slug else {}
    without_stock: list[int] = []
    once_taken: dict[int, str] = {}
    for slug, keys in by_slug.items():
        if slug not in fulfilments:
            denials.update(dict.fromkeys(keys, reasons.NOT_ON_SALE))  # its plugin is gone
            continue
        fulfilment = fulfilments.get(slug)
        denials.update(fulfilment.refusals([rows[key] for key in keys if key not in denials]))
        once_taken.update(dict.fromkeys(keys, fulfilment.once_taken))
        if not fulfilment.takes_stock:
            without_stock += keys
    return _Elsewhere(rows, frozenset(without_stock), once_taken)


def _hold_elsewhere(elsewhere: _Elsewhere, decisions: Sequence[Decision]) -> None:
    held = [elsewhere.rows[key] for decision in decisions for key in decision.held if key in elsewhere.rows]
    for slug, lines in _by_fulfilment(held).items():
        fulfilments.get(slug).reserve(lines)


def _release_elsewhere(lines: Sequence[OrderLine]) -> None:
    for slug, group in _by_fulfilment(lines).items():
        if slug in fulfilments:
            fulfilments.get(slug).release(group)


def _by_fulfilment(lines: Iterable[OrderLine]) -> dict[str, list[OrderLine]]:
    by_slug: dict[str, list[OrderLine]] = defaultdict(list)
    for line in lines:
        by_slug[line.fulfilment].append(line)
    return by_slug


_OWNED = Statement(
    "tickets_owned",
    ("bigint", "text[]", "text[]"),
    """
WITH own AS MATERIALIZED (
    SELECT id, buyer_key, state FROM ticketing_order WHERE event_id = $1 AND buyer_key = ANY($2) AND state = ANY($3)
)
SELECT buyer_key, ticket_type_id, count(*), count(*) FILTER (WHERE state = 'paid' AND leaving IS NULL) FROM (
    SELECT own.buyer_key, own.state, line.ticket_type_id, leaving.id AS leaving FROM own
    JOIN ticketing_orderline line ON line.order_id = own.id AND line.is_held AND line.owner_key = ''
        AND line.fulfilment NOT IN ('change', 'difference')
    LEFT JOIN ticketing_ticket leaving ON leaving.line_id = line.id AND leaving.state = 'held'
    UNION ALL
    SELECT line.owner_key, given.state, line.ticket_type_id, leaving.id FROM ticketing_orderline line
    JOIN ticketing_order given ON given.id = line.order_id AND given.event_id = $1
    LEFT JOIN ticketing_ticket leaving ON leaving.line_id = line.id AND leaving.state = 'held'
    WHERE line.owner_key = ANY($2) AND line.owner_key <> '' AND line.is_held
        AND line.fulfilment NOT IN ('change', 'difference')
) AS held GROUP BY 1, 2
""",
)


def owned_and_paid(event_id: int, buyer_keys: set[str]) -> tuple[dict[str, Counter[int]], dict[str, Counter[int]]]:
    """{buyer key: {ticket type id: tickets held, bought or got from somebody}}, without those given away, and the same
    of those paid for that nobody is buying from them. By person, or it would read all that was ever sold."""
    owned: dict[str, Counter[int]] = defaultdict(Counter)
    paid: dict[str, Counter[int]] = defaultdict(Counter)
    held = [str(state) for state in ORDER_HOLDS]
    for key, type_id, count, of_them_paid in _OWNED.run(event_id, list(buyer_keys), held):
        owned[key][type_id] = count
        paid[key][type_id] = of_them_paid
    return owned, paid


def why_too_many(facts: Catalogue, buyer_key: str, wanted: Counter[int]) -> str:
    """Why one person may not have these tickets, {ticket type id: number}, beside what they have at the event: a code
    from `reasons`; empty when they may. At most one query."""
    if not facts.has_limits:
        return ""
    owned, paid = owned_and_paid(facts.event_id, {buyer_key})
    return limit_refusal(facts, owned[buyer_key], wanted, paid=paid[buyer_key])


def _write_prices(batch: _Batch, decisions: Sequence[Decision], at: datetime) -> dict[int, int]:
    """Freeze the price of every held line, its choices and adjustments; rules claim their limited rights.

    Returns {order id: total}.
    """
    contexts = []
    for decision in decisions:
        if decision.held:
            context = batch.contexts[decision.order_id]
            if len(decision.held) != len(context.lines):
                context = context.with_lines(tuple(line for line in context.lines if line.key in decision.held))
            contexts.append(context)
    if not contexts:
        return {}
    quotes = pricing.quote_to_freeze(contexts, at)
    lines = [line for quote in quotes for line in quote.lines]
    _write_lines(lines, batch.deltas)
    waited = batch.waited
    seen_before = [line.key for context in contexts if context.order_id in waited for line in context.lines]
    if seen_before:
        Adjustment.objects.filter(line_id__in=seen_before).delete()  # of an offer declined before
    _write_adjustments(lines)
    held = [decision.order_id for decision in decisions if decision.held]
    return {order_id: quote.total_minor for order_id, quote in zip(held, quotes, strict=True)}


def _write_adjustments(lines: Sequence[pricing.QuoteLine]) -> None:
    """Freeze what changes the prices of these lines; rules claim their limited rights."""
    given = {line.line.key: line.adjustments for line in lines if line.adjustments}
    if not given:
        return
    rows = [
        (key, one.source, str(one.label_sv), str(one.label_en), int(one.amount_minor), one.bearer, one.is_provisional)
        for key, adjustments in given.items()
        for one in adjustments
    ]
    _ADJUSTED.run(*(list(column) for column in zip(*rows, strict=True)))
    _claim(given)


_ADJUSTED = Statement(
    "lines_adjusted",
    ("bigint[]", "text[]", "text[]", "text[]", "int[]", "text[]", "boolean[]"),
    """
INSERT INTO ticketing_adjustment (line_id, source, label_sv, label_en, amount_minor, bearer, is_provisional)
SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7) RETURNING id
""",
)


def let_go_of_claims(line_ids: Sequence[int]) -> None:
    """Have price rules take back what these lines claimed, before they are priced anew. Inside a transaction that has
    locked the order. Next: reprice."""
    claimed: dict[str, list[int]] = defaultdict(list)
    for source, line_id in _CLAIMS.run(list(line_ids)):
        claimed[source].append(line_id)
    for rule in price_rules:
        if rule.slug in claimed:
            rule.release(claimed[rule.slug])


_CLAIMS = Statement(
    "lines_claims",
    ("bigint[]",),
    "SELECT DISTINCT source, line_id FROM ticketing_adjustment WHERE line_id = ANY($1) ORDER BY source, line_id",
)


def reprice(lines: Sequence[pricing.QuoteLine]) -> None:
    """Freeze these prices, and why they are not lower, in place of those that held lines have, whose claims were let
    go of. Inside a transaction that has locked their order."""
    _write_lines(lines, {})
    Adjustment.objects.filter(line_id__in=[line.line.key for line in lines]).delete()
    _write_adjustments(lines)


_PRICED = Statement(
    "lines_priced",
    ("jsonb[]", "bigint[]", "int[]", "int[]", "numeric[]", "int[]", "text[]", "int[]"),
    """
UPDATE ticketing_orderline t SET is_held = true, list_minor = v.list, price_minor = v.price, vat_percent = v.rate,
    vat_minor = v.vat, vat_split = v.split::jsonb, not_given = $1[v.told]
FROM unnest($2, $3, $4, $5, $6, $7, $8) AS v(id, list, price, rate, vat, split, told) WHERE t.id = v.id RETURNING t.id
""",
)
_CHOICES_PRICED = Statement(
    "choices_priced",
    ("bigint[]", "bigint[]", "int[]"),
    """
UPDATE ticketing_linechoice t SET delta_minor = v.delta FROM unnest($1, $2, $3) AS v(line, choice, delta)
WHERE t.line_id = v.line AND t.choice_id = v.choice AND t.delta_minor <> v.delta RETURNING t.id
""",
)


def _write_lines(lines: Sequence[pricing.QuoteLine], known: Mapping[tuple[int, int], int]) -> None:
    """Hold these lines at their prices, with why they are not lower, and their choices at theirs, but for those that
    are known, {(line id, choice id): delta}, to stand there."""
    # Most lines of a batch are told the same of their price: it is sent once, and each line says which it is.
    told = {id(line.not_given): line.not_given for line in lines if line.not_given}
    places = {one: place for place, one in enumerate(told, 1)}
    _PRICED.run(
        [json.dumps(one, ensure_ascii=False) for one in told.values()],
        [line.line.key for line in lines],
        [line.list_minor for line in lines],
        [line.price_minor for line in lines],
        [line.line.vat_percent for line in lines],
        [line.vat_minor for line in lines],
        [json.dumps(vat.frozen(line.vat_parts)) if line.line.vat_split else None for line in lines],
        [places.get(id(line.not_given)) for line in lines] if places else [None] * len(lines),
    )
    deltas = [
        (line.line.key, chosen.choice_id, chosen.delta_minor)
        for line in lines
        for chosen in line.line.choices
        if known.get((line.line.key, chosen.choice_id)) != chosen.delta_minor
    ]
    if deltas:
        _CHOICES_PRICED.run(*(list(column) for column in zip(*deltas, strict=True)))


def _claim(adjustments: Mapping[int, Sequence[NamedAdjustment]]) -> None:
    for rule in price_rules:
        own = {
            key: [named for named in applied if named.source == rule.slug]
            for key, applied in adjustments.items()
            if any(named.source == rule.slug for named in applied)
        }
        if own:
            rule.claim(own)


def _write_taken(taken: Mapping[int, int], set_aside: Mapping[int, int] | None = None) -> None:
    """Add to `taken` and to `set_aside` by quota. Where what is taken falls, or both together, places came back, be it
    only for whom they are kept: that wakes those who wait. The quotas are locked by the caller."""
    kept = set_aside or {}
    ids = sorted({*taken, *kept})
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE ticketing_quota t SET taken = t.taken + v.n, set_aside = t.set_aside + v.kept,"
                " returns = t.returns + (least(v.n, v.n + v.kept) < 0)::int FROM"
                " (SELECT unnest(%s::bigint[]) AS id, unnest(%s::int[]) AS n, unnest(%s::int[]) AS kept) AS v"
                " WHERE t.id = v.id",
                [ids, [taken.get(pk, 0) for pk in ids], [kept.get(pk, 0) for pk in ids]],
            )


def _write_shares(batch: _Batch, decisions: Sequence[Decision], room: Room) -> None:
    """Remember of each held line the share it took from, and have the allotments count what was taken."""
    names = {key: share.name for decision in decisions for key, share in decision.shares.items()}
    waited = batch.waited
    again = [key for decision in decisions if decision.order_id in waited for key in decision.held]
    values = {**dict.fromkeys(again, ""), **names}  # a line that was offered from a share before may not be now
    if values:
        _SHARED_OUT.run(list(values), list(values.values()))
    by_slug: dict[str, dict[int, Taken]] = defaultdict(dict)
    shares = {share.name: share for decision in decisions for share in decision.shares.values()}
    for name, share in shares.items():
        by_slug[share.allotment][share.key] = Taken(room.taken[name], dict(room.kept_taken.get(name, {})))
    for slug, taken in by_slug.items():
        allotments.get(slug).take(taken)


_SHARED_OUT = Statement(
    "lines_shared_out",
    ("bigint[]", "text[]"),
    """
UPDATE ticketing_orderline t SET allotment = v.name FROM unnest($1, $2) AS v(id, name)
WHERE t.id = v.id AND t.allotment <> v.name RETURNING t.id
""",
)


def _note_come_up(facts: Catalogue, left: Mapping[int, int], at: datetime) -> None:
    """Types that are shown once another is sold out, and now are, stay open from now on. The quotas are locked."""
    come_up = [kind.id for kind in facts.later_types if facts.shows(kind, left)]
    if come_up:
        TicketType.objects.filter(pk__in=come_up, came_up_at=None).update(came_up_at=at)
        transaction.on_commit(catalogues.forget)


def _write_states(batch: _Batch, decisions: Sequence[Decision], totals: Mapping[int, int], at: datetime) -> None:
    was = {order.pk: order.state for order in batch.orders}
    hold = {
        OrderState.RESERVED: at + timedelta(minutes=settings.HOLD_MINUTES),
        OrderState.OFFERED: at + timedelta(minutes=settings.OFFER_MINUTES),
    }
    groups: dict[tuple[OrderState, str], list[int]] = defaultdict(list)
    reserved: list[int] = []
    for decision in decisions:
        if was[decision.order_id] != decision.state:  # a waiting order that still waits does not move
            groups[decision.state, decision.reason].append(decision.order_id)
    for (state, reason), ids in groups.items():
        move_many(
            Order,
            ids,
            [old for old in ORDER_IN_QUEUE if old != state],
            state,
            reason,
            each={"total_minor": {pk: totals[pk] for pk in ids}} if state in hold else None,
            decided_at=at,
            reserved_until=hold.get(state),
            pays_from=None,
        )
        if state in hold:
            mails.your_turn(ids)
        if state == OrderState.RESERVED:
            reserved += ids
    if reserved:
        _begin_holds(reserved, batch.orders[0], at=at, until=hold[OrderState.RESERVED])
    newly = sum(state == OrderState.QUEUED for state in was.values())
    if newly:
        progress.note(batch.orders[0].event_id, newly)


def _begin_holds(order_ids: Sequence[int], one: Order | _Wanted, *, at: datetime, until: datetime) -> None:
    """Let orders just reserved to the payment, one after the other where its provider sets a pace, and have their
    buyers reminded before time is up. All are of the event of `one`; without a pace their holds end at `until`."""
    held_for = until - at  # less than its minutes while the clocks of holds stand still
    opens = pacing.admit(order_ids, organisation_id=one.organisation_id, currency=one.currency, held_for=held_for)
    mails.hold_ends_soon({pk: opens[pk] + held_for if pk in opens else until for pk in order_ids})


def release(
    order_ids: Iterable[int],
    old: str | Iterable[str],
    new: str,
    reason: str,
    *,
    actor: Any = None,
    **values: Any,
) -> list[int]:
    """Let go of what orders hold and move them to `new`; returns the ids that really moved.

    Locks the orders, then what their lines hold, in the house's lock order. Safe to repeat: an order that somebody else
    moved is left alone. Next: the queue serves those who wait, woken on commit.
    """
    with transaction.atomic():
        moved = move_many(Order, order_ids, old, new, reason, actor=actor, reserved_until=None, **values)
        if moved:
            give_back(OrderLine.objects.filter(order_id__in=moved, is_held=True))
    return moved


def give_back(lines: Iterable[OrderLine]) -> None:
    """Put the places of held lines back on sale. Their frozen prices stay: late money is measured by them.

    Idempotent per line. Inside a transaction that has locked the lines' orders. Locks quotas by id.
    """
    ids = [line.pk for line in lines]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ticketing_orderline SET is_held = false WHERE id = ANY(%s) AND is_held RETURNING id", [ids]
        )
        freed = sorted(row[0] for row in cursor.fetchall())
    if not freed:
        return
    held = list(OrderLine.objects.filter(pk__in=freed).select_related("order"))
    _release_elsewhere(held)
    counts = _stock_of(held)
    list(Quota.objects.select_for_update().filter(pk__in=counts).order_by("pk").values_list("pk"))
    kept_again = _give_back_to_shares(line for line in held if line.allotment)
    _write_taken({quota_id: -count for quota_id, count in counts.items()}, kept_again)
    let_go_of_claims(freed)
    for event_id in sorted({line.order.event_id for line in held}):
        transaction.on_commit(partial(_announce_return, event_id))


def _give_back_to_shares(lines: Iterable[OrderLine]) -> dict[int, int]:
    """{quota id: places} that are kept for the shares of these lines again; of the rest of their allotments nothing is
    known any more. Locks the allotments' counters, after the quotas."""
    kept: Counter[int] = Counter()
    for slug, groups in _by_share(lines).items():
        given = {key: Taken(len(group), _type_places(group)) for key, group in groups.items()}
        kept.update(allotments.get(slug).give_back(given, clock.now()))
    return dict(kept)


def _by_share(lines: Iterable[OrderLine]) -> dict[str, dict[int, list[OrderLine]]]:
    """{slug of an allotment: {key of a share: lines that took from it}}, of allotments that are here."""
    found: dict[str, dict[int, list[OrderLine]]] = {}
    for line in lines:
        slug, _colon, key = line.allotment.partition(":")
        if slug in allotments:
            found.setdefault(slug, {}).setdefault(int(key), []).append(line)
    return found


def _type_places(lines: Sequence[OrderLine]) -> dict[int, int]:
    """{quota id: places} that the types of these lines draw on; what was chosen with them is never kept for a share."""
    types = Counter(line.ticket_type_id for line in lines if line.fulfilment in _stocked_fulfilments())
    through = TicketType.quotas.through.objects.filter(tickettype_id__in=types)
    places: Counter[int] = Counter()
    for type_id, quota_id in through.values_list("tickettype_id", "quota_id"):
        places[quota_id] += types[type_id]
    return dict(places)


def set_aside(event_id: int, changes: Mapping[int, int], at: datetime) -> None:
    """Keep so many more places of each quota from everybody (negative: fewer), as an allotment's own rows now say.

    Inside a transaction that holds the quotas (`lock_quotas`). Raises TooFewLeft, and then nothing may be kept. Places
    that come back wake those who wait.
    """
    quotas = {quota.pk: quota for quota in Quota.objects.filter(pk__in=changes)}
    for pk, count in changes.items():
        if count > quotas[pk].left:
            raise TooFewLeft(quotas[pk], count)
    _write_taken({}, changes)
    facts = catalogues.load(event_id, fresh=True)
    if facts.later_types:
        _note_come_up(facts, catalogues.stock(event_id), at)
    if any(count < 0 for count in changes.values()):
        transaction.on_commit(partial(_announce_return, event_id))


def lock_quotas(event_id: int) -> None:
    """Hold the quotas of an event until the transaction ends, in id order: before the counters of an allotment."""
    _lock_quotas(event_id)


def return_lapsed(event_id: int) -> None:
    """Let allotments give back what they keep for nobody any more."""
    for allotment in allotments:
        allotment.return_lapsed(event_id, clock.now())


def _announce_return(event_id: int) -> None:
    signals.places_returned.send_robust(sender=Quota, event_id=event_id)
    bell.ring(event_id)


def exchange(event_id: int, taken: Mapping[int, int], given: Mapping[int, int]) -> bool:
    """Take places by quota for the choices of a ticket that is sold, and give those back that it has no more. False,
    changing nothing, where one of them lacks or came back for somebody who waits.

    The caller, in whose transaction it happens, has locked the ticket's order. Locks the quotas by id.
    """
    net = Counter(taken)
    net.subtract(given)
    net = Counter({quota_id: count for quota_id, count in net.items() if count})
    quotas = list(Quota.objects.select_for_update().filter(pk__in=net).order_by("pk"))
    wanted = [quota for quota in quotas if net[quota.pk] > 0]
    if any(quota.left < net[quota.pk] for quota in wanted):
        return False
    if any(quota.returns != quota.returns_seen for quota in wanted) and _somebody_waits(event_id):
        return False  # they come first
    _write_taken(net)
    if any(count < 0 for count in net.values()):
        transaction.on_commit(partial(_announce_return, event_id))
    return True


def hold_change(line: OrderLine, taken: Mapping[int, int]) -> bool:
    """Hold a line that changes the choices of a ticket sold before, and the stock of what it adds, until it is paid or
    let go. False, changing nothing, where there is none left. Locks the quotas by id."""
    if not exchange(line.order.event_id, taken, {}):
        return False
    OrderLine.objects.filter(pk=line.pk).update(is_held=True)
    return True


# Once paid, what such a line adds stands on the ticket's own line, and is counted there.
_UNPAID_CHANGE = Q(line__fulfilment=CHANGE, line__order__paid_at__isnull=True)


def _stock_of(lines: Sequence[OrderLine]) -> dict[int, int]:
    """Places by quota that these lines take, from the database's own catalogue: what a type draws on now."""
    ids = [line.pk for line in lines]
    taken = Counter(count_taken(Q(pk__in=ids, fulfilment__in=_stocked_fulfilments())))
    if any(line.fulfilment == CHANGE for line in lines):
        taken.update(_count_changes(Q(line__in=ids)))
    return dict(taken)


def _count_changes(which: Q) -> Counter[int]:
    """{quota id: places} that unpaid changes take besides those that their tickets take already: each at least none,
    also where what it adds was taken out of a quota since."""
    added: dict[int, Counter[int]] = defaultdict(Counter)
    rows = LineChoice.objects.filter(_UNPAID_CHANGE, which, choice__quotas__isnull=False)
    for line_id, quota_id, quantity in rows.values_list("line", "choice__quotas", "quantity"):
        added[line_id][quota_id] += quantity
    for line_id, covered in ChoiceChange.objects.filter(_UNPAID_CHANGE, which).values_list("line", "covered"):
        added[line_id] -= Counter({int(quota_id): count for quota_id, count in covered.items()})  # never below none
    return sum(added.values(), Counter[int]())


def _count_choices(rows: QuerySet[LineChoice]) -> Counter[int]:
    taken: Counter[int] = Counter()
    for quota_id, quantity in rows.filter(choice__quotas__isnull=False).values_list("choice__quotas", "quantity"):
        taken[quota_id] += quantity
    return taken


def _stocked_fulfilments() -> list[str]:
    return [fulfilment.slug for fulfilment in fulfilments if fulfilment.takes_stock]


def count_taken(which: Q) -> dict[int, int]:
    """{quota id: places} that the order lines matching `which` take through their type and their choices."""
    taken: Counter[int] = Counter()
    lines = OrderLine.objects.filter(which)
    for quota_id, count in (
        lines.filter(ticket_type__quotas__isnull=False)
        .values_list("ticket_type__quotas")
        .annotate(n=Count("pk"))
        .order_by()
    ):
        taken[quota_id] += count
    taken.update(_count_choices(LineChoice.objects.filter(line__in=lines)))
    return dict(taken)


def hand_over(old: OrderLine, new: OrderLine) -> None:
    """Let `new` have the place that `old` holds: one of a ticket that is sold again. No quota is touched.

    From now on `new` holds its place as one of an ordinary purchase does. Inside a transaction that has locked both
    orders.
    """
    _HANDED_OVER.run(old.pk, new.pk, Issue.slug)
    let_go_of_claims([old.pk])


# With the share it was taken from: should the place come back, it is kept for that again.
_HANDED_OVER = Statement(
    "line_handed_over",
    ("bigint", "bigint", "text"),
    """
WITH given AS (UPDATE ticketing_orderline SET is_held = false, refunded_at = foyer_now() WHERE id = $1
    RETURNING allotment)
UPDATE ticketing_orderline taken SET fulfilment = $3, subject = '', allotment = given.allotment
FROM given WHERE taken.id = $2 RETURNING taken.id
""",
)


def expire_overdue(at: datetime) -> list[int]:
    """End the holds whose time is up and return the orders that lost theirs, at most 500 a call.

    An order with a live payment is left alone: payments.close_overdue closes the payment at its provider first,
    because a place must not be sold again while money may be on its way. Two sweepers at once end each hold once. An
    order that cannot be released (a plugin fails) is logged and left for a minute; the others are released. While a
    sale stands still none of its holds ends.
    """
    ids = list(_overdue(at).order_by("pk").values_list("pk", flat=True)[:500])
    return _expire(ids, at)


def _overdue(at: datetime) -> QuerySet[Order]:
    live = Payment.objects.filter(order=OuterRef("pk"), state__in=PAYMENT_LIVE)
    return Order.objects.filter(
        ~Exists(live),
        ~sale_control.is_stopped(),
        Q(next_try_at__isnull=True) | Q(next_try_at__lte=at),
        state__in=[OrderState.RESERVED, OrderState.OFFERED],
        reserved_until__lte=at,
    )


def _expire(ids: Sequence[int], at: datetime) -> list[int]:
    if not ids:
        return []
    try:
        with transaction.atomic():
            # Looked at again under lock: a buyer may have taken the offer, or begun to pay, a moment ago.
            due = _overdue(at).select_for_update(of=("self",), no_key=True, skip_locked=True).filter(pk__in=ids)
            holds = [OrderState.RESERVED, OrderState.OFFERED]
            released = release([order.pk for order in due], holds, OrderState.EXPIRED, reasons.HOLD_EXPIRED)
            mails.hold_expired(released)
            return released
    except Exception as error:
        if is_passing(error):
            raise
        if len(ids) == 1:
            log.error("the hold of order %s cannot be ended: %r", ids[0], error)
            Order.objects.filter(pk=ids[0]).update(next_try_at=clock.Now() + timedelta(minutes=1))
            return []
        middle = len(ids) // 2
        return _expire(ids[:middle], at) + _expire(ids[middle:], at)


@once_more
def accept_offer(order: Order) -> None:
    """The buyer settles for the part: the order is reserved for it, and the rest is wanted no more.

    Raises StaleState when the offer is over. Next: payments.start.
    """
    with transaction.atomic():
        locked = Order.objects.select_for_update(no_key=True).get(pk=order.pk)
        at = clock.now()
        hold_time = sale_control.state_of(order.event_id).hold_time(at)  # after the lock; see there
        if locked.reserved_until is None or locked.reserved_until <= hold_time:
            raise StaleState(order, OrderState.RESERVED)
        until = hold_time + timedelta(minutes=settings.HOLD_MINUTES)
        move(order, OrderState.RESERVED, old=OrderState.OFFERED, reserved_until=until)
        OrderLine.objects.filter(order=order, is_held=False).update(is_wanted=False)
        _begin_holds([order.pk], order, at=at, until=until)
    order.refresh_from_db(fields=["pays_from", "reserved_until"])


@once_more
def decline_offer(order: Order) -> None:
    """The buyer would rather wait for all: the part goes back, the rank stays, and from now on it is all or nothing.

    Raises StaleState when the offer is over.
    """
    with transaction.atomic():
        if not release(
            [order.pk], OrderState.OFFERED, OrderState.WAITING, reasons.SOLD_OUT, fewer_is_fine=False, total_minor=0
        ):
            raise StaleState(order, OrderState.WAITING)
    order.refresh_from_db()


def extend(order: Order) -> bool:
    """Five minutes more, once, while the hold still runs; nobody has longer than 30 minutes in all to pay, a pause of
    the sale not counted.

    False when it was used before, when the hold is over or as long as it may be, when payment has not opened to this
    buyer yet (their time begins then), and for a ticket that its owner waits to be paid for. Locks the order.
    """
    with transaction.atomic():
        locked = Order.objects.select_for_update(no_key=True).get(pk=order.pk)
        now = clock.now()
        at = sale_control.state_of(order.event_id).hold_time(now)
        longest, until = longest_hold(locked, at), locked.reserved_until
        runs = locked.state == OrderState.RESERVED and until is not None and at < until < longest
        pays = locked.pays_from is None or locked.pays_from <= now
        may = runs and pays and not locked.was_extended and locked.channel != RESALE
        if may and until is not None:
            until = min(until + timedelta(minutes=EXTENSION_MINUTES), longest)
            Order.objects.filter(pk=order.pk).update(was_extended=True, reserved_until=until)
    order.refresh_from_db()
    return may


def longest_hold(order: Order, at: datetime) -> datetime:
    """Until when the hold of an order may last at most; neither a pause of the sale nor the wait for payment to open is
    counted. `at` stands in when it was never decided."""
    begun = order.pays_from or order.decided_at or at
    stood = sale_control.stood_still(order.event_id, since=begun)
    return begun + timedelta(minutes=LONGEST_HOLD_MINUTES) + stood


def retake(order: Order) -> bool:
    """Claim the places of an expired order again, for money that came late, before those who wait for places.

    All or nothing; False when it is full, and when the event is over. Inside a transaction that has locked the order.
    Prices stay as frozen. Next: settle moves it to paid.
    """
    lines = list(OrderLine.objects.filter(order=order, is_wanted=True, is_held=False, refunded_at__isnull=True))
    counts = _stock_of(lines)
    quotas = {quota.pk: quota for quota in Quota.objects.select_for_update().filter(pk__in=counts).order_by("pk")}
    from_shares = _retake_shares(lines)
    if from_shares is None:
        return False  # the link they came by is used up
    kept = sum((Counter(taken.places) for one in from_shares.values() for taken in one.values()), Counter[int]())
    if any(quotas[quota_id].left + kept[quota_id] < count for quota_id, count in counts.items()):
        return False
    if any(line.fulfilment not in _stocked_fulfilments() for line in lines):
        return False  # what a plugin held has gone back to its owner
    facts = catalogues.load(order.event_id, fresh=True)
    if facts.is_cancelled or facts.ends_at <= clock.now():
        return False
    owned, paid = owned_and_paid(order.event_id, {order.buyer_key})
    wanted = Counter(line.ticket_type_id for line in lines)
    if limit_refusal(facts, owned[order.buyer_key], wanted, paid=paid[order.buyer_key]):
        return False  # they have bought again since
    try:
        with transaction.atomic():
            _write_taken(counts, {quota_id: -count for quota_id, count in kept.items()})
            for slug, taken in from_shares.items():
                allotments.get(slug).take(taken)
            OrderLine.objects.filter(pk__in=[line.pk for line in lines]).update(is_held=True)
            _claim(_frozen_adjustments(lines))
    except RightIsGone:
        return False  # others have the discount it was bought with
    return True


def _retake_shares(lines: Sequence[OrderLine]) -> dict[str, dict[int, Taken]] | None:
    """{slug: {key: what these lines take of their shares again}}; None when a share has too few tickets left, though it
    may be over: they bought in time. A line whose allotment is gone takes what everybody may buy."""
    found: dict[str, dict[int, Taken]] = {}
    for slug, groups in _by_share(line for line in lines if line.allotment).items():
        shares = allotments.get(slug).locked(groups, clock.now())
        for key, group in groups.items():
            share = shares.get(key)
            if share is None or share.left < len(group):
                return None
            places = {pk: min(n, share.set_aside.get(pk, 0)) for pk, n in _type_places(group).items()}
            found.setdefault(slug, {})[key] = Taken(len(group), {pk: n for pk, n in places.items() if n})
    return found


def _frozen_adjustments(lines: Sequence[OrderLine]) -> dict[int, list[NamedAdjustment]]:
    frozen: dict[int, list[NamedAdjustment]] = defaultdict(list)
    for row in Adjustment.objects.filter(line__in=lines).order_by("pk"):
        frozen[row.line_id].append(NamedAdjustment.of(row))
    return frozen


def resize(quota: Quota, size: int) -> None:
    """Raise or lower a quota, also while it sells. Raises BelowTaken instead of going under what is taken.

    One conditional UPDATE, so it races safely with the queue. Raising wakes those who wait. Kept pages are made anew:
    they tell whether it is sold out.
    """
    with transaction.atomic():
        changed = Quota.objects.filter(pk=quota.pk, taken__lte=size - F("set_aside")).update(
            size=size, returns=F("returns") + 1
        )
        quota.refresh_from_db()
        if not changed:
            raise BelowTaken(quota, size)
        facts = catalogues.load(quota.event_id, fresh=True)
        if facts.later_types:
            _note_come_up(facts, catalogues.stock(quota.event_id), clock.now())
        page_cache.begin_anew()
        transaction.on_commit(partial(_announce_return, quota.event_id))


def look_again(event_id: int) -> None:
    """Have those who wait looked at before any newcomer: what tickets or choices take from was changed.

    Inside a transaction that holds the quotas (`lock_quotas`), in which the change is made.
    """
    Quota.objects.filter(event_id=event_id).update(returns=F("returns") + 1)
    transaction.on_commit(partial(_announce_return, event_id))


def recount(event_id: int) -> dict[int, int]:
    """Set every quota's counters to a recount of its held lines and of what allotments keep, and return {quota id: what
    was corrected}.

    Locks all quotas of the event. Raises MoreHeldThanPlaces, changing nothing, where the recount is above the size:
    then the organiser has to raise the quota or refund tickets first. Places that were counted too many wake those who
    wait.
    """
    with transaction.atomic():
        quotas = list(Quota.objects.select_for_update().filter(event_id=event_id).order_by("pk"))
        held = Q(order__event_id=event_id, is_held=True, fulfilment__in=_stocked_fulfilments())
        taken = Counter(count_taken(held))
        taken.update(_count_changes(Q(line__order__event_id=event_id, line__is_held=True)))
        kept = _recount_shares(event_id)
        for quota in quotas:
            if taken.get(quota.pk, 0) + kept[quota.pk] > quota.size:
                quota.set_aside = kept[quota.pk]
                raise MoreHeldThanPlaces(quota, taken.get(quota.pk, 0))
        drift = {quota.pk: taken.get(quota.pk, 0) - quota.taken for quota in quotas}
        drift = {quota_id: count for quota_id, count in drift.items() if count}
        kept_drift = {quota.pk: kept[quota.pk] - quota.set_aside for quota in quotas}
        kept_drift = {quota_id: count for quota_id, count in kept_drift.items() if count}
        _write_taken(drift, kept_drift)
    return {pk: drift.get(pk, 0) + kept_drift.get(pk, 0) for pk in sorted({*drift, *kept_drift})}


def _recount_shares(event_id: int) -> Counter[int]:
    """{quota id: places kept for shares} once the allotments' counters are set to what held lines say."""
    kept: Counter[int] = Counter()
    if not len(allotments):
        return kept
    held = OrderLine.objects.filter(order__event_id=event_id, is_held=True).exclude(allotment="")
    groups = _by_share(held)
    for allotment in allotments:
        taken = {key: len(lines) for key, lines in groups.get(allotment.slug, {}).items()}
        allotment.recount(event_id, taken)
        kept.update(allotment.kept(event_id).set_aside)
    return kept
