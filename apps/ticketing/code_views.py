"""The page that asks for the code which was mailed, with the choices of the ticket form carried along."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.events.models import Event
from apps.events.translated import active_language
from apps.ticketing import codes, event_face, reasons
from apps.ticketing.codes import Outcome
from apps.ticketing.forms import Wish
from apps.ticketing.visitors import in_other_language

NOT_CARRIED = frozenset({"csrfmiddlewaretoken", "proof", "code", "resend", "challenge", "answer"})


def answer(request: HttpRequest, event: Event, wish: Wish, *, address: str = "") -> HttpResponse | None:
    """None once the code that was typed proves the wish's address; else the page that asks for it, sent if need be.
    `address` is the form's, if it is not the event's own."""
    typed = request.POST.get("code", "").strip()
    if not typed or request.POST.get("resend"):
        seconds = codes.send(event, wish.email, wish.key, active_language())
        if not seconds:
            return _show(request, event, wish, address)
        response = _show(request, event, wish, address, problem=_say_too_many(seconds), status=429)
        response["Retry-After"] = str(seconds)
        return response
    outcome = codes.check(event, wish.email, wish.key, typed)
    if outcome == Outcome.RIGHT:
        return None
    reason = reasons.CODE_WRONG if outcome == Outcome.WRONG else reasons.CODE_OVER
    return _show(request, event, wish, address, problem=reasons.sentence(reason), status=422)


def _say_too_many(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return ngettext(
        "This address has been sent as many codes as we send in an hour. Nothing was charged. Use the newest one, "
        "sign in, or try again in %(minutes)d minute.",
        "This address has been sent as many codes as we send in an hour. Nothing was charged. Use the newest one, "
        "sign in, or try again in %(minutes)d minutes.",
        minutes,
    ) % {"minutes": minutes}


def _show(
    request: HttpRequest, event: Event, wish: Wish, address: str, *, problem: str = "", status: int = 200
) -> HttpResponse:
    carried = [(name, value) for name, values in request.POST.lists() if name not in NOT_CARRIED for value in values]
    if wish.key != request.POST.get("idempotency_key"):
        carried.append(("idempotency_key", wish.key))
    return render(
        request,
        "ticketing/code_page.html",
        {
            "event": event,
            "organisation": event.organisation,
            "face": event_face.of(event),
            "email": wish.email,
            "carried": carried,
            "form_url": address or reverse("ticketing:form", args=[event.public_id]),
            "problem": problem,
            "minutes": int(codes.LASTS.total_seconds() // 60),
            "title": _("Look again") if problem else _("Your code"),
            "language_url": in_other_language(request),
        },
        status=status,
    )
