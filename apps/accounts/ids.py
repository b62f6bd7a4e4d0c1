"""Names for things that strangers see: never a serial number, never guessable where they grant something."""

from __future__ import annotations

import secrets
import uuid

# Letters and digits nobody mixes up when spoken or typed at a door: no 0/O, 1/I/L, 2/Z, 5/S, 8/B, U/V.
SPOKEN = "34679ACDEFGHJKMNPQRTWXY"


def new_public_id() -> uuid.UUID:
    """122 random bits: an outward name that says nothing about order or number."""
    return uuid.uuid4()


def new_reference() -> str:
    """Eight characters a buyer can read aloud. Searchable; grants nothing."""
    return "".join(secrets.choice(SPOKEN) for _ in range(8))


def new_short_code() -> str:
    """Six characters a volunteer can type; unique among an event's tickets, useless without the door's pass."""
    return "".join(secrets.choice(SPOKEN) for _ in range(6))


def new_secret() -> str:
    """192 random bits for a link that grants access; masked in logs."""
    return secrets.token_urlsafe(24)
