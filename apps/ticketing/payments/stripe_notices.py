"""What Stripe tells, in our words: its objects become notices, and its webhooks are believed only when they prove it.

Pure reading: nothing here calls Stripe. An object is a plain dictionary, from a webhook's body or from an answer
(`stripe_provider`). Facts are of docs.stripe.com: payment intents' life cycle, refunds, disputes, webhook signatures.
"""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeGuard

import stripe
from django.utils.translation import gettext_lazy as _

from apps.ticketing import clock, reasons
from apps.ticketing.extensions import BadNotice, NothingToUs, Notice
from apps.ticketing.models import CARD, Payment, Refund
from apps.ticketing.states import PaymentState, RefundState

log = logging.getLogger(__name__)

SLUG = "stripe"
SIGNATURE_HEADER = "Stripe-Signature"
TOLERANCE_SECONDS = 300
# The key in the metadata of everything that we make at Stripe: whose it is, though another system uses the account too.
OUR_PAYMENT, OUR_REFUND = "foyer_payment", "foyer_refund"
_EVENT_ID = re.compile(r"evt_[A-Za-z0-9_]{4,110}")
_LAST4 = re.compile(r"[0-9]{4}", re.ASCII)

# What an endpoint at Stripe has to be told of. Others are answered and passed by.
EVENTS = (
    "payment_intent.succeeded",
    "payment_intent.processing",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "checkout.session.completed",
    "checkout.session.expired",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
)

REFUND_FAILED = reasons.register(
    "refund_failed",
    _("The bank did not take the money that was sent back. It is still owed to the buyer: send it in another way."),
)

Object = Mapping[str, Any]

PAYMENT_STATES = {
    "requires_payment_method": PaymentState.ACTION_NEEDED,
    "requires_confirmation": PaymentState.ACTION_NEEDED,
    "requires_action": PaymentState.ACTION_NEEDED,
    "processing": PaymentState.PROCESSING,
    "requires_capture": PaymentState.PROCESSING,  # we never ask for it; whoever captures by hand ends it
    "succeeded": PaymentState.CAPTURED,
    "canceled": PaymentState.CANCELLED,
}
REFUND_STATES = {
    "pending": RefundState.PENDING,
    "requires_action": RefundState.PENDING,
    "succeeded": RefundState.DONE,
    "failed": RefundState.FAILED,
    "canceled": RefundState.FAILED,
}
# An inquiry (warning_…) moves no money and blocks nobody; it becomes a dispute, or nothing.
DISPUTE_STATES = {"needs_response": "opened", "under_review": "opened", "won": "won", "lost": "lost"}


# What people know a way to pay by; docs.stripe.com/api/charges/object, payment_method_details. Others are not named.
_BRANDS = {
    "amex": "American Express",
    "cartes_bancaires": "Cartes Bancaires",
    "diners": "Diners Club",
    "discover": "Discover",
    "jcb": "JCB",
    "mastercard": "Mastercard",
    "unionpay": "UnionPay",
    "visa": "Visa",
}
_WALLETS = {
    "amazon_pay": "Amazon Pay",
    "klarna": "Klarna",
    "link": "Link",
    "mobilepay": "MobilePay",
    "paypal": "PayPal",
    "revolut_pay": "Revolut Pay",
    "swish": "Swish",
}


class Unreadable(ValueError):
    """An answer or a notice without what Stripe promises to send with it."""


def _is_plain(value: object) -> TypeGuard[str]:
    """Whether it is text as Stripe writes ids, names and codes: neither NUL nor half a character, which no database
    keeps."""
    return isinstance(value, str) and 0 < len(value) <= 120 and value.isascii() and value.isprintable()


def _text(thing: Object, name: str) -> str:
    value = thing.get(name)
    if not _is_plain(value):
        raise Unreadable(f"no {name}")
    return value


def _minor(thing: Object, name: str) -> int:
    value = thing.get(name)
    if type(value) is not int or not 0 <= value < 2**31:
        raise Unreadable(f"no {name}")
    return value


def _state(table: Mapping[str, str], thing: Object, name: str = "status") -> str:
    try:
        return str(table[_text(thing, name)])
    except KeyError as unknown:
        raise Unreadable(f"a {name} we do not know: {unknown}") from unknown


def _inside(thing: Object, name: str) -> Object:
    """An object within, or an empty one where it has none, or its id alone."""
    value = thing.get(name)
    return value if isinstance(value, Mapping) else {}


def our_id(thing: Object, name: str = OUR_PAYMENT) -> str:
    """The public id that we gave the object when we made it; empty when it is not ours."""
    value = _inside(thing, "metadata").get(name)
    try:
        return str(uuid.UUID(value)) if isinstance(value, str) else ""
    except ValueError:
        return ""


def id_of(thing: object) -> str:
    """The id of a related object, which Stripe sends as its id or whole."""
    value = thing.get("id") if isinstance(thing, Mapping) else thing
    return value if _is_plain(value) else ""


def of_intent(intent: Object, *, was_processing: bool = False) -> Notice:
    """A payment intent. A declined card leaves it open for another one, with the reason; one that was processing before
    has failed for good, for we go forward only. Raises Unreadable."""
    state, reason = _state(PAYMENT_STATES, intent), ""
    if intent.get("status") == "requires_payment_method" and intent.get("last_payment_error"):
        reason = reasons.PAYMENT_DECLINED
    if was_processing and state == PaymentState.ACTION_NEEDED:
        state, reason = str(PaymentState.FAILED), reasons.PAYMENT_DECLINED
    if state != PaymentState.CAPTURED:
        return _notice("payment", intent, state, _minor(intent, "amount"), reason=reason)
    told = _notice("payment", intent, state, _minor(intent, "amount_received"))
    return replace(told, paid_with=paid_with(_inside(intent, "latest_charge")))


def paid_with(charge: Object) -> str:
    """What a charge was paid with, as extensions.Notice has it: a card by its brand and last four digits, behind a
    phone's wallet as well. Empty where Stripe does not say, or with what has no name here."""
    details = _inside(charge, "payment_method_details")
    card = _inside(details, "card")
    last4 = card.get("last4")
    if isinstance(last4, str) and _LAST4.fullmatch(last4):
        return f"{_known(_BRANDS, card.get('brand'))} {CARD} {last4}".strip()
    return _known(_WALLETS, details.get("type"))


def _known(names: Mapping[str, str], code: object) -> str:
    return names.get(code, "") if isinstance(code, str) else ""


def of_session(session: Object) -> Notice:
    """A session of the hosted page, with its payment intent where it has one by now: that tells more, and is what
    money is kept and sent back under. Raises Unreadable."""
    intent = session.get("payment_intent")
    if isinstance(intent, Mapping) and intent.get("status") in ("processing", "requires_capture", "succeeded"):
        return of_intent({**intent, "metadata": session.get("metadata")})
    said_no = isinstance(intent, Mapping) and intent.get("status") in ("requires_payment_method", "canceled")
    if said_no and session.get("status") == "complete":  # its bank took its time; such a page takes no second card
        reason = reasons.PAYMENT_DECLINED
        return _notice("payment", session, PaymentState.FAILED, _minor(session, "amount_total"), reason=reason)
    states = {
        "open": PaymentState.ACTION_NEEDED,
        "complete": PaymentState.PROCESSING,
        "expired": PaymentState.CANCELLED,
    }
    return _notice("payment", session, _state(states, session), _minor(session, "amount_total"))


def of_refund(refund: Object) -> Notice:
    """A refund. Raises Unreadable."""
    state = _state(REFUND_STATES, refund)
    reason = REFUND_FAILED if state == RefundState.FAILED else ""
    return _notice("refund", refund, state, _minor(refund, "amount"), reason=reason, name=OUR_REFUND)


def _notice(
    kind: str, thing: Object, state: str, amount_minor: int, *, reason: str = "", name: str = OUR_PAYMENT
) -> Notice:
    return Notice(
        event_id="",
        kind=kind,
        reference=_text(thing, "id"),
        state=state,
        amount_minor=amount_minor,
        currency=_text(thing, "currency").upper(),
        our_id=our_id(thing, name),
        reason=reason,
    )


# --- Webhooks --------------------------------------------------------------------------------------------------------


def check_signature(body: bytes, header: str, secrets: Sequence[str]) -> None:
    """Raises BadNotice unless one of the secrets has signed these very bytes, within five minutes of now.

    Several secrets hold while one is being replaced, and for the two endpoints of Connect. The library's own check of
    the time goes by this machine's clock and lets the future pass, so the time is looked at here.
    """
    if not any(_is_signed(body, header, secret) for secret in secrets):
        raise BadNotice("wrong signature")
    at, _signatures = stripe.WebhookSignature._get_timestamp_and_signatures(header, "v1")
    if abs(clock.now().timestamp() - at) > TOLERANCE_SECONDS:
        raise BadNotice("too old, or from the future")


def _is_signed(body: bytes, header: str, secret: str) -> bool:
    try:
        return stripe.WebhookSignature.verify_header(body, header, secret)
    except (stripe.SignatureVerificationError, ValueError, TypeError):
        return False  # TypeError: a signature that is not ASCII cannot be compared


def read(body: bytes, *, livemode: bool) -> Notice:
    """The notice in a body whose signature is right. One query.

    Raises BadNotice when it is no event, of the other mode, or of another account than the payment's: whoever has an
    account at Stripe may write our payments' names into its own objects. Raises NothingToUs for all that we asked
    nothing about.
    """
    try:
        event = json.loads(body)
        thing = event["data"]["object"]
        kind = _text(event, "type")
        event_id = _text(event, "id")
        if event["object"] != "event" or not isinstance(thing, Mapping) or not _EVENT_ID.fullmatch(event_id):
            raise Unreadable("not an event")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadNotice("not an event of Stripe's") from error
    if event.get("livemode") is not livemode:
        raise BadNotice("of the other mode")
    try:
        notice, account = _told(kind, thing)
    except Unreadable as error:
        raise BadNotice(f"not an event of Stripe's: {error}") from error
    if (event.get("account") or "") != account:
        raise BadNotice("of another account")
    return replace(notice, event_id=event_id)


def _told(kind: str, thing: Object) -> tuple[Notice, str]:
    """The notice, and the account at Stripe that it must come from."""
    if kind.startswith("payment_intent."):
        notice = of_intent(thing)
    elif kind.startswith("checkout.session."):
        notice = of_session(thing)
    elif kind.startswith("charge.dispute."):
        return of_dispute(thing)
    elif kind.startswith("refund.") or kind == "charge.refund.updated":
        notice = of_refund(thing)
        accounts = Refund.objects.filter(public_id=notice.our_id, payment__provider=SLUG) if notice.our_id else None
        return notice, _account(accounts and accounts.values_list("payment__account", flat=True), notice)
    else:
        raise NothingToUs(kind)
    payments = Payment.objects.filter(public_id=notice.our_id, provider=SLUG) if notice.our_id else None
    return notice, _account(payments and payments.values_list("account", flat=True), notice)


def _account(accounts: Any, notice: Notice) -> str:
    account = accounts.first() if accounts is not None else None
    if account is None:
        raise NothingToUs(f"{notice.kind} {notice.reference} was not made here")
    return account


def of_dispute(dispute: Object) -> tuple[Notice, str]:
    """A dispute, and the account at Stripe that it must come from. One query. Raises Unreadable, and NothingToUs for
    one of a payment that was not made here, or that moves no money."""
    intent = id_of(dispute.get("payment_intent"))
    payment = Payment.objects.filter(provider=SLUG, provider_reference=intent).first() if intent else None
    status = _text(dispute, "status")
    if payment is None or status not in DISPUTE_STATES:
        raise NothingToUs(f"dispute {status}")
    notice = _notice("dispute", dispute, DISPUTE_STATES[status], _minor(dispute, "amount"))
    return replace(notice, our_id=str(payment.public_id)), payment.account
