"""The bell of the purchase queue: a word to the workers that an event has orders to serve.

The orders are rows in PostgreSQL; a bell that nobody hears costs two seconds, because the sweeper rings again.

In a rush a process rings once for all that it took within a twentieth of a second: each way to Redis and back is work
of two processes, and the workers leave a moment for more orders anyway. Who orders alone is heard at once.
"""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from threading import Lock, Timer
from time import monotonic

from redis.exceptions import RedisError

from apps.ticketing import jobs
from apps.ticketing.crashpoints import crashpoint

log = logging.getLogger(__name__)
QUEUE = "purchases"
# So many rings for one event within so many seconds are a rush, in which those that follow are put off so long.
RUSH, RUSH_SECONDS, TOGETHER_SECONDS = 8, 0.1, 0.05

_lock = Lock()
_asked: defaultdict[int, deque[float]] = defaultdict(lambda: deque(maxlen=RUSH))  # {event: when, lately}
_put_off: set[int] = set()  # events for which a ring is under way that comes after all that was written by now


def ring(event_id: int) -> None:
    """Ask for a drain of one event, at most one job in two seconds; after commit. A Redis failure is logged, never
    raised."""
    with _lock:
        asked = _asked[event_id]
        is_rush = len(asked) == RUSH and monotonic() - asked[0] < RUSH_SECONDS
        asked.append(monotonic())
        if event_id in _put_off:
            return
        if is_rush:
            _put_off.add(event_id)
    if not is_rush:
        _ring(event_id)
        return
    later = Timer(TOGETHER_SECONDS, _ring_for_all, [event_id])
    later.daemon = True
    try:
        later.start()
    except RuntimeError:  # the machine has no thread to give
        _ring_for_all(event_id)


def _ring_for_all(event_id: int) -> None:
    with _lock:
        _put_off.discard(event_id)  # before it rings: what is written from now on is not sure to be heard
    _ring(event_id)


def _ring(event_id: int) -> None:
    try:
        queue = jobs.queue_of(QUEUE)
        if queue.connection.set(f"drain:{event_id}", 1, nx=True, ex=2):
            queue.enqueue(jobs.drain_event, event_id, result_ttl=0, failure_ttl=jobs.KEEP_FAILED_SECONDS, ttl=10)
            crashpoint("bell.rung")
    except (RedisError, OSError) as error:
        log.warning("the bell of event %s is out of order: %s", event_id, type(error).__name__)


def clear(event_id: int) -> None:
    """Let the bell ring again; called BEFORE the first look, so that an order written after the last look is heard."""
    try:
        jobs.queue_of(QUEUE).connection.delete(f"drain:{event_id}")
    except (RedisError, OSError) as error:
        log.warning("the bell of event %s could not be cleared: %s", event_id, type(error).__name__)


def rings_for_others(event_id: int) -> bool:
    """Whether another event waits for a worker. True when Redis does not answer."""
    waiting = jobs.waiting(QUEUE)
    try:
        return waiting is None or waiting > jobs.queue_of(QUEUE).connection.exists(f"drain:{event_id}")
    except (RedisError, OSError):
        return True
