"""Tells waiting buyers how the queue moves and what became of their order, through Redis to the live process.

Nothing here is the truth: a message that gets lost is made good by the order page, which asks again by itself. So an
error of Redis is logged and never raised, and after one the next second's news are dropped without another try.

A message on `live:<event public id>` is JSON: {"progress": {"decided", "rate", "held", "quotas"}, "results": [[order,
state], …], "sale": {…}}, any part may be absent. The last state of each order is also kept for a few minutes under
`live:result:<order>` (with the second it was told in), and what holds for a sale that was paused, moved or ended
(`sale_control.Standing.news`) for hours under `live:sale:<event>`, for a page whose stream opens just after it.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from django.dispatch import receiver
from redis.backoff import NoBackoff
from redis.retry import Retry

from apps.accounts.prepared import Statement
from apps.events.models import Event
from apps.ticketing import catalogue, live_tokens, signals
from apps.ticketing.models import Order, Quota
from apps.ticketing.states import ORDER_IN_QUEUE, OrderState, PaymentState

log = logging.getLogger(__name__)

RESULT_KEPT_SECONDS = 300
SALE_KEPT_SECONDS = 12 * 60 * 60
REST_SECONDS = 2.0
# With the batch that decided them. A rejection is not in here: the queue also rejects orders that belong to no batch.
TOLD_BY_THE_QUEUE = frozenset({OrderState.RESERVED, OrderState.OFFERED, OrderState.WAITING})
# Not a state of the order: a payment failed or was cancelled, and a page that waits for the bank should look again.
PAYMENT_NEWS = "payment"

# The same value under many names that run out: one command instead of one for each.
KEEP_SCRIPT = "for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1], 'EX', ARGV[2]) end"

Result = tuple[uuid.UUID, str]

_rests_until = 0.0


def channel(event: uuid.UUID) -> str:
    """The Redis channel of one event."""
    return f"live:{event}"


def result_key(order: uuid.UUID) -> str:
    """Where the last result of an order is kept for a while."""
    return f"live:result:{order}"


def sale_key(event: uuid.UUID) -> str:
    """Where what holds for a sale is kept, for a page whose stream opens just after it was told."""
    return f"live:sale:{event}"


def stream_url(order: Order, *, at: datetime, sale_number: int = 0) -> str:
    """The address of this order's stream, for a page that was made at `at` and shows the order's present state.

    `sale_number` is the last change of the sale that the page shows.
    """
    token = _pass(order.public_id, order.event.public_id)
    return f"{settings.LIVE_URL}/live/{token}?seen={order.state}&at={int(at.timestamp())}&sale={sale_number}"


def sale_stream_url(event: uuid.UUID, *, at: datetime, sale_number: int) -> str:
    """The address of a stream for pages that hear of the sale alone, the same for all; empty without `live`."""
    if not settings.LIVE_URL:
        return ""
    token = _pass(live_tokens.NO_ORDER, event)
    return f"{settings.LIVE_URL}/live/{token}?at={int(at.timestamp())}&sale={sale_number}"


def _pass(order: uuid.UUID, event: uuid.UUID) -> str:
    until = int(time.time()) + live_tokens.VALID_SECONDS
    return live_tokens.make(order, event, expires_at=until, secret=settings.LIVE_SECRET)


def tell_sale(event: uuid.UUID, news: Mapping[str, Any]) -> None:
    """Tell every open page of an event what holds for its sale. Never raises. Next: config.live, sale.js."""
    _tell(event, {"sale": dict(news)}, [])


def announce(
    event_id: int | uuid.UUID, results: Sequence[tuple[uuid.UUID, str]], progress: Mapping[str, Any] | None = None
) -> None:
    """Tell the results of one batch, and how far the queue is, in one message. Call it after commit.

    `event_id` is the event's key, or its public id where what is left need not be told. Redis errors are logged.
    Next: config.live hands it to the open streams.
    """
    event = event_id if isinstance(event_id, uuid.UUID) else _public_id(event_id)
    message: dict[str, Any] = {}
    if results:
        message["results"] = [[str(order), str(state)] for order, state in results]
    if progress is not None:
        message["progress"] = dict(progress)
        if isinstance(event_id, int):
            message["progress"]["quotas"] = left_for_all(event_id)
    if message:
        _tell(event, message, results)


def left_by_quota(event_id: int) -> dict[str, int]:
    """What is left of each quota by its public id; a page takes the least of those its order draws on. One query."""
    return {str(quota.public_id): quota.left for quota in Quota.objects.filter(event_id=event_id)}


def left_for_all(event_id: int) -> dict[str, int]:
    """The same of the quotas that types shown to everybody draw on: what may be told to whoever waits."""
    shown = catalogue.load(event_id).for_all_quotas
    return {quota: left for quota, left in left_by_quota(event_id).items() if quota in shown}


def publish_results(event: uuid.UUID, results: Sequence[tuple[uuid.UUID, str]]) -> None:
    """Tell what became of orders, once per batch and after commit. Never raises."""
    announce(event, results)


_NAMES = Statement(
    "live_names",
    ("bigint[]",),
    "SELECT e.public_id, o.public_id FROM ticketing_order o JOIN events_event e ON e.id = o.event_id"
    " WHERE o.id = ANY($1) ORDER BY o.id",
)


@receiver(signals.orders_moved, dispatch_uid="ticketing.live.orders")
def tell_moved_orders(*, old: Mapping[int, str], new: str, **_: Any) -> None:
    """Tell the open pages of orders that moved; those the queue decided are told by batch, and not here."""
    told = new in TOLD_BY_THE_QUEUE
    ids = [pk for pk, state in old.items() if not (told and state in ORDER_IN_QUEUE)]
    if ids:
        _tell_all(_NAMES.run(ids), new)


@receiver(signals.payments_moved, dispatch_uid="ticketing.live.payments")
def tell_failed_payments(*, ids: Iterable[int], new: str, **_: Any) -> None:
    """Tell the open pages of orders whose payment came to nothing; a captured one moves its order, told above."""
    if new in (PaymentState.FAILED, PaymentState.CANCELLED):
        paid_for = Order.objects.filter(payments__in=list(ids))
        _tell_all(paid_for.values_list("event__public_id", "public_id"), PAYMENT_NEWS)


def _tell_all(orders: Iterable[tuple[Any, ...]], state: str) -> None:
    """Tell `state` of orders, each named by the public ids of its event and its own."""
    told: dict[uuid.UUID, list[Result]] = {}
    for event, order in orders:
        told.setdefault(event, []).append((order, state))
    for event, results in told.items():
        publish_results(event, results)


@lru_cache(maxsize=1)
def _redis(url: str) -> redis.Redis:
    # One retry at once replaces a connection that died in the pool; the library's own retries wait for seconds.
    return redis.Redis.from_url(url, socket_timeout=0.25, socket_connect_timeout=0.25, retry=Retry(NoBackoff(), 1))


@lru_cache(maxsize=4096)
def _public_id(event_id: int) -> uuid.UUID:
    return Event.objects.values_list("public_id", flat=True).get(pk=event_id)


def _tell(event: uuid.UUID, message: Mapping[str, Any], results: Sequence[Result]) -> None:
    global _rests_until
    if time.monotonic() < _rests_until:
        return
    try:
        with _redis(settings.REDIS_URL).pipeline(transaction=False) as pipe:
            by_state: dict[str, list[str]] = {}
            for order, state in results:
                if state != PAYMENT_NEWS:
                    by_state.setdefault(state, []).append(result_key(order))
            for state, keys in by_state.items():
                pipe.eval(KEEP_SCRIPT, len(keys), *keys, f"{state} {int(time.time())}", RESULT_KEPT_SECONDS)
            if "sale" in message:
                pipe.set(sale_key(event), json.dumps(message["sale"]), ex=SALE_KEPT_SECONDS)
            pipe.publish(channel(event), json.dumps(message))
            pipe.execute()
    except (redis.RedisError, OSError) as error:
        _rests_until = time.monotonic() + REST_SECONDS
        log.warning("live news not told, resting %s s: %s", REST_SECONDS, type(error).__name__)
