"""What a treasurer does about money that buyers send themselves: approve it when it has come, and pay it back.

Both go through the same doors as a bank's own notices (`payments.settle`, `refunds.settle`), so that books, tickets and
mails are those of any payment. Everything looks under the order's lock before it acts: of two treasurers who press at
once one does it, and the other is told who did.

More than the order costs is split: what it costs pays for it, and the rest becomes a payment of its own that is owed
back. Less is not booked unless the treasurer says that it shall go back; the buyer may then be asked for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from apps.events.desk import rows_for
from apps.ticketing import clock, ledger, mails, reasons, refunds
from apps.ticketing.extensions import Notice
from apps.ticketing.models import BY_HAND, AuditEntry, Order, Payment, Refund
from apps.ticketing.payments import settle
from apps.ticketing.retries import once_more
from apps.ticketing.states import PAYMENT_LIVE, OrderState, PaymentState, RefundState
from apps.ticketing.transitions import move

OVERPAID = reasons.register("overpaid", _("More came than the order costs. What was too much is on its way back."))
# States in which money that comes now, all of it, can still pay for the order.
PAYABLE = (OrderState.RESERVED, OrderState.EXPIRED)


class Done(Exception):
    """Somebody was faster; nothing was changed. `who` and `at` say who and when; who is None where no person did it."""

    def __init__(self, row: Payment | Refund) -> None:
        entry = last_word(row)
        super().__init__(f"{row} is done already")
        self.row = row
        self.who = entry.actor if entry else None
        self.at = entry.at if entry else None


class TooLittle(Exception):
    """Less came than the order costs, so it stays unpaid; nothing was booked. Amounts in minor units."""

    def __init__(self, payment: Payment, received_minor: int, missing_minor: int) -> None:
        super().__init__(f"{payment}: {missing_minor} is missing")
        self.payment = payment
        self.received_minor = received_minor
        self.missing_minor = missing_minor


class NotWaiting(Exception):
    """The payment does not wait for the rest of its money any more; nothing was asked."""


@dataclass(frozen=True)
class Approved:
    """What became of money that has come. `owed_minor` goes back to the buyer: it stands on the list to pay back.
    `is_paid`: the order has its tickets."""

    order: Order
    payment: Payment
    is_paid: bool
    owed_minor: int


def seen_by(user: Any) -> QuerySet[Payment]:
    """The manual payments of the organisations whose books `user` keeps."""
    rows: QuerySet[Payment] = rows_for(user, Payment, "view").filter(provider__startswith=BY_HAND)
    return rows.select_related("order__event", "order__organisation")


def last_word(row: Payment | Refund) -> AuditEntry | None:
    """The audit of the move into the state in which the row is."""
    entries = AuditEntry.objects.filter(model=row._meta.label_lower, row_id=row.pk, new=row.state)
    return entries.select_related("actor").order_by("-pk").first()


@once_more
def approve(payment: Payment, *, received_minor: int, actor: Any, returns_short: bool = False) -> Approved:
    """Book money that has come for a manual payment; the order is paid and its tickets go out.

    `received_minor` is what came, above 0. Raises Done when it was approved before, TooLittle when it is less than the
    order costs, unless `returns_short`: then it is booked as owed back. Late money takes places that are left, else all
    of it is owed back, as is what is too much. Locks the order, then the payment. Next: settle.
    """
    with transaction.atomic():
        order, payment = settle.lock(payment)
        if payment.state == PaymentState.CAPTURED:
            raise Done(payment)
        is_payable = order.state in PAYABLE
        missing = order.total_minor - received_minor
        if is_payable and missing > 0 and not returns_short:
            raise TooLittle(payment, received_minor, missing)
        booked = order.total_minor if is_payable and missing < 0 else received_minor
        settle.settle(_captured(payment, booked), provider=payment.provider, actor=actor)
        order.refresh_from_db()
        payment.refresh_from_db()
        owed = payment.amount_minor if payment.reason else 0
        if received_minor > booked:
            extra = _book_surplus(order, payment, received_minor - booked, actor)
            owed += extra.amount_minor
    return Approved(order, payment, is_paid=not payment.reason, owed_minor=owed)


def _captured(payment: Payment, amount_minor: int) -> Notice:
    return Notice(
        event_id="",
        kind="payment",
        reference=payment.provider_reference,
        state=PaymentState.CAPTURED,
        amount_minor=amount_minor,
        currency=payment.currency,
        our_id=str(payment.public_id),
    )


@once_more
def book_again(payment: Payment, *, received_minor: int, actor: Any) -> Approved:
    """Book money that came a second time for a payment approved before: all of it is owed back. Locks the order.

    Two calls book two; whoever may repeat it keeps them apart (bank_matching.carry_out, by the bank's row).
    """
    with transaction.atomic():
        order, payment = settle.lock(payment)
        extra = _book_surplus(order, payment, received_minor, actor, reason=settle.SECOND_CAPTURE)
    return Approved(order, payment, is_paid=False, owed_minor=extra.amount_minor)


def _book_surplus(order: Order, payment: Payment, amount_minor: int, actor: Any, *, reason: str = OVERPAID) -> Payment:
    """What came beyond the price, as a payment of its own: owed from its first moment. The order is locked."""
    at = clock.now()
    number = Payment.objects.filter(
        order=order, provider_reference__startswith=f"{payment.provider_reference}+"
    ).count()
    extra = Payment.objects.create(
        order=order,
        provider=payment.provider,
        provider_reference=f"{payment.provider_reference}+{number + 1}",
        amount_minor=amount_minor,
        currency=payment.currency,
        created_at=at,
    )
    move(extra, PaymentState.CAPTURED, reason=reason, actor=actor, captured_at=at)
    ledger.surplus(order, extra)
    refunds.send_back(order, extra, reason=reason)
    return extra


def ask_for_the_rest(payment: Payment, *, received_minor: int) -> None:
    """Write to the buyer that so much has come and the rest is missing. Raises NotWaiting. Locks the order."""
    with transaction.atomic():
        order, payment = settle.lock(payment)
        if order.state != OrderState.RESERVED or payment.state not in PAYMENT_LIVE:
            raise NotWaiting
        mails.transfer_short(order, payment, received_minor=received_minor)


@once_more
def paid_back(refund: Refund, *, actor: Any) -> Refund:
    """Record that a treasurer has paid a manual payment back, by their own bank. Raises Done when it was recorded
    before. Locks the order, then the refund."""
    with transaction.atomic():
        Order.objects.select_for_update(no_key=True).get(pk=refund.payment.order_id)
        refund = Refund.objects.select_for_update(of=("self",)).select_related("payment").get(pk=refund.pk)
        if refund.state in (RefundState.DONE, RefundState.FAILED):
            raise Done(refund)
        notice = Notice(
            event_id="",
            kind="refund",
            reference=refund.provider_reference,
            state=RefundState.DONE,
            amount_minor=refund.amount_minor,
            currency=refund.currency,
            our_id=str(refund.public_id),
        )
        refunds.settle(notice, provider=refund.payment.provider, actor=actor)
    refund.refresh_from_db()
    return refund
