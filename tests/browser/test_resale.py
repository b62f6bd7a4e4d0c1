"""Two people and a door: a member sells the ticket they cannot use, somebody who is none buys it at full price, the
member is repaid, their code is refused as resold, and the buyer's lets them in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from django.urls import reverse
from django.utils.translation import override
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.discounts.models import Discount
from apps.events import page_cache, tenancy
from apps.events.models import Organisation, OrganisationPage
from apps.resale import listings
from apps.resale.models import Listing, ResaleRule
from apps.ticketing import credentials, event_face, invariants, ledger, outbox, queue, refunds
from apps.ticketing.ledger import Account
from apps.ticketing.models import Order, Refund, SandboxRefund, Ticket
from tests import factories
from tests.browser.conftest import PHONE, Opener, looks_right_everywhere
from tests.browser.test_buyer_pages import pay_by_sandbox
from tests.browser.test_door import read_code, sign_in
from tests.discounts import builders
from tests.resale import houses
from tests.tenancy.world import member, page_of

pytestmark = pytest.mark.django_db(transaction=True)

FULL, MEMBERS, FEE = 25_000, 20_000, 1_000


@pytest.fixture(autouse=True)
def fresh_pages() -> None:
    page_cache.begin_anew()
    event_face.forget()


@dataclass
class Sold:
    """A dinner with a page and a member's price, and the ticket Alva bought at it."""

    organisation: Organisation
    alva: User
    ticket: Ticket

    @property
    def order(self) -> Order:
        return self.ticket.line.order


@pytest.fixture
def sold() -> Sold:
    organisation = tenancy.create_organisation("Lyktan")
    event = factories.event(organisation=organisation)
    kind = factories.ticket_type(event, factories.quota(event, 20), name_sv="Sittning", name_en="Dinner")
    body = builders.body(organisation)
    builders.discount(event, bodies=[body], amount_minor=FULL - MEMBERS, name_sv="Medlem", name_en="Member")
    ResaleRule.objects.create(event=event, fee_minor=FEE)
    sections = [{"type": "resale", "value": {"heading": ""}, "id": "a1"}]
    page_of(event, OrganisationPage.objects.get(pk=organisation.root_page_id), body=sections)
    alva = builders.member(body, user=factories.user(name="Alva Ek", email="alva@example.org"))
    order = factories.order(event, factories.wanted(kind), email=alva.email, user=alva, locale="en")
    queue.drain(event.pk)
    order.refresh_from_db()
    pay_by_sandbox(order)
    return Sold(organisation, alva, Ticket.objects.select_related("line__order").get())


def address(name: str, *args: object) -> str:
    with override("en"):
        return reverse(name, args=args)


def put_up(page: Page, look: bool) -> None:
    """Alva, on her ticket's page."""
    page.get_by_role("link", name="Sell the ticket").click()
    expect(page.get_by_text("Whoever has none pays SEK\u00a0250")).to_be_visible()
    expect(page.locator(".breakdown__line--total")).to_contain_text("SEK\u00a0190")
    if look:
        looks_right_everywhere(page, "resale-sell")
        page.set_viewport_size(PHONE)
    page.get_by_role("button", name="Put it up for SEK\u00a0200").click()
    expect(page.get_by_role("heading", name="Your ticket is for sale")).to_be_visible()
    if look:
        looks_right_everywhere(page, "resale-listed")


def buy(page: Page, event_id: int, look: bool) -> None:
    """Bo, on the marketplace: finds it, waits for his turn, gives a card."""
    if look:
        looks_right_everywhere(page, "resale-market")
        page.set_viewport_size(PHONE)
    page.get_by_role("link", name=re.compile("^Buy")).click()
    if look:
        looks_right_everywhere(page, "resale-buy")
        page.set_viewport_size(PHONE)
    page.get_by_label("Your e-mail").fill("bo@example.org")
    page.get_by_role("button", name="Buy for SEK\u00a0250").click()
    page.wait_for_url(re.compile("/en/orders/"))
    queue.drain(event_id)
    page.goto(page.url)
    page.get_by_label("Name").fill("Bo Berg")
    page.get_by_label("I accept the terms of purchase").check()
    if look:
        looks_right_everywhere(page, "resale-checkout")
        page.set_viewport_size(PHONE)
    page.get_by_role("button", name="Pay SEK\u00a0250").click()
    page.wait_for_url(re.compile("/sandbox/"))
    page.get_by_role("button", name="Pay SEK\u00a0250").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The ticket is yours!")


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "plain"])
def test_seller_buyer_and_door(open_tab: Opener, sold: Sold, javascript: bool) -> None:
    old, event = sold.ticket, sold.ticket.event
    old_code, old_page = credentials.sign(old), address("ticketing:ticket", old.public_id, old.secret)
    alvas = open_tab(language="en", javascript=javascript)
    sign_in(alvas, sold.alva)

    put_up(alvas.goto(old_page), javascript)
    bos = open_tab(language="en", javascript=javascript).goto(address("resale:market"))
    buy(bos, event.pk, javascript)
    outbox.run_all(kinds=[refunds.SEND])

    listing = Listing.objects.get()
    new = Ticket.objects.get(state="valid")
    bought, refund = new.line.order, Refund.objects.get()
    assert (sold.order.total_minor, bought.total_minor, bought.email) == (MEMBERS, FULL, "bo@example.org")
    assert (listing.state, refund.payment.order, refund.amount_minor) == ("sold", sold.order, MEMBERS - FEE)
    assert list(SandboxRefund.objects.values_list("amount_minor", flat=True)) == [MEMBERS - FEE]
    assert refund.amount_minor + listing.fee_minor + (FULL - MEMBERS) == FULL  # the difference is the organiser's
    assert -ledger.balance(Account.FEE) == FEE
    assert Discount.objects.get().allowance.taken == 0  # it may help another member
    assert invariants.check() == []

    page = alvas.goto(old_page)
    expect(page.get_by_text("Its code no longer works.")).to_be_visible()
    expect(page.locator(".ticket__qr")).to_have_count(0)
    if javascript:
        looks_right_everywhere(page, "resale-gone")
        looks_right_everywhere(alvas.goto(address("resale:sell", old.public_id, old.secret)), "resale-sold")

    at_the_door(open_tab, sold.organisation, event, javascript, old_code, credentials.sign(new))


def at_the_door(open_tab: Opener, organisation: Organisation, event: Any, javascript: bool, old: str, new: str) -> None:
    door = open_tab(language="en", javascript=javascript)
    sign_in(door, member(organisation, tenancy.Role.DOOR, email="vera@example.org", name="Vera Vakt"))
    page = door.goto(reverse("checkin:door", args=[event.public_id]))
    read(page, old, javascript)
    expect(page.get_by_role("heading", name="STOP")).to_be_visible()
    expect(page.get_by_text("Sold on").first).to_be_visible()
    read(page, new, javascript)
    expect(page.get_by_role("heading", name="IN")).to_be_visible()


def read(page: Page, code: str, javascript: bool) -> None:
    """As a reader does where scripts listen to the keys, else into the field."""
    if javascript:
        read_code(page, code)
    else:
        page.locator("#code").fill(code)
        page.keyboard.press("Enter")


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "plain"])
def test_stale_tab_is_told_what_the_other_one_changed(open_tab: Opener, sold: Sold, javascript: bool) -> None:
    listing = houses.listed(houses.ticket_of(sold.order))
    url = address("resale:sell", sold.ticket.public_id, sold.ticket.secret)
    stale = open_tab(language="en", javascript=javascript).goto(url)
    other = {"asked_minor": 15_000, "agreed_payout_minor": 15_000 - FEE, "is_private": True}
    listings.change(listing, version=1, **other)

    stale.get_by_label("Price", exact=True).fill("180")
    if not javascript:
        stale.get_by_role("button", name="Reckon").click()
    told = stale.locator("[data-sell-problem]")
    expect(told).to_contain_text("The price was changed from SEK\u00a0200 to SEK\u00a0150.")
    expect(told).to_contain_text("Whoever has its link may buy it now, and not anybody.")
    if javascript:
        stale.get_by_role("button", name=re.compile("^Change to")).click()
        expect(told).to_contain_text("The price was changed from SEK\u00a0200 to SEK\u00a0150.")
        looks_right_everywhere(stale, "resale-stale")
    expect(stale.get_by_label("Price", exact=True)).to_have_value("150")
    expect(stale.get_by_label("Somebody I know")).to_be_checked()

    listing.refresh_from_db()
    assert (listing.asked_minor, listing.is_private, listing.version) == (15_000, True, 2)
