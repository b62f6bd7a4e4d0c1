"""A ticket that is sold again survives the death of whoever works on it, at every step."""

from __future__ import annotations

import pytest
from django.db import transaction

from apps.ticketing import invariants
from apps.ticketing.crashpoints import RESALE
from apps.ticketing.models import Ticket
from tests import factories
from tests.faults.house import House
from tests.faults.kills import WITHIN_SECONDS, wait_for_quiet
from tests.faults.resales import judge_resales, kill_a_resale
from tests.proofs import Proof


@pytest.mark.proof(
    "killed_resales",
    what="A resale survives SIGKILL at each of its ten points: one good code at every moment, one charge, one refund,"
    " settled within a minute",
    full=3,
    small=1,
)
def test_a_resale_survives_a_kill_at_each_of_its_points(house: House, proof: Proof) -> None:
    """`n` sales for each point. Small: some of the points."""
    points = list(RESALE) if proof.size == "full" else sorted(proof.random.sample(list(RESALE), 2))
    with house.database():
        house.mail.mkdir(exist_ok=True)
        event = factories.event()
        factories.ticket_type(event, factories.quota(event, proof.n * len(points)))
        house.begin_rush()
        sales = [kill_a_resale(house, event, point, proof.random) for point in points for _ in range(proof.n)]
        wait_for_quiet(house)

        alive = [(sale.point, sale.heard) for sale in sales if not sale.died]
        assert alive == [], "nobody died there: that would prove nothing"
        assert [sale for sale in sales if sale.wrong_moments] == []
        assert judge_resales(house, sales) == []
        assert [sale for sale in sales if sale.settled_seconds > WITHIN_SECONDS] == []
        assert invariants.check() == []
        with transaction.atomic():  # the negative control: the judge notices a code that is good still
            Ticket.objects.filter(line__order__email=sales[0].seller).update(state="valid")
            told = [wrong.partition(": ")[2] for wrong in judge_resales(house, sales)]
            assert told == ["tickets is ['valid', 'valid']"]
            transaction.set_rollback(True)
    proof.record(
        points={
            point: {
                "crashpoint": RESALE[point][0],
                "when": RESALE[point][1],
                "samples": [sale.samples for sale in sales if sale.point == point],
                "settled_seconds": [sale.settled_seconds for sale in sales if sale.point == point],
            }
            for point in points
        }
    )
