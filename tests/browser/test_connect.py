"""A treasurer connects the association's account in a browser: off to Stripe's page and back, by phone and desk."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from django.urls import reverse
from playwright.sync_api import expect

from apps.ticketing.models import StripeAccount
from tests import factories
from tests.browser.conftest import DESKTOP, PHONE, Opener, overflow, shot
from tests.browser.test_door import sign_in
from tests.fake_stripe import Fake
from tests.tenancy.world import World, make_world
from tests.ticketing.connected import set_up, written

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def fake(stripe_service: Fake, settings: LazySettings) -> Iterator[Fake]:
    set_up(settings, stripe_service)
    settings.STRIPE_PLATFORM_FEE_PERCENT = settings.STRIPE_PLATFORM_FEE_PERCENT + 2
    yield stripe_service


@pytest.fixture
def ours(db: None) -> World:
    return make_world("Lyktan")


@pytest.mark.parametrize(("size", "language"), [(PHONE, "sv"), (DESKTOP, "en")], ids=["360", "1280"])
def test_connecting_by_stripes_own_page(
    open_tab: Opener, fake: Fake, ours: World, size: dict[str, int], language: str
) -> None:
    words = {
        "sv": ("Anslut till Stripe", "Fortsätt hos Stripe", "Begränsat av Stripe", "Svara hos Stripe", "Anslutet"),
        "en": ("Connect with Stripe", "Go on at Stripe", "Restricted by Stripe", "Answer at Stripe", "Connected"),
    }[language]
    connect, go_on, restricted, reply, done = words
    tab = open_tab(size=size, language=language)
    sign_in(tab, ours.treasurer)
    page = tab.goto(reverse("stripe_desk:index"))
    shot(page, f"stripe-none-{size['width']}")

    page.get_by_role("button", name=connect).click()
    page.get_by_role("button", name="Save for later").click()
    page.get_by_role("button", name=go_on).click()
    page.get_by_role("button", name="Submit without a bank account").click()
    expect(page.locator("#main section").first).to_contain_text(restricted)
    shot(page, f"stripe-restricted-{size['width']}")
    assert overflow(page) <= 0
    page.get_by_role("button", name=reply).click()
    page.get_by_role("button", name="Agree and submit").click()
    expect(page.locator("#main section").first).to_contain_text(done)
    shot(page, f"stripe-connected-{size['width']}")

    assert overflow(page) <= 0
    account = StripeAccount.objects.get()
    assert (account.can_charge, account.pays_out, account.due) == (True, True, [])


def test_dashboard_shows_what_is_wrong(open_tab: Opener, fake: Fake, ours: World) -> None:
    written(ours.organisation, is_submitted=True, due=["external_account"])
    both = factories.organisation(name="Andra föreningen")
    written(both, is_gone=True)
    tab = open_tab(size=PHONE)
    sign_in(tab, ours.treasurer)

    page = tab.goto(reverse("wagtailadmin_home"))

    expect(page.get_by_text("Lyktan: Begränsat av Stripe")).to_be_visible()
    expect(page.get_by_text("Andra föreningen")).to_have_count(0)
    shot(page, "stripe-dashboard-360")
    assert overflow(page) <= 0
