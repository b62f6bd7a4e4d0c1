"""A ticket given away, as its holder and its recipient see it: two pages, each behind a link that is the key to it.

The recipient's link stands in their mail alone, so whoever has it is who the giver meant; an account is not needed.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.events.translated import joined, repeated
from apps.ticketing import catalogue, clock, event_face, gift_payments, gift_terms, giving
from apps.ticketing.giving import CannotGive, Over
from apps.ticketing.models import Gift, Ticket
from apps.ticketing.retries import is_held_elsewhere
from apps.ticketing.states import GiftState, TicketState
from apps.ticketing.visitors import address_of, held_by_link, in_other_language, person_of, see_other

SUM = re.compile(r"[0-9]{1,9}")


def ticket_address(ticket: Ticket) -> str:
    """The holder's page of a ticket."""
    return reverse("ticketing:ticket", args=[ticket.public_id, ticket.secret])


def gift_address(gift: Gift) -> str:
    """The recipient's page of an offer."""
    return reverse("ticketing:gift", args=[gift.public_id, gift.secret])


# --- The holder ----------------------------------------------------------------------------------------------------


@held_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def give(request: HttpRequest, ticket: uuid.UUID, secret: str) -> HttpResponse:
    """The form to offer a ticket to somebody, or to whom it is offered. POST offers it, or with `what=cancel` takes the
    offer back."""
    found = get_object_or_404(giving.fetched(Ticket.objects), public_id=ticket, secret=secret)
    problem: CannotGive | None = None
    if request.method == "POST":
        try:
            if request.POST.get("what") == "cancel":
                return _take_back(request, found)
            words = {name: request.POST.get(name, "") for name in ("name", "email", "note")}
            giving.give(found, **words, actor=person_of(request))
            return see_other(request.path)
        except CannotGive as refusal:
            problem = refusal
    return _show_giver(request, found, problem)


def _take_back(request: HttpRequest, ticket: Ticket) -> HttpResponse:
    """Take back the open offer of a ticket. One that was answered meanwhile tells so by the page it leads to."""
    for gift in Gift.objects.filter(ticket=ticket, state=GiftState.PENDING):
        try:
            giving.cancel(gift, actor=person_of(request))
        except Over:
            break
    return see_other(ticket_address(ticket))


def _show_giver(request: HttpRequest, ticket: Ticket, problem: CannotGive | None) -> HttpResponse:
    at, rule = clock.now(), giving.rule_of(ticket.event)
    newest = giving.of_ticket(ticket)
    gift = newest if newest is not None and newest.state in (GiftState.PENDING, GiftState.ACCEPTED) else None
    why_not = "" if gift else giving.why_not(ticket, rule, at)
    said = str(problem.sentence) if problem else ""
    return render(
        request,
        "ticketing/gift_give.html",
        {
            **_frame(request, ticket),
            "gift": gift,
            "why_not": why_not,
            "closes_at": giving.closes_at(ticket.event, rule),
            "days": giving.DAYS_TO_ANSWER,
            "typed": {name: request.POST.get(name, "") for name in ("name", "email", "note")},
            "problem": said if problem and not problem.field and said != str(why_not) else "",
            "problems": {problem.field: said} if problem and problem.field else {},
            "is_payers": not ticket.line.is_given_away,
        },
        status=422 if problem else 200,
    )


# --- The recipient -------------------------------------------------------------------------------------------------


@held_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def gift(request: HttpRequest, gift: uuid.UUID, secret: str) -> HttpResponse:
    """What is offered, by whom and what it means; POST answers, `accept`, `pay` or `decline`. Afterwards what became of
    it."""
    found = _read(get_object_or_404(Gift, public_id=gift, secret=secret))
    said = request.POST.get("answer", "")
    problem: CannotGive | None = None
    waiting = gift_payments.newest_of(found)
    if waiting is not None and waiting.is_paid:
        gift_payments.go_on(waiting)  # whoever comes back from the bank is not kept waiting for a worker
        return see_other(request.path) if request.method == "POST" else _show_recipient(request, _read(found), None)
    if request.method == "POST" and said in ("accept", "pay", "decline"):
        try:
            if said == "pay":
                order = gift_payments.begin(
                    found,
                    agreed_minor=_sum(request.POST.get("agreed_minor", "")),
                    name=request.POST.get("name", ""),
                    user=person_of(request),
                )
                return see_other(address_of(order))
            if said == "accept":
                became = giving.accept(found, name=request.POST.get("name", ""), user=person_of(request))
                return see_other(ticket_address(became))
            giving.decline(found)
            return see_other(request.path)
        except Over:
            return see_other(request.path)  # the page tells what became of it
        except CannotGive as refusal:
            problem = refusal
        except Exception as error:
            if not is_held_elsewhere(error):
                raise
            problem = CannotGive(
                _("So many are buying tickets right now that this has to wait. Try again in a minute.")
            )
    return _show_recipient(request, found, problem)


def _read(gift: Gift) -> Gift:
    """The offer as it is now, with all that its page tells."""
    found = Gift.objects.select_related("became", "ticket").get(pk=gift.pk)
    found.ticket = giving.fetched(Ticket.objects).get(pk=found.ticket_id)
    return found


def _sum(text: str) -> int:
    """The sum on the button that was pressed; what is none agrees to nothing, and is told what it is."""
    return int(text) if SUM.fullmatch(text) else 0


def _show_recipient(request: HttpRequest, gift: Gift, problem: CannotGive | None) -> HttpResponse:
    ticket, at = gift.ticket, clock.now()
    supplement = gift_payments.newest_of(gift)
    is_paying = supplement is not None and supplement.is_open
    is_pending = gift.state == GiftState.PENDING
    is_open = is_pending and (gift.until > at or is_paying) and ticket.state == TicketState.VALID
    person = person_of(request)
    context: dict[str, Any] = {
        **_frame(request, ticket),
        "gift": gift,
        "is_open": is_open and ticket.event.cancelled_at is None,
        "is_lapsed": gift.state == GiftState.EXPIRED or (is_pending and gift.until <= at),
        "supplement": supplement,
        "came_to_nothing": supplement is not None and supplement.came_to_nothing,
        "pays_url": address_of(supplement.line.order) if supplement and is_paying else "",
        "person": person,
        "problem": str(problem.sentence) if problem and not problem.field else "",
        "problems": {problem.field: str(problem.sentence)} if problem and problem.field else {},
        "typed_name": request.POST.get("name", gift.to_name),
        "needs_name": ticket.ticket_type.needs_id or ticket.ticket_type.needs_name,
        "why_ended": giving.why_ended(gift),
        "sign_in_url": "",
    }
    if context["is_open"]:
        facts = catalogue.load(ticket.event_id)
        rule = giving.rule_of(ticket.event)
        terms = gift_terms.terms_for(ticket, email=gift.to_email, person=person, facts=facts, rule=rule, at=at)
        context["terms"] = terms
        if supplement and not terms.refusal and terms.pays_minor < supplement.line.price_minor:
            context["pays_url"] = ""  # what they began to pay is more than they need to
        if facts.sign_in_required and person is None:
            context["sign_in_url"] = f"{reverse('account_login')}?next={request.path}"
    return render(request, "ticketing/gift.html", context, status=422 if problem else 200)


def _frame(request: HttpRequest, ticket: Ticket) -> dict[str, Any]:
    picks = ticket.line.choices.select_related("choice__variation").exclude(choice__is_sensitive=True)
    return {
        "ticket": ticket,
        "event": ticket.event,
        "organisation": ticket.event.organisation,
        "face": event_face.of(ticket.event),
        "chosen": joined([repeated(picked.choice.name, picked.quantity) for picked in picks.order_by("pk")]),
        "language_url": in_other_language(request),
    }
