"""Two workers in processes of their own, each with an event of the same organisation, before one bank."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from functools import partial

import pytest

from apps.ticketing import clock, invariants, pacing, queue
from apps.ticketing.models import Order, PaymentPace
from tests import factories
from tests.concurrency.forks import forked

pytestmark = pytest.mark.django_db(transaction=True)

CAP, ORDERS = 5, 24
STEP = timedelta(seconds=1) / CAP


def worker(event_id: int, starts_at: float) -> int:
    """Drain the event in small batches, so that it takes many turns."""
    queue.BATCH = 3
    time.sleep(max(0, starts_at - time.monotonic()))
    decided = 0
    while decided < ORDERS:  # a turn ends after a second
        decided += queue.drain(event_id)
    return decided


def hasty(event_id: int, starts_at: float) -> int:
    """The same without the lock on the account, and with a pause between its look and its claim."""

    def look(organisation_id, providers):
        found = list(PaymentPace.objects.filter(organisation_id=organisation_id, provider__in=providers))
        time.sleep(0.05)
        return found

    pacing._lock = look  # type: ignore[assignment]
    return worker(event_id, starts_at)


def race(role) -> list[list[datetime]]:
    """The moments that the buyers of each event were given, by rank."""
    organisation = factories.organisation()
    events = [factories.event(organisation=organisation) for _ in range(2)]
    PaymentPace.objects.create(organisation=organisation, provider="sandbox", next_at=clock.now(), turn_at=clock.now())
    for event in events:
        kind = factories.ticket_type(event, factories.quota(event, ORDERS))
        for _ in range(ORDERS):
            factories.order(event, factories.wanted(kind))
    starts_at = time.monotonic() + 0.5
    with forked([partial(role, event.pk, starts_at) for event in events]) as workers:
        assert [worker.result() for worker in workers] == [ORDERS, ORDERS]
    assert invariants.check() == []
    return [
        list(Order.objects.filter(event=event).order_by("rank").values_list("pays_from", flat=True)) for event in events
    ]


def most_in_a_second(moments: list[datetime]) -> int:
    """The most of `moments` that lie within any one second."""
    return max(sum(begin <= other < begin + timedelta(seconds=1) for other in moments) for begin in moments)


@pytest.fixture(autouse=True)
def five_a_second(settings):
    settings.PAYMENT_STARTS_PER_SECOND = {"sandbox": CAP}


def test_two_workers_never_open_more_payments_a_second_than_the_bank_takes():
    one, other = race(worker)

    moments = sorted(one + other)
    assert (one, other) == (sorted(one), sorted(other))  # in rank order
    assert one[0] < other[-1] and other[0] < one[-1]  # both at once
    assert most_in_a_second(moments) == CAP
    assert moments == [moments[0] + n * STEP for n in range(2 * ORDERS)]  # and not one moment was wasted


def test_without_the_lock_they_do():
    """The negative control: the race is real."""
    one, other = race(hasty)

    assert most_in_a_second(one + other) > CAP
