"""The leaves everything hangs on: keyring, blind index, normalised addresses, registries."""

from __future__ import annotations

import base64
import os

import pytest
from cryptography.exceptions import InvalidTag
from django.db import connection

from apps.accounts import keyring
from apps.accounts.ids import SPOKEN, new_reference, new_secret, new_short_code
from apps.accounts.registry import AlreadyRegistered, Registry


class Entry:
    def __init__(self, slug: str) -> None:
        self.slug = slug


def _key(name: str) -> str:
    return f"{name}:{base64.urlsafe_b64encode(os.urandom(32)).decode()}"


def test_keyring_encrypts_with_the_newest_key_and_reads_with_all(settings) -> None:
    old, new = _key("k1"), _key("k2")
    settings.FOYER_KEYS = old
    sealed_before = keyring.encrypt("19840112-1234")

    settings.FOYER_KEYS = f"{new},{old}"
    sealed_after = keyring.encrypt("19840112-1234")

    assert [text.split(".")[1] for text in (sealed_before, sealed_after)] == ["k1", "k2"]
    assert keyring.decrypt(sealed_before) == keyring.decrypt(sealed_after) == "19840112-1234"
    assert "1984" not in sealed_before + sealed_after
    assert keyring.encrypt("x") != keyring.encrypt("x")  # a fresh nonce each time


def test_keyring_says_which_key_is_missing(settings) -> None:
    settings.FOYER_KEYS = _key("k1")
    sealed = keyring.encrypt("secret")
    settings.FOYER_KEYS = _key("k2")

    with pytest.raises(keyring.UnknownKey, match="k1"):
        keyring.decrypt(sealed)


def test_keyring_refuses_what_was_altered(settings) -> None:
    first, second = _key("k1"), _key("k2")
    settings.FOYER_KEYS = f"{first},{second}"
    sealed = keyring.encrypt("secret")
    flipped = sealed[:-2] + ("A" if sealed[-2] != "A" else "B") + sealed[-1]

    for altered in (flipped, sealed.replace(".k1.", ".k2.")):
        with pytest.raises(InvalidTag):
            keyring.decrypt(altered)


@pytest.mark.parametrize("keys", ["", "k1", "k1:short", ":" + base64.b64encode(bytes(32)).decode()])
def test_keyring_refuses_keys_that_are_none(settings, keys: str) -> None:
    settings.FOYER_KEYS = keys

    with pytest.raises(ValueError, match="FOYER_KEYS"):
        keyring.keys()


def test_encrypted_field_stores_ciphertext_only(db) -> None:
    from apps.ticketing import clock
    from apps.ticketing.models import SigningKey

    row = SigningKey.objects.create(key_id=1, private_key="very secret", public_key="p", created_at=clock.now())

    with connection.cursor() as cursor:
        cursor.execute("SELECT private_key FROM ticketing_signingkey WHERE id = %s", [row.pk])
        (stored,) = cursor.fetchone()
    assert stored.startswith("enc1.") and "secret" not in stored
    row.refresh_from_db()
    assert row.private_key == "very secret"


def test_blind_index_tells_values_and_kinds_apart_and_needs_its_key(settings) -> None:
    values = {keyring.blind_index("email", "a@x.se"), keyring.blind_index("email", "b@x.se")}
    assert len(values | {keyring.blind_index("card", "a@x.se")}) == 3
    assert keyring.blind_index("email", "a@x.se") in values
    assert all(len(value) == 64 and "a@x" not in value for value in values)

    settings.FOYER_INDEX_KEY = "another"
    assert keyring.blind_index("email", "a@x.se") not in values


@pytest.mark.parametrize(
    ("written", "counted"),
    [
        ("Alva@Example.ORG", "alva@example.org"),
        ("  alva@example.org ", "alva@example.org"),
        ("alva+fest@example.org", "alva@example.org"),
        ("alva+a+b@example.org", "alva@example.org"),
        ("al.va@example.org", "al.va@example.org"),  # providers differ on dots
        ("ａｌｖａ@example.org", "alva@example.org"),  # full-width letters
        ("åsa@exämple.se", "åsa@exämple.se"),
        ('"a+b"@example.org', '"a@example.org'),
    ],
)
def test_addresses_are_counted_under_one_form(written: str, counted: str) -> None:
    assert keyring.normalise_email(written) == counted
    assert keyring.normalise_email(counted) == counted


def test_registry_refuses_a_slug_twice_and_forgets_what_was_temporary() -> None:
    registry: Registry[Entry] = Registry("tests.entries")
    first = registry.register(Entry("first"))

    with pytest.raises(AlreadyRegistered, match="first"):
        registry.register(Entry("first"))
    with registry.temporarily(Entry("second")) as second:
        assert list(registry) == [first, second]
        with pytest.raises(AlreadyRegistered), registry.temporarily(Entry("second")):
            pytest.fail("a slug was taken twice")
        assert "second" in registry
    assert (list(registry), "second" in registry, registry.get("first")) == ([first], False, first)
    with pytest.raises(KeyError):
        registry.get("second")


def test_names_for_strangers_are_long_or_plain_enough() -> None:
    references = {new_reference() for _ in range(500)}
    codes = {new_short_code() for _ in range(500)}

    assert len(references) == 500 and all(len(text) == 8 and set(text) <= set(SPOKEN) for text in references)
    assert len(codes) > 490 and all(len(text) == 6 and set(text) <= set(SPOKEN) for text in codes)
    assert all(len(new_secret()) >= 32 for _ in range(10))  # 192 bits
    assert not set("0O1IL2Z5S8BUV") & set(SPOKEN)
