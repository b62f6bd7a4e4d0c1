"""The opening second in a real browser: the form is there before, and works from then on, by the house's clock."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.events import page_cache
from apps.ticketing import clock, event_face
from apps.ticketing.models import LineChoice, Order, TicketType
from tests import factories
from tests.browser.conftest import DESKTOP, Opener, looks_right
from tests.browser.test_buying import form_of
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh_pages() -> None:
    page_cache.begin_anew()
    event_face.forget()


@pytest.fixture
def dinner() -> Callable[[timedelta], TicketType]:
    """Makes a free dinner with a beverage to choose that opens so long from now."""

    def make(opens_in: timedelta) -> TicketType:
        event = factories.event()
        kind = factories.ticket_type(
            event, factories.quota(event, 20), name_en="Dinner", price_minor=0, sale_opens_at=clock.now() + opens_in
        )
        drink = factories.variation(kind)
        factories.choice(drink, name_en="Beer")
        factories.choice(drink, name_en="Juice")
        return kind

    return make


def choose(page: Page, number: int = 2) -> None:
    for _ in range(number):
        page.get_by_role("button", name="More: Dinner").click()
    for radio in page.get_by_role("radio", name="Juice").all():
        radio.check()
    page.locator("#buyer-email").fill("robin@example.org")


def expect_chosen(page: Page, number: int = 2) -> None:
    expect(page.get_by_label("Number: Dinner")).to_have_value(str(number))
    expect(page.locator('input[type="radio"]:checked')).to_have_count(number)
    expect(page.locator("#buyer-email")).to_have_value("robin@example.org")


def button(page: Page) -> Any:
    return page.locator("[data-price-button]")


def move_opening(page: Page, kind: TicketType) -> None:
    """The organiser lets the sale open in two seconds, and the page asks, as it does now and then."""
    kind.sale_opens_at = clock.now() + timedelta(seconds=2)
    kind.save()
    page.evaluate("window.dispatchEvent(new Event('online'))")


def test_the_form_is_there_before_and_works_at_the_second_without_a_request(
    dinner: Callable[..., TicketType], open_tab: Opener
) -> None:
    kind = dinner(timedelta(hours=1))
    page = open_tab(language="en").goto(form_of(kind.event))
    choose(page)
    page.reload()
    expect_chosen(page)
    expect(button(page)).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("Enter")  # in the e-mail field: too early, so nothing is sent
    looks_right(page, "opening-before-360")
    before = page.locator(".ticket-block").get_attribute("data-opens-at")

    move_opening(page, kind)
    expect(page.locator(".ticket-block")).not_to_have_attribute("data-opens-at", before)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    expect(button(page)).not_to_have_attribute("aria-disabled", "true")
    expect(page.locator("[data-opening-say]")).to_have_text("The sale is open.")
    expect(page.get_by_text("On sale", exact=True)).to_be_visible()
    expect(page.locator("[data-countdown]")).to_be_hidden()
    expect_chosen(page)
    assert [url for url in asked if "/tickets/" in url] == []
    button(page).click()

    page.wait_for_url(re.compile("/orders/"))
    order = Order.objects.get()
    assert kind.sale_opens_at is not None and order.queued_at >= kind.sale_opens_at
    assert LineChoice.objects.filter(line__order=order).count() == 2


def test_a_phone_that_slept_through_the_opening_opens_on_wake_with_everything_kept(
    dinner: Callable[..., TicketType], open_tab: Opener
) -> None:
    kind = dinner(timedelta(minutes=3))
    tab = open_tab(language="en")
    tab.page.clock.install()
    page = tab.goto(form_of(kind.event))
    choose(page)

    with clock_moved(timedelta(minutes=10)):
        # Asleep: the time goes on, no timer does.
        page.clock.set_system_time(datetime.now() + timedelta(minutes=10))
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

        expect(page.locator('.ticket-block[data-sale-state="on_sale"]')).to_be_visible()
        expect(button(page)).not_to_have_attribute("aria-disabled", "true")
        expect_chosen(page)


def test_types_that_open_at_different_times_wait_for_the_last_chosen(
    dinner: Callable[..., TicketType], open_tab: Opener
) -> None:
    kind = dinner(timedelta(hours=-1))
    factories.ticket_type(
        kind.event, factories.quota(kind.event, 5), name_en="Party", price_minor=0, position=1,
        sale_opens_at=clock.now() + timedelta(hours=1),
    )  # fmt: skip
    page = open_tab(language="en", size=DESKTOP).goto(form_of(kind.event))

    choose(page, 1)
    expect(button(page)).not_to_have_attribute("aria-disabled", "true")
    page.get_by_role("button", name="More: Party").click()
    expect(button(page)).to_have_attribute("aria-disabled", "true")
    expect(page.locator("[data-locked-note]")).to_contain_text("What you have chosen is kept.")
    looks_right(page, "opening-mixed-1280")
    page.get_by_role("button", name="Fewer: Party").click()
    expect(button(page)).not_to_have_attribute("aria-disabled", "true")


def test_a_form_sent_too_early_says_so_and_is_sent_by_itself(
    dinner: Callable[..., TicketType], open_tab: Opener
) -> None:
    kind = dinner(timedelta(minutes=9))
    page = open_tab(language="en").goto(form_of(kind.event))
    choose(page)
    # A clock that runs ahead of the house's: the lock is gone too early, the server judges.
    page.evaluate("document.querySelector('[data-ticket-form]').submit()")

    expect(page.get_by_text("The sale has not opened yet.")).to_be_visible()
    expect(page.locator("[data-resend-note]")).to_be_visible()
    expect_chosen(page)
    looks_right(page, "opening-early-360")
    assert Order.objects.count() == 0

    move_opening(page, kind)
    page.wait_for_url(re.compile("/orders/"))
    assert Order.objects.get().lines.count() == 2


def test_without_javascript_the_button_works_at_the_time_and_an_early_form_keeps_what_was_chosen(
    dinner: Callable[..., TicketType], open_tab: Opener
) -> None:
    kind = dinner(timedelta(hours=1))
    page = open_tab(language="en", javascript=False).goto(form_of(kind.event))
    expect(page.get_by_role("link", name="Load the page again")).to_be_visible()
    page.get_by_label("Number: Dinner").fill("1")
    page.locator("#buyer-email").fill("robin@example.org")
    button(page).click()  # asks for the beverage, and says that it is too early
    page.get_by_role("radio", name="Juice").check()
    button(page).click()
    expect(page.get_by_text("The sale has not opened yet.")).to_be_visible()
    expect_chosen(page, 1)

    with clock_moved(timedelta(hours=2)):
        button(page).click()
        page.wait_for_url(re.compile("/orders/"))

    assert Order.objects.get().lines.count() == 1


def test_one_asks_to_be_reminded(dinner: Callable[..., TicketType], open_tab: Opener) -> None:
    kind = dinner(timedelta(hours=5))
    page = open_tab(language="en").goto(form_of(kind.event))

    page.get_by_role("link", name="Remind me").click()
    expect(page.get_by_role("textbox", name="E-mail")).to_be_visible()
    looks_right(page, "remind-360")
    page.get_by_role("textbox", name="E-mail").fill("robin@example.org")
    page.get_by_role("button", name="Remind me").click()

    expect(page.get_by_role("heading", name="We write to you")).to_be_visible()
    looks_right(page, "reminded-360")
    page.goto(page.url.replace("/en/", "/sv/"))
    page.set_viewport_size(DESKTOP)
    looks_right(page, "remind-1280")
