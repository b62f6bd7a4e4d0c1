"""A presale link from its mail to the last of its tickets: three visitors, each with a browser of their own."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.urls import reverse
from playwright.sync_api import Page, expect

from apps.discounts import presale_lists, presale_mails
from apps.discounts.models import MemberBody, PresaleLink
from apps.events import page_cache, tenancy
from apps.events.models import OrganisationPage
from apps.ticketing import event_face, invariants, outbox, queue
from apps.ticketing.models import Effect
from tests import factories
from tests.browser.conftest import Opener, looks_right
from tests.browser.test_cancelling import at_desk, seen
from tests.discounts import presales
from tests.tenancy.world import member, page_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh_pages() -> None:
    page_cache.begin_anew()
    event_face.forget()


@pytest.fixture
def link() -> PresaleLink:
    """Five tickets that nobody else sees, beside a public one, on a published page."""
    seller = tenancy.create_organisation("Lyktan")
    event = factories.event(organisation=seller)
    factories.ticket_type(event, factories.quota(event, 20), name_sv="Bal", name_en="Ball", price_minor=0)
    alumni = presales.hidden_type(event, name_sv="Alumni", price_minor=0, position=1)
    body = [{"type": "tickets", "value": {"heading": "", "event": None}, "id": "a1"}]
    page_of(event, OrganisationPage.objects.get(pk=seller.root_page_id), body=body)
    return presales.link(alumni, size=5, email="alumni@example.org")


def mailed_path(link: PresaleLink) -> str:
    """The way to the page as the mail has it."""
    with transaction.atomic():
        presale_mails.ask(link)
    outbox.run(Effect.objects.get(kind=presale_mails.KIND).pk)
    found = re.search(r"https?://[^/\s]+(/\S+\?link=\S+)", str(mail.outbox[-1].body))
    assert found is not None
    return found[1]


def buy(page: Page, number: int, email: str) -> None:
    row = page.locator(".type-row", has_text="Alumni")
    row.get_by_role("spinbutton").fill(str(number))
    page.locator("#buyer-email").fill(email)
    page.locator("[data-price-button]").click()
    page.wait_for_url(re.compile("/orders/"))


def test_a_link_from_the_mail_sells_its_tickets_to_one_visitor_after_the_other(
    link: PresaleLink, open_tab: Opener
) -> None:
    path = mailed_path(link)

    for email, number, left in (("one@example.org", 2, "5 av 5"), ("two@example.org", 3, "3 av 5")):
        visitor = open_tab().goto(path)
        row = visitor.locator(".type-row", has_text="Alumni")
        expect(row).to_contain_text(f"Genom din länk: {left} kvar")
        looks_right(visitor, f"presale-{number}")
        buy(visitor, number, email)
        assert "link=" not in visitor.url
        queue.drain(link.event_id)

    third = open_tab().goto(path)
    expect(third.locator(".token-problems")).to_contain_text("Länkens alla biljetter är köpta")
    looks_right(third, "presale-used-up")
    third.get_by_role("link", name="Det som alla får köpa").click()
    third.wait_for_url(lambda address: "link=" not in address)
    expect(third.locator(".type-row", has_text="Bal")).to_be_visible()

    expect(third.locator(".token-problems")).to_have_count(0)
    expect(third.locator(".type-row", has_text="Alumni")).to_have_count(0)
    link.refresh_from_db()
    assert link.used == 5
    assert invariants.check() == []


def test_the_desk_of_links_fits_a_phone_and_a_wide_screen(
    link: PresaleLink, open_tab: Opener, live_server: Any
) -> None:
    organisation = link.event.organisation
    kind = factories.ticket_type(link.event, factories.quota(link.event), visibility="members", name_sv="Medlem")
    MemberBody.objects.create(organisation=organisation, name_sv="Lyktans medlemmar", source="list", source_key="l")
    presales.buy(link.ticket_types.get(), 2, link)
    page = at_desk(open_tab, live_server, member(organisation, tenancy.Role.EDITOR)).page

    def look(address: str, name: str) -> None:
        page.goto(live_server.url + address)
        seen(page, name)

    look(reverse("event_desk:edit", args=[link.event.public_id]), "presale-section")
    expect(page.get_by_role("link", name="Ny förköpslänk")).to_be_visible()
    look(reverse("presale_desk:index"), "presale-index")
    look(reverse("presale_audience", args=[kind.public_id]), "presale-audience")
    look(f"{reverse('presale_desk:add')}?event={link.event.public_id}", "presale-new")
    look(reverse("presale_desk:inspect", args=[link.public_id]), "presale-inspect")
    expect(page.get_by_text("2 av 5 biljetter hålls eller är sålda.")).to_be_visible()
    look(f"{reverse('presale_batch_desk:add')}?event={link.event.public_id}", "presale-list")
    page.locator("textarea[name=rows]").fill("anna@example.org, Anna, 2\nknasigt, Bo, 1")
    page.get_by_label("Alumni").check()
    page.locator("#w-editor-form button[type=submit]").first.click()
    expect(page.get_by_role("button", name="Gör 1 länk")).to_be_visible()
    seen(page, "presale-list-shown")
    page.get_by_role("button", name="Gör 1 länk").click()
    expect(page.get_by_text("0 av 1 länkar är gjorda")).to_be_visible()
    outbox.run_all(kinds=[presale_lists.KIND])
    expect(page.get_by_text("1 av 1 länkar är gjorda")).to_be_visible()
    seen(page, "presale-list-made")
