"""A sale is paused while its buyers look at their phones: they are told within five seconds, without a reload."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from apps.events import tenancy
from apps.ticketing import clock, event_face, queue, sale_control
from apps.ticketing.models import Order, TicketType
from tests import factories
from tests.browser.conftest import DESKTOP, Opener, looks_right, shot
from tests.browser.test_buyer_pages import address_of
from tests.tenancy.world import member
from tests.ticketing.test_live import SECRET, live_process

pytestmark = pytest.mark.django_db(transaction=True)

SAY = {"say_sv": "Banken är nere. Vi är tillbaka 12.30.", "say_en": "The bank is down. Back at 12:30."}
IN_TIME = 5_000  # milliseconds, promised


@pytest.fixture(autouse=True)
def fresh_faces() -> None:
    event_face.forget()


@pytest.fixture
def dinner() -> TicketType:
    event = factories.event(organisation=tenancy.create_organisation("Lyktan"))
    return factories.ticket_type(event, factories.quota(event, 1), name_sv="Sittning", name_en="Dinner")


@pytest.fixture
def live(open_tab: Opener, settings: LazySettings) -> Iterator[int]:
    with live_process(settings.REDIS_URL, site_url=settings.SITE_URL) as port:
        settings.LIVE_URL = f"http://localhost:{port}"
        settings.LIVE_SECRET = SECRET
        policy = copy.deepcopy(settings.CONTENT_SECURITY_POLICY)
        policy["DIRECTIVES"]["connect-src"] = ["'self'", settings.LIVE_URL]
        settings.CONTENT_SECURITY_POLICY = policy
        yield port


def change(dinner: TicketType, verb: str, **facts: str) -> None:
    """What an editor does at the desk."""
    editor = Client()
    editor.force_login(member(dinner.event.organisation, tenancy.Role.EDITOR))
    seen = str(sale_control.state_of(dinner.event_id).number)
    address = f"{reverse('sale_desk:add')}?event={dinner.event.public_id}&do={verb}"
    response = editor.post(address, {"seen": seen, "say_sv": "", "say_en": "", **facts})
    assert response.status_code == 302


def ordered(dinner: TicketType) -> Order:
    return factories.order(dinner.event, factories.wanted(dinner))


def notice(page: Page, state: str) -> Any:
    return page.locator(f'[data-sale-is="{state}"]')


def test_pause_and_resume_reach_line_checkout_and_form_by_the_stream(
    dinner: TicketType, open_tab: Opener, live: int
) -> None:
    holder = ordered(dinner)
    queue.drain(dinner.event_id)
    form_url = reverse("ticketing:form", args=[dinner.event.public_id])
    line = open_tab().goto(address_of(ordered(dinner)))
    form = open_tab().goto(form_url)
    checkout = open_tab(language="en").goto(address_of(holder, "en"))
    asked: list[str] = []
    for page in (line, form, checkout):
        page.on("request", lambda request: asked.append(request.url) if "/sale/" in request.url else None)
        expect(notice(page, "paused")).to_be_hidden()
    checkout.locator("#name").fill("Kim Exempelsson")
    line.wait_for_timeout(1000)

    change(dinner, "pause", **SAY)

    for page, say in ((line, SAY["say_sv"]), (form, SAY["say_sv"]), (checkout, SAY["say_en"])):
        expect(notice(page, "paused")).to_be_visible(timeout=IN_TIME)
        expect(notice(page, "paused")).to_contain_text(say)
    expect(checkout.get_by_text("The clock stands still.")).to_be_visible()
    shot(line, "pause-line-360")
    shot(form, "pause-form-360")
    looks_right(checkout, "pause-checkout-360")
    shown = checkout.locator(".hold-bar__time").text_content()
    checkout.wait_for_timeout(1500)
    assert checkout.locator(".hold-bar__time").text_content() == shown

    change(dinner, "resume")

    for page in (line, form, checkout):
        expect(notice(page, "paused")).to_be_hidden(timeout=IN_TIME)
    expect(checkout.get_by_text("The clock stands still.")).to_be_hidden(timeout=IN_TIME)
    expect(checkout.locator(".hold-bar__time")).not_to_have_text(shown or "", timeout=IN_TIME)
    expect(checkout.locator("#name")).to_have_value("Kim Exempelsson")
    assert asked == []


def test_without_a_stream_the_pages_ask(dinner: TicketType, open_tab: Opener) -> None:
    """Each at the latest moment at which it may."""
    holder, waiting = ordered(dinner), ordered(dinner)
    queue.drain(dinner.event_id)
    queued = ordered(dinner)
    form, pages = open_tab(size=DESKTOP), [open_tab() for _ in range(3)]
    for tab in (form, *pages):
        tab.page.add_init_script("Math.random = () => 0.999")
    form.goto(reverse("ticketing:form", args=[dinner.event.public_id]))
    for tab, order in zip(pages, (holder, waiting, queued), strict=True):
        tab.goto(address_of(order))
    form.page.wait_for_timeout(9_000)  # those in line have asked for the first time, and rest now

    sale_control.move(dinner.event, opens_at=clock.now() + timedelta(hours=2), **SAY)

    for tab in (form, *pages):
        expect(notice(tab.page, "moved")).to_be_visible(timeout=IN_TIME)
        expect(notice(tab.page, "moved")).to_contain_text(re.compile(r"Försäljningen är flyttad till \w+"))


def test_without_javascript_a_reload_tells(dinner: TicketType, open_tab: Opener) -> None:
    holder = ordered(dinner)
    queue.drain(dinner.event_id)
    sale_control.pause(dinner.event, **SAY)

    page = open_tab(javascript=False).goto(address_of(holder))

    expect(notice(page, "paused")).to_contain_text(SAY["say_sv"])
    expect(page.get_by_text("Klockan står still. 15 minuter återstår när försäljningen fortsätter.")).to_be_visible()
