"""What the buyer chooses when the event has moved: on the order's page, and on one that asks before the tickets end."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from apps.ticketing import cancellation_sums, clock, kept_rows, moves, way_back
from apps.ticketing.mails import letters
from apps.ticketing.models import Order, OrderLine
from apps.ticketing.states import OrderState
from apps.ticketing.visitors import address_of, held_by_link, in_other_language, order_or_404, person_of, see_other


def context_of(order: Order, at: datetime) -> dict[str, Any]:
    """What the order's page shows of a move."""
    asked = moves.question(order, at)
    return {"moved": asked, "changes": letters.told_changes(order.event, asked.move.was) if asked else []}


@held_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def moved(request: HttpRequest, reference: str, secret: str) -> HttpResponse:
    """GET asks whether the money shall go back; POST is the answer, `keep` or `back`."""
    order = order_or_404(reference, secret)
    order.event = kept_rows.of(order.event_id).event
    order.organisation = order.event.organisation
    said = request.POST.get("answer", "")
    if request.method == "POST" and said in ("keep", "back"):
        try:
            moves.answer(order, keeps=said == "keep", actor=person_of(request))
        except moves.TooLate as refusal:
            return _page(request, order, problem=refusal.sentence)
        return see_other(address_of(order))
    asked = moves.question(order, clock.now())
    if asked is None or not asked.is_open:
        return see_other(address_of(order))
    return _page(request, order)


def _page(request: HttpRequest, order: Order, *, problem: str = "") -> HttpResponse:
    return render(
        request,
        "ticketing/order/moved.html",
        {
            "order": order,
            "event": order.event,
            "organisation": order.organisation,
            "sum_minor": _goes_back_minor(order),
            "way": way_back.of_order_and_changes(order),
            "problem": problem,
            "language_url": in_other_language(request),
        },
        status=409 if problem else 200,
    )


def _goes_back_minor(order: Order) -> int:
    """What the buyer gets back: of the tickets, and of what they paid for other choices. What goes back to those
    whom a ticket was given to is left out, and so is what the payer's bank decides about. One query."""
    of_change = Q(choice_change__of_line__order=order, choice_change__gift=None, order__state=OrderState.PAID)
    decided = ~Exists(cancellation_sums.disputes_of(OuterRef("order")))
    lines = OrderLine.objects.filter(Q(order=order) | of_change & decided, is_held=True, refunded_at__isnull=True)
    return lines.aggregate(minor=Sum(F("price_minor") - F("given_back_minor"), default=0))["minor"]
