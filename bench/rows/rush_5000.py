"""Five thousand buyers within ten seconds for a thousand tickets: nobody meets an error, everybody is told."""

from __future__ import annotations

from collections.abc import Sequence

from bench import rush
from bench.frame import Figure, Row
from bench.house import House

BUYERS = 5_000
TICKETS = 1_000
WITHIN_SECONDS = 10.0


def measure(house: House) -> Sequence[Figure]:
    """How long losers wait for their answer, and the slowest page of all."""
    result = rush.run(house, buyers=BUYERS, tickets=TICKETS, within_seconds=WITHIN_SECONDS)
    rush.check(result)
    return (
        Figure("losers told (p95)", rush.percentile(result.losers, 0.95), "s", at_most=40, aim=20),
        Figure("slowest request", result.log.slowest(), "s", at_most=10),
        Figure("winners paid (p95)", rush.percentile(result.paid, 0.95), "s"),
        Figure("paid orders", TICKETS / result.last_paid, "/s"),
        Figure("the servers' work for one paid order", result.cpu_ms_per_order, "CPU ms"),
        *rush.figures(result),
    )


ROW = Row(
    name="rush_5000",
    what="5,000 buyers within 10 s for 1,000 tickets: page, order, details, bank, paid",
    measure=measure,
)
