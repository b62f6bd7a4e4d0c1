"""The signed code on a ticket: which ticket, which version of it, and a signature no one else can make.

A phone at the door verifies it without network. It says nothing about a person. 84 bytes:

    format version (1) · key id (1) · ticket's public id (16) · credential version (2) · Ed25519 signature (64)

written in base45, 126 characters, a QR code of version 6. Several keys may verify at once; the newest signs. A private
key is stored sealed by the keyring and leaves the server never.
"""

from __future__ import annotations

import struct
import time
import uuid
from dataclasses import dataclass

import segno
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.db import connection, transaction
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from apps.ticketing import base45, clock
from apps.ticketing.models import SigningKey, Ticket

FORMAT = 1
_BODY = struct.Struct(">BB16sH")
_SIGNATURE_BYTES = 64
KEYS_KEPT_SECONDS = 30.0
REREAD_SECONDS = 1.0
LAST_KEY_ID = 255
# Serialises rotations; any number nobody else uses.
_ROTATION_LOCK = 0x464F5945


class Forged(Exception):
    """The code was not made by us, or by a key that is retired. Nothing is known about its ticket."""


class UnknownKey(Forged):
    """The code names a key we do not hold: a phone whose keys are old asks the server before it says no."""


class NoKeyIdLeft(Exception):
    """All 255 key ids are used. Retired keys cannot be used again: old codes would name the wrong key."""


@dataclass(frozen=True)
class Claim:
    """What a genuine code says. The ticket may still be revoked, used, or replaced by a newer version."""

    ticket: uuid.UUID
    version: int
    key_id: int


@dataclass(frozen=True)
class _Keys:
    signer: tuple[int, Ed25519PrivateKey] | None
    public: dict[int, Ed25519PublicKey]
    read_at: float


_kept: _Keys | None = None


def sign(ticket: Ticket) -> str:
    """The code of a ticket: the same for the same version, so that a page and a paper agree.

    Makes the house's first key when there is none yet.
    """
    keys = _keys()
    if keys.signer is None:
        rotate(only_if_none=True)
        forget_keys()
        keys = _keys()
        assert keys.signer is not None
    key_id, private = keys.signer
    body = _BODY.pack(FORMAT, key_id, ticket.public_id.bytes, ticket.credential_version)
    return base45.encode(body + private.sign(body))


def verify(code: str) -> Claim:
    """What a code claims, if we made it. Raises Forged (UnknownKey when it may be a key of ours that is new).

    Says nothing about the ticket's state: next, checkin.scans compares the version and moves the ticket.
    """
    try:
        raw = base45.decode(code)
    except ValueError as error:
        raise Forged("not base45") from error
    if len(raw) != _BODY.size + _SIGNATURE_BYTES or raw[0] != FORMAT:
        raise Forged("not our format")
    body, signature = raw[: _BODY.size], raw[_BODY.size :]
    _format, key_id, ticket, version = _BODY.unpack(body)
    public = _keys().public.get(key_id) or _keys(fresh=True).public.get(key_id)
    if public is None:
        raise UnknownKey(str(key_id))
    try:
        public.verify(signature, body)
    except InvalidSignature as error:
        raise Forged("wrong signature") from error
    return Claim(uuid.UUID(bytes=ticket), version, key_id)


def public_keys() -> dict[int, str]:
    """{key id: public key in hex} of every key that verifies now, for the phones at the door."""
    return dict(SigningKey.objects.filter(retired_at__isnull=True).values_list("key_id", "public_key"))


def rotate(*, retire_older: bool = False, only_if_none: bool = False) -> SigningKey:
    """Make a new key that signs from now on. Codes made before go on to verify, unless `retire_older`.

    Rotations wait for each other. Other processes notice within 30 seconds. Raises NoKeyIdLeft.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ROTATION_LOCK])
        newest = SigningKey.objects.first()
        if only_if_none and newest is not None and newest.retired_at is None:
            return newest
        key_id = newest.key_id + 1 if newest else 1
        if key_id > LAST_KEY_ID:
            raise NoKeyIdLeft
        at = clock.now()
        if retire_older:
            SigningKey.objects.filter(retired_at__isnull=True).update(retired_at=at)
        private = Ed25519PrivateKey.generate()
        key = SigningKey.objects.create(
            key_id=key_id,
            private_key=private.private_bytes_raw().hex(),
            public_key=private.public_key().public_bytes_raw().hex(),
            created_at=at,
        )
    forget_keys()
    return key


def forget_keys() -> None:
    """Read the keys anew at the next use."""
    global _kept
    _kept = None


def _keys(*, fresh: bool = False) -> _Keys:
    """The keys in force, read every 30 seconds; `fresh` reads them anew, yet at most once a second, so that a stream of
    codes with made-up key ids does not become a stream of queries."""
    global _kept
    kept = _kept
    if kept and time.monotonic() - kept.read_at < (REREAD_SECONDS if fresh else KEYS_KEPT_SECONDS):
        return kept
    rows = list(SigningKey.objects.filter(retired_at__isnull=True))
    signer = None
    if rows:
        signer = rows[0].key_id, Ed25519PrivateKey.from_private_bytes(bytes.fromhex(rows[0].private_key))
    public = {row.key_id: Ed25519PublicKey.from_public_bytes(bytes.fromhex(row.public_key)) for row in rows}
    _kept = kept = _Keys(signer, public, time.monotonic())
    return kept


def qr_svg(code: str, *, title: str) -> SafeString:
    """The code as an SVG picture to put into a page: black on white with the four modules of quiet zone that readers
    need, no inline style, and `title` for whoever does not see it."""
    picture = segno.make(code, error="m", boost_error=False, micro=False)
    svg = picture.svg_inline(border=4, omitsize=True, dark="#000", light="#fff", svgclass="qr", lineclass=None)
    opening, rest = svg.split(">", 1)
    return mark_safe(f'{opening} role="img"><title>{escape(title)}</title>{rest}')
