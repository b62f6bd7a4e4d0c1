"""What an event that challenges guests looks like and does: the form, the code, and the answer to a second wish."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.urls import reverse
from django.utils.translation import override
from playwright.sync_api import expect

from apps.ticketing import challenges, codes, outbox
from apps.ticketing.models import Order
from tests import factories
from tests.browser.conftest import DESKTOP, PHONE, Opener, looks_right

pytestmark = pytest.mark.django_db(transaction=True)

SIZES = [pytest.param(PHONE, "sv", False, id="360"), pytest.param(DESKTOP, "en", True, id="1280-dark")]


@pytest.fixture
def event() -> Any:
    event = factories.event(challenges_guests=True, max_per_person=2)
    factories.ticket_type(event, factories.quota(event, 10), name_sv="Sittning", name_en="Dinner", max_per_order=2)
    return event


def address(event: Any, language: str) -> str:
    with override(language):
        return reverse("ticketing:form", args=[event.public_id])


def fill_in(page: Any, email: str = "alva@example.org") -> None:
    page.locator('input[name^="type-"]').fill("1")
    page.locator("#buyer-email").fill(email)


@pytest.mark.parametrize(("size", "language", "dark"), SIZES)
def test_browser_calculates_by_itself_and_a_second_wish_leads_back(
    open_tab: Opener, event: Any, size: Any, language: str, dark: bool
) -> None:
    tab = open_tab(size=size, language=language, dark=dark)
    page = tab.goto(address(event, language))
    expect(page.locator("[data-challenge-status]")).to_contain_text("Klart" if language == "sv" else "Ready")
    expect(page.locator("[data-challenge-ways]")).to_be_hidden()
    looks_right(page, f"fair-challenge-{language}")

    fill_in(page)
    page.locator("[data-price-button]").click()
    page.wait_for_url("**/orders/**")
    order = Order.objects.get()
    tab = open_tab(size=size, language=language, dark=dark)  # elsewhere: nobody known

    page = tab.goto(address(event, language))
    fill_in(page)
    page.locator("[data-price-button]").click()
    expect(page.locator("h1")).to_have_text("Titta i din mejl" if language == "sv" else "Look in your e-mail")
    looks_right(page, f"fair-mailed-{language}")

    outbox.run_all(early=True)
    link = re.search(r"https?://\S+/claim/", str(mail.outbox[-1].body))[0]  # type: ignore[index]
    page = tab.goto(link)
    looks_right(page, f"fair-claim-{language}")
    page.locator("form[method=post] button").last.click()
    page.wait_for_url("**/orders/**")
    order.refresh_from_db()
    assert order.secret in page.url

    with override(language):
        page = tab.goto(reverse("ticketing:order", args=[order.reference, order.secret]) + "?again=1")
    expect(
        page.get_by_text("Leave it to choose anew" if language == "en" else "Lämna den om du vill välja på nytt")
    ).to_be_visible()
    looks_right(page, f"fair-again-{language}")


def test_whoever_presses_too_soon_waits_and_is_sent(open_tab: Opener, event: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(challenges, "HARDNESS", 120_000)
    page = open_tab(language="en").goto(address(event, "en"))
    fill_in(page)

    page.evaluate("document.querySelector('[data-price-button]').click()")
    page.wait_for_url("**/orders/**")

    assert Order.objects.get().email == "alva@example.org"


def test_slow_phone_is_shown_other_ways(open_tab: Opener, event: Any, monkeypatch: Any) -> None:
    """As slow as a phone of a fraction of this machine's speed: the work is many times what it is elsewhere."""
    monkeypatch.setattr(challenges, "HARDNESS", 800_000)

    page = open_tab(language="en").goto(address(event, "en"))

    expect(page.locator("[data-challenge-ways]")).to_be_visible()
    assert re.match(r"This device needs some \d+ seconds", page.locator("[data-challenge-status]").inner_text())
    looks_right(page, "fair-slow")


@pytest.mark.parametrize(("size", "language", "dark"), SIZES)
def test_without_javascript_a_code_is_asked_for(
    open_tab: Opener, event: Any, size: Any, language: str, dark: bool
) -> None:
    page = open_tab(size=size, language=language, dark=dark, javascript=False).goto(address(event, language))
    expect(page.locator("[data-challenge-ways]")).to_be_visible()
    fill_in(page)

    page.locator('button[name="proof"]').click()
    expect(page.locator("#code")).to_be_visible()
    outbox.run_all(kinds=[codes.KIND])
    page.locator("#code").fill("12")
    page.locator("form.form button").first.click()
    expect(page.locator("#code-error")).to_be_visible()
    page.locator("#code").fill(mail.outbox[-1].subject[:6])
    page.locator("form.form button").first.click()

    page.wait_for_url("**/orders/**")
    assert Order.objects.count() == 1


@pytest.mark.parametrize(("size", "language", "dark"), SIZES)
def test_page_that_asks_for_the_code(open_tab: Opener, event: Any, size: Any, language: str, dark: bool) -> None:
    page = open_tab(size=size, language=language, dark=dark).goto(address(event, language))
    fill_in(page)
    expect(page.locator('input[name="answer"]')).to_have_value(challenges.ANSWER)  # nothing will hide it again
    page.evaluate("document.querySelector('[data-challenge-ways]').hidden = false")
    page.locator('button[name="proof"]').click()
    expect(page.locator("#code")).to_be_focused()
    looks_right(page, f"fair-code-{language}")
