"""Opening, asking and closing a payment at its provider.

The order of work is always the same: a row and an effect with its idempotency key, then the call, then the record. A
call whose answer was lost leaves the payment `unknown`, which is resolved by the same key or by asking. Whatever a
provider answers goes through `settle`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from apps.accounts.prepared import Insert, Rows
from apps.events.models import Event
from apps.ticketing import clock, fulfilment, jobs, outbox, pacing, reading, reasons, sale_control
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.extensions import (
    Notice,
    PaymentProvider,
    ProviderRefused,
    UnknownOutcome,
    payment_providers,
)
from apps.ticketing.models import Effect, Order, Payment
from apps.ticketing.models.orders import RESALE
from apps.ticketing.payments import free, settle
from apps.ticketing.retries import is_passing, once_more
from apps.ticketing.states import PAYMENT_LIVE, EffectState, OrderState, PaymentState

log = logging.getLogger(__name__)

START, CLOSE = "payment.start", "payment.close"
# The page that starts or closes a payment carries its effect out itself; the sweeper takes over when that page died.
START_TAKEN_OVER_SECONDS = 15
# A buyer stands and waits for it: no provider may take longer to open a payment, and when the page's process dies while
# it asks, somebody else asks again soon.
START_LEASE_SECONDS = 15
# A hold whose payment is in doubt when its time is up lasts that much longer, unseen.
IN_DOUBT_MINUTES = 5
ASK_AGAIN_SECONDS = 2
IN_DOUBT = (PaymentState.PROCESSING, PaymentState.UNKNOWN)
UNDECIDED_SECONDS = 60
# When an open payment is first asked about, how often from then on, and how many such questions wait in the queue.
CATCH_UP_AFTER_SECONDS, CATCH_UP_EVERY_SECONDS = 30, 60
CAUGHT_UP_AT_ONCE = 200
CLOSED_AT_ONCE = 500

_begun = Insert("payment_begun", Payment)

PROVIDER_UNAVAILABLE = reasons.register(
    "provider_unavailable", _("This way of paying is not available now. Nothing was charged. Choose another one.")
)


class NotPayable(Exception):
    """The order cannot be paid now; nothing was charged. `reason` is a code from `reasons`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def available(currency: str, event: Event | None = None) -> list[PaymentProvider]:
    """The providers a buyer may choose from now; with `event`, those its organiser offers for it."""
    return [provider for provider in payment_providers if _is_offered(provider, currency, event)]


def _is_offered(provider: PaymentProvider, currency: str, event: Event | None) -> bool:
    offered = getattr(provider, "is_offered_for", None)
    return provider.is_available(currency) and (event is None or offered is None or offered(event))


def _is_offered_to(order: Order, provider: PaymentProvider) -> bool:
    if order.channel == RESALE and getattr(provider, "takes_days", False):
        return False  # somebody's ticket is held for minutes
    event = order.event if hasattr(provider, "is_offered_for") else None  # read only where somebody asks about it
    return _is_offered(provider, order.currency, event)


@once_more
def start(
    order: Order,
    provider_slug: str,
    return_url: str,
    *,
    here: bool = False,
    noting: Callable[[], None] | None = None,
) -> Payment | None:
    """Begin to pay a reserved order and return its one live Payment; None when there is nothing to pay.

    An order that costs nothing is settled at once; a paid order returns what paid it. A second call, or a second tab,
    gets the same payment; another provider, or paying `here` on the order's page after a page of the provider's,
    closes the first, unless that one may have been paid already. Raises NotPayable when the hold is over, when payment
    has not opened for this buyer yet (Order.pays_from), or when the provider is not available. Locks the order. Next:
    open.

    `noting` writes what the buyer gave on the order, in the same transaction: one commit of a rush for both. It is
    called a second time when this is begun anew, and nothing of it stays when NotPayable is raised.
    """
    with transaction.atomic():
        if noting is not None:
            noting()
        order = reading.order_locked.get(order.pk)
        at = clock.now()
        if order.state == OrderState.PAID:
            return Payment.objects.filter(order=order, state=PaymentState.CAPTURED, reason="").first()
        hold_time = sale_control.state_of(order.event_id).hold_time(at)
        if order.state != OrderState.RESERVED or order.reserved_until is None or order.reserved_until <= hold_time:
            raise NotPayable(reasons.HOLD_EXPIRED)
        if order.total_minor == 0:
            if gone := fulfilment.missing(order):
                raise NotPayable(gone)
            free.settle_free(order, at)
            return None
        if provider_slug not in payment_providers or not _is_offered_to(order, payment_providers.get(provider_slug)):
            raise NotPayable(PROVIDER_UNAVAILABLE)
        live = next(iter(reading.live_payments_locked.all(order.pk)), None)
        if live is None and order.pays_from is not None and order.pays_from > at:
            raise NotPayable(reasons.PAYMENT_NOT_OPEN)
        if live is not None:
            if (live.provider, live.is_here) == (provider_slug, here) or live.state in IN_DOUBT:
                return live  # while a bank has not answered, nobody pays a second time elsewhere
            settle.give_up(order, live)
        payment = Payment(
            order=order,
            provider=provider_slug,
            account=_account_at(payment_providers.get(provider_slug), order),
            is_here=here,
            amount_minor=order.total_minor,
            currency=order.currency,
            created_at=at,
        )
        _begun.run(payment)
        _tell_of_choice(order, payment, instead_of=live, hold_time=hold_time)
        outbox.add(
            START,
            key=_key(START, payment),
            payload={"payment": payment.pk, "return_url": return_url},
            order=order,
            due_at=at + timedelta(seconds=START_TAKEN_OVER_SECONDS),
        )
    crashpoint("payment.started")
    return payment


def _tell_of_choice(order: Order, payment: Payment, *, instead_of: Payment | None, hold_time: datetime) -> None:
    """Let the ways to pay know that one was chosen and another left, where they want to."""
    before = instead_of.provider if instead_of is not None else ""
    if before in payment_providers and (left := getattr(payment_providers.get(before), "left", None)):
        left(order, hold_time=hold_time)
    if chosen := getattr(payment_providers.get(payment.provider), "chosen", None):
        chosen(order, payment, hold_time=hold_time)


def _account_at(provider: PaymentProvider, order: Order) -> str:
    """The seller's own account at the provider; kept on the payment, for it is asked and refunded there for ever."""
    account_of = getattr(provider, "account_of", None)
    return account_of(order) if account_of else ""


def _key(kind: str, payment: Payment) -> str:
    return f"{kind}:{payment.public_id}"


def open(payment: Payment) -> Payment:
    """Open the payment at its provider now and return it as it is then. Outside any transaction.

    `redirect_url` says where the buyer goes, if anywhere; state `unknown` says that the answer was lost and the outbox
    goes on asking; `started` without an address, that its turn at a busy provider comes in a moment: the outbox opens
    it then, or another call does. Safe to repeat. Next: the provider's notice, webhooks.receive.
    """
    outbox.run_called(_key(START, payment), early=True)
    return reading.payment.get(payment.pk)


@outbox.handler(START, lease_seconds=START_LEASE_SECONDS)
def _start(effect: Effect) -> None:
    payment = reading.payment.get(effect.payload["payment"])
    if payment.provider_reference:
        return
    payment.order = reading.order.get(payment.order_id)
    if payment.state not in PAYMENT_LIVE and effect.tries == 1:
        return  # given up before it was ever opened
    # On a later try it may have been opened unseen: the same key shows it, and `started` has it closed.
    provider = payment_providers.get(payment.provider)
    if not pacing.take_turn(provider, payment.order.organisation_id):
        raise outbox.NotYet("others are being opened there at this moment", seconds=1)
    try:
        started = provider.start(payment, key=effect.key, return_url=effect.payload["return_url"])
    except ProviderRefused as refusal:
        settle.settle(_without_news(payment, PaymentState.FAILED, refusal.reason), provider=payment.provider)
        return
    except UnknownOutcome:
        settle.lose_sight(payment)
        raise
    crashpoint("payment.opened")
    with transaction.atomic():
        settle.started(payment, started)
        outbox.finish(effect)
    crashpoint("payment.noted")


def _without_news(payment: Payment, state: str, reason: str = "") -> Notice:
    """What we know ourselves, in the form of a provider's notice."""
    return Notice(
        event_id="",
        kind="payment",
        reference=payment.provider_reference,
        state=state,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        our_id=str(payment.public_id),
        reason=reason,
    )


@outbox.handler(CLOSE)
def _close(effect: Effect) -> None:
    payment = Payment.objects.select_related("order").get(pk=effect.payload["payment"])
    if payment.state in (PaymentState.CAPTURED, PaymentState.FAILED):
        return
    if not payment.provider_reference:
        opening = Effect.objects.filter(key=_key(START, payment)).first()
        if opening is not None and opening.tries and opening.state not in (EffectState.DONE, EffectState.DEAD):
            raise outbox.NotYet("whether it was ever opened is not known yet")
        settle.settle(_without_news(payment, PaymentState.CANCELLED), provider=payment.provider)
        return
    try:
        notice = payment_providers.get(payment.provider).cancel(payment, key=effect.key)
    except UnknownOutcome:
        settle.lose_sight(payment)
        raise
    settle.settle(notice, provider=payment.provider)
    if notice.state == PaymentState.PROCESSING:
        # It cannot be closed now. Once it is given up nobody else asks, and the notice of its money may be lost.
        raise outbox.NotYet("the bank has not decided yet", seconds=UNDECIDED_SECONDS)


def close(order: Order) -> None:
    """Close the order's open payment at its provider now, for a buyer who leaves. Outside any transaction.

    So nobody pays for places that they gave up a moment ago. A payment that turns out to be captured is settled, and
    the order is paid; where the provider does not answer, the outbox goes on asking. One in doubt is left alone. Safe
    to repeat. Next: ordering.cancel.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update(no_key=True).get(pk=order.pk)
        payment = Payment.objects.filter(order=order, state__in=PAYMENT_LIVE).exclude(state__in=IN_DOUBT).first()
        if payment is None or order.state != OrderState.RESERVED:
            return
        settle.ask_to_close(order, payment, due_at=clock.now() + timedelta(seconds=START_TAKEN_OVER_SECONDS))
    outbox.run_called(_key(CLOSE, payment), early=True)


_ask = Rows(
    "payment_ask",
    Payment,
    ("bigint", "text[]", "double precision"),
    "WHERE r.order_id = $1 AND r.state = ANY($2)"
    " AND (r.checked_at IS NULL OR r.checked_at < foyer_now() - make_interval(secs => $3))",
    changing="checked_at = foyer_now()",
)


def refresh(order: Order) -> Order:
    """Ask the provider about the order's open payment, at most every two seconds, and return the order as it is then.

    For a page whose buyer came back before the notice did, so that the order page recovers from its address alone.
    Outside any transaction; an answer that is lost changes nothing a buyer sees but `unknown`.
    """
    if not reading.may_have_payment(order):
        return order
    picked = _ask.all(order.pk, [str(state) for state in PAYMENT_LIVE], ASK_AGAIN_SECONDS)
    for payment in picked:
        _fetch(payment)
    return reading.order.get(order.pk) if picked else order


def fetch(payment_id: int) -> None:
    """Ask the provider what became of one payment and settle its answer. Outside any transaction."""
    _fetch(reading.payment.get(payment_id))


def _fetch(payment: Payment) -> None:
    if payment.state not in PAYMENT_LIVE or not payment.provider_reference:
        return  # settled, or still to be opened by its effect
    try:
        notice = payment_providers.get(payment.provider).fetch(payment)
    except (UnknownOutcome, ProviderRefused) as error:
        log.warning("payment %s could not be asked about: %r", payment.public_id, error)
        settle.lose_sight(payment)
        return
    settle.settle(notice, provider=payment.provider, asked_about=payment)


def catch_up() -> None:
    """Have workers ask about payments open for longer than 30 seconds, each once a minute, those first that were not
    asked about for longest: their notice may be lost. Every 5 seconds, as many as the queue has room for, so that the
    workers alone set the pace and other jobs are not kept waiting; two at once share the payments. Those that take days
    know nothing that nobody has told them, and are not asked."""
    room = CAUGHT_UP_AT_ONCE - (jobs.waiting("default") or 0)
    if room <= 0:
        return
    askable = [provider.slug for provider in payment_providers if not getattr(provider, "takes_days", False)]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ticketing_payment SET checked_at = foyer_now() WHERE id IN (SELECT id FROM ticketing_payment"
            " WHERE state = ANY(%s) AND provider_reference <> '' AND provider = ANY(%s)"
            " AND created_at < foyer_now() - make_interval(secs => %s)"
            " AND (checked_at IS NULL OR checked_at < foyer_now() - make_interval(secs => %s))"
            " ORDER BY checked_at NULLS FIRST, id LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING id",
            [
                [str(state) for state in PAYMENT_LIVE],
                askable,
                *(CATCH_UP_AFTER_SECONDS, CATCH_UP_EVERY_SECONDS, room),
            ],
        )
        ids = sorted(row[0] for row in cursor.fetchall())
    if ids:
        jobs.ring("fetch_payment", ids, valid_seconds=55)


def close_overdue() -> None:
    """Close the payments of orders whose hold is over, so that their places can go on sale. Every 2 seconds.

    A payment still waiting for the buyer is closed at the provider at once; one that is processing or unknown gets
    five minutes more. After that the place is let go in any case: money that still comes is late money, which settle
    places or sends back. Each order in a transaction of its own, skipping busy ones, so that one that fails keeps no
    other. While a sale stands still its payments are left alone. Next: reservations.expire_overdue.
    """
    live = Payment.objects.filter(order=OuterRef("pk"), state__in=PAYMENT_LIVE)
    overdue = Order.objects.filter(
        Exists(live), ~sale_control.is_stopped(), state=OrderState.RESERVED, reserved_until__lte=clock.now()
    )
    for order_id in overdue.order_by("pk").values_list("pk", flat=True)[:CLOSED_AT_ONCE]:
        try:
            with transaction.atomic():
                _close_overdue(order_id)
        except Exception as error:
            if is_passing(error):
                raise
            log.error("the payment of order %s cannot be closed: %r", order_id, error)


def _close_overdue(order_id: int) -> None:
    at = clock.now()
    orders = Order.objects.select_for_update(no_key=True, skip_locked=True)
    order = orders.filter(
        ~sale_control.is_stopped(), pk=order_id, state=OrderState.RESERVED, reserved_until__lte=at
    ).first()
    payments = Payment.objects.select_for_update(no_key=True)
    payment = payments.filter(order=order, state__in=PAYMENT_LIVE).first() if order else None
    if order is None or payment is None or order.reserved_until is None:
        return  # settled, or being settled, while we came for it
    if at >= order.reserved_until + timedelta(minutes=IN_DOUBT_MINUTES):
        settle.give_up(order, payment)
    elif payment.state not in IN_DOUBT:
        settle.ask_to_close(order, payment)
