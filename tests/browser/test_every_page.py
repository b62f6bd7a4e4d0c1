"""Every page type under the same eyes: axe in both themes, both modes and both languages, a thumb, a keyboard, and a
window as narrow as 400 % zoom makes it (320 CSS px)."""

from __future__ import annotations

import difflib
import io
import os
import re
from itertools import product
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from PIL import Image
from playwright.sync_api import Page

from apps.accounts.models import User
from tests.browser.conftest import AT_REST, Opener, Tab, overflow, violations
from tests.browser.every_page import AT_THE_DOOR, LANGUAGES, NAMES, SIGNED_IN, build
from tests.proofs import Proof

pytestmark = pytest.mark.django_db(transaction=True)

LOOKS = tuple(product(("default", "exchange"), ("light", "dark")))
SEEN = [(language, name, *look) for language in LANGUAGES for name in NAMES for look in LOOKS]
# The open page in another theme and mode, as if it had come so: the same two files, the accent's for that theme.
WEAR = """async ([theme, mode]) => {
  const root = document.documentElement;
  root.dataset.theme = theme;
  root.dataset.mode = mode;
  await Promise.all([...document.querySelectorAll('link[rel=stylesheet]')].map((link) => {
    const old = link.getAttribute("href");
    const name = theme === "default" ? "" : "-" + theme;
    const now = old.replace(/themes\\/[a-z-]+\\//, `themes/${theme}/`)
      .replace(/(accents\\/[0-9a-f]{6})[a-z-]*/, `$1${name}`);
    if (now === old) return null;
    return new Promise((done, failed) => {
      link.addEventListener("load", done, {once: true});
      link.addEventListener("error", failed, {once: true});
      link.setAttribute("href", now);
    });
  }));
}"""
# Whatever is pressed, but links within a sentence: those are as tall as their line (WCAG 2.5.8 excepts them).
SMALL = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary")].filter((one) => {
  if (!one.checkVisibility({visibilityProperty: true}) || one.type === "hidden") return false;
  if (one.closest(".skip-link, .visually-hidden")) return false;
  const target = (["radio", "checkbox"].includes(one.type) && one.closest("label")) || one;
  const words = (element) => element.textContent.trim().length;
  const isInline = one.matches("a") && getComputedStyle(one).display === "inline";
  if (isInline && words(one.parentElement) > words(one)) return false;
  const whole = getComputedStyle(one, "::after").position === "absolute" ? one.offsetParent : target;  // a card's link
  const box = whole.getBoundingClientRect();
  return box.width < 43.9 || box.height < 43.9;
}).map((one) => `${one.tagName} ${one.className || one.type} ${one.textContent.trim().slice(0, 20)}`)"""
# Each thing the keyboard reaches, focused in turn: it must be in the window, and nothing may lie over it.
HIDDEN = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary")].filter((one) => {
  if (!one.checkVisibility({visibilityProperty: true}) || one.disabled || one.type === "hidden") return false;
  if (one.matches(".skip-link")) return false;  // comes down when it is focused: test_pages sees it
  one.focus();
  if (document.activeElement !== one) return false;
  const box = one.getBoundingClientRect();
  const label = one.closest("label") || one;
  const x = box.left + box.width / 2, y = box.top + box.height / 2;
  const top = document.elementFromPoint(x, y);
  return !top || !(label.contains(top) || top.contains(label));
}).map((one) => `${one.tagName} ${one.className || one.type} ${one.textContent.trim().slice(0, 20)}`)"""


def opened(page: Page, base: str, address: str) -> None:
    page.goto(base + address, wait_until="load")
    if page.locator("[hx-get]").count():  # the ticket form comes after the page
        page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready")


def become(tab: Tab, email: str) -> None:
    """Sign somebody in on this device, or whoever it is out."""
    name = settings.SESSION_COOKIE_NAME
    tab.page.context.clear_cookies(name=name)
    if email:
        client = Client()
        client.force_login(User.objects.get(email=email))
        tab.page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": tab.base_url}])


# What a screen reader is told on the way through a purchase, kept as text beside this file.
TREES = ("form", "order-queued", "checkout", "order-paid", "ticket")
CHANGING = (
    (r"\n *- /url: .*", ""),
    (r"\b[A-Z0-9]{8}\b", "REFERENCE"),
    (r"\b[A-Z0-9]{3} · [A-Z0-9]{3}\b", "CODE"),
    (r"- definition: (–|under 1 min|\d+(–\d+)? min)\n", "- definition: FORECAST\n"),
    (r"\d+", "0"),
    (r"\n *- paragraph: Sparad i telefonen[^\n]*", ""),  # once it is
    # No live process is there: the page says so sooner or later.
    (r"Uppdaterad 0\.0\.0\. Uppdateras av sig själv\.|Senast 0\.0\.0, vi försöker igen\.", "HEARD LAST"),
    (r"(?i)\b(mån|tis|ons|tors|fre|lör|sön)(dag)?\b", "DAY"),
    (r"(?i)\b(jan|feb|mars?|apr|maj|juni?|juli?|aug|sept?|okt|nov|dec)(uari|il|usti|ember|ober)?\b", "MONTH"),
)


def compared(name: str, page: Page) -> list[str]:
    """How the page's tree differs from the kept one. FOYER_TREES=write keeps the new one."""
    tree = page.locator("main").aria_snapshot()
    for pattern, word in CHANGING:
        tree = re.sub(pattern, word, tree)
    file = Path(__file__).with_name("trees") / f"{name}.yml"
    if os.environ.get("FOYER_TREES") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(tree + "\n", encoding="utf-8")
    kept = file.read_text(encoding="utf-8").splitlines()
    changed = difflib.unified_diff(kept, tree.splitlines(), "kept", "now", lineterm="", n=1)
    return [f"{name}: {line}" for line in changed]


def keep_pictures(page: Page, name: str) -> None:
    """Pictures for docs/screenshots, when `make screenshots` asks for them: three widths, and exchange in the dark."""
    folder = os.environ.get("FOYER_SCREENSHOTS")
    if not folder:
        return
    for width, theme, mode in ((360, "default", "light"), (768, "default", "light"), (1440, "default", "light"),
                               (360, "exchange", "dark")):  # fmt: skip
        if theme != "default" and name in AT_THE_DOOR:
            continue  # no theme changes it
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate(WEAR, [theme, mode])
        page.evaluate("scrollTo(0, 0); document.activeElement?.blur()")
        page.evaluate(AT_REST)
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True)))
        Path(folder).mkdir(parents=True, exist_ok=True)
        picture.save(Path(folder) / f"{name}-{width}{'-exchange' * (theme != 'default')}.webp", quality=22, method=6)
    page.evaluate(WEAR, ["default", "light"])
    if paper := os.environ.get("FOYER_PAPER"):
        page.pdf(path=Path(paper) / f"{name}.pdf", format="A4", prefer_css_page_size=True)


@pytest.mark.proof("every_page", what="No page type has a violation in any look or language", full=len(SEEN), small=10)
def test_every_page_can_be_seen_touched_tabbed_and_zoomed(open_tab: Opener, proof: Proof) -> None:
    addresses = build()
    tabs = {language: open_tab(language=language) for language in LANGUAGES}
    looked_at = proof.random.sample(SEEN, proof.n)
    wrong: list[str] = []
    helps: dict[str, list[str]] = {}

    for language, name in product(LANGUAGES, NAMES):
        looks = [seen[2:] for seen in looked_at if seen[:2] == (language, name)]
        if not looks and language != "sv":
            continue
        page = tabs[language].page
        page.set_viewport_size({"width": 360, "height": 640})
        become(tabs[language], SIGNED_IN.get(name, ""))
        opened(page, tabs[language].base_url, addresses[name][language])
        if language == "sv":
            wrong += [f"{name}: smaller than 44 px: {one}" for one in page.evaluate(SMALL)]
            wrong += [f"{name}: focused and hidden: {one}" for one in page.evaluate(HIDDEN)]
            if name in TREES:
                wrong += compared(name, page)
            if name not in AT_THE_DOOR:
                helps[name] = page.locator(".site-footer__links a").all_inner_texts()
            keep_pictures(page, name)
        for theme, mode in looks:
            page.evaluate(WEAR, [theme, mode])
            page.evaluate(AT_REST)
            wrong += [f"{name} {language} {theme} {mode}: {one}" for one in violations(page)]
        if language == "sv":
            page.set_viewport_size({"width": 320, "height": 256})  # 1280 x 1024 at 400 %
            wrong += [f"{name}: wider than 320 px by {more}" for more in [overflow(page)] if more > 0]

    assert not wrong, "\n".join(wrong)
    assert len(helps["home"]) >= 3
    assert {name: links for name, links in helps.items() if links != helps["home"]} == {}
    proof.record(pages=len(NAMES), looks=len(LOOKS), languages=len(LANGUAGES))
