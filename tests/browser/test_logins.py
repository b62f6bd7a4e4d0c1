"""Signing in from the ticket form in a real browser, at providers that are processes, and back with one's choices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import oidc_provider_mock
import pytest
import requests
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import LazySettings
from django.core import mail
from django.core.cache import caches
from django.urls import reverse
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.ticketing.models import Order
from tests import factories
from tests.accounts.conftest import identity, identity_process  # noqa: F401
from tests.browser.conftest import DESKTOP, PHONE, Opener, looks_right_everywhere
from tests.browser.test_buyer_pages import Dinner
from tests.identity.client import Identity

pytestmark = pytest.mark.django_db(transaction=True)

VIEWS = ((PHONE, False), (PHONE, True), (DESKTOP, False))
PASSWORD = "a long password"


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    caches["default"].clear()


@pytest.fixture
def dinner() -> Dinner:
    return Dinner()


def choose_two(page: Page) -> None:
    """Two tickets, and what is eaten with the first; the second is left as it is."""
    page.get_by_label(re.compile("Antal")).first.fill("2")
    page.locator(".person").first.get_by_label(re.compile("Vegetariskt")).check(force=True)
    page.get_by_role("button", name="Logga in och behåll dina val").click()
    expect(page.get_by_role("heading", name="Logga in", exact=True)).to_be_visible()


def came_back(page: Page, email: str) -> None:
    expect(page).to_have_url(re.compile(r"/tickets/\?kept=1"))
    expect(page.get_by_label(re.compile("Antal")).first).to_have_value("2")
    expect(page.locator(".person").first.get_by_label(re.compile("Vegetariskt"))).to_be_checked()
    expect(page.get_by_label("E-post")).to_have_value(email)


def form_of(dinner: Dinner) -> str:
    return reverse("ticketing:form", args=[dinner.event.public_id])


def test_a_student_comes_back_from_liu(open_tab: Opener, identity: Identity, dinner: Dinner) -> None:  # noqa: F811
    tab = open_tab()
    page = tab.goto(form_of(dinner))
    choose_two(page)
    looks_right_everywhere(page, "login-with-providers", VIEWS)

    page.get_by_role("button", name="Logga in med LiU").click()
    page.get_by_role("button", name="Kim Lintekson").click()

    came_back(page, "kimli123@student.liu.se")
    assert SocialAccount.objects.get().provider == "liu"


def test_without_javascript_too(open_tab: Opener, identity: Identity, dinner: Dinner) -> None:  # noqa: F811
    tab = open_tab(javascript=False)
    page = tab.goto(form_of(dinner))
    page.get_by_label(re.compile("Antal")).first.fill("2")
    page.get_by_role("button", name="Logga in och behåll dina val").click()
    page.get_by_role("button", name="Logga in med Universitetet").click()
    page.get_by_role("button", name="Ada Exempelsson").click()

    expect(page).to_have_url(re.compile(r"/tickets/\?kept=1"))
    expect(page.get_by_label(re.compile("Antal")).first).to_have_value("2")


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A well-kept provider of OpenID Connect that is none of ours."""
    with oidc_provider_mock.run_server_in_thread() as server:
        yield f"http://localhost:{server.server_port}"


def test_somebody_comes_back_from_any_issuer(
    open_tab: Opener, issuer: str, dinner: Dinner, settings: LazySettings
) -> None:
    facts = {"server_url": issuer, "email_authentication": True, "oauth_pkce_enabled": True}
    app = {"provider_id": "uni", "name": "Universitetet", "client_id": "foyer", "secret": "s", "settings": facts}
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}
    claims = {"email": "ada@example.org", "email_verified": True, "name": "Ada Exempelsson"}
    requests.put(f"{issuer}/users/ada", json=claims, timeout=10).raise_for_status()
    tab = open_tab()
    page = tab.goto(form_of(dinner))
    choose_two(page)

    page.get_by_role("button", name="Logga in med Universitetet").click()
    page.get_by_placeholder("sub").fill("ada")
    page.get_by_role("button", name="Authorize").click()

    came_back(page, "ada@example.org")
    assert User.objects.get().name == "Ada Exempelsson"


def test_somebody_comes_back_with_a_code_from_their_mail(open_tab: Opener, dinner: Dinner) -> None:
    alva = factories.user(email="alva@example.org", password=PASSWORD, name="Alva")
    EmailAddress.objects.create(user=alva, email=alva.email, verified=True, primary=True)
    tab = open_tab()
    page = tab.goto(form_of(dinner))
    choose_two(page)

    page.get_by_role("link", name="Skicka en kod via e-post").click()
    looks_right_everywhere(page, "login-code", VIEWS)
    page.get_by_label("E-post").fill("alva@example.org")
    page.get_by_role("button", name="Skicka en kod").click()
    expect(page.get_by_role("heading", name="Skriv koden från din mejl")).to_be_visible()
    looks_right_everywhere(page, "login-code-confirm", VIEWS)
    code = re.search(r"^ {4}(\S+)$", mail.outbox[0].body, re.MULTILINE)
    assert code
    page.get_by_label(re.compile("Kod")).fill(code[1])
    page.get_by_role("button", name="Logga in", exact=True).click()

    came_back(page, "alva@example.org")


def test_enter_in_the_form_orders_and_does_not_sign_in(open_tab: Opener, dinner: Dinner) -> None:
    page = open_tab().goto(form_of(dinner))
    page.get_by_label(re.compile("Antal")).first.fill("1")
    for choice in ("Alkoholfritt", "Vegetariskt"):
        page.locator(".person").first.get_by_label(re.compile(choice)).check(force=True)
    page.get_by_label("E-post").fill("guest@example.org")
    page.get_by_label("E-post").press("Enter")

    expect(page).to_have_url(re.compile(r"/orders/"))
    assert Order.objects.get().email == "guest@example.org"


def test_what_providers_lead_to_looks_right(open_tab: Opener, identity: Identity) -> None:  # noqa: F811
    tab = open_tab()
    looks_right_everywhere(tab.goto(reverse("account_signup")), "signup-with-providers", VIEWS)
    looks_right_everywhere(tab.goto("/accounts/oidc/uni/login/"), "provider-interstitial", VIEWS)
    looks_right_everywhere(tab.goto(reverse("socialaccount_login_cancelled")), "login-cancelled", VIEWS)
    identity.order(person={"slug": "nobody", "name": "Utan Adress", "email": ""})
    identity.order(trouble="server_error", times=1)
    page = tab.goto(reverse("account_login"))
    page.get_by_role("button", name="Logga in med Universitetet").click()
    page.get_by_role("button", name="Ada Exempelsson").click()
    expect(page.get_by_role("heading", name="Inloggningen gick inte")).to_be_visible()
    looks_right_everywhere(page, "login-failed", VIEWS)
    page.get_by_role("link", name="Prova igen").click()
    page.get_by_role("button", name="Logga in med Universitetet").click()
    page.get_by_role("button", name="Utan Adress").click()
    expect(page.get_by_role("heading", name="En sak saknas")).to_be_visible()
    looks_right_everywhere(page, "signup-without-address", VIEWS)


def test_logins_are_connected_on_my_pages(open_tab: Opener, identity: Identity) -> None:  # noqa: F811
    tab = open_tab()
    page = tab.goto(reverse("account_login"))
    page.get_by_role("button", name="Logga in med LiU").click()
    page.get_by_role("button", name="Kim Lintekson").click()
    expect(page).to_have_url(re.compile("/my/"))
    looks_right_everywhere(tab.goto("/my/account/"), "my-account-with-logins", VIEWS)
    page.get_by_role("link", name="Hantera Kopplade inloggningar").click()
    looks_right_everywhere(page, "connections", VIEWS)
    page.get_by_role("button", name="Koppla Universitetet").click()
    page.get_by_role("button", name="Ada Exempelsson").click()
    expect(page.get_by_text("Du kan nu logga in med Universitetet.")).to_be_visible()
    page.get_by_role("button", name="Ta bort Universitetet").click()
    expect(page.get_by_text("Inloggningen är borttagen.")).to_be_visible()


# --- Passkeys, with the browser's own virtual authenticator ----------------------------------------------------------


def add_authenticator(page: Page) -> Any:
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session


@pytest.fixture
def at_localhost(live_server: Any) -> str:
    """Browsers know passkeys at names only, and of those without https at this one alone."""
    return live_server.url.replace("127.0.0.1", "localhost")


def test_a_passkey_is_added_and_signs_in(open_tab: Opener, at_localhost: str, settings: LazySettings) -> None:
    settings.MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True
    bo = factories.user(email="bo@example.org", password=PASSWORD, name="Bo")
    EmailAddress.objects.create(user=bo, email=bo.email, verified=True, primary=True)
    tab = open_tab()
    page = tab.goto(at_localhost + reverse("account_login"))
    add_authenticator(page)
    page.get_by_label("E-post").fill(bo.email)
    page.get_by_label("Lösenord").fill(PASSWORD)
    page.get_by_role("button", name="Logga in", exact=True).click()
    expect(page).to_have_url(re.compile("/my/"))
    tab.goto(at_localhost + reverse("mfa_index"))
    looks_right_everywhere(page, "second-step-with-passkeys", VIEWS)
    page.get_by_role("link", name="Lägg till en passkey").click()
    if "reauthenticate" in page.url:
        page.get_by_label("Lösenord").fill(PASSWORD)
        page.get_by_role("button", name="Bekräfta").click()
    expect(page.get_by_role("heading", name="Lägg till en passkey")).to_be_visible()
    looks_right_everywhere(page, "passkey-add", VIEWS)
    page.get_by_label("Vad du kallar den").fill("telefonen")
    page.get_by_role("button", name="Lägg till en passkey").click()
    expect(page.get_by_text("Passkeyn är tillagd.")).to_be_visible()
    assert Authenticator.objects.get(type=Authenticator.Type.WEBAUTHN).user == bo
    tab.goto(at_localhost + reverse("mfa_list_webauthn"))
    looks_right_everywhere(page, "passkeys", VIEWS)

    page.context.clear_cookies()
    caches["default"].clear()
    tab.goto(at_localhost + reverse("account_login") + "?next=/my/account/")
    page.get_by_role("button", name="Använd en passkey").click()
    expect(page.get_by_role("heading", name="Mitt konto")).to_be_visible()
    page.wait_for_load_state()

    page.context.clear_cookies()
    tab.goto(at_localhost + reverse("account_login"))
    page.get_by_label("E-post").fill(bo.email)
    page.get_by_label("Lösenord").fill(PASSWORD)
    page.get_by_role("button", name="Logga in", exact=True).click()
    expect(page.get_by_role("heading", name="Det andra steget")).to_be_visible()
    looks_right_everywhere(page, "second-step", VIEWS)
    page.get_by_role("button", name="Använd en passkey").click()
    expect(page).to_have_url(re.compile("/my/$"))
