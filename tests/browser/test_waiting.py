"""The wait in a real browser: kept true by live news, shared by tabs, and survived by the page whatever fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import LazySettings
from django.conf import settings as django_settings
from embedded import processes as house
from embedded.processes import wait_until
from playwright.sync_api import Browser, Error, Page, expect

from apps.ticketing import ordering, queue, standing
from apps.ticketing.models import Order, TicketType
from tests import factories
from tests.browser.conftest import PHONE, Opener, looks_right
from tests.browser.test_buyer_pages import address_of
from tests.browser.test_buying import live  # noqa: F401 - a fixture
from tests.demo_house import free_ports
from tests.processes import ROOT, environment
from tests.ticketing.test_live import SECRET

pytestmark = pytest.mark.django_db(transaction=True)
# The page spreads its questions over seconds, so that phones do not ask in step; a test asks at the earliest moment.
AT_ONCE = "Math.random = () => 0"
YOURS = "1 ticket is held for you"


@pytest.fixture
def dinner() -> TicketType:
    """A free dinner with four places."""
    event = factories.event()
    standing._told.clear()
    return factories.ticket_type(event, factories.quota(event, 4), name_en="Dinner", price_minor=0)


def order_of(dinner: TicketType, number: int = 1, *, served: bool = True, **values: Any) -> Order:
    order = factories.order(dinner.event, factories.wanted(dinner, number), fewer_is_fine=False, **values)
    if served:
        queue.drain(dinner.event_id)
        order.refresh_from_db()
    return order


def title(page: Page) -> Any:
    return page.get_by_role("heading", level=1)


def test_the_line_is_kept_true_and_the_place_that_comes_back_arrives(
    dinner: TicketType,
    open_tab: Opener,
    live: int,  # noqa: F811
) -> None:
    holders = [order_of(dinner, 2), order_of(dinner, 2)]
    first, own = order_of(dinner, 3), order_of(dinner)
    tab = open_tab(language="en")
    tab.page.add_init_script(AT_ONCE)
    page = tab.goto(address_of(own, "en"))
    expect(page.locator("[data-ahead-now]")).to_have_text("1")
    expect(page.locator("dd[data-held]")).to_have_text("4")
    expect(page.get_by_role("heading", name="You will probably not get one")).to_be_visible()
    expect(page.locator("[data-last]")).to_contain_text("Updates by itself.")
    looks_right(page, "order-waiting-odds-360")
    page.wait_for_timeout(300)
    standing.tell()

    ordering.cancel(first)
    ahead = page.locator("[data-ahead-now]")
    for _ in range(60):  # as every second in a sale: what is told before the stream is open is heard of the next time
        standing.tell()
        page.wait_for_timeout(500)
        if ahead.text_content() == "0":
            break
    expect(ahead).to_have_text("0")
    expect(page.get_by_role("heading", name="Places may come back")).to_be_visible()
    ordering.cancel(holders[0])
    queue.drain(dinner.event_id)

    expect(title(page)).to_have_text(YOURS)


def test_tabs_of_one_order_share_a_stream_and_two_orders_each_hear_their_own(
    dinner: TicketType,
    open_tab: Opener,
    live: int,  # noqa: F811
) -> None:
    mine, other = order_of(dinner, served=False), order_of(dinner, 5, served=False)
    tab = open_tab(language="en")
    streams: list[str] = []
    context = tab.page.context
    context.on("request", lambda request: streams.append(request.url) if "/live/" in request.url else None)
    pages = [context.new_page() for _ in range(3)]
    for page, order in zip(pages, (mine, mine, other), strict=True):
        page.goto(tab.base_url + address_of(order, "en"))
        expect(page.locator("[data-last]")).to_contain_text("Updates by itself.")
    pages[0].wait_for_timeout(300)
    assert len(streams) == 2  # one for each order, not one for each tab

    queue.drain(dinner.event_id)

    for page in pages[:2]:
        expect(title(page)).to_have_text(YOURS)
    expect(title(pages[2])).to_have_text("There is no room for your order right now")


GIVES_UP_WHEN_CLOSED = "addEventListener('pagehide', () => navigator.sendBeacon(location.pathname + 'leave/'))"


@pytest.mark.parametrize("state", ["reserved", "waiting"])
def test_closing_the_page_never_frees_the_place(dinner: TicketType, open_tab: Opener, state: str) -> None:
    if state == "waiting":
        order_of(dinner, 4)
    kept, given_up = order_of(dinner), order_of(dinner)
    assert (kept.state, given_up.state) == (state, state)

    for order, script in ((kept, ""), (given_up, GIVES_UP_WHEN_CLOSED)):  # the second shows that this test would see it
        tab = open_tab(language="en")
        if script:
            tab.page.add_init_script(script)
        page = tab.goto(address_of(order, "en"))
        expect(title(page)).to_be_visible()
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.goto("about:blank")
        page.close(run_before_unload=True)

    assert wait_until(lambda: Order.objects.get(pk=given_up.pk).state == "cancelled", seconds=10)
    kept.refresh_from_db()
    assert kept.state == state


def test_a_page_that_slept_or_was_offline_asks_when_it_is_back(dinner: TicketType, open_tab: Opener) -> None:
    sleeper, lost = order_of(dinner, served=False), order_of(dinner, served=False)
    asleep, offline = open_tab(language="en"), open_tab(language="en")
    for tab, order in ((asleep, sleeper), (offline, lost)):
        # Nothing is asked by the clock: only coming back may tell.
        tab.page.add_init_script(AT_ONCE + "; const wait = setTimeout; window.setTimeout = (f, ms) => wait(f, ms * 9)")
        tab.goto(address_of(order, "en"))
    offline.page.context.set_offline(True)
    expect(offline.page.locator(".queue--lost")).to_be_visible()

    queue.drain(dinner.event_id)
    asleep.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    offline.page.context.set_offline(False)

    expect(title(asleep.page)).to_have_text(YOURS, timeout=10_000)
    expect(title(offline.page)).to_have_text(YOURS, timeout=10_000)


def test_the_page_survives_the_death_of_site_stream_and_redis(
    dinner: TicketType, browser: Browser, settings: LazySettings, tmp_path: Path
) -> None:
    order = order_of(dinner, served=False)
    port, live_port = free_ports(2)
    granian = ["-m", "granian", "--host", "127.0.0.1", "--no-ws", "--workers-kill-timeout", "2"]
    site = [*granian, "--interface", "wsgi", "--blocking-threads", "2", "--port", str(port), "config.wsgi:application"]
    stream = ["-m", "config.live", "--port", str(live_port)]
    variables = environment(
        SITE_URL=f"http://localhost:{port}", LIVE_URL=f"http://localhost:{live_port}", LIVE_SECRET=SECRET
    )

    def start(*commands: list[str]) -> list[subprocess.Popen[bytes]]:
        return [
            house.spawn([sys.executable, *command], log=tmp_path / "log", environment=variables, folder=ROOT)
            for command in commands
        ]

    running = start(site, stream)
    context = browser.new_context(viewport=PHONE, locale="en-SE")
    try:
        page = context.new_page()
        page.add_init_script(AT_ONCE)
        assert wait_until(lambda: answers(page, f"http://localhost:{port}/livez"), 60), house.tail(tmp_path / "log")
        assert wait_until(lambda: answers(page, f"http://localhost:{live_port}/livez"), 30)
        page.goto(f"http://localhost:{port}{address_of(order, 'en')}")
        expect(page.locator("[data-last]")).to_contain_text("Updates by itself.")

        for process in running:
            os.killpg(process.pid, signal.SIGKILL)
        redis.Redis.from_url(django_settings.REDIS_URL).flushdb()
        expect(page.locator(".queue--lost")).to_be_visible()
        queue.drain(dinner.event_id)  # decided while nobody could tell
        running += start(site)

        expect(title(page)).to_have_text(YOURS, timeout=60_000)
    finally:
        context.close()
        for process in running:
            house.end(process, (signal.SIGTERM, 5))


def answers(page: Page, address: str) -> bool:
    try:
        return page.request.get(address, timeout=2_000).ok
    except Error:  # nobody listens there yet
        return False
