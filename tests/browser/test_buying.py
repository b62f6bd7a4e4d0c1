"""Buying in a real browser: from the event page, by keyboard, without JavaScript, live, with something missing."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.conf import settings as django_settings
from django.urls import reverse
from django.utils.translation import override
from playwright.sync_api import Page, expect

from apps.events import page_cache, tenancy
from apps.events.models import OrganisationPage
from apps.ticketing import clock, event_face, ordering, queue
from apps.ticketing import live as live_news
from apps.ticketing.models import LineChoice, Order, Quota, Ticket
from tests import factories
from tests.browser.conftest import Opener, looks_right
from tests.browser.test_buyer_pages import Dinner, address_of, reserved
from tests.tenancy.world import page_of
from tests.ticketing.test_live import SECRET, live_process

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh_pages() -> None:
    page_cache.begin_anew()
    event_face.forget()


@pytest.fixture
def dinner() -> Dinner:
    return Dinner()


def form_of(event: Any, language: str = "en") -> str:
    with override(language):
        return reverse("ticketing:form", args=[event.public_id])


def newest() -> Order:
    return Order.objects.order_by("-pk")[0]


def serve(page: Page, event: Any) -> None:
    """Let a worker's turn pass while the page is open."""
    queue.drain(event.pk)
    page.wait_for_timeout(50)


# --- On the event page --------------------------------------------------------------------------------------------


@pytest.fixture
def event_page(settings: LazySettings) -> Callable[..., tuple[Any, str]]:
    """Makes a published event page with a ticket block between two paragraphs."""

    def make(**values: Any) -> tuple[Any, str]:
        seller = tenancy.create_organisation("Lyktan")
        event = factories.event(organisation=seller)
        kind = factories.ticket_type(event, factories.quota(event, 20), name_sv="Sittning", price_minor=0, **values)
        body = [
            {"type": "text", "value": "<p>Välkommen.</p>", "id": "a1"},
            {"type": "tickets", "value": {"heading": "", "event": None}, "id": "a2"},
            {"type": "text", "value": "<p>Klädsel: kavaj.</p>", "id": "a3"},
        ]
        page = page_of(event, OrganisationPage.objects.get(pk=seller.root_page_id), body=body)
        return kind, page.url

    return make


def test_the_form_comes_into_the_event_page_and_leads_to_the_order(
    event_page: Callable[..., tuple[Any, str]], open_tab: Opener
) -> None:
    kind, url = event_page()
    choice = factories.choice(factories.variation(kind), name_sv="Öl")
    page = open_tab().goto(url)

    page.locator('[data-step="1"]').first.click()
    page.get_by_label("Öl").check()
    page.locator("#buyer-email").fill("alva@student.example")
    looks_right(page, "event-page-form-360")
    page.locator("[data-price-button]").click()

    page.wait_for_url(re.compile("/sv/orders/"))
    order = newest()
    assert (order.email, order.locale, LineChoice.objects.get().choice_id) == ("alva@student.example", "sv", choice.pk)


# --- By keyboard --------------------------------------------------------------------------------------------------


def tab_to(page: Page, selector: str, presses: int = 60) -> None:
    """Press Tab until the focus is on `selector`, as somebody without a mouse does."""
    for _ in range(presses):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement?.matches(selector) ?? false", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by keyboard")


def test_the_whole_purchase_by_keyboard(open_tab: Opener) -> None:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 5), price_minor=0, name_en="Dinner")
    drink = factories.variation(kind)
    factories.choice(drink, name_en="Beer")
    juice = factories.choice(drink, name_en="Juice")
    page = open_tab(language="en").goto(form_of(event))

    tab_to(page, '[data-step="1"]')
    page.keyboard.press("Enter")
    tab_to(page, 'input[type="radio"]')
    page.keyboard.press("ArrowDown")
    tab_to(page, "#buyer-email")
    page.keyboard.type("robin@example.org")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/orders/"))
    serve(page, event)
    expect(page.get_by_role("heading", level=1)).to_have_text("1 ticket is held for you")
    tab_to(page, "#name")
    page.keyboard.type("Robin Ek")
    tab_to(page, 'input[name="terms"]')
    page.keyboard.press("Space")
    tab_to(page, "form.form button")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("The ticket is yours!")
    tab_to(page, 'a[href*="/tickets/"]:not([href$="/give/"])')
    page.keyboard.press("Enter")

    expect(page.locator(".ticket__qr svg")).to_be_visible()
    ticket = Ticket.objects.get()
    assert (ticket.holder_name, LineChoice.objects.get().choice_id) == ("Robin Ek", juice.pk)


def test_every_focus_can_be_seen_below_the_sticky_bar(dinner: Dinner, open_tab: Opener) -> None:
    page = open_tab(language="en").goto(address_of(reserved(dinner), "en"))

    for _ in range(25):
        page.keyboard.press("Tab")
        covered = page.evaluate(
            """() => {
              const element = document.activeElement;
              if (element === document.body || element.closest('.hold-bar')) return false;
              const box = element.getBoundingClientRect();
              const above = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
              return above?.closest('.hold-bar') !== null && above !== null;
            }"""
        )
        assert not covered


# --- Without JavaScript -------------------------------------------------------------------------------------------


def test_a_free_ticket_can_be_had_without_javascript(open_tab: Opener) -> None:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 5), price_minor=0, name_en="Dinner")
    drink = factories.variation(kind)
    factories.choice(drink, name_en="Beer")
    juice = factories.choice(drink, name_en="Juice")
    page = open_tab(language="en", javascript=False).goto(form_of(event))

    page.get_by_label("Number: Dinner").fill("2")
    page.get_by_label("E-mail").fill("robin@example.org")
    page.get_by_role("button", name="Get tickets").click()
    expect(page.get_by_text("Choose beverage for ticket 1.")).to_be_visible()
    assert page.locator(".person").count() == 2
    assert page.get_by_label("E-mail").input_value() == "robin@example.org"
    page.get_by_role("radio", name="Juice").nth(0).check()
    page.get_by_role("radio", name="Juice").nth(1).check()
    page.get_by_role("button", name="Get tickets").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("is your place")
    serve(page, event)
    expect(page.get_by_role("heading", level=1)).to_have_text("2 tickets are held for you")
    page.get_by_label("Name").fill("Robin Ek")
    page.get_by_label("I accept the terms of purchase").check()
    page.get_by_role("button", name="Get the tickets").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The tickets are yours!")
    page.get_by_role("link", name="Show ticket 1").click()

    expect(page.locator(".ticket__qr svg")).to_be_visible()
    assert list(LineChoice.objects.values_list("choice", flat=True)) == [juice.pk] * 2


def test_leaving_without_javascript_asks_first(dinner: Dinner, open_tab: Opener) -> None:
    order = reserved(dinner)
    page = open_tab(language="en", javascript=False).goto(address_of(order, "en"))

    page.get_by_role("link", name="Release the places").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Release the places?")
    page.get_by_role("button", name="Release them").click()

    expect(page.get_by_text("You gave up your place. Nothing was charged.")).to_be_visible()
    order.refresh_from_db()
    assert order.state == "cancelled"


# --- What is missing ----------------------------------------------------------------------------------------------


def test_what_is_missing_is_said_before_the_form_is_sent(dinner: Dinner, open_tab: Opener) -> None:
    page = open_tab(language="en").goto(form_of(dinner.event))
    button = page.locator("[data-price-button]")

    button.click()
    expect(page.get_by_text("Choose at least one ticket.")).to_be_visible()
    page.get_by_role("button", name="More: Dinner and afterparty").click()
    page.get_by_role("button", name="More: Dinner and afterparty").click()
    page.get_by_label("Alcohol-free").first.check()
    button.click()

    expect(page.get_by_text("Choose food for ticket 1.")).to_be_visible()
    expect(page.get_by_text("Choose beverage for ticket 2.")).to_be_visible()
    expect(page.get_by_text("Write your e-mail address.")).to_be_visible()
    expect(page.get_by_text("Choose at least one ticket.")).to_be_hidden()
    assert page.evaluate("document.activeElement.name").startswith(f"choice-{dinner.dinner.public_id}-1-")
    expect(button).to_be_enabled()
    expect(button).not_to_have_attribute("aria-busy", "true")
    looks_right(page, "form-missing-360")
    page.get_by_label("Vegetarian").first.check()
    expect(page.get_by_text("Choose food for ticket 1.")).to_be_hidden()
    assert Order.objects.count() == 0


def test_what_the_server_refuses_is_said_with_everything_kept(dinner: Dinner, open_tab: Opener) -> None:
    tab = open_tab(language="en", javascript=False)
    page = tab.goto(form_of(dinner.event))
    page.get_by_label("Number: Dinner and afterparty").fill("2")
    page.get_by_label("E-mail").fill("robin@example")
    page.get_by_role("button", name="Buy tickets").click()

    expect(page.get_by_text("Choose beverage for ticket 2.")).to_be_visible()
    assert page.get_by_label("E-mail").input_value() == "robin@example"
    assert page.get_by_label("Number: Dinner and afterparty").input_value() == "2"
    looks_right_without_scripts(page)


def looks_right_without_scripts(page: Page) -> None:
    assert page.locator(".choices--error").count() == 4
    assert page.locator("input[autofocus]").count() == 1


def test_buttons_stop_at_what_one_person_may_have_of_all_kinds(open_tab: Opener) -> None:
    event = factories.event(max_per_person=3)
    for name in ("Dinner", "Party"):
        factories.ticket_type(event, factories.quota(event, 10), name_en=name, max_per_order=2)
    page = open_tab().goto(form_of(event))
    first, second = page.locator('input[name^="type-"]').all()
    more = page.locator('[data-step="1"]')

    for _press in range(2):
        more.nth(0).click()
    more.nth(1).click()
    expect(more.nth(1)).to_have_attribute("aria-disabled", "true")
    more.nth(1).click(force=True)
    assert (first.input_value(), second.input_value()) == ("2", "1")
    expect(page.get_by_text("At most 3 per person", exact=True)).to_be_visible()

    page.locator('[data-step="-1"]').nth(0).click()
    more.nth(1).click()
    assert (first.input_value(), second.input_value()) == ("1", "2")
    expect(more.nth(0)).to_have_attribute("aria-disabled", "true")


def test_two_presses_make_one_order(dinner: Dinner, open_tab: Opener) -> None:
    page = open_tab(language="en").goto(form_of(dinner.event))
    page.get_by_role("button", name="More: Afterparty only").click()
    page.get_by_label("E-mail").fill("robin@example.org")

    page.locator("[data-price-button]").dblclick()
    page.wait_for_url(re.compile("/orders/"))

    assert Order.objects.count() == 1


def test_the_sum_follows_what_is_chosen(dinner: Dinner, open_tab: Opener) -> None:
    page = open_tab(language="en").goto(form_of(dinner.event))
    more = page.get_by_role("button", name="More: Dinner and afterparty")

    more.click()
    more.click()
    page.get_by_label("Alcohol-free").nth(1).check()
    expect(page.locator("[data-price-total]")).to_have_text("SEK\u00a0730")
    page.get_by_role("button", name="Fewer: Dinner and afterparty").click()

    expect(page.locator("[data-price-total]")).to_have_text("SEK\u00a0395")
    expect(page.locator("[data-price-button]")).to_have_text("Buy 1 ticket")
    more.click()
    expect(page.locator("[data-price-total]")).to_have_text("SEK\u00a0730")  # the second ticket kept its choice


# --- Live ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def live(settings: LazySettings, open_tab: Opener) -> Iterator[int]:
    """A live process beside the site, allowed by the policy of its pages."""
    with live_process(settings.REDIS_URL, site_url=django_settings.SITE_URL) as port:
        settings.LIVE_URL = f"http://localhost:{port}"
        settings.LIVE_SECRET = SECRET
        policy = copy.deepcopy(settings.CONTENT_SECURITY_POLICY)
        policy["DIRECTIVES"]["connect-src"] = ["'self'", settings.LIVE_URL]
        settings.CONTENT_SECURITY_POLICY = policy
        yield port


def test_place_and_result_arrive_by_the_stream(dinner: Dinner, open_tab: Opener, live: int) -> None:
    for number in range(3):
        dinner.order(1, email=f"somebody{number}@student.example")
    order = dinner.order(1)
    tab = open_tab(language="en")
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url) if "/status/" in request.url else None)
    page = tab.goto(address_of(order, "en"))
    expect(page.locator("[data-place]")).to_have_text("4")
    expect(page.locator("[data-last]")).to_contain_text("Updates by itself.")
    page.wait_for_timeout(500)

    ordering.cancel(dinner.order(1, email="late@student.example"))  # somebody behind us changes nothing
    serve(page, dinner.event)

    expect(page.get_by_role("heading", level=1)).to_have_text("1 ticket is yours if you pay now", timeout=5_000)
    assert asked == []


def test_place_stock_and_verdict_follow_the_stream(dinner: Dinner, open_tab: Opener, live: int) -> None:
    for number in range(3):
        dinner.order(1, email=f"somebody{number}@student.example")
    page = open_tab(language="en").goto(address_of(dinner.order(1), "en"))
    expect(page.get_by_text("The tickets will probably last until you")).to_be_visible()
    page.wait_for_timeout(500)

    Quota.objects.filter(ticket_types=dinner.dinner).update(taken=399)
    live_news.announce(dinner.event.pk, [], {"decided": 2, "rate": 0.5, "held": 0})

    expect(page.locator("[data-place]")).to_have_text("2")
    expect(page.locator("dd[data-left]")).to_have_text("1")
    expect(page.locator("[data-wait]")).to_have_text("under 1 min")
    expect(page.get_by_role("heading", name="You will probably not get one")).to_be_visible()
    expect(page.get_by_text("The tickets will probably last until you")).to_be_hidden()
    looks_right(page, "order-queued-short-360")


def test_a_result_told_before_the_stream_opened_arrives(dinner: Dinner, open_tab: Opener, live: int) -> None:
    order = dinner.order(1)
    tab = open_tab(language="en")
    address = address_of(order, "en")
    # The page is made while the order is queued; it is decided before the browser opens the stream.
    tab.page.route("**/queue.js", lambda route: (queue.drain(dinner.event.pk), route.continue_())[1])

    page = tab.goto(address)

    expect(page.get_by_role("heading", level=1)).to_have_text("1 ticket is yours if you pay now", timeout=5_000)


def test_without_a_stream_the_page_asks(dinner: Dinner, open_tab: Opener) -> None:
    order = dinner.order(1)
    page = open_tab(language="en").goto(address_of(order, "en"))

    serve(page, dinner.event)

    expect(page.get_by_role("heading", level=1)).to_have_text("1 ticket is yours if you pay now")


# --- Paying -------------------------------------------------------------------------------------------------------


def test_a_declined_card_keeps_everything_and_the_next_one_pays(dinner: Dinner, open_tab: Opener) -> None:
    order = reserved(dinner, 1, locale="en")
    page = open_tab(language="en").goto(address_of(order, "en"))
    page.get_by_label("Name").fill("Alva Exempelsson")
    page.get_by_label("I accept the terms of purchase").check()
    page.get_by_role("button", name="Pay SEK\u00a0335").click()
    page.wait_for_url(re.compile("/sandbox/"))
    looks_right(page, "sandbox-360")
    page.get_by_text("4000 0000 0000 0002").click()
    page.get_by_role("button", name="Pay SEK\u00a0335").click()

    page.wait_for_url(re.compile("/en/orders/"))
    expect(page.get_by_text("The card was declined and nothing was charged.")).to_be_visible()
    looks_right(page, "order-declined-360")
    assert page.get_by_label("Name").input_value() == "Alva Exempelsson"
    expect(page.get_by_label("I accept the terms of purchase")).to_be_checked()
    page.get_by_role("button", name="Pay SEK\u00a0335").click()
    page.wait_for_url(re.compile("/sandbox/"))
    page.get_by_role("button", name="Pay SEK\u00a0335").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("The ticket is yours!")
    order.refresh_from_db()
    assert order.state == "paid"


def test_from_the_form_to_paid_in_three_screens_at_most(dinner: Dinner, open_tab: Opener) -> None:
    """The form, the checkout, and the bank's own page; the order page between them waits and asks for nothing."""
    page = open_tab(language="en").goto(dinner.form_address("en"))
    screens: list[str] = []

    def press(button: str) -> None:
        screens.append(page.locator("h1:visible").inner_text())
        page.get_by_role("button", name=button).click()

    page.get_by_role("button", name="More: Afterparty only").click()
    page.locator("#buyer-email").fill("alva@student.example")
    press("Buy 1 ticket")
    page.wait_for_url(re.compile("/en/orders/"))
    queue.drain(dinner.event.pk)
    page.reload()
    page.get_by_label("Name").fill("Alva Exempelsson")
    page.get_by_label("I accept the terms of purchase").check()
    press("Pay SEK\u00a0120")
    page.wait_for_url(re.compile("/sandbox/"))
    press("Pay SEK\u00a0120")

    expect(page.get_by_role("heading", level=1)).to_have_text("The ticket is yours!")
    assert len(screens) == 3, screens
    assert newest().state == "paid"


def test_the_dialog_asks_before_the_places_are_released(dinner: Dinner, open_tab: Opener) -> None:
    order = reserved(dinner)
    page = open_tab(language="en").goto(address_of(order, "en"))

    page.get_by_role("link", name="Release the places").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("Release the places?")
    looks_right(page, "order-leave-360")
    dialog.get_by_role("button", name="Stay").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("link", name="Release the places").click()
    dialog.get_by_role("button", name="Release them").click()

    expect(page.get_by_text("You gave up your place.")).to_be_visible()


def test_five_more_minutes(dinner: Dinner, open_tab: Opener) -> None:
    page = open_tab(language="en").goto(address_of(reserved(dinner), "en"))
    expect(page.locator(".hold-bar__time")).to_have_text(re.compile(r"1[45]:\d\d"))

    page.get_by_label("Name").fill("Robin Ek")
    looks_right(page, "order-reserved-360")
    page.get_by_role("button", name="5 more min, once").click()

    expect(page.locator(".hold-bar__time")).to_have_text(re.compile(r"(19|20):\d\d"))
    expect(page.get_by_role("button", name="5 more min")).to_have_count(0)
    expect(page.get_by_label("Name")).to_have_value("Robin Ek")


def test_a_hold_that_ends_with_the_page_open_says_so_and_offers_a_way_on(dinner: Dinner, open_tab: Opener) -> None:
    order = reserved(dinner)
    Order.objects.filter(pk=order.pk).update(reserved_until=clock.now() + timedelta(seconds=5), was_extended=True)
    page = open_tab(language="en").goto(address_of(order, "en"))
    expect(page.get_by_role("button", name=re.compile("^Pay "))).to_be_visible()
    expect(page.get_by_role("button", name="5 more min")).to_have_count(0)

    bar = page.locator(".hold-bar")
    expect(bar).to_contain_text("Time ran out and the place moved on. Nothing was charged.")

    expect(page.get_by_role("button", name=re.compile("^Pay "))).to_be_hidden()
    expect(page.locator(".hold-bar [data-say]")).to_have_text(re.compile("Time ran out"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Time ran out")
    expect(page.get_by_role("link", name="Release the places")).to_be_hidden()
    looks_right(page, "order-due-360")
    bar.get_by_role("link", name="Join the queue again").click()
    expect(page).to_have_url(re.compile("/tickets"))


def test_enter_in_a_field_pays_and_asks_for_no_more_time(dinner: Dinner, open_tab: Opener) -> None:
    order = reserved(dinner)
    page = open_tab(language="en").goto(address_of(order, "en"))
    page.get_by_label("I accept").check()

    page.get_by_label("Name").fill("Robin Ek")
    page.get_by_label("Name").press("Enter")

    page.wait_for_url(re.compile("/sandbox/"))
    order.refresh_from_db()
    assert (order.was_extended, order.payments.count()) == (False, 1)


def opening_in(seconds: float, order: Order) -> Order:
    opens = clock.now() + timedelta(seconds=seconds)
    Order.objects.filter(pk=order.pk).update(pays_from=opens, reserved_until=opens + timedelta(minutes=15))
    return order


def test_payment_opens_by_itself_with_what_was_written(dinner: Dinner, open_tab: Opener) -> None:
    page = open_tab(language="en").goto(address_of(opening_in(6, reserved(dinner)), "en"))
    bar, pay = page.locator(".opens .hold-bar"), page.get_by_role("button", name=re.compile("^Pay "))
    expect(bar).to_contain_text(re.compile(r"00:0\d\s+Payment opens for you at \d\d:\d\d:\d\d"))
    expect(pay).to_be_hidden()
    looks_right(page, "order-opens-360")
    page.get_by_label("Name").fill("Robin Ek")
    page.get_by_label("I accept").check()

    expect(pay).to_be_visible()

    expect(bar).to_be_hidden()
    expect(page.locator(".hold-bar__time:visible")).to_have_text(re.compile(r"1[45]:\d\d"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("yours if you pay now")
    expect(page.locator(".opens [data-say]")).to_have_text("Payment is open.")
    looks_right(page, "order-opened-360")
    pay.click()
    page.wait_for_url(re.compile("/sandbox/"))


def test_payment_opens_without_javascript(dinner: Dinner, open_tab: Opener) -> None:
    page = open_tab(language="en", javascript=False).goto(address_of(opening_in(4, reserved(dinner)), "en"))
    expect(page.locator(".opens")).to_contain_text("in ")
    page.get_by_label("Name").fill("Robin Ek")
    page.get_by_role("button", name="Keep what I wrote").click()
    expect(page.get_by_label("Name")).to_have_value("Robin Ek")

    expect(page.get_by_role("button", name=re.compile("^Pay "))).to_be_visible()

    expect(page.get_by_label("Name")).to_have_value("Robin Ek")
