"""What people see of a waiting list: joining it, with one tap from an order that got no place, and their own page with
the place, the offer and the way out. Each parses, calls, and renders.

The own page is held by its link, so nobody needs an account to answer or to leave.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_http_methods

from apps.accounts.plain_text import one_line
from apps.events.models import Event
from apps.events.translated import active_language
from apps.resale import waiting, waiting_line, waiting_offers, waiting_told
from apps.resale import waiting_reasons as codes
from apps.resale.models import WaitingEntry, WaitingOffer
from apps.resale.waiting_models import MOST_TICKETS
from apps.resale.waiting_places import Pick
from apps.resale.waiting_states import EntryState, OfferState
from apps.ticketing import catalogue, clock, event_face, guards, ordering, reasons, sale
from apps.ticketing.catalogue import TypeFacts, VariationFacts
from apps.ticketing.context import PurchaseContext
from apps.ticketing.guards import Wish
from apps.ticketing.visitors import (
    address_of,
    held_by_link,
    in_other_language,
    order_or_404,
    person_of,
    remember,
    see_other,
)

WHOLE_NUMBER = re.compile(r"[0-9]{1,4}")
LONGEST_NAME = 120
SHOWN_SKIPS, SHOWN_OFFERS = 10, 10


# --- Joining -------------------------------------------------------------------------------------------------------


@never_cache
@ensure_csrf_cookie
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, event: uuid.UUID) -> HttpResponse:
    """The form to join the list of an event; POST joins. A guest's address is written to, and tells nobody whether it
    stands on the list."""
    found = get_object_or_404(Event.objects.select_related("organisation", "waiting_rule"), public_id=event)
    if request.method != "POST":
        return _show_form(request, found)
    person, kinds = person_of(request), _kinds(request, found)
    asked = set(request.POST.getlist("type"))
    email = person.email if person is not None else request.POST.get("email", "")[:254]
    wish = Wish(email=email, key=request.POST.get("idempotency_key", "")[:64])
    passage = guards.judge(request, found, wish, person, address=request.path)
    if passage.page is not None:
        return passage.page
    if wish.errors:
        return _show_form(request, found, wish)
    try:
        entry = waiting.join(
            found,
            email=email,
            user=person,
            type_ids=[kind.id for kind in kinds if str(kind.public_id) in asked],
            quantity=_number(request.POST.get("quantity", "")),
            all_or_nothing=bool(request.POST.get("together")),
            locale=active_language(),
        )
    except waiting.AlreadyOnList as known:
        entry = known.entry
        if not passage.is_proven and (person is None or entry.user_id != person.pk):
            waiting.remind_of(entry)
    except ordering.Refused as refusal:
        wish.add_problems(refusal.problems)
        return _show_form(request, found, wish, proven_code=request.POST["code"] if passage.is_proven else "")
    if passage.is_proven:
        waiting.confirm(entry)
    if passage.is_proven or (person is not None and entry.user_id == person.pk):
        return see_other(page_of(entry))
    return _show_form(request, found, mailed_to=email)


def page_of(entry: WaitingEntry) -> str:
    """The entry's own page."""
    return reverse("resale:waiting", args=[entry.public_id, entry.secret])


def _number(text: str) -> int:
    return int(text.strip()) if WHOLE_NUMBER.fullmatch(text.strip()) else 0


def _kinds(request: HttpRequest, event: Event) -> list[TypeFacts]:
    """The kinds of ticket this visitor may wait for: shown to them, and not still to open."""
    at, person = clock.now(), person_of(request)
    facts = catalogue.load(event.pk)
    context = PurchaseContext(
        event_id=event.pk,
        currency=facts.currency,
        at=at,
        buyer_key=ordering.buyer_key(person, person.email) if person else "",
        user_id=person.pk if person else None,
        email=person.email if person else "",
    )
    shown = sale.may_choose(event, context)
    return [kind for kind in facts.types if kind.id in shown and not (kind.opens_at and at < kind.opens_at)]


def _show_form(
    request: HttpRequest, event: Event, wish: Wish | None = None, *, mailed_to: str = "", proven_code: str = ""
) -> HttpResponse:
    at, person = clock.now(), person_of(request)
    facts, left = catalogue.load(event.pk), catalogue.stock(event.pk)
    kinds = _kinds(request, event)
    sold_out = [kind for kind in kinds if not waiting.can_buy(facts, kind, left, 1, at)]
    asked = set(request.POST.getlist("type")) if request.method == "POST" else {str(k.public_id) for k in sold_out}
    key = (wish.key if wish is not None else "") or uuid.uuid4().hex
    context = {
        "event": event,
        "organisation": event.organisation,
        "face": event_face.of(event),
        "is_open": waiting_line.is_open(event, at) and bool(kinds),
        "kinds": [
            {"facts": kind, "is_asked": str(kind.public_id) in asked, "currency": facts.currency} for kind in kinds
        ],
        "can_buy": bool(kinds) and not sold_out,
        "most": MOST_TICKETS,
        "quantity": request.POST.get("quantity", "1")[:4],
        "together": bool(request.POST.get("together")),
        "email": request.POST.get("email", "")[:254],
        "person": person,
        "hours": waiting_line.rule_of(event).answer_hours,
        "errors": wish.errors if wish is not None else {},
        "key": key,
        "challenge": guards.issue(event, key, person),
        "proven_code": proven_code,
        "form_url": request.path,
        "mailed_to": mailed_to,
        "why_closed": reasons.sentence(codes.CLOSED),
        "language_url": in_other_language(request),
    }
    response = render(request, "resale/waiting_join.html", context, status=wish.status if wish is not None else 200)
    if wish is not None and wish.wait_seconds:
        response["Retry-After"] = str(wish.wait_seconds)
    return response


@held_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def join_from(request: HttpRequest, reference: str, secret: str) -> HttpResponse:
    """Take the rank of an order that got no place to the list: what is taken along, and one tap. Whoever typed an
    address that nobody has proved taps once more in the mail there, and is shown nothing of an entry."""
    order = order_or_404(reference, secret)
    problem = ""
    if request.method == "POST":
        try:
            entry = waiting.join_from(order)
        except waiting.AlreadyOnList as known:
            entry = known.entry
            if not waiting.is_proven(order):
                waiting.remind_of(entry)
        except ordering.Refused as refusal:
            problem = refusal.problems[0].message
        if not problem:
            if waiting.is_proven(order):
                return see_other(page_of(entry))
            return _show_form(request, order.event, mailed_to=order.email)
    is_open = waiting_line.is_open(order.event, clock.now()) and waiting.may_join_from(order)
    context = {
        "order": order,
        "event": order.event,
        "organisation": order.event.organisation,
        "face": event_face.of(order.event),
        "wish": waiting.wish_of(order),
        "problem": problem or ("" if is_open else reasons.sentence(codes.CLOSED)),
        "is_open": is_open,
        "order_url": address_of(order),
        "language_url": in_other_language(request),
    }
    return render(request, "resale/waiting_from.html", context, status=409 if problem else 200)


# --- One's own page ------------------------------------------------------------------------------------------------


@held_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def entry(request: HttpRequest, entry: uuid.UUID, secret: str) -> HttpResponse:
    """Where one stands, what one is offered, why one was passed. POST confirms the address, leaves (also from a mail
    program's own button, RFC 8058), takes the offer or declines it."""
    rows = WaitingEntry.objects.select_related("event__organisation", "event__waiting_rule", "user")
    found = get_object_or_404(rows, public_id=entry, secret=secret)
    if request.method != "POST":
        return _show_entry(request, found)
    if request.POST.get("List-Unsubscribe") == "One-Click":
        waiting.leave(found)
        return see_other(request.path)
    act = request.POST.get("act", "")
    if act == "confirm":
        waiting.confirm(found)
    elif act == "leave":
        waiting.leave(found)
    elif act in ("accept", "decline"):
        return _answer(request, found, act)
    return see_other(request.path)


def _answer(request: HttpRequest, entry: WaitingEntry, act: str) -> HttpResponse:
    offer = _offer_of(entry, request.POST.get("offer", ""))
    if offer is None:
        return _show_entry(request, entry, problem=reasons.sentence(codes.OFFER_OVER))
    try:
        if act == "decline":
            waiting_offers.decline(offer)
            return see_other(request.path)
        told = waiting_told.of(offer, clock.now())
        if offer.state == OfferState.OPEN and request.POST.get("seen") != str(told.total_minor):
            return _show_entry(
                request,
                entry,
                problem=_("The price has changed since you looked. Nothing was charged. Look at it now."),
            )
        order = waiting_offers.accept(offer, picks=_picks(request, offer))
    except waiting_offers.Over:
        return _show_entry(request, entry, problem=reasons.sentence(codes.OFFER_OVER))
    except ordering.Refused as refusal:
        return _show_entry(request, entry, problem=refusal.problems[0].message)
    response = see_other(address_of(order))
    remember(response, entry.event, order)
    return response


def _offer_of(entry: WaitingEntry, public_id: str) -> WaitingOffer | None:
    rows = WaitingOffer.objects.select_related("entry__event", "entry__user", "order", "ticket_type").filter(
        entry=entry
    )
    try:
        return rows.filter(public_id=uuid.UUID(public_id)).first()
    except ValueError:
        return None


@dataclass(frozen=True)
class Asked:
    """What must be chosen for one ticket of an offer before it can be taken."""

    number: int
    variations: tuple[VariationFacts, ...]
    needs_name: bool


def _asked(offer: WaitingOffer) -> list[Asked]:
    """What has to be asked: what one may add besides is chosen on the order's page afterwards."""
    kind = catalogue.load(offer.entry.event_id).type(offer.ticket_type_id or 0)
    if kind is None:
        return []
    must = tuple(variation for variation in kind.variations if variation.is_mandatory)
    if not must and not kind.needs_name:
        return []
    return [Asked(number, must, kind.needs_name) for number in range(1, offer.quantity + 1)]


def _picks(request: HttpRequest, offer: WaitingOffer) -> list[Pick]:
    """What is chosen for each ticket. Raises ordering.Refused where a name is missing; the order says what else is."""
    picks = []
    for asked in _asked(offer):
        chosen = []
        for variation in asked.variations:
            sent = request.POST.get(f"choice-{asked.number}-{variation.public_id}", "")
            chosen += [(choice.id, 1) for choice in variation.choices if str(choice.public_id) == sent]
        name = one_line(request.POST.get(f"guest-{asked.number}", ""))[:LONGEST_NAME]
        if asked.needs_name and not name:
            missing = _("Write the name of the guest on ticket %(number)d.") % {"number": asked.number}
            raise ordering.Refused([ordering.Problem("tickets", reasons.REFUSED, missing)])
        picks.append(Pick(tuple(chosen), name if asked.needs_name else ""))
    return picks


def _show_entry(request: HttpRequest, entry: WaitingEntry, problem: str = "") -> HttpResponse:
    at = clock.now()
    entry.refresh_from_db()
    newest = entry.offers.select_related("entry__event", "entry__user", "order", "ticket_type").order_by("-pk")
    offers = list(newest[:SHOWN_OFFERS])
    live = next((offer for offer in offers if offer.is_live), None)
    is_open = live is not None and live.state == OfferState.OPEN and live.answer_until > at
    order_url = address_of(live.order) if live is not None and live.order is not None else ""
    if entry.state == EntryState.SERVED and not order_url:
        bought = next((offer.order for offer in offers if offer.order is not None), None)
        order_url = address_of(bought) if bought is not None else ""
    skips = entry.skips.select_related("ticket_type")[:SHOWN_SKIPS]
    context: dict[str, Any] = {
        "entry": entry,
        "event": entry.event,
        "organisation": entry.event.organisation,
        "face": event_face.of(entry.event),
        "kinds": list(entry.types.all()),
        "place": waiting.ahead(entry) + 1 if entry.state == EntryState.WAITING else None,
        "offer": live if is_open else None,
        "told": waiting_told.of(live, at) if is_open and live is not None else None,
        "asked": _asked(live) if is_open and live is not None else [],
        "order_url": order_url,
        "is_being_paid": live is not None and live.state == OfferState.ACCEPTED,
        "ended": [(offer, reasons.sentence(offer.reason)) for offer in offers if offer.reason],
        "skips": [(skip, reasons.sentence(skip.reason)) for skip in skips],
        "why": reasons.sentence(entry.reason) if entry.reason else "",
        "hours": waiting_line.rule_of(entry.event).answer_hours,
        "join_url": reverse("resale:wait", args=[entry.event.public_id]),
        "problem": problem,
        "language_url": in_other_language(request),
    }
    return render(request, "resale/waiting_entry.html", context, status=409 if problem else 200)
