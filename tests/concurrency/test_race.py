"""Processes of buyers, workers and an organiser racing for the same places: never one too many, never one too few."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from apps.ticketing import clock, invariants, queue, reservations
from apps.ticketing.models import Order
from tests.concurrency import judge, rush
from tests.concurrency.forks import forked
from tests.proofs import Proof

pytestmark = pytest.mark.django_db(transaction=True)

SEEDS = {"small": 1, "full": 20}
# What a stranger would count, at one moment: held places by quota against its size. It reads no counter of ours.
TOO_MANY = """
    WITH held AS (
        SELECT tq.quota_id AS id, count(*) AS n FROM ticketing_orderline l
        JOIN ticketing_tickettype_quotas tq ON tq.tickettype_id = l.ticket_type_id WHERE l.is_held GROUP BY 1
        UNION ALL
        SELECT cq.quota_id, sum(c.quantity) FROM ticketing_orderline l JOIN ticketing_linechoice c ON c.line_id = l.id
        JOIN ticketing_choice_quotas cq ON cq.choice_id = c.choice_id WHERE l.is_held GROUP BY 1)
    SELECT q.id, q.size, q.taken, sum(held.n) FROM ticketing_quota q LEFT JOIN held USING (id)
    WHERE q.event_id = ANY(%s) GROUP BY q.id
    HAVING coalesce(sum(held.n), 0) + q.set_aside > q.size OR coalesce(sum(held.n), 0) <> q.taken"""


class Sampler(threading.Thread):
    """Looks again and again whether more is sold and held than there is; one statement sees one snapshot."""

    def __init__(self, events: tuple[int, ...]) -> None:
        super().__init__()
        self.events, self.stop, self.samples = list(events), threading.Event(), 0
        self.violations: list[tuple[Any, ...]] = []

    def run(self) -> None:
        with connection.cursor() as cursor:
            while not self.stop.is_set():
                cursor.execute(TOO_MANY, [self.events])
                self.violations += cursor.fetchall()
                self.samples += 1
                self.stop.wait(0.02)
        connections.close_all()


def hold_a_rush(plan: rush.Plan, serving: Any = rush.serve) -> tuple[Sampler, Counter[str]]:
    """Two web processes, three workers and a crowd that changes its mind, watched by a sampler; what they counted."""
    sampler = Sampler(plan.events)
    try:
        with forked(rush.everybody(plan, serving, webs=2, workers=3, crowds=1)) as running:
            sampler.start()
            placed = [future.result() for future in running[:2]]
            plan.over.touch()
            counted = [future.result() for future in running[2:]]
    finally:
        plan.over.touch()
        sampler.stop.set()
        sampler.join()
    return sampler, sum((Counter(one) for one in (*placed, *counted)), Counter())


@pytest.mark.proof(
    "exact_rush",
    what="However a crowd buys, leaves and pays: never one place too many, none left that somebody waits for",
    full=2_000,
    small=100,
)
def test_a_rush_sells_exactly_what_there_is(proof: Proof, tmp_path: Path) -> None:
    rush.make_members(proof.n // 5)
    states: Counter[str] = Counter()
    verbs: Counter[str] = Counter()
    samples = 0
    for number in range(SEEDS[proof.size]):
        hall, club = rush.make_hall(proof.n // 2), rush.make_hall(proof.n // 10)
        plan = rush.Plan((hall.pk, club.pk), proof.n, proof.seed + number, tmp_path / f"over-{number}")

        sampler, counted = hold_a_rush(plan)
        reservations.expire_overdue(clock.now())
        queue.drain_all()

        assert sampler.violations == []
        assert invariants.check() == []
        for event in (hall, club):
            sale = judge.Sale(event.pk)
            assert {len(order.decisions) for order in sale.orders.values()} == {1}
            assert min(sale.left.values()) >= 0
            assert sale.waiting_that_would_fit() == []
            assert sale.above_a_limit(rush.MOST_PER_PERSON) == []
            assert sale.passed_over() == []
        orders = Order.objects.filter(event__in=plan.events)
        assert orders.count() == counted["placed"]
        assert not orders.filter(reason="internal_error").exists()
        states.update(orders.values_list("state", flat=True))
        verbs += counted
        samples += sampler.samples

    # A rush for nothing scarce, or in which nobody changed their mind, would prove nothing.
    assert {"waiting", "reserved", "paid", "cancelled"} <= set(states)
    assert {verb for verb in rush.MUST_HAPPEN if not verbs[verb]} == set()
    proof.record(seeds=SEEDS[proof.size], samples=samples, states=dict(states), verbs=dict(verbs))


def test_the_same_rush_oversells_without_the_guards(tmp_path: Path) -> None:
    hall, club = rush.make_hall(20), rush.make_hall(10)
    rush.make_members(8)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE ticketing_quota DROP CONSTRAINT quota_never_oversold")
    try:
        plan = rush.Plan((hall.pk, club.pk), 40, 7, tmp_path / "over")
        sampler, _counted = hold_a_rush(plan, rush.serve_carelessly)

        # At some moment: those who leave later may leave no more than there is.
        assert any((held or 0) > size for _quota, size, _taken, held in sampler.violations), "the control must oversell"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE ticketing_quota SET taken = 0")
            cursor.execute(
                "ALTER TABLE ticketing_quota ADD CONSTRAINT quota_never_oversold CHECK (size >= (taken + set_aside))"
            )
