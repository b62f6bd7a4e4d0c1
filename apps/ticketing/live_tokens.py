"""Passes to the live stream: they name an order and its event until a moment, and nobody can make them up.

The streaming process knows neither cookies nor the database; a pass is all it asks for. No Django in here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

VALID_SECONDS = 12 * 60 * 60
# In a pass to hear of an event's sale alone, for whoever has no order.
NO_ORDER = uuid.UUID(int=0)
_FACTS = struct.Struct(">16s16sI")
_SIGNATURE_BYTES = 16


class Forged(Exception):
    """Not one of our passes, or altered on its way."""


class Expired(Exception):
    """One of ours, but its time is over; a reloaded order page carries a fresh one."""


@dataclass(frozen=True)
class Pass:
    """What a pass says: whose result and which event's progress may be heard, until when (Unix seconds)."""

    order: uuid.UUID
    event: uuid.UUID
    expires_at: int


def secret_from(environment: Mapping[str, str]) -> str:
    """The key under the passes: `LIVE_SECRET`, else derived from `SECRET_KEY` as in settings. Raises KeyError."""
    given = environment.get("LIVE_SECRET", "")
    return given or hashlib.sha256(b"live:" + environment["SECRET_KEY"].encode()).hexdigest()


def make(order: uuid.UUID, event: uuid.UUID, *, expires_at: int, secret: str) -> str:
    """A pass as 70 characters that fit into a path."""
    facts = _FACTS.pack(order.bytes, event.bytes, expires_at)
    return base64.urlsafe_b64encode(facts + _sign(facts, secret)).decode().rstrip("=")


def read(token: str, *, secret: str, at: float) -> Pass:
    """The facts of a pass at the Unix time `at`. Raises Forged or Expired."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise Forged from error
    if len(raw) != _FACTS.size + _SIGNATURE_BYTES:
        raise Forged
    facts, signature = raw[: _FACTS.size], raw[_FACTS.size :]
    if not hmac.compare_digest(signature, _sign(facts, secret)):
        raise Forged
    order, event, expires_at = _FACTS.unpack(facts)
    if at >= expires_at:
        raise Expired
    return Pass(order=uuid.UUID(bytes=order), event=uuid.UUID(bytes=event), expires_at=expires_at)


def _sign(facts: bytes, secret: str) -> bytes:
    return hmac.new(secret.encode(), b"live-pass:" + facts, hashlib.sha256).digest()[:_SIGNATURE_BYTES]
