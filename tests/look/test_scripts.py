"""The small scripts in a browser: each does what its README says, and the phone's clock does not matter."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.look.serving import Handler, served


class Desk:
    """What the fake live process and the fake status address say."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.news: list[str] = []
        self.streams = 0
        self.stream_works = True
        self.status: dict[str, object] | None = None
        self.polls = 0

    def tell(self, event: str, **facts: object) -> None:
        with self.changed:
            self.news.append(f"event: {event}\ndata: {json.dumps(facts)}\n\n")
            self.changed.notify_all()


DESK = Desk()


class LiveHandler(Handler):
    """The sample pages, and beside them a stream, a status and a fragment."""

    def do_GET(self) -> None:
        if self.path.startswith("/live"):
            self.stream()
        elif self.path.startswith("/status"):
            DESK.polls += 1
            self.answer("application/json", json.dumps(DESK.status), code=200 if DESK.status else 503)
        elif self.path.startswith("/part"):
            self.answer("text/html", '<section data-title="Din tur · Foyer"><h1>Din tur!</h1></section>')
        else:
            super().do_GET()

    def answer(self, kind: str, text: str, *, code: int = 200) -> None:
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self) -> None:
        if not DESK.stream_works:
            self.answer("text/plain", "busy", code=503)
            return
        with DESK.changed:
            told = len(DESK.news)
            DESK.streams += 1
            DESK.changed.notify_all()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            while True:
                with DESK.changed:
                    DESK.changed.wait(timeout=0.2)
                    fresh, told = DESK.news[told:], len(DESK.news)
                self.wfile.write("".join(fresh).encode() or b": still here\n\n")
                self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            return  # the page was closed


@pytest.fixture(scope="module")
def site(rendered: Path) -> Iterator[str]:
    with served(rendered, LiveHandler) as address:
        yield address


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 360, "height": 740}, locale="sv-SE", timezone_id="Europe/Stockholm")
    opened.set_default_timeout(60_000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def desk() -> Desk:
    DESK.__init__()  # type: ignore[misc]
    return DESK


# --- how many, and what it costs --------------------------------------------------------------------------------------


def test_stepper_counts_and_says_why_it_stops(page: Page, site: str) -> None:
    page.goto(f"{site}/event-default-light.html")
    number = page.locator('input[name="type-1"]')
    fewer, more = page.locator("[data-step]").nth(0), page.locator("[data-step]").nth(1)
    reason = page.locator("#type-1-reason")

    at_limit = (number.input_value(), more.get_attribute("aria-disabled"), reason.inner_text())
    more.click(force=True)
    after_pressing_beyond = number.input_value()
    for _press in range(3):
        fewer.click(force=True)

    assert at_limit == ("2", "true", "Högst 2 per person")
    assert after_pressing_beyond == "2"
    assert (number.input_value(), fewer.get_attribute("aria-disabled"), reason.inner_text()) == ("0", "true", "")


def test_stepper_sends_only_the_tickets_chosen(page: Page, site: str) -> None:
    page.goto(f"{site}/event-default-light.html")
    chosen = """() => [...new FormData(document.querySelector("form[data-price]")).keys()]
      .filter((name) => /-[12]$/.test(name))"""

    with_two = page.evaluate(chosen)
    page.locator("[data-step]").nth(0).click()
    with_one = page.evaluate(chosen)

    assert with_two == ["type-1", "drink-1", "food-1", "drink-2", "type-2"]
    assert with_one == ["type-1", "drink-1", "food-1", "type-2"]
    expect(page.locator(".person").nth(1)).to_be_hidden()


def test_stepper_brings_a_typed_number_within_its_limits(page: Page, site: str) -> None:
    page.goto(f"{site}/event-default-light.html")
    number = page.locator('input[name="type-1"]')

    number.fill("99")
    number.blur()

    assert number.input_value() == "2"


def test_price_follows_what_is_chosen(page: Page, site: str) -> None:
    page.goto(f"{site}/index-default-light.html")
    total, button = page.locator("[data-price-total]"), page.locator("[data-price-button]")
    seen = [(total.inner_text(), button.inner_text())]

    page.locator("[data-price] [data-step='1']").first.click()
    seen.append((total.inner_text(), button.inner_text()))
    for stepper in page.locator("[data-price] [data-step='-1']").all():
        stepper.click()

    assert seen == [("120\u00a0kr", "Köp 1 biljett"), ("465\u00a0kr", "Köp 2 biljetter")]
    assert (total.is_visible(), button.inner_text()) == (False, "Välj biljetter")


@pytest.mark.parametrize(
    ("minor", "language", "written"),
    [
        (123450, "sv", "1\u00a0234,50\u00a0kr"),
        (-6000, "sv", "\u221260\u00a0kr"),
        (68000, "sv-SE", "680\u00a0kr"),
        (289000000, "sv", "2\u00a0890\u00a0000\u00a0kr"),
        (123450, "en", "SEK\u00a01,234.50"),
        (-6000, "en", "\u2212SEK\u00a060"),
        (5, "sv", "0,05\u00a0kr"),
    ],
)
def test_amount_is_written_as_the_language_does(page: Page, site: str, minor: int, language: str, written: str) -> None:
    page.goto(f"{site}/index-default-light.html")

    found = page.evaluate(
        "async ([minor, language]) => (await import('/static/foyer/js/price.js')).amount(minor, 'SEK', language)",
        [minor, language],
    )

    assert found == written


# --- the time left ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phone", ["2026-12-01T18:06:12+01:00", "2031-01-01T00:00:00Z", "2019-05-05T12:00:00Z"])
def test_hold_bar_goes_by_the_clock_of_the_server(page: Page, site: str, phone: str) -> None:
    page.clock.install(time=phone)
    page.goto(f"{site}/checkout-default-light.html")
    bar, clock = page.locator(".hold-bar"), page.locator("[data-cell=clock]")

    expect(clock).to_have_text("12:48")
    page.clock.run_for(48_000)
    expect(clock).to_have_text("12:00")
    page.clock.run_for(10 * 60_000)
    expect(clock).to_have_text("02:00")
    soon = "hold-bar--soon" in (bar.get_attribute("class") or "")
    said = page.locator("[data-say]").inner_text()
    page.clock.run_for(2 * 60_000)

    assert soon and said != ""
    expect(bar).to_have_class("hold-bar hold-bar--due")
    expect(page.locator("[data-due]")).to_be_visible()
    expect(page.locator(".hold-bar form")).to_be_hidden()


def test_countdown_shows_fewer_cells_as_it_nears(page: Page, site: str) -> None:
    page.clock.install(time="2026-11-21T13:42:51+01:00")
    page.goto(f"{site}/index-default-light.html")
    countdown = page.locator(".ticket-block .countdown")
    cells = countdown.locator("[data-cell]:visible .countdown__number")
    seen = []

    for wait in (0, 49 * 3600, 3 * 3600 + 16 * 60 + 20):
        page.clock.fast_forward(wait * 1000)
        seen.append(cells.all_inner_texts())
    page.clock.run_for(60_000)

    assert seen == [["2", "04", "17", "09"], ["03", "17", "09"], ["49"]]
    expect(countdown.locator("[data-due]")).to_be_visible()
    assert cells.count() == 0


# --- the place in line ------------------------------------------------------------------------------------------------


def test_queue_place_follows_the_stream_and_never_rises(page: Page, site: str, desk: Desk) -> None:
    page.goto(f"{site}/queue-live.html")
    place = page.locator("[data-place]")
    expect(place).to_have_text("214")

    wait_for_stream(desk)
    desk.tell("progress", decided=1143, rate=2.0, held=12, left=280)
    expect(place).to_have_text("114")
    expect(page.locator("[data-left]")).to_have_text("280")
    expect(page.locator("[data-ahead-now]")).to_have_text("113")
    expect(page.locator("[data-wait]")).to_have_text("1–2 min")
    desk.tell("progress", decided=1100, rate=2.0, held=12)
    desk.tell("progress", decided=9999, rate=2.0, held=12)
    expect(place).to_have_text("1")
    desk.tell("progress", decided=1143, rate=0, held=12)
    expect(page.locator("[data-wait]")).to_have_text("–")

    expect(place).to_have_text("1")


def test_queue_shows_the_result_of_its_own_order_only(page: Page, site: str, desk: Desk) -> None:
    page.goto(f"{site}/queue-live.html")
    wait_for_stream(desk)

    desk.tell("result", order="somebody-else", state="reserved")
    desk.tell("progress", decided=1053, rate=2.0, held=12)
    expect(page.locator("[data-place]")).to_have_text("204")
    desk.tell("result", order="oRd3rPub1ic", state="reserved")

    expect(page.get_by_role("heading", name="Din tur!")).to_be_focused()
    expect(page).to_have_title("Din tur · Foyer")
    expect(page.locator("[data-queue]")).to_have_count(0)


def test_queue_polls_when_the_stream_is_refused(page: Page, site: str, desk: Desk) -> None:
    desk.stream_works = False
    desk.status = {"decided": 1143, "rate": 2.0, "held": 4, "state": "queued"}

    page.goto(f"{site}/queue-live.html")

    expect(page.locator("[data-place]")).to_have_text("114", timeout=8000)
    desk.status = {"decided": 1256, "rate": 2.0, "held": 4, "state": "reserved"}
    expect(page.get_by_role("heading", name="Din tur!")).to_be_visible(timeout=20_000)
    assert desk.polls >= 2


def test_queue_says_so_when_nothing_answers(page: Page, site: str, desk: Desk) -> None:
    desk.stream_works = False

    page.goto(f"{site}/queue-live.html")

    expect(page.locator("[data-queue]")).to_have_class("queue stack stack--loose queue--lost")
    expect(page.locator("[data-last]")).to_contain_text("vi försöker igen")
    expect(page.locator("[data-place]")).to_have_text("214")


def test_queue_tabs_share_one_stream(context: BrowserContext, site: str, desk: Desk) -> None:
    first, second = context.new_page(), context.new_page()
    first.goto(f"{site}/queue-live.html")
    wait_for_stream(desk)
    second.goto(f"{site}/queue-live.html")
    expect(second.locator("[data-place]")).to_have_text("214")

    desk.tell("progress", decided=1143, rate=2.0, held=12)
    expect(first.locator("[data-place]")).to_have_text("114")
    expect(second.locator("[data-place]")).to_have_text("114")
    shared = desk.streams
    first.close()
    wait_for_stream(desk, count=2)
    desk.tell("progress", decided=1153, rate=2.0, held=12)

    assert shared == 1
    expect(second.locator("[data-place]")).to_have_text("104")


def wait_for_stream(desk: Desk, count: int = 1) -> None:
    """Return once the stream has been opened so many times."""
    with desk.changed:
        assert desk.changed.wait_for(lambda: desk.streams >= count, timeout=10)


# --- forms, looks, questions ------------------------------------------------------------------------------------------


def test_form_is_sent_once(page: Page, site: str) -> None:
    sent: list[str] = []

    def answer(route: Route) -> None:
        if route.request.method == "POST":
            sent.append(route.request.url)
            route.fulfill(status=204)
        else:
            route.continue_()

    page.goto(f"{site}/checkout-default-light.html")
    page.route("**/*", answer)
    button = page.locator("button[data-busy-text]")
    width = button.evaluate("(button) => button.offsetWidth")

    button.click()
    expect(button).to_have_attribute("aria-busy", "true")
    button.evaluate("(button) => { button.click(); button.form.requestSubmit(); }")

    expect(button).to_have_text("Skickar …")
    assert button.evaluate("(button) => button.offsetWidth") == width
    assert len(sent) == 1


def test_form_the_browser_refuses_stays_at_rest(page: Page, site: str) -> None:
    page.goto(f"{site}/checkout-default-light.html")
    button = page.locator("button[data-busy-text]")

    page.locator("input[name=terms]").uncheck()
    button.click()

    expect(button).not_to_have_attribute("aria-busy", "true")


def test_mode_is_kept_and_needs_no_flash(page: Page, site: str) -> None:
    page.goto(f"{site}/event-default-light.html")
    dark = page.locator("[data-mode-set=dark]")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    before = page.evaluate(ground)

    dark.click()
    chosen = page.evaluate(ground)
    page.reload(wait_until="domcontentloaded")

    assert (before, chosen, page.evaluate(ground)) == ("rgb(247, 244, 248)", "rgb(21, 13, 33)", "rgb(21, 13, 33)")
    expect(dark).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-mode-set=light]")).to_have_attribute("aria-pressed", "false")


def test_dialog_asks_before_the_link_is_followed(page: Page, site: str) -> None:
    page.goto(f"{site}/order_reserved-default-light.html")
    opener, dialog = page.get_by_role("link", name="Release the places"), page.locator("#leave")

    opener.click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Keep them").click()

    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
