"""What is written to sellers: that their ticket is for sale, is sold and what comes back, or is not for sale any more.

Whoever buys is written to as any buyer is, and asked what the organiser asks every owner anew. A mail goes to the
ticket's holder, and what concerns money to the payer, to whom it goes back.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.events import wording
from apps.events.translated import joined
from apps.resale import reasons as codes
from apps.resale.models import Listing
from apps.resale.states import ListingState
from apps.ticketing import answers, changes, clock, mails, reasons, way_back
from apps.ticketing.mails import Letter, Request
from apps.ticketing.models import Order, Ticket
from apps.ticketing.states import TicketState

LISTED, RESERVED, SOLD, WITHDRAWN = "resale_listed", "resale_reserved", "resale_sold", "resale_withdrawn"
ASK_ANEW = "resale_ask_anew"
HOUR_SECONDS = 3_600


def listed(listing: Listing) -> None:
    """To the holder: the ticket is for sale, what it comes to, and how to take it back."""
    _tell(LISTED, listing, f"{listing.public_id}")


def changed(listing: Listing) -> None:
    """To the holder, anew: the organiser has changed the sale, and what it comes to now."""
    ticket = listing.ticket
    suffix = f"{listing.public_id}:{listing.version}"
    mails.ask(LISTED, ticket.line.order, suffix=suffix, listing=listing.pk, to=ticket.holder_email, is_changed=True)


def reserved(listings: Iterable[Listing]) -> None:
    """To each holder: somebody is buying the ticket, until when, and that there is nothing to do. Once an hour, however
    many begin and do not pay. One query."""
    hour = int(clock.now().timestamp()) // HOUR_SECONDS
    mails.ask_each(
        RESERVED,
        {
            f"{listing.public_id}:{hour}": (
                listing.ticket.line.order_id,
                {"listing": listing.pk, "to": listing.ticket.holder_email},
            )
            for listing in listings
        },
    )


def sold(listings: Iterable[Listing]) -> None:
    """To the holder, and to the payer where that is another: the ticket has a new owner, and what comes back when."""
    for listing in listings:
        _tell(SOLD, listing, f"{listing.public_id}")
        order = listing.ticket.line.order
        if listing.payout_minor and order.email.lower() != listing.ticket.holder_email.lower():
            mails.ask(SOLD, order, suffix=f"{listing.public_id}:payer", listing=listing.pk, to=order.email)


def withdrawn(listing: Listing) -> None:
    """To the holder: the ticket is not for sale any more, also when whoever has its link has withdrawn it."""
    _tell(WITHDRAWN, listing, f"{listing.public_id}")


def ask_anew(ticket: Ticket) -> None:
    """To the new owner: what the organiser asks them, whatever the former one said; nothing where nothing is asked."""
    if answers.asks_anew(ticket.event_id, ticket.ticket_type_id):
        mails.ask(ASK_ANEW, ticket.line.order, suffix=f"{ticket.public_id}", ticket=ticket.pk)


def _tell(name: str, listing: Listing, suffix: str) -> None:
    ticket = listing.ticket
    mails.ask(name, ticket.line.order, suffix=suffix, listing=listing.pk, to=ticket.holder_email)


def _read(request: Request) -> Listing:
    rows = Listing.objects.select_related(
        "ticket__ticket_type", "ticket__event", "ticket__line__order", "held_by__order"
    )
    return rows.get(pk=request.payload["listing"])


def _listed(order: Order, request: Request) -> Letter | None:
    listing = _read(request)
    if listing.state not in (ListingState.OPEN, ListingState.HELD):
        return None
    subject = _("Your ticket to %(event)s is for sale") % {"event": order.event.title}
    is_changed = request.payload.get("is_changed", False)
    return Letter("resale/mails/listed", subject, {**_context(listing, order), "is_changed": is_changed})


def _reserved(order: Order, request: Request) -> Letter | None:
    listing = _read(request)
    until = listing.held_by.order.reserved_until if listing.held_by is not None else None
    if listing.state != ListingState.HELD or until is None:
        return None
    subject = _("Somebody is buying your ticket to %(event)s") % {"event": order.event.title}
    return Letter("resale/mails/reserved", subject, {**_context(listing, order), "until": until})


def _sold(order: Order, request: Request) -> Letter | None:
    listing = _read(request)
    back = wording.write_money(listing.payout_minor, listing.currency)
    words = {"event": order.event.title, "amount": back}
    # Only the payer has the order's link, and gets the money; whoever was given the ticket has the ticket's.
    to = request.payload["to"].lower()
    is_payers, is_holders = to == order.email.lower(), to == listing.ticket.holder_email.lower()
    subject = _("%(event)s: sold")
    if listing.payout_minor and is_payers:
        subject = _("Your ticket to %(event)s is sold: %(amount)s comes back")
    lines = [{"name": listing.ticket.ticket_type.name, "parts": "", "price_minor": listing.asked_minor}]
    if listing.fee_minor:
        lines.append({"name": _("Fee that is kept"), "parts": "", "price_minor": -listing.fee_minor})
    link = mails.order_url(order) if is_payers else mails.ticket_url(listing.ticket)
    context = {
        **_context(listing, order),
        "way": way_back.of_order(order),
        "lines": lines,
        "link_url": link,
        "is_payers": is_payers,
        "is_holders": is_holders,
    }
    return Letter("resale/mails/sold", subject % words, context)


def _ask_anew(order: Order, request: Request) -> Letter | None:
    ticket = Ticket.objects.select_related("ticket_type", "event", "line__order__event").get(
        pk=request.payload["ticket"]
    )
    anew = answers.ask_anew(ticket)
    variations = [] if changes.why_not(order, ticket, clock.now()) else list(anew.variations)
    if ticket.state != TicketState.VALID or not (variations or anew.questions):
        return None
    picked = ticket.line.choices.filter(choice__variation__in=variations).select_related("choice")
    context = {
        "asked": joined([*(row.name for row in variations), *(row.text for row in anew.questions)]),
        "chosen": joined([pick.choice.name for pick in picked.order_by("choice__variation__position", "pk")]),
        "closing": answers.closing_sentence(ticket.ticket_type, ticket.event, clock.now()) if variations else "",
        "change_url": mails.change_url(ticket) if variations else "",
        "questions_url": mails.guest_url(ticket) if anew.questions else "",
    }
    return Letter("resale/mails/ask_anew", _("Choose for yourself: %(event)s") % {"event": order.event.title}, context)


def _withdrawn(order: Order, request: Request) -> Letter | None:
    listing = _read(request)
    subject = _("Your ticket to %(event)s is no longer for sale") % {"event": order.event.title}
    why = reasons.sentence(listing.reason or codes.CLOSED)
    by_link = listing.reason == codes.BY_SELLER
    return Letter("resale/mails/withdrawn", subject, {**_context(listing, order), "why": why, "by_link": by_link})


def _context(listing: Listing, order: Order) -> dict[str, object]:
    ticket = listing.ticket
    sell_url = settings.SITE_URL + reverse("resale:sell", args=[ticket.public_id, ticket.secret])
    return {"listing": listing, "ticket": ticket, "ticket_url": mails.ticket_url(ticket), "sell_url": sell_url}


mails.register(LISTED, gettext_lazy("Ticket for sale"), _listed, to_holder=True)
mails.register(RESERVED, gettext_lazy("Ticket being bought"), _reserved, to_holder=True)
mails.register(SOLD, gettext_lazy("Ticket sold"), _sold, to_holder=True)
mails.register(ASK_ANEW, gettext_lazy("To a new owner: what they are asked"), _ask_anew)
mails.register(WITHDRAWN, gettext_lazy("Ticket not for sale any more"), _withdrawn, to_holder=True)
