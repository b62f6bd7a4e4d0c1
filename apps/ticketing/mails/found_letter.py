"""The mail with the links of everything bought under an address. About no order and from no organiser: from the house.

Written only when there is something to tell; an address nobody has bought with gets no mail, so that nobody can have
strangers written to.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.accounts.plain_text import one_line
from apps.events import accent
from apps.ticketing import finding, outbox
from apps.ticketing.mails import handover
from apps.ticketing.mails.links import order_url, ticket_url
from apps.ticketing.mails.message import Message
from apps.ticketing.mails.sending import EMPTY_LINES, HOUSE_COLOUR, LEASE_SECONDS, message_id_of
from apps.ticketing.models import Effect, Order, Ticket

log = logging.getLogger(__name__)


@outbox.handler(finding.KIND, lease_seconds=LEASE_SECONDS)
def _send(effect: Effect) -> None:
    email = effect.payload.get("to", "")
    may_write = email and not finding.is_asked_too_often(effect, email)
    orders = finding.orders_of_address(email) if may_write else []
    tickets = finding.tickets_of_address(email) if may_write else []
    if orders or tickets:
        message = write(email, orders, tickets=tickets, locale=effect.payload["locale"])
        message.extra_headers["Message-ID"] = message_id_of(effect)
        try:
            handover.hand_over(message)
        except handover.Refused as refusal:
            log.warning("the links of an address are refused: %s", refusal.kind)
    Effect.objects.filter(pk=effect.pk).update(payload={})  # the address has served


def write(email: str, orders: list[Order], *, tickets: Sequence[Ticket] = (), locale: str) -> Message:
    """The mail that lists `orders`, and `tickets` they were given, in the language of whoever asked for it."""
    shades = accent.derive(HOUSE_COLOUR)
    with override(locale):
        context = {
            "subject": _("Your tickets and orders"),
            "found": [_row(order, order.reference, order_url(order)) for order in orders]
            + [_row(ticket, ticket.ticket_type.name, ticket_url(ticket)) for ticket in tickets],
            "colour": shades.light,
            "dark": shades.dark,
            "site_url": settings.SITE_URL,
        }
        text = render_to_string("ticketing/mails/found_orders.txt", context)
        message = Message(
            subject=context["subject"],
            body=EMPTY_LINES.sub("\n\n", text).strip() + "\n",
            from_email=settings.DEFAULT_FROM_EMAIL,
            to=[one_line(email)],
            headers={"Auto-Submitted": "auto-generated", "Content-Language": locale},
        )
        message.attach_alternative(render_to_string("ticketing/mails/found_orders.html", context), "text/html")
    return message


def _row(found: Order | Ticket, name: str, url: str) -> dict[str, Any]:
    return {"event": found.event, "name": name, "state": found.get_state_display(), "url": url}
