"""An editor mends what stops her page, looks at it at other moments, and publishes: in a real browser."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from apps.events.models import Event, EventPage, Organisation, OrganisationPage
from apps.ticketing.models import Order, TicketType
from tests import factories
from tests.browser.conftest import DESKTOP, PHONE, Opener, overflow, shot
from tests.journeys import organiser
from tests.journeys.test_organiser import PASSWORD, editor_of
from tests.tenancy.world import page_of

pytestmark = pytest.mark.django_db(transaction=True)

STOCKHOLM = ZoneInfo("Europe/Stockholm")
TICKETS = {"type": "tickets", "value": {"heading": "", "event": None}, "id": "t"}


def draft_with_two_contradictions() -> EventPage:
    """A ticket without a quota, and no legal name. The sale opens on 3 February 2031 at 18."""
    organisation = Organisation.objects.get()
    begins = datetime(2031, 3, 1, 18, tzinfo=STOCKHOLM)
    event = factories.event(organisation=organisation, starts_at=begins)
    factories.ticket_type(
        event, name_sv="Sittning", name_en="Dinner", sale_opens_at=datetime(2031, 2, 3, 18, tzinfo=STOCKHOLM)
    )
    factories.quota(event, 40, name="Platser")
    Organisation.objects.update(legal_name="")
    root = OrganisationPage.objects.get(organisation=organisation, locale__language_code="sv")
    return page_of(event, root, slug="told", publish=False, body=[TICKETS])


def block_shows(frame: FrameLocator, state: str) -> None:
    expect(frame.locator(f".ticket-block[data-sale-state={state}]")).to_be_visible(timeout=organiser.PATIENCE)


def seen_by_phone_and_desk(page: Page, name: str) -> None:
    for size in (PHONE, DESKTOP):
        page.set_viewport_size(size)
        shot(page, f"{name}-{size['width']}")
        assert overflow(page) <= 0, name


def test_editor_mends_what_stops_publishing_and_travels_in_time(open_tab: Opener, live_server: object) -> None:
    email = editor_of("Festföreningen Lyktan")
    told = draft_with_two_contradictions()
    page = open_tab(size=DESKTOP, language="en").page
    address = f"/admin/pages/{told.pk}/edit/"
    base = live_server.url  # type: ignore[attr-defined]

    organiser.sign_in(page, base, email, PASSWORD, to=address)
    stops = page.locator("#publish-problems")
    expect(stops.get_by_role("listitem")).to_have_count(2)
    seen_by_phone_and_desk(page, "stops-publishing")

    stops.get_by_role("link", name="has no legal name").click()
    page.locator("#id_legal_name").fill("Festföreningen Lyktan")
    page.locator("footer button[type=submit]").click()
    page.wait_for_load_state()
    page.goto(base + address)
    expect(stops.get_by_role("listitem")).to_have_count(1)
    page.goto(f"{base}/admin/events/edit/{told.event.public_id}/")
    expect(stops).to_contain_text("takes from no quota")
    seen_by_phone_and_desk(page, "stops-publishing-desk")
    stops.get_by_role("link", name="takes from no quota").click()
    page.get_by_role("checkbox", name="Platser").check()
    page.locator("footer button[type=submit]").click()
    page.wait_for_url("**/admin/events/edit/**")
    expect(stops).to_have_count(0)
    assert TicketType.objects.get().quotas.count() == 1

    page.goto(base + address)
    expect(stops).to_have_count(0)
    frame = organiser.preview(page)
    block_shows(frame, "not_open")
    for moment, state in (
        ("The sale opens", "on_sale"),
        ("After the event", "over"),
        ("Before the sale", "not_open"),
    ):
        page.get_by_role("button", name=moment, exact=True).click()
        expect(frame.locator("[data-travel]")).to_be_visible(timeout=organiser.PATIENCE)
        block_shows(frame, state)
        frame.locator("[data-travel]").scroll_into_view_if_needed()
        seen_by_phone_and_desk(page, f"travel-{state}")
    page.locator("#travel-at").fill("2031-02-05T12:00")
    page.locator("#travel-as").select_option("in_line")
    block_shows(frame, "queueing")

    organiser.publish(page)
    assert EventPage.objects.get(pk=told.pk).live
    assert (Order.objects.count(), Event.objects.count()) == (0, 1)
