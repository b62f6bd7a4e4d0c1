"""What is written to buyers who send the money themselves, and when it has become pointless."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.events import wording
from apps.ticketing import outbox
from apps.ticketing.mails.letters import Kind, Letter, Request, kinds, transfer_of
from apps.ticketing.models import Order, Payment
from apps.ticketing.states import OrderState


def _instructions(order: Order, request: Request) -> Letter | None:
    payment = _open(order, request)
    if payment is None:
        return None
    subject = _("How to pay for %(event)s, by %(day)s") % _words(order)
    return Letter("transfer_instructions", subject, _context(order, payment))


def _reminder(order: Order, request: Request) -> Letter | None:
    payment = transfer_of(order) if order.state == OrderState.RESERVED else None
    if payment is None:
        return None  # paid, given up, or paid another way
    subject = _("Your places at %(event)s are held until %(day)s") % _words(order)
    return Letter("transfer_reminder", subject, _context(order, payment))


def _short(order: Order, request: Request) -> Letter | None:
    payment = _open(order, request)
    received = request.payload["received_minor"]
    if payment is None or received >= payment.amount_minor:
        return None
    missing = wording.write_money(payment.amount_minor - received, payment.currency)
    subject = _("%(missing)s is missing for %(event)s") % {"missing": missing, **_words(order)}
    came = wording.write_money(received, payment.currency)
    return Letter("transfer_short", subject, {**_context(order, payment), "missing": missing, "came": came})


def _open(order: Order, request: Request) -> Payment | None:
    """The payment the mail is about, while it waits for money. Raises outbox.NotYet while it has no reference."""
    payment = transfer_of(order)
    if order.state != OrderState.RESERVED or payment is None or payment.pk != request.payload["payment"]:
        return None
    if not payment.provider_reference:
        raise outbox.NotYet("its reference is being made", seconds=1)
    return payment


def _words(order: Order) -> dict[str, str]:
    until = order.reserved_until
    return {"event": order.event.title, "day": wording.write_day(until, order.event.zone) if until else ""}


def _context(order: Order, payment: Payment) -> dict[str, Any]:
    from apps.ticketing import instructions  # the ways to pay ask for these very mails

    return {"told": instructions.of(order, payment), "until": order.reserved_until}


kinds["transfer_instructions"] = Kind(gettext_lazy("How to pay"), _instructions)
kinds["transfer_reminder"] = Kind(gettext_lazy("The money has not come yet"), _reminder, is_reminder=True)
kinds["transfer_short"] = Kind(gettext_lazy("Less came than agreed"), _short)
