"""The door on a volunteer's phone: one field, one big answer. Works without JavaScript; with it, the page stays and
only the answer changes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from apps.accounts.ids import new_public_id
from apps.accounts.plain_text import one_line
from apps.checkin import access, crowds, gates, passes, reasons, scans
from apps.checkin import search as searching
from apps.checkin.access import Keeper
from apps.checkin.models import Scan
from apps.checkin.pass_views import show_ended
from apps.checkin.verdicts import Verdict
from apps.events.models import Event
from apps.ticketing import clock
from apps.ticketing.reasons import sentence

AROUND = timedelta(hours=12)  # what counts as today: doors open early, parties end late
COMING_SHOWN = 10
REPEAT_SECONDS = 10  # a retry on a slow net; later it is a second guest with the same code
AGAIN_MINUTES = 15  # a scan that the phone sends again, and says so: its first answer never came
UNDO_SECONDS = 15  # ten on the screen, and the way here
ANYWAY_REASONS = {
    "came_back": gettext_lazy("The guest was inside and comes back"),
    "not_them": gettext_lazy("Somebody else was let in on this ticket"),
    "told_to": gettext_lazy("Whoever is in charge of the door says so"),
    reasons.OTHER: gettext_lazy("Something else"),
}
READY = "ready"  # the door at rest; a screen is a template in checkin/screens/
SCREENS = {Scan.Outcome.ADMITTED: "admitted", Scan.Outcome.LOOK: "look"}  # all others: stop


def at_the_door(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A page for whoever may stand at that event's door, kept by no cache. A stranger is led to sign in as a whole
    page, also when htmx asked for a part; the holder of a pass that has ended reads so, and nothing is done."""

    @wraps(view)
    def guarded(request: HttpRequest, event_id: UUID, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            keeper = access.keeper_at(request, event_id)
        except access.NotSignedIn:
            return _sign_in(request)
        except access.PassEnded as ended:
            return show_ended(request, ended)
        if keeper.gate_pass:
            passes.note_use(keeper.gate_pass, keeper.at)
        return view(request, keeper, *args, **kwargs)

    return never_cache(guarded)


@require_safe
@never_cache
def events_today(request: HttpRequest) -> HttpResponse:
    """My events of today, and those to come: as staff, and by the passes this phone has opened."""
    by_pass = access.events_by_pass(request)
    if not request.user.is_authenticated:
        if not by_pass:
            return _sign_in(request)
        return render(request, "checkin/event_list.html", {"today": by_pass, "coming": []})
    now = clock.now()
    mine = access.events_for(request.user).filter(ends_at__gte=now - AROUND).order_by("starts_at", "pk")  # type: ignore[arg-type]
    today = list(mine.filter(starts_at__lte=now + AROUND))
    coming = list(mine.filter(starts_at__gt=now + AROUND)[:COMING_SHOWN])
    today += [event for event in by_pass if event not in today and event not in coming]
    return render(request, "checkin/event_list.html", {"today": today, "coming": coming})


@require_http_methods(["GET", "HEAD", "POST"])
@at_the_door
def door(request: HttpRequest, keeper: Keeper) -> HttpResponse:
    """GET: the field. POST: the verdict on one code, and the field again."""
    if request.method != "POST":
        return _show(request, keeper, {})
    text = request.POST.get("code", "")
    if not text.strip():
        return _show(request, keeper, {"error": _("Type a code, or scan one.")}, status=400)
    verdict = scans.admit(
        text,
        event=keeper.event,
        by=keeper.by,
        gate=gates.gate_of(request, keeper.gate_pass),
        scan_id=_uuid(request.POST.get("scan")),
        confirmed="confirmed" in request.POST,
    )
    verdict = _not_twice(verdict, keeper.at, is_again="again" in request.POST)
    context = {**_verdict_context(verdict, keeper), "code": text.strip()[: scans.LONGEST_TEXT]}
    return _show(request, keeper, context, came=_came([verdict]))


@require_POST
@at_the_door
def admit_order(request: HttpRequest, keeper: Keeper) -> HttpResponse:
    """Let in those chosen of one order, and say of each how it went."""
    chosen = [_uuid(text) for text in request.POST.getlist("tickets")]
    wanted = [public_id for public_id in chosen if public_id is not None]
    if not wanted or len(wanted) != len(chosen):
        return _show(request, keeper, {"error": _("Choose at least one ticket.")}, status=400)
    try:
        group = scans.admit_order(
            wanted,
            event=keeper.event,
            by=keeper.by,
            gate=gates.gate_of(request, keeper.gate_pass),
            scan_id=_uuid(request.POST.get("scan")) or new_public_id(),
            confirmed="confirmed" in request.POST,
        )
    except scans.NotOneOrder as refusal:
        return _refuse(request, keeper, refusal, status=400)
    group = [_not_twice(verdict, keeper.at, is_again="again" in request.POST) for verdict in group]
    return _show(request, keeper, _group_context(group, keeper), came=_came(group))


@require_http_methods(["GET", "HEAD", "POST"])
@at_the_door
def search(request: HttpRequest, keeper: Keeper) -> HttpResponse:
    """Guests by name, e-mail, order or short code: at most ten, of this event. Posted, so that no name stands in an
    address; an address will do too."""
    asked = request.POST if request.method == "POST" else request.GET
    query = one_line(asked.get("q", ""))[: searching.LONGEST]
    found, problem = searching.Found((), more=False), ""
    try:
        if query:
            found = searching.find(query, keeper.event)
    except searching.TooShort:
        problem = _("Write at least two letters.")
    context = {**_context(request, keeper), "query": query, "hits": found.hits, "more": found.more, "problem": problem}
    template = "checkin/door_search.html" if request.htmx else "checkin/door_search_page.html"  # type: ignore[attr-defined]
    return render(request, template, context)


@require_http_methods(["GET", "HEAD", "POST"])
@at_the_door
def undo(request: HttpRequest, keeper: Keeper, scan_id: UUID) -> HttpResponse:
    """Take back one admission: at once from the verdict, later with a reason."""
    scan = _scan_or_404(keeper.event, scan_id)
    reason, note = request.POST.get("reason", ""), _note(request)
    at_once = "at_once" in request.POST
    if at_once and keeper.at - scan.at < timedelta(seconds=UNDO_SECONDS):
        reason = "mistake"
    elif at_once and request.htmx:  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(request.path)  # too late: the whole page that asks why
    problem = _problem(request, reason, note, reasons.UNDO_REASONS, is_first=at_once)
    if request.method != "POST" or reason not in reasons.UNDO_REASONS or problem:
        context = {**_context(request, keeper), "scan": scan, "reasons": reasons.UNDO_REASONS, "problem": problem}
        context |= {"reason": reason, "note_text": note}
        return render(request, "checkin/scan_undo.html", context, status=400 if problem else 200)
    try:
        scans.undo(scan, by=keeper.by, reason=reason, note=note, gate=gates.gate_of(request, keeper.gate_pass))
    except scans.CannotUndo as refusal:
        return _refuse(request, keeper, refusal, status=409)
    note = _("Undone.") if scan.overrode else _("Undone. The ticket is valid again.")
    return _show(request, keeper, {"note": note})


@require_http_methods(["GET", "HEAD", "POST"])
@at_the_door
def let_in_anyway(request: HttpRequest, keeper: Keeper, scan_id: UUID) -> HttpResponse:
    """Overrule the door for one guest, with a reason that stays on record."""
    scan = _scan_or_404(keeper.event, scan_id)
    if scan.ticket is None or not scans.turned_away(scan.outcome):
        raise Http404
    reason, note = request.POST.get("reason", ""), _note(request)
    problem = _problem(request, reason, note, ANYWAY_REASONS)
    if request.method != "POST" or problem:
        context = {**_context(request, keeper), "scan": scan, "reasons": ANYWAY_REASONS, "problem": problem}
        context |= {"reason": reason, "note_text": note}
        return render(request, "checkin/scan_anyway.html", context, status=400 if problem else 200)
    try:
        verdict = scans.let_in_anyway(
            scan, by=keeper.by, reason=reason, note=note, gate=gates.gate_of(request, keeper.gate_pass)
        )
    except scans.ValidAgain as refusal:
        return _refuse(request, keeper, refusal, status=409)
    except scans.CannotLetIn as refusal:
        return _refuse(request, keeper, refusal, status=403)
    verdict = _not_twice(verdict, keeper.at)
    return _show(request, keeper, _verdict_context(verdict, keeper), came=_came([verdict]))


@require_POST
@at_the_door
def choose_gate(request: HttpRequest, keeper: Keeper) -> HttpResponse:
    """Remember on this phone, for one evening, at which entrance it stands."""
    response = redirect("checkin:door", keeper.event.public_id)
    gates.remember(request, response, request.POST.get("gate", ""))
    return response


def _sign_in(request: HttpRequest) -> HttpResponse:
    sign_in = redirect_to_login(request.get_full_path())
    return HttpResponseClientRedirect(sign_in.url) if request.htmx else sign_in  # type: ignore[attr-defined]


def _scan_or_404(event: Event, scan_id: UUID) -> Scan:
    scans_here = Scan.objects.select_related("ticket__ticket_type").filter(checkin_list__event=event)
    scan = scans_here.filter(public_id=scan_id).first()
    if scan is None:
        raise Http404
    return scan


def _context(request: HttpRequest, keeper: Keeper) -> dict[str, Any]:
    """What every page of the door knows."""
    return {
        "event": keeper.event,
        "gate": gates.gate_of(request, keeper.gate_pass),
        "keeper_name": keeper.name,
        "keeper_pass": keeper.gate_pass,
        "next_scan": new_public_id(),
        "longest": scans.LONGEST_TEXT,
        "longest_note": scans.LONGEST_NOTE,
    }


def _show(
    request: HttpRequest, keeper: Keeper, context: dict[str, Any], status: int = 200, came: int = 0
) -> HttpResponse:
    screen = context.get("screen", "")
    context = {
        **_context(request, keeper),
        "crowd": crowds.after(keeper.event, came) if screen else crowds.count(keeper.event),
        "latest": [] if screen else scans.latest(keeper.event),
        "screen_template": f"checkin/screens/{screen or READY}.html",
        **context,
    }
    if not request.htmx:  # type: ignore[attr-defined]
        return render(request, "checkin/door.html", context, status=status)
    response = render(request, context["screen_template"], context)  # htmx swaps answers of 2xx only
    response["HX-Trigger-After-Swap"] = json.dumps({"door:screen": {"screen": screen or READY}})
    return response


def _refuse(request: HttpRequest, keeper: Keeper, refusal: scans.Refused, *, status: int) -> HttpResponse:
    return _show(request, keeper, {"error": sentence(refusal.reason)}, status=status)


def _verdict_context(verdict: Verdict, keeper: Keeper) -> dict[str, Any]:
    return {
        "verdict": verdict,
        "screen": SCREENS.get(Scan.Outcome(verdict.outcome), "stop"),
        "minutes_ago": int((keeper.at - verdict.since).total_seconds() // 60) if verdict.since else 0,
        "may_let_in_anyway": scans.turned_away(verdict.stored)
        and keeper.event.cancelled_at is None
        and scans.may_let_in_anyway(keeper.by, verdict.state),
    }


def _group_context(group: Sequence[Verdict], keeper: Keeper) -> dict[str, Any]:
    """The answer for several at once takes the colour of the one that asks for most: nobody slips in under another's
    green."""
    to_confirm = [verdict for verdict in group if verdict.outcome == Scan.Outcome.LOOK]
    admitted = [verdict for verdict in group if verdict.outcome == Scan.Outcome.ADMITTED]
    refused = [verdict for verdict in group if verdict not in to_confirm and verdict not in admitted]
    return {
        **_verdict_context((to_confirm or refused or admitted)[0], keeper),
        "group": group,
        "to_confirm": to_confirm,
        "let_in": len(admitted),
        "may_let_in_anyway": False,
    }


def _came(verdicts: Sequence[Verdict]) -> int:
    """How many more guests are inside by these answers."""
    return sum(v.outcome == Scan.Outcome.ADMITTED and not v.repeated and not v.anyway for v in verdicts)


def _not_twice(verdict: Verdict, at: datetime, *, is_again: bool = False) -> Verdict:
    """An old form that is sent again later never says "in"; a phone that says it never had the answer is believed for
    longer."""
    kept = timedelta(minutes=AGAIN_MINUTES) if is_again else timedelta(seconds=REPEAT_SECONDS)
    is_old = verdict.repeated and at - verdict.at > kept
    if verdict.outcome != Scan.Outcome.ADMITTED or not is_old:
        return verdict
    return replace(verdict, outcome=Scan.Outcome.ALREADY_IN, reason=reasons.ALREADY_IN)


def _problem(request: HttpRequest, reason: str, note: str, known: dict[str, Any], *, is_first: bool = False) -> str:
    """What is missing of a reason that was given; nothing before one was asked for."""
    if request.method != "POST" or (is_first and not reason):
        return ""
    if reason not in known:
        return _("Choose why.")
    return _("Say in a few words why.") if reason == reasons.OTHER and not note else ""


def _note(request: HttpRequest) -> str:
    return one_line(request.POST.get("note", ""))[: scans.LONGEST_NOTE]


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None
