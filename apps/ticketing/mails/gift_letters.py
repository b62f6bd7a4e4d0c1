"""What is written when a ticket is given away: to whom it is offered, to its giver, and to its payer where that is
another. And to whoever has a ticket that somebody else paid for, when the organiser ends it or the evening changes.

Whoever is no buyer is never sent the order's link.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.keyring import normalise_email
from apps.ticketing import clock, outbox, reasons
from apps.ticketing.mails import asking
from apps.ticketing.mails.letters import Kind, Letter, Request, kinds, told_changes
from apps.ticketing.mails.links import ticket_url
from apps.ticketing.models import EventMove, Gift, Order, Ticket
from apps.ticketing.states import GiftState, TicketState

OFFERED, RECEIVED, ACCEPTED, PAYER = "gift_offered", "gift_received", "gift_accepted", "gift_accepted_payer"
NOT_TAKEN, TAKEN_BACK = "gift_not_taken", "gift_taken_back"
HOLDER_ENDED, HOLDER_CHANGED = "holder_ticket_ended", "holder_event_changed"
NOT_BY_THE_GIVER = (GiftState.DECLINED, GiftState.EXPIRED)


# --- Asking for them -----------------------------------------------------------------------------------------------


def offered(gift: Gift) -> None:
    """To the recipient: who gives them what, and the link under which they answer."""
    _ask(OFFERED, gift, gift.to_email)


def accepted(gift: Gift) -> None:
    """To the recipient their ticket; to the giver, and to the payer where that is another, that it is theirs."""
    _ask(RECEIVED, gift, gift.to_email)
    _ask(ACCEPTED, gift, gift.ticket.holder_email)
    order = gift.ticket.line.order
    known = {normalise_email(gift.ticket.holder_email), normalise_email(gift.to_email)}
    if order.email and normalise_email(order.email) not in known:
        _ask(PAYER, gift, order.email)


def ended(gift: Gift) -> None:
    """To the giver, unless they took it back themselves; and to the recipient, unless they declined."""
    if gift.reason != reasons.GIFT_TAKEN_BACK:
        _ask(NOT_TAKEN, gift, gift.ticket.holder_email)
    if gift.state != GiftState.DECLINED:
        _ask(TAKEN_BACK, gift, gift.to_email)


def tickets_ended(order: Order, line_ids: Iterable[int]) -> None:
    """To those who have tickets of these lines and did not buy them: the ticket has ended, and who gets the money. Call
    it when the tickets are revoked, in the same transaction. One query."""
    for ticket in Ticket.objects.filter(line__in=list(line_ids), state=TicketState.REVOKED).exclude(line__owner_key=""):
        if ticket.holder_email:
            key = f"{asking.KIND}:{HOLDER_ENDED}:{ticket.public_id}"
            payload = {"name": HOLDER_ENDED, "ticket": ticket.pk, "to": ticket.holder_email}
            outbox.add(asking.KIND, key=key, payload=payload, order=order)


def event_moved(move: EventMove) -> None:
    """To those who have a ticket and did not buy it: the event is another day or place. Whether the ticket is kept is
    asked of its buyer, and they are told if it is not (`tickets_ended`). Two queries."""
    alive = [TicketState.VALID, TicketState.HELD, TicketState.USED, TicketState.BLOCKED]
    given = (
        Ticket.objects.filter(event=move.event_id, state__in=alive).exclude(line__owner_key="").exclude(holder_email="")
    )
    wanted = [
        outbox.Wanted(
            f"{asking.KIND}:{HOLDER_CHANGED}:{pk}:{move.pk}",
            {"name": HOLDER_CHANGED, "ticket": pk, "to": email, "was": move.was},
            order_id,
        )
        for pk, email, order_id in given.order_by("pk").values_list("pk", "holder_email", "line__order_id")
    ]
    if wanted:
        outbox.add_many(asking.KIND, wanted, due_at=clock.now())


def _ask(name: str, gift: Gift, to: str) -> None:
    if to:
        key = f"{asking.KIND}:{name}:{gift.public_id}"
        payload = {"name": name, "gift": gift.pk, "to": to}
        outbox.add(asking.KIND, key=key, payload=payload, order=gift.ticket.line.order)


def gift_url(gift: Gift) -> str:
    """The recipient's own link to the offer, with its secret: it stands in their mail alone."""
    return settings.SITE_URL + reverse("ticketing:gift", args=[gift.public_id, gift.secret])


# --- What they say -------------------------------------------------------------------------------------------------

NO_ORDER = {"order": None, "order_url": ""}  # for those who are not its buyer


def _read(request: Request) -> Gift:
    rows = Gift.objects.select_related("ticket__ticket_type", "ticket__event", "ticket__line", "became")
    return rows.get(pk=request.payload["gift"])


def _offered(order: Order, request: Request) -> Letter | None:
    gift = _read(request)
    if gift.state != GiftState.PENDING or gift.until <= clock.now():
        return None
    giver = gift.ticket.holder_name
    words = {"giver": giver, "event": order.event.title}
    subject = _("%(giver)s gives you a ticket to %(event)s") if giver else _("A ticket to %(event)s for you")
    return Letter(OFFERED, subject % words, {**_about(gift), **NO_ORDER, "gift_url": gift_url(gift)})


def _received(order: Order, request: Request) -> Letter | None:
    gift = _read(request)
    if gift.became is None or gift.became.state in (TicketState.SUPERSEDED, TicketState.REVOKED):
        return None
    subject = _("Your ticket to %(event)s") % {"event": order.event.title}
    return Letter(RECEIVED, subject, {**_about(gift), **NO_ORDER, "ticket_url": ticket_url(gift.became)})


def _accepted(order: Order, request: Request) -> Letter | None:
    gift = _read(request)
    named = {"name": _new_holder(gift), "event": order.event.title}
    subject = _("%(name)s has your ticket to %(event)s now") % named
    return Letter(ACCEPTED, subject, {**_about(gift), **NO_ORDER, "new_holder": named["name"]})


def _accepted_payer(order: Order, request: Request) -> Letter | None:
    gift = _read(request)
    subject = _("A ticket you bought to %(event)s has a new holder") % {"event": order.event.title}
    return Letter(PAYER, subject, {**_about(gift), "new_holder": _new_holder(gift)})


def _not_taken(order: Order, request: Request) -> Letter | None:
    gift = _read(request)
    subject = {
        GiftState.DECLINED: _("%(name)s did not take your ticket to %(event)s"),
        GiftState.EXPIRED: _("%(name)s did not answer about your ticket to %(event)s"),
    }.get(GiftState(gift.state), _("Your ticket to %(event)s is not being given away any more"))
    url = ticket_url(gift.ticket) if gift.ticket.state != TicketState.SUPERSEDED else ""
    words = {"name": gift.to_name, "event": order.event.title}
    return Letter(NOT_TAKEN, subject % words, {**_about(gift), **NO_ORDER, "ticket_url": url, "why": _why(gift)})


def _taken_back(order: Order, request: Request) -> Letter | None:
    gift = _read(request)
    subject = _("The ticket to %(event)s is not offered to you any more") % {"event": order.event.title}
    why = reasons.sentence(reasons.GIFT_ENDED_UNDER_PAYER) if gift.differences.exists() else _why(gift)
    return Letter(TAKEN_BACK, subject, {**_about(gift), **NO_ORDER, "why": why})


def _holder_ended(order: Order, request: Request) -> Letter | None:
    ticket = _ticket(request)
    subject = _("Your ticket to %(event)s is not valid any more") % {"event": order.event.title}
    context = {"ticket": ticket, "is_cancelled": order.event.cancelled_at is not None, **NO_ORDER}
    return Letter(HOLDER_ENDED, subject, context)


def _holder_changed(order: Order, request: Request) -> Letter | None:
    ticket = _ticket(request)
    changes = told_changes(order.event, request.payload["was"])
    if not changes or ticket.state in (TicketState.SUPERSEDED, TicketState.REVOKED):
        return None
    subject = _("%(event)s: what has changed") % {"event": order.event.title}
    return Letter(HOLDER_CHANGED, subject, {**NO_ORDER, "changes": changes, "ticket_url": ticket_url(ticket)})


def _ticket(request: Request) -> Ticket:
    return Ticket.objects.select_related("ticket_type").get(pk=request.payload["ticket"])


def _about(gift: Gift) -> dict[str, Any]:
    return {"gift": gift, "ticket": gift.ticket, "giver": gift.ticket.holder_name}


def _new_holder(gift: Gift) -> str:
    return (gift.became.holder_name if gift.became else "") or gift.to_name


def _why(gift: Gift) -> str:
    """Why an offer ended, where its state does not say it."""
    return reasons.sentence(gift.reason) if gift.reason else ""


for _name, _title, _writer in (
    (OFFERED, gettext_lazy("To the recipient: a ticket is offered"), _offered),
    (RECEIVED, gettext_lazy("To the recipient: their ticket"), _received),
    (ACCEPTED, gettext_lazy("Ticket given away"), _accepted),
    (PAYER, gettext_lazy("To the payer: ticket given away"), _accepted_payer),
    (NOT_TAKEN, gettext_lazy("Ticket not taken"), _not_taken),
    (TAKEN_BACK, gettext_lazy("To the recipient: offer ended"), _taken_back),
    (HOLDER_ENDED, gettext_lazy("To a ticket's holder: it has ended"), _holder_ended),
    (HOLDER_CHANGED, gettext_lazy("To a ticket's holder: the event has changed"), _holder_changed),
):
    kinds[_name] = Kind(_title, _writer, to_former=True)
