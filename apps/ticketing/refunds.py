"""Sending money back: ordered here, carried out by the outbox, and a debt in the books until the provider has done it.

A refund reads frozen rows, never price rules. Ordering one ends the tickets and puts their places back on sale in the
same transaction; a refund that fails changes none of that: the debt stays visible until somebody sends it again.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from apps.ticketing import clock, ledger, mails, outbox, reservations, tickets
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.extensions import Notice, ProviderRefused, UnknownOutcome, payment_providers
from apps.ticketing.models import Effect, Order, OrderLine, Payment, Refund, Ticket
from apps.ticketing.retries import once_more
from apps.ticketing.states import REFUND, OrderState, PaymentState, RefundState
from apps.ticketing.transitions import StaleState, move, move_many

log = logging.getLogger(__name__)

SEND = "refund.send"


class NothingToRefund(Exception):
    """None of the lines is paid and not yet refunded; nothing was changed."""


class FeeTooHigh(Exception):
    """The fee is more than what is refunded; nothing was changed."""


@once_more
def order_refund(
    order: Order, lines: Sequence[OrderLine], *, reason: str, actor: Any = None, fee_minor: int = 0
) -> Refund | None:
    """Give the money for these lines back, less `fee_minor`; None when that is nothing and no money has to move.

    Their tickets are revoked, their places go back on sale and the debt is booked; the last line makes the order
    refunded. Lines refunded before are left out. Raises NothingToRefund, FeeTooHigh, and StaleState when the order is
    not paid. Locks order, tickets, quotas. Next: the outbox sends it, `settle` records the provider's answer.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update(no_key=True).get(pk=order.pk)
        if order.state != OrderState.PAID:
            raise StaleState(order, OrderState.REFUNDED)
        live = list(
            OrderLine.objects.filter(
                order=order, pk__in=[line.pk for line in lines], is_held=True, refunded_at__isnull=True
            )
            .prefetch_related("adjustments")
            .order_by("position")
        )
        if not live:
            raise NothingToRefund(order.reference)
        paid = sum(line.price_minor for line in live)
        if not 0 <= fee_minor <= paid:
            raise FeeTooHigh(f"{fee_minor} of {paid}")
        ids = [line.pk for line in live]
        tickets.revoke(Ticket.objects.filter(line__in=ids).values_list("pk", flat=True), reason=reason, actor=actor)
        OrderLine.objects.filter(pk__in=ids).update(refunded_at=clock.now())
        reservations.give_back(live)
        refund = None
        fact = str(uuid.uuid5(order.public_id, ",".join(map(str, ids))))
        if paid > fee_minor:
            payment = Payment.objects.get(order=order, state=PaymentState.CAPTURED, reason="")
            refund = _order(order, payment, paid - fee_minor, reason)
            refund.lines.set(live)
            fact = str(refund.public_id)
        ledger.refund_ordered(order, live, fact=fact, fee_minor=fee_minor)
        if not OrderLine.objects.filter(order=order, is_held=True).exists():
            move_many(Order, [order.pk], OrderState.PAID, OrderState.REFUNDED, reason, actor=actor)
        if refund is not None:
            mails.refund_ordered(order, refund)
    return refund


def send_back(order: Order, payment: Payment, *, reason: str) -> Refund:
    """Refund a capture that bought nothing, all of it. Inside the transaction that settles it, with the order locked.

    The debt is in the books already: ledger.surplus.
    """
    refund = _order(order, payment, payment.amount_minor, reason)
    mails.refund_ordered(order, refund)
    return refund


def _order(order: Order, payment: Payment, amount_minor: int, reason: str) -> Refund:
    refund = Refund.objects.create(
        payment=payment,
        amount_minor=amount_minor,
        currency=payment.currency,
        reason=reason,
        created_at=clock.now(),
    )
    outbox.add(SEND, key=f"{SEND}:{refund.public_id}", payload={"refund": refund.pk}, order=order)
    return refund


@outbox.handler(SEND)
def _send(effect: Effect) -> None:
    refund = Refund.objects.select_related("payment").get(pk=effect.payload["refund"])
    if refund.state in (RefundState.DONE, RefundState.FAILED):
        return
    provider = refund.payment.provider
    try:
        notice = payment_providers.get(provider).refund(refund, key=effect.key)
    except ProviderRefused as refusal:
        notice = _notice(refund, RefundState.FAILED, refusal.reason)
    except UnknownOutcome:
        settle(_notice(refund, RefundState.UNKNOWN), provider=provider)
        raise
    crashpoint("refund.sent")
    settle(notice, provider=provider)


def _notice(refund: Refund, state: str, reason: str = "") -> Notice:
    return Notice(
        event_id="",
        kind="refund",
        reference=refund.provider_reference,
        state=state,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        our_id=str(refund.public_id),
        reason=reason,
    )


def settle(notice: Notice, *, provider: str, actor: Any = None) -> None:
    """Apply what a provider tells of a refund; only forward, so repeated and late news change nothing. `actor` is who
    told it, where that was a person.

    done: the debt is paid. failed: it stays, with an alert. Locks the order, then the refund.
    """
    refunds = Refund.objects.filter(payment__provider=provider).select_related("payment")
    if notice.our_id:
        refund = refunds.filter(public_id=notice.our_id).first()
    else:
        refund = refunds.filter(provider_reference=notice.reference).first() if notice.reference else None
    if refund is None:
        log.error("%s tells of a refund we do not know: %s %s", provider, notice.reference, notice.state)
        return
    with transaction.atomic():
        order = Order.objects.select_for_update(no_key=True).get(pk=refund.payment.order_id)
        refund = Refund.objects.select_for_update(of=("self",)).select_related("payment").get(pk=refund.pk)
        if notice.reference and not refund.provider_reference:
            Refund.objects.filter(pk=refund.pk).update(provider_reference=notice.reference)
        if notice.state not in REFUND[refund.state]:
            return
        if notice.state == RefundState.DONE:
            move(refund, RefundState.DONE, reason=refund.reason, actor=actor, done_at=clock.now())
            ledger.refund_done(order, refund)
        elif notice.state == RefundState.FAILED:
            move(refund, RefundState.FAILED, reason=notice.reason)
            log.error("refund %s failed: %s; it stays a debt", refund.public_id, notice.reason)
            mails.refund_alert(order, refund)
            mails.refund_failed(order, refund)
        else:
            move(refund, notice.state, reason=refund.reason)
