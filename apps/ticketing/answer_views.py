"""Where guests answer what the organiser asks: each by the link of their own ticket, and the buyer's page of them all.

The holder's link opens the questions of one ticket: neither its code nor its order, and nothing that costs or moves
money. The buyer sees who has answered, never what: an allergy is the guest's own.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.ticketing import answers, changes, clock, event_face, guest_questions, kept_rows
from apps.ticketing.models import Order, Ticket
from apps.ticketing.states import OrderState
from apps.ticketing.ticket_page import GONE
from apps.ticketing.visitors import address_of, held_by_link, in_other_language, order_or_404, see_other


@held_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def ticket_answers(request: HttpRequest, ticket: uuid.UUID, token: str) -> HttpResponse:
    """The questions of one ticket; POST answers them."""
    try:
        found = answers.by_token(ticket, token)
    except Ticket.DoesNotExist as error:
        raise Http404 from error
    event, kind, line = found.event, found.ticket_type, found.line
    is_gone = found.state in GONE or line.order.state != OrderState.PAID
    questions = () if is_gone else answers.asked_of(event.pk, kind.pk)
    existing = answers.of_lines([line.pk]).get(line.pk, {}) if questions else {}
    data = request.POST if request.method == "POST" else None
    at = clock.now()
    form = answers.AnswersForm(line, kind, questions, existing, event=event, at=at, data=data)
    if data is not None and form.is_open and not form.errors:
        form.save()
        return see_other(f"{request.path}?done=1")
    return render(
        request,
        "ticketing/answers/ticket.html",
        {
            "form": form,
            "ticket": found,
            "event": event,
            "organisation": event.organisation,
            "face": event_face.of(event),
            "is_gone": is_gone,
            "is_done": "done" in request.GET and not form.errors,
            "closes": answers.closing_sentence(kind, event, at) if existing else "",
            "language_url": in_other_language(request),
        },
        status=422 if form.errors else 200,
    )


@dataclass(frozen=True)
class Row:
    """One ticket on the buyer's page: `asked` of it, and whether its choices may be changed."""

    ticket: Ticket
    number: int
    asked: answers.Asked | None
    link: str
    can_change: bool
    email: str = ""
    error: str = ""


@held_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def order_answers(request: HttpRequest, reference: str, secret: str) -> HttpResponse:
    """Who has answered, with a link for each guest; POST mails one of them."""
    order = order_or_404(reference, secret)
    if order.state != OrderState.PAID or order.is_supplement:
        return see_other(address_of(order))
    problem: tuple[str, str] | None = None
    if request.method == "POST":
        email = request.POST.get("email", "").strip()[: guest_questions.LONGEST_EMAIL + 1]
        ticket_id = request.POST.get("ticket", "")
        try:
            guest_questions.send(order, ticket_id, email)
            return see_other(f"{request.path}?sent=1")
        except guest_questions.NotSent as refusal:
            problem = (ticket_id, str(refusal))
        except Ticket.DoesNotExist as error:
            raise Http404 from error
    rows = _rows(order, problem, request.POST.get("email", "")[: guest_questions.LONGEST_EMAIL + 1])
    return render(
        request,
        "ticketing/answers/order.html",
        {
            "order": order,
            "event": order.event,
            "organisation": order.event.organisation,
            "face": event_face.of(order.event),
            "rows": rows,
            "first_left": next((row.number for row in rows if row.asked and row.asked.left), None),
            "problem": problem,
            "is_sent": "sent" in request.GET,
            "language_url": in_other_language(request),
        },
        status=422 if problem else 200,
    )


def _rows(order: Order, problem: tuple[str, str] | None, email: str) -> list[Row]:
    tickets = list(
        Ticket.objects.filter(line__order=order, line__owner_key="")  # what was given away is its holder's to answer
        .exclude(state__in=GONE)
        .select_related("ticket_type", "line")
        .order_by("line__position", "pk")
    )
    asked = {one.ticket.pk: one for one in answers.asked(order.event_id, tickets)}
    at, varied = clock.now(), changeable_types(order)
    found = []
    for ticket in tickets:
        is_wrong = problem is not None and problem[0] == str(ticket.public_id)
        path = reverse("ticketing:ticket_answers", args=[ticket.public_id, answers.token_of(ticket)])
        found.append(
            Row(
                ticket=ticket,
                number=ticket.line.position + 1,
                asked=asked.get(ticket.pk),
                link=settings.SITE_URL + path,
                can_change=ticket.ticket_type_id in varied and not changes.why_not(order, ticket, at),
                email=email if is_wrong else "",
                error=problem[1] if is_wrong and problem else "",
            )
        )
    return found


def changeable_types(order: Order) -> set[int]:
    """The types of the order's event that have choices at all; of kept rows."""
    choices = kept_rows.of(order.event_id).choices.values()
    return {choice.variation.ticket_type_id for choice in choices if choice.is_published}


def paid_context(order: Order, tickets: Any, at: Any) -> dict[str, Any]:
    """What the page of a paid order says of questions and choices. One query where questions are asked, one where
    choices may still be changed, else none."""
    asked = answers.asked(order.event_id, list(tickets))
    varied = changeable_types(order)
    open_for_change = [
        ticket
        for ticket in tickets
        if ticket.ticket_type_id in varied and at < answers.closes_at(ticket.ticket_type, order.event)
    ]
    return {
        "asked": asked,
        "asked_left": sum(one.left for one in asked),
        "can_change": bool(open_for_change) and order.event.cancelled_at is None,
    }
