"""What a ticket costs and why, in a real browser: while one chooses, with a code, without JavaScript, at the desk."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse
from django.utils.translation import override
from playwright.sync_api import Page, expect

from apps.ticketing import clock
from apps.ticketing.models import Order
from tests import factories
from tests.browser.conftest import DESKTOP, Opener, looks_right, shot
from tests.discounts import builders
from tests.tenancy.world import make_world, sell

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def evening() -> Any:
    """A dinner with a member price, an early bird, a group and a code."""
    event = factories.event()
    kind = factories.ticket_type(
        event, factories.quota(event, 50), name_sv="Gasque", name_en="Gasque", price_minor=24_000, max_per_order=8
    )
    lintek = builders.body(event.organisation)
    sponsor = builders.sponsor(event.organisation)
    builders.discount(event, name_sv="Kårpris", kind="price", amount_minor=18_000, bodies=[lintek], sponsor=sponsor)
    until = clock.now() + timedelta(days=3)
    builders.discount(event, name_sv="Tidig fågel", amount_minor=4_000, closes_at=until, size=20)
    builders.discount(event, name_sv="Gäng", kind="percent", percent=25, min_quantity=5)
    builders.discount(event, name_sv="Vänpris", kind="percent", percent=50, codes={"LUCIA26": 1}, max_per_person=2)
    return kind


def address(kind: Any) -> str:
    with override("sv"):
        return reverse("ticketing:form", args=[kind.event.public_id])


def summed(page: Page) -> Any:
    return page.locator("[data-price-total]")


def test_sum_follows_what_is_chosen_and_the_code(evening: Any, open_tab: Opener) -> None:
    page = open_tab().goto(address(evening))
    expect(page.get_by_text("Medlemmar i LinTek: 180 kr. Logga in för att få det.")).to_be_visible()

    page.locator('[data-step="1"]').first.click()
    expect(summed(page)).to_have_text("200\u00a0kr")
    for _ in range(4):
        page.locator('[data-step="1"]').first.click()
    expect(summed(page)).to_have_text("900\u00a0kr")  # five at 180: the group is better than the early bird
    looks_right(page, "discounts-group-360")

    page.get_by_label("Kod").fill("lucia")
    page.get_by_role("button", name="Använd kod").click()
    expect(page.get_by_text("Det finns ingen sådan kod till evenemanget.")).to_be_visible()
    expect(page.locator('input[name^="type-"]')).to_have_value("5")
    looks_right(page, "discounts-wrong-code-360")
    page.get_by_label("Kod").fill("lucia26")
    page.get_by_role("button", name="Använd kod").click()
    expect(summed(page)).to_have_text("840\u00a0kr")  # one of them at half price
    looks_right(page, "discounts-code-360")
    page.set_viewport_size(DESKTOP)
    looks_right(page, "discounts-code-1280")

    page.locator("#buyer-email").fill("alva@student.example")
    page.locator("[data-price-button]").click()
    page.wait_for_url("**/orders/**")
    order = Order.objects.get()
    assert order.tokens == ["code:LUCIA26"]
    assert sorted(line.seen_minor or 0 for line in order.lines.all()) == [12_000, *[18_000] * 4]


def test_price_is_told_without_javascript(evening: Any, open_tab: Opener) -> None:
    page = open_tab(javascript=False).goto(address(evening))

    page.locator('input[name^="type-"]').fill("2")
    page.get_by_label("Kod").fill("LUCIA26")
    page.get_by_role("button", name="Visa mitt pris först").click()
    expect(summed(page)).to_have_text("320\u00a0kr")
    expect(page.locator('input[name^="type-"]')).to_have_value("2")
    shot(page, "discounts-without-javascript-360")

    page.locator("#buyer-email").fill("alva@student.example")
    page.locator("#buyer-email").press("Enter")
    page.wait_for_url("**/orders/**")
    assert Order.objects.get().tokens == ["code:LUCIA26"]


def test_desk_tells_rules_codes_and_who_pays(open_tab: Opener) -> None:
    world = make_world("Lyktan")
    lintek = builders.body(world.organisation)
    sponsor = builders.sponsor(world.organisation)
    row = builders.discount(
        world.event, name_sv="Kårpris", name_en="Member price", bodies=[lintek], sponsor=sponsor, size=40
    )
    code = builders.discount(world.event, kind="percent", percent=50, codes={"LUCIA26": 10, "STAFFAN": None})
    person = builders.member(lintek)
    sell(world, user=person, email=person.email)
    tab = open_tab(size=DESKTOP, language="en")
    editor = Client()
    editor.force_login(world.editor)
    cookie = editor.cookies[django_settings.SESSION_COOKIE_NAME].value
    tab.page.context.add_cookies([{"name": django_settings.SESSION_COOKIE_NAME, "value": cookie, "url": tab.base_url}])

    page = tab.goto(reverse("event_desk:edit", args=[world.event.public_id]))
    expect(page.get_by_text("Paid by Strömbolaget.").first).to_be_visible()
    shot(page, "desk-event-discounts-1280")
    page = tab.goto(reverse("discount_desk:edit", args=[row.public_id]))
    expect(page.get_by_label("Name in English")).to_have_value("Member price")
    shot(page, "desk-discount-1280")
    page = tab.goto(reverse("discount_desk:codes", args=[code.public_id]))
    page.get_by_label("or so many, drawn by chance").fill("3")
    page.get_by_role("button", name="Make codes").click()
    expect(page.get_by_text("3 codes are made.")).to_be_visible()
    shot(page, "desk-codes-1280")
    page = tab.goto(reverse("discount_desk:person_price", args=[world.event.public_id]))
    page.get_by_label("E-mail of an account").fill(person.email)
    page.get_by_role("button", name="Show the price").click()
    expect(page.get_by_text("Member price: SEK\u00a050 less as a member of LinTek.")).to_be_visible()
    shot(page, "desk-person-price-1280")
    page = tab.goto(reverse("sponsor_desk:report"))
    expect(page.get_by_text("Strömbolaget stands for, on 1 ticket")).to_be_visible()
    shot(page, "desk-sponsors-1280")
