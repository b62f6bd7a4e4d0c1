"""Signing in through a provider, over HTTP and with the libraries' own code: who gets in, as whom, what is kept."""

from __future__ import annotations

from typing import Any

import environ
import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialToken
from config import doctor, logins
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from tests.identity.client import Identity, begin, choose, sign_in

pytestmark = pytest.mark.django_db

OIDC = "/accounts/oidc/uni/login/"
LIU = "/accounts/liu/login/"
BUTTONS = {"liu": LIU, "uni": OIDC, "google": "/accounts/google/login/", "github": "/accounts/github/login/"}


def signed_in(client: Client) -> User | None:
    key = client.session.get("_auth_user_id")
    return User.objects.get(pk=key) if key else None


def test_a_button_stands_where_keys_are_set(client: Client, identity: Identity, settings: Any) -> None:
    page = client.get(reverse("account_login")).content.decode()

    assert [name for name in ("liu", "uni", "google", "facebook", "github") if f'data-provider="{name}"' in page] == [
        "liu", "uni", "google", "facebook", "github"
    ]  # fmt: skip
    settings.SOCIALACCOUNT_PROVIDERS = {"liu": identity.providers["liu"]}
    page = client.get(reverse("account_login")).content.decode()
    assert page.count("data-provider=") == 1 and 'data-provider="liu"' in page
    assert client.post(BUTTONS["google"]).status_code == 404
    assert client.get(OIDC).status_code == 404
    settings.SOCIALACCOUNT_PROVIDERS = {}
    assert "data-provider" not in client.get(reverse("account_login")).content.decode()


@pytest.mark.parametrize(
    ("button", "person", "provider", "email", "name"),
    [
        (OIDC, "ada", "uni", "ada@example.org", "Ada Exempelsson"),
        (LIU, "kim", "liu", "kimli123@student.liu.se", "Kim Lintekson"),
        (BUTTONS["google"], "ada", "google", "ada@example.org", "Ada Exempelsson"),
        (BUTTONS["github"], "ada", "github", "ada@example.org", "Ada Exempelsson"),
    ],
    ids=["oidc", "liu", "google", "github"],
)
def test_a_stranger_gets_an_account_and_comes_back(
    client: Client, identity: Identity, button: str, person: str, provider: str, email: str, name: str
) -> None:
    answer = sign_in(client, button, person, next="/sv/events/?here=1")

    assert (answer.status_code, answer.get("Location")) == (302, "/sv/events/?here=1"), answer.content.decode()[:3000]
    user = signed_in(client)
    assert user is not None and (user.email, user.name) == (email, name)
    assert not user.has_usable_password()
    assert list(EmailAddress.objects.values_list("email", "verified", "primary")) == [(email, True, True)]
    assert list(SocialAccount.objects.values_list("provider", "user_id")) == [(provider, user.pk)]
    assert not SocialToken.objects.exists() and mail.outbox == []

    other = Client()
    assert sign_in(other, button, person)["Location"] == "/my/"
    assert signed_in(other) == user and User.objects.count() == 1


def test_what_is_kept_is_what_memberships_ask_for(client: Client, identity: Identity) -> None:
    sign_in(client, LIU, "kim")
    kim = SocialAccount.objects.get()
    assert kim.extra_data == {
        "liu_id": "kimli123",
        "norEduPersonLIN": kim.uid,
        "eduPersonPrimaryAffiliation": "student",
        "studentUnion": "LinTek",
    }
    for button in (OIDC, BUTTONS["google"], BUTTONS["github"]):
        sign_in(Client(), button, "ada")
    assert [row.extra_data for row in SocialAccount.objects.exclude(pk=kim.pk)] == [{}, {}, {}]


def test_facebook_proves_no_address_so_a_code_does(client: Client, identity: Identity) -> None:
    answer = sign_in(client, "/accounts/facebook/login/", "ada", next="/sv/")

    assert answer["Location"].startswith(reverse("account_email_verification_sent"))
    assert signed_in(client) is None
    assert mail.outbox[0].to == ["ada@example.org"]
    code = next(line.strip() for line in mail.outbox[0].body.splitlines() if line.startswith("    "))
    assert client.post(answer["Location"], {"code": code})["Location"] == "/sv/"
    assert signed_in(client) is not None
    assert EmailAddress.objects.get().verified


def test_whoever_turns_back_is_told_and_may_go_another_way(client: Client, identity: Identity) -> None:
    answer = client.get(choose(begin(client, OIDC, next="/sv/events/?type=2"), ""), follow=True)

    page = answer.content.decode()
    assert answer.status_code == 200 and signed_in(client) is None
    assert "utan att logga in" in page and 'name="next" value="/sv/events/?type=2"' in page


# --- Settings --------------------------------------------------------------------------------------------------------


def table(monkeypatch: pytest.MonkeyPatch, *, is_production: bool = False, **values: str) -> dict[str, Any]:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return logins.providers(environ.Env(), "https://foyer.example", is_production=is_production)


def test_what_is_set_up_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert table(monkeypatch) == {}
    found = table(
        monkeypatch,
        is_production=True,
        GOOGLE_CLIENT_ID="g",
        GOOGLE_CLIENT_SECRET="s",
        LIU_CLIENT_ID="l",
        OIDC_LOGINS="the-uni",
        OIDC_THE_UNI_ISSUER="https://id.example/",
        OIDC_THE_UNI_CLIENT_ID="o",
        OIDC_THE_UNI_NAME="The University",
        OIDC_THE_UNI_CLAIMS="member,groups",
        OIDC_THE_UNI_VOUCHES_FOR="example.edu",
    )

    assert list(found) == ["liu", "openid_connect", "google"]
    (liu,) = found["liu"]["APPS"]
    assert (liu["settings"]["url"], liu["settings"]["resource"]) == ("https://fs.liu.se", "https://foyer.example")
    (university,) = found["openid_connect"]["APPS"]
    assert (university["provider_id"], university["name"]) == ("the-uni", "The University")
    assert university["settings"] == {
        "server_url": "https://id.example",
        "claims": ["member", "groups"],
        "email_authentication": True,
        "oauth_pkce_enabled": True,
        "verified_email": ["example.edu"],
    }


@pytest.mark.parametrize(
    "values",
    [
        {"GOOGLE_CLIENT_ID": "without a secret"},
        {"OIDC_LOGINS": "liu", "OIDC_LIU_ISSUER": "https://a.example", "OIDC_LIU_CLIENT_ID": "c"},
        {"OIDC_LOGINS": "a b", "OIDC_A B_ISSUER": "https://a.example"},
        {"OIDC_LOGINS": "uni"},
        {"LIU_CLIENT_ID": "l", "LIU_URL": "http://127.0.0.1:9400"},
        {"OIDC_LOGINS": "uni", "OIDC_UNI_ISSUER": "http://id.example", "OIDC_UNI_CLIENT_ID": "c"},
    ],
    ids=["no secret", "a taken name", "no word", "no issuer", "the stand-in", "without https"],
)
def test_production_refuses_what_is_not_whole(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    with pytest.raises(ImproperlyConfigured):
        table(monkeypatch, is_production=True, **values)


def test_an_issuer_may_vouch_for_its_own_domain(client: Client, identity: Identity, settings: Any) -> None:
    providers = identity.providers
    providers["openid_connect"]["APPS"][0]["settings"]["verified_email"] = ["university.example"]
    settings.SOCIALACCOUNT_PROVIDERS = providers
    for slug, domain in (("in", "university.example"), ("out", "elsewhere.example")):
        identity.order(person={"slug": slug, "name": slug, "email": f"x@{domain}", "email_verified": None})

    assert sign_in(client, OIDC, "in")["Location"] == "/my/"
    assert sign_in(Client(), OIDC, "out")["Location"] == reverse("account_email_verification_sent")


def test_doctor_says_which_logins_answer(identity: Identity, settings: Any) -> None:
    found = {finding.subject: (finding.level, finding.what) for finding in doctor.logins()}
    assert {subject: level for subject, (level, _what) in found.items()} == {
        "login with LiU": "ok",
        "login with Universitetet": "ok",
        "login with Google": "ok",
        "login with Facebook": "ok",
        "login with GitHub": "ok",
    }
    identity.order(trouble="no_keys")
    providers = identity.providers
    providers["openid_connect"]["APPS"][0]["settings"]["server_url"] = "http://127.0.0.1:9"
    settings.SOCIALACCOUNT_PROVIDERS = providers
    levels = {finding.subject: finding.level for finding in doctor.logins()}
    assert levels["login with LiU"] == levels["login with Universitetet"] == "FAIL"
    assert "secret" not in " ".join(finding.what + finding.remedy for finding in doctor.logins())
    settings.SOCIALACCOUNT_PROVIDERS = {}
    assert [finding.level for finding in doctor.logins()] == ["ok"]
