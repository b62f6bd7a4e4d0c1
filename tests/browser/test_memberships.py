"""Memberships in the browser: My pages, the desk with its list, and the door that is to look at a proof."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from apps.discounts import asking
from apps.discounts.models import MemberBody
from apps.events import tenancy
from apps.events.tenancy import Role
from apps.ticketing.models import Ticket
from tests import factories
from tests.browser.conftest import DESKTOP, PHONE, Opener, looks_right_everywhere, overflow, shot
from tests.browser.test_door import sign_in
from tests.checkin.conftest import paid_tickets
from tests.discounts.doubles import body, person
from tests.tenancy.world import member

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_member_sees_what_is_known_of_them(open_tab: Opener) -> None:
    alva = person("alva@student.liu.se", name="Alva Ek", email="alva@student.liu.se")
    lyktan = tenancy.create_organisation("Festföreningen Lyktan")
    for source, key in (("email_domain", "student.liu.se"), ("email_domain", "kth.se"), ("liu", "student")):
        body(lyktan, source, key)
    asking.ask(alva.pk, near=True)
    tab = open_tab()
    sign_in(tab, alva)

    page = tab.goto("/my/")

    expect(page.get_by_role("heading", name="Medlemskap")).to_be_visible()
    expect(page.locator("#panel-memberships + div .chip", has_text="Medlem").first).to_be_visible()
    page.locator("details.my-earlier summary").last.click()
    looks_right_everywhere(page, "my-memberships")
    page.get_by_role("button", name="Fråga igen").click()
    expect(page.get_by_text("Vi har frågat igen.")).to_be_visible()


def test_an_organiser_uploads_a_list(open_tab: Opener) -> None:
    lyktan = tenancy.create_organisation("Festföreningen Lyktan")
    desk = open_tab(size=DESKTOP)
    sign_in(desk, member(lyktan, Role.EDITOR, email="edda@example.org", name="Edda Ek"))
    page = desk.goto("/admin/memberships/new/")
    page.locator("[name=name_sv]").fill("Lyktans medlemmar")
    page.get_by_text("Uppladdad medlemslista").click()
    shot(page, "desk-membership-new")
    page.locator("form [type=submit]").last.click()
    page.get_by_role("link", name="Ladda upp listan").click()
    page.locator("input[type=file]").set_input_files(
        {
            "name": "list.csv",
            "mimeType": "text/csv",
            "buffer": "Namn;E-post;Personnummer\nÅsa;asa@example.org;900101-1234\nBo;\nCleo;cleo@\n".encode("cp1252"),
        }
    )
    page.get_by_role("button", name="Läs den").click()
    expect(page.get_by_text("1 medlem lästes.")).to_be_visible()
    for size, name in ((PHONE, "phone"), (DESKTOP, "desktop")):
        page.set_viewport_size(size)
        shot(page, f"desk-member-list-read-{name}")
        assert overflow(page) <= 0
    page.get_by_role("button", name="Låt 1 medlem gälla").click()
    expect(page.get_by_text("Listan gäller nu")).to_be_visible()
    assert MemberBody.objects.get().member_list.size == 1
    page.get_by_role("button", name="Pröva med mitt eget konto").click()
    expect(page.get_by_text("Källan kan inte känna till dig")).to_be_visible()
    for size, name in ((PHONE, "phone"), (DESKTOP, "desktop")):
        page.set_viewport_size(size)
        shot(page, f"desk-membership-edit-{name}")
        assert overflow(page) <= 0
        shot(desk.goto("/admin/memberships/"), f"desk-memberships-{name}")
        page.go_back()


def test_the_door_asks_for_a_proof(open_tab: Opener) -> None:
    lyktan = tenancy.create_organisation("Festföreningen Lyktan")
    event = factories.event(organisation=lyktan)
    (ticket,) = paid_tickets(event, factories.ticket_type(event), 1)
    Ticket.objects.update(check_membership=True)
    door = open_tab()
    sign_in(door, member(lyktan, Role.DOOR, email="vera@example.org", name="Vera Vakt"))

    page = door.goto(f"/door/{event.public_id}/")
    page.locator("[name=code]").first.fill(ticket.short_code)
    page.locator("[name=code]").first.press("Enter")

    expect(page.get_by_role("heading", name="KOLLA")).to_be_visible()
    expect(page.get_by_text("Kolla medlemskap").last).to_be_visible()
    looks_right_everywhere(page, "door-check-membership")
    page.get_by_role("button", name="Stämmer, släpp in").click()
    expect(page.get_by_role("heading", name="IN")).to_be_visible()
