"""Whether Foyer stays as fast as it was on its first day: CPU for one of each, with more and more orders stored.

The stored orders are of the very event that sells: some were paid, some came to nothing, and nearly half still wait for
another kind of ticket that is sold out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from bench import selling
from bench.frame import Figure, Row
from bench.house import House
from bench.selling import Guest, Shop

SIZES = (2_000, 20_000, 200_000)
STORED = {"waiting": 0.45, "rejected": 0.25, "expired": 0.15, "paid": 0.10, "cancelled": 0.05}
WARM_UP = 50
ACCEPTED = 300
DRAINED = 4_000
LONE_ORDERS = 100
PAGES = 1_000

Costs = dict[str, float]  # CPU milliseconds for one, by name


def measure(house: House) -> Sequence[Figure]:
    """One of each at every size, each size on a database of its own."""
    costs: dict[int, Costs] = {}
    for size in SIZES:
        house.empty()
        costs[size] = _costs(house, size)
    figures = []
    for name in costs[SIZES[0]]:
        for size in SIZES:
            figures.append(Figure(f"{name}, {size:,} stored", costs[size][name], "CPU ms"))
        most = max(costs[size][name] for size in SIZES[1:])
        growth = (most / costs[SIZES[0]][name] - 1) * 100
        figures.append(Figure(f"{name}: more work than at {SIZES[0]:,}", growth, "%", at_most=30, aim=10))
    return figures


def _costs(house: House, size: int) -> Costs:
    shop, page_address = _fill(size)
    costs = {"drain": _drain(shop)}
    with house.running("site"):
        guest = Guest(house.site_url, shop)
        number = iter(range(1_000_000))

        def accept() -> None:
            guest.send(guest.choose(f"accepted{next(number)}@example.org"))

        costs["accept"] = _cost(house, accept, ACCEPTED)
        costs["event_page"] = _cost(house, lambda: guest.get(page_address), PAGES)
    with house.running("site", "live", "worker-purchases"):
        guest = Guest(house.site_url, shop)
        selling.wait_until_decided(guest.send(guest.choose("first@example.org")), seconds=60)

        def lone_order() -> None:
            address = guest.send(guest.choose(f"lone{next(number)}@example.org"))
            # Looked at seldom, since looking is work of PostgreSQL's too.
            selling.wait_until_decided(address, every_seconds=0.02)
            guest.get(address)

        costs["lone_order"] = _cost(house, lone_order, LONE_ORDERS)
    return costs


def _cost(house: House, act: Callable[[], Any], times: int) -> float:
    """CPU milliseconds of the house for one `act`."""
    for _ in range(WARM_UP):
        act()
    time.sleep(0.5)
    begun = house.cpu_seconds()
    for _ in range(times):
        act()
    return (house.cpu_seconds() - begun) / times * 1000


def _drain(shop: Shop) -> float:
    from apps.ticketing import queue

    selling.fill(shop, WARM_UP)
    while queue.drain(shop.event.pk):
        pass
    selling.fill(shop, DRAINED)
    selling.settle_down()
    with selling.measured() as work:
        decided = 0
        while count := queue.drain(shop.event.pk):
            decided += count
    assert decided, "nothing was left to decide"
    return work.seconds / decided * 1000


def _fill(size: int) -> tuple[Shop, str]:
    """The event that sells, with `size` orders stored, and the address of its page."""
    from apps.events import tenancy
    from apps.ticketing.models import Quota
    from tests import factories
    from tests.tenancy.world import page_of

    organisation = tenancy.create_organisation("Lucia society")
    event = factories.event(organisation=organisation)
    body = [{"type": "tickets", "value": {}, "id": "t1"}]
    page = page_of(event, organisation.root_page, body=body, slug="lucia")
    sold_out = selling.open_shop(places=1, event=event)
    Quota.objects.filter(event=event).update(taken=1)
    shop = selling.open_shop(places=100_000, event=event)
    for state, share in STORED.items():
        selling.fill(sold_out, int(size * share), state=state)
    selling.settle_down()
    return shop, page.get_url()


ROW = Row(
    name="growth",
    what="CPU for one order decided, accepted, accepted and decided alone, and one event page, as orders pile up",
    measure=measure,
)
