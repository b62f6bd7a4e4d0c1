"""What RQ workers run: ids in, one call. And the bell that asks them to.

A job is only a wake-up. What is to be done stands in PostgreSQL, so a job that is lost, repeated or rung for nothing
does no harm; the sweepers ring again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import lru_cache

import django_rq
from redis.exceptions import RedisError
from rq import Queue

from apps.accounts.request_ids import new_request_id, request_id

log = logging.getLogger(__name__)

KEEP_FAILED_SECONDS = 3600


@lru_cache(maxsize=8)
def queue_of(name: str) -> Queue:
    """The RQ queue called `name`, made once: over one connection pool per process."""
    return django_rq.get_queue(name, connection=django_rq.get_connection(name))


def ring(job: str, ids: Iterable[int], *, queue: str = "default", valid_seconds: int | None = None) -> None:
    """Ask a worker to run `job` (a function of this module) once for each id, after commit. One round trip.

    Never raises for Redis: the failure is logged and the sweeper rings later. A job not begun within `valid_seconds`
    is forgotten.
    """
    try:
        target = queue_of(queue)
        target.enqueue_many(
            [
                target.prepare_data(
                    f"{__name__}.{job}",
                    args=[pk],
                    timeout=target._default_timeout,
                    result_ttl=0,
                    failure_ttl=KEEP_FAILED_SECONDS,
                    ttl=valid_seconds,
                )
                for pk in ids
            ]
        )
    except (RedisError, OSError) as error:
        log.warning("the bell of the queue %s is out of order: %s", queue, type(error).__name__)


def waiting(queue: str) -> int | None:
    """How many jobs wait in a queue; None when Redis does not answer."""
    try:
        return queue_of(queue).count
    except (RedisError, OSError):
        return None


def drain_event(event_id: int) -> None:
    """Serve the purchase queue of one event for a turn."""
    from apps.ticketing import queue

    with request_id(new_request_id()):
        queue.drain(event_id, gathers=True)


def run_effect(effect_id: int) -> None:
    """Carry out one effect of the outbox, under the request id of its cause."""
    from apps.ticketing import outbox

    outbox.run(effect_id)


def go_on_cancelling(cancellation_id: int) -> None:
    """Pay back for a turn what was paid for an event that is cancelled."""
    from apps.ticketing import paying_back

    with request_id(new_request_id()):
        paying_back.go_on(cancellation_id)


def fetch_payment(payment_id: int) -> None:
    """Ask the provider what became of one payment whose notice may be lost."""
    from apps.ticketing import payments

    with request_id(new_request_id()):
        payments.fetch(payment_id)
