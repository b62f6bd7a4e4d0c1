"""The buyer's way to other choices for a paid ticket: choose, see what it costs or brings back, agree.

Choosing and seeing change nothing. The last button does, and it says the sum that was seen: what differs by then is
told instead of done. Next: `changes.begin`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.events.translated import joined, repeated
from apps.ticketing import answers, catalogue, changes, clock, event_face
from apps.ticketing.catalogue import ChoiceFacts, TypeFacts, VariationFacts
from apps.ticketing.models import Choice, Order, Ticket
from apps.ticketing.states import OrderState
from apps.ticketing.ticket_page import GONE
from apps.ticketing.visitors import address_of, held_by_link, in_other_language, order_or_404, person_of, see_other

NUMBER = re.compile(r"[0-9]{1,4}")
SUM = re.compile(r"-?[0-9]{1,12}")


@dataclass(frozen=True)
class Option:
    """One choice as it is drawn, with what it adds for this ticket."""

    facts: ChoiceFacts
    delta_minor: int
    quantity: int
    most: int
    is_sold_out: bool

    @property
    def is_chosen(self) -> bool:
        return self.quantity > 0

    @property
    def name(self) -> str:
        """Of its field, where it is taken in numbers."""
        return f"extra-{self.facts.public_id}"


@dataclass(frozen=True)
class Field:
    """One variation as it is drawn."""

    facts: VariationFacts
    options: tuple[Option, ...]

    @property
    def name(self) -> str:
        return f"choice-{self.facts.public_id}"


@held_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, reference: str, secret: str, ticket: uuid.UUID) -> HttpResponse:
    """Other choices for one ticket of a paid order."""
    order = order_or_404(reference, secret)
    if order.state != OrderState.PAID or order.is_supplement:
        return see_other(address_of(order))
    rows = Ticket.objects.select_related("ticket_type", "line").exclude(state__in=GONE)
    found = rows.filter(public_id=ticket, line__order=order).first()
    kind = catalogue.load(order.event_id).type(found.ticket_type_id) if found else None
    if found is None:
        raise Http404
    at = clock.now()
    refusal = changes.why_not(order, found, at)
    if kind is None or not kind.variations:
        refusal = refusal or _("There is nothing to choose for this ticket.")
    waiting = changes.pending_of(found.line)
    if refusal or kind is None or waiting is not None:
        return _show(request, order, found, None, refusal=refusal, waiting=waiting)
    had = changes.has_now(found.line)
    wanted = _read(kind, request.POST) if request.method == "POST" else {pick.choice_id: pick.quantity for pick in had}
    if request.method != "POST":
        return _show(request, order, found, kind, wanted=wanted, had=had)
    try:
        planned = changes.plan(had, wanted, kind)
        difference = changes.difference(found.line, planned)
        agreed = request.POST.get("agreed_minor", "")
        if "back" in request.POST:
            return _show(request, order, found, kind, wanted=wanted, had=had)
        if planned.changes_anything and not SUM.fullmatch(agreed) and difference:
            return _confirm(request, order, found, planned, difference)
        seen = int(agreed) if SUM.fullmatch(agreed) else 0
        supplement = changes.begin(order, found, wanted, agreed_minor=seen, actor=person_of(request))
    except changes.Pending as pending:
        return _show(request, order, found, None, waiting=pending.order)
    except changes.NotChanged as refused:
        return _show(request, order, found, kind, wanted=wanted, had=had, problem=str(refused))
    return see_other(address_of(supplement) if supplement else f"{address_of(order)}?done=change")


def _read(kind: TypeFacts, data: Any) -> dict[int, int]:
    """{choice: number} as sent; what cannot be read is not chosen, and `plan` says what is missing."""
    wanted: dict[int, int] = {}
    for variation in kind.variations:
        chosen = data.get(f"choice-{variation.public_id}", "")
        for choice in variation.choices:
            if variation.is_mandatory:
                if chosen == str(choice.public_id):
                    wanted[choice.id] = 1
            else:
                number = data.get(f"extra-{choice.public_id}", "").strip()
                if NUMBER.fullmatch(number) and int(number):
                    wanted[choice.id] = int(number)
    return wanted


def _fields(order: Order, kind: TypeFacts, wanted: Mapping[int, int], had: Any) -> tuple[Field, ...]:
    left = catalogue.stock(order.event_id)
    sold_at = {pick.choice_id: pick.delta_minor for pick in had}
    has = {pick.choice_id: pick.quantity for pick in had}

    def option(choice: ChoiceFacts) -> Option:
        more = min((left.get(quota_id, 0) for quota_id in choice.quota_ids), default=choice.max_quantity)
        most = min(choice.max_quantity, max(0, more) + has.get(choice.id, 0))
        delta = sold_at.get(choice.id, choice.delta_minor)
        return Option(choice, delta, wanted.get(choice.id, 0), max(most, has.get(choice.id, 0)), most <= 0)

    return tuple(
        Field(variation, tuple(option(choice) for choice in variation.choices)) for variation in kind.variations
    )


def _context(request: HttpRequest, order: Order, ticket: Ticket) -> dict[str, Any]:
    return {
        "order": order,
        "ticket": ticket,
        "number": ticket.line.position + 1,
        "event": order.event,
        "organisation": order.event.organisation,
        "face": event_face.of(order.event),
        "closes": answers.closing_sentence(ticket.ticket_type, order.event, clock.now()),
        "language_url": in_other_language(request),
    }


def _show(
    request: HttpRequest,
    order: Order,
    ticket: Ticket,
    kind: TypeFacts | None,
    *,
    wanted: Mapping[int, int] | None = None,
    had: Any = (),
    refusal: str = "",
    waiting: Order | None = None,
    problem: str = "",
) -> HttpResponse:
    context = {
        **_context(request, order, ticket),
        "fields": _fields(order, kind, wanted or {}, had) if kind else (),
        "refusal": refusal,
        "waiting_url": address_of(waiting) if waiting else "",
        "problem": problem,
    }
    return render(request, "ticketing/order/change.html", context, status=409 if problem else 200)


def _confirm(
    request: HttpRequest, order: Order, ticket: Ticket, planned: changes.Plan, difference: int
) -> HttpResponse:
    names = Choice.objects.in_bulk([pick.choice_id for pick in (*planned.before, *planned.after)])

    def told(picks: tuple[changes.Pick, ...]) -> str:
        return joined([repeated(names[pick.choice_id].name, pick.quantity) for pick in picks])

    sent = {
        name: value
        for name, value in request.POST.items()
        if name.startswith(("choice-", "extra-")) and len(value) <= 64
    }
    context = {
        **_context(request, order, ticket),
        "before": told(planned.before),
        "after": told(planned.after),
        "difference_minor": difference,
        "back_minor": -difference,
        "sent": sent,
    }
    return render(request, "ticketing/order/change_confirm.html", context)
