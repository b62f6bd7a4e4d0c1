"""What cancelling an event means in money, and how far paying back has come: counted from the rows, and from what the
providers say lies ready there. Writes nothing. Who decides is `cancellations`, who pays back `paying_back`.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.utils.translation import gettext as _

from apps.events.models import Event, Organisation
from apps.ticketing import reasons
from apps.ticketing.extensions import AccountRefused, TellsBalance, payment_providers
from apps.ticketing.fulfilment import NO_TICKETS
from apps.ticketing.models import BY_HAND, Cancellation, Dispute, Order, OrderLine, Payment, Refund
from apps.ticketing.states import DisputeState, OrderState, PaymentState, RefundState

log = logging.getLogger(__name__)

LIVE = (OrderState.QUEUED, OrderState.WAITING, OrderState.OFFERED, OrderState.RESERVED, OrderState.PAID)
# Ordered or lost from sight: their provider's balance does not know of them yet.
UNSENT = (RefundState.ORDERED, RefundState.UNKNOWN)


class BalanceNotTold(Exception):
    """A provider that keeps a balance did not say how much lies ready there: nothing is ordered back before it does."""


class Purse(NamedTuple):
    """Where money that was paid goes back from: an account at a provider, empty where it is the provider's only one."""

    provider: str
    account: str


@dataclass(frozen=True)
class Share:
    """What goes back from one purse. `balance_minor` is what lies ready there, None where nobody can say; `is_silent`
    where the provider could, and gave no answer; `is_refused` where it does not let us on the account any more."""

    provider: str
    label: str
    orders: int
    sum_minor: int
    balance_minor: int | None = None
    is_silent: bool = False
    is_refused: bool = False

    @property
    def is_by_hand(self) -> bool:
        return self.provider.startswith(BY_HAND)

    @property
    def short_minor(self) -> int:
        return max(0, self.sum_minor - self.balance_minor) if self.balance_minor is not None else 0


@dataclass(frozen=True)
class Plan:
    """What cancelling means: who is concerned, and what goes back. Money in minor units of the event's currency.

    `disputed` counts the paid orders whose money is with the payer's bank: nothing of it is in the shares."""

    orders: int
    tickets: int
    unpaid: int
    disputed: int
    shares: tuple[Share, ...]

    @property
    def sum_minor(self) -> int:
        return sum(share.sum_minor for share in self.shares)


def plan(event: Event) -> Plan:
    """What cancelling `event` would mean now. Asks providers for their balance: outside any transaction."""
    paid = Order.objects.filter(event=event, state=OrderState.PAID)
    unpaid = Order.objects.filter(event=event, state__in=[state for state in LIVE if state != OrderState.PAID])
    return Plan(
        orders=paid.count(),
        tickets=_live_lines(event).exclude(fulfilment__in=NO_TICKETS).count(),
        unpaid=unpaid.count(),
        disputed=paid.filter(Exists(disputes_of(OuterRef("pk")))).count(),
        shares=_shares(event),
    )


def _shares(event: Event) -> tuple[Share, ...]:
    sums = sorted(owed(event).items())
    accounts = Counter(purse.provider for purse, _sums in sums)
    return tuple(
        _share(event, purse, orders, sum_minor, is_one_of_several=accounts[purse.provider] > 1)
        for purse, (orders, sum_minor) in sums
    )


def _share(event: Event, purse: Purse, orders: int, sum_minor: int, *, is_one_of_several: bool) -> Share:
    balance_minor, is_silent, is_refused = None, False, False
    try:
        balance_minor = balance_of(purse, event.organisation, event.currency)
    except BalanceNotTold:
        is_silent = True
    except AccountRefused:
        is_refused = True
    label = label_of(purse.provider)
    if is_one_of_several and purse.account:
        label = f"{label} ({purse.account})"
    return Share(purse.provider, label, orders, sum_minor, balance_minor, is_silent, is_refused)


def _live_lines(event: Event) -> QuerySet[OrderLine]:
    """What was paid for and is not refunded."""
    return OrderLine.objects.filter(
        order__event=event, order__state=OrderState.PAID, is_held=True, refunded_at__isnull=True
    )


def disputes_of(order: OuterRef) -> QuerySet[Dispute]:
    """What keeps an order from being paid back by us: its money is with the payer's bank until that has decided."""
    return Dispute.objects.filter(payment__order=order, payment__reason="", state=DisputeState.OPENED)


def owed(event: Event) -> dict[Purse, tuple[int, int]]:
    """{purse: (orders, sum)} of what is still to be ordered back, but for disputed orders. One query."""
    return _owed(_live_lines(event))


def owed_with(order: Order) -> dict[Purse, int]:
    """{purse: sum} of what goes back when all of an order does: what was paid for changes of its tickets goes with
    it. One query."""
    with_changes = Q(order=order) | Q(choice_change__of_line__order=order)
    return {purse: minor for purse, (_orders, minor) in _owed(_live_lines(order.event).filter(with_changes)).items()}


def _owed(lines: QuerySet[OrderLine]) -> dict[Purse, tuple[int, int]]:
    paid_by = Payment.objects.filter(order=OuterRef("order"), state=PaymentState.CAPTURED, reason="")
    rows = (
        lines.filter(~Exists(disputes_of(OuterRef("order"))))
        .annotate(provider=Subquery(paid_by.values("provider")[:1]), at=Subquery(paid_by.values("account")[:1]))
        .filter(provider__isnull=False)
        .values("provider", "at")
        .annotate(orders=Count("order", distinct=True), minor=Sum(F("price_minor") - F("given_back_minor")))
        .filter(minor__gt=0)
        .order_by()
    )
    return {Purse(row["provider"], row["at"]): (row["orders"], row["minor"]) for row in rows}


def label_of(provider: str) -> str:
    """What a provider is called; its bare name when its plugin is gone."""
    return str(payment_providers.get(provider).label) if provider in payment_providers else provider


def balance_of(purse: Purse, organisation: Organisation, currency: str) -> int | None:
    """How much of the organisation's money lies ready in the purse to be sent back, less what is ordered and not sent
    yet. None where its provider keeps no balance that it could tell. Raises BalanceNotTold, and AccountRefused where
    nothing will be sent by us. Outside any transaction."""
    provider = purse.provider
    told = payment_providers.get(provider) if provider in payment_providers else None
    if not isinstance(told, TellsBalance):
        return None
    try:
        balance = told.balance(organisation, currency, purse.account)
    except AccountRefused:
        raise
    except Exception as error:  # a provider's network may do anything
        log.warning("%s did not tell its balance: %r", provider, error)
        raise BalanceNotTold(provider) from error
    if balance is None:
        return None
    unsent = Refund.objects.filter(
        payment__order__organisation=organisation,
        payment__provider=provider,
        payment__account=purse.account,
        currency=currency,
        state__in=UNSENT,
    ).aggregate(minor=Sum("amount_minor", default=0))
    return max(0, balance - unsent["minor"])


@dataclass(frozen=True)
class Progress:
    """How far paying back has come, counted from the rows. `sums` is {state of the refunds: (number, minor)}, and
    `disputed` of the orders left wait for the payer's bank."""

    orders: int
    left: int
    left_minor: int
    disputed: int
    sums: dict[str, tuple[int, int]]

    @property
    def done(self) -> int:
        return self.orders - self.left

    @property
    def percent(self) -> int:
        return 100 if not self.orders else self.done * 100 // self.orders


def progress(cancellation: Cancellation) -> Progress:
    """Five queries."""
    orders = Order.objects.filter(event=cancellation.event)
    paid = orders.filter(state=OrderState.PAID)
    left = paid.count()
    over = orders.filter(state=OrderState.REFUNDED, reason=reasons.EVENT_CANCELLED).count()
    rows = refunds_of(cancellation).values("state").annotate(n=Count("pk"), minor=Sum("amount_minor")).order_by()
    return Progress(
        orders=left + over,
        left=left,
        left_minor=sum(minor for _orders, minor in owed(cancellation.event).values()),
        disputed=paid.filter(Exists(disputes_of(OuterRef("pk")))).count(),
        sums={row["state"]: (row["n"], row["minor"]) for row in rows},
    )


def refunds_of(cancellation: Cancellation) -> QuerySet[Refund]:
    """What was ordered back because of it; of one that failed and was sent again, the newest."""
    return Refund.objects.filter(
        payment__order__event=cancellation.event, reason=reasons.EVENT_CANCELLED, retry__isnull=True
    )


@dataclass(frozen=True)
class Payout:
    """One line of the list of what a treasurer pays back by hand."""

    reference: str
    name: str
    email: str
    amount_minor: int
    currency: str
    paid_as: str
    state: str


def payouts(event: Event) -> list[Payout]:
    """What was paid by hand and goes back by hand: as planned before the confirmation, as ordered after it."""
    ordered = Refund.objects.filter(
        payment__order__event=event, payment__provider__startswith=BY_HAND, reason=reasons.EVENT_CANCELLED
    ).select_related("payment__order")
    rows = [_payout(row.payment, row.amount_minor, str(row.get_state_display())) for row in ordered.order_by("pk")]
    kept = F("order__lines__price_minor") - F("order__lines__given_back_minor")
    held = Sum(kept, filter=Q(order__lines__is_held=True, order__lines__refunded_at__isnull=True))
    planned = (
        Payment.objects.filter(
            order__event=event,
            order__state=OrderState.PAID,
            provider__startswith=BY_HAND,
            state=PaymentState.CAPTURED,
            reason="",
        )
        .select_related("order")
        .annotate(held=held)
        .filter(held__gt=0)
    )
    return [*rows, *(_payout(row, row.held, _("to be ordered")) for row in planned.order_by("pk"))]


def _payout(payment: Payment, amount_minor: int, state: str) -> Payout:
    order = payment.order
    return Payout(
        order.reference,
        order.name,
        order.email,
        amount_minor,
        order.currency,
        payment.provider_reference,
        state,
    )
