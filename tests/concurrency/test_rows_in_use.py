"""Who waits is served in rank order also while somebody else holds their row for a moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction

from apps.ticketing import queue, reasons, reservations
from apps.ticketing.models import Order, Quota
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def orders() -> list[Order]:
    """One that holds the only place, and two that wait for it."""
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 1))
    made = [factories.order(event, factories.wanted(kind)) for _number in range(3)]
    queue.drain(event.pk)
    assert states(made) == ["reserved", "waiting", "waiting"]
    return made


def states(orders: list[Order]) -> list[str]:
    return [Order.objects.get(pk=order.pk).state for order in orders]


@contextmanager
def in_use(order: Order, seconds: float) -> Iterator[None]:
    """Another connection holds the order's row, as a claim of its place does, for so long."""
    held = threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Order.objects.select_for_update(no_key=True).get(pk=order.pk)
            held.set()
            time.sleep(seconds)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(5)
    try:
        yield
    finally:
        holder.join()


def give_back(order: Order) -> None:
    reservations.release([order.pk], "reserved", "cancelled", reasons.CANCELLED_BY_BUYER)


@pytest.mark.parametrize(
    ("waits", "expected"),
    [
        pytest.param(True, ["cancelled", "reserved", "waiting"], id="in-rank-order"),
        pytest.param(False, ["cancelled", "waiting", "reserved"], id="control-that-skips-what-is-held"),
    ],
)
def test_nobody_passes_a_waiting_order_that_is_held_for_a_moment(
    orders: list[Order], monkeypatch: pytest.MonkeyPatch, waits: bool, expected: list[str]
) -> None:
    give_back(orders[0])
    if not waits:
        pick: Callable[..., Any] = queue._pick
        monkeypatch.setattr(queue, "_pick", lambda *arguments, skips, **which: pick(*arguments, skips=True, **which))
        monkeypatch.setattr(queue, "_serve_batch", lambda event_id, **which: 0)

    with in_use(orders[1], 0.4):
        queue.drain(orders[0].event_id)

    assert states(orders) == expected


@pytest.mark.parametrize(
    ("waits", "expected"),
    [
        pytest.param(True, ["reserved", "waiting"], id="in-rank-order"),
        pytest.param(False, ["waiting", "reserved"], id="control-that-skips-what-is-held"),
    ],
)
def test_nobody_passes_a_queued_order_that_is_held_for_a_moment(
    monkeypatch: pytest.MonkeyPatch, waits: bool, expected: list[str]
) -> None:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 1))
    queued = [factories.order(event, factories.wanted(kind)) for _number in range(2)]
    if not waits:
        pick: Callable[..., Any] = queue._pick
        monkeypatch.setattr(queue, "_pick", lambda *arguments, skips, **which: pick(*arguments, skips=True, **which))

    with in_use(queued[0], 0.4):
        queue.drain(event.pk)
    queue.drain(event.pk)

    assert states(queued) == expected


def test_one_that_is_held_for_long_stops_nobody_and_is_looked_at_again(orders: list[Order]) -> None:
    """Two places come back, and the first who waits is held longer than a lock is waited for."""
    event_id = orders[0].event_id
    reservations.resize(Quota.objects.get(), 2)
    give_back(orders[0])
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")

    with in_use(orders[1], 1.0):
        queue.drain(event_id)
        assert states(orders) == ["cancelled", "waiting", "reserved"]
        assert event_id in queue.events_to_serve()
    queue.drain(event_id)

    assert states(orders) == ["cancelled", "reserved", "reserved"]
    assert event_id not in queue.events_to_serve()
    connection.close()  # with its short patience
