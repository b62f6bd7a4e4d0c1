"""A real browser on a real server: Debian's Chromium, driven by Playwright, on pytest-django's live server.

Set FOYER_SHOTS to a folder to have every page a test looks at kept there as a picture.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import LazySettings
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright runs a loop in the thread that also asks the ORM

# How long to wait for what will come, on a machine that runs three other test processes; no promise of the product.
SLOWEST_MILLISECONDS = 60_000
expect.set_options(timeout=SLOWEST_MILLISECONDS)
PHONE: ViewportSize = {"width": 360, "height": 780}
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
View = tuple[ViewportSize, bool]  # the window, and whether it is dark
VIEWS: tuple[View, ...] = ((PHONE, False), (PHONE, True), (DESKTOP, False), (DESKTOP, True))
# Every element passes from one colour into the next, however fast, and begins when what is around it has arrived.
AT_REST = """new Promise((done) => {
  const moves = () => document.getAnimations().some(({ playState }) => playState === "running");
  const look = () => (moves() ? requestAnimationFrame(look) : done());
  requestAnimationFrame(look);
})"""
AXE = Axe()
# What Wagtail's content checker finds is told to the console as objects: as rules and elements, for whoever reads it.
TELL_FINDINGS = """const tell = console.error;
console.error = (...said) => tell(...said.map((one) => Array.isArray(one)
  ? one.map(({ id, nodes }) => `${id}: ${(nodes || []).map(({ target }) => target)}`).join("; ") : one));"""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def browser(kept_browser: Browser) -> Browser:
    return kept_browser


class Tab:
    """A browser tab that remembers what went wrong in it: script errors, failed requests, refused inline code."""

    def __init__(self, page: Page, base_url: str) -> None:
        self.page = page
        self.base_url = base_url
        self.complaints: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", self._hear_script)

    def _hear(self, message: Any) -> None:
        # A page that answers 4xx on purpose is told as an error too; that is the page's own business.
        if message.type != "error" or "Failed to load resource" in message.text:
            return
        # What Wagtail's content checker finds in a preview stands in the console as well. Its first look comes while
        # the preview is not laid out: it then takes the page's ground for the head's. At its second it does not, and
        # finds the marks that it put beside what it had found: Wagtail excludes them by a path that leads nowhere.
        _checker, is_finding, found = message.text.partition("axe.run results ")
        told = found.split("; ") if is_finding else [message.text]
        theirs = ("color-contrast: ", "landmark-complementary-is-top-level: #w-preview", "landmark-unique: #w-preview")
        self.complaints += [one for one in told if not (is_finding and one.startswith(theirs))]

    def _hear_script(self, error: Any) -> None:
        # Wagtail's content checker says so when a preview changes while it still looks at the one before.
        if "Axe is already running" not in str(error):
            self.complaints.append(f"script: {error}")

    def goto(self, address: str) -> Page:
        self.page.goto(address if address.startswith("http") else self.base_url + address)
        return self.page


Opener = Callable[..., Tab]


@pytest.fixture
def open_tab(browser: Browser, live_server: Any, settings: LazySettings) -> Iterator[Opener]:
    """Opens tabs: `open_tab(size=PHONE, language="sv", dark=False, javascript=True)`. Fails on any complaint."""
    settings.SITE_URL = live_server.url
    settings.LIVE_URL = ""
    settings.ALLOWED_HOSTS = ["*"]
    contexts: list[BrowserContext] = []
    tabs: list[Tab] = []

    def open_one(
        *, size: Any = None, language: str = "sv", dark: bool = False, javascript: bool = True, motion: bool = False
    ) -> Tab:
        context = browser.new_context(
            viewport=size or PHONE,
            locale=f"{language}-SE",
            color_scheme="dark" if dark else "light",
            java_script_enabled=javascript,
            reduced_motion="no-preference" if motion else "reduce",
            timezone_id="Europe/Stockholm",
        )
        context.set_default_timeout(SLOWEST_MILLISECONDS)
        context.add_init_script(TELL_FINDINGS)
        contexts.append(context)
        tab = Tab(context.new_page(), live_server.url)
        tabs.append(tab)
        return tab

    yield open_one
    complaints = [complaint for tab in tabs for complaint in tab.complaints]
    for context in contexts:
        context.close()
    assert complaints == [], complaints


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def violations(page: Page, inside: str = "html") -> list[str]:
    """What axe finds, as rule and element; the whole WCAG 2.2 AA set. A page looked at twice is given axe once."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.axe_script)
    options = {"runOnly": RULES, "resultTypes": ["violations"]}
    found = page.evaluate("async ([inside, options]) => (await axe.run(inside, options)).violations", [inside, options])
    return [
        f"{broken['id']}: {node['target']} {node.get('failureSummary', '')}"
        for broken in found
        for node in broken["nodes"]
    ]


def shot(page: Page, name: str) -> None:
    """Keep a picture of the whole page when FOYER_SHOTS names a folder."""
    folder = os.environ.get("FOYER_SHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def looks_right(page: Page, name: str) -> None:
    """The page fits its window, axe has nothing to say, and a picture is kept if wanted."""
    shot(page, name)
    assert overflow(page) <= 0, name
    assert violations(page) == [], name


def looks_right_everywhere(page: Page, name: str, views: Sequence[View] = VIEWS) -> None:
    """By phone and desk, light and dark: the open page is turned and dimmed as its reader may do, and left as the last
    view leaves it. Looked at in one of the views, which the run's seed draws, unless the run is of full size
    (`make test SIZE=full`) or pictures are wanted."""
    drawn = list(views)
    if os.environ.get("FOYER_PROOF_SIZE") != "full" and not os.environ.get("FOYER_SHOTS"):
        drawn = random.Random(f"{name} {os.environ['FOYER_PROOF_SEED']}").sample(drawn, 1)
    for size, dark in views:
        page.set_viewport_size(size)
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.evaluate(AT_REST)
        if (size, dark) in drawn:
            looks_right(page, f"{name}-{size['width']}{'-dark' if dark else ''}")
