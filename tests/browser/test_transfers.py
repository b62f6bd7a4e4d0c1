"""Money that a buyer sends themselves, in the browser: chosen on the checkout, approved on the treasurer's desk."""

from __future__ import annotations

import pytest
from playwright.sync_api import FilePayload, expect

from apps.events.tenancy import Role
from apps.ticketing.models import Order, Payment, TransferAccount
from apps.ticketing.payments import manual
from apps.ticketing.visitors import address_of
from tests.browser.conftest import DESKTOP, PHONE, Opener, Tab, looks_right_everywhere, overflow, shot
from tests.browser.test_buyer_pages import Dinner, reserved
from tests.browser.test_door import sign_in
from tests.tenancy.world import make_world, member

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def order() -> Order:
    world = make_world("Lyktan")
    TransferAccount.objects.create(
        organisation=world.organisation,
        offers_transfer=True,
        bankgiro="9912346",
        iban="SE4550000000058398257466",
        bic="SWEDSESS",
        offers_swish=True,
        swish_number="1239009999",
        offers_invoice=True,
    )
    return reserved(Dinner(world.organisation), 1)


def read_file(desk: Tab, rows: str) -> None:
    """Choose a bank's file at the treasurer's desk, and have it shown."""
    file = FilePayload(name="bank.csv", mimeType="text/csv", buffer=rows.encode("latin-1"))
    desk.goto("/admin/transfers/bank-file/").locator("input[type=file]").set_input_files(file)
    desk.page.get_by_role("button", name="Läs den").click()


def test_a_buyer_swishes_and_a_treasurer_approves_it(open_tab: Opener, order: Order) -> None:
    page = open_tab().goto(address_of(order))
    page.get_by_label("Namn").fill("Kim Karlsson")
    page.get_by_role("checkbox").check()
    page.get_by_text("Swish till ett nummer").click()
    page.get_by_role("button", name="Betala").click()
    reference = page.locator(".transfer__copied").last
    expect(reference).to_be_visible()
    payment = Payment.objects.get(order=order)

    assert reference.text_content() == payment.provider_reference
    assert payment.provider == manual.SWISH
    looks_right_everywhere(page, "order-transfer-swish")
    page.get_by_role("link", name="Betala på annat sätt").click()
    page.get_by_text("Banköverföring").click()
    page.get_by_role("button", name="Betala").click()
    expect(page.get_by_text("991-2346")).to_be_visible()
    looks_right_everywhere(page, "order-transfer-bank")

    desk = open_tab(size=DESKTOP)
    sign_in(desk, member(order.organisation, Role.TREASURER, email="bo@example.org"))
    for size, name in ((PHONE, "phone"), (DESKTOP, "desktop")):
        desk.page.set_viewport_size(size)
        for view, address in (
            ("transfers", "/admin/transfers/"),
            ("bank-file", "/admin/transfers/bank-file/"),
            ("account", f"/admin/transfer-accounts/edit/{TransferAccount.objects.get().public_id}/"),
        ):
            shot(desk.goto(address), f"desk-{view}-{name}")
            assert overflow(desk.page) <= 0, view
    payment = Payment.objects.get(order=order, state="action_needed")
    rows = (
        "Bokföringsdag;Belopp;Text\n"
        f"2026-11-30;395,00;{payment.provider_reference} Kim\n"
        f"2026-11-30;100,00;{payment.provider_reference}\n2026-11-30;50,00;Hej\n"
    )
    read_file(desk, rows)
    expect(desk.page.get_by_role("button", name="Genomför 1 rad")).to_be_visible()
    shot(desk.page, "desk-bank-file-read")
    read_file(desk, f"Bokföringsdag;Belopp;Text\n2026-11-28;100,00;{payment.provider_reference} Kim\n")
    shot(desk.page, "desk-bank-file-part")
    desk.page.get_by_role("button", name="Genomför 1 rad").click()
    expect(desk.page.get_by_text("1 rad minns vi som en del")).to_be_visible()
    desk.goto(f"/admin/transfers/inspect/{payment.public_id}/")
    for size, name in ((PHONE, "phone"), (DESKTOP, "desktop")):
        desk.page.set_viewport_size(size)
        shot(desk.page, f"desk-transfer-{name}")
        assert overflow(desk.page) <= 0
    desk.page.get_by_role("button", name="Godkänn").click()
    expect(desk.page.get_by_text("är betald, och biljetterna är på väg")).to_be_visible()
    shot(desk.page, "desk-transfer-approved")

    page.reload()
    expect(page.get_by_role("heading", name="Biljetten är din!")).to_be_visible()
