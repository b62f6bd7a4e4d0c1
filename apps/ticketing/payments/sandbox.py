"""The sandbox: a bank of our own, so that the house can be tried, demonstrated and tested without anybody's keys.

It behaves like a real one: idempotency keys, a page of its own where the buyer gives a card, signed notices delivered
over HTTP to the very inbox that others use, refunds that may fail. Its books are two tables that nothing else of Foyer
reads. It refuses to start in production.

    4242 4242 4242 4242   pays                        4000 0000 0000 0002   is declined
    4000 0027 6000 3184   asks for confirmation       4000 0000 0000 0077   pays after 20 s: processing until then
    4000 0000 0000 0119   pays, but the bank is silent for 20 s and never sends a notice: unknown until it is asked
    4000 0000 0000 5126   pays; sending the money back fails
    4000 0000 0000 0259   pays; disputed 20 s later: `manage.py sandbox_dispute` decides, or disputes any other payment

For each payment it takes a fee, and it keeps a statement of every movement, as `manage.py reconcile` reads it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.db.models import CharField
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from apps.accounts.prepared import Insert, Rows, Statement
from apps.events.models import Organisation
from apps.ticketing import clock, outbox, reasons
from apps.ticketing.extensions import (
    BadNotice,
    Notice,
    ProviderRefused,
    Started,
    Transaction,
    UnknownOutcome,
    payment_providers,
)
from apps.ticketing.models import (
    CARD,
    Effect,
    Payment,
    Refund,
    SandboxAccount,
    SandboxCharge,
    SandboxEntry,
    SandboxRefund,
)
from apps.ticketing.money import Money
from apps.ticketing.states import DisputeState, PaymentState, RefundState

DELIVER, DISPUTE = "sandbox.webhook", "sandbox.dispute"
SIGNATURE_HEADER = "Sandbox-Signature"
TOLERANCE_SECONDS = 300
SLOW_SECONDS = 20
DELIVERY_TIMEOUT_SECONDS = 5
# What it takes for a payment, about as much as others: 1.5 % and 1.80 kr.
FEE_PERCENT, FEE_MINOR = Decimal("1.5"), 180
_EVENT_ID = re.compile(r"[A-Za-z0-9_-]{8,120}")


@dataclass(frozen=True)
class Card:
    """A test card and what it does."""

    slug: str
    number: str
    label: str | Promise


CARDS = (
    Card("pays", "4242 4242 4242 4242", _("Pays at once")),
    Card("declined", "4000 0000 0000 0002", _("Is declined")),
    Card("confirm", "4000 0027 6000 3184", _("Asks you to confirm (3-D Secure)")),
    Card("slow", "4000 0000 0000 0077", _("Pays, but the bank takes 20 seconds")),
    Card("silent", "4000 0000 0000 0119", _("Pays, but the bank does not answer for 20 seconds")),
    Card("refund_fails", "4000 0000 0000 5126", _("Pays; a refund to it fails")),
    Card("disputed", "4000 0000 0000 0259", _("Pays, and is disputed 20 seconds later")),
)
_LAST4 = {card.slug: card.number[-4:] for card in CARDS}


class Status:
    """What the bank says of a charge."""

    REQUIRES_CARD = "requires_card"
    REQUIRES_CONFIRMATION = "needs_confirmation"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    CANCELLED = "cancelled"


OPEN = (Status.REQUIRES_CARD, Status.REQUIRES_CONFIRMATION)


class ChargeOver(Exception):
    """The charge was paid, declined or cancelled before: the buyer's page is out of date."""


class CannotDispute(Exception):
    """Nothing was paid with this charge, or its dispute is decided."""


# A rush is measured with this bank, so it must not be what takes the time.
_opened = Insert("sandbox_opened", SandboxCharge, or_nothing=True)
_booked = Insert("sandbox_booked", SandboxEntry)
_charge = Rows("sandbox_charge", SandboxCharge, ("uuid",), "WHERE r.public_id = $1")
_charge_locked = Rows("sandbox_charge_locked", SandboxCharge, ("uuid",), "WHERE r.public_id = $1 FOR UPDATE")
_DECIDE = Statement(
    "sandbox_decide",
    ("bigint", "text", "text"),
    "UPDATE ticketing_sandboxcharge SET card = $2, status = $3, changed_at = foyer_now() WHERE id = $1"
    " RETURNING changed_at",
)


class Sandbox:
    """The provider: how Foyer speaks to the bank."""

    slug = "sandbox"
    label = _("Test payment (no real money)")
    starts_per_second: float | None = None

    def is_available(self, currency: str) -> bool:
        return not settings.IS_PRODUCTION and "sandbox" in settings.PAYMENT_PROVIDERS_ENABLED

    def start(self, payment: Payment, *, key: str, return_url: str) -> Started:
        charge = SandboxCharge(
            idempotency_key=key,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            return_url=return_url,
            reference=str(payment.public_id),
        )
        with transaction.atomic(durable=True):
            charge.changed_at = clock.now()
            if not _opened.run(charge):  # asked for before, with the same key
                charge = SandboxCharge.objects.get(idempotency_key=key)
        with override(payment.order.locale):
            page = reverse("ticketing:sandbox_pay", args=[charge.public_id])
        return Started(reference=str(charge.public_id), redirect_url=settings.SITE_URL + page)

    def read_notice(self, request: HttpRequest) -> Notice:
        check_signature(request.headers.get(SIGNATURE_HEADER, ""), request.body)
        try:
            told = json.loads(request.body)
            notice = Notice(
                event_id=told["id"],
                kind=told["kind"],
                reference=told["reference"],
                state=told["state"],
                amount_minor=told["amount_minor"],
                currency=told["currency"],
                our_id=str(uuid.UUID(told["our_id"])),
                reason=told["reason"],
                paid_with=told["paid_with"],
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadNotice("not a notice of the sandbox") from error
        texts = (notice.event_id, notice.reference, notice.state, notice.currency, notice.reason, notice.paid_with)
        if (
            not all(isinstance(text, str) and len(text) <= 120 and text.isprintable() for text in texts)
            or type(notice.amount_minor) is not int
            or notice.kind not in ("payment", "refund", "dispute")
            or not _EVENT_ID.fullmatch(notice.event_id)
        ):
            raise BadNotice("not a notice of the sandbox")
        return notice

    def fetch(self, payment: Payment) -> Notice:
        return charge_notice(self._charge(payment))

    def cancel(self, payment: Payment, *, key: str) -> Notice:
        with transaction.atomic(durable=True):
            charge = SandboxCharge.objects.select_for_update().get(pk=self._charge(payment).pk)
            if charge.status in OPEN:
                charge.status = Status.CANCELLED
                charge.changed_at = clock.now()
                charge.save()
        return charge_notice(charge)

    def refund(self, refund: Refund, *, key: str) -> Notice:
        with transaction.atomic(durable=True):
            charge = SandboxCharge.objects.select_for_update().get(pk=self._charge(refund.payment).pk)
            done = SandboxRefund.objects.filter(idempotency_key=key).first()
            if done is None:
                if charge.refunded_minor + refund.amount_minor > charge.amount_minor:
                    raise ProviderRefused(reasons.REFUSED)
                fails = charge.card == "refund_fails"
                done = SandboxRefund.objects.create(
                    charge=charge,
                    idempotency_key=key,
                    reference=str(refund.public_id),
                    amount_minor=refund.amount_minor,
                    status=RefundState.FAILED if fails else RefundState.DONE,
                )
                if not fails:
                    charge.refunded_minor += refund.amount_minor
                    charge.changed_at = clock.now()
                    charge.save()
                    _book(charge, "refund", -refund.amount_minor, str(done.public_id))
                _tell(f"refund-{done.public_id}", {"refund": str(done.public_id)})
        # As with a real bank the answer is "on its way"; how it ended is told by a notice.
        return Notice(
            event_id="",
            kind="refund",
            reference=str(done.public_id),
            state=RefundState.PENDING,
            amount_minor=done.amount_minor,
            currency=charge.currency,
            our_id=done.reference,
        )

    def transactions(self, organisation: Organisation, since: datetime) -> list[Transaction]:
        payments = Payment.objects.filter(order__organisation=organisation, provider=self.slug)
        references = payments.annotate(text=Cast("public_id", CharField())).values("text")
        ours = SandboxCharge.objects.filter(reference__in=references)
        return [
            Transaction(
                reference=str(entry.public_id),
                kind=entry.kind,
                object_reference=entry.object_reference,
                amount_minor=entry.amount_minor,
                currency=entry.charge.currency,
                at=entry.at,
                fee_minor=entry.fee_minor,
            )
            for entry in SandboxEntry.objects.filter(charge__in=ours, at__gte=since).select_related("charge")
        ]

    def balance(self, organisation: Organisation, currency: str, account: str = "") -> int | None:
        """What came in and was neither sent back, nor disputed, nor taken out (`manage.py sandbox`)."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT coalesce(sum(CASE WHEN c.dispute IN ('opened', 'lost') THEN 0 ELSE c.amount_minor END"
                " - c.refunded_minor), 0) FROM ticketing_sandboxcharge c"
                " JOIN ticketing_payment p ON p.provider = 'sandbox' AND p.provider_reference = c.public_id::text"
                " JOIN ticketing_order o ON o.id = p.order_id"
                " WHERE o.organisation_id = %s AND c.currency = %s AND c.status = 'succeeded'",
                [organisation.pk, currency],
            )
            came_in = int(cursor.fetchone()[0])
        taken_out = SandboxAccount.objects.filter(organisation=organisation, currency=currency).first()
        return max(0, came_in - (taken_out.taken_out_minor if taken_out else 0))

    def _charge(self, payment: Payment) -> SandboxCharge:
        try:
            return _charge.get(uuid.UUID(payment.provider_reference))
        except (SandboxCharge.DoesNotExist, ValueError) as error:
            raise ProviderRefused(reasons.REFUSED) from error


# --- The bank: what its own page does ----------------------------------------------------------------------------


def give_card(charge_id: uuid.UUID, card: str) -> SandboxCharge:
    """The buyer gives a card; the charge is then decided, or asks for confirmation. Raises ChargeOver."""
    with transaction.atomic():
        charge = _open_charge(charge_id, Status.REQUIRES_CARD)
        charge.card = card
        if card == "confirm":
            charge.status = Status.REQUIRES_CONFIRMATION
            charge.changed_at = clock.now()
            charge.save()
            return charge
        _decide(charge, Status.DECLINED if card == "declined" else Status.SUCCEEDED)
    return charge


def confirm(charge_id: uuid.UUID, *, approves: bool) -> SandboxCharge:
    """The buyer approves or refuses in the bank's app. Raises ChargeOver."""
    with transaction.atomic():
        charge = _open_charge(charge_id, Status.REQUIRES_CONFIRMATION)
        _decide(charge, Status.SUCCEEDED if approves else Status.DECLINED)
    return charge


def leave(charge_id: uuid.UUID) -> SandboxCharge:
    """The buyer goes back without paying; the charge is closed. Raises ChargeOver."""
    with transaction.atomic():
        charge = _open_charge(charge_id, *OPEN)
        _decide(charge, Status.CANCELLED)
    return charge


def find(charge_id: uuid.UUID) -> SandboxCharge | None:
    """The charge with this public id."""
    return _charge.first(charge_id)


def _open_charge(charge_id: uuid.UUID, *states: str) -> SandboxCharge:
    charge = _charge_locked.get(charge_id)
    if charge.status not in states:
        raise ChargeOver(charge.status)
    return charge


def _decide(charge: SandboxCharge, status: str) -> None:
    charge.status = status
    ((charge.changed_at,),) = _DECIDE.run(charge.pk, charge.card, status)
    if status == Status.SUCCEEDED:
        fee = Money(charge.amount_minor, charge.currency).percent(FEE_PERCENT).minor + FEE_MINOR
        _book(charge, "payment", charge.amount_minor, str(charge.public_id), fee_minor=fee, at=charge.changed_at)
        if charge.card == "disputed":
            due_at = clock.now() + timedelta(seconds=SLOW_SECONDS)
            payload = {"charge": str(charge.public_id)}
            outbox.add(DISPUTE, key=f"{DISPUTE}:{charge.public_id}", payload=payload, due_at=due_at)
    if charge.card == "silent":
        return  # its notice is never sent: whoever wants to know has to ask
    _tell(f"charge-{charge.public_id}-{status}", {"charge": str(charge.public_id)}, late=charge.card == "slow")


def _book(
    charge: SandboxCharge,
    kind: str,
    amount_minor: int,
    reference: str,
    *,
    fee_minor: int = 0,
    at: datetime | None = None,
) -> None:
    """One movement of money, at this moment or at the one that is known."""
    _booked.run(
        SandboxEntry(
            charge=charge,
            kind=kind,
            object_reference=reference,
            amount_minor=amount_minor,
            fee_minor=fee_minor,
            at=at or clock.now(),
        )
    )


def dispute(charge_id: uuid.UUID, state: str = DisputeState.OPENED) -> SandboxCharge:
    """The payer disputes what they paid, or the bank decides about it: opened, then won (by the seller) or lost.

    Tells it by a notice. Raises CannotDispute.
    """
    with transaction.atomic():
        charge = SandboxCharge.objects.select_for_update().get(public_id=charge_id)
        if charge.status != Status.SUCCEEDED or charge.dispute != ("" if state == DisputeState.OPENED else "opened"):
            raise CannotDispute(charge.dispute or charge.status)
        charge.dispute = str(state)
        charge.save(update_fields=["dispute"])
        reference = _dispute_reference(charge)
        if state == DisputeState.OPENED:
            _book(charge, "dispute", -charge.amount_minor, reference)
        elif state == DisputeState.WON:
            _book(charge, "dispute_won", charge.amount_minor, reference)
        _tell(f"{reference}-{state}", {"charge": str(charge.public_id), "dispute": str(state)})
    return charge


@outbox.handler(DISPUTE)
def _dispute(effect: Effect) -> None:
    try:
        dispute(effect.payload["charge"])
    except CannotDispute:
        return  # disputed by hand meanwhile


def _dispute_reference(charge: SandboxCharge) -> str:
    return f"dispute-{charge.public_id}"


def _tell(event: str, payload: dict[str, str], *, late: bool = False) -> None:
    due_at = clock.now() + timedelta(seconds=SLOW_SECONDS) if late else None
    outbox.add(DELIVER, key=f"{DELIVER}:{event}", payload={"event": event, **payload}, due_at=due_at)


def charge_notice(charge: SandboxCharge, event_id: str = "") -> Notice:
    """What the bank says of a charge now. Raises UnknownOutcome while it is silent."""
    state, reason = {
        Status.REQUIRES_CARD: (PaymentState.ACTION_NEEDED, ""),
        Status.REQUIRES_CONFIRMATION: (PaymentState.ACTION_NEEDED, ""),
        Status.SUCCEEDED: (PaymentState.CAPTURED, ""),
        Status.DECLINED: (PaymentState.FAILED, reasons.PAYMENT_DECLINED),
        Status.CANCELLED: (PaymentState.CANCELLED, ""),
    }[charge.status]
    if state == PaymentState.CAPTURED and charge.card in ("silent", "slow") and _is_fresh(charge):
        if charge.card == "silent":
            raise UnknownOutcome("the sandbox does not answer")
        state = PaymentState.PROCESSING
    return Notice(
        event_id=event_id,
        kind="payment",
        reference=str(charge.public_id),
        state=str(state),
        amount_minor=charge.amount_minor,
        currency=charge.currency,
        our_id=charge.reference,
        reason=reason,
        paid_with=f"Visa {CARD} {_LAST4[charge.card]}" if state == PaymentState.CAPTURED else "",
    )


def _is_fresh(charge: SandboxCharge) -> bool:
    return clock.now() < charge.changed_at + timedelta(seconds=SLOW_SECONDS)


def _refund_notice(refund: SandboxRefund, event_id: str) -> Notice:
    failed = refund.status == RefundState.FAILED
    return Notice(
        event_id=event_id,
        kind="refund",
        reference=str(refund.public_id),
        state=refund.status,
        amount_minor=refund.amount_minor,
        currency=refund.charge.currency,
        our_id=refund.reference,
        reason=reasons.REFUSED if failed else "",
    )


def _dispute_notice(charge: SandboxCharge, state: str, event_id: str) -> Notice:
    return Notice(
        event_id=event_id,
        kind="dispute",
        reference=_dispute_reference(charge),
        state=state,
        amount_minor=charge.amount_minor,
        currency=charge.currency,
        our_id=charge.reference,
    )


# --- Its notices -------------------------------------------------------------------------------------------------


def signature(body: bytes, at: int) -> str:
    """The header that proves a body to be the bank's, made at `at` (seconds since 1970)."""
    digest = hmac.new(settings.SANDBOX_SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def check_signature(header: str, body: bytes) -> None:
    """Raises BadNotice unless one of the header's signatures is ours, over these very bytes, within five minutes."""
    parts = [part.strip().partition("=") for part in header.split(",")]
    moments = [value for name, _, value in parts if name == "t"]
    given = [value for name, _, value in parts if name == "v1"]
    if not settings.SANDBOX_SECRET or len(moments) != 1 or not re.fullmatch(r"[0-9]{1,12}", moments[0]):
        raise BadNotice("no signature")
    at = int(moments[0])
    right = signature(body, at).partition("v1=")[2].encode()
    if not any(hmac.compare_digest(right, candidate.encode()) for candidate in given):
        raise BadNotice("wrong signature")
    if abs(clock.now().timestamp() - at) > TOLERANCE_SECONDS:
        raise BadNotice("too old, or from the future")


def told(effect: Effect) -> dict[str, Any]:
    """What a notice says, read from the bank's books when it is sent."""
    event_id = effect.payload["event"]
    if "refund" in effect.payload:
        refund = SandboxRefund.objects.select_related("charge").get(public_id=effect.payload["refund"])
        notice = _refund_notice(refund, event_id)
    else:
        charge = SandboxCharge.objects.get(public_id=effect.payload["charge"])
        state = effect.payload.get("dispute")
        notice = _dispute_notice(charge, state, event_id) if state else charge_notice(charge, event_id)
    return {
        "id": notice.event_id,
        "kind": notice.kind,
        "reference": notice.reference,
        "state": notice.state,
        "amount_minor": notice.amount_minor,
        "currency": notice.currency,
        "our_id": notice.our_id,
        "reason": notice.reason,
        "paid_with": notice.paid_with,
    }


@outbox.handler(DELIVER)
def _deliver(effect: Effect) -> None:
    """Post the notice to our own inbox as any bank would; an answer other than 200 means again later."""
    body = json.dumps(told(effect)).encode()
    address = settings.INTERNAL_URL + reverse("webhook", args=["sandbox"])
    headers: dict[str, Any] = {
        "Content-Type": "application/json",
        "Host": urlsplit(settings.SITE_URL).netloc,
        SIGNATURE_HEADER: signature(body, int(clock.now().timestamp())),
    }
    # No proxy of the machine's: the notice goes to ourselves.
    opener = build_opener(ProxyHandler({}))
    opener.open(Request(address, data=body, headers=headers), timeout=DELIVERY_TIMEOUT_SECONDS).close()


# --- Only where no real money is ---------------------------------------------------------------------------------


def enable() -> None:
    """Register the sandbox where the settings ask for it. Raises ImproperlyConfigured in production."""
    if "sandbox" not in settings.PAYMENT_PROVIDERS_ENABLED:
        return
    if settings.IS_PRODUCTION:
        raise ImproperlyConfigured(
            "The sandbox takes no real money and gives tickets away: leave it out of PAYMENT_PROVIDERS in production."
        )
    payment_providers.register(Sandbox())


@register()
def check_secret(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """The sandbox needs a secret to sign with; without one anybody could tell that they have paid."""
    if "sandbox" in settings.PAYMENT_PROVIDERS_ENABLED and len(settings.SANDBOX_SECRET) < 32:
        return [
            Error(
                "The sandbox has no secret to sign its notices with.",
                hint="Set SANDBOX_SECRET to 32 random characters or more.",
                id="ticketing.E001",
            )
        ]
    return []
