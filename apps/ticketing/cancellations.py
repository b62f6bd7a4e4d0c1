"""Cancelling a whole event: one person proposes, another confirms with a code, and every buyer gets their money back.

At the confirmation, in one transaction: the sale ends for good, the door lets nobody in, and everybody is written to.
Paying back comes after it and takes as long as it takes: workers go through the paid orders one by one, each in a
transaction of its own, so that one who is killed has lost nothing and the next goes on. Where a provider can say how
much money lies ready, no more is ordered back than that; what lacks is shown at the desk, and paying back goes on by
itself once it is there. What was paid by hand ends in a list of payouts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.utils.translation import gettext as _

from apps.accounts import second_step
from apps.accounts.request_ids import current_request_id
from apps.events.models import Event, Organisation
from apps.events.tenancy import Role, has_role
from apps.ticketing import clock, event_lock, jobs, mails, ordering, reasons, refunds, sale_control
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.extensions import TellsBalance, payment_providers
from apps.ticketing.models import BY_HAND, Cancellation, Dispute, Order, OrderLine, Payment, Refund
from apps.ticketing.retries import is_passing, once_more
from apps.ticketing.states import CancellationState, DisputeState, OrderState, PaymentState, RefundState
from apps.ticketing.transitions import StaleState, move_many

log = logging.getLogger(__name__)

LIVE = (OrderState.QUEUED, OrderState.WAITING, OrderState.OFFERED, OrderState.RESERVED, OrderState.PAID)
HELD = (OrderState.OFFERED, OrderState.RESERVED)
# Ordered or lost from sight: their provider's balance does not know of them yet.
UNSENT = (RefundState.ORDERED, RefundState.UNKNOWN)
ALONE_SPACE = 0x4341
SECONDS_A_TURN = 20.0
ORDERS_AT_ONCE = 100
LOOKS_AGAIN = timedelta(seconds=15)  # at a balance that was too small
GO_ON = "go_on_cancelling"


class CannotCancel(Exception):
    """It cannot be done now, and nothing was changed. `sentence` says why and what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class SamePerson(CannotCancel):
    """Whoever proposed would confirm, too."""


class WrongCode(CannotCancel):
    """The code is not a fresh one of this person's app."""


# --- What it would mean ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Share:
    """What goes back through one provider. `balance_minor` is what lies ready there, None where nobody can say."""

    provider: str
    label: str
    orders: int
    sum_minor: int
    balance_minor: int | None = None

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
        tickets=_live_lines(event).count(),
        unpaid=unpaid.count(),
        disputed=paid.filter(Exists(_disputes(OuterRef("pk")))).count(),
        shares=tuple(
            Share(slug, label_of(slug), orders, minor, balance_of(slug, event.organisation, event.currency))
            for slug, (orders, minor) in sorted(_owed(event).items())
        ),
    )


def _live_lines(event: Event) -> QuerySet[OrderLine]:
    """What was paid for and is not refunded."""
    return OrderLine.objects.filter(
        order__event=event, order__state=OrderState.PAID, is_held=True, refunded_at__isnull=True
    )


def _disputes(order: OuterRef) -> QuerySet[Dispute]:
    """What keeps an order from being paid back by us: its money is with the payer's bank until that has decided."""
    return Dispute.objects.filter(payment__order=order, payment__reason="", state=DisputeState.OPENED)


def _owed(event: Event) -> dict[str, tuple[int, int]]:
    """{provider: (orders, sum)} of what is still to be ordered back, but for disputed orders. One query."""
    paid_by = Payment.objects.filter(order=OuterRef("order"), state=PaymentState.CAPTURED, reason="")
    rows = (
        _live_lines(event)
        .filter(~Exists(_disputes(OuterRef("order"))))
        .annotate(provider=Subquery(paid_by.values("provider")[:1]))
        .filter(provider__isnull=False)
        .values("provider")
        .annotate(orders=Count("order", distinct=True), minor=Sum(F("price_minor") - F("given_back_minor")))
        .filter(minor__gt=0)
        .order_by()
    )
    return {row["provider"]: (row["orders"], row["minor"]) for row in rows}


def label_of(provider: str) -> str:
    """What a provider is called; its bare name when its plugin is gone."""
    return str(payment_providers.get(provider).label) if provider in payment_providers else provider


def balance_of(provider: str, organisation: Organisation, currency: str) -> int | None:
    """How much of the organisation's money lies ready at the provider to be sent back, less what is ordered and not
    sent yet. None where it cannot say, or does not answer. Outside any transaction."""
    told = payment_providers.get(provider) if provider in payment_providers else None
    if not isinstance(told, TellsBalance):
        return None
    try:
        balance = told.balance(organisation, currency)
    except Exception as error:  # a provider's network may do anything; whoever looks is told that nobody knows
        log.warning("%s did not tell its balance: %r", provider, error)
        return None
    if balance is None:
        return None
    unsent = Refund.objects.filter(
        payment__order__organisation=organisation, payment__provider=provider, currency=currency, state__in=UNSENT
    ).aggregate(minor=Sum("amount_minor", default=0))
    return max(0, balance - unsent["minor"])


# --- Two persons -----------------------------------------------------------------------------------------------------


def may_propose(user: Any, event: Event) -> bool:
    return has_role(user, event.organisation, Role.EDITOR, Role.TREASURER)


def may_confirm(user: Any, event: Event) -> bool:
    return has_role(user, event.organisation, Role.TREASURER)


def of(event: Event) -> Cancellation | None:
    """The event's cancellation, proposed or in force; None when there is none, or it was withdrawn."""
    standing = Cancellation.objects.exclude(state=CancellationState.WITHDRAWN).filter(event=event)
    return standing.select_related("proposed_by", "confirmed_by", "event__organisation").first()


def propose(event: Event, *, by: Any, say_sv: str = "", say_en: str = "") -> Cancellation:
    """Propose to cancel `event`; nothing happens to it yet. Raises CannotCancel. Next: confirm, by somebody else."""
    if not may_propose(by, event):
        raise CannotCancel(_("Editors and treasurers of the organisation propose this. Nothing was changed."))
    if event.ends_at <= clock.now():
        raise CannotCancel(_("The event is over. Refund its orders one by one. Nothing was changed."))
    try:
        with transaction.atomic():
            return Cancellation.objects.create(
                event=event,
                say_sv=say_sv.strip(),
                say_en=say_en.strip(),
                proposed_by=by,
                proposed_at=clock.now(),
                request_id=current_request_id(),
            )
    except IntegrityError as error:
        raise CannotCancel(
            _("Somebody has proposed it already. Look at what they wrote; nothing was changed.")
        ) from error


def withdraw(cancellation: Cancellation, *, by: Any) -> None:
    """Take a proposal back, whoever made it. Raises CannotCancel once it was confirmed."""
    if not may_propose(by, cancellation.event):
        raise CannotCancel(_("Editors and treasurers of the organisation decide this. Nothing was changed."))
    withdrawn = move_many(
        Cancellation,
        [cancellation.pk],
        CancellationState.PROPOSED,
        CancellationState.WITHDRAWN,
        actor=by,
        over_at=clock.now(),
    )
    if not withdrawn:
        raise CannotCancel(_("It was confirmed or withdrawn in the meantime. Nothing was changed by you."))


def confirm(cancellation: Cancellation, *, by: Any, code: str, passkey: str = "") -> None:
    """Cancel the event: `by` is another person than the one who proposed it, and `code` a fresh one from their app, or
    `passkey` their passkey's answer to what the page asked.

    When this returns the sale has ended for good, no scan lets anybody in, and a mail to everybody is under way. Raises
    SamePerson, WrongCode or CannotCancel, having changed nothing. Locks the event's queue. Outside any transaction.
    Next: go_on, by workers.
    """
    if not may_confirm(by, cancellation.event):
        raise CannotCancel(_("Only a treasurer of the organisation confirms this. Nothing was changed."))
    if cancellation.proposed_by_id == by.pk:
        raise SamePerson(_("You proposed it, so somebody else must confirm it. Nothing was changed."))
    if cancellation.state != CancellationState.PROPOSED:
        raise CannotCancel(_("It was confirmed or withdrawn in the meantime. Nothing was changed by you."))
    if passkey and not second_step.confirmed_by_passkey(by, passkey):
        raise WrongCode(_("The passkey's answer is not right, or was used before. Nothing was changed. Try again."))
    if not passkey and not second_step.confirmed(by, code):
        raise WrongCode(
            _("That code is not right, or was used before. Nothing was changed. Wait for the next one and write that.")
        )
    _put_in_force(cancellation, by)


@once_more
def _put_in_force(cancellation: Cancellation, by: Any) -> None:
    event = cancellation.event
    with transaction.atomic():
        event_lock.take(event.pk)
        at = clock.now()
        try:
            moved = move_many(
                Cancellation,
                [cancellation.pk],
                CancellationState.PROPOSED,
                CancellationState.RUNNING,
                actor=by,
                confirmed_by=by.pk,
                confirmed_at=at,
            )
        except IntegrityError as error:  # the database's own word on it
            raise SamePerson(_("You proposed it, so somebody else must confirm it. Nothing was changed.")) from error
        if not moved:
            raise CannotCancel(_("It was confirmed or withdrawn in the meantime. Nothing was changed by you."))
        Event.objects.filter(pk=event.pk).update(cancelled_at=at, changed_at=at)
        sale_control.end_for_good(event, at, say_sv=cancellation.say_sv, say_en=cancellation.say_en, actor=by)
        mails.event_cancelled(event, to=LIVE, at=at)
        transaction.on_commit(lambda: jobs.ring(GO_ON, [cancellation.pk]))
    cancellation.refresh_from_db()
    event.cancelled_at = at


# --- Paying back -----------------------------------------------------------------------------------------------------


def sweep() -> None:
    """Ring for every cancellation with something left to do, and for late money of one that was done. Every 5 seconds;
    where a balance was too small, every 15."""
    live = Order.objects.filter(event=OuterRef("event"), state__in=LIVE)
    in_force = Cancellation.objects.filter(
        Q(state=CancellationState.RUNNING) | Q(Exists(live), state=CancellationState.DONE)
    )
    patient = Q(short_minor=0) | Q(looked_at__lte=clock.now() - LOOKS_AGAIN)
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
    """What may still be ordered back in this turn, per provider; asked for once each."""

    organisation: Organisation
    currency: str
    left: dict[str, int | None] = field(default_factory=dict)
    short: set[str] = field(default_factory=set)

    def may_take(self, provider: str, amount_minor: int) -> bool:
        """Whether that much is there, and nobody before this order waits for money of the same provider."""
        if provider not in self.left:
            self.left[provider] = balance_of(provider, self.organisation, self.currency)
        left = self.left[provider]
        if provider in self.short or (left is not None and left < amount_minor):
            self.short.add(provider)
            return False
        return True

    def took(self, provider: str, amount_minor: int) -> None:
        left = self.left.get(provider)
        if left is not None:
            self.left[provider] = left - amount_minor


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
        orders = list(paid.exclude(Exists(_disputes(OuterRef("pk")))).order_by("pk")[:ORDERS_AT_ONCE])
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
    amount_minor = sum(line.kept_minor for line in lines)
    payment = Payment.objects.filter(order=order, state=PaymentState.CAPTURED, reason="").first()
    if payment is not None and amount_minor and not purses.may_take(payment.provider, amount_minor):
        return
    try:
        with transaction.atomic():
            mails.event_cancelled(cancellation.event, to=[order.state], at=_told_at(cancellation, order), order=order)
            refunds.order_refund(order, lines, reason=reasons.EVENT_CANCELLED, actor=cancellation.confirmed_by)
    except (StaleState, refunds.NothingToRefund):
        return  # refunded by somebody else while we came for it
    if payment is not None:
        purses.took(payment.provider, amount_minor)


def _told_at(cancellation: Cancellation, order: Order) -> datetime:
    """Which mail this is: the one everybody was sent, so that nobody gets a second; but one of its own for whoever paid
    only after it, and was told that nothing was paid, if anything."""
    assert cancellation.confirmed_at is not None
    if order.paid_at is None or order.paid_at <= cancellation.confirmed_at:
        return cancellation.confirmed_at
    return max(order.paid_at, cancellation.confirmed_at + timedelta(seconds=1))


def _note(cancellation: Cancellation, purses: _Purses) -> None:
    """Write down what lacks, and whether all is done."""
    short, provider = 0, ""
    if purses.short:
        owed = _owed(cancellation.event)
        lacks = {slug: owed.get(slug, (0, 0))[1] - (purses.left[slug] or 0) for slug in purses.short}
        provider = max(lacks, key=lambda slug: lacks[slug])
        short = max(0, lacks[provider])
    if short and not cancellation.short_minor:
        log.error("cancelling %s waits: %s lack at %s", cancellation.event.public_id, short, provider)
    Cancellation.objects.filter(pk=cancellation.pk).update(
        short_minor=short, short_provider=provider if short else "", looked_at=clock.now()
    )
    if not Order.objects.filter(event=cancellation.event, state__in=LIVE).exists():
        move_many(
            Cancellation,
            [cancellation.pk],
            CancellationState.RUNNING,
            CancellationState.DONE,
            over_at=clock.now(),
        )


# --- How far it has come ---------------------------------------------------------------------------------------------


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
        left_minor=sum(minor for _orders, minor in _owed(cancellation.event).values()),
        disputed=paid.filter(Exists(_disputes(OuterRef("pk")))).count(),
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
