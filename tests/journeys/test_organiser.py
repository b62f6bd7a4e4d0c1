"""The organiser's part of the journey, in a real browser on the real editor."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from allauth.account.models import EmailAddress
from playwright.sync_api import expect

from apps.events.models import Event, EventPage, OrganisationPage
from apps.events.tenancy import Role, create_organisation
from apps.ticketing.models import Order
from tests import factories
from tests.browser.conftest import DESKTOP, PHONE, Opener, looks_right, looks_right_everywhere
from tests.events.test_body import forget_forms, plugin_installed
from tests.journeys import organiser
from tests.tenancy.world import member, page_of

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "lucia-i-foajen"
STOCKHOLM = ZoneInfo("Europe/Stockholm")


def editor_of(name: str) -> str:
    """An association, and the e-mail address with which its editor signs in."""
    user = member(create_organisation(name, legal_name=name), Role.EDITOR, email="alva@example.org", password=PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user.email


def test_organiser_publishes_a_page_that_sells(open_tab: Opener, live_server: object) -> None:
    email = editor_of("Festföreningen Lyktan")
    page = open_tab(size={**DESKTOP, "width": 1440}, language="en").page
    base = live_server.url  # type: ignore[attr-defined]

    organiser.sign_in(page, base, email, PASSWORD)
    organiser.create_event(
        page, base, "Luciasittning", "Lucia dinner", datetime(2027, 12, 11, 18, 0), datetime(2027, 12, 12, 2, 0)
    )
    organiser.add_places(page, "Platser", 40)
    organiser.add_ticket(page, organiser.HELPER)
    organiser.add_ticket(page, organiser.DINNER)

    event = Event.objects.get()
    assert event.starts_at == datetime(2027, 12, 11, 18, 0, tzinfo=STOCKHOLM)
    assert [(quota.name, quota.size) for quota in event.quotas.all()] == [("Platser", 40)]
    helper, dinner = event.ticket_types.order_by("price_minor")
    assert (helper.price_minor, dinner.price_minor) == (0, 25_000)
    choices = dinner.variations.get(name_en="Beverage").choices.values_list("name_en", "delta_minor")
    assert list(choices) == [("Beer", 0), ("Cider", 0), ("Alcohol-free", -1_000)]

    organiser.begin_page(page, "Swedish")
    organiser.write_text(organiser.add_block(page, "Text"), "Före biljetterna.")
    organiser.add_block(page, "Tickets")
    organiser.write_text(organiser.add_block(page, "Text"), "Efter biljetterna.")
    frame = organiser.preview(page)
    expect(frame.get_by_text("Efter biljetterna.")).to_be_visible(timeout=organiser.PATIENCE)
    expect(frame.locator(".ticket-block input[type=email]")).to_be_visible(timeout=organiser.PATIENCE)
    address = organiser.publish(page)

    assert EventPage.objects.get().live
    assert Order.objects.count() == 0
    for size, javascript in ((PHONE, True), (PHONE, False), (DESKTOP, True)):
        tab = open_tab(size=size, javascript=javascript)
        visitor = tab.goto(address)
        expect(visitor.get_by_role("heading", level=1)).to_have_text("Luciasittning")
        expect(visitor.get_by_text("Efter biljetterna.")).to_be_visible()
        if javascript:
            expect(visitor.locator(".ticket-block input[type=email]")).to_be_visible()
            looks_right(visitor, f"published-{size['width']}")
        else:
            visitor.locator(".ticket-block a.button").click()
            expect(visitor.locator("input[type=email]")).to_be_visible()


def test_editor_keeps_a_missing_block_in_the_browser(open_tab: Opener, live_server: object) -> None:
    email = editor_of("Festföreningen Lyktan")
    root = OrganisationPage.objects.get(locale__language_code="sv")
    body = [
        {"type": "text", "value": "<p>Before</p>", "id": "a"},
        {"type": "specimen", "value": {"headline": "Seen", "number": 3}, "id": "b"},
    ]
    with plugin_installed():
        told = page_of(factories.event(organisation=root.organisation), root, slug="told", body=body)
    forget_forms()
    page = open_tab(size=DESKTOP, language="en").page

    organiser.sign_in(page, live_server.url, email, PASSWORD, to=f"/admin/pages/{told.pk}/edit/")  # type: ignore[attr-defined]
    expect(page.get_by_text("It is kept as it is")).to_be_visible()
    page.locator(".c-sf-add-button").last.click()
    expect(page.get_by_role("option", name="Tickets")).to_be_visible()
    expect(page.get_by_role("option", name="Block of a missing plugin")).to_have_count(0)
    page.keyboard.press("Escape")
    page.locator("#id_title").fill("Edited")
    organiser.publish(page)

    stored = EventPage.objects.get(pk=told.pk)
    assert stored.title == "Edited"
    assert EventPage._meta.get_field("body").get_prep_value(stored.body)[1] == body[1]


def test_public_pages_look_right(open_tab: Opener, live_server: object) -> None:
    organisation = create_organisation("Spelklubben Sexsidan", accent_colour="#0B3D91")
    root = OrganisationPage.objects.get(organisation=organisation, locale__language_code="sv")
    question = {"question": "Varför?", "answer": "<p>Ja.</p>"}
    call = {"text": "Hjälp till", "label": "Skriv", "page": None, "address": "https://example.org/"}
    for number, motif in enumerate(("dice", "lucia", "")):
        event = factories.event(organisation=organisation, title_sv=f"Brädspelskväll {number}")
        factories.ticket_type(event, factories.quota(event))
        blocks = {
            "hero": {"kicker": "", "motif": motif, "photo": None},
            "tickets": {"heading": "", "event": None},
            "practical_info": {"heading": "", "notes": []},
            "faq": {"heading": "", "questions": [question]},
            "call_to_action": call,
        }
        body = [{"type": name, "value": value, "id": name} for name, value in blocks.items()]
        told = page_of(event, root, slug=f"event-{number}", body=body)
    tab = open_tab()

    for name, address in (
        ("home", "/sv/"),
        ("empty", "/sv/events/?q=nothing"),
        ("organisation", root.url),
        ("event", told.url),
    ):
        visitor = tab.goto(address)
        visitor.wait_for_load_state("networkidle")
        looks_right_everywhere(visitor, name)
