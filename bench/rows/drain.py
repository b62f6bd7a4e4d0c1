"""How fast the queue decides: one worker on one core, from a queue of a thousand to one of two hundred thousand.

Two crowds, because they are different work: one for which there is room, whose prices are frozen and whose places are
held, and one that finds everything sold out and waits.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import selling
from bench.frame import Figure, Row
from bench.house import House

if TYPE_CHECKING:
    from apps.ticketing.models import TicketType

SIZES = (1_000, 20_000, 200_000)
# A short queue is over before the clock can tell: so many events of it are served one after the other.
AT_LEAST_DECIDED = 10_000
WARM_UP = 1_000


@dataclass(frozen=True)
class Speed:
    """What one crowd took: decisions a second, and CPU for one in microseconds, PostgreSQL's included."""

    per_second: float
    cpu_us: float


def measure(house: House) -> Sequence[Figure]:
    """Both crowds at every size; each on a database of its own, with the queue and its PostgreSQL on one core."""
    figures = []
    for is_sold_out in (False, True):
        speeds = {}
        for size in SIZES:
            house.empty()
            speeds[size] = serve(size, is_sold_out=is_sold_out)
        crowd = "sold out" if is_sold_out else "room for all"
        figures += [
            Figure(f"decisions, {size:,} queued, {crowd}", speed.per_second, "/s", at_least=4_000, aim=10_000)
            for size, speed in speeds.items()
        ]
        figures += [
            Figure(f"work for one, {size:,} queued, {crowd}", speed.cpu_us, "CPU us") for size, speed in speeds.items()
        ]
        growth = (speeds[SIZES[-1]].cpu_us / speeds[SIZES[0]].cpu_us - 1) * 100
        figures.append(Figure(f"more work for one in the longest queue, {crowd}", growth, "%", at_most=30, aim=10))
    return figures


def serve(size: int, *, is_sold_out: bool, dress: Callable[[TicketType], object] = lambda kind: None) -> Speed:
    from config.collector import leave_alone_what_is_loaded

    from apps.ticketing.models import Order, Quota

    shops = [
        selling.open_shop(places=1 if is_sold_out else count * selling.MOST_PER_PERSON)
        for count in [WARM_UP] + [size] * max(1, AT_LEAST_DECIDED // size)
    ]
    for shop in shops:
        dress(shop.kind)
    if is_sold_out:
        Quota.objects.update(taken=1)
    filled = [selling.fill(shop, size if number else WARM_UP) for number, shop in enumerate(shops)]
    selling.settle_down()
    leave_alone_what_is_loaded()  # as a worker does
    with selling.on_one_core():
        _drain_until_empty(shops[0].event.pk)
        begun = time.perf_counter()
        with selling.measured() as work:
            decided = sum(_drain_until_empty(shop.event.pk) for shop in shops[1:])
        seconds = time.perf_counter() - begun
    assert decided == sum(filled[1:]), f"{decided} decided of {sum(filled[1:])}"
    states = Counter(Order.objects.values_list("state", flat=True))
    assert states == {"waiting" if is_sold_out else "reserved": sum(filled)}, states
    return Speed(decided / seconds, work.seconds / decided * 1e6)


def _drain_until_empty(event_id: int) -> int:
    from apps.ticketing import queue

    decided = 0
    while count := queue.drain(event_id):
        decided += count
    return decided


ROW = Row(
    name="drain",
    what="a queue served by one worker: limits per person, prices, choices, audit, mails, news",
    measure=measure,
)
