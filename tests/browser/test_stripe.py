"""Paying by Stripe in a real browser: on the order's page, on Stripe's own, and after all that may go wrong there.

The script, its frames and the hosted page are the stand-ins of tests/fake_stripe: docs/stripe.md on what they are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import LazySettings
from playwright.sync_api import Frame, FrameLocator, Page, expect

from apps.ticketing import clock, event_face, outbox, queue
from apps.ticketing.extensions import payment_providers
from apps.ticketing.models import Order, Payment
from apps.ticketing.payments import base, stripe_provider
from apps.ticketing.payments.stripe_provider import StripeProvider
from tests.browser.conftest import DESKTOP, Opener, looks_right_everywhere, shot
from tests.browser.test_buyer_pages import Dinner, address_of, reserved
from tests.fake_stripe import Fake

pytestmark = pytest.mark.django_db(transaction=True)

DECLINED, ASKS, PAYS = "4000 0000 0000 0002", "4000 0027 6000 3184", "4242 4242 4242 4242"


@pytest.fixture(autouse=True)
def fake(stripe_service: Fake, settings: LazySettings) -> Iterator[Fake]:
    settings.STRIPE_SECRET_KEY = stripe_service.KEY
    settings.STRIPE_PUBLISHABLE_KEY = stripe_service.PUBLISHABLE_KEY
    settings.STRIPE_API_BASE = stripe_service.url
    settings.STRIPE_JS_URL = f"{stripe_service.url}/endive/stripe.js"
    settings.PAYMENT_PROVIDERS_ENABLED = ["stripe"]
    stripe_provider._client.cache_clear()
    event_face.forget()
    with payment_providers.temporarily(StripeProvider()):
        yield stripe_service
    stripe_provider._client.cache_clear()


@pytest.fixture
def dinner() -> Dinner:
    return Dinner()


def fields(page: Page) -> FrameLocator:
    return page.frame_locator("iframe[title='Secure payment input frame']")


def give_card(page: Page, number: str) -> None:
    card = fields(page)
    card.get_by_label("Card number").fill(number)
    card.get_by_label("Expiry").fill("12 / 34")
    card.get_by_label("CVC").fill("123")


def press_pay(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^(Pay|Betala) ")).click()


def write(page: Page, name: str = "Alva Ek") -> None:
    page.locator("#name").fill(name)
    page.locator('input[name="terms"]').check()


class Screens:
    """Which pages a buyer was led to, by address; the order's page is one, whatever it shows."""

    def __init__(self, page: Page) -> None:
        self.seen: list[str] = []
        page.on("framenavigated", self._note)

    def _note(self, frame: Frame) -> None:
        parts = urlsplit(frame.url)
        place = f"{parts.netloc}{parts.path}"
        if frame.parent_frame is None and parts.netloc and place not in self.seen:
            self.seen.append(place)


def test_from_the_form_to_the_tickets_by_a_card_that_is_declined_and_one_that_asks(
    dinner: Dinner, open_tab: Opener, fake: Fake
) -> None:
    tab = open_tab(language="en")
    screens = Screens(tab.page)
    page = tab.goto(dinner.form_address("en"))
    page.locator('[data-step="1"]').first.click()
    page.get_by_label("Alcohol-free").check()
    page.get_by_label("Vegetarian").check()
    page.locator("#buyer-email").fill("alva@student.example")
    page.locator("[data-price-button]").click()
    page.wait_for_url(re.compile("/orders/"))
    queue.drain(dinner.event.pk)
    expect(page.locator("#name")).to_be_visible()
    Order.objects.update(reserved_until=clock.now() + timedelta(minutes=3))
    page.reload()
    write(page)
    give_card(page, DECLINED)

    press_pay(page)

    problem = page.locator("[data-pay-here-problem]")
    expect(problem).to_contain_text("Your card was declined. Nothing was charged.")
    expect(page.locator("[data-cell='clock']")).to_contain_text(re.compile(r"^(9:|10:)"))  # held for ten minutes more
    assert page.locator("#name").input_value() == "Alva Ek"
    assert page.locator('input[name="terms"]').is_checked()
    assert fields(page).get_by_label("Card number").input_value() == DECLINED
    looks_right_everywhere(page, "checkout-stripe-declined")
    give_card(page, ASKS)
    press_pay(page)
    page.frame_locator("iframe[title='3-D Secure']").get_by_role("button", name="Complete").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The ticket is yours!")
    assert len(screens.seen) <= 3, screens.seen
    assert [intent["status"] for intent in fake.objects("payment_intent")] == ["succeeded"]


def test_without_javascript_the_buyer_pays_on_stripes_page(dinner: Dinner, open_tab: Opener, fake: Fake) -> None:
    order = reserved(dinner)
    tab = open_tab(javascript=False, size=DESKTOP, language="en")
    screens = Screens(tab.page)
    page = tab.goto(address_of(order, "en"))
    assert page.locator("[data-pay-here]").is_hidden()
    shot(page, "checkout-stripe-no-script")
    write(page)
    press_pay(page)
    page.get_by_label("Card number").fill(DECLINED)
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_role("alert")).to_contain_text("declined")
    page.get_by_label("Card number").fill(PAYS)

    page.get_by_role("button", name="Pay").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("The tickets are yours!")
    assert page.url == tab.base_url + address_of(order, "en")
    assert len(screens.seen) + 1 == 3, screens.seen  # and the form, which came before


def test_the_tab_vanishes_in_the_banks_app_and_the_address_alone_brings_the_tickets(
    dinner: Dinner, open_tab: Opener, fake: Fake
) -> None:
    order = reserved(dinner)
    tab = open_tab()
    page = tab.goto(address_of(order))
    write(page)
    fields(page).get_by_label("Swish").check()
    press_pay(page)
    page.wait_for_url(f"{fake.url}/**")
    page.close()
    fake.act(Payment.objects.get().provider_reference, approves=True)

    later = open_tab(size=DESKTOP).goto(address_of(order))

    expect(later.get_by_role("heading", level=1)).to_have_text("Biljetterna är dina!")


def test_back_from_swish_refused_everything_stands_there_and_the_address_is_clean(
    dinner: Dinner, open_tab: Opener
) -> None:
    order = reserved(dinner)
    tab = open_tab(language="en")
    page = tab.goto(address_of(order, "en"))
    write(page)
    fields(page).get_by_label("Swish").check()
    press_pay(page)
    page.get_by_role("button", name="Refuse").click()

    expect(page.get_by_role("alert").first).to_contain_text("nothing was charged")
    assert page.url == tab.base_url + address_of(order, "en")
    assert page.locator("#name").input_value() == "Alva Ek"
    give_card(page, PAYS)
    press_pay(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("The tickets are yours!")


def test_a_wallet_pays_with_one_press_after_name_and_terms(dinner: Dinner, open_tab: Opener) -> None:
    page = open_tab(language="en").goto(address_of(reserved(dinner), "en"))
    wallet = page.frame_locator("iframe[title='Secure express checkout frame']").get_by_role(
        "button", name="Google Pay"
    )
    wallet.click()
    expect(page.locator("[data-pay-here-problem]")).to_contain_text("Write your name and accept the terms first.")
    expect(page.locator("#name")).to_be_focused()
    write(page)

    wallet.click()

    expect(page.get_by_role("heading", level=1)).to_have_text("The tickets are yours!")


def test_where_the_script_is_blocked_the_button_leads_to_stripes_page(
    dinner: Dinner, open_tab: Opener, fake: Fake
) -> None:
    tab = open_tab(language="en")
    tab.page.route(re.compile(r"/stripe\.js"), lambda route: route.abort())
    page = tab.goto(address_of(reserved(dinner), "en"))
    write(page)

    press_pay(page)

    page.wait_for_url(f"{fake.url}/c/pay/**")


def test_stripe_among_other_ways_shows_its_fields_when_it_is_chosen(
    dinner: Dinner, open_tab: Opener, settings: LazySettings
) -> None:
    settings.PAYMENT_PROVIDERS_ENABLED = ["sandbox", "stripe"]
    page = open_tab(language="en").goto(address_of(reserved(dinner), "en"))
    part = page.locator("[data-pay-here]")
    expect(part).to_be_hidden()

    page.get_by_label("Card, Swish, Klarna and more").check()
    expect(part).to_be_visible()
    looks_right_everywhere(page, "checkout-stripe-chosen")
    page.get_by_label("Test payment").check()
    expect(part).to_be_hidden()
    write(page)
    press_pay(page)
    page.wait_for_url(re.compile("/sandbox/"))


def test_paid_in_another_tab_this_one_charges_nothing_more(dinner: Dinner, open_tab: Opener, fake: Fake) -> None:
    order = reserved(dinner)
    tab = open_tab(language="en")
    page = tab.goto(address_of(order, "en"))
    write(page)
    give_card(page, PAYS)
    other = open_tab(language="en", javascript=False).goto(address_of(order, "en"))
    write(other)
    press_pay(other)
    other.get_by_label("Card number").fill(PAYS)
    press_pay(page)  # a way of its own: the other tab's page of Stripe's is closed
    expect(page.get_by_role("heading", level=1)).to_have_text("The tickets are yours!")
    outbox.run_all(kinds=[base.CLOSE])

    other.get_by_role("button", name="Pay").click()

    charges: list[dict[str, Any]] = fake.objects("charge")
    assert [charge["status"] for charge in charges] == ["succeeded"]
