"""What each state of a ticket or a payment means to its buyer, and what comes next, in words for the order's page.

The states of the order itself are told by a template each (templates/ticketing/order/), those of a refund by
refunds.html. A test walks every state of `states` and finds a sentence and a next step on the page.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from apps.ticketing.states import PAYMENT_LIVE, OrderState, PaymentState, TicketState


@dataclass(frozen=True)
class Told:
    """`now`: how it stands. `next`: what the buyer does, or need not do. `level` is that of the house's alerts."""

    now: Promise
    next: Promise
    level: str = "info"


TICKETS: dict[str, Told] = {
    TicketState.VALID: Told(_("Valid"), _("Show its code at the door."), "success"),
    TicketState.HELD: Told(
        _("Being bought"), _("It lets nobody in meanwhile. If it is not paid for, it is valid again.")
    ),
    TicketState.USED: Told(_("Let in"), _("Keep it, should you go out and in again.")),
    TicketState.SUPERSEDED: Told(_("Passed on"), _("Its code no longer works. There is nothing more to do.")),
    TicketState.REVOKED: Told(_("Not valid any more"), _("What goes back for it stands on this page.")),
    TicketState.BLOCKED: Told(
        _("Blocked while its payment is disputed"), _("Write to the seller, whose address stands here."), "danger"
    ),
}


def being_bought(time: str) -> Told:
    """What is said of a ticket that somebody may pay for until `time`, such as 14.32."""
    return Told(
        format_lazy(_("Being bought until {time}"), time=time),
        _("It lets nobody in before that. If it is not paid for then, it is valid again."),
    )


# A ticket of the order that its buyer gave to somebody: theirs has ended, the new one is not shown here.
GIVEN_AWAY = Told(_("Given away"), _("Its new holder has a code of their own."))

CALLED_OFF = Told(_("The payment was called off. Nothing was charged."), _("Pay while the place is yours."))
STILL_OPEN = Told(
    _("The bank has not answered about your payment yet."),
    _("Do not pay again. Should the money come, you get a place if one is free; else all of it goes back by itself. "
      "We e-mail you either way."),
    "warning",
)  # fmt: skip
CAME_AFTERWARDS = Told(
    _("Your payment came afterwards."),
    _("Within a few minutes it gives you a place, or all of it goes back. You need do nothing; we e-mail you."),
    "warning",
)
OVER = (OrderState.EXPIRED, OrderState.CANCELLED, OrderState.REJECTED)


def of_payment(order_state: str, payment_state: str, *, has_refunds: bool) -> Told | None:
    """What is to be said of the newest payment beside the page itself, which tells the others: declined, under way, or
    to be gone on with (reserved, paying), and paid."""
    if order_state == OrderState.RESERVED and payment_state == PaymentState.CANCELLED:
        return CALLED_OFF
    if order_state in OVER and payment_state in PAYMENT_LIVE:
        return STILL_OPEN
    if order_state in OVER and payment_state == PaymentState.CAPTURED and not has_refunds:
        return CAME_AFTERWARDS
    return None
