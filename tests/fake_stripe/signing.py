"""How Stripe signs a notice: HMAC-SHA256 over "t.body", one v1 for each secret that holds during a rotation.

https://docs.stripe.com/webhooks/signature
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Sequence


def signed(body: bytes, secret: str, at: int | None = None, also: Sequence[str] = ()) -> dict[str, str]:
    """The headers of a notice with this body, signed by `secret` and those in `also`, at `at` (seconds since 1970)."""
    moment = int(time.time()) if at is None else at
    marks = [
        hmac.new(each.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest() for each in (secret, *also)
    ]
    # v0 is the scheme of test events that a verifier has to leave alone.
    header = ",".join([f"t={moment}", *(f"v1={mark}" for mark in marks), f"v0={marks[0][::-1]}"])
    return {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": header}
