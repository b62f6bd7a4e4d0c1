"""The bell of the purchase queue: a word to the workers that an event has orders to serve.

The orders are rows in PostgreSQL; a bell that nobody hears costs two seconds, because the sweeper rings again.
"""

from __future__ import annotations

import logging

from redis.exceptions import RedisError

from apps.ticketing import jobs
from apps.ticketing.crashpoints import crashpoint

log = logging.getLogger(__name__)
QUEUE = "purchases"


def ring(event_id: int) -> None:
    """Ask for a drain of one event, at most one job in two seconds. A Redis failure is logged, never raised."""
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
