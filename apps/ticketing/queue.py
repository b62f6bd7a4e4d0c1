"""The purchase queue. A row is the queue; Redis is only the bell.

A drain job serves one event: batches by rank, each its own transaction under the event's advisory lock. A batch that
raises is halved down to the guilty order. Everything here may run twice, in several workers at once, with Redis gone.
"""

from __future__ import annotations

import json
import logging
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef

from apps.accounts.kept import Kept
from apps.accounts.prepared import Statement
from apps.events.models import Event
from apps.ticketing import bell, clock, draws, event_lock, lists, live, progress, reasons, reservations, sale_control
from apps.ticketing.allocation import Decision
from apps.ticketing.models import Order, Quota
from apps.ticketing.models.orders import PAST_THE_SALE
from apps.ticketing.retries import is_held_elsewhere, is_passing
from apps.ticketing.states import OrderState
from apps.ticketing.transitions import move_many

log = logging.getLogger(__name__)

BATCH = 500
BATCHES_A_TURN = 20
SECONDS_A_TURN = 1.0
# A batch and the job around it cost as much as many of its orders: in a rush, a moment is left for more to come.
GATHER_SECONDS = 0.1
A_FEW = 5
TRIES = 3
_CHANNELS = ", ".join(f"'{channel}'" for channel in PAST_THE_SALE)
_PAST_THE_SALE = f" AND channel IN ({_CHANNELS})"
_BY_TOKEN = f" AND tokens <> '{reservations.NO_TOKENS}'"


def drain(event_id: int, *, gathers: bool = False) -> int:
    """Serve the queue of one event for a turn and return how many orders were decided.

    The bell is cleared BEFORE the first look, so that an order written after the last look rings again. After 20
    batches or one second it rings for another turn, so that events take turns. A sale that stands still is left
    alone; of one that was ended, or whose event is over, everybody in line is turned away. With `gathers` a batch of a
    few orders leaves a moment for more to come, while no other event asks for the worker; who orders alone is decided
    at once.
    """
    bell.clear(event_id)
    standing = sale_control.open_if_due(event_id)
    if standing.stops:
        return 0
    decided, is_over = _serve_turn(event_id, is_ended=standing.is_ended, gathers=gathers)
    if decided:
        live.announce(event_id, [], asdict(progress.of(event_id)))
    if not is_over:
        bell.ring(event_id)
    return decided


def _serve_turn(event_id: int, *, is_ended: bool, gathers: bool) -> tuple[int, bool]:
    """How many orders were decided in a turn, and whether there was nothing more to decide."""
    decided, started = 0, time.monotonic()
    for _batch in range(BATCHES_A_TURN):
        served = _serve_after_end(event_id) if is_ended else _serve_returns(event_id)
        newly = _serve_batch(event_id, past_the_sale=is_ended)
        decided += served + (newly or 0)
        if not served and newly == 0:
            return decided, True
        if time.monotonic() - started > SECONDS_A_TURN:
            break
        if gathers and A_FEW <= (newly or 0) < BATCH // 2 and not bell.rings_for_others(event_id):
            time.sleep(GATHER_SECONDS)
    return decided, False


def _lock_event(event_id: int, *, past_the_sale: bool = False) -> bool:
    """Take the event's lock and look, now that it is ours, whether the sale goes on: else nothing may be decided. One
    that was ended stops no tickets that are sold again, nor places that were kept for a waiting list."""
    event_lock.take(event_id)
    standing = sale_control.state_of(event_id)
    return not (standing.stops or (standing.is_ended and not past_the_sale))


def _pick(
    event_id: int, state: str, after_rank: int = -1, *, skips: bool, past_the_sale: bool = False, by_token: bool = False
) -> list[tuple[int, int]]:
    """[(id, rank)] of the next orders by rank, locked. Those another transaction holds are skipped, or else waited for
    as long as the connection waits for a lock. `by_token`: only those that brought a link or code."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, rank FROM ticketing_order WHERE event_id = %s AND state = %s AND rank > %s"
            " AND (next_try_at IS NULL OR next_try_at <= foyer_now())"
            f"{_PAST_THE_SALE if past_the_sale else ''}{_BY_TOKEN if by_token else ''}"
            f" ORDER BY rank LIMIT %s FOR NO KEY UPDATE{' SKIP LOCKED' if skips else ''}",
            [event_id, state, after_rank, BATCH],
        )
        return cursor.fetchall()


def _serve_batch(event_id: int, *, past_the_sale: bool = False, skips: bool = False) -> int | None:
    """Decide the next orders of the queue; how many. None when places came back a moment ago, for those who wait.

    An order that somebody else holds is waited for, so that nobody passes it. Held for longer than a lock is waited
    for, it is passed by after all (`skips`), and decided when it is free.
    """
    ids: list[int] = []
    try:
        with transaction.atomic():
            if not _lock_event(event_id, past_the_sale=past_the_sale):
                return 0
            ids = [pk for pk, _rank in _pick(event_id, OrderState.QUEUED, skips=skips, past_the_sale=past_the_sale)]
            decisions = _decide(event_id, ids, are_newcomers=True)
        return len(decisions)
    except reservations.PlacesCameBack:
        return None
    except Exception as error:
        if is_held_elsewhere(error) and not ids and not skips:
            return _serve_batch(event_id, past_the_sale=past_the_sale, skips=True)
        if is_passing(error):
            raise  # nobody's order's fault; the sweeper rings again
        log.warning("a batch of event %s failed and is halved: %r", event_id, error)
        failed = error
    try:
        return _halve(event_id, ids, failed, are_newcomers=True, past_the_sale=past_the_sale)
    except reservations.PlacesCameBack:
        return None


def _decide(event_id: int, ids: Sequence[int], *, are_newcomers: bool = False) -> list[Decision]:
    return reservations.reserve(ids, event_id, clock.now(), are_newcomers=are_newcomers) if ids else []


def _halve(
    event_id: int,
    ids: Sequence[int],
    error: Exception,
    *,
    are_newcomers: bool = False,
    past_the_sale: bool = False,
) -> int:
    """Decide the innocent halves of a batch that failed, each in its own transaction; blame the order that remains.
    Raises PlacesCameBack, for newcomers alone: what is decided by then stands."""
    if len(ids) <= 1:
        return sum(_blame(event_id, pk, error, past_the_sale=past_the_sale) for pk in ids)
    middle = len(ids) // 2
    served = 0
    for half in (ids[:middle], ids[middle:]):
        try:
            with transaction.atomic():
                if not _lock_event(event_id, past_the_sale=past_the_sale):
                    return served
                still = list(
                    Order.objects.select_for_update(no_key=True)
                    .filter(pk__in=half, state__in=[OrderState.QUEUED, OrderState.WAITING])
                    .order_by("rank")
                    .values_list("pk", flat=True)
                )
                served += len(_decide(event_id, still, are_newcomers=are_newcomers))
        except reservations.PlacesCameBack:
            raise
        except Exception as inner:
            if is_passing(inner):
                raise
            served += _halve(event_id, half, inner, are_newcomers=are_newcomers, past_the_sale=past_the_sale)
    return served


def _blame(event_id: int, order_id: int, error: Exception, *, past_the_sale: bool = False) -> int:
    """Count a failed try of one order; after three it is rejected. 1 when the order was decided by that, else 0."""
    with transaction.atomic():
        if not _lock_event(event_id, past_the_sale=past_the_sale):
            return 0
        Order.objects.filter(pk=order_id).update(tries=F("tries") + 1, next_try_at=clock.Now() + timedelta(seconds=2))
        tries = Order.objects.values_list("tries", flat=True).get(pk=order_id)
        if tries < TRIES:
            return 0
        log.error("order %s failed %s times and is rejected: %r", order_id, tries, error)
        order = Order.objects.get(pk=order_id)
        moved = move_many(
            Order,
            [order_id],
            [OrderState.QUEUED, OrderState.WAITING],
            OrderState.REJECTED,
            reasons.INTERNAL_ERROR,
            decided_at=clock.now(),
        )
        if moved and order.state == OrderState.QUEUED:
            progress.note(order.event_id, 1)
        return len(moved)


# Asked before every batch, so in one: {quota: returns} not looked at yet, whether somebody is to be tried again,
# whether places are kept for somebody, who may have let the time for them go by, and whether somebody waits for an
# event that is over.
_RETURNS = """
SELECT (SELECT jsonb_object_agg(id, returns) FROM ticketing_quota
        WHERE event_id = %(event)s AND returns <> returns_seen)::text,
    EXISTS (SELECT FROM ticketing_order
        WHERE event_id = %(event)s AND state = 'waiting' AND next_try_at <= foyer_now() AND next_try_at IS NOT NULL),
    EXISTS (SELECT FROM ticketing_quota WHERE event_id = %(event)s AND set_aside > 0),
    EXISTS (SELECT FROM events_event WHERE id = %(event)s AND ends_at <= foyer_now())
        AND EXISTS (SELECT FROM ticketing_order WHERE event_id = %(event)s AND state = 'waiting')
"""


def _serve_returns(event_id: int) -> int:
    """When places came back, look at every waiting order again, by rank, until nothing is left for them; and once the
    event is over, until all are turned away. Where what is left is kept for links, only theirs are looked at.

    `Quota.returns_seen` is set to the `returns` read at the beginning, after the last look: a return in between is
    seen next time, and a second worker that comes meanwhile looks too instead of letting later orders pass. An order
    that somebody else holds is waited for, so that nobody behind it is served before it. Who holds it for longer than
    a lock is waited for stops nobody: the others are served, and all are looked at again at the next ring.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RETURNS, {"event": event_id})
        returns, has_postponed, keeps_places, is_too_late = cursor.fetchone()
    if keeps_places and not returns:
        reservations.return_lapsed(event_id)  # which rings, when something comes back
    if not (returns or has_postponed or is_too_late):
        return 0
    seen = {int(quota_id): count for quota_id, count in json.loads(returns or "{}").items()}
    # Waiting orders whose last try failed get another, whether or not more places came back since.
    Order.objects.filter(event_id=event_id, state=OrderState.WAITING, next_try_at__lte=clock.Now()).update(
        next_try_at=None
    )
    served, rank, skips, by_token = 0, -1, False, False
    while True:
        picked: list[tuple[int, int]] = []
        try:
            with transaction.atomic():
                if not _lock_event(event_id):
                    return served  # and `returns_seen` stays, so that they are looked at when the sale goes on
                picked = _pick(event_id, OrderState.WAITING, rank, skips=skips, by_token=by_token)
                decisions = _decide(event_id, [pk for pk, _rank in picked])
            served += sum(decision.state != OrderState.WAITING for decision in decisions)
        except Exception as error:
            if is_held_elsewhere(error) and not picked and not skips:
                skips = True
                continue
            if is_passing(error):
                raise
            log.warning("a batch of waiting orders of event %s failed and is halved: %r", event_id, error)
            served += _halve(event_id, [pk for pk, _rank in picked], error)
        if len(picked) < BATCH:
            break
        if not is_too_late:
            has_room, keeps_places = _room(event_id)
            if not has_room and not keeps_places:
                break
            by_token = not has_room
        rank = picked[-1][1]
    if skips:
        return served  # and `returns_seen` stays
    lists.serve(event_id, line_was_served=True)
    _note_seen(seen)
    return served


def _room(event_id: int) -> tuple[bool, bool]:
    """Whether places are left for everybody, and whether some are kept for shares."""
    rows = Quota.objects.filter(event_id=event_id).values_list("size", "taken", "set_aside")
    return any(size > taken + kept for size, taken, kept in rows), any(kept for _size, _taken, kept in rows)


def _note_seen(returns: Mapping[int, int]) -> None:
    for quota_id, count in sorted(returns.items()):
        Quota.objects.filter(pk=quota_id, returns_seen__lt=count).update(returns_seen=count)


def _serve_after_end(event_id: int) -> int:
    """Turn away whoever is in line for a sale that was ended, and let waiting lists have what came back; how many were
    turned away."""
    turned_away = _turn_away(event_id)
    back = Quota.objects.filter(event_id=event_id).exclude(returns=F("returns_seen"))
    returns = dict(back.values_list("pk", "returns"))
    if returns:
        lists.serve(event_id, line_was_served=True)
        _note_seen(returns)
    return turned_away


def _turn_away(event_id: int) -> int:
    """Reject the next orders in line for a sale that was ended, entries of a draw among them; how many."""
    with transaction.atomic():
        event_lock.take(event_id)
        if not sale_control.state_of(event_id).is_ended:
            return 0
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, state FROM ticketing_order WHERE event_id = %s AND state IN ('queued', 'waiting')"
                " AND channel <> ALL(%s) ORDER BY id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED",
                [event_id, list(PAST_THE_SALE), BATCH],
            )
            was = dict(cursor.fetchall())
        in_line = [OrderState.QUEUED, OrderState.WAITING]
        is_cancelled = Event.objects.filter(pk=event_id, cancelled_at__isnull=False).exists()
        why = reasons.EVENT_CANCELLED if is_cancelled else reasons.SALE_ENDED
        moved = move_many(Order, was, in_line, OrderState.REJECTED, why, decided_at=clock.now())
        progress.note(event_id, sum(was[pk] == OrderState.QUEUED for pk in moved))
        return len(moved)


_BEFORE = "o.event_id = $1 AND o.rank < $2 AND o.state IN ({states})"
_ORDERS_AHEAD = f"SELECT count(*) FROM ticketing_order o WHERE {_BEFORE}"
# (rank, quota, places) that the orders of `in_line` want through their types and through their choices.
_WANTED = """
SELECT o.rank, drawn.quota_id, count(*) AS places FROM in_line o
JOIN ticketing_orderline l ON l.order_id = o.id AND l.is_wanted
JOIN ticketing_tickettype_quotas drawn ON drawn.tickettype_id = l.ticket_type_id
GROUP BY o.rank, drawn.quota_id
UNION ALL
SELECT o.rank, drawn.quota_id, sum(c.quantity) FROM in_line o
JOIN ticketing_orderline l ON l.order_id = o.id AND l.is_wanted
JOIN ticketing_linechoice c ON c.line_id = l.id
JOIN ticketing_choice_quotas drawn ON drawn.choice_id = c.choice_id
GROUP BY o.rank, drawn.quota_id
"""
_AHEAD = f"""
WITH in_line AS MATERIALIZED (SELECT o.id, 0 AS rank FROM ticketing_order o WHERE {_BEFORE})
SELECT NULL::bigint, count(*) FROM in_line
UNION ALL
SELECT quota_id, sum(places)::bigint FROM ({_WANTED}) AS wanted GROUP BY quota_id
"""
# {whether it is still to be decided: the statement}. The states stand in the statement, and not among its values, so
# that the indexes on those in line are used.
_IN_LINE = {True: "'queued'", False: "'queued', 'waiting'"}
_COUNT = {
    is_queued: Statement(f"queue_ahead_{is_queued}".lower(), ("bigint", "bigint"), _ORDERS_AHEAD.format(states=states))
    for is_queued, states in _IN_LINE.items()
}
_COUNT_BOTH = {
    is_queued: Statement(f"queue_wanted_{is_queued}".lower(), ("bigint", "bigint"), _AHEAD.format(states=states))
    for is_queued, states in _IN_LINE.items()
}


def ahead(order: Order) -> int:
    """How many with a lower rank are still to be decided or, for one that waits, to be served. One query."""
    [(orders,)] = _COUNT[order.state == OrderState.QUEUED].run(order.event_id, _rank_of(order))
    return orders


def ahead_and_wanted(order: Order) -> tuple[int, Mapping[int, int]]:
    """`ahead`, and {quota id: places} that they want. One query; none for one that waits in a line that was read half a
    second ago."""
    if order.state == OrderState.WAITING:
        shown = line(order.event_id)
        if shown is not None:
            return shown.before(_rank_of(order))
    wanted = dict(_COUNT_BOTH[order.state == OrderState.QUEUED].run(order.event_id, _rank_of(order)))
    return wanted.pop(None), wanted


def _rank_of(order: Order) -> int:
    if order.rank is None:
        raise ValueError("an entry of a draw that is not held has no place yet")
    return order.rank


# Who waits behind a sold-out quota is told how many are before them, all within the same second: so the line is read
# once for all of them, and not counted anew for each. A longer one costs more to read than its pages save.
LONGEST_READ = 10_000
LINE_KEPT_SECONDS = 0.5
_LINE = Statement(
    "queue_line",
    ("bigint", "integer"),
    f"""
WITH in_line AS MATERIALIZED (
    SELECT id, rank FROM ticketing_order
    WHERE event_id = $1 AND rank IS NOT NULL AND state IN ('queued', 'waiting') ORDER BY rank LIMIT $2
)
SELECT rank, NULL::bigint, 0 FROM in_line UNION ALL {_WANTED} ORDER BY 1
""",
)


@dataclass(frozen=True)
class Line:
    """Everybody in line for an event by rank; and of each quota the ranks that want places of it, and how many all
    before each of those want."""

    ranks: Sequence[int]
    wanted: Mapping[int, tuple[Sequence[int], Sequence[int]]]

    def before(self, rank: int) -> tuple[int, dict[int, int]]:
        """How many stand before this rank, and {quota id: places} that they want."""
        wanted = {quota: before[bisect_left(ranks, rank)] for quota, (ranks, before) in self.wanted.items()}
        return bisect_left(self.ranks, rank), wanted


def _read_line(event_id: int) -> Line | None:
    ranks: list[int] = []
    wanted: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], [0]))
    for rank, quota_id, places in _LINE.run(event_id, LONGEST_READ + 1):
        if quota_id is None:
            ranks.append(rank)
        else:
            of_ranks, before = wanted[quota_id]
            of_ranks.append(rank)
            before.append(before[-1] + places)
    return Line(ranks, dict(wanted)) if len(ranks) <= LONGEST_READ else None


line: Kept[int, Line | None] = Kept(_read_line, seconds=LINE_KEPT_SECONDS)


# Event by event, each by the first row of an index: however many stand in line, nobody counts them.
_TO_SERVE = """
SELECT event.id FROM events_event event
WHERE EXISTS (SELECT FROM ticketing_order o WHERE o.event_id = event.id AND o.state = 'queued' AND o.rank IS NOT NULL
        AND (o.next_try_at IS NULL OR o.next_try_at <= foyer_now()))
    OR EXISTS (SELECT FROM ticketing_order o WHERE o.event_id = event.id AND o.state IN ('queued', 'waiting')
        AND o.next_try_at IS NOT NULL AND o.next_try_at <= foyer_now())
    OR (EXISTS (SELECT FROM ticketing_quota q WHERE q.event_id = event.id AND q.returns > q.returns_seen)
        AND EXISTS (SELECT FROM ticketing_order o WHERE o.event_id = event.id AND o.state = 'waiting'))
    OR (event.ends_at <= foyer_now()
        AND EXISTS (SELECT FROM ticketing_order o WHERE o.event_id = event.id AND o.state = 'waiting'))
"""


def events_to_serve() -> list[int]:
    """Events with orders to decide, with places that came back while somebody waits, or with somebody to turn away."""
    with connection.cursor() as cursor:
        cursor.execute(_TO_SERVE)
        ids = {row[0] for row in cursor.fetchall()}
    in_line = Order.objects.filter(event=OuterRef("pk"), state__in=[OrderState.QUEUED, OrderState.WAITING])
    ended = Event.objects.filter(sale_control.is_ended("pk"), Exists(in_line))
    ids |= set(ended.values_list("pk", flat=True))
    return sorted(ids - sale_control.stopped_events())


def sweep() -> None:
    """Heal whatever a crash left behind: end overdue holds and ring for every event with work. Runs every 2 seconds."""
    draws.hold_due()
    sale_control.open_due()
    for event_id in events_to_serve():
        bell.ring(event_id)
    expired = reservations.expire_overdue(clock.now())  # rings for the places it frees
    if expired:
        log.info("%s holds ended unpaid", len(expired))


def drain_all(at: datetime | None = None) -> int:
    """Serve every event until nothing is left to decide, in this process; for tests and the recount command."""
    served = 0
    while True:
        now = sum(drain(event_id) for event_id in events_to_serve())
        served += now
        if not now:
            return served
