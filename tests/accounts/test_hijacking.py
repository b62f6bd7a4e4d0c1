"""Somebody makes an account with another's address before they do, and waits (OWASP: pre-hijacking). Whoever proves the
address must end up in an account that nobody else can open."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.core.cache import caches
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from tests import factories
from tests.accounts.test_providers import signed_in

pytestmark = pytest.mark.django_db
VICTIM, OTHER = "vera@example.org", "eve@example.org"
OLD, NEW = "the-password-of-eve-1", "the-password-of-vera-2"
WAITING_PAGE = reverse("account_email_verification_sent")


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    caches["default"].clear()


@pytest.fixture
def eve() -> Client:
    """Has signed up with Vera's address, and looks at the page that asks for the code."""
    eve = Client()
    assert eve.post(reverse("account_signup"), {"email": VICTIM, "password1": OLD})["Location"] == WAITING_PAGE
    mail.outbox.clear()
    return eve


def reset(client: Client, email: str) -> str:
    """Ask for a new password and follow the link of the mail; what came instead where there is no link."""
    client.post(reverse("account_reset_password"), {"email": email})
    link = re.search(r"https?://\S+/password/reset/key/\S+", mail.outbox[-1].body)
    if link is None:
        return str(mail.outbox[-1].body)
    form = client.get(link[0], follow=True)
    client.post(form.redirect_chain[-1][0], {"password1": NEW, "password2": NEW})
    return ""


def try_password(email: str, password: str) -> User | None:
    client = Client()
    client.post(reverse("account_login"), {"login": email, "password": password})
    return signed_in(client)


def change_address(client: Client, email: str) -> Any:
    return client.post(WAITING_PAGE, {"action": "change", "email": email})


def test_a_reset_leaves_whoever_made_the_account_nothing(client: Client, eve: Client) -> None:
    vera = User.objects.get()
    SocialAccount.objects.create(user=vera, provider="facebook", uid="eve", extra_data={})
    EmailAddress.objects.create(user=vera, email="another.of.eves@example.org", verified=False)

    reset(client, VICTIM)
    change_address(eve, OTHER)

    assert not SocialAccount.objects.exists()
    assert list(EmailAddress.objects.values_list("email", "verified")) == [(VICTIM, True)]
    vera.refresh_from_db()
    assert vera.email == VICTIM
    assert [try_password(VICTIM, OLD), try_password(VICTIM, NEW), signed_in(eve)] == [None, vera, None]


def test_the_waiting_page_would_have_changed_the_address(eve: Client) -> None:
    change_address(eve, OTHER)

    assert User.objects.get().email == OTHER


def test_a_reset_asked_for_before_the_address_was_changed_opens_nothing(client: Client, eve: Client) -> None:
    client.post(reverse("account_reset_password"), {"email": VICTIM})
    link = re.search(r"https?://\S+/password/reset/key/\S+", mail.outbox[-1].body)
    change_address(eve, OTHER)

    assert link and client.get(link[0], follow=True).redirect_chain == []
    assert try_password(VICTIM, OLD) is None


def test_an_address_claimed_beside_ones_own_leads_nobody_into_that_account(client: Client) -> None:
    """Eve has an account of her own, and added Vera's address to it."""
    own = factories.user(email=OTHER, password=OLD)
    EmailAddress.objects.create(user=own, email=OTHER, verified=True, primary=True)
    for way in ("reset", "code", "signup"):
        EmailAddress.objects.create(user=own, email=VICTIM, verified=False)
        mail.outbox.clear()

        if way == "reset":
            told = reset(client, VICTIM)
        elif way == "code":
            client.post(reverse("account_request_login_code"), {"email": VICTIM})
            told = str(mail.outbox[-1].body)
        else:
            client.post(reverse("account_signup"), {"email": VICTIM, "password1": NEW})
            told = str(mail.outbox[-1].body)

        assert not EmailAddress.objects.filter(user=own, email=VICTIM).exists(), way
        assert (way == "signup") is (User.objects.count() == 2), told
    assert User.objects.get(email=VICTIM).check_password(NEW)


def test_a_reset_of_an_account_in_use_takes_nothing_away(client: Client) -> None:
    vera = factories.user(email=VICTIM, password=OLD)
    EmailAddress.objects.create(user=vera, email=VICTIM, verified=True, primary=True)
    SocialAccount.objects.create(user=vera, provider="google", uid="vera", extra_data={})

    reset(client, VICTIM)

    assert SocialAccount.objects.get().user == vera
    assert try_password(VICTIM, NEW) == vera
