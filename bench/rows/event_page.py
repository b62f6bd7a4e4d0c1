"""The event's page for everybody, and the ticket form that it loads: as many as sixteen connections can take."""

from __future__ import annotations

from collections.abc import Sequence

from bench import storefront, weight, wrk
from bench.frame import Figure, Row
from bench.house import House

CONNECTIONS = 16
SECONDS = 5


def measure(house: House) -> Sequence[Figure]:
    """Answers a second, their CPU, and what a first visit loads."""
    sold = storefront.prepare(1_000)
    page, form = house.site_url + sold.page, house.site_url + sold.form
    as_htmx = ("HX-Request: true",)
    with house.running("site"):
        loaded = weight.of(page, form)
        wrk.measure(page, connections=CONNECTIONS, seconds=1)
        cpu = house.cpu_seconds()
        whole = wrk.measure(page, connections=CONNECTIONS, seconds=SECONDS)
        cpu_page = house.cpu_seconds() - cpu
        wrk.measure(form, connections=CONNECTIONS, seconds=1, headers=as_htmx)
        cpu = house.cpu_seconds()
        part = wrk.measure(form, connections=CONNECTIONS, seconds=SECONDS, headers=as_htmx)
        cpu_form = house.cpu_seconds() - cpu
    assert not whole.errors + part.errors, f"{whole.errors} pages and {part.errors} forms could not be had"
    return (
        Figure("the page, anonymous", whole.per_second, "/s", at_least=3_000, aim=5_000),
        Figure("the page, slowest of a hundred", whole.p99_ms, "ms"),
        Figure("the page, the servers' work", cpu_page / (whole.per_second * SECONDS) * 1000, "CPU ms"),
        Figure("the ticket form", part.per_second, "/s", at_least=500),
        Figure("the ticket form, slowest of a hundred", part.p99_ms, "ms"),
        Figure("the ticket form, the servers' work", cpu_form / (part.per_second * SECONDS) * 1000, "CPU ms"),
        Figure("first visit, gzipped, without pictures and fonts", loaded.text / 1000, "kB", at_most=50),
        Figure("first visit, fonts", loaded.fonts / 1000, "kB", at_most=55),
    )


ROW = Row(
    name="event_page",
    what=f"the anonymous event page and its ticket form at {CONNECTIONS} connections, and what a first visit loads",
    measure=measure,
    floor_connections=CONNECTIONS,
)
