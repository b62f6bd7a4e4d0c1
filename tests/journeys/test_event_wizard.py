"""From nothing to a published event with tickets, in a real browser: what it takes, and what it looks like."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from apps.events.models import Event
from apps.ticketing.models import EventDraft
from tests.browser.conftest import DESKTOP, PHONE, Opener, Tab, looks_right_everywhere
from tests.journeys import organiser
from tests.journeys.test_organiser import PASSWORD, editor_of

pytestmark = pytest.mark.django_db(transaction=True)

MOST_TYPED, MOST_CLICKS = 12, 6
STARTS = (datetime.now() + timedelta(days=300)).replace(hour=18, minute=0)


class Hand:
    """Types and clicks as the organiser does, and counts."""

    def __init__(self, page: Page) -> None:
        self.page, self.typed, self.clicks = page, 0, 0

    def type(self, label: str, text: str) -> None:
        self.page.get_by_label(label, exact=False).first.fill(text)
        self.typed += 1

    def click(self, name: str) -> None:
        self.page.get_by_role("main").get_by_role("button", name=name, exact=True).click()
        self.clicks += 1


def seen_everywhere(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    looks_right_everywhere(page, f"wizard-{name}", ((PHONE, False), (DESKTOP, False)))


def test_event_is_on_sale_after_twelve_fields_at_most(open_tab: Opener, live_server: object) -> None:
    email = editor_of("Festföreningen Lyktan")
    tab: Tab = open_tab(size=DESKTOP, language="en")
    page, base = tab.page, live_server.url  # type: ignore[attr-defined]
    organiser.sign_in(page, base, email, PASSWORD)
    seen_everywhere(page, "dashboard")
    hand = Hand(page)

    page.get_by_role("main").get_by_role("link", name="New event").click()
    hand.clicks += 1
    seen_everywhere(page, "1-kind")
    hand.click("Choose Sittning")
    seen_everywhere(page, "2-facts")
    hand.type("Title in Swedish", "Luciasittning")
    hand.type("Title in English", "Lucia dinner")
    hand.type("Starts", STARTS.strftime("%Y-%m-%dT%H:%M"))
    hand.type("Venue", "Kårhuset Fyren")
    hand.click("Continue")
    hand.click("Continue")  # too early: it says what is missing
    expect(page.get_by_text("Say what it costs; 0 for a free ticket.")).to_be_visible()
    seen_everywhere(page, "3-tickets-wrong")
    hand.type("Price", "250")
    hand.type("Places", "100")
    hand.click("Continue")
    expect(page.frame_locator("iframe").get_by_role("heading", name="Lucia dinner", exact=True)).to_be_visible()
    seen_everywhere(page, "4-page")
    hand.click("Publish")
    page.wait_for_url("**/admin/events/edit/**")

    assert hand.typed <= MOST_TYPED and hand.clicks <= MOST_CLICKS, (hand.typed, hand.clicks)
    for language, title in (("sv", "Luciasittning"), ("en", "Lucia dinner")):
        visitor = open_tab(size=PHONE, language=language).goto(Event.objects.get().pages.get(title=title).url)
        expect(visitor.get_by_role("heading", level=1)).to_have_text(title)
        expect(visitor.locator(".ticket-block .type-row__name").first).to_be_visible()
        expect(visitor.locator(".ticket-block input[type=email]")).to_be_visible()


def test_closed_browser_loses_nothing(open_tab: Opener, live_server: object) -> None:
    email = editor_of("Festföreningen Lyktan")
    page, base = open_tab(size=DESKTOP, language="en").page, live_server.url  # type: ignore[attr-defined]
    organiser.sign_in(page, base, email, PASSWORD, to="/admin/new-event/")
    hand = Hand(page)
    hand.click("Choose Concert")
    hand.type("Title in Swedish", "Vårkonsert")
    with page.expect_response(lambda answer: answer.status == 204):
        page.get_by_label("Venue", exact=False).first.focus()

    page.goto(base + "/admin/new-event/")
    page.get_by_role("main").get_by_role("link", name="Vårkonsert").click()
    expect(page.get_by_label("Title in Swedish")).to_have_value("Vårkonsert")
    page.get_by_label("Starts").fill(STARTS.strftime("%Y-%m-%dT%H:%M"))
    page.get_by_label("Venue", exact=False).first.fill("Aulan")
    hand.click("Continue")
    hand.click("Add a ticket")
    expect(page.locator("[data-formset-row]:visible")).to_have_count(4)
    page.locator("[name=rows-3-name_en]").fill("Helper")
    hand.click("Back")
    hand.click("Continue")

    expect(page.locator("[name=rows-3-name_en]")).to_have_value("Helper")
    assert EventDraft.objects.count() == 1
