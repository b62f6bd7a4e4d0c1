"""The ticket in a phone: large and white, kept for where there is no network, and on paper."""

from __future__ import annotations

import os
import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils.translation import override
from playwright.sync_api import Page, expect

from apps.ticketing import event_face, ticket_page
from apps.ticketing.models import Ticket
from apps.ticketing.transitions import move
from tests import factories
from tests.browser.conftest import (
    DESKTOP,
    Opener,
    Tab,
    looks_right,
    looks_right_everywhere,
    overflow,
    shot,
    violations,
)
from tests.browser.test_buyer_pages import Dinner, address_of, paid

pytestmark = pytest.mark.django_db(transaction=True)

KEPT = "Saved on the phone, works without network."
BOX = "(element) => { const { x, y, width, height } = element.getBoundingClientRect(); return [x, y, width, height]; }"
CACHED = """async () => {
  const found = {};
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    found[name] = (await cache.keys()).map(({ url }) => new URL(url).pathname);
  }
  return found;
}"""


@pytest.fixture
def tickets() -> list[Ticket]:
    event_face.forget()
    return list(Ticket.objects.filter(line__order=paid(Dinner())).order_by("line__position"))


def address(ticket: Ticket, language: str = "en") -> str:
    with override(language):
        return reverse("ticketing:ticket", args=[ticket.public_id, ticket.secret])


def keep(tab: Tab, ticket: Ticket, language: str = "en") -> Page:
    """Open a ticket and wait until the phone has kept it."""
    page = tab.goto(address(ticket, language))
    expect(page.locator("[data-kept]")).to_be_visible()
    return page


def code_of(page: Page) -> str:
    return page.locator(".ticket__qr svg path").last.get_attribute("d") or ""


# --- What one sees ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_code_is_as_wide_as_the_column_and_on_white(open_tab: Opener, tickets: list[Ticket], dark: bool) -> None:
    page = open_tab(dark=dark, language="en").goto(address(tickets[0]))

    picture, column = page.locator(".ticket__qr svg"), page.locator(".ticket")
    assert picture.evaluate(BOX)[2] >= column.evaluate(BOX)[2] - 16
    assert picture.evaluate(BOX)[2] >= 310
    assert picture.locator("path").first.get_attribute("fill") == "#fff"
    assert (
        page.locator(".ticket__qr").evaluate("(box) => getComputedStyle(box).backgroundColor") == "rgb(255, 255, 255)"
    )


@pytest.mark.parametrize("javascript", [True, False], ids=["with-js", "without-js"])
def test_pressed_the_code_fills_the_screen_until_it_is_closed(
    open_tab: Opener, tickets: list[Ticket], javascript: bool
) -> None:
    page = open_tab(language="en", javascript=javascript).goto(address(tickets[0]))
    before = page.locator(".ticket__qr svg").bounding_box()

    page.get_by_role("link", name="QR code of the ticket Show larger").click()
    expect(page.get_by_role("link", name="Close")).to_be_in_viewport()

    assert before and before["width"] < 360 - 16
    expect(page.locator(".ticket__qr svg")).to_have_css("width", f"{360 - 16}px")
    expect(page.get_by_role("heading", level=1)).not_to_be_visible()
    expect(page.get_by_text(f"{tickets[0].short_code[:3]} · {tickets[0].short_code[3:]}")).to_be_in_viewport()
    shot(page, "ticket-large-360")
    if javascript:
        assert violations(page) == []

    page.get_by_role("link", name="Close").click()

    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("link", name="Close")).not_to_be_visible()


def test_a_phone_on_its_side_shows_the_whole_code(open_tab: Opener, tickets: list[Ticket]) -> None:
    page = open_tab(size={"width": 780, "height": 360}, dark=True, language="en").goto(address(tickets[0]) + "#code")

    expect(page.get_by_role("link", name="Close")).to_be_in_viewport()
    box = page.locator(".ticket__qr svg").bounding_box()

    shot(page, "ticket-large-780x360-dark")
    assert box and box["y"] >= 0 and box["y"] + box["height"] <= 360 and box["height"] >= 340
    expect(page.get_by_role("link", name="Close")).to_be_in_viewport()


def test_escape_and_back_make_the_code_small_again(open_tab: Opener, tickets: list[Ticket]) -> None:
    page = open_tab(language="en").goto(address(tickets[0]))
    enlarge = page.get_by_role("link", name="Show larger")

    enlarge.press("Enter")
    expect(page.get_by_role("heading", level=1)).not_to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page).to_have_url(re.compile(r"#ticket$"))  # the step has been taken, too

    enlarge.press("Enter")
    expect(page.get_by_role("heading", level=1)).not_to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


@pytest.mark.parametrize("state", ["valid", "used", "superseded"])
def test_the_ticket_looks_right_in_each_state(open_tab: Opener, tickets: list[Ticket], state: str) -> None:
    if state == "superseded":
        move(tickets[0], "held")
    if state != "valid":
        move(tickets[0], state)

    page = open_tab(language="en").goto(address(tickets[0]))
    if state == "valid":
        expect(page.get_by_text(KEPT)).to_be_visible()
    looks_right_everywhere(page, f"ticket-{state}")


def test_tickets_are_leafed_through(open_tab: Opener, tickets: list[Ticket]) -> None:
    page = open_tab(language="en").goto(address(tickets[0]))

    page.get_by_role("link", name="Show ticket 2 of 2").click()
    expect(page.get_by_text(tickets[1].short_code[3:])).to_be_visible()
    page.get_by_role("link", name="Show ticket 1 of 2").click()

    expect(page.get_by_text(tickets[0].short_code[3:])).to_be_visible()


def test_the_screen_stays_lit_while_the_code_is_shown(open_tab: Opener, tickets: list[Ticket]) -> None:
    asked = "navigator.wakeLock.request = async (kind) => { (window.asked ??= []).push(kind); };"
    tab = open_tab(language="en")
    tab.page.add_init_script(asked)
    page = tab.goto(address(tickets[0]))
    page.wait_for_function("window.asked?.length === 1")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert page.evaluate("window.asked") == ["screen", "screen"]

    move(tickets[0], "revoked")
    page.reload()
    expect(page.get_by_text("This ticket is not valid any more.")).to_be_visible()
    assert page.evaluate("window.asked") is None


REFUSES = "async () => { throw new DOMException('', 'NotAllowedError'); }"


@pytest.mark.parametrize(
    "missing",
    [
        pytest.param("delete Navigator.prototype.wakeLock", id="no-wake-lock"),
        pytest.param(f"navigator.wakeLock.request = {REFUSES}", id="battery-low"),
        pytest.param("delete Navigator.prototype.serviceWorker", id="no-service-worker"),
        pytest.param(f"navigator.serviceWorker.register = {REFUSES}", id="worker-forbidden"),
    ],
)
def test_what_a_browser_lacks_is_no_error(open_tab: Opener, tickets: list[Ticket], missing: str) -> None:
    tab = open_tab(language="en")
    tab.page.add_init_script(missing)
    page = tab.goto(address(tickets[0]))
    page.wait_for_load_state("networkidle")

    expect(page.get_by_role("img", name="QR code of the ticket")).to_be_visible()
    if "erviceWorker" in missing:
        expect(page.locator("[data-kept]")).to_be_hidden()


# --- Without network -------------------------------------------------------------------------------------------------


def test_a_ticket_opened_once_is_shown_without_network(open_tab: Opener, tickets: list[Ticket]) -> None:
    tab = open_tab(language="en")
    page = keep(tab, tickets[0])
    code = code_of(page)
    page.context.set_offline(True)

    page.goto("about:blank")
    tab.goto(address(tickets[0]))

    assert code_of(page) == code and len(code) > 1000
    note = page.get_by_text(re.compile(r"^Saved on this phone, shown without network as of \d\d:\d\d\.$"))
    expect(note).to_be_visible()
    expect(page.get_by_text(KEPT)).not_to_be_visible()
    # Styles and fonts came along: the page is as it was.
    fonts = page.evaluate("[...document.fonts].filter(({ status }) => status === 'loaded').length")
    assert fonts >= 2
    assert page.locator(".ticket").evaluate("(box) => getComputedStyle(box).borderRadius") == "18px"
    looks_right(page, "ticket-offline-360")

    page.context.set_offline(False)
    page.reload()
    expect(note).not_to_be_visible()
    expect(page.get_by_text(KEPT)).to_be_visible()


def test_a_kept_swedish_ticket_says_the_time_as_swedes_write_it(open_tab: Opener, tickets: list[Ticket]) -> None:
    tab = open_tab(language="sv")
    page = keep(tab, tickets[0], "sv")
    page.context.set_offline(True)

    page.reload()

    expect(page.locator("[data-kept-copy] span")).to_have_text(re.compile(r"\b\d\d\.\d\d\."))


def test_a_ticket_never_opened_here_says_so_in_a_sentence(open_tab: Opener, tickets: list[Ticket]) -> None:
    tab = open_tab(language="en")
    page = keep(tab, tickets[0])
    page.context.set_offline(True)

    tab.goto(address(tickets[1]))

    expect(page.get_by_role("heading", level=1)).to_have_text("No network")
    expect(page.get_by_text("This ticket has not been opened on this phone before")).to_be_visible()
    shot(page, "ticket-never-opened-360")
    assert overflow(page) <= 0


@pytest.mark.parametrize(("path", "words"), [
    (["revoked"], "This ticket is not valid any more."),
    (["held", "superseded"], "This ticket has a new owner."),
])  # fmt: skip
def test_a_ticket_that_is_gone_replaces_its_copy_at_the_next_visit(
    open_tab: Opener, tickets: list[Ticket], path: list[str], words: str
) -> None:
    tab = open_tab(language="en")
    page = keep(tab, tickets[0])
    for state in path:
        move(tickets[0], state)

    page.reload()
    expect(page.get_by_text(words)).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    page.reload()

    expect(page.get_by_text(words)).to_be_visible()
    expect(page.locator(".ticket__qr")).to_have_count(0)
    expect(page.locator("[data-kept-copy]")).to_be_visible()


def test_a_ticket_that_is_not_there_any_more_is_forgotten(open_tab: Opener, tickets: list[Ticket]) -> None:
    tab = open_tab(language="en")
    page = keep(tab, tickets[0])
    Ticket.objects.filter(pk=tickets[0].pk).update(secret="another-secret-altogether")

    response = page.goto(tab.base_url + address(tickets[0]))
    assert response and response.status == 404
    page.wait_for_function("async () => !(await caches.match(location.pathname))")
    page.context.set_offline(True)
    page.reload()

    expect(page.get_by_role("heading", level=1)).to_have_text("No network")


def test_the_worker_rules_no_other_page_and_keeps_no_other(open_tab: Opener, tickets: list[Ticket]) -> None:
    order = tickets[0].line.order
    tab = open_tab(language="en")
    page = keep(tab, tickets[0])

    for other in (address_of(order, "en"), address(tickets[0], "sv"), "/accounts/login/"):
        tab.goto(other)
        page.wait_for_load_state("networkidle")
        controller = page.evaluate("navigator.serviceWorker.controller?.scriptURL ?? ''")
        assert controller == ("" if "/tickets/" not in other else f"{tab.base_url}/sv/tickets/worker.js")

    cached = page.evaluate(CACHED)
    assert sorted(cached["foyer-tickets-pages-1"]) == sorted([address(tickets[0]), address(tickets[0], "sv")])
    parts = cached["foyer-tickets-parts-1"]
    assert [part for part in parts if not part.startswith(("/static/", "/accents/", "/media/"))] == []
    assert {"/static/foyer/css/site.css", "/static/themes/default/theme.css"} <= set(parts)
    assert len([part for part in parts if part.endswith(".woff2")]) >= 2


def test_what_is_kept_is_the_links_and_not_the_persons(open_tab: Opener, tickets: list[Ticket], client: Client) -> None:
    """Whoever is signed in at the first visit leaves no trace in the copy."""
    client.force_login(factories.user())
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    tab = open_tab(language="en")
    tab.page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": tab.base_url}])
    page = keep(tab, tickets[0])
    shown = page.content()

    copy = page.evaluate("async () => (await caches.match(location.pathname)).text()")

    assert ("My pages" in shown, "My pages" in copy) == (True, False)


def test_who_signs_in_later_is_not_learnt_either(open_tab: Opener, tickets: list[Ticket], client: Client) -> None:
    tab = open_tab(language="en")
    page = keep(tab, tickets[0])
    kept_at = "async () => (await caches.match(location.pathname)).headers.get('X-Kept-At')"
    before = page.evaluate(kept_at)
    client.force_login(factories.user())
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": tab.base_url}])
    # ticket.js asks for a copy of its own, rightly: what the worker learns from the visit itself is looked at here.
    page.route(re.compile(r"/ticket(\.[0-9a-f]+)?\.js$"), lambda route: route.abort())

    page.reload()

    assert "My pages" in page.content()
    page.wait_for_function(f"async (before) => (await ({kept_at})()) > before", arg=before)
    assert "My pages" not in page.evaluate("async () => (await caches.match(location.pathname)).text()")


def test_twenty_tickets_are_kept_at_most_and_none_after_its_evening(open_tab: Opener, tickets: list[Ticket]) -> None:
    tab = open_tab(language="en")
    page = keep(tab, tickets[0])
    page.evaluate(
        """async (own) => {
          const pages = await caches.open("foyer-tickets-pages-1");
          const page = await pages.match(own);
          const put = async (number, at, until) => {
            const headers = new Headers(page.headers);
            headers.set("X-Kept-At", at);
            headers.set("X-Kept-Until", until);
            headers.set("X-Kept-Parts", JSON.stringify([location.origin + "/static/old.css"]));
            const address = own.replace(/[^/]+\\/$/, `made-up-secret-${String(number).padStart(4, "0")}/`);
            await pages.put(address, new Response("old", { headers }));
          };
          for (let number = 1; number <= 25; number += 1) {
            await put(number, new Date(Date.UTC(2026, 0, number)).toISOString(), "2099-01-01T00:00:00Z");
          }
          await put(99, new Date().toISOString(), "2026-01-01T00:00:00Z");
          const parts = await caches.open("foyer-tickets-parts-1");
          await parts.put("/static/old.css", new Response("old"));
          await parts.put("/static/nobodys.css", new Response("old"));
        }""",
        address(tickets[0]),
    )

    keep(tab, tickets[1])

    cached = page.evaluate(CACHED)
    pages = cached["foyer-tickets-pages-1"]
    assert len(pages) == 20
    assert {address(tickets[0]), address(tickets[1])} <= set(pages)
    numbers = sorted(int(path[-5:-1]) for path in pages if "made-up" in path)
    assert numbers == list(range(8, 26))  # the oldest went, and the one whose evening is over
    parts = cached["foyer-tickets-parts-1"]
    assert "/static/old.css" in parts and "/static/nobodys.css" not in parts


def test_a_copy_whose_evening_is_over_is_not_shown(open_tab: Opener, tickets: list[Ticket]) -> None:
    event = tickets[0].event
    event.starts_at, event.ends_at = event.starts_at - timedelta(days=90), event.ends_at - timedelta(days=90)
    event.save()
    tab = open_tab(language="en")
    page = tab.goto(address(tickets[0]))
    page.evaluate("navigator.serviceWorker.ready")
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)

    page.reload()

    expect(page.get_by_role("heading", level=1)).to_have_text("No network")


class House:
    """Answers for tickets late, or with a fault of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.late_seconds = 0.0
        self.is_broken = False
        self.honest = ticket_page.read
        monkeypatch.setattr(ticket_page, "read", self.read)

    def read(self, ticket: Ticket) -> Any:
        time.sleep(self.late_seconds)
        if self.is_broken:
            raise RuntimeError("a fault of ours")
        return self.honest(ticket)


def test_a_slow_network_shows_the_copy_after_three_seconds(
    open_tab: Opener, tickets: list[Ticket], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(monkeypatch)
    tab = open_tab(language="en")
    page = keep(tab, tickets[0])
    house.late_seconds = 6

    page.reload()

    waited = page.evaluate("performance.getEntriesByType('navigation')[0].responseStart")
    expect(page.locator("[data-kept-copy]")).to_be_visible()
    expect(page.get_by_role("img", name="QR code of the ticket")).to_be_visible()
    assert 2_900 <= waited <= 4_500
    page.wait_for_timeout(4_000)  # the late answer is learnt while the test still has its server


def test_a_fault_of_ours_shows_the_copy(
    open_tab: Opener, tickets: list[Ticket], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(monkeypatch)
    tab = open_tab(language="en")
    page = keep(tab, tickets[0])
    house.is_broken = True

    page.reload()

    expect(page.locator("[data-kept-copy]")).to_be_visible()
    expect(page.get_by_role("img", name="QR code of the ticket")).to_be_visible()


# --- On paper --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_printed_the_ticket_is_one_clean_page(
    open_tab: Opener, tickets: list[Ticket], tmp_path: Path, dark: bool
) -> None:
    page = open_tab(size=DESKTOP, dark=dark, language="en").goto(address(tickets[0]))
    page.emulate_media(media="print")
    # A stylesheet for paper alone keeps nobody waiting: it may come after the page.
    expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")

    hidden = [".site-header", ".site-footer", ".pass__side", ".ticket__art", ".ticket__tips", ".ticket__shrink"]
    assert [part for part in hidden if page.locator(part).first.is_visible()] == []
    ink = "(part) => [...part.querySelectorAll('h1, p, dt, dd, .chip')].map((words) => getComputedStyle(words).color)"
    assert set(page.locator(".ticket").evaluate(ink)) == {"rgb(0, 0, 0)"}
    picture = page.locator(".ticket__qr svg").bounding_box()
    assert picture and picture["width"] / 96 * 25.4 >= 75  # millimetres
    file = page.pdf(path=Path(os.environ.get("FOYER_SHOTS") or tmp_path) / "ticket.pdf", prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", file)) == 1


def test_the_calendar_file_is_downloaded(open_tab: Opener, tickets: list[Ticket]) -> None:
    page = keep(open_tab(language="en"), tickets[0])

    with page.expect_download() as download:
        page.get_by_role("link", name="Calendar").click()

    assert download.value.suggested_filename == "lucia-dinner-2026.ics"
    assert Path(download.value.path()).read_text().startswith("BEGIN:VCALENDAR")
