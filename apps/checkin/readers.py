"""The two credentials of our own: the signed QR code of a ticket, and the short code printed under it."""

from __future__ import annotations

import re
from uuid import UUID

from apps.accounts.ids import SPOKEN
from apps.checkin import keyboards, reasons
from apps.checkin.extensions import Credential, NotCredible
from apps.events.models import Event
from apps.ticketing import credentials
from apps.ticketing.models import Ticket

_short_code = re.compile(rf"[{SPOKEN}]{{6}}")
_filler = re.compile(r"[\s\-.·]+")


class ShortCodeReader:
    """Six characters typed by a volunteer, in any case, with or without a gap: `k7m 9qa`."""

    slug = "short_code"

    def read(self, text: str, event: Event) -> UUID | None:
        code = _filler.sub("", text).upper()
        if not _short_code.fullmatch(code):
            return None
        return Ticket.objects.filter(event=event, short_code=code).values_list("public_id", flat=True).first()


class QrReader:
    """The code on a ticket's QR picture, as a camera reads it or a reader types it (see `keyboards`).

    Asks the database nothing: the signature is the proof, and the door compares the version with the ticket's.
    """

    slug = "qr"

    def read(self, text: str, event: Event) -> Credential | None:
        is_ours = False
        for code in keyboards.candidates(text):
            is_ours = True
            try:
                claim = credentials.verify(code)
            except credentials.Forged:
                continue
            return Credential(claim.ticket, claim.version)
        if is_ours:
            raise NotCredible(reasons.FORGED)
        return None
