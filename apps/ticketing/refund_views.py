"""The buyer's way to a refund from their order's page: choose tickets, see what comes back, agree.

Choosing and seeing change nothing and are plain addresses. Only the button does, and it says what was seen: whatever is
different by then is told instead of done. Next: `refunds.by_buyer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from apps.ticketing import clock, event_face, reading, refund_rule, refunds, way_back
from apps.ticketing.models import Order
from apps.ticketing.states import OrderState
from apps.ticketing.transitions import StaleState
from apps.ticketing.visitors import address_of, held_by_link, in_other_language, person_of, see_other

LARGEST_SUM = 12  # figures of an amount in minor units that a form may bring


@held_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def refund(request: HttpRequest, reference: str, secret: str) -> HttpResponse:
    """Which tickets (`ticket`, once for each), and what comes back for them; POST agrees to that."""
    order = reading.order_by_link.first(reference, secret)
    if order is None:
        raise Http404
    if order.state != OrderState.PAID or order.event.cancelled_at is not None or order.is_supplement:
        return see_other(address_of(order))  # the page there says what became of it
    return _agree(request, order) if request.method == "POST" else _show(request, order, request.GET.getlist("ticket"))


def _agree(request: HttpRequest, order: Order) -> HttpResponse:
    chosen = request.POST.getlist("ticket")
    agreed = refund_rule.Agreed(
        lines=frozenset(chosen), back_minor=_sum(request, "back"), fee_minor=_sum(request, "fee")
    )
    try:
        refunds.by_buyer(order, agreed, actor=person_of(request))
    except refunds.OfferChanged as refusal:
        if not _are_refunded(order, agreed):
            return _show(request, order, chosen, changes=refusal.changes)
    except StaleState:
        pass  # all of it was refunded meanwhile, or the event was cancelled
    return see_other(address_of(order))


def _are_refunded(order: Order, agreed: refund_rule.Agreed) -> bool:
    """Whether all of it was refunded before, as by a button that was pressed twice: the order's page tells of it."""
    lines = {str(line.public_id): line for line in order.lines.filter(refunded_at__isnull=False)}
    return bool(agreed.lines) and agreed.lines <= lines.keys()


def _sum(request: HttpRequest, name: str) -> int:
    """An amount from the form; one that is none agrees with nothing."""
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LARGEST_SUM else -1


def _show(request: HttpRequest, order: Order, chosen: Sequence[str], changes: Sequence[str] = ()) -> HttpResponse:
    at = clock.now()
    offer = refund_rule.offer(order, at)
    parts = offer.chosen(chosen) if offer.is_open else ()
    if not parts and len(offer.open_parts) == 1 and offer.is_open and not changes:
        parts = offer.open_parts  # nothing to choose
    context: dict[str, Any] = {
        "order": order,
        "event": order.event,
        "organisation": order.event.organisation,
        "face": event_face.of(order.event),
        "offer": offer,
        "chosen": [str(part.line.public_id) for part in parts],
        "rule": refund_rule.sentence(order.event, at=at, rule=offer.rule),
        "changes": changes,
        "language_url": in_other_language(request),
    }
    if not parts:
        context["asked_for_nothing"] = request.method == "GET" and "choose" in request.GET
        return render(request, "ticketing/order/refund.html", context, status=409 if changes else 200)
    context |= {
        "parts": parts,
        "paid_minor": sum(part.line.kept_minor for part in parts),
        "back_minor": sum(part.back_minor for part in parts),
        "fee_minor": sum(part.fee_minor for part in parts),
        "less_minor": -sum(part.fee_minor for part in parts),
        "fee_words": refund_rule.fee_sentence(offer.rule, offer.currency) if offer.rule else "",
        "may_choose": len(offer.parts) > 1,
        "way": way_back.of_order(order),
    }
    return render(request, "ticketing/order/refund_confirm.html", context, status=409 if changes else 200)
