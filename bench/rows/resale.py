"""How fast tickets change hands: listings held for whoever buys them, and swapped once the money is there.

Holding is the queue's work, one worker's. Settling is the swap of the ticket with its books, refund and mails; the
notice of the bank is at hand. Each with its PostgreSQL on one core.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from uuid import uuid4

from bench import reselling, selling
from bench.frame import Figure, Row
from bench.house import House

WARM_UP, LISTINGS, SETTLED = 20, 1_000, 200


def measure(house: House) -> Sequence[Figure]:
    """Listings held and settled a second."""
    from config.collector import leave_alone_what_is_loaded

    from apps.resale import buying
    from apps.resale.models import Listing
    from apps.ticketing import queue
    from apps.ticketing.models import Order, Ticket
    from apps.ticketing.payments import settle
    from tests import factories

    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, WARM_UP + LISTINGS))
    listings = reselling.put_up([kind], WARM_UP + LISTINGS)
    selling.settle_down()

    def buy(some: Sequence[Listing]) -> float:
        for listing in some:
            buying.buy([listing], email=f"buyer{listing.pk}@example.org", idempotency_key=uuid4().hex)
        begun = time.perf_counter()
        while queue.drain(event.pk):
            pass
        return time.perf_counter() - begun

    def pay(some: Sequence[Order]) -> float:
        notices = [factories.notice(factories.payment(order)) for order in some]
        begun = time.perf_counter()
        for notice in notices:
            settle.settle(notice, provider="sandbox")
        return time.perf_counter() - begun

    leave_alone_what_is_loaded()  # as a worker and the site do
    with selling.on_one_core():
        buy(listings[:WARM_UP])
        holding = buy(listings[WARM_UP:])
        reserved = list(Order.objects.filter(channel="resale", state="reserved").order_by("pk"))
        assert len(reserved) == WARM_UP + LISTINGS, Counter(Order.objects.values_list("state", "reason"))
        pay(reserved[:WARM_UP])
        with selling.measured() as work:
            settling = pay(reserved[WARM_UP : WARM_UP + SETTLED])
    sold = Listing.objects.filter(state="sold").count()
    alive = Ticket.objects.filter(state__in=["valid", "held"]).count()
    assert (sold, alive) == (WARM_UP + SETTLED, len(listings)), (sold, alive)
    return (
        Figure("listings held for a buyer, one worker", LISTINGS / holding, "/s", at_least=100),
        Figure("sales settled, one worker", SETTLED / settling, "/s", at_least=20),
        Figure("work for one sale settled, PostgreSQL's included", work.seconds / SETTLED * 1000, "CPU ms"),
    )


ROW = Row(
    name="resale",
    what=f"{LISTINGS:,} tickets sold again: held for their buyers, and swapped when these have paid",
    measure=measure,
    floor_connections=1,
)
