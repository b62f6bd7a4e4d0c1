"""Selling one's ticket, from its own page: who may buy it, for how much, and what comes back. And taking it off again.

The address is the key, as of the ticket itself. Looking changes nothing; the button says what was seen, and whatever is
different by then is told instead of done.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.resale import listings, offers, rules, seller_money
from apps.resale.models import SHOWN, Listing
from apps.resale.sell_form import ANYBODY, FRIEND, Seen, SellForm, whole
from apps.resale.states import ON_OFFER, ListingState
from apps.ticketing import clock, event_face, gift_terms, way_back
from apps.ticketing.models import WAY_UNSAID, Ticket
from apps.ticketing.price_field import PriceField
from apps.ticketing.visitors import held_by_link, in_other_language, see_other


@held_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def sell(request: HttpRequest, ticket: uuid.UUID, secret: str) -> HttpResponse:
    """The form, and the ticket's listing while it is for sale. POST `act`: list, change or withdraw."""
    rows = Ticket.objects.select_related("ticket_type", "event__organisation", "event__resale_rule", "line__order")
    found = rows.filter(public_id=ticket, secret=secret).first()
    if found is None:
        raise Http404
    if request.method == "POST":
        return _act(request, found)
    seen, listing = Seen.in_form(request.GET), listings.of_ticket(found)
    if "price" in request.GET and seen.is_stale(listing):  # of a form that asks what comes back
        return _show_now(request, found, seen, listing)
    return _show(request, found, request.GET)


def _act(request: HttpRequest, ticket: Ticket) -> HttpResponse:
    act, listing, seen = request.POST.get("act", ""), listings.of_ticket(ticket), Seen.in_form(request.POST)
    here = see_other(reverse("resale:sell", args=[ticket.public_id, ticket.secret]))
    if act == "withdraw" and listing is not None and seen.listing == str(listing.public_id):
        try:
            listings.withdraw(listing)  # whatever is asked by now
        except listings.Changed as refusal:
            return _show_now(request, ticket, seen, refusal.listing)
        return here
    form = SellForm(request.POST)
    is_valid = form.is_valid()
    facts: dict[str, Any] = {
        "asked_minor": form.cleaned_data.get("price"),
        "agreed_payout_minor": whole(request.POST, "payout"),
        "is_private": form.cleaned_data.get("who") == FRIEND,
    }
    is_listed = listing is not None and listing.state in ON_OFFER
    if seen.is_stale(listing) or act != ("change" if is_listed else "list"):
        is_done = act in ("list", "change") and _is_done(listing, facts)  # the button was pressed twice
        return here if is_done else _show_now(request, ticket, seen, listing)
    if not is_valid:
        return _show(request, ticket, request.POST)
    try:
        if listing is not None and is_listed:
            listings.change(listing, version=seen.version, **facts)
        else:
            listings.put_up(ticket, **facts)
    except listings.CannotSell as refusal:
        now = listings.of_ticket(ticket)
        if _is_done(now, facts):
            return here  # pressed twice at once
        if seen.is_stale(now):
            return _show_now(request, ticket, seen, now)
        return _show(request, ticket, request.POST, problem=str(refusal.sentence))
    except listings.Changed as refusal:
        return here if _is_done(refusal.listing, facts) else _show_now(request, ticket, seen, refusal.listing)
    return here


def _is_done(listing: Listing | None, facts: dict[str, Any]) -> bool:
    return listing is not None and (listing.state, listing.asked_minor, listing.payout_minor, listing.is_private) == (
        ListingState.OPEN,
        facts["asked_minor"],
        facts["agreed_payout_minor"],
        facts["is_private"],
    )


def _show_now(request: HttpRequest, ticket: Ticket, seen: Seen, listing: Listing | None) -> HttpResponse:
    """The listing as it is, instead of what a form of another moment would have done, and what is different."""
    return _show(request, ticket, {}, problem=seen.what_changed(listing))


def _show(request: HttpRequest, ticket: Ticket, data: Any, problem: str = "") -> HttpResponse:
    at, rule, listing = clock.now(), rules.of(ticket.event), listings.of_ticket(ticket)
    order = ticket.line.order
    is_listed = listing is not None and listing.state in ON_OFFER
    form = SellForm(data) if "price" in data else None
    asked, error = ticket.line.kept_minor, ""
    if is_listed and listing is not None:
        asked = listing.asked_minor
    if form is not None:
        form.is_valid()
        error = " ".join(str(message) for message in form.errors.get("price", []))
        asked = form.cleaned_data.get("price", asked)
    try:
        agreed = listings.terms(ticket, rule, asked)
    except listings.CannotSell as refusal:
        error, asked = error or str(refusal.sentence), ticket.line.kept_minor
        agreed = listings.Terms(asked, asked, rules.fee_minor(rule, asked, order.currency))
    seen = Seen.of(listing)
    who = data.get("who") or seen.who or ANYBODY
    why_not = "" if is_listed else str(listings.why_not(ticket, rule, at))
    public_minor = _public_price(ticket, listing if is_listed else None, agreed)
    way = way_back.of_order(order)
    context: dict[str, Any] = {
        "ticket": ticket,
        "event": ticket.event,
        "order": order,
        "organisation": ticket.event.organisation,
        "face": event_face.of(ticket.event),
        "listing": listing,
        "seen": seen,
        "is_listed": is_listed,
        "why_not": why_not,
        "closes_at": rules.closes_at(ticket.event, rule),
        "terms": agreed,
        "less_minor": -agreed.fee_minor,
        "typed": data.get("price", PriceField().prepare_value(agreed.asked_minor)),
        "is_hidden": ticket.ticket_type.visibility not in SHOWN,
        "who": who if who in (ANYBODY, FRIEND) else ANYBODY,
        "error": error,
        "problem": problem,
        "others_pay_minor": public_minor if public_minor != agreed.asked_minor else None,
        "differs_minor": public_minor - agreed.asked_minor,
        "more_minor": gift_terms.paid_minor(ticket.line) - ticket.line.price_minor,
        "is_by_hand": way.is_by_hand,
        "way_back": way.words if ticket.is_payers else WAY_UNSAID,
        "chosen": offers.lines_of(ticket),
        "ticket_url": reverse("ticketing:ticket", args=[ticket.public_id, ticket.secret]),
        "language_url": in_other_language(request),
    }
    if listing is not None and listing.state == ListingState.SOLD:
        context["money"] = seller_money.told_to_payer(ticket, listing)
    if is_listed and listing is not None:
        context["private_url"] = request.build_absolute_uri(
            reverse("resale:private", args=[listing.public_id, listing.secret])
        )
        held = listing.held_by.order if listing.held_by is not None else None
        context["held_until"] = held.reserved_until if held is not None else None
        context["is_offered"] = listing.offered.filter(is_live=True).exists()
    is_refused = problem and request.method == "POST"  # whoever only looks is told
    return render(request, "resale/sell.html", context, status=409 if is_refused else 422 if error else 200)


def _public_price(ticket: Ticket, listing: Listing | None, agreed: listings.Terms) -> int:
    """What a buyer without any discount of their own pays, at these terms. A listing knows; before there is one, what
    the seller gives up comes off the price of a stranger."""
    if listing is not None and listing.asked_minor == agreed.asked_minor:
        return listing.price_minor
    stranger = offers.stranger_minor(ticket)
    given_up = agreed.paid_minor - agreed.asked_minor
    kept = listing.given_up_minor if listing is not None else 0
    return max(0, stranger + kept - given_up)
