"""A student who reads no Swedish finds, buys, is mailed and is admitted, without meeting a Swedish word of ours.

Every page, mail, PDF and verdict of the journey is searched for words that only the Swedish catalogue knows.
Organisers' own words may be Swedish where there are no English ones, and then say so (`lang="sv"`).
"""

from __future__ import annotations

import gettext
import re
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.urls import reverse
from django.utils.translation import override
from playwright.sync_api import Page, expect

from apps.events import page_cache, tenancy
from apps.events.models import Event, LegalKind, OrganisationPage
from apps.ticketing import clock, event_face, outbox, queue
from apps.ticketing.models import Order, Ticket
from tests import factories
from tests.architecture.po import CATALOGUE
from tests.browser.conftest import Opener
from tests.browser.test_door import sign_in, type_code
from tests.checkin.conftest import staff
from tests.tenancy.world import page_of
from tests.ticketing.documents import text_of

pytestmark = pytest.mark.django_db(transaction=True)

FORGOTTEN = "Öl och snaps"  # the organiser has no English for it; marked where words can be marked
WORD = re.compile(r"[^\W\d_]{2,}")
# Names of people, places and parties are the same in every language.
NAMES = "Post Festföreningen Lyktan Kårhuset Fyren Campusvägen Linköping Robin Berg Alva Foyer Svenska Hallå konsument"
# All that a page says or would say: text and what scripts and screen readers tell, but for what is marked as Swedish.
TELLS = """() => {
  const page = document.documentElement.cloneNode(true);
  page.querySelectorAll('[lang="sv"], script, style, svg, noscript').forEach((one) => one.remove());
  const texts = [], others = [document.title];
  for (const one of page.querySelectorAll("*")) {
    for (const { name, value } of one.attributes)
      if (["aria-label", "alt", "title", "placeholder", "value"].includes(name) || name.startsWith("data-"))
        others.push(value);
    for (const node of one.childNodes) if (node.nodeType === Node.TEXT_NODE) texts.push(node.textContent);
  }
  return [texts.join(" | "), others.join(" | ")];
}"""


@cache
def swedish_words() -> frozenset[str]:
    """Words that our Swedish uses and our English never."""
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        texts = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    pairs = [(key[0] if isinstance(key, tuple) else key, told) for key, told in texts.items() if key]
    english = {word for text, _told in pairs for word in _words(text)}
    return frozenset(word for _text, told in pairs for word in _words(told)) - english - set(_words(NAMES))


def _words(text: str) -> list[str]:
    """Words in small letters. Codes, addresses and placeholders are none."""
    bare = re.sub(r"https?://\S+|\S+@\S+|%\(\w+\)\w|\{\w*\}|<[^>]*>|/\S*|\w+\.\w+|[\w-]*\d[\w-]*", " ", text)
    return [word.lower() for word in WORD.findall(bare) if not word.isupper() or len(word) > 3]


def strange(told: str, where: str) -> list[str]:
    """The Swedish words in what is told, each with where it was met."""
    return [f"{where}: {word}" for word in sorted(set(_words(told)) & swedish_words())]


class Reader:
    """Looks at each page as it comes, and remembers every word that an English reader would not understand."""

    def __init__(self) -> None:
        self.met: list[str] = []
        self.seen: list[str] = []

    def look(self, page: Page, where: str) -> None:
        assert page.locator("html").get_attribute("lang") == "en", where
        texts, others = page.evaluate(TELLS)
        self.met += strange(texts, where)
        self.read(others, where)

    def read(self, told: str, where: str) -> None:
        self.seen.append(where)
        self.met += strange(told.replace(FORGOTTEN, ""), where)


def test_swedish_words_would_be_noticed() -> None:
    assert strange("Your order. Biljetten är din!", "here") == ["here: biljetten", "here: din", "here: är"]
    assert strange("A ticket to the ball at Kårhuset, SEK 250, K7M9QA, https://foyer.example/biljett/", "here") == []
    assert len(swedish_words()) > 1_000


@pytest.fixture
def event() -> Event:
    """An event in English whose organiser forgot two texts."""
    page_cache.begin_anew()
    event_face.forget()
    seller = tenancy.create_organisation(
        "Festföreningen Lyktan",
        slug="lyktan",
        legal_name="Festföreningen Lyktan",
        organisation_number="802999-0000",
        address="Campusvägen 3, Linköping",
        email="board@lyktan.example",
    )
    event = factories.event(
        organisation=seller, starts_at=clock.now() + timedelta(hours=1), venue="Kårhuset Fyren", max_per_person=2
    )
    kind = factories.ticket_type(
        event,
        factories.quota(event, 20),
        name_sv="Sittning",
        name_en="Dinner",
        description_sv="Trerätters, gyckel och dans.",
        price_minor=25_000,
        minimum_age=18,
    )
    drink = factories.variation(kind, name_sv="Dryck", name_en="Beverage")
    factories.choice(drink, name_sv=FORGOTTEN, name_en="")
    root = OrganisationPage.objects.get(organisation=seller, locale__language_code="en")
    body = [
        {"type": "text", "value": "<p>When the dark is deepest.</p>", "id": "a1"},
        {"type": "tickets", "value": {"heading": "", "event": None}, "id": "a2"},
        {"type": "practical_info", "value": {"heading": "", "notes": []}, "id": "a3"},
    ]
    page_of(event, root, body=body, title="Lucia dinner")
    return event


def test_english_is_all_it_takes(event: Event, open_tab: Opener, settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.VAR = tmp_path
    reader = Reader()
    tab = open_tab(language="en")

    # Finding it, and reading what is at the foot of every page.
    page = tab.goto("/")
    reader.look(page, "start")
    page.get_by_role("link", name=re.compile("Tickets SEK|Lucia dinner")).first.click()
    page.locator("#buyer-email").wait_for()
    reader.look(page, "event")
    address = page.url
    for kind in LegalKind.values:
        reader.look(tab.goto(f"/en/legal/lyktan/{kind}/"), kind)
    for name in ("account_login", "account_signup", "account_reset_password"):
        reader.look(tab.goto(reverse(name)), name)
    reader.look(tab.goto("/en/nothing-here/"), "not found")
    reader.look(tab.goto(f"/en/events/{event.public_id}/remind/"), "remind")

    # Buying.
    page = tab.goto(address)
    page.locator('[data-step="1"]').first.click()
    page.locator("#buyer-email").fill("robin@example.org")
    page.locator("[data-price-button]").click()  # forgetting to choose a drink
    expect(page.locator(".choices__error").first).to_be_visible()
    reader.look(page, "form with an error")
    assert page.locator('.choice__label [lang="sv"]').inner_text() == FORGOTTEN
    assert page.locator('.type-row__text [lang="sv"]').inner_text() == "Trerätters, gyckel och dans."
    page.get_by_label(FORGOTTEN).check()
    page.locator("[data-price-button]").click()
    page.wait_for_url(re.compile("/en/orders/"))
    reader.look(page, "queue")
    queue.drain(event.pk)
    page.goto(page.url)
    expect(page.get_by_label("Name")).to_be_visible()
    reader.look(page, "held")
    page.get_by_label("Name").fill("Robin Berg")
    page.get_by_label("I accept the terms of purchase").check()
    page.get_by_role("button", name=re.compile("Pay SEK")).click()
    page.wait_for_url(re.compile("/sandbox/"))
    reader.look(page, "bank")
    page.get_by_role("button", name=re.compile("Pay SEK")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The ticket is yours!")
    reader.look(page, "paid")
    order = Order.objects.get(event=event)
    ticket = Ticket.objects.get(event=event)
    with override("en"):
        shown = reverse("ticketing:ticket", args=[ticket.public_id, ticket.secret])
    reader.look(tab.goto(shown), "ticket")

    # The mails, with the tickets as PDF.
    outbox.run_all(early=True)
    assert [message.subject for message in mail.outbox] == ["Your tickets to Lucia dinner"]
    attached = 0
    for message in mail.outbox:
        reader.read(f"{message.subject} {message.body}", f"mail “{message.subject}”")
        html = next(str(content) for content, kind in message.alternatives if kind == "text/html")
        window = open_tab(language="en").page
        window.set_content(html)
        reader.look(window, f"mail “{message.subject}” as HTML")
        for part in message.attachments:
            if isinstance(part, tuple) and part[2] == "application/pdf":  # the others are pictures
                attached += 1
                reader.read(text_of(part[1], tmp_path), "PDF")
    assert (attached, order.locale, order.terms_version) == (1, "en", "1:en")

    # The door.
    guard = open_tab(language="en")
    sign_in(guard, staff(event.organisation, "door", name="Alva Berg"))
    door = guard.goto(reverse("checkin:door", args=[event.public_id]))
    reader.look(door, "door")
    type_code(door, ticket.short_code)
    expect(door.locator("body.door--look")).to_be_visible()
    reader.look(door, "door: look")
    door.get_by_role("button", name="It is right, let in").click()
    expect(door.locator("body.door--admitted")).to_be_visible()
    reader.look(door, "door: in")
    type_code(door, ticket.short_code)
    expect(door.locator("body.door--stop")).to_be_visible()
    reader.look(door, "door: stop")

    assert len(reader.seen) > 20
    assert "\n".join(reader.met) == ""
