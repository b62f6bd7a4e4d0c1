"""One place per person in a queue: what whoever chooses tickets again is told, and how a place changes hands.

The database allows a person one order in line per event. Whoever is known to hold it, by their account or by the
cookie of this very order, is led to it. A guest is only an address, which anybody may type; so the answer to everybody
else is the same and names no order, and the link goes to that address. Who opens it may take the place over from
whoever typed their address: the order gets a new secret, and every link known before leads nowhere.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_http_methods

from apps.events.models import Event
from apps.ticketing import event_face, mails, places
from apps.ticketing.models import Order
from apps.ticketing.ordering import AlreadyQueued
from apps.ticketing.visitors import address_of, held_by_link, in_other_language, remember, remembered, see_other

AGAIN = "?again=1"


def lead_to_place(
    request: HttpRequest, event: Event, taken: AlreadyQueued, *, person: Any, is_proven: bool = False
) -> HttpResponse:
    """The answer to a second wish: the order that stands there, or word that its link was mailed to its address.

    `is_proven`: the visitor has proved the address, so they get the link here instead of in a mail.
    """
    order = taken.order
    known = remembered(request, event)
    is_theirs = known is not None and known[0] == order.reference and constant_time_compare(known[1], order.secret)
    if person is not None or is_theirs:
        return see_other(address_of(order) + AGAIN)
    if is_proven:
        return see_other(places.claim_path(order))
    with transaction.atomic():
        mails.place_is_kept(order)
    return render(
        request,
        "ticketing/place_mailed.html",
        {
            "event": event,
            "organisation": event.organisation,
            "face": event_face.of(event),
            "email": request.POST.get("email", "").strip()[:254],
            "is_draw": order.rank is None,
            "language_url": in_other_language(request),
        },
        status=409,
    )


@held_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def claim(request: HttpRequest, reference: str, token: str) -> HttpResponse:
    """What the mailed link opens: the place, and the question whose it is. POST takes it over."""
    orders = Order.objects.select_related("event__organisation", "organisation")
    order = get_object_or_404(orders, reference=reference)
    if not places.is_claim(order, token):
        raise Http404
    if not places.may_be_taken_over(order):
        return see_other(address_of(order))
    if request.method == "POST":
        places.take_over(order)
        response = see_other(address_of(order))
        remember(response, order.event, order)
        return response
    return render(
        request,
        "ticketing/place_claim.html",
        {
            "order": order,
            "event": order.event,
            "organisation": order.organisation,
            "face": event_face.of(order.event),
            "types": places.count_types(order),
            "order_url": address_of(order) + AGAIN,
            "language_url": in_other_language(request),
        },
    )
