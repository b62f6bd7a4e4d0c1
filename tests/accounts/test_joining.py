"""Whose account a login opens: only an address that both sides have proved joins, however the other side is set up.

Each test is a way in which somebody might get into another's account, or lock them out of it.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.core.cache import caches
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from tests import factories
from tests.accounts.test_providers import LIU, OIDC, signed_in
from tests.identity.client import Identity, begin, choose, sign_in

pytestmark = pytest.mark.django_db

PASSWORD = "a long password"
FACEBOOK, GITHUB, GOOGLE = (f"/accounts/{name}/login/" for name in ("facebook", "github", "google"))


def account(email: str, *, verified: bool = True, **values: Any) -> User:
    user = factories.user(email=email, password=PASSWORD, **values)
    EmailAddress.objects.create(user=user, email=email, verified=verified, primary=True)
    return user


@pytest.mark.parametrize(("button", "person"), [(OIDC, "ada"), (GOOGLE, "ada"), (GITHUB, "ada"), (LIU, "kim")])
def test_an_address_proved_on_both_sides_joins(client: Client, identity: Identity, button: str, person: str) -> None:
    email = "ada@example.org" if person == "ada" else "kimli123@student.liu.se"
    ada = account(email, name="Own name")

    assert sign_in(client, button, person)["Location"] == "/my/"

    assert signed_in(client) == ada and User.objects.count() == 1
    ada.refresh_from_db()
    assert ada.name == "Own name" and ada.check_password(PASSWORD)
    assert SocialAccount.objects.get().user == ada
    assert [message.to for message in mail.outbox] == [[email]]  # the owner is told


@pytest.mark.parametrize("button", [FACEBOOK, GITHUB, OIDC], ids=["facebook", "github", "oidc"])
def test_an_address_that_the_provider_did_not_prove_joins_nothing(
    client: Client, identity: Identity, button: str
) -> None:
    """Somebody writes Bo's address into their profile there. They see what everybody sees, and Bo gets a mail."""
    bo = account("bo@example.org")

    answer = sign_in(client, button, "bo")

    assert answer.status_code == 302 and signed_in(client) is None
    assert not SocialAccount.objects.exists() and User.objects.count() == 1
    assert [message.to for message in mail.outbox] == [[bo.email]]
    assert re.search(r"^ {4}\S+$", mail.outbox[0].body, re.MULTILINE) is None
    refused = client.post(reverse("account_email_verification_sent"), {"code": "ABC123"})
    assert refused.status_code == 200 and signed_in(client) is None


def test_the_word_false_is_no_proof(client: Client, identity: Identity) -> None:
    """Some issuers write booleans as text."""
    account("eve@example.org")
    identity.order(person={"slug": "eve", "name": "Eve", "email": "eve@example.org", "email_verified": "false"})

    sign_in(client, OIDC, "eve")

    assert signed_in(client) is None and not SocialAccount.objects.exists()


def test_whoever_signed_up_with_anothers_address_gets_nothing_by_waiting(client: Client, identity: Identity) -> None:
    """The attacker signs up with Ada's address and a password of theirs, never proves it, and waits for Ada."""
    attacker = Client()
    attacker.post(reverse("account_signup"), {"email": "ada@example.org", "password1": "attackers-own-9"})
    pretended = User.objects.get()

    assert sign_in(client, OIDC, "ada")["Location"] == "/my/"

    ada = signed_in(client)
    assert ada is not None and ada.pk != pretended.pk and not User.objects.filter(pk=pretended.pk).exists()
    assert not ada.has_usable_password()
    # The page that they kept open leads nowhere: neither a code, nor another address, nor the password.
    page = reverse("account_email_verification_sent")
    attacker.post(page, {"action": "change", "email": "attacker@example.org"})
    attacker.post(page, {"action": "resend"})
    for message in mail.outbox:
        if found := re.search(r"^ {4}(\S+)$", message.body, re.MULTILINE):
            attacker.post(page, {"code": found[1]})
    caches["default"].clear()
    attacker.post(reverse("account_login"), {"login": "ada@example.org", "password": "attackers-own-9"})
    assert "_auth_user_id" not in attacker.session
    assert list(EmailAddress.objects.filter(user=ada).values_list("email", "verified")) == [("ada@example.org", True)]


def test_whoever_chose_a_password_for_anothers_address_loses_it_to_a_code(client: Client) -> None:
    """As above, and Ada asks for a code by e-mail: the password that the attacker chose opens nothing."""
    caches["default"].clear()
    attacker = Client()
    attacker.post(reverse("account_signup"), {"email": "ada@example.org", "password1": "attackers-own-9"})
    asked = client.post(reverse("account_request_login_code"), {"email": "ada@example.org"})
    code = re.search(r"^ {4}(\S+)$", mail.outbox[-1].body, re.MULTILINE)
    assert code

    client.post(asked["Location"], {"code": code[1]})

    ada = signed_in(client)
    assert ada is not None and not ada.has_usable_password()
    caches["default"].clear()
    attacker.post(reverse("account_login"), {"login": "ada@example.org", "password": "attackers-own-9"})
    page = reverse("account_email_verification_sent")
    attacker.post(page, {"action": "change", "email": "attacker@example.org"})
    assert "_auth_user_id" not in attacker.session
    assert not EmailAddress.objects.filter(email="attacker@example.org").exists()


def test_whoever_came_first_by_a_login_that_proved_nothing_loses_it_to_a_code(
    client: Client, identity: Identity
) -> None:
    """Somebody writes Bo's address into their profile and signs up with it. Bo asks for a code by e-mail: the account
    is Bo's from then on, and that login opens it no more."""
    caches["default"].clear()
    attacker = Client()
    sign_in(attacker, FACEBOOK, "bo")
    assert SocialAccount.objects.count() == 1 and signed_in(attacker) is None
    asked = client.post(reverse("account_request_login_code"), {"email": "bo@example.org"})
    code = re.search(r"^ {4}(\S+)$", mail.outbox[-1].body, re.MULTILINE)
    assert code

    client.post(asked["Location"], {"code": code[1]})

    bo = signed_in(client)
    assert bo is not None and not SocialAccount.objects.exists()
    sign_in(attacker, FACEBOOK, "bo")
    assert signed_in(attacker) is None and not SocialAccount.objects.exists()


def test_a_password_stays_when_its_owner_signs_in_by_a_code(client: Client) -> None:
    caches["default"].clear()
    ada = account("ada@example.org")
    asked = client.post(reverse("account_request_login_code"), {"email": "ada@example.org"})
    code = re.search(r"^ {4}(\S+)$", mail.outbox[-1].body, re.MULTILINE)
    assert code
    client.post(asked["Location"], {"code": code[1]})

    ada.refresh_from_db()
    assert signed_in(client) == ada and ada.check_password(PASSWORD)


def test_an_address_that_another_only_added_keeps_nobody_out(client: Client, identity: Identity) -> None:
    mallory = account("mallory@example.org")
    EmailAddress.objects.create(user=mallory, email="ada@example.org", verified=False)

    assert sign_in(client, OIDC, "ada")["Location"] == "/my/"

    ada = signed_in(client)
    assert ada is not None and ada != mallory and ada.email == "ada@example.org"
    assert list(EmailAddress.objects.filter(user=mallory).values_list("email", flat=True)) == ["mallory@example.org"]


def test_an_account_that_somebody_works_with_does_not_give_way(client: Client, identity: Identity) -> None:
    """A treasurer whom the house entered has no proved address yet: the account is theirs all the same."""
    treasurer = factories.user(email="ada@example.org", is_staff=True, password=PASSWORD)

    sign_in(client, OIDC, "ada")

    assert User.objects.get() == treasurer and signed_in(client) is None
    assert not SocialAccount.objects.exists()
    assert [message.to for message in mail.outbox] == [["ada@example.org"]]


def test_the_login_stays_when_the_address_changes_at_the_provider(client: Client, identity: Identity) -> None:
    """What counts is who somebody is there, not which address they have now, be it another's here."""
    identity.order(person={"slug": "nova", "name": "Nova", "email": "nova@example.org"})
    sign_in(client, OIDC, "nova")
    nova = signed_in(client)
    other = account("other@example.org")
    identity.order(person={"slug": "nova", "name": "Nova", "email": "other@example.org"})

    again = Client()
    sign_in(again, OIDC, "nova")

    assert nova is not None and signed_in(again) == nova != other
    assert list(EmailAddress.objects.filter(user=nova).values_list("email", flat=True)) == ["nova@example.org"]
    assert not SocialAccount.objects.filter(user=other).exists()


def test_an_address_that_passed_to_somebody_else_there_joins_nothing(client: Client, identity: Identity) -> None:
    """LiU IDs are given out anew: the next owner of kimli123@student.liu.se is not Kim."""
    sign_in(Client(), LIU, "kim")
    kim = SocialAccount.objects.get()
    namesake = {"slug": "kimmo", "name": "Kimmo", "email": "kimli123@student.liu.se", "liu_id": "kimli123"}
    identity.order(person={**namesake, "lin": "0b7a2f0e-0000-4000-8000-000000000001"})

    answer = sign_in(client, LIU, "kimmo")

    assert answer.status_code == 302 and signed_in(client) is None
    assert SocialAccount.objects.get() == kim
    assert mail.outbox[-1].to == ["kimli123@student.liu.se"]


def test_a_second_step_is_asked_of_whoever_comes_by_a_provider_too(client: Client, identity: Identity) -> None:
    ada = account("ada@example.org")
    Authenticator.objects.create(user=ada, type=Authenticator.Type.TOTP, data={"secret": "JBSWY3DPEHPK3PXP"})

    assert sign_in(client, OIDC, "ada")["Location"] == reverse("mfa_authenticate")

    assert signed_in(client) is None


def test_a_closed_account_stays_closed(client: Client, identity: Identity) -> None:
    account("ada@example.org", is_active=False)

    answer = sign_in(client, OIDC, "ada")

    assert answer["Location"] == reverse("account_inactive") and signed_in(client) is None


def test_a_code_asked_for_by_somebody_else_signs_nobody_in(client: Client, identity: Identity) -> None:
    """Sign-in forgery: the attacker sends their own answer of the provider to Ada's browser."""
    attackers = choose(begin(Client(), OIDC), "bo")

    answer = client.get(attackers)

    assert answer.status_code == 401 and signed_in(client) is None


def test_an_answer_works_once(client: Client, identity: Identity) -> None:
    back = choose(begin(client, OIDC), "ada")
    assert client.get(back)["Location"] == "/my/"
    client.logout()

    assert client.get(back).status_code == 401 and signed_in(client) is None


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "http://[bad", "javascript:alert(1)"])
def test_nobody_is_led_elsewhere(client: Client, identity: Identity, target: str) -> None:
    assert sign_in(client, OIDC, "ada", next=target)["Location"] == "/my/"


def test_signing_in_is_not_begun_by_a_link(client: Client, identity: Identity) -> None:
    page = client.get(f"{OIDC}?process=connect")

    assert page.status_code == 200 and "Refresh" not in page and b"csrfmiddlewaretoken" in page.content
    assert Client(enforce_csrf_checks=True).post(OIDC).status_code == 403


# --- On one's own pages ----------------------------------------------------------------------------------------------


def connections(client: Client, **data: Any) -> str:
    address = reverse("socialaccount_connections")
    return (client.post(address, data, follow=True) if data else client.get(address)).content.decode()


def test_a_login_is_added_and_removed(client: Client, identity: Identity) -> None:
    bo = account("bo@elsewhere.example")
    client.force_login(bo)

    assert sign_in(client, LIU, "kim", process="connect")["Location"] == reverse("socialaccount_connections")

    row = SocialAccount.objects.get()
    assert (row.user, row.provider) == (bo, "liu") and EmailAddress.objects.count() == 1
    page = connections(client)
    assert "kimli123" in page and f'value="{row.pk}"' in page
    assert "LiU" in client.get("/my/account/").content.decode()
    connections(client, account=row.pk)
    assert not SocialAccount.objects.exists()
    assert [message.to for message in mail.outbox] == [["bo@elsewhere.example"]] * 2


def test_a_login_that_opens_another_account_is_not_added(client: Client, identity: Identity) -> None:
    sign_in(Client(), OIDC, "ada")
    bo = account("bo@elsewhere.example")
    client.force_login(bo)

    sign_in(client, OIDC, "ada", process="connect")

    assert SocialAccount.objects.get().user != bo


def test_the_last_way_in_is_not_removed(client: Client, identity: Identity, settings: Any) -> None:
    user = factories.user(email="new@example.org")
    user.set_unusable_password()
    user.save()
    client.force_login(user)
    first = SocialAccount.objects.create(user=user, provider="uni", uid="1")

    connections(client, account=first.pk)
    assert SocialAccount.objects.count() == 1
    second = SocialAccount.objects.create(user=user, provider="gone", uid="2")  # its keys were taken away
    connections(client, account=first.pk)
    assert SocialAccount.objects.count() == 2
    connections(client, account=second.pk)
    assert SocialAccount.objects.get() == first
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    connections(client, account=first.pk)
    assert not SocialAccount.objects.exists()


def test_nobody_removes_anothers_login(client: Client, identity: Identity) -> None:
    theirs = SocialAccount.objects.create(user=account("a@example.org"), provider="uni", uid="1")
    client.force_login(account("b@example.org"))

    connections(client, account=theirs.pk)

    assert SocialAccount.objects.get() == theirs
