"""The outbox: everything that happens outside the database, written down in the transaction that causes it.

An effect is a row first and an act later: `add` in the cause's transaction, `run` in a worker after commit, and the
result recorded. Whoever dies in between leaves a row that the sweeper finds. A handler may therefore be called again
for something it has done already: it looks before it acts, and passes the effect's key on as the idempotency key.

    due -> leased -> done | due again later | unknown (asked again later) | dead after the last try
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from apps.accounts.ids import new_public_id
from apps.accounts.prepared import Statement
from apps.accounts.registry import Registry
from apps.accounts.request_ids import current_request_id, new_request_id, request_id
from apps.ticketing import clock, jobs
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.extensions import UnknownOutcome
from apps.ticketing.models import Effect, Order
from apps.ticketing.states import EffectState
from apps.ticketing.transitions import end_lease, lease, move_many

log = logging.getLogger(__name__)

# From 5 seconds to one hour apart, 30 tries fill some 20 hours: within the day for which payment providers remember an
# idempotency key, and long enough for a mail server that is down overnight.
TRIES = 30
FIRST_PAUSE_SECONDS = 5
LONGEST_PAUSE_SECONDS = 3600
WAIT_DAYS = 7
# Longer than any single call (each has a time-out of its own), short enough that a killed worker is noticed soon.
LEASE_SECONDS = 40
RUNG_AT_ONCE = 200


class OutsideTransaction(Exception):
    """An effect belongs into the transaction of its cause: without one it could be lost, or happen for nothing."""


class NotYet(Exception):
    """A handler cannot act yet because something else must end first. Called again after `seconds`; no error, and no
    try: those are kept for what fails. An effect older than `days` has waited enough: there it counts as one."""

    def __init__(self, why: str, *, seconds: int = 5, days: int = WAIT_DAYS) -> None:
        super().__init__(why)
        self.seconds = seconds
        self.days = days


class Failed(Exception):
    """A handler failed in a way that is dear to repeat: tried again after `seconds`, and given up after `tries`."""

    def __init__(self, why: str, *, seconds: int, tries: int) -> None:
        super().__init__(why)
        self.seconds = seconds
        self.tries = tries


@dataclass
class Handler:
    """Carries out effects of the kind `slug`.

    Called in a worker outside any transaction, possibly again after a crash: looks before it acts. Returning means
    done; UnknownOutcome means it may have happened; any other error is tried again. NOT called for effects of a kind
    whose plugin is gone: those wait and are given up like any that fails.
    """

    slug: str
    carry_out: Callable[[Effect], None]
    lease_seconds: int = LEASE_SECONDS


handlers: Registry[Handler] = Registry("ticketing.outbox.handlers")


def handler(kind: str, *, lease_seconds: int = LEASE_SECONDS) -> Callable[[Callable[[Effect], None]], Callable]:
    """Register the decorated function for effects of this kind; `lease_seconds` must outlast its slowest call."""

    def register(function: Callable[[Effect], None]) -> Callable[[Effect], None]:
        handlers.register(Handler(kind, function, lease_seconds))
        return function

    return register


@dataclass(frozen=True)
class Wanted:
    """One effect for `add_many`. The payload holds ids, not copies of data. `due_at` goes before that of all."""

    key: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    order_id: int | None = None
    due_at: datetime | None = None


def add(
    kind: str,
    *,
    key: str,
    payload: Mapping[str, Any] | None = None,
    order: Order | None = None,
    queue: str = "default",
    due_at: datetime | None = None,
) -> bool:
    """Write down one effect; True when it is new. A key that is known already changes nothing.

    Inside the cause's transaction, else OutsideTransaction. A worker is rung after commit unless `due_at` names a
    later moment, which the sweeper watches. Next: run.
    """
    wanted = Wanted(key, payload or {}, order.pk if order else None)
    return bool(add_many(kind, [wanted], queue=queue, due_at=due_at))


_ADD = Statement(
    "outbox_add",
    ("text", "text", "timestamptz", "text", "jsonb"),
    """
INSERT INTO ticketing_effect
    (public_id, kind, key, queue, order_id, payload, state, due_at, tries, last_error, request_id, created_at)
SELECT wanted.public_id, $1, wanted.key, $2, wanted.order_id, wanted.payload, 'due',
    coalesce(wanted.due_at, $3, foyer_now()), 0, '', $4, foyer_now()
FROM jsonb_to_recordset($5) AS wanted
    (public_id uuid, key text, order_id bigint, payload jsonb, due_at timestamptz)
ON CONFLICT (key) DO NOTHING
RETURNING id
""",
)


def add_many(
    kind: str, wanted: Sequence[Wanted], *, queue: str = "default", due_at: datetime | None = None
) -> list[int]:
    """`add` for many effects of one kind in one statement; the ids of the new ones."""
    if not connection.in_atomic_block:
        raise OutsideTransaction(kind)
    if not wanted:
        return []
    rows = [
        {
            "public_id": str(new_public_id()),
            "key": one.key,
            "order_id": one.order_id,
            "payload": dict(one.payload),
            "due_at": one.due_at.isoformat() if one.due_at else None,
        }
        for one in wanted
    ]
    added = _ADD.run(kind, queue, due_at, current_request_id(), json.dumps(rows, default=str))
    ids = sorted(row[0] for row in added)
    if ids and due_at is None:
        _ring_after_commit(ids, queue)
    return ids


@dataclass
class _Ring:
    """Asks for workers once the transaction has committed; for several effects of one queue, at once."""

    queue: str
    ids: list[int]

    def __call__(self) -> None:
        jobs.ring("run_effect", self.ids, queue=self.queue)


def _ring_after_commit(ids: Sequence[int], queue: str) -> None:
    """Once for each queue and transaction, or savepoint: what is rolled back to one must not ring. A block without a
    savepoint stands among them as None, and is rolled back with what surrounds it."""
    ours = set(connection.savepoint_ids) - {None}
    for entry in connection.run_on_commit:
        savepoints, wanted = entry[0], entry[1]
        if isinstance(wanted, _Ring) and wanted.queue == queue and savepoints - {None} == ours:
            wanted.ids += ids
            return
    transaction.on_commit(_Ring(queue, list(ids)))


def run(effect_id: int, *, early: bool = False) -> bool:
    """Carry out one effect; False when there was nothing to do here: done, leased by another, or not due yet.

    `early` does not wait for `due_at`. Raises RuntimeError inside a transaction: a call to the outside must not keep
    locks, and what it caused must not be rolled back. An error of the handler is recorded, not raised.
    """
    return _run(effect_id, early)


def run_called(key: str, *, early: bool = False) -> bool:
    """`run` for the effect with this key; False also when there is none."""
    return _run(key, early)


def _run(which: int | str, early: bool) -> bool:
    with transaction.atomic(durable=True):
        pass  # nothing is sent for it; inside a transaction it raises
    own = {handler.slug: handler.lease_seconds for handler in handlers if handler.lease_seconds != LEASE_SECONDS}
    effect = lease(which, LEASE_SECONDS, early=early, seconds_of=own)
    if effect is None:
        return False
    with request_id(effect.request_id or new_request_id()):
        crashpoint("effect.leased")
        try:
            handlers.get(effect.kind).carry_out(effect)
        except NotYet as pause:
            _wait(effect, pause)
        except Failed as error:
            _again(effect, EffectState.DUE, error, most_tries=error.tries, seconds=error.seconds)
        except UnknownOutcome as error:
            _again(effect, EffectState.UNKNOWN, error)
        except Exception as error:
            _again(effect, EffectState.DUE, error)
        else:
            crashpoint("effect.carried_out")
            if effect.state != EffectState.DONE:
                _record(effect, EffectState.DONE)
    return True


def finish(effect: Effect) -> None:
    """Record that the effect is carried out, in the transaction that writes down what came of it. For handlers whose
    last act that is; `run` does it for all others."""
    _record(effect, EffectState.DONE)


def _wait(effect: Effect, pause: NotYet) -> None:
    """Record that something else comes first."""
    if clock.now() - effect.created_at > timedelta(days=pause.days):
        _again(effect, EffectState.DUE, pause, seconds=pause.seconds)
        return
    log.info("effect %s (%s) waits: %s", effect.kind, effect.key, pause)
    _record(effect, EffectState.DUE, tries=effect.tries - 1, pause_seconds=pause.seconds)


def _again(effect: Effect, state: str, error: Exception, *, most_tries: int = TRIES, seconds: float = 0) -> None:
    """Record a try that did not end well: once more later, or given up after the last. The pause grows with the
    tries, and lasts `seconds` at least."""
    what = f"{type(error).__name__}: {error}"
    if effect.tries >= most_tries:
        log.error("effect %s (%s) is given up after %s tries: %s", effect.kind, effect.key, effect.tries, what)
        _record(effect, EffectState.DEAD, what)
        return
    log.warning("effect %s (%s) will be tried again: %s", effect.kind, effect.key, what)
    _record(effect, state, what, pause_seconds=max(seconds, pause_seconds(effect.tries)))


def pause_seconds(tries: int) -> float:
    """How long to wait after that many tries: doubling, and spread by a half either way so that nobody comes back at
    the same moment as everybody else."""
    return min(FIRST_PAUSE_SECONDS * 2 ** min(tries - 1, 20), LONGEST_PAUSE_SECONDS) * random.uniform(0.5, 1.5)


def _record(effect: Effect, state: str, error: str = "", *, tries: int | None = None, pause_seconds: float = 0) -> None:
    """Write down how it went, if the lease is still ours."""
    if not end_lease(effect, state, error=error, tries=tries, pause_seconds=pause_seconds):
        log.warning("effect %s (%s) outlived its lease", effect.kind, effect.key)


def sweep() -> None:
    """Bring back effects whose lease lapsed or whose pause is over, and ring for all that are due. Every 5 seconds.

    Two sweepers at once share the rows (SKIP LOCKED). A queue that is long already is not rung again: its jobs are
    these effects.
    """
    with transaction.atomic():
        at = clock.now()
        for state, overdue in (
            (EffectState.LEASED, Q(leased_until__lte=at)),
            (EffectState.UNKNOWN, Q(due_at__lte=at)),
        ):
            ids = list(
                Effect.objects.select_for_update(skip_locked=True)
                .filter(overdue, state=state)
                .order_by("pk")
                .values_list("pk", flat=True)[:RUNG_AT_ONCE]
            )
            move_many(Effect, ids, state, EffectState.DUE, audit=False, leased_until=None)
    for queue in settings.RQ_QUEUES:
        due = Effect.objects.filter(state=EffectState.DUE, queue=queue, due_at__lte=clock.now())
        ids = list(due.order_by("due_at", "pk").values_list("pk", flat=True)[:RUNG_AT_ONCE])
        waiting = jobs.waiting(queue) if ids else None
        if waiting is not None and waiting < RUNG_AT_ONCE:
            jobs.ring("run_effect", ids[: RUNG_AT_ONCE - waiting], queue=queue)


def run_all(*, kinds: Sequence[str] | None = None, early: bool = False) -> int:
    """Carry out everything that is due in this process, and what that causes, each once; for tests and commands."""
    seen: set[int] = set()
    done = 0
    while True:
        wanted = Effect.objects.filter(state=EffectState.DUE).exclude(pk__in=seen).order_by("pk")
        if kinds is not None:
            wanted = wanted.filter(kind__in=kinds)
        if not early:
            wanted = wanted.filter(due_at__lte=clock.now())
        ids = list(wanted.values_list("pk", flat=True))
        if not ids:
            return done
        seen.update(ids)
        done += sum(run(pk, early=early) for pk in ids)
