"""What a provider tells becomes what we know: payment, order, tickets, books and mail, in one transaction.

Notices come late, twice and in any order. The states only move forward, each fact is booked once, and money that buys
nothing goes back by itself: after the hold when it is full, a second time for the same order, or in the wrong sum.
Orders are locked first, as everywhere.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.ticketing import (
    clock,
    disputes,
    documents,
    fulfilment,
    ledger,
    mails,
    outbox,
    reading,
    reasons,
    refunds,
    reservations,
    sale_control,
)
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.extensions import Notice, Started
from apps.ticketing.models import Order, Payment
from apps.ticketing.retries import once_more
from apps.ticketing.states import PAYMENT, PAYMENT_LIVE, OrderState, PaymentState
from apps.ticketing.transitions import move

log = logging.getLogger(__name__)

AFTER_DECLINE_MINUTES = 10
OPENED = (PaymentState.ACTION_NEEDED, PaymentState.PROCESSING)
SECOND_CAPTURE = reasons.register(
    "second_capture", _("This order was paid twice. The second payment is on its way back, all of it.")
)
WRONG_AMOUNT = reasons.register(
    "wrong_amount", _("The sum that came was not the one agreed. All of it is on its way back.")
)


def find(notice: Notice, *, provider: str) -> Payment | None:
    """The payment a notice speaks of: by our own id, else by the provider's reference."""
    if notice.our_id:
        return reading.payment_by_public_id.first(provider, notice.our_id)
    payments = Payment.objects.filter(provider=provider)
    return payments.filter(provider_reference=notice.reference).first() if notice.reference else None


@once_more
def settle(notice: Notice, *, provider: str, actor: Any = None, asked_about: Payment | None = None) -> None:
    """Apply what `provider` tells of a payment, a refund or a dispute. Safe to repeat and in any order. `actor` is who
    told it, where that was a person; `asked_about` the payment it speaks of, where we asked about it.

    captured: the order is paid and its tickets are issued; money that buys nothing is sent back. failed, or a card that
    was declined under a payment that takes another: the hold is kept for another try. Locks the order, then the
    payment. Next: fulfilment.fulfil, documents.wanted, mails.order_confirmation.
    """
    if notice.kind == "refund":
        refunds.settle(notice, provider=provider, actor=actor)
        return
    if notice.kind == "dispute":
        disputes.settle(notice, provider=provider)
        return
    found = asked_about or find(notice, provider=provider)
    if found is None:
        log.error("%s tells of a payment we do not know: %s %s", provider, notice.reference, notice.state)
        return
    with transaction.atomic():
        order, payment = lock(found)
        if notice.reference and not payment.provider_reference:
            _remember(payment, provider_reference=notice.reference)
        if notice.state == PaymentState.CAPTURED:
            _capture(order, payment, notice, actor)
        elif notice.state == PaymentState.FAILED:
            _fail(order, payment, notice)
        else:
            if notice.state in PAYMENT[payment.state]:
                move(payment, notice.state, reason=notice.reason)
            if notice.state == payment.state == PaymentState.ACTION_NEEDED:
                _ask_again(order, payment, notice)
        crashpoint("settle.before_commit")
    crashpoint("settle.committed")


def lock(payment: Payment) -> tuple[Order, Payment]:
    """The order and the payment, locked in the house's order and read anew."""
    order = reading.order_locked.get(payment.order_id)
    return order, reading.payment_locked.get(payment.pk)


def _remember(payment: Payment, **values: str) -> None:
    Payment.objects.filter(pk=payment.pk).update(**values)
    for name, value in values.items():
        setattr(payment, name, value)


def _capture(order: Order, payment: Payment, notice: Notice, actor: Any) -> None:
    if payment.state == PaymentState.CAPTURED:
        return
    if notice.amount_minor <= 0:
        log.error("payment %s was captured over nothing", payment.public_id)
        return
    at = clock.now()
    gone = fulfilment.missing(order) if order.state == OrderState.RESERVED else ""
    if (notice.amount_minor, notice.currency) != (order.total_minor, order.currency):
        surplus = WRONG_AMOUNT
    elif gone:
        surplus = gone
    elif order.state == OrderState.RESERVED or (order.state == OrderState.EXPIRED and reservations.retake(order)):
        surplus = ""
    elif order.state in (OrderState.PAID, OrderState.REFUNDED):
        surplus = SECOND_CAPTURE
    else:
        surplus = reasons.GIFT_PAID_LATE if order.is_for_gift else reasons.LATE_PAYMENT
    move(
        payment,
        PaymentState.CAPTURED,
        reason=surplus,
        actor=actor,
        captured_at=at,
        amount_minor=notice.amount_minor,
        currency=notice.currency,
        # From now on the charge's own: a page of the provider's has another until it is paid.
        provider_reference=notice.reference or payment.provider_reference,
        paid_with=_paid_with(notice),
    )
    if not surplus:
        pay(order, at)
        ledger.captured(order, payment)
        return
    ledger.surplus(order, payment)
    refunds.send_back(order, payment, reason=surplus)
    if gone and surplus == gone:
        reservations.release([order.pk], OrderState.RESERVED, OrderState.CANCELLED, gone)
        return
    is_late = surplus in (reasons.LATE_PAYMENT, reasons.GIFT_PAID_LATE)
    if not is_late and actor is None:  # whoever booked it by hand knows
        log.error("payment %s is sent back: %s", payment.public_id, surplus)
        mails.payment_alert(order, payment)


def _paid_with(notice: Notice) -> str:
    """What may be shown of it: a provider's odd word must not stand between money and tickets."""
    room = Payment._meta.get_field("paid_with").max_length
    return "".join(character for character in str(notice.paid_with or "") if character.isprintable())[:room]


def pay(order: Order, at: datetime) -> None:
    """Make an order paid, deliver what it bought, and have the buyer written to. The order is locked by the caller."""
    move(order, OrderState.PAID, paid_at=at, reserved_until=None)
    fulfilment.fulfil(order)
    for other in reading.live_payments_locked.all(order.pk):
        give_up(order, other)
    documents.wanted(order)
    mails.order_confirmation(order)


def _fail(order: Order, payment: Payment, notice: Notice) -> None:
    if payment.state not in PAYMENT_LIVE:
        return
    reason = notice.reason or reasons.PAYMENT_DECLINED
    first = _is_first_decline(order)
    move(payment, PaymentState.FAILED, reason=reason)
    if first:
        _hold_after_decline(order)
    if order.state == OrderState.RESERVED:
        mails.payment_failed(order, payment)


def _ask_again(order: Order, payment: Payment, notice: Notice) -> None:
    """Note that a card was declined, or none is any more, under a payment that the buyer still may pay in another way.
    Nobody is written to: the buyer stands before the page that says it."""
    if notice.reason and payment.declined_at is None:
        if _is_first_decline(order):
            _hold_after_decline(order)
        Payment.objects.filter(pk=payment.pk).update(declined_at=clock.now())
    if payment.reason != notice.reason:
        _remember(payment, reason=notice.reason)


def _is_first_decline(order: Order) -> bool:
    declined = Q(state=PaymentState.FAILED) | Q(declined_at__isnull=False)
    return not Payment.objects.filter(declined, order=order).exists()


def _hold_after_decline(order: Order) -> None:
    """Keep the places for ten minutes from now at least, within the longest hold. A ticket that its owner waits to be
    paid for is kept no longer than was said."""
    if order.state == OrderState.RESERVED and order.reserved_until is not None and not order.is_resale:
        at = sale_control.state_of(order.event_id).hold_time(clock.now())
        kept_until = min(at + timedelta(minutes=AFTER_DECLINE_MINUTES), reservations.longest_hold(order, at))
        Order.objects.filter(pk=order.pk).update(reserved_until=max(order.reserved_until, kept_until))


def started(payment: Payment, news: Started) -> None:
    """Record that the provider opened a payment. One that was given up meanwhile is closed there."""
    with transaction.atomic(savepoint=False):
        order, payment = lock(payment)
        is_new = not payment.provider_reference
        learnt = {"provider_reference": news.reference, "redirect_url": news.redirect_url} if is_new else {}
        if payment.state in PAYMENT_LIVE and news.state in OPENED and news.state in PAYMENT[payment.state]:
            move(payment, news.state, **learnt)
            return
        if learnt:
            _remember(payment, **learnt)
        if payment.state not in PAYMENT_LIVE:
            ask_to_close(order, payment, key=f"payment.close:{payment.public_id}:late")


def lose_sight(payment: Payment) -> None:
    """Record that an answer about a payment was lost: it may or may not have happened."""
    with transaction.atomic():
        _order, payment = lock(payment)
        if PaymentState.UNKNOWN in PAYMENT[payment.state]:
            move(payment, PaymentState.UNKNOWN)


def ask_to_close(order: Order, payment: Payment, *, key: str = "", due_at: datetime | None = None) -> None:
    """Have the payment closed at its provider, and learn in which state it really is. Inside a transaction."""
    outbox.add(
        "payment.close",
        key=key or f"payment.close:{payment.public_id}",
        payload={"payment": payment.pk},
        order=order,
        due_at=due_at,
    )


def give_up(order: Order, payment: Payment) -> None:
    """Wait no longer for a live payment: it is cancelled here and now, and closed at its provider by the outbox.

    Should it have been captured there, the notice or the closing tells, and `settle` deals with the money.
    """
    move(payment, PaymentState.CANCELLED)
    ask_to_close(order, payment)
