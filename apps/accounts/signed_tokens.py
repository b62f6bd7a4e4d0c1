"""Reading what a provider has signed: the keys it publishes, asked for again when it signs with a new one.

A token is believed when it carries the signature of one of those keys, was issued by whom we asked, for us, and now.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jwt
import requests
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

# Keys are public: whoever holds one can check, not sign. A shared secret would let the house sign for the provider.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
CLOCKS_APART_SECONDS = 60
OLD_AFTER_SECONDS = 6 * 3600
ASKED_AGAIN_AFTER_SECONDS = 30.0  # for a key that nobody has seen; else a stranger's tokens would have us ask each time
TRIED_AGAIN_AFTER_SECONDS = 5.0
MOST_KEYS = 50
ONLY_KEY = ""  # the key of a provider that has a single one: then a token need not name it (OpenID Connect Core, 10.1)

PublicKeys = Mapping[str, Any]


class BadToken(OAuth2Error):
    """A token that is not believed. Its text is for the log."""


class Keys:
    """The keys of one provider by their ids, as `read` tells them. Kept in this process, for all its threads."""

    def __init__(self, read: Callable[[], PublicKeys]) -> None:
        self._read = read
        self._keys: PublicKeys = {}
        self._old_from = self._asked_from = 0.0
        self._lock = threading.Lock()

    def find(self, key_id: str) -> Any:
        """The key called `key_id`. One that is unknown makes us ask again, not more often than twice a minute; while
        the provider does not answer, the keys it told last are believed. Raises BadToken, or RequestException."""
        with self._lock:
            now = time.monotonic()
            if (key_id not in self._keys or now > self._old_from) and now >= self._asked_from:
                self._ask(key_id, now)
            if key_id not in self._keys:
                raise BadToken("It is signed with a key that the provider does not publish")
            return self._keys[key_id]

    def renew(self) -> bool:
        """Ask again, for a signature that no known key made and that names none. Whether the time had come to ask."""
        with self._lock:
            now = time.monotonic()
            if now < self._asked_from:
                return False
            self._ask(ONLY_KEY, now)
            return True

    def _ask(self, key_id: str, now: float) -> None:
        self._asked_from = now + TRIED_AGAIN_AFTER_SECONDS
        try:
            self._keys = dict(list(self._read().items())[:MOST_KEYS])
        except (requests.RequestException, ValueError, KeyError, TypeError, AttributeError):
            if key_id not in self._keys:
                raise
            return
        self._asked_from = now + ASKED_AGAIN_AFTER_SECONDS
        self._old_from = now + OLD_AFTER_SECONDS


def decode(token: str, keys: Keys, *, issuer: str, audience: str) -> dict[str, Any]:
    """What a signed token (JWT) says. Raises BadToken when it is not believed, RequestException when no key was had."""
    try:
        header = jwt.get_unverified_header(token)
        key_id = header.get("kid") or header.get("x5t") or ONLY_KEY  # older ADFS names its certificate only
        if not isinstance(key_id, str) or header.get("alg") not in ALGORITHMS:
            raise BadToken("It is not signed as it should be")
        wanted: dict[str, Any] = {"algorithms": [header["alg"]], "issuer": issuer, "audience": audience}
        wanted |= {"leeway": CLOCKS_APART_SECONDS, "options": {"require": ["exp", "iat", "iss", "aud"]}}
        try:
            return jwt.decode(token, keys.find(key_id), **wanted)
        except jwt.InvalidSignatureError:
            if key_id != ONLY_KEY or not keys.renew():
                raise
            return jwt.decode(token, keys.find(key_id), **wanted)
    except (jwt.PyJWTError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise BadToken(f"{type(error).__name__}: {error}") from error


def keys_of_set(told: Mapping[str, Any]) -> dict[str, Any]:
    """The signing keys of a JSON Web Key Set (RFC 7517) by `kid`, and by `x5t` where it names a certificate."""
    found: dict[str, Any] = {}
    signing: list[Any] = []
    for entry in told["keys"]:
        if entry.get("use", "sig") != "sig" or entry.get("kty") not in ("RSA", "EC"):
            continue
        algorithm = jwt.algorithms.RSAAlgorithm if entry["kty"] == "RSA" else jwt.algorithms.ECAlgorithm
        key = algorithm.from_jwk(json.dumps(entry))
        signing.append(key)
        found |= {entry[name]: key for name in ("kid", "x5t") if isinstance(entry.get(name), str)}
    return {**found, ONLY_KEY: signing[0]} if len(signing) == 1 else found


def keys_of_certificates(certificates: Sequence[str]) -> dict[str, Any]:
    """The keys of certificates (base64 of DER) by their thumbprint: `x5t` of RFC 7515, which ADFS uses as `kid`."""
    found: dict[str, Any] = {}
    for text in certificates:
        certificate = x509.load_der_x509_certificate(base64.b64decode("".join(text.split())))
        digest = hashlib.sha1(certificate.public_bytes(Encoding.DER)).digest()
        found[base64.urlsafe_b64encode(digest).rstrip(b"=").decode()] = certificate.public_key()
    return found
