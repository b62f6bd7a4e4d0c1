"""What the demo shows of tickets given away: one that is offered to the demo's buyer and waits for their answer, and
one at the crew's price that costs whom it is offered to more."""

from __future__ import annotations

from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import IntegrityError

from apps.accounts.models import User
from apps.events.models import Event
from apps.ticketing import giving, ordering
from apps.ticketing.models import Gift, GivingRule, Ticket, TicketType
from config import demo_discounts
from config.demo_orders import buy

MEMBER, FRIEND = ("Ellen Ek", demo_discounts.CREW), ("Vera Viklund", "vera@example.org")
RECIPIENT = ("Kim Karlsson", "buyer@example.org")
NOTE = "Jag hinner inte. Gå du i stället!"


def offer(event: Event) -> None:
    """A stranger's ticket to `event`, offered once to the buyer: it stands on their My pages and in their mail."""
    name, email = RECIPIENT
    if Gift.objects.filter(ticket__event=event).exists():
        return
    ticket = Ticket.objects.filter(event=event, state="valid").exclude(holder_email=email).order_by("pk").first()
    if ticket is None:
        return
    try:
        giving.give(ticket, name=name, email=email, note=NOTE)
    except giving.CannotGive:
        return  # its time is over, or its event is cancelled: the demo was left alone for long


def offer_for_more(event: Event, at: datetime) -> None:
    """A ticket to `event` at the crew's price, offered once to somebody who has no right to it and pays the difference.
    Its link stands in their mail. Outside any transaction: the bank is asked."""
    kind = TicketType.objects.filter(event=event).order_by("position").first()
    if kind is None or Gift.objects.filter(ticket__event=event).exists():
        return
    GivingRule.objects.get_or_create(event=event, when_dearer=GivingRule.WhenDearer.PAY, defaults={"at": at})
    member, _made = User.objects.get_or_create(email=MEMBER[1], defaults={"name": MEMBER[0]})
    EmailAddress.objects.update_or_create(user=member, email=member.email, defaults={"verified": True, "primary": True})
    try:
        buy(event, kind, *MEMBER, user=member, key=f"demo-gift-{event.public_id.hex[:16]}")
        ticket = Ticket.objects.filter(event=event, state="valid", line__order__user=member).first()
        if ticket is not None:
            giving.give(ticket, name=FRIEND[0], email=FRIEND[1], note=NOTE)
    except (ordering.Refused, giving.CannotGive, IntegrityError):
        return  # its time is over: the demo was left alone for long
