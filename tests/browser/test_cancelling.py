"""The second step, cancelling and moving, as those who do it and those who are told see them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.events.tenancy import Role
from apps.ticketing import clock, moves, paying_back
from apps.ticketing.models import Cancellation, Order, SandboxAccount
from tests.browser.conftest import DESKTOP, PHONE, Opener, looks_right_everywhere, overflow, shot
from tests.tenancy.world import World, make_world, member, sell
from tests.ticketing.test_cancellations import SECRETS, code

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a long password"
VIEWS = ((PHONE, False), (PHONE, True), (DESKTOP, False))


@pytest.fixture
def world() -> World:
    return make_world("Lyktan")


def treasurer(world: World, name: str) -> User:
    person = member(world.organisation, Role.TREASURER, password=PASSWORD, name=name)
    EmailAddress.objects.create(user=person, email=person.email, verified=True, primary=True)
    return person


def at_desk(open_tab: Opener, live_server: Any, person: User, size: Any = DESKTOP) -> Any:
    client = Client()
    client.force_login(person)
    tab = open_tab(size=size)
    tab.page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    return tab


def seen(page: Page, name: str) -> None:
    """The desk by phone and on a wide screen."""
    for size in (PHONE, DESKTOP):
        page.set_viewport_size(size)
        shot(page, f"{name}-{size['width']}")
        assert overflow(page) <= 0, name


def test_treasurer_sets_up_the_second_step_and_signs_in_with_it(open_tab: Opener, world: World) -> None:
    bo = treasurer(world, "Bo Berg")
    page = open_tab().goto(reverse("account_login"))
    page.get_by_label("E-post").fill(bo.email)
    page.get_by_label("Lösenord").fill(PASSWORD)
    page.get_by_role("button", name="Logga in").click()
    page.goto(page.url.split("/my/")[0] + reverse("accounts:profile"))
    page.get_by_role("link", name=re.compile("Sätt upp")).click()
    looks_right_everywhere(page, "second-step-off", VIEWS)
    page.get_by_role("link", name="Sätt upp det").click()
    if page.get_by_label("Lösenord").count():
        page.get_by_label("Lösenord").fill(PASSWORD)
        page.get_by_role("button", name="Bekräfta").click()
    expect(page.locator("img.scan-me")).to_be_visible()
    looks_right_everywhere(page, "second-step-set-up", VIEWS)
    secret = page.locator("#authenticator_secret").input_value()

    page.locator("input[name=code]").fill(code(secret))
    page.get_by_role("button", name="Sätt på det").click()

    expect(page.get_by_role("heading", name="Reservkoder")).to_be_visible()
    looks_right_everywhere(page, "recovery-codes", VIEWS)
    recovery = page.locator("#recovery_codes").input_value().split()
    page = open_tab().goto(reverse("account_login"))
    page.get_by_label("E-post").fill(bo.email)
    page.get_by_label("Lösenord").fill(PASSWORD)
    page.get_by_role("button", name="Logga in").click()
    expect(page.get_by_role("heading", name="Det andra steget")).to_be_visible()
    looks_right_everywhere(page, "second-step-asked", VIEWS)
    page.locator("input[name=code]").fill("12")
    page.get_by_role("button", name="Logga in", exact=True).click()
    expect(page.get_by_text("Den koden stämmer inte")).to_be_visible()
    looks_right_everywhere(page, "second-step-wrong", VIEWS)
    page.locator("input[name=code]").fill(recovery[0])
    page.get_by_role("button", name="Logga in", exact=True).click()
    expect(page).to_have_url(re.compile(r"/my/$"))


def test_two_persons_cancel_an_event_and_a_top_up_lets_it_go_on(
    open_tab: Opener, live_server: Any, world: World
) -> None:
    from tests.ticketing.test_cancellations import member as with_app

    order = sell(world)
    account = SandboxAccount.objects.create(organisation=world.organisation, currency="SEK", taken_out_minor=0)
    cilla = with_app(world.organisation, "treasurers", SECRETS[1])
    address = reverse("cancellation_desk:event", args=[world.event.public_id])
    page = at_desk(open_tab, live_server, world.editor).goto(reverse("cancellation_desk:index"))
    seen(page, "desk-cancel-list")
    page.get_by_role("link", name="Fest Lyktan").click()
    expect(page.get_by_role("heading", name="Vad det betyder")).to_be_visible()
    seen(page, "desk-cancel-propose")
    page.get_by_role("button", name="Föreslå att ställa in evenemanget").click()
    seen(page, "desk-cancel-own")

    second = at_desk(open_tab, live_server, cilla).goto("/admin/")
    seen(second, "desk-home-proposed")
    second.goto(live_server.url + address)
    second.get_by_label("Koden från din app").fill(code(SECRETS[1]))
    seen(second, "desk-cancel-confirm")
    second.get_by_role("button", name="Ställ in evenemanget och betala").click()
    expect(second.get_by_text("återbetalningen har börjat")).to_be_visible()
    paying_back.go_on(Cancellation.objects.get().pk)
    second.goto(live_server.url + address)
    expect(second.get_by_text("saknas hos")).to_be_visible()
    seen(second, "desk-cancel-short")

    own = f"/sv/orders/{order.reference}/{order.secret}/"
    public = open_tab().goto(own)
    looks_right_everywhere(public, "order-event-cancelled-paid", VIEWS)
    account.taken_out_minor = -order.total_minor
    account.save()
    paying_back.go_on(Cancellation.objects.get().pk)
    second.goto(live_server.url + address)
    expect(second.get_by_text("saknas hos")).to_have_count(0)
    seen(second, "desk-cancel-done")
    public.goto(live_server.url + own)
    expect(public.get_by_role("heading", name="Dina pengar går tillbaka")).to_be_visible()
    looks_right_everywhere(public, "order-event-cancelled-refunded", VIEWS)
    public.goto(live_server.url + world.page.url)
    expect(public.get_by_text("Evenemanget är inställt")).to_be_visible()
    looks_right_everywhere(public, "event-cancelled", VIEWS)


def test_event_moves_and_a_buyer_wants_the_money_back(open_tab: Opener, live_server: Any, world: World) -> None:
    order = sell(world)
    address = reverse("move_desk:event", args=[world.event.public_id])
    page = at_desk(open_tab, live_server, world.editor).goto(address)
    seen(page, "desk-move")
    moves.announce(
        world.event,
        by=world.editor,
        answer_by=clock.now() + timedelta(days=5),
        facts={
            "starts_at": world.event.starts_at + timedelta(days=7),
            "ends_at": world.event.ends_at + timedelta(days=7),
        },
        say_sv="Lokalen är översvämmad.",
    )
    page.goto(live_server.url + address)
    seen(page, "desk-moved")

    public = open_tab().goto(world.page.url)
    expect(public.get_by_text("Evenemanget flyttas")).to_be_visible()
    looks_right_everywhere(public, "event-moved", VIEWS)
    public.goto(f"{live_server.url}/sv/orders/{order.reference}/{order.secret}/")
    looks_right_everywhere(public, "order-event-moved", VIEWS)
    public.get_by_role("link", name="Få pengarna tillbaka").click()
    looks_right_everywhere(public, "order-money-back", VIEWS)
    public.get_by_role("button", name="Få pengarna tillbaka").click()

    expect(public.get_by_text("är på väg tillbaka").first).to_be_visible()
    assert Order.objects.get(pk=order.pk).state == "refunded"
