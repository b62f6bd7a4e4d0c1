"""A student of LiU, somebody with a Google account and a guest buy the same dinner, each at a price of their own, and
are told why: in the form, at the checkout, on the paid order and in the mail. The providers are processes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from django.core import mail
from django.urls import reverse
from django.utils.translation import override
from playwright.sync_api import Page, expect

from apps.events import tenancy
from apps.ticketing import outbox, queue
from apps.ticketing.models import Order
from tests import factories
from tests.accounts.conftest import identity, identity_process  # noqa: F401
from tests.browser.conftest import DESKTOP, PHONE, Opener, looks_right_everywhere, overflow, shot
from tests.browser.test_mails_look import as_opened
from tests.discounts import builders
from tests.identity.client import Identity

pytestmark = pytest.mark.django_db(transaction=True)

VIEWS = ((PHONE, False), (DESKTOP, False))
LIST_MINOR, SNAPS_MINOR = 25_000, 3_000


@dataclass(frozen=True)
class Buyer:
    """Who signs in where, and what they must be told and pay."""

    slug: str
    email: str
    total_minor: int
    told: tuple[str, ...]  # in the form
    not_given: tuple[str, ...]  # of that, what stands below the price for good
    change: str = ""  # named on the order and in the mail
    change_minor: int = 0
    login: str = ""
    person: str = ""


BUYERS = (
    Buyer(
        "liu-student",
        "kimli123@student.liu.se",
        23_000,
        (
            "Kårpris: 50\xa0kr lägre som medlem i LinTek.",
            "Medlemmar i Alumnerna: 25\xa0kr lägre. Du är inte känd som medlem.",
        ),
        ("Medlemmar i Alumnerna: 25\xa0kr lägre. Du är inte känd som medlem.",),
        "Kårpris",
        -5_000,
        "LiU",
        "Kim Lintekson",
    ),
    Buyer(
        "google-user",
        "ada@example.org",
        25_500,
        ("Medlemmar i LinTek: 200\xa0kr.", "LiU", "Alumnpris: 25\xa0kr lägre som medlem i Alumnerna."),
        ("Medlemmar i LinTek: 200\xa0kr. Om du är det vet vi inte än",),
        "Alumnpris",
        -2_500,
        "Google",
        "Ada Exempelsson",
    ),
    Buyer(
        "guest",
        "gry@example.com",
        28_000,
        (
            "Medlemmar i LinTek: 200\xa0kr. Logga in med LiU för att få det.",
            "Medlemmar i Alumnerna: 25\xa0kr lägre. Logga in för att få det.",
        ),
        (
            "Medlemmar i LinTek: 200\xa0kr. Logga in med LiU för att få det.",
            "Medlemmar i Alumnerna: 25\xa0kr lägre. Logga in för att få det.",
        ),
    ),
)


@pytest.fixture
def dinner() -> Any:
    """A dinner for 250 kr with a snaps for 30 kr: 200 kr for LinTek's members, a tenth less for alumni."""
    lyktan = tenancy.create_organisation("Festföreningen Lyktan")
    event = factories.event(organisation=lyktan, title_sv="Luciasittning", title_en="Lucia dinner")
    kind = factories.ticket_type(
        event, factories.quota(event, 50), name_sv="Sittning", name_en="Dinner", price_minor=LIST_MINOR, max_per_order=4
    )
    drink = factories.variation(kind, name_sv="Dryck", name_en="Beverage")
    factories.choice(drink, name_sv="Snaps", name_en="Snaps", delta_minor=SNAPS_MINOR)
    lintek = builders.body(lyktan, "LinTek", source="oidc_claim", source_key="liu: studentUnion = LinTek")
    alumni = builders.body(lyktan, "Alumnerna", source="email_domain", source_key="example.org")
    builders.discount(
        event, name_sv="Kårpris", name_en="Member price", kind="price", amount_minor=20_000, bodies=[lintek]
    )
    builders.discount(event, name_sv="Alumnpris", name_en="Alumni price", kind="percent", percent=10, bodies=[alumni])
    return kind


@pytest.mark.parametrize("buyer", BUYERS, ids=lambda buyer: buyer.slug)
def test_each_buys_at_their_own_price_and_is_told_why(
    buyer: Buyer,
    open_tab: Opener,
    identity: Identity,  # noqa: F811
    dinner: Any,
) -> None:
    with override("sv"):
        form = reverse("ticketing:form", args=[dinner.event.public_id])
    page = open_tab().goto(form)
    page.locator('[data-step="1"]').first.click()
    page.get_by_label("Snaps").check()
    if buyer.login:
        sign_in(page, buyer)
    else:
        page.locator("#buyer-email").fill(buyer.email)
    expect(page.locator("[data-price-total]")).to_have_text(kronor(buyer.total_minor))
    explained = page.locator(".type-row__whys").first
    for sentence in buyer.told:
        expect(explained).to_contain_text(sentence)
    looks_right_everywhere(page, f"three-buyers-{buyer.slug}-form", VIEWS)

    page.locator("[data-price-button]").click()
    page.wait_for_url("**/orders/**")
    queue.drain(dinner.event_id)
    page.goto(page.url)
    expect(page.get_by_role("heading", level=1)).to_contain_text("1 biljett")
    is_told(page, buyer)
    looks_right_everywhere(page, f"three-buyers-{buyer.slug}-checkout", VIEWS)
    pay(page, buyer)
    expect(page.get_by_role("heading", level=1)).to_have_text("Biljetten är din!")
    is_told(page, buyer)
    looks_right_everywhere(page, f"three-buyers-{buyer.slug}-paid", VIEWS)

    order = Order.objects.get()
    assert (order.state, order.email, order.total_minor) == ("paid", buyer.email, buyer.total_minor)
    outbox.run_all(early=True)
    (message,) = [one for one in mail.outbox if one.to == [buyer.email]]
    snaps = f"Snaps +{kronor(SNAPS_MINOR)}"
    parts = f"{snaps}, {buyer.change} {kronor(buyer.change_minor)}" if buyer.change else snaps
    assert f"- Sittning ({parts}): {kronor(buyer.total_minor)}" in message.body
    assert all(f"- {sentence}" in message.body for sentence in buyer.not_given)
    for size in (PHONE, DESKTOP):
        letter = open_tab(size=size).page
        letter.set_content(as_opened(message))
        expect(letter.get_by_text("Det som inte gällde")).to_be_visible()
        shot(letter, f"three-buyers-{buyer.slug}-mail-{size['width']}")
        assert overflow(letter) <= 0


def sign_in(page: Page, buyer: Buyer) -> None:
    """At the provider's own page, and back with what was chosen."""
    page.get_by_role("button", name="Logga in och behåll dina val").click()
    page.get_by_role("button", name=f"Logga in med {buyer.login}").click()
    page.get_by_role("button", name=buyer.person).click()
    expect(page).to_have_url(re.compile(r"/tickets/\?kept=1"))
    expect(page.locator('input[name^="type-"]').first).to_have_value("1")
    expect(page.get_by_label("Snaps")).to_be_checked()
    expect(page.locator("#buyer-email")).to_have_value(buyer.email)


def is_told(page: Page, buyer: Buyer) -> None:
    """Base, choice, change and total stand on the order's page, and what did not change the price."""
    slip = page.locator(".breakdown").first
    expect(slip).to_contain_text("Sittning")
    expect(slip).to_contain_text(f"Snaps +{kronor(SNAPS_MINOR)}")
    expect(slip).to_contain_text(kronor(LIST_MINOR + SNAPS_MINOR))
    if buyer.change:
        expect(slip.locator(".breakdown__line--less")).to_have_text(
            re.compile(f"{buyer.change}.*{kronor(buyer.change_minor)}", re.DOTALL)
        )
    else:
        expect(slip.locator(".breakdown__line--less")).to_have_count(0)
    expect(slip.locator(".breakdown__line--total")).to_contain_text(kronor(buyer.total_minor))
    expect(page.get_by_role("heading", name="Det som inte gällde")).to_be_visible()
    expect(page.locator(".summary__whys > li")).to_have_text([re.compile(re.escape(text)) for text in buyer.not_given])


def pay(page: Page, buyer: Buyer) -> None:
    page.get_by_label("Namn").fill(buyer.person or "Gry Gäst")
    page.get_by_label("Jag godkänner köpvillkoren").check()
    page.get_by_role("button", name=f"Betala {kronor(buyer.total_minor)}").click()
    page.wait_for_url(re.compile("/sandbox/"))
    page.get_by_role("button", name=f"Betala {kronor(buyer.total_minor)}").click()


def kronor(minor: int) -> str:
    """An amount of whole kronor as the page writes it."""
    return f"{minor // 100}\xa0kr".replace("-", "\N{MINUS SIGN}")
