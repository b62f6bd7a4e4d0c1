"""Secrets at rest: the keyring that encrypts fields, and the blind index that finds a person without storing them.

`FOYER_KEYS` holds `id:base64` pairs. The first key encrypts, every key decrypts, and each ciphertext names its key, so
a key is rotated by putting a new one in front and re-saving. `FOYER_INDEX_KEY` is never rotated: limits per person
compare values made with it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import models

PREFIX = "enc1"


class UnknownKey(Exception):
    """A stored secret names a key that is not on the keyring. Put the old key back into FOYER_KEYS."""


@lru_cache(maxsize=8)
def _parse(text: str) -> tuple[tuple[str, bytes], ...]:
    pairs = []
    for part in text.split(","):
        key_id, _, encoded = part.strip().partition(":")
        try:
            key = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        except ValueError:
            key = b""
        if not key_id or len(key) != 32:
            raise ValueError("FOYER_KEYS takes id:base64 pairs of 32 bytes each, separated by commas.")
        pairs.append((key_id, key))
    return tuple(pairs)


def keys() -> tuple[tuple[str, bytes], ...]:
    """The keyring, newest first."""
    return _parse(settings.FOYER_KEYS)


def encrypt(plain: str) -> str:
    """`enc1.<key id>.<nonce and ciphertext>`, AES-256-GCM with the newest key. The key id is authenticated too."""
    key_id, key = keys()[0]
    nonce = os.urandom(12)
    sealed = AESGCM(key).encrypt(nonce, plain.encode(), key_id.encode())
    return f"{PREFIX}.{key_id}.{base64.urlsafe_b64encode(nonce + sealed).decode().rstrip('=')}"


def decrypt(sealed: str) -> str:
    """The text behind `encrypt`. Raises UnknownKey, or cryptography's InvalidTag when the value was altered."""
    _, key_id, encoded = sealed.split(".", 2)
    key = dict(keys()).get(key_id)
    if key is None:
        raise UnknownKey(key_id)
    raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    return AESGCM(key).decrypt(raw[:12], raw[12:], key_id.encode()).decode()


def blind_index(kind: str, value: str) -> str:
    """A keyed hash that tells equal values apart from others and gives nothing else away (64 hex digits)."""
    return hmac.new(settings.FOYER_INDEX_KEY.encode(), f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()


def normalise_email(email: str) -> str:
    """The form of an address under which limits count: trimmed, lower case, no `+tag`, in NFKC.

    Providers differ on dots, so dots stay. RFC 5321 lets the local part be case-sensitive; no large provider does.
    """
    import unicodedata

    local, _, domain = unicodedata.normalize("NFKC", email).strip().lower().rpartition("@")
    return f"{local.split('+', 1)[0]}@{domain}"


class EncryptedTextField(models.TextField):
    """A text column that holds ciphertext only. It cannot be searched; keep a blind index beside it for that."""

    def from_db_value(self, value: str | None, expression: object, connection: object) -> str | None:
        return decrypt(value) if value else value

    def get_prep_value(self, value: str | None) -> str | None:
        value = super().get_prep_value(value)
        return encrypt(value) if value else value
