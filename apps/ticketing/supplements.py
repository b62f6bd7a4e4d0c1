"""An order that pays more for a ticket sold before: for other choices of it, or by whom it was given to.

It is of no ticket more, so it takes no place in line and counts against no limit. It is held, paid, lost, refunded and
booked like every other order (docs/decisions/0021, 0023).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from apps.accounts.ids import new_secret
from apps.accounts.request_ids import current_request_id
from apps.ticketing import sale_control
from apps.ticketing.models import Order, OrderLine
from apps.ticketing.states import OrderState
from apps.ticketing.transitions import move


def place(of_line: OrderLine, *, channel: str, at: datetime, who: dict[str, Any], **of_own: Any) -> OrderLine:
    """The one line of a new order beside that of a ticket's line, with `of_own` as its fulfilment, prices (minor units)
    and VAT; `who` are the fields of the order that say whose it is. Inside a transaction that has locked the ticket's
    order. Next: `reservations.hold_change`, then `hold`."""
    of = of_line.order
    order = Order.objects.create(
        organisation_id=of.organisation_id,
        event_id=of.event_id,
        currency=of.currency,
        idempotency_key=new_secret()[:64],
        buyer_key="",
        locale=of.locale,
        channel=channel,
        fewer_is_fine=False,
        rank=0,
        queued_at=at,
        total_minor=of_own["price_minor"],
        request_id=current_request_id(),
        **who,
    )
    return OrderLine.objects.create(
        order=order,
        position=0,
        ticket_type_id=of_line.ticket_type_id,
        subject=str(of_line.public_id),
        vat_percent=of_line.vat_percent,
        **of_own,
    )


def hold(order: Order, at: datetime, *, actor: Any) -> Order:
    """Let it wait for its payment, as long as any; the clock stands while the sale does. Next: payments.start."""
    until = sale_control.state_of(order.event_id).hold_time(at) + timedelta(minutes=settings.HOLD_MINUTES)
    move(order, OrderState.RESERVED, actor=actor, decided_at=at, reserved_until=until)
    return order
