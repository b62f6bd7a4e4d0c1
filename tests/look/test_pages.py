"""The sample pages in a browser: nothing to complain of for axe, no sideways scroll, targets a thumb can hit."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import brotli
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Response

from tests.look.render import PAGES, VERDICTS
from tests.look.serving import served
from tests.proofs import Proof

# The style guide holds every part, so it is looked at in all four; the pages in one light and one dark of the two.
LOOKS = [("default", "light", 360), ("default", "dark", 1280), ("exchange", "dark", 360), ("exchange", "light", 1280)]
SEEN = [("index", *look) for look in LOOKS] + [
    (name, *look)
    for name in PAGES
    if name != "index"
    for look in (("default", "light", 360), ("exchange", "dark", 1280))
]
DOORS = [f"door-{verdict or 'start'}" for verdict in VERDICTS]
# Everything one presses stands alone, so that the small-target exception for links in a sentence never counts here.
PRESSED = (
    "a.button, button, .choice, .check, .stepper__input, .field__input, summary, .tabs__tab, .pagination__page,"
    ".site-footer__links a, .site-header a, .link-alone, .door__button, .door__code, .door__guest"
)
SMALL = """(selector) => [...document.querySelectorAll(selector)].filter((element) => {
  if (!element.checkVisibility() || element.closest(".skip-link, dialog:not([open])")) return false;
  if (element.matches(".skip-link")) return false;
  const box = element.getBoundingClientRect();
  return box.height < 43.9 || box.width < 43.9;
}).map((element) => `${element.className} ${element.textContent.trim().slice(0, 20)}`)"""


@pytest.fixture(scope="module")
def site(rendered: Path) -> Iterator[str]:
    with served(rendered) as address:
        yield address


def opened(browser: Browser, address: str, width: int) -> tuple[Page, list[str]]:
    """A page at a width, and what its console complained of."""
    page = browser.new_page(viewport={"width": width, "height": 740}, reduced_motion="reduce")
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address, wait_until="load")
    page.evaluate("document.fonts.ready")  # the stand-in for the display face is wider
    return page, complaints


@pytest.mark.proof("pages_look", what="No page has a violation in any look", full=len(SEEN), small=len(SEEN) // 4)
def test_no_page_has_a_violation(browser: Browser, site: str, proof: Proof) -> None:
    for name, theme, mode, width in proof.random.sample(SEEN, proof.n):
        where = f"{name}-{theme}-{mode}"
        page, complaints = opened(browser, f"{site}/{where}.html", width)

        results = Axe().run(page, options={"resultTypes": ["violations"]})
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        small = page.evaluate(SMALL, PRESSED)
        page.close()

        assert results.violations_count == 0, f"{where} {width}\n{results.generate_report()}"
        assert (overflow <= 0, small, complaints) == (True, [], []), f"{where} {width}"


@pytest.mark.parametrize("name", DOORS)
def test_door_has_no_violation(browser: Browser, site: str, name: str) -> None:
    page, complaints = opened(browser, f"{site}/{name}.html", 360)

    results = Axe().run(page, options={"resultTypes": ["violations"]})
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    thumb = page.evaluate(
        "[...document.querySelectorAll('.door__button')].map((b) => b.getBoundingClientRect().height)"
    )
    seen_whole = page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    page.close()

    assert results.violations_count == 0, results.generate_report()
    assert (overflow <= 0, seen_whole, min(thumb) >= 64, complaints) == (True, True, True, [])


@pytest.mark.parametrize("name", [*(f"{name}-default-light" for name in PAGES), *DOORS])
def test_page_fits_the_smallest_phone(browser: Browser, site: str, name: str) -> None:
    page, _complaints = opened(browser, f"{site}/{name}.html", 320)

    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    page.close()

    assert overflow <= 0


def test_queue_page_weighs_less_than_15_kilobytes(browser: Browser, site: str) -> None:
    """As it is sent: the page in gzip, static files lean and in brotli, as the site's storage packs them."""
    page = browser.new_page(viewport={"width": 360, "height": 740})
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(f"{site}/queue-default-light.html", wait_until="networkidle")

    weights = {
        answer.url.removeprefix(site): len(
            brotli.compress(answer.body()) if "/static/" in answer.url else gzip.compress(answer.body(), 9)
        )
        for answer in answers
        if not answer.url.endswith(".woff2")
    }
    page.close()

    assert "/static/foyer/js/queue.js" in weights and "/static/foyer/js/enhance.js" in weights
    assert sum(weights.values()) < 15_000, sorted(weights.items(), key=lambda item: -item[1])


def test_phone_menu_opens_without_a_script(browser: Browser, site: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/checkout-default-light.html")
    ways = page.locator(".site-header__ways")

    before = ways.is_visible()
    page.get_by_role("button", name="Menu").or_(page.get_by_role("button", name="Meny")).click()

    assert (before, ways.is_visible()) == (False, True)
    context.close()


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("event", ["input[type=number]", ".person"]),
        ("checkout", [".hold-bar [data-still]", ".hold-bar button"]),
        ("queue", ["[data-place]", ".queue__live"]),
    ],
)
def test_page_works_without_javascript(browser: Browser, site: str, name: str, seen: list[str]) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/{name}-default-light.html")

    visible = {selector: page.locator(selector).first.is_visible() for selector in seen}
    dead = page.locator("[data-step]:visible, [data-mode-chooser]:visible, [data-running]:visible:not(form)").count()
    context.close()

    assert visible == dict.fromkeys(seen, True)
    assert dead == 0
