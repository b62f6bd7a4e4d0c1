"""Paying everybody back after an event was cancelled, however long it takes.

Workers go through the paid orders one by one, each in a transaction of its own, so that one who is killed has lost
nothing and the next goes on. Where a provider can say how much money lies ready, no more is ordered back than that, and
nothing while it does not answer; what lacks is shown at the desk, and paying back goes on by itself once it is there.
From an account that does not let us in any more nothing can be sent, so what is ordered back from there becomes debts.
Money that comes after all is paid back in the same way.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, Max, OuterRef, Q

from apps.events.models import Organisation
from apps.ticketing import cancellation_sums, clock, jobs, mails, ordering, reasons, refunds
from apps.ticketing.cancellation_sums import LIVE, Purse, disputes_of
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.extensions import AccountRefused
from apps.ticketing.models import Cancellation, Dispute, Order, OrderLine
from apps.ticketing.retries import is_passing
from apps.ticketing.states import CancellationState, DisputeState, OrderState
from apps.ticketing.transitions import StaleState, move_many

log = logging.getLogger(__name__)

HELD = (OrderState.OFFERED, OrderState.RESERVED)
ALONE_SPACE = 0x4341
SECONDS_A_TURN = 20.0
ORDERS_AT_ONCE = 100
LOOKS_AGAIN = timedelta(seconds=15)  # at a balance that was too small, or not told
GO_ON = "go_on_cancelling"


def sweep() -> None:
    """Ring for every cancellation with something left to do, and for late money of one that was done. Every 5 seconds;
    where a balance was too small or not told, every 15."""
    live = Order.objects.filter(event=OuterRef("event"), state__in=LIVE)
    in_force = Cancellation.objects.filter(
        Q(state=CancellationState.RUNNING) | Q(Exists(live), state=CancellationState.DONE)
    )
    patient = Q(short_provider="") | Q(looked_at__lte=clock.now() - LOOKS_AGAIN)
    ids = list(in_force.filter(patient).values_list("pk", flat=True))
    if ids:
        jobs.ring(GO_ON, ids, valid_seconds=5)


@contextmanager
def _alone(cancellation_id: int) -> Iterator[bool]:
    """Whether no other worker is at it. The lock hangs on the connection: who is killed lets go of it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [ALONE_SPACE, cancellation_id])
        is_alone = bool(cursor.fetchone()[0])
    try:
        yield is_alone
    finally:
        if is_alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [ALONE_SPACE, cancellation_id])


@dataclass
class _Purses:
    """What may still be ordered back in this turn, per purse; asked for once each. `left` is None where a provider
    keeps no balance, or does not let us on the account any more; the `silent` ones keep one and did not tell it."""

    organisation: Organisation
    currency: str
    left: dict[Purse, int | None] = field(default_factory=dict)
    short: set[Purse] = field(default_factory=set)
    silent: set[Purse] = field(default_factory=set)

    def may_take(self, purse: Purse, amount_minor: int) -> bool:
        """Whether that much is there, as far as is known, and nobody before this order waits for money of the same
        purse."""
        if purse not in self.left and purse not in self.silent:
            self._ask(purse)
        if purse in self.short | self.silent:
            return False
        left = self.left[purse]
        if left is not None and left < amount_minor:
            self.short.add(purse)
            return False
        return True

    def _ask(self, purse: Purse) -> None:
        try:
            self.left[purse] = cancellation_sums.balance_of(purse, self.organisation, self.currency)
        except cancellation_sums.BalanceNotTold:
            self.silent.add(purse)
        except AccountRefused:
            self.left[purse] = None

    def took(self, purse: Purse, amount_minor: int) -> None:
        left = self.left.get(purse)
        if left is not None:
            self.left[purse] = left - amount_minor


def go_on(cancellation_id: int) -> None:
    """Close what is held and order back what was paid, for a turn of 20 seconds; then somebody rings for the next.

    Safe to repeat and to kill: an order that was paid back is not paid any more. One worker at a time, else two would
    order back the same balance. An order that fails is left for the next turn and keeps no other. Outside any
    transaction.
    """
    with _alone(cancellation_id) as is_alone:
        cancellation = Cancellation.objects.select_related("event__organisation", "confirmed_by").get(
            pk=cancellation_id
        )
        if not is_alone or cancellation.confirmed_at is None:
            return
        purses = _Purses(cancellation.event.organisation, cancellation.event.currency)
        _close_held(cancellation)
        is_over = _pay_back(cancellation, purses)
        _note(cancellation, purses)
    if not is_over:
        jobs.ring(GO_ON, [cancellation_id])


def _close_held(cancellation: Cancellation) -> None:
    """End every hold, so that its buyer is not asked to pay. What the queue holds it turns away itself (`queue`)."""
    held = Order.objects.filter(event=cancellation.event, state__in=HELD).order_by("pk")
    for order in held:
        with _not_alone_to_blame(order):
            ordering.cancel(order, reason=reasons.EVENT_CANCELLED, actor=cancellation.confirmed_by)


@contextmanager
def _not_alone_to_blame(order: Order) -> Iterator[None]:
    """Let an order that fails keep no other from its money: it is logged, and tried again in the next turn."""
    try:
        yield
    except Exception as error:
        if is_passing(error):
            raise
        log.exception("order %s of a cancelled event could not be closed", order.reference)


def _pay_back(cancellation: Cancellation, purses: _Purses) -> bool:
    """Go through the paid orders by id; False when the turn ended before the last one was looked at.

    Disputed ones wait for the bank, and keep no other from its money: what is decided for us is paid back then."""
    until = time.monotonic() + SECONDS_A_TURN
    after = 0
    while True:
        paid = Order.objects.filter(event=cancellation.event, state=OrderState.PAID, pk__gt=after)
        orders = list(paid.exclude(Exists(disputes_of(OuterRef("pk")))).order_by("pk")[:ORDERS_AT_ONCE])
        for order in orders:
            after = order.pk
            with _not_alone_to_blame(order):
                _pay_back_one(cancellation, order, purses)
            crashpoint("cancellation.order")
            if time.monotonic() > until:
                return False
        if len(orders) < ORDERS_AT_ONCE:
            return True


def _pay_back_one(cancellation: Cancellation, order: Order, purses: _Purses) -> None:
    lines = list(OrderLine.objects.filter(order=order, is_held=True, refunded_at__isnull=True))
    sums = cancellation_sums.owed_with(order)
    if not all(purses.may_take(purse, minor) for purse, minor in sums.items()):
        return
    try:
        with transaction.atomic():
            mails.event_cancelled(cancellation.event, to=[order.state], at=_told_at(cancellation, order), order=order)
            refunds.order_refund(order, lines, reason=reasons.EVENT_CANCELLED, actor=cancellation.confirmed_by)
    except (StaleState, refunds.NothingToRefund):
        return  # refunded by somebody else while we came for it
    for purse, minor in sums.items():
        purses.took(purse, minor)


def _told_at(cancellation: Cancellation, order: Order) -> datetime:
    """Which mail this is: the one everybody was sent, so that nobody gets a second; but one of its own for whoever paid
    only after it, or disputed what they paid until then, and so was told of no money."""
    assert cancellation.confirmed_at is not None
    decided = Dispute.objects.filter(payment__order=order, payment__reason="", state=DisputeState.WON)
    decided_at = decided.aggregate(at=Max("closed_at"))["at"]
    since = max(moment for moment in (order.paid_at, decided_at, cancellation.confirmed_at) if moment is not None)
    if since == cancellation.confirmed_at:
        return since
    return max(since, cancellation.confirmed_at + timedelta(seconds=1))


def _note(cancellation: Cancellation, purses: _Purses) -> None:
    """Write down what lacks, or who does not say whether anything does, and whether all is done."""
    short, provider = 0, min((purse.provider for purse in purses.silent), default="")
    if purses.short:
        owed = cancellation_sums.owed(cancellation.event)
        lacks = {purse: owed.get(purse, (0, 0))[1] - (purses.left[purse] or 0) for purse in purses.short}
        most = max(lacks, key=lambda purse: lacks[purse])
        if lacks[most] > 0:
            short, provider = lacks[most], most.provider
    if short and not cancellation.short_minor:
        log.error("cancelling %s waits: %s lack at %s", cancellation.event.public_id, short, provider)
    elif provider and not cancellation.short_provider:
        log.error("cancelling %s waits: %s does not tell its balance", cancellation.event.public_id, provider)
    Cancellation.objects.filter(pk=cancellation.pk).update(
        short_minor=short, short_provider=provider, looked_at=clock.now()
    )
    if not Order.objects.filter(event=cancellation.event, state__in=LIVE).exists():
        move_many(
            Cancellation,
            [cancellation.pk],
            CancellationState.RUNNING,
            CancellationState.DONE,
            over_at=clock.now(),
        )
