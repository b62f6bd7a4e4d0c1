"""Providers that are slow, dead, or say what cannot be believed: nobody gets in, and a page says what to do."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
import requests
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from apps.accounts import signed_tokens, social
from apps.accounts.liu import keys
from apps.accounts.models import User
from apps.accounts.privacy import fields
from tests.accounts.test_providers import LIU, OIDC, signed_in
from tests.identity.client import Identity, sign_in
from tests.identity.signing import SigningKey

pytestmark = pytest.mark.django_db

OF_ANY = fields("expired from_tomorrow wrong_audience unknown_key bad_signature server_error not_json wrong_shape")
OF_LIU = OF_ANY | fields("wrong_issuer no_lin no_keys")


@pytest.mark.parametrize(
    ("button", "person", "trouble"),
    [(LIU, "kim", trouble) for trouble in sorted(OF_LIU)] + [(OIDC, "ada", trouble) for trouble in sorted(OF_ANY)],
)
def test_nobody_gets_in_by_what_cannot_be_believed(
    client: Client, identity: Identity, button: str, person: str, trouble: str
) -> None:
    identity.order(trouble=trouble)

    answer = sign_in(client, button, person, next="/sv/events/")

    assert answer.status_code == 401, trouble
    page = answer.content.decode()
    assert "?next=/sv/events/" in page
    assert signed_in(client) is None and not User.objects.exists() and not SocialAccount.objects.exists()

    identity.order(clear=True)
    keys.keys_at(identity.url)._asked_from = 0.0  # half a minute later
    assert sign_in(client, button, person)["Location"] == "/my/"


@pytest.mark.parametrize(("button", "person"), [(LIU, "kim"), (OIDC, "ada")])
def test_a_provider_that_hangs_is_given_up(
    client: Client, identity: Identity, monkeypatch: pytest.MonkeyPatch, button: str, person: str
) -> None:
    monkeypatch.setattr(social, "READ_SECONDS", 0.3)
    identity.order(trouble="hang", times=1, seconds=2)
    begun = time.monotonic()

    answer = sign_in(client, button, person)

    assert answer.status_code == 401 and time.monotonic() - begun < 1.9
    assert sign_in(client, button, person)["Location"] == "/my/"


def test_a_dead_provider_is_said_so(client: Client, identity: Identity, settings: Any) -> None:
    providers = identity.providers
    providers["openid_connect"]["APPS"][0]["settings"]["server_url"] = "http://127.0.0.1:9"
    settings.SOCIALACCOUNT_PROVIDERS = providers

    answer = client.post(OIDC, {"next": "/sv/events/"})

    page = answer.content.decode()
    assert answer.status_code == 401 and "Universitetet" in page and "?next=/sv/events/" in page


def test_an_answer_without_end_is_given_up(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(social, "MOST_BYTES", 100)

    with pytest.raises(requests.RequestException):
        social.ProviderSession().get(f"{identity.url}/oidc/.well-known/openid-configuration")


def test_an_answer_that_leads_elsewhere_counts_too(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"{identity.url}/oidc/.well-known/openid-configuration"
    monkeypatch.setattr(social, "MOST_BYTES", 1_500)  # more than the metadata, less than what leads to it

    identity.order(trouble="long_way", times=1)
    with pytest.raises(requests.ReadTimeout):
        social.ProviderSession().get(address)
    assert social.ProviderSession().get(address).json()["issuer"] == f"{identity.url}/oidc"

    monkeypatch.setattr(social, "MOST_BYTES", 5_000)
    identity.order(trouble="long_way", times=1)
    assert social.ProviderSession().get(address).status_code == 200


def test_what_is_posted_goes_nowhere_else(identity: Identity) -> None:
    identity.order(trouble="long_way", times=1)

    answer = social.ProviderSession().post(f"{identity.url}/oidc/token", data={"client_secret": "s"})

    assert (answer.status_code, answer.history) == (302, [])


# --- LiU's certificates ----------------------------------------------------------------------------------------------


def test_a_new_certificate_is_asked_for_at_once(client: Client, identity: Identity) -> None:
    sign_in(Client(), LIU, "kim")
    before = identity.order(rotate=True)["key_questions"]

    found = keys.keys_at(identity.url)
    found._asked_from = 0.0
    assert sign_in(client, LIU, "kim")["Location"] == "/my/"
    assert sign_in(Client(), LIU, "robin")["Location"] == "/my/"

    assert identity.order()["key_questions"] == before + 1


def test_tokens_with_unknown_keys_do_not_make_us_ask_each_time(client: Client, identity: Identity) -> None:
    sign_in(Client(), LIU, "kim")
    before = identity.order(trouble="unknown_key")["key_questions"]

    statuses = [sign_in(Client(), LIU, "kim").status_code for _ in range(5)]

    assert statuses == [401] * 5
    assert identity.order()["key_questions"] == before


def test_keys_are_believed_while_the_provider_does_not_tell_them(client: Client, identity: Identity) -> None:
    sign_in(Client(), LIU, "kim")
    identity.order(trouble="no_keys")
    found = keys.keys_at(identity.url)
    found._old_from = found._asked_from = 0.0  # seven hours later

    assert sign_in(client, LIU, "kim")["Location"] == "/my/"


def test_an_older_adfs_tells_its_certificates_in_the_metadata(client: Client, identity: Identity) -> None:
    identity.order(trouble="old_adfs")

    assert sign_in(client, LIU, "kim")["Location"] == "/my/"


@pytest.mark.parametrize(
    "document",
    [b"<html>", b"", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b"<a/>"],
    ids=["html", "empty", "entities", "no certificate"],
)
def test_metadata_that_makes_no_sense_names_no_key(document: bytes) -> None:
    with pytest.raises(ValueError):
        keys.signing_certificates(document)


def test_a_token_need_not_name_the_only_key() -> None:
    """An issuer with one key may leave its name out, and replace it all the same."""
    first, second = SigningKey(1), SigningKey(2)
    published = [first]
    found = signed_tokens.Keys(lambda: signed_tokens.keys_of_set({"keys": [key.entry for key in published]}))
    claims = {"iss": "i", "aud": "a", "iat": int(time.time()), "exp": int(time.time()) + 60, "sub": "ada"}

    def read(key: SigningKey) -> str:
        token = jwt.encode(claims, key.private, algorithm="RS256")
        return signed_tokens.decode(token, found, issuer="i", audience="a")["sub"]

    assert read(first) == "ada"
    with pytest.raises(signed_tokens.BadToken):
        read(second)
    published[:] = [second]
    found._asked_from = 0.0  # half a minute later
    assert read(second) == "ada"
    with pytest.raises(signed_tokens.BadToken):
        read(first)
    published[:] = [first, second]
    found._asked_from = found._old_from = 0.0
    with pytest.raises(signed_tokens.BadToken):
        read(first)


def test_a_token_that_the_house_could_have_made_is_no_proof() -> None:
    """`none`, and a shared secret, are no signatures here."""
    claims = {"iss": "i", "aud": "a", "iat": int(time.time()), "exp": int(time.time()) + 60}
    found = signed_tokens.Keys(lambda: {"k": b"0123456789abcdef0123456789abcdef"})
    for algorithm, key in (("none", None), ("HS256", "0123456789abcdef0123456789abcdef")):
        token = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "k"})
        with pytest.raises(signed_tokens.BadToken):
            signed_tokens.decode(token, found, issuer="i", audience="a")
