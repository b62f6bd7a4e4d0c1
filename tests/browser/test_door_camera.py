"""The door's camera in a real browser: Chromium plays a film of real tickets as its camera, the page does the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.conf import LazySettings
from django.urls import reverse
from embedded import processes
from playwright.sync_api import Browser, Page, Request, Route, expect, sync_playwright

from apps.checkin.models import Scan
from apps.ticketing import credentials
from tests import browsers, factories
from tests.browser import y4m
from tests.browser.conftest import PHONE, Tab, looks_right
from tests.browser.test_door import sign_in
from tests.checkin.conftest import Evening, new_evening, paid_tickets

pytestmark = pytest.mark.django_db(transaction=True)

START = "[data-camera-start]"
RUNNING = "[data-camera=running]"
FILM = "camera.y4m"

Opened = Callable[..., Tab]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file Chromium's fake camera plays. It opens it anew whenever the camera is started."""
    return y4m.write(tmp_path_factory.mktemp("camera") / FILM, [("", 1)])


@pytest.fixture(scope="module")
def camera_browser(film: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = browsers.launch_with_camera(playwright.chromium, film)
        yield browser
        browser.close()


@pytest.fixture
def evening() -> Evening:
    return new_evening()


@pytest.fixture
def at_the_door(
    camera_browser: Browser, live_server: Any, settings: LazySettings, evening: Evening
) -> Iterator[Opened]:
    """Opens the door's page on a phone; `allowed`: the browser need not ask for the camera. Fails on any complaint."""
    settings.SITE_URL = live_server.url
    settings.LIVE_URL = ""
    contexts, tabs = [], []

    def open_one(*, allowed: bool = False, before: str = "") -> Tab:
        context = camera_browser.new_context(
            viewport=PHONE, locale="en-GB", has_touch=True, is_mobile=True, reduced_motion="reduce",
            permissions=["camera"] if allowed else [],
        )  # fmt: skip
        context.set_default_timeout(60_000)
        if before:
            context.add_init_script(before)
        contexts.append(context)
        tab = Tab(context.new_page(), live_server.url)
        tabs.append(tab)
        sign_in(tab, evening.robin)
        tab.goto(reverse("checkin:door", args=[evening.event.public_id]))
        return tab

    yield open_one
    complaints = [complaint for tab in tabs for complaint in tab.complaints]
    for context in contexts:
        context.close()
    assert complaints == []


def scans_sent(page: Page) -> list[str]:
    """The ids of the scans this page sends, from now on."""
    sent: list[str] = []

    def hear(request: Request) -> None:
        if request.method == "POST":
            sent.extend(parse_qs(request.post_data or "").get("scan", []))

    page.on("request", hear)
    return sent


def show(film: Path, *scenes: tuple[str, float]) -> None:
    """What is before the lens when the camera is started next."""
    y4m.write(film, scenes or [("", 1)])


def test_camera_runs_within_a_second_and_a_half_of_the_tap(at_the_door: Opened, film: Path) -> None:
    show(film)
    page = at_the_door().page
    page.evaluate(
        """() => {
          document.querySelector("[data-camera]").addEventListener("door:camera", ({ detail }) => {
            if (detail.state === "running") window.runs = performance.now();
          });
          addEventListener("click", () => { window.tapped = performance.now(); }, { once: true, capture: true });
        }"""
    )

    page.locator(START).click()

    expect(page.locator(RUNNING)).to_be_visible()
    assert page.evaluate("window.runs - window.tapped") < 1500
    expect(page.locator(START)).to_be_hidden()
    looks_right(page, "door-camera-360")


def test_camera_lets_guest_after_guest_in_without_a_tap(at_the_door: Opened, evening: Evening, film: Path) -> None:
    """Two guests, one after the other, again and again: each is one scan, and nobody touches the phone."""
    first, second = evening.tickets(2)
    show(film, (credentials.sign(first), 1.5), (credentials.sign(second), 1.5))
    page = at_the_door(allowed=True).page
    sent = scans_sent(page)

    expect(page.get_by_text("Ticket 1 of 2")).to_be_visible()
    expect(page.get_by_text("Ticket 2 of 2")).to_be_visible()
    looks_right(page, "door-camera-admitted-360")

    assert len(sent) == len(set(sent)) == 2
    assert set(Scan.objects.values_list("outcome", flat=True)) == {"admitted"}


def test_code_that_stays_before_the_lens_is_sent_once(at_the_door: Opened, evening: Evening, film: Path) -> None:
    """A guest who goes on holding up the phone must not turn their own IN into a STOP."""
    (ticket,) = evening.tickets()
    show(film, (credentials.sign(ticket), 1))
    page = at_the_door(allowed=True).page
    expect(page.locator("body.door--admitted")).to_be_visible()
    page.evaluate("document.body.addEventListener('door:code', () => { window.seen = (window.seen ?? 0) + 1; })")

    page.wait_for_timeout(3500)

    assert page.evaluate("window.seen") >= 5
    assert Scan.objects.count() == 1
    expect(page.locator("body.door--admitted")).to_be_visible()


def test_code_that_was_away_is_read_anew(at_the_door: Opened, evening: Evening, film: Path) -> None:
    """Three seconds out of sight, then again: the second guest with one code is stopped."""
    (ticket,) = evening.tickets()
    show(film, (credentials.sign(ticket), 1), ("", 3.6))
    page = at_the_door(allowed=True).page

    expect(page.locator("body.door--admitted")).to_be_visible()
    expect(page.locator("body.door--stop")).to_be_visible()

    assert list(Scan.objects.order_by("pk").values_list("outcome", flat=True)) == ["admitted", "already_in"]


def test_camera_goes_on_after_a_code_that_is_no_ticket(at_the_door: Opened, evening: Evening, film: Path) -> None:
    (ticket,) = evening.tickets()
    show(film, ("https://example.org/menu", 1.5), (credentials.sign(ticket), 1.5))
    page = at_the_door(allowed=True).page

    expect(page.get_by_role("heading", name="STOP")).to_be_visible()
    expect(page.get_by_role("heading", name="IN", exact=True)).to_be_visible()

    assert list(Scan.objects.order_by("pk").values_list("outcome", flat=True))[:2] == ["unknown", "admitted"]


def test_verdict_waits_for_its_volunteer_while_the_camera_looks(
    at_the_door: Opened, evening: Evening, film: Path
) -> None:
    """LOOK stays while the code is still before the lens; the tap that confirms it lets in."""
    adult = factories.ticket_type(evening.event, name_sv="Sittning", name_en="Dinner", minimum_age=18)
    (ticket,) = paid_tickets(evening.event, adult)
    show(film, (credentials.sign(ticket), 1))
    page = at_the_door(allowed=True).page
    expect(page.locator("body.door--look")).to_be_visible()
    looks_right(page, "door-camera-look-360")

    page.get_by_role("button", name="It is right, let in").click()

    expect(page.locator("body.door--admitted")).to_be_visible()


STALLS = {
    "it gives no more pictures": "(video) => video.srcObject.getTracks()[0].stop()",
    "it is taken away": "(video) => video.srcObject.getTracks()[0].dispatchEvent(new Event('ended'))",
}


@pytest.mark.parametrize("stall", STALLS.values(), ids=STALLS)
def test_camera_that_stalls_is_started_again(at_the_door: Opened, evening: Evening, film: Path, stall: str) -> None:
    (ticket,) = evening.tickets()
    show(film)
    page = at_the_door(allowed=True).page
    expect(page.locator(RUNNING)).to_be_visible()

    show(film, (credentials.sign(ticket), 1))
    page.locator("video").evaluate(stall)

    expect(page.locator("body.door--admitted")).to_be_visible()
    expect(page.locator(RUNNING)).to_be_visible()


def test_page_that_is_looked_at_again_has_its_camera_back(at_the_door: Opened, film: Path) -> None:
    """A phone in the pocket gives the camera back; it is there again without a tap."""
    show(film)
    page = at_the_door(allowed=True).page
    expect(page.locator(RUNNING)).to_be_visible()
    hide = """(isHidden) => {
      Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
      return document.querySelector("video").srcObject === null;
    }"""

    given_back = page.evaluate(hide, True)
    page.evaluate(hide, False)

    assert given_back
    expect(page.locator(RUNNING)).to_be_visible()
    page.wait_for_timeout(200)
    assert page.locator("video").evaluate("(video) => video.srcObject.active")


REFUSALS = {
    "NotAllowedError": "The browser may not use the camera.",
    "NotFoundError": "No camera was found here.",
    "NotReadableError": "Another app holds the camera.",
    "TypeError": "The camera does not answer.",
}


@pytest.mark.parametrize(("name", "sentence"), REFUSALS.items(), ids=REFUSALS)
def test_camera_that_cannot_be_had_says_what_to_do(
    at_the_door: Opened, evening: Evening, film: Path, name: str, sentence: str
) -> None:
    """And typing goes on; once the trouble is over, the same button starts the camera."""
    (ticket,) = evening.tickets()
    show(film)
    refuse = f"""
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = (wanted) =>
        window.isFree ? ask(wanted) : Promise.reject(new DOMException("", "{name}"));
    """
    page = at_the_door(before=refuse).page

    page.locator(START).click()
    expect(page.get_by_text(sentence)).to_be_visible()
    looks_right(page, f"door-camera-{name}-360")
    page.locator("#code").fill(ticket.short_code)
    page.keyboard.press("Enter")
    expect(page.locator("body.door--admitted")).to_be_visible()
    page.get_by_role("link", name="Next").click()
    expect(page.locator("body.door--admitted")).to_have_count(0)
    page.evaluate("window.isFree = true")
    page.locator(START).click()

    expect(page.locator(RUNNING)).to_be_visible()


def test_reader_of_codes_that_does_not_load_says_so(at_the_door: Opened, film: Path) -> None:
    show(film)
    tab = at_the_door()
    page = tab.page
    page.route("**/zxing_reader.wasm", lambda route: route.abort())
    page.reload()

    page.locator(START).click()
    expect(page.get_by_text("What reads the codes did not load.")).to_be_visible()
    tab.complaints.clear()
    page.unroute("**/zxing_reader.wasm")
    page.locator(START).click()

    expect(page.locator(RUNNING)).to_be_visible()


def test_lost_net_keeps_the_scan_until_it_is_found(at_the_door: Opened, evening: Evening, film: Path) -> None:
    """The code stays before the lens: when the net is back it is sent once more under the same id, without a tap."""
    (ticket,) = evening.tickets()
    show(film)
    tab = at_the_door(allowed=True)
    page = tab.page
    expect(page.locator(RUNNING)).to_be_visible()
    sent = scans_sent(page)
    page.route("**/door/**", lambda route: route.abort())

    show(film, (credentials.sign(ticket), 1))
    page.locator("video").evaluate(STALLS["it is taken away"])
    expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    looks_right(page, "door-lost-360")
    page.unroute("**/door/**")

    expect(page.locator("body.door--admitted")).to_be_visible()
    assert len(sent) >= 2 and len(set(sent)) == 1
    assert Scan.objects.count() == 1
    tab.complaints = [complaint for complaint in tab.complaints if not complaint.startswith("htmx:")]


def test_answer_that_was_lost_on_its_way_is_not_a_second_guest(at_the_door: Opened, evening: Evening) -> None:
    """The house had let the guest in, the phone never heard: trying again says IN, not "already in"."""
    (ticket,) = evening.tickets()
    tab = at_the_door()
    page = tab.page

    def swallow(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/door/**", swallow, times=1)
    page.locator("#code").fill(ticket.short_code)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    page.get_by_role("button", name="Try again").click()

    expect(page.locator("body.door--admitted")).to_be_visible()
    assert Scan.objects.count() == 1
    tab.complaints = [complaint for complaint in tab.complaints if not complaint.startswith("htmx:")]


def test_other_camera_is_remembered(at_the_door: Opened, film: Path) -> None:
    """With a film Chromium has one camera only: two names for it, in what is listed and what is asked for."""
    show(film)
    second_camera = """
      const devices = navigator.mediaDevices;
      const ask = devices.getUserMedia.bind(devices);
      const cameras = ["first", "second"].map((deviceId) => ({ kind: "videoinput", deviceId }));
      devices.enumerateDevices = async () => cameras;
      devices.getUserMedia = async ({ video }) => {
        const stream = await ask({ video: true });
        const [track] = stream.getVideoTracks();
        const id = video.deviceId?.exact ?? "first";
        track.getSettings = () => ({ deviceId: id });
        return stream;
      };
    """
    page = at_the_door(allowed=True, before=second_camera).page
    device = "(video) => video.srcObject?.getVideoTracks()[0].getSettings().deviceId"
    expect(page.locator(RUNNING)).to_be_visible()
    first = page.locator("video").evaluate(device)

    looks_right(page, "door-camera-two-360")
    page.locator("[data-camera-other]").click()
    assert processes.wait_until(lambda: page.locator("video").evaluate(device) == "second", 20)
    page.reload()
    expect(page.locator(RUNNING)).to_be_visible()

    assert first == "first"
    assert page.locator("video").evaluate(device) == "second"


def test_lamp_is_offered_where_the_camera_has_one(at_the_door: Opened, film: Path) -> None:
    show(film)
    shine = """
      MediaStreamTrack.prototype.getCapabilities = () => ({ torch: true });
      MediaStreamTrack.prototype.applyConstraints = async (wanted) => { window.shines = wanted.advanced[0].torch; };
    """
    page = at_the_door(allowed=True, before=shine).page
    lamp = page.get_by_role("button", name="Lamp")

    lamp.click()
    expect(lamp).to_have_attribute("aria-pressed", "true")
    looks_right(page, "door-camera-lamp-360")
    assert page.evaluate("window.shines") is True
    lamp.click()

    expect(lamp).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("window.shines") is False


def test_reader_that_types_goes_on_while_the_camera_runs(at_the_door: Opened, evening: Evening, film: Path) -> None:
    first, second = evening.tickets(2)
    show(film)
    page = at_the_door().page
    page.locator(START).click()
    expect(page.locator(RUNNING)).to_be_visible()

    for ticket, place in ((first, 1), (second, 2)):
        page.keyboard.type(credentials.sign(ticket))
        page.keyboard.press("Enter")
        expect(page.get_by_text(f"Ticket {place} of 2")).to_be_visible()

    expect(page.locator(RUNNING)).to_be_visible()
