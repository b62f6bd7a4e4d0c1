"""How long one buyer waits when nobody else does: from sending the form until the decision is there to be read.

Foyer's real processes, one order after the other, each by the form as a browser sends it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench import selling
from bench.frame import Figure, Row
from bench.house import House

WARM_UP = 20
ORDERS = 200
# A worker that has nothing to do listens for the next bell; one order each tenth of a second finds it listening.
PAUSE_SECONDS = 0.1


def measure(house: House) -> Sequence[Figure]:
    """The middle and the slowest twentieth, and how much of it the buyer spends waiting for the answer to the form."""
    from apps.ticketing.models import Order

    shop = selling.open_shop(places=10_000)
    selling.settle_down()
    answered, decided = [], []
    with house.running("site", "live", "worker-purchases"):
        guest = selling.Guest(house.site_url, shop)
        for number in range(WARM_UP + ORDERS):
            wish = guest.choose(f"guest{number}@example.org")
            time.sleep(PAUSE_SECONDS)
            begun = time.perf_counter()
            address = guest.send(wish)
            answered.append(time.perf_counter() - begun)
            selling.wait_until_decided(address)
            decided.append(time.perf_counter() - begun)
    states = set(Order.objects.values_list("state", flat=True))
    assert states == {"reserved"}, states
    answered, decided = sorted(answered[WARM_UP:]), sorted(decided[WARM_UP:])
    return (
        Figure("sent to decided, in the middle (p50)", decided[ORDERS // 2] * 1000, "ms", at_most=40, aim=20),
        Figure("sent to decided, p95", decided[int(ORDERS * 0.95)] * 1000, "ms"),
        Figure("sent to answered, in the middle (p50)", answered[ORDERS // 2] * 1000, "ms"),
    )


ROW = Row(
    name="lone_order",
    what="one order at a time, sent by its form and decided by the worker",
    measure=measure,
    floor_connections=1,
)
