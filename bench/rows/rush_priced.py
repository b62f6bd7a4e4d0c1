"""The rush of `rush_1000` at an event with ten discounts and a hundred presale links, against the same targets."""

from __future__ import annotations

from collections.abc import Sequence

from bench import priced, rush
from bench.frame import Figure, Row
from bench.house import House
from bench.rows.rush_1000 import BUYERS, TICKETS, WITHIN_SECONDS, judge


def measure(house: House) -> Sequence[Figure]:
    """As there; and that the discounts and links were used, so that a fast sale without them is no figure."""
    result = rush.run(house, buyers=BUYERS, tickets=TICKETS, within_seconds=WITHIN_SECONDS, dress=priced.with_discounts)
    figures = judge(result)
    return (*figures, *_used())


def _used() -> Sequence[Figure]:
    from apps.discounts.models import DiscountUse
    from apps.ticketing.models import OrderLine

    by_link = OrderLine.objects.filter(is_held=True).exclude(allotment="").count()
    with_code = DiscountUse.objects.filter(is_live=True, code__isnull=False).count()
    reduced = DiscountUse.objects.filter(is_live=True).values("line").distinct().count()
    assert by_link and with_code and reduced == TICKETS, (by_link, with_code, reduced)
    return (
        Figure("tickets bought by a presale link", by_link, ""),
        Figure("tickets bought with a code", with_code, ""),
        Figure("tickets with a discount", reduced, ""),
    )


ROW = Row(
    name="rush_priced",
    what="the rush of rush_1000 with ten discounts and a hundred presale links",
    measure=measure,
)
