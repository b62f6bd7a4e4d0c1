"""One of every page of the desk where prices, members, links and questions are said, by phone and wide screen: each
fits its window, and axe has nothing to say of what is ours in it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.discounts import member_lists, presale_lists
from apps.discounts.models import Audience
from apps.events.tenancy import Role
from apps.ticketing import clock
from apps.ticketing.models import Question
from tests import factories
from tests.browser.conftest import DESKTOP, PHONE, Opener, Tab, overflow, shot, violations
from tests.browser.test_every_money_desk import signed_in
from tests.discounts import builders, presales
from tests.tenancy.world import World, make_world, member, sell

pytestmark = pytest.mark.django_db(transaction=True)

SIZES = (PHONE, DESKTOP)
MEMBERS = b"Namn;E-post;Personnummer\nAnna;anna@example.org;900101-1234\nBo;;\nCleo;cleo@\n"
LINKS = "anna@example.org, Anna, 2\nnot an address, Cilla, 1\n"


@pytest.fixture
def world() -> World:
    return make_world("Lyktan")


def build(world: World) -> tuple[User, dict[str, str]]:
    """An editor who keeps the money too, and {name of a page: its address} in a house where all of it is used."""
    person = member(world.organisation, Role.TREASURER, name="Bo Berg")
    assert world.organisation.editors is not None
    person.groups.add(world.organisation.editors)
    event, organisation = world.event, world.organisation
    lintek = builders.body(organisation, "LinTek", source="oidc_claim", source_key="liu: studentUnion = LinTek")
    listed = builders.body(organisation, "Lyktans medlemmar", source="member_list")
    type(listed).objects.filter(pk=listed.pk).update(source_key=listed.public_id.hex)
    member_lists.confirm(member_lists.draft(listed, member_lists.read(MEMBERS), by=person), by=person)
    sponsor = builders.sponsor(organisation)
    discount = builders.discount(
        event, name_sv="Kårpris", name_en="Member price", bodies=[lintek, listed], sponsor=sponsor, size=40
    )
    codes = builders.discount(
        event, name_sv="Vänpris", kind="percent", percent=50, codes={"LUCIA26": 10, "STAFFAN": None}
    )
    builders.discount(event, name_sv="Sen bokning", kind="more", amount_minor=3_000, stacking="added")
    buyer = builders.member(lintek)
    sell(world, user=buyer, email=buyer.email)
    members = factories.ticket_type(event, world.quota, name_sv="För medlemmar", visibility="members")
    Audience.objects.create(ticket_type=members, body=lintek)
    hidden = presales.hidden_type(event, size=20, name_sv="Alumnbiljett")
    link = presales.link(hidden, members, email="alumni@example.org", size=5)
    presales.buy(hidden, 1, link)
    ended = presales.link(hidden, label="Sponsorernas bord", size=2, closes_at=clock.now() + timedelta(days=1))
    read = presale_lists.read(LINKS, tickets=1)
    batch = presale_lists.begin(event, read.rows, types=[hidden], is_mailed=True, by=person, locale="sv")
    Question.objects.create(ticket_type=world.kind, text_sv="Vad äter du inte?", text_en="Diet?", kind="diet")
    below = f"?event={event.public_id}"
    priced = f"?email=&members={lintek.pk}&kind={world.kind.pk}&number=2&code=LUCIA26&at="
    return person, {
        "event": reverse("event_desk:edit", args=[event.public_id]),
        "discounts": reverse("discount_desk:index"),
        "discount-new": reverse("discount_desk:add") + below,
        "discount": reverse("discount_desk:edit", args=[discount.public_id]),
        "discount-delete": reverse("discount_desk:delete", args=[codes.public_id]),
        "codes": reverse("discount_desk:codes", args=[codes.public_id]),
        "person-price": reverse("discount_desk:person_price", args=[event.public_id]),
        "person-price-told": reverse("discount_desk:person_price", args=[event.public_id]) + priced,
        "sponsors": reverse("sponsor_desk:index"),
        "sponsor-new": reverse("sponsor_desk:add"),
        "sponsor": reverse("sponsor_desk:edit", args=[sponsor.public_id]),
        "sponsor-report": reverse("sponsor_desk:report"),
        "memberships": reverse("member_body_desk:index"),
        "membership-new": reverse("member_body_desk:add"),
        "membership": reverse("member_body_desk:edit", args=[lintek.public_id]),
        "membership-of-list": reverse("member_body_desk:edit", args=[listed.public_id]),
        "member-list": reverse("member_body_desk:list", args=[listed.public_id]),
        "audience": reverse("presale_audience", args=[members.public_id]),
        "links": reverse("presale_desk:index"),
        "link-new": reverse("presale_desk:add") + below,
        "link": reverse("presale_desk:inspect", args=[link.public_id]),
        "link-edit": reverse("presale_desk:edit", args=[link.public_id]),
        "link-revoke": reverse("presale_desk:delete", args=[ended.public_id]),
        "links-from-a-list": reverse("presale_batch_desk:add") + below,
        "links-of-a-list": reverse("presale_batch_desk:inspect", args=[batch.public_id]),
        "answers": reverse("answers"),
        "ticket-type": reverse("ticket_type_desk:edit", args=[world.kind.public_id]),
    }


def test_every_page_where_prices_are_said_fits_and_is_sound(open_tab: Opener, live_server: Any, world: World) -> None:
    person, pages = build(world)
    tab = signed_in(open_tab(size=DESKTOP), live_server, person)
    wrong: dict[str, Any] = {}
    for name, address in pages.items():
        page = tab.goto(address)
        assert page.locator("h1, h2").count() and live_server.url + address == page.url, name
        wrong |= look(page, name)

    assert wrong == {}


def test_a_list_of_links_is_looked_at_on_a_page_that_fits(open_tab: Opener, live_server: Any, world: World) -> None:
    person, pages = build(world)
    tab: Tab = signed_in(open_tab(size=PHONE), live_server, person)
    page = tab.goto(pages["links-from-a-list"])
    page.locator("[name=rows]").fill(LINKS)
    page.locator("[name=ticket_types]").last.check()
    page.locator("form [type=submit]").last.click()

    expect(page.get_by_text("anna@example.org").first).to_be_visible()
    assert look(page, "links-read") == {}


def look(page: Page, name: str) -> dict[str, Any]:
    """What is wrong with the page, by where."""
    wrong: dict[str, Any] = {}
    for size in SIZES:
        page.set_viewport_size(size)
        shot(page, f"desk-{name}-{size['width']}")
        if (wider := overflow(page)) > 0:
            wrong[f"{name} at {size['width']}"] = f"{wider} px too wide"
    if found := violations(page, inside="#main"):
        wrong[name] = found
    return wrong
