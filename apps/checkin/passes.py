"""Gate passes: a link that opens the door of one event on a volunteer's own phone.

The link is shown once, to whoever gives the pass away; kept is only its hash. Opening it puts the pass into the
session of that phone. A pass is meant for one phone: a second one that opens the same link works too, because phones
break and batteries die in the middle of an evening, but the desk shows on how many it was opened, and can revoke it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F
from django.db.models.functions import Coalesce

from apps.accounts.ids import new_secret
from apps.checkin.models import GatePass
from apps.events.models import Event
from apps.ticketing import clock

AFTER_THE_END = timedelta(hours=2)  # doors close, cloakrooms do not
NOTED_EVERY = timedelta(minutes=1)


def give(
    event: Event,
    *,
    holder_name: str,
    by: Any,
    gate: str = "",
    expires_at: datetime | None = None,
    may_let_in_anyway: bool = False,
) -> tuple[GatePass, str]:
    """A new pass and the secret of its link, which cannot be had again. Next: the volunteer opens the link."""
    secret = new_secret()
    made = GatePass.objects.create(
        event=event,
        holder_name=holder_name,
        gate=gate,
        may_let_in_anyway=may_let_in_anyway,
        secret_hash=hash_of(secret),
        created_by=by,
        created_at=clock.now(),
        expires_at=expires_at or default_end(event),
    )
    return made, secret


def default_end(event: Event) -> datetime:
    """Until when a pass to `event` is valid unless somebody says otherwise."""
    return event.ends_at + AFTER_THE_END


def hash_of(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def revoke(gate_pass: GatePass) -> None:
    """Close the door to whoever holds the pass, from their next request on. Safe to repeat; the first time stands."""
    GatePass.objects.filter(pk=gate_pass.pk, revoked_at__isnull=True).update(revoked_at=clock.Now())


def note_opening(gate_pass: GatePass) -> None:
    """Write down that one more phone opened the pass."""
    GatePass.objects.filter(pk=gate_pass.pk).update(
        phones=F("phones") + 1, opened_at=Coalesce(F("opened_at"), clock.Now()), last_used_at=clock.Now()
    )


def note_use(gate_pass: GatePass, at: datetime) -> None:
    """Write down that the pass is in use, at most once a minute, so that a scan rarely waits for it."""
    if gate_pass.last_used_at is None or at - gate_pass.last_used_at >= NOTED_EVERY:
        GatePass.objects.filter(pk=gate_pass.pk).update(last_used_at=at)
