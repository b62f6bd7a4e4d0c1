"""A gate pass on the volunteer's phone: the link says whose pass it is, one button begins.

Looking at the link does nothing: chat apps look at every link that is sent. Only the button puts the pass into the
phone's session, under a new session key.
"""

from __future__ import annotations

import json

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.checkin import gates, passes
from apps.checkin.access import SESSION_KEY, PassEnded
from apps.checkin.models import GatePass
from apps.ticketing import clock


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def open_pass(request: HttpRequest, secret: str) -> HttpResponse:
    """GET: whose pass it is. POST: begin."""
    found = GatePass.objects.filter(secret_hash=passes.hash_of(secret)).select_related("event").annotate(at=clock.Now())
    gate_pass = found.first()
    if gate_pass is None:
        raise Http404
    state = gate_pass.state_at(gate_pass.at)
    if state != GatePass.State.ACTIVE:
        response = show_ended(request, PassEnded(gate_pass, state))
    elif request.method != "POST":
        response = render(request, "checkin/pass.html", {"gate_pass": gate_pass, "event": gate_pass.event})
    else:
        response = _begin(request, gate_pass)
    # Not `no-referrer`: the browser would then hide the form's origin, and the form would be refused as foreign.
    response["Referrer-Policy"] = "strict-origin"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def show_ended(request: HttpRequest, ended: PassEnded) -> HttpResponse:
    """The sentence for a pass that opens nothing any more, as a page or, for htmx, as a screen of the door."""
    template = "checkin/door_ended.html" if request.htmx else "checkin/pass_ended.html"  # type: ignore[attr-defined]
    context = {
        "gate_pass": ended.gate_pass,
        "event": ended.gate_pass.event,
        "is_revoked": ended.is_revoked,
    }
    response = render(request, template, context, status=403)
    if request.htmx:  # type: ignore[attr-defined]
        response["HX-Trigger-After-Swap"] = json.dumps({"door:screen": {"screen": "ended"}})
    return response


def _begin(request: HttpRequest, gate_pass: GatePass) -> HttpResponse:
    event_id = str(gate_pass.event.public_id)
    opened = request.session.get(SESSION_KEY, {})
    if opened.get(event_id) != gate_pass.pk:
        passes.note_opening(gate_pass)
        request.session.cycle_key()
        request.session[SESSION_KEY] = {**opened, event_id: gate_pass.pk}
    response = redirect("checkin:door", gate_pass.event.public_id)
    if gate_pass.gate:
        gates.remember(request, response, gate_pass.gate)
    return response
