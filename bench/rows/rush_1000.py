"""A thousand buyers within two seconds for 300 tickets, each from the event's page to the tickets or the answer no."""

from __future__ import annotations

from collections.abc import Sequence

from bench import rush
from bench.frame import Figure, Row
from bench.house import House

BUYERS = 1_000
TICKETS = 300
WITHIN_SECONDS = 2.0


def measure(house: House) -> Sequence[Figure]:
    """How fast tickets are paid, what an order costs, how long winners and losers wait."""
    return judge(rush.run(house, buyers=BUYERS, tickets=TICKETS, within_seconds=WITHIN_SECONDS))


def judge(result: rush.Result) -> Sequence[Figure]:
    """The figures of such a rush beside their targets. Raises AssertionError when it sold too much or lost somebody."""
    rush.check(result)
    return (
        Figure("paid orders", TICKETS / result.last_paid, "/s", at_least=20, aim=40),
        Figure("the servers' work for one paid order", result.cpu_ms_per_order, "CPU ms", at_most=70, aim=40),
        Figure("losers told (p95)", rush.percentile(result.losers, 0.95), "s", at_most=6),
        Figure("winners paid (p95)", rush.percentile(result.paid, 0.95), "s", at_most=16),
        Figure("slowest request", result.log.slowest(), "s"),
        *rush.figures(result),
    )


ROW = Row(
    name="rush_1000",
    what="1,000 buyers within 2 s for 300 tickets: page, order, details, bank, paid",
    measure=measure,
)
