"""Processes of racers on presale links: never one ticket more than a link is good for, none too few, nothing lost."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from apps.discounts.models import PresaleLink
from apps.ticketing import clock, invariants, queue
from apps.ticketing.models import Order, OrderLine, TicketType
from tests import factories
from tests.concurrency import presale_rush
from tests.concurrency.forks import forked
from tests.concurrency.test_lock_order import deadlocks
from tests.discounts import presales
from tests.proofs import Proof

pytestmark = pytest.mark.django_db(transaction=True)


def held(kind: TicketType) -> dict[str, int]:
    """{what a line remembers of its link: tickets held}, counted from the lines alone."""
    found: dict[str, int] = {}
    for name in OrderLine.objects.filter(ticket_type=kind, is_held=True).values_list("allotment", flat=True):
        found[name] = found.get(name, 0) + 1
    return found


def hold(plan: presale_rush.Plan, serving: Any, *, organisers: int = 0, seconds: float = 0) -> list[Any]:
    """Two web processes and three workers at once, and whoever else; what the last ones counted."""
    numbers = presale_rush.shares(plan.racers, 2)
    verbs: list[Any] = [partial(presale_rush.race, plan, number, share) for number, share in enumerate(numbers)]
    verbs += [partial(serving, plan) for _ in range(3)]
    verbs += [partial(presale_rush.change_minds, plan, f"organiser {n}", seconds) for n in range(organisers)]
    try:
        with forked(verbs) as running:
            for future in running[:2]:
                future.result()
            for future in running[5:]:
                future.result()
            plan.over.touch()
            return [future.result() for future in running[2:]]
    finally:
        plan.over.touch()


@pytest.mark.proof(
    "presale_link_race", what="However many race for a presale link, exactly its tickets are sold", full=500, small=60
)
@pytest.mark.parametrize("sets_aside", [False, True], ids=["without-places", "with-places"])
def test_many_racers_on_one_link_get_exactly_its_tickets(proof: Proof, tmp_path: Path, sets_aside: bool) -> None:
    kind = presales.hidden_type(factories.event(), size=50, price_minor=0)
    closes_at = clock.now() + timedelta(days=1)
    made = presales.link(kind, size=5, sets_aside=sets_aside, closes_at=closes_at)
    plan = presale_rush.Plan(kind.event_id, kind.pk, (made.pk,), proof.n, proof.seed, tmp_path / "over")

    hold(plan, presale_rush.serve)

    states = list(Order.objects.values_list("state", flat=True))
    assert held(kind) == {f"presale:{made.pk}": 5}
    assert (states.count("reserved"), states.count("rejected")) == (5, proof.n - 5)
    assert PresaleLink.objects.get().used == 5
    assert presales.stock(kind) == [(50, 5, 0)]
    assert invariants.check() == []
    proof.record(racers=proof.n, sold=5)


def test_the_same_race_sells_too_many_without_the_guards(tmp_path: Path) -> None:
    kind = presales.hidden_type(factories.event(), size=100, price_minor=0)
    made = presales.link(kind, size=5)
    plan = presale_rush.Plan(kind.event_id, kind.pk, (made.pk,), 60, 7, tmp_path / "over")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE discounts_presalelink DROP CONSTRAINT presale_link_not_overused")
    try:
        hold(plan, presale_rush.serve_carelessly)

        assert held(kind)[f"presale:{made.pk}"] > 5, "the control must sell too many"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE discounts_presalelink SET used = 0")
            cursor.execute(
                "ALTER TABLE discounts_presalelink ADD CONSTRAINT presale_link_not_overused CHECK (used <= size)"
            )


def test_many_links_that_are_changed_and_ended_meanwhile_lose_and_double_nothing(tmp_path: Path) -> None:
    kind = presales.hidden_type(factories.event(), size=60, price_minor=0)
    moments = [clock.now() + timedelta(seconds=2 if n % 4 == 0 else 3600) for n in range(12)]
    made = [presales.link(kind, size=4, sets_aside=n % 2 == 0, closes_at=at) for n, at in enumerate(moments)]
    plan = presale_rush.Plan(kind.event_id, kind.pk, tuple(one.pk for one in made), 160, 11, tmp_path / "over")
    before = deadlocks()

    *_served, counted = hold(plan, presale_rush.serve, organisers=1, seconds=5)
    queue.drain_all()

    links = PresaleLink.objects.in_bulk()
    sold = held(kind)
    assert deadlocks() == before
    assert {name: n for name, n in sold.items() if n > links[int(name.split(":")[1])].size} == {}
    assert "" not in sold
    assert invariants.check() == []
    assert not Order.objects.filter(reason="internal_error").exists()
    assert min(counted[verb] for verb in ("leave", "revoke", "resize", "lapse")) > 0, counted
