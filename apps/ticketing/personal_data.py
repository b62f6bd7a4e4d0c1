"""What ticketing holds on a person: their orders, tickets, payments and the mails we sent.

A person's are those bought with their account, and those bought as a guest under an address they have proved.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.accounts.personal_data import verified_emails
from apps.ticketing import answers, clock, codes, documents, pricing, reminders
from apps.ticketing.mails import troubles
from apps.ticketing.models import (
    AddressCode,
    Answer,
    ChoiceChange,
    Effect,
    Gift,
    LineChoice,
    MailTrouble,
    Order,
    OrderLine,
    Payment,
    SentMail,
    Ticket,
)
from apps.ticketing.states import EffectState
from apps.ticketing.ticket_page import GONE

ERASED = "erased"  # a place that stays somebody else's than its buyer's, of nobody known any more


class TicketingData:
    """Ticketing's answer to `accounts.extensions.personal_data`."""

    slug = "ticketing"

    def export(self, user: User) -> dict[str, Any]:
        orders = _orders(user).select_related("event", "organisation").prefetch_related("payments").order_by("pk")
        lines = (
            OrderLine.objects.filter(order__in=orders)
            .select_related("ticket_type")
            .prefetch_related("choices__choice", "adjustments")
            .order_by("order_id", "position")
        )
        by_order: dict[int, list[OrderLine]] = {}
        for line in lines:
            by_order.setdefault(line.order_id, []).append(line)
        tickets = _tickets(user).select_related("event", "ticket_type").order_by("pk")
        given = (
            Answer.objects.filter(line__tickets__in=tickets.exclude(state__in=GONE))
            .select_related("question")
            .order_by("pk")
        )
        by_line: dict[int, list[Answer]] = {}
        for row in given:
            by_line.setdefault(row.line_id, []).append(row)
        mails = SentMail.objects.filter(order__in=orders).select_related("order").order_by("pk")
        return {
            "orders": [_order_as_json(order, by_order.get(order.pk, [])) for order in orders],
            "tickets": [
                _ticket_as_json(ticket, by_line.get(ticket.line_id, []) if ticket.state not in GONE else [])
                for ticket in tickets
            ],
            "mails": [
                {
                    "order": mail.order.reference,
                    "to": mail.to,
                    "subject": mail.subject,
                    "sent_at": mail.sent_at.isoformat(),
                }
                for mail in mails
            ],
            "gifts": [_gift_as_json(gift) for gift in _gifts(user).select_related("ticket__event").order_by("pk")],
            "reminders": [
                {"event": row.event.title, "email": row.email, "created_at": row.created_at.isoformat()}
                for row in reminders.of_person(user).select_related("event").order_by("pk")
            ],
        }

    def erase(self, user: User) -> None:
        """Names and addresses go from everything that is over; the books keep amounts, references and dates.

        What is still to come was bought and will be delivered: those orders and tickets only lose their tie to the
        account, and their names go with the other data 90 days after the event.
        """
        orders, tickets, now = _orders(user), _tickets(user), clock.now()
        over = list(orders.filter(event__ends_at__lt=now).values_list("pk", flat=True))
        tickets_over = list(tickets.filter(event__ends_at__lt=now).values_list("pk", flat=True))
        every_order = list(orders.values_list("pk", flat=True))
        every_ticket = list(tickets.values_list("pk", flat=True))

        documents.forget(Order.objects.filter(pk__in=over).values_list("public_id", flat=True))
        Order.objects.filter(pk__in=over).update(email="", name="", buyer_key="", tokens=[])
        OrderLine.objects.filter(order__in=over).update(guest_name="", not_given=None)
        Payment.objects.filter(order__in=over).update(paid_with="")
        got = OrderLine.objects.filter(tickets__in=tickets_over).exclude(owner_key="")
        OrderLine.objects.filter(pk__in=list(got.values_list("pk", flat=True))).update(owner_key=ERASED)
        gifts_over = _gifts(user).filter(ticket__event__ends_at__lt=now)
        gifts_over.update(to_name="", to_email="", note="")
        answers.forget_choices(LineChoice.objects.filter(line__order__in=over, choice__is_sensitive=True))
        Answer.objects.filter(line__order__in=over).delete()
        Answer.objects.filter(line__tickets__in=tickets_over).delete()
        ChoiceChange.objects.filter(line__order__in=over).update(wanted=[], replaced=[])
        Ticket.objects.filter(pk__in=tickets_over).update(holder_name="", holder_email="")
        SentMail.objects.filter(order__in=over).update(to="", subject="")
        reminders.of_person(user).delete()
        addresses = [troubles.address_key(email) for email in verified_emails(user)]
        MailTrouble.objects.filter(address_key__in=addresses).delete()
        codes_of = [codes.address_key(email) for email in verified_emails(user)]
        AddressCode.objects.filter(email_key__in=codes_of).delete()
        Effect.objects.filter(order__in=over, state__in=[EffectState.DONE, EffectState.DEAD]).update(payload={})
        Order.objects.filter(pk__in=every_order).update(user=None)
        Ticket.objects.filter(pk__in=every_ticket).update(owner=None)


def _orders(user: User) -> QuerySet[Order]:
    return Order.objects.filter(_owned(user, "user", "email"))


def _tickets(user: User) -> QuerySet[Ticket]:
    return Ticket.objects.filter(_owned(user, "owner", "holder_email"))


def _gifts(user: User) -> QuerySet[Gift]:
    """Tickets they offered to somebody, or somebody to them."""
    theirs = Q(ticket__in=_tickets(user))
    for email in verified_emails(user):
        theirs |= Q(to_email__iexact=email)
    return Gift.objects.filter(theirs)


def _owned(user: User, person: str, address: str) -> Q:
    """Rows tied to the account, or to no account and one of its proved addresses."""
    owned = Q(**{person: user})
    for email in verified_emails(user):
        owned |= Q(**{f"{person}__isnull": True, f"{address}__iexact": email})
    return owned


def _order_as_json(order: Order, lines: list[OrderLine]) -> dict[str, Any]:
    payments = sorted(order.payments.all(), key=lambda payment: payment.pk)
    return {
        "reference": order.reference,
        "event": order.event.title,
        "seller": order.organisation.seller_name,
        "email": order.email,
        "name": order.name,
        "language": order.locale,
        "state": order.state,
        "codes": order.tokens,
        "queued_at": order.queued_at.isoformat(),
        "paid_at": order.paid_at.isoformat() if order.paid_at else None,
        "total_minor": order.total_minor,
        "currency": order.currency,
        "lines": [
            {
                "ticket": line.ticket_type.name,
                "guest_name": line.guest_name,
                "price_minor": line.price_minor,
                "choices": [{"choice": row.choice.name, "quantity": row.quantity} for row in line.choices.all()],
                "adjustments": [
                    {"label": row.label, "amount_minor": row.amount_minor} for row in line.adjustments.all()
                ],
                "did_not_apply": list(pricing.told_of([line])),
            }
            for line in lines
        ],
        "payments": [
            {
                "provider": payment.provider,
                "provider_reference": payment.provider_reference,
                "amount_minor": payment.amount_minor,
                "paid_with": payment.paid_with,
                "state": payment.state,
                "created_at": payment.created_at.isoformat(),
            }
            for payment in payments
        ],
    }


def _gift_as_json(gift: Gift) -> dict[str, Any]:
    return {
        "event": gift.ticket.event.title,
        "from": gift.ticket.holder_name,
        "to_name": gift.to_name,
        "to_email": gift.to_email,
        "note": gift.note,
        "state": gift.state,
        "given_at": gift.given_at.isoformat(),
    }


def _answer_as_json(row: Answer) -> dict[str, Any]:
    return {
        "question": row.question.text,
        "answer": answers.given_by(row).words(),
        "answered_at": row.answered_at.isoformat(),
    }


def _ticket_as_json(ticket: Ticket, given: list[Answer]) -> dict[str, Any]:
    return {
        "event": ticket.event.title,
        "ticket": ticket.ticket_type.name,
        "holder_name": ticket.holder_name,
        "holder_email": ticket.holder_email,
        "short_code": ticket.short_code,
        "state": ticket.state,
        "issued_at": ticket.issued_at.isoformat(),
        "answers": [_answer_as_json(row) for row in given],
    }
