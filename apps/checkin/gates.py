"""At which entrance a phone stands: the volunteer's own word, kept on the phone for one evening."""

from __future__ import annotations

from urllib.parse import quote, unquote

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from apps.accounts.plain_text import one_line
from apps.checkin.models import GatePass
from apps.checkin.scans import LONGEST_GATE

COOKIE = "gate"
SECONDS = 16 * 60 * 60


def gate_of(request: HttpRequest, gate_pass: GatePass | None = None) -> str:
    """What was chosen on this phone, else what its pass says; empty when nothing was."""
    chosen = one_line(unquote(request.COOKIES.get(COOKIE, "")))[:LONGEST_GATE]
    return chosen or (gate_pass.gate if gate_pass else "")


def remember(request: HttpRequest, response: HttpResponse, gate: str) -> None:
    """Keep the name of the entrance on this phone."""
    response.set_cookie(
        COOKIE,
        quote(one_line(gate)[:LONGEST_GATE]),
        max_age=SECONDS,
        path=reverse("checkin:events"),
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )
