"""The whole addresses that stand in mails. Each holds a secret: whoever has the mail, has the order."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse

from apps.ticketing import addresses, answers
from apps.ticketing.models import Order, Refund, Ticket


def order_url(order: Order) -> str:
    """The buyer's own link to the order, with its secret, and the mark that tells its page who comes from a mail."""
    path = reverse("ticketing:order", args=[order.reference, order.secret])
    return f"{settings.SITE_URL}{path}?{addresses.MARK}={addresses.mark(order)}"


def change_url(ticket: Ticket) -> str:
    """Where the buyer chooses again for one of their tickets."""
    order = ticket.line.order
    return settings.SITE_URL + reverse("ticketing:order_change", args=[order.reference, order.secret, ticket.public_id])


def payout_url(order: Order, refund: Refund) -> str:
    """Where whoever paid says to which account they want a refund that did not arrive."""
    return settings.SITE_URL + reverse("ticketing:order_payout", args=[order.reference, order.secret, refund.public_id])


def pdf_url(order: Order) -> str:
    """All tickets of the order as PDF."""
    return settings.SITE_URL + reverse("ticketing:order_pdf", args=[order.reference, order.secret])


def desk_url(order: Order) -> str:
    """The order in the administration, for those who may see it there."""
    return settings.SITE_URL + reverse("order_desk:inspect", args=[order.public_id])


def answers_url(order: Order) -> str:
    """What the organiser asks the guests of an order, for its buyer."""
    return settings.SITE_URL + reverse("ticketing:order_answers", args=[order.reference, order.secret])


def guest_url(ticket: Ticket) -> str:
    """The questions of one ticket, for whoever holds it; the link opens nothing else."""
    return settings.SITE_URL + reverse("ticketing:ticket_answers", args=[ticket.public_id, answers.token_of(ticket)])


def ticket_url(ticket: Ticket) -> str:
    """The holder's own link to the ticket, with its secret."""
    return settings.SITE_URL + reverse("ticketing:ticket", args=[ticket.public_id, ticket.secret])
