"""Mailing a guest the link of what their ticket is asked: by the buyer, who may not see the answers (`answers`)."""

from __future__ import annotations

import uuid

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.ticketing import answers, mails
from apps.ticketing.models import Effect, Order, Ticket
from apps.ticketing.ticket_page import GONE

LONGEST_EMAIL = 254
MAILS_PER_TICKET = 5


class NotSent(Exception):
    """Nothing was sent; the sentence says why and what to do."""


def send(order: Order, ticket_id: str, email: str) -> None:
    """Mail the link of one ticket's questions to whom the buyer names, at most five times for a ticket.

    `ticket_id` is the ticket's public id and `email` an address, both as they were sent. Raises NotSent, and
    Ticket.DoesNotExist where the order has none such. Locks the order. Next: the outbox sends it.
    """
    address = _checked(email)
    with transaction.atomic():
        Order.objects.select_for_update(no_key=True).get(pk=order.pk)
        ticket = _own_ticket(order, ticket_id)
        if not answers.asked(order.event_id, [ticket]):
            raise NotSent(_("Nothing is asked of this ticket. Nothing was sent."))
        key = f"{mails.GUEST_QUESTIONS}{ticket.public_id}:"
        sent = Effect.objects.filter(order=order, key__startswith=key).count()
        if sent >= MAILS_PER_TICKET:
            sentence = ngettext(
                "The link was mailed %(times)d time already. Copy it and send it yourself. Nothing was sent.",
                "The link was mailed %(times)d times already. Copy it and send it yourself. Nothing was sent.",
                sent,
            )
            raise NotSent(sentence % {"times": sent})
        mails.guest_questions(order, ticket, address, number=sent + 1)


def _checked(email: str) -> str:
    if not email:
        raise NotSent(_("Write your guest's address."))
    try:
        if len(email) > LONGEST_EMAIL:
            raise ValidationError("too long")
        validate_email(email)
    except ValidationError as error:
        raise NotSent(_("Write an e-mail address such as robin@example.org.")) from error
    return email


def _own_ticket(order: Order, ticket_id: str) -> Ticket:
    """A ticket of the order that is its buyer's still: what was given away is its holder's to answer."""
    try:
        wanted = uuid.UUID(ticket_id)
    except ValueError as error:
        raise NotSent(_("Choose a ticket of this order. Nothing was sent.")) from error
    return Ticket.objects.filter(line__order=order, line__owner_key="").exclude(state__in=GONE).get(public_id=wanted)
