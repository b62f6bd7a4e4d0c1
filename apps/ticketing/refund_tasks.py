"""What the treasurer still has to do about money that goes back: one list, read from the rows.

Each entry of QUERIES gives the tasks of one kind among the orders somebody may see. A task is done when its rows say
so; nothing here is stored, so nothing can be forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.events.desk import rows_for
from apps.ticketing import payouts, refunds
from apps.ticketing.models import BY_HAND, Order, PayoutAccount, Refund
from apps.ticketing.states import RefundState


@dataclass(frozen=True)
class Act:
    """One way to get a task done: a button that posts, or (`is_question`) a page that asks first."""

    label: str | Promise
    url: str
    is_question: bool = False


@dataclass(frozen=True)
class Task:
    """Money that somebody has to see to. `what` is one sentence, `since` when it became a task."""

    order: Order
    refund: Refund
    what: str | Promise
    amount_minor: int
    since: datetime
    acts: tuple[Act, ...] = ()
    account: PayoutAccount | None = None  # where the buyer wants it, once they have said so

    @property
    def account_number(self) -> str:
        return payouts.write_number(self.account.number) if self.account else ""


STILL_OWED = _("The refund did not arrive; you still owe it to the buyer.")
AFTER_DISPUTE = _(
    "The refund did not arrive. The payer's bank has sent them a part of it in a dispute; you still owe them the rest."
)
Query = Callable[[QuerySet[Order]], list[Task]]


def debts(orders: QuerySet[Order]) -> QuerySet[Refund]:
    """The refunds of these orders that failed and are still owed."""
    return refunds.debts().filter(payment__order__in=orders)


def failed(orders: QuerySet[Order]) -> list[Task]:
    """Refunds that did not arrive: sent again, or paid in another way. Two queries."""
    rows = list(debts(orders).select_related("payment__order__event").order_by("pk"))
    accounts = payouts.of(rows) if rows else {}
    return [
        Task(
            order=refund.payment.order,
            refund=refund,
            what=AFTER_DISPUTE if refund.covered_minor else STILL_OWED,
            amount_minor=refund.owed_minor,
            since=refund.created_at,
            acts=(
                Act(_("Send it again"), reverse("refund_task:again", args=[refund.public_id])),
                Act(_("Paid otherwise"), reverse("refund_task:otherwise", args=[refund.public_id]), is_question=True),
            ),
            account=accounts.get(refund.pk),
        )
        for refund in rows
    ]


def by_hand(orders: QuerySet[Order]) -> list[Task]:
    """What was paid by hand and goes back by hand, until the treasurer has noted that it did. One query."""
    rows = Refund.objects.filter(
        payment__order__in=orders, payment__provider__startswith=BY_HAND, state=RefundState.PENDING
    )
    return [
        Task(
            order=refund.payment.order,
            refund=refund,
            what=_("The buyer sent the money by hand; you pay it back from your bank."),
            amount_minor=refund.amount_minor,
            since=refund.created_at,
            acts=(Act(_("Pay it back"), reverse("pay_back_desk:inspect", args=[refund.public_id]), is_question=True),),
        )
        for refund in rows.select_related("payment__order__event").order_by("pk")
    ]


QUERIES: list[Query] = [failed, by_hand]


def of(user: Any) -> list[Task]:
    """Everything this treasurer has to do, the oldest first."""
    orders = rows_for(user, Order, "view")
    return sorted((task for query in QUERIES for task in query(orders)), key=lambda task: task.since)
