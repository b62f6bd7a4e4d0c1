"""Parts of a price that rows of a bank's file brought: remembered until the rest has come, in whatever file.

Nothing of them is in the books until then, because there is nothing yet that they pay for. Once the order waits no
longer, what came of it is booked as owed back, so that no money is forgotten with an order that has lapsed.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db import transaction

from apps.ticketing import transfers
from apps.ticketing.models import BankRow, Payment
from apps.ticketing.payments import settle
from apps.ticketing.retries import once_more
from apps.ticketing.states import OrderState, PaymentState

log = logging.getLogger(__name__)


def waiting(payment_ids: Iterable[int]) -> defaultdict[int, dict[str, int]]:
    """{payment: {fingerprint of a row: minor units}} of the parts that wait for the rest. One query."""
    found: defaultdict[int, dict[str, int]] = defaultdict(dict)
    rows = BankRow.objects.filter(payment__in=list(payment_ids), is_part=True)
    for payment_id, fingerprint, minor in rows.values_list("payment_id", "fingerprint", "amount_minor"):
        found[payment_id][fingerprint] = minor
    return found


def minor_of(payment: Payment) -> int:
    """What the parts of one payment that wait for the rest come to, in minor units. One query."""
    return sum(waiting([payment.pk])[payment.pk].values())


@once_more
def approve(payment: Payment, *, received_minor: int, actor: Any, returns_short: bool = False) -> transfers.Approved:
    """Book money that has come for a payment, `received_minor`, together with the parts that bank files brought before.

    Raises as transfers.approve, and then the parts wait on. Locks the order, then the payment. Next: settle.
    """
    with transaction.atomic():
        _order, payment = settle.lock(payment)
        came_minor = received_minor + _take(payment)
        return transfers.approve(payment, received_minor=came_minor, actor=actor, returns_short=returns_short)


def _take(payment: Payment) -> int:
    """Let the parts of a payment wait no more, and say what they come to: the caller books them with the rest, inside
    the transaction that has locked the payment's order."""
    minor = minor_of(payment)
    BankRow.objects.filter(payment=payment, is_part=True).update(is_part=False)
    return minor


def send_back() -> None:
    """Book the parts of orders that wait no longer (lapsed, left, paid in another way) as owed back to their buyers.

    Every five minutes. Safe to repeat. Next: settle, then the list to pay back.
    """
    over = Payment.objects.filter(bank_rows__is_part=True).exclude(order__state=OrderState.RESERVED)
    for payment in over.distinct().order_by("pk"):
        try:
            _send_back(payment)
        except Exception:  # one that fails keeps no other from being booked
            log.exception("the parts that came for payment %s could not be booked", payment.public_id)


@once_more
def _send_back(payment: Payment) -> None:
    with transaction.atomic():
        order, payment = settle.lock(payment)
        if order.state == OrderState.RESERVED:
            return
        minor = _take(payment)
        if minor and payment.state == PaymentState.CAPTURED:  # paid by other money meanwhile
            transfers.book_again(payment, received_minor=minor, actor=None)
        elif minor:
            transfers.approve(payment, received_minor=minor, actor=None, returns_short=True)
