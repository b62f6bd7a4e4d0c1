"""Holding places: deciding a batch of queued orders, and letting go of what is not paid for.

The only writer of `Quota.taken` and of `OrderLine.is_held`. Lock order: the event's advisory lock (held by the queue),
orders by id, whatever fulfilments hold, quotas by id, counters of price rules, the pace of payment. The database's
CHECK on Quota is the last word: a mistake here fails loudly instead of overselling.
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

from apps.ticketing import bell, clock, live, mails, pacing, pricing, progress, reasons, sale_control, signals, vat
from apps.ticketing import catalogue as catalogues
from apps.ticketing.allocation import Decision, Room, Wish, decide, limit_refusal
from apps.ticketing.catalogue import Catalogue
from apps.ticketing.context import Chosen, ContextLine, PurchaseContext
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.extensions import NamedAdjustment, SellsAgain, fulfilments, price_rules, purchase_gates
from apps.ticketing.fulfilment import Issue
from apps.ticketing.models import Adjustment, LineChoice, Order, OrderLine, Payment, Quota, Ticket
from apps.ticketing.models.orders import RESALE
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


_ORDERS = f"""
SELECT {", ".join(field.name for field in dataclass_fields(_Wanted))} FROM ticketing_order
WHERE id = ANY(%s) AND state = ANY(%s) ORDER BY rank, id
"""
_LINES = """
SELECT order_id, id, ticket_type_id, fulfilment, subject FROM ticketing_orderline
WHERE order_id = ANY(%s) AND is_wanted ORDER BY order_id, position
"""
_CHOICES = "SELECT line_id, choice_id, quantity FROM ticketing_linechoice WHERE line_id = ANY(%s) ORDER BY line_id, id"


@dataclass(frozen=True)
class _Batch:
    orders: list[_Wanted]  # by rank
    contexts: dict[int, PurchaseContext]

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
    constant number of queries for any number of orders. An order that somebody moved meanwhile is left out. Raises
    PlacesCameBack, for newcomers alone, and whatever a plugin raises: then nothing of the batch is kept. Next: the
    buyer pays, payments.start.
    """
    facts = catalogues.load(event_id, fresh=True)
    batch = _read_batch(facts, order_ids)
    if not batch.orders:
        return []
    denials, allowed = _ask_gates(batch, at)
    held_elsewhere = _reserve_elsewhere(batch, denials)
    left, places_came_back = _lock_quotas(event_id)
    if are_newcomers and places_came_back and _somebody_waits(event_id):
        raise PlacesCameBack
    # Which quotas a type draws on changes only under these locks, so it is read again now that we hold them.
    facts = catalogues.load(event_id, fresh=True)
    owned = _owned(event_id, {order.buyer_key for order in batch.orders}) if facts.has_limits else {}
    room = Room(left=dict(left), owned=owned)

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
                without_stock=held_elsewhere.keys(),
            ),
        )
        for order in batch.orders
    ]
    _let_go_elsewhere(held_elsewhere, denials, decisions)
    totals = _write_prices(batch, decisions, at)
    _write_taken({quota_id: was - room.left[quota_id] for quota_id, was in left.items() if was != room.left[quota_id]})
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
    return Order.objects.filter(event_id=event_id, state=OrderState.WAITING).exists()


def _read_batch(facts: Catalogue, order_ids: Sequence[int]) -> _Batch:
    """The orders that are still to be decided, with what they want. Plain rows: three queries, no model objects."""
    with connection.cursor() as cursor:
        cursor.execute(_ORDERS, [list(order_ids), [str(state) for state in ORDER_IN_QUEUE]])
        orders = [_Wanted(*row) for row in cursor.fetchall()]
        lines: dict[int, list[ContextLine]] = {order.pk: [] for order in orders}
        cursor.execute(_LINES, [list(lines)])
        rows = cursor.fetchall()
        choices: dict[int, list[tuple[int, int]]] = defaultdict(list)
        cursor.execute(_CHOICES, [[row[1] for row in rows]])
        for line_id, choice_id, quantity in cursor.fetchall():
            choices[line_id].append((choice_id, quantity))
    for order_id, pk, type_id, fulfilment, subject in rows:
        lines[order_id].append(_context_line(facts, pk, type_id, choices.get(pk, ()), fulfilment, subject))
    if any(row[3] != Issue.slug for row in rows):
        sold_again = with_tickets([line for of_order in lines.values() for line in of_order])
        lines = {order_id: [sold_again.get(line.key, line) for line in own] for order_id, own in lines.items()}
    return _Batch(orders, {order.pk: context_of(order, lines[order.pk]) for order in orders})


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
        tokens=tuple(json.loads(order.tokens) if isinstance(order.tokens, str) else order.tokens),
        channel=order.channel,
        order_id=order.pk,
        lines=tuple(lines),
    )


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


def _reserve_elsewhere(batch: _Batch, denials: dict[int, str]) -> dict[int, OrderLine]:
    """Let other fulfilments hold what their lines name; refusals join `denials`. {line id: line} without stock."""
    without_stock: dict[int, OrderLine] = {}
    elsewhere: dict[str, list[int]] = defaultdict(list)
    for line in batch.lines:
        if line.fulfilment != Issue.slug:  # ours holds nothing but its place
            elsewhere[line.fulfilment].append(line.key)
    if not elsewhere:
        return without_stock
    rows = OrderLine.objects.in_bulk([key for keys in elsewhere.values() for key in keys])
    for slug, keys in elsewhere.items():
        if slug not in fulfilments:
            denials.update(dict.fromkeys(keys, reasons.NOT_ON_SALE))  # its plugin is gone
            continue
        fulfilment = fulfilments.get(slug)
        denials.update(fulfilment.reserve([rows[key] for key in keys if key not in denials]))
        if not fulfilment.takes_stock:
            without_stock.update({key: rows[key] for key in keys})
    return without_stock


def _let_go_elsewhere(held: Mapping[int, OrderLine], denials: Mapping[int, str], decisions: Sequence[Decision]) -> None:
    kept = {key for decision in decisions for key in decision.held}
    _release_elsewhere([line for key, line in held.items() if key not in kept and key not in denials])


def _release_elsewhere(lines: Sequence[OrderLine]) -> None:
    by_slug: dict[str, list[OrderLine]] = defaultdict(list)
    for line in lines:
        by_slug[line.fulfilment].append(line)
    for slug, group in by_slug.items():
        if slug in fulfilments:
            fulfilments.get(slug).release(group)


_OWNED = """
WITH own AS MATERIALIZED (
    SELECT id, buyer_key FROM ticketing_order WHERE event_id = %s AND buyer_key = ANY(%s) AND state = ANY(%s)
)
SELECT buyer_key, ticket_type_id, count(*) FROM (
    SELECT own.buyer_key, line.ticket_type_id
    FROM own JOIN ticketing_orderline line ON line.order_id = own.id AND line.is_held AND line.owner_key = ''
    UNION ALL
    SELECT line.owner_key, line.ticket_type_id FROM ticketing_orderline line
    JOIN ticketing_order given ON given.id = line.order_id AND given.event_id = %s
    WHERE line.owner_key = ANY(%s) AND line.owner_key <> '' AND line.is_held
) AS held GROUP BY 1, 2
"""


def _owned(event_id: int, buyer_keys: set[str]) -> dict[str, Counter[int]]:
    """{buyer key: {ticket type id: tickets held, bought or got from somebody}}, without those given away. By person, or
    it would read all that was ever sold."""
    owned: dict[str, Counter[int]] = defaultdict(Counter)
    with connection.cursor() as cursor:
        keys = list(buyer_keys)
        cursor.execute(_OWNED, [event_id, keys, [str(state) for state in ORDER_HOLDS], event_id, keys])
        for key, type_id, count in cursor.fetchall():
            owned[key][type_id] = count
    return owned


def owned_by(event_id: int, buyer_key: str) -> Counter[int]:
    """{ticket type id: tickets} that count against one person's limits at an event. One query."""
    return _owned(event_id, {buyer_key})[buyer_key]


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
    quotes = pricing.quote_many(contexts, at)
    lines = [line for quote in quotes for line in quote.lines]
    _write_lines(lines)
    waited = batch.waited
    seen_before = [line.key for context in contexts if context.order_id in waited for line in context.lines]
    if seen_before:
        Adjustment.objects.filter(line_id__in=seen_before).delete()  # of an offer declined before
    adjusted = [line for line in lines if line.adjustments]
    if adjusted:
        Adjustment.objects.bulk_create(
            Adjustment(
                line_id=line.line.key,
                source=named.source,
                label_sv=named.label_sv,
                label_en=named.label_en,
                amount_minor=named.amount_minor,
                bearer=named.bearer,
            )
            for line in adjusted
            for named in line.adjustments
        )
        _claim({line.line.key: line.adjustments for line in adjusted})
    held = [decision.order_id for decision in decisions if decision.held]
    return {order_id: quote.total_minor for order_id, quote in zip(held, quotes, strict=True)}


def _write_lines(lines: Sequence[pricing.QuoteLine]) -> None:
    """Hold these lines at their prices, and their choices at theirs."""
    deltas = [(line.line.key, chosen.choice_id, chosen.delta_minor) for line in lines for chosen in line.line.choices]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ticketing_orderline t SET is_held = true, list_minor = v.list, price_minor = v.price,"
            " vat_percent = v.rate, vat_minor = v.vat, vat_split = v.split::jsonb FROM"
            " unnest(%s::bigint[], %s::int[], %s::int[], %s::numeric[], %s::int[], %s::text[])"
            " AS v(id, list, price, rate, vat, split)"
            " WHERE t.id = v.id",
            [
                [line.line.key for line in lines],
                [line.list_minor for line in lines],
                [line.price_minor for line in lines],
                [line.line.vat_percent for line in lines],
                [line.vat_minor for line in lines],
                [json.dumps(vat.frozen(line.vat_parts)) if line.line.vat_split else None for line in lines],
            ],
        )
        if deltas:
            cursor.execute(
                "UPDATE ticketing_linechoice t SET delta_minor = v.delta"
                " FROM unnest(%s::bigint[], %s::bigint[], %s::int[]) AS v(line, choice, delta)"
                " WHERE t.line_id = v.line AND t.choice_id = v.choice AND t.delta_minor <> v.delta",
                [list(column) for column in zip(*deltas, strict=True)],
            )


def _claim(adjustments: Mapping[int, Sequence[NamedAdjustment]]) -> None:
    for rule in price_rules:
        own = {
            key: [named for named in applied if named.source == rule.slug]
            for key, applied in adjustments.items()
            if any(named.source == rule.slug for named in applied)
        }
        if own:
            rule.claim(own)


def _write_taken(taken: Mapping[int, int]) -> None:
    """Add to `taken` (negative gives places back, which wakes those who wait). The quotas are locked by the caller."""
    if taken:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE ticketing_quota t SET taken = t.taken + v.n, returns = t.returns + (v.n < 0)::int FROM"
                " (SELECT unnest(%s::bigint[]) AS id, unnest(%s::int[]) AS n) AS v WHERE t.id = v.id",
                [list(taken), list(taken.values())],
            )


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
    _write_taken({quota_id: -count for quota_id, count in counts.items()})
    for rule in price_rules:
        claimed = Adjustment.objects.filter(line_id__in=freed, source=rule.slug).values_list("line_id", flat=True)
        if claimed:
            rule.release(sorted(set(claimed)))
    for event_id in sorted({line.order.event_id for line in held}):
        transaction.on_commit(partial(_announce_return, event_id))


def _announce_return(event_id: int) -> None:
    signals.places_returned.send_robust(sender=Quota, event_id=event_id)
    bell.ring(event_id)


def _stock_of(lines: Iterable[OrderLine]) -> dict[int, int]:
    """Places by quota that these lines take, from the database's own catalogue: what a type draws on now."""
    return count_taken(Q(pk__in=[line.pk for line in lines], fulfilment__in=_stocked_fulfilments()))


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
    for quota_id, quantity in LineChoice.objects.filter(line__in=lines, choice__quotas__isnull=False).values_list(
        "choice__quotas", "quantity"
    ):
        taken[quota_id] += quantity
    return dict(taken)


def hand_over(old: OrderLine, new: OrderLine) -> None:
    """Let `new` have the place that `old` holds: one of a ticket that is sold again. No quota is touched.

    From now on `new` holds its place as one of an ordinary purchase does. Inside a transaction that has locked both
    orders.
    """
    OrderLine.objects.filter(pk=old.pk).update(is_held=False, refunded_at=clock.now())
    OrderLine.objects.filter(pk=new.pk).update(fulfilment=Issue.slug, subject="")
    claimed = Adjustment.objects.filter(line=old).values_list("source", flat=True)
    for rule in price_rules:
        if rule.slug in claimed:
            rule.release([old.pk])


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
    if any(quotas[quota_id].left < count for quota_id, count in counts.items()):
        return False
    if any(line.fulfilment not in _stocked_fulfilments() for line in lines):
        return False  # what a plugin held has gone back to its owner
    facts = catalogues.load(order.event_id, fresh=True)
    if facts.is_cancelled or facts.ends_at <= clock.now():
        return False
    owned = _owned(order.event_id, {order.buyer_key})[order.buyer_key]
    if limit_refusal(facts, owned, Counter(line.ticket_type_id for line in lines)):
        return False  # they have bought again since
    _write_taken(counts)
    OrderLine.objects.filter(pk__in=[line.pk for line in lines]).update(is_held=True)
    _claim(_frozen_adjustments(lines))
    return True


def _frozen_adjustments(lines: Sequence[OrderLine]) -> dict[int, list[NamedAdjustment]]:
    frozen: dict[int, list[NamedAdjustment]] = defaultdict(list)
    for row in Adjustment.objects.filter(line__in=lines).order_by("pk"):
        frozen[row.line_id].append(
            NamedAdjustment(row.source, row.label_sv, row.label_en, row.amount_minor, row.bearer)
        )
    return frozen


def resize(quota: Quota, size: int) -> None:
    """Raise or lower a quota, also while it sells. Raises BelowTaken instead of going under what is taken.

    One conditional UPDATE, so it races safely with the queue. Raising wakes those who wait.
    """
    with transaction.atomic():
        changed = Quota.objects.filter(pk=quota.pk, taken__lte=size - F("set_aside")).update(
            size=size, returns=F("returns") + 1
        )
        quota.refresh_from_db()
        if not changed:
            raise BelowTaken(quota, size)
        transaction.on_commit(partial(_announce_return, quota.event_id))


def recount(event_id: int) -> dict[int, int]:
    """Set every quota's counter to a recount of its held lines and return {quota id: what was corrected}.

    Locks all quotas of the event. Raises MoreHeldThanPlaces, changing nothing, where the recount is above the size:
    then the organiser has to raise the quota or refund tickets first. Places that were counted too many wake those who
    wait.
    """
    with transaction.atomic():
        quotas = list(Quota.objects.select_for_update().filter(event_id=event_id).order_by("pk"))
        taken = count_taken(Q(order__event_id=event_id, is_held=True, fulfilment__in=_stocked_fulfilments()))
        for quota in quotas:
            if taken.get(quota.pk, 0) + quota.set_aside > quota.size:
                raise MoreHeldThanPlaces(quota, taken[quota.pk])
        drift = {quota.pk: taken.get(quota.pk, 0) - quota.taken for quota in quotas}
        drift = {quota_id: count for quota_id, count in drift.items() if count}
        _write_taken(drift)
    return drift
