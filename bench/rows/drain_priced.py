"""How fast the queue decides where every price is asked of ten discounts, and a hundred presale links are active."""

from __future__ import annotations

from collections.abc import Sequence

from bench import priced
from bench.frame import Figure, Row
from bench.house import House
from bench.rows.drain import serve

SIZE = 20_000


def measure(house: House) -> Sequence[Figure]:
    """The crowd that there is room for, with and without them, one after the other on the same machine."""
    plain = serve(SIZE, is_sold_out=False)
    house.empty()
    dressed = serve(SIZE, is_sold_out=False, dress=priced.dress)
    return (
        Figure("decisions with ten discounts", dressed.per_second, "/s", at_least=4_000, aim=10_000),
        Figure("work for one with ten discounts", dressed.cpu_us, "CPU us"),
        Figure("work for one without", plain.cpu_us, "CPU us"),
        Figure("more work for one", (dressed.cpu_us / plain.cpu_us - 1) * 100, "%"),
    )


ROW = Row(
    name="drain_priced",
    what="a queue served by one worker at an event with ten discounts and a hundred presale links",
    measure=measure,
)
