"""A pause races the workers: once it has returned, nothing of the sale is decided until it goes on."""

from __future__ import annotations

import time

import pytest

from apps.events.models import Event
from apps.ticketing import invariants, sale_control
from apps.ticketing.models import Order
from tests import factories
from tests.processes import running

pytestmark = pytest.mark.django_db(transaction=True)

ORDERS = 120
ROUNDS = 2
MOST_ROUNDS = 10  # the control is over once it was caught
WATCHED_SECONDS = {"worker": 0.3, "careless": 1.0}  # the careless take their time


@pytest.fixture
def event() -> Event:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 2 * ORDERS))
    for _ in range(ORDERS):
        factories.order(event, factories.wanted(kind))
    return event


def decided(event: Event) -> int:
    return Order.objects.filter(event=event).exclude(state="queued").count()


def wait_for_more(event: Event, than: int) -> None:
    until = time.monotonic() + 120  # they load the whole house first, on a machine that does much besides
    while decided(event) <= than:
        assert time.monotonic() < until, "the workers decide nothing"
        time.sleep(0.005)


def race(event: Event, role: str) -> list[int]:
    """Pause and resume while a worker drains in batches of five; how many were decided in each pause."""
    late: list[int] = []
    with running("-m", "tests.concurrency.pausing", role, str(event.pk)):
        while len(late) < ROUNDS or (role == "careless" and not any(late) and len(late) < MOST_ROUNDS):
            wait_for_more(event, than=decided(event))
            sale_control.pause(event)
            at_return = decided(event)
            time.sleep(WATCHED_SECONDS[role])
            late.append(decided(event) - at_return)
            sale_control.resume(event)
    return late


def test_nothing_is_decided_once_pause_has_returned(event: Event) -> None:
    late = race(event, "worker")

    assert late == [0] * ROUNDS
    assert decided(event) > 0
    assert invariants.check() == []


def test_orders_are_decided_in_a_pause_by_workers_that_look_before_they_lock(event: Event) -> None:
    """The negative control: the same race with the look taken out from under the lock."""
    late = race(event, "careless")

    assert sum(late) > 0
    assert "no order is decided while its sale stands still" in [found.promise for found in invariants.check()]
