"""Tickets given back by phone, and a treasurer's refund and what waits, at the desk."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import expect

from apps.ticketing import clock, refunds
from apps.ticketing.models import Order, Refund, RefundRule
from tests import factories
from tests.browser.conftest import AT_REST, DESKTOP, PHONE, looks_right_everywhere, overflow, shot
from tests.browser.test_buyer_pages import Dinner, paid
from tests.tenancy.world import make_world

pytestmark = pytest.mark.django_db(transaction=True)


def rule(order: Order) -> None:
    RefundRule.objects.create(event=order.event, at=clock.now(), kind="hours", hours_before=48, fee_minor=2_500)


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "plain"])
def test_buyer_gives_a_ticket_back_by_phone(open_tab, javascript) -> None:
    order = paid(Dinner())
    rule(order)
    page = open_tab(javascript=javascript).goto(f"/sv/orders/{order.reference}/{order.secret}/")
    if javascript:
        looks_right_everywhere(page, "refund-way")

    page.get_by_role("link", name="Lämna tillbaka biljetter").click()
    if javascript:
        looks_right_everywhere(page, "refund-choose")
        page.set_viewport_size(PHONE)
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Se vad som kommer tillbaka").click()
    expect(page.get_by_role("heading", name="Lämna tillbaka biljetten?")).to_be_visible()
    if javascript:
        looks_right_everywhere(page, "refund-agree")
        page.set_viewport_size(PHONE)
    page.get_by_role("button", name=re.compile("Lämna tillbaka och få")).click()

    expect(page.get_by_text("är på väg tillbaka.")).to_be_visible()
    if javascript:
        looks_right_everywhere(page, "refund-on-its-way")
    assert Refund.objects.get().fee_minor == 2_500


def test_treasurer_refunds_and_sees_to_a_debt(open_tab, live_server) -> None:
    world = make_world("Lyktan")
    order = factories.order(world.event, factories.wanted(world.kind, 2, (world.choice, 1)))
    factories.queue.drain(world.event.pk)
    order.refresh_from_db()
    due = factories.payment(order)
    factories.settle.settle(factories.notice(due), provider=due.provider)
    rule(order)
    client = Client()
    client.force_login(world.treasurer)
    tab = open_tab(size=DESKTOP, language="en")
    tab.page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )

    page = tab.goto(f"/admin/orders/inspect/{order.public_id}/")
    page.get_by_role("link", name="Refund", exact=True).click()
    expect(page.get_by_role("heading", name="Refund tickets")).to_be_visible()
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        page.evaluate(AT_REST)
        shot(page, f"desk-refund-{size['width']}")
        assert overflow(page) <= 0
    page.get_by_role("checkbox").first.check()
    page.get_by_label("Keep the event's fee").check()
    page.get_by_label("Why").first.fill("Broke her leg")
    page.get_by_role("button", name="See what goes back").first.click()
    expect(page.get_by_text("Goes back to the buyer")).to_be_visible()
    shot(page, "desk-refund-confirm-360")
    page.get_by_role("button", name=re.compile("^Send .* back$")).click()
    expect(page.get_by_text("is on its way back, and the buyer is told")).to_be_visible()
    page.set_viewport_size(DESKTOP)
    shot(page, "desk-refunded-1280")

    refund = Refund.objects.get()
    told = factories.notice(refund.payment, "failed", kind="refund", our_id=str(refund.public_id), reference="")
    refunds.settle(told, provider=refund.payment.provider)
    page = tab.goto(reverse("wagtailadmin_home"))
    shot(page, "desk-home-task-1280")
    page.get_by_role("link", name="1 thing waits for you").click()
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        page.evaluate(AT_REST)
        shot(page, f"desk-to-do-{size['width']}")
        assert overflow(page) <= 0
    page.get_by_role("link", name="Paid otherwise").click()
    shot(page, "desk-otherwise-360")
    page.get_by_label("How and when").fill("Swish, 3 December")
    page.get_by_role("button", name="It is paid").click()
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()


def test_editor_sets_the_rule(open_tab, live_server) -> None:
    world = make_world("Lyktan")
    client = Client()
    client.force_login(world.editor)
    tab = open_tab(size=DESKTOP, language="en")
    tab.page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )

    page = tab.goto(reverse("event_desk:edit", args=[world.event.public_id]))
    page.get_by_role("link", name="Change the refund rule").click()
    expect(page.get_by_label("Fee per ticket")).to_be_visible()
    shot(page, "desk-rule-1280")
    page.get_by_label("Fee per ticket").fill("25")
    page.get_by_role("button", name="Save the rule").click()

    expect(page.get_by_text("New orders are told")).to_be_visible()
    shot(page, "desk-rule-saved-1280")
    assert RefundRule.objects.get().fee_minor == 2_500
