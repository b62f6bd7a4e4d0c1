"""Signing in and one's own pages, as people see them: on phone and desk, light and dark, by keyboard, scriptless."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from apps.accounts.extensions import my_page_panels
from apps.accounts.models import User
from apps.ticketing.models import Order
from tests import factories
from tests.browser.conftest import DESKTOP, PHONE, Opener, looks_right, looks_right_everywhere
from tests.browser.test_door import sign_in
from tests.checkin.conftest import paid_tickets

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a long password"
VIEWS = ((PHONE, False), (PHONE, True), (DESKTOP, False))


@pytest.fixture
def alva() -> User:
    user = factories.user(email="alva@example.org", password=PASSWORD, name="Alva Exempelsson")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def test_pages_for_strangers_look_right(open_tab: Opener, alva: User) -> None:
    tab = open_tab()
    for name in ("account_login", "account_signup", "account_reset_password", "account_reset_password_done"):
        page = tab.goto(reverse(name))
        looks_right_everywhere(page, name, VIEWS)
    page = tab.goto(reverse("account_login"))
    page.get_by_label("E-post").fill("alva@example.org")
    page.get_by_label("Lösenord").fill("wrong")
    page.get_by_role("button", name="Logga in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    looks_right_everywhere(page, "account_login-wrong", VIEWS)


def test_own_pages_look_right(open_tab: Opener, alva: User) -> None:
    tab = open_tab()
    sign_in(tab, alva)
    looks_right_everywhere(tab.goto("/my/"), "my-empty", VIEWS)
    association = factories.organisation(name="Festföreningen Lyktan")
    for title, number in [("Luciasittning 2026", 2), ("Spexpremiär: Den glömda garderoben", 1)]:
        event = factories.event(organisation=association, title_sv=title, venue="Kårhuset Fyren")
        tickets = paid_tickets(
            event, factories.ticket_type(event, name_sv="Sittning med sexa"), number, owner=alva, holder_name=alva.name
        )
        Order.objects.filter(pk=tickets[0].line.order_id).update(user=alva, total_minor=68_000)
    rush = factories.event(organisation=association, title_sv="Vinterbalen")
    factories.order(rush, factories.wanted(factories.ticket_type(rush, factories.quota(rush))), user=alva)

    looks_right_everywhere(tab.goto("/my/"), "my", VIEWS)
    looks_right_everywhere(tab.goto("/my/account/"), "my-account", VIEWS)
    for name in ("account_email", "account_change_password", "mfa_index", "account_logout"):
        looks_right_everywhere(tab.goto(reverse(name)), name, VIEWS)


def test_mfa_pages_as_shipped_look_right(open_tab: Opener, alva: User) -> None:
    tab = open_tab()
    sign_in(tab, alva)
    page = tab.goto(reverse("mfa_activate_totp"))
    looks_right(page, "account_reauthenticate-360")
    page.get_by_label("Lösenord").fill(PASSWORD)
    page.get_by_role("button", name="Bekräfta").click()

    expect(page.locator("img.scan-me")).to_be_visible()
    looks_right(page, "mfa_activate_totp-360")


def test_panel_that_failed_looks_right(open_tab: Opener, alva: User) -> None:
    class Broken:
        slug = "broken"
        heading = "Placering"

        def render(self, request: object, user: User) -> str:
            raise RuntimeError

    tab = open_tab()
    sign_in(tab, alva)
    with my_page_panels.temporarily(Broken()):
        page = tab.goto("/my/")
        expect(page.get_by_text("kan inte visas just nu")).to_be_visible()
        looks_right(page, "my-failed-360")


@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without"])
def test_a_new_person_comes_in_and_back(open_tab: Opener, javascript: bool) -> None:
    """From a page that asks to sign in, through sign-up and the code in the e-mail, back to that page."""
    address = f"ny-{'med' if javascript else 'utan'}@example.org"
    tab = open_tab(javascript=javascript)
    page = tab.goto("/my/account/")
    page.get_by_role("link", name="Skapa ett konto").click()
    page.get_by_label("E-post").fill(address)
    page.get_by_label("Lösenord").fill("ett hemligt 9")
    page.get_by_role("button", name="Skapa kontot").click()
    expect(page.get_by_role("heading", name="Skriv koden")).to_be_visible()
    if javascript:  # axe is a script itself
        looks_right(page, "confirm-code-360")
    code = re.search(r"^ {4}(\S+)$", mail.outbox[-1].body, re.MULTILINE)
    assert code and "Skriv den här koden" in mail.outbox[-1].body

    page.locator("input[name=code]").fill(code[1])
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile(r"/my/account/$"))
    expect(page.get_by_text(address, exact=True)).to_be_visible()


def test_sign_in_by_keyboard_alone(open_tab: Opener, alva: User) -> None:
    page: Page = open_tab().goto(reverse("account_login") + "?next=/my/account/")
    page.get_by_label("E-post").focus()
    page.keyboard.type(alva.email)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile(r"/my/account/$"))


def test_mistake_in_the_profile_is_said_beside_its_field(open_tab: Opener, alva: User) -> None:
    tab = open_tab()
    sign_in(tab, alva)
    page = tab.goto("/my/account/")
    page.get_by_label("Namn").evaluate(
        "(field) => { field.removeAttribute('maxlength'); field.value = 'x'.repeat(200); }"
    )
    page.get_by_role("button", name="Spara").click()

    expect(page.locator(".field__error")).to_be_visible()
    assert page.get_by_label("Namn").get_attribute("aria-invalid") == "true"
    looks_right(page, "my-account-error-360")


def test_too_many_tries_is_a_page_of_ours(open_tab: Opener, settings: Any, alva: User) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login": "1/m/ip"}
    client = Client()
    for _ in range(2):
        answer = client.post(reverse("account_login"), {"login": "a@example.org", "password": "x"})

    assert answer.status_code == 429
    assert "site-header" in answer.content.decode()
