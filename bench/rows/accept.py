"""How fast orders are taken: the ticket form posted over 64 connections, while a worker decides what was posted.

Each connection has loaded its form as a browser does; each post has a buyer and an idempotency key of its own.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence

from bench import rush, storefront
from bench.browser import Browser, Failed, Form, Log, form_in
from bench.frame import Figure, Row
from bench.house import House

CONNECTIONS = 64
WARM_UP = 256
ORDERS = 4_000
PLACES = 2_000


async def _post(house: House, sold: storefront.Sold, log: Log, numbers: range) -> None:
    """Every number once, shared out among the connections."""
    left = iter(numbers)

    async def one_connection() -> None:
        browser = Browser(house.site_url, log)
        form: Form | None = None
        try:
            for number in left:
                if form is None:
                    page = await browser.get(sold.form, "ticket form", headers="HX-Request: true\r\n")
                    form = form_in(page.body, asking="idempotency_key")
                values = rush.filled_in(form, number) | {"idempotency_key": secrets.token_urlsafe(18)}
                await browser.post(form.action, "order sent", values, status=303)
        except (Failed, OSError, TimeoutError) as error:
            log.errors.append(f"{type(error).__name__}: {error}")
        finally:
            browser.close()

    await asyncio.gather(*(one_connection() for _ in range(CONNECTIONS)))


def measure(house: House) -> Sequence[Figure]:
    """Orders accepted a second, and how long a buyer waited for the answer."""
    from apps.ticketing.models import Order

    sold = storefront.prepare(PLACES)
    log = Log()
    with house.running("site", "live", "worker-purchases", "cron"):
        asyncio.run(_post(house, sold, Log(), range(WARM_UP)))
        cpu, client, begun = house.cpu_by_process(), time.process_time(), time.monotonic()
        asyncio.run(_post(house, sold, log, range(WARM_UP, WARM_UP + ORDERS)))
        seconds, client = time.monotonic() - begun, time.process_time() - client
        used = {name: spent - cpu[name] for name, spent in house.cpu_by_process().items()}
        decided_at_once = Order.objects.exclude(state="queued").count() - WARM_UP
        house.wait_until_decided()
    assert not log.errors, f"{len(log.errors)} connections failed, such as {log.errors[:3]}"
    stored = Order.objects.filter(event_id=sold.event_id).count()
    assert stored == WARM_UP + ORDERS, f"{stored} orders are stored"
    took = sorted(log.seconds["order sent"])
    return (
        Figure(f"orders accepted at {CONNECTIONS} connections", ORDERS / seconds, "/s", at_least=500, aim=1_000),
        Figure("slowest of a hundred (p99)", rush.percentile(took, 0.99) * 1000, "ms", at_most=300),
        Figure("half were accepted within", rush.percentile(took, 0.5) * 1000, "ms"),
        Figure("decided meanwhile", max(0, decided_at_once) / seconds, "decisions/s"),
        Figure("site and PostgreSQL, for one order", (used["site"] + used["postgres"]) / ORDERS * 1000, "CPU ms"),
        Figure("of that the site", used["site"] / ORDERS * 1000, "CPU ms"),
        Figure("the worker, for one order", used["worker-purchases"] / ORDERS * 1000, "CPU ms"),
        Figure("the client's own work", client, "CPU s"),
    )


ROW = Row(
    name="accept",
    what=f"{ORDERS} orders posted at {CONNECTIONS} connections while a worker decides them",
    measure=measure,
    floor_connections=CONNECTIONS,
)
