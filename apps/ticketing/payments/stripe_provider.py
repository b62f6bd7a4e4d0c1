"""Stripe: cards with 3-D Secure, Apple Pay, Google Pay, Link, Swish and Klarna, whichever the account has switched on.

A buyer pays on the order's page: a payment intent is opened when they press Pay, and Stripe's script confirms it in the
browser. Without JavaScript they pay on a page of Stripe's, a Checkout session. Both are one Payment of ours. The
script's address and keys are in `stripe_page`, notices in `stripe_notices`, docs/stripe.md says what was never reached.

One policy of trying again: the outbox, with the effect's key as the idempotency key (docs.stripe.com/api/
idempotent_requests), and so the library tries nothing again by itself. Stripe remembers the first answer to a key for a
day, an error 500 as well. Where such an answer is repeated to us we look what became of the object, and take another
key only where it is certain that nothing can be charged or sent twice. A refund is looked for before it is tried again:
after a day its key is new to Stripe.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import requests
import stripe
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.events.models import Event, Organisation
from apps.events.translated import pick
from apps.ticketing import reasons
from apps.ticketing.extensions import (
    AccountRefused,
    BadNotice,
    Notice,
    NotLetIn,
    ProviderRefused,
    Started,
    Transaction,
    UnknownOutcome,
    payment_providers,
)
from apps.ticketing.models import Order, Payment, Refund
from apps.ticketing.payments import connect, stripe_notices
from apps.ticketing.payments.stripe_notices import OUR_PAYMENT, OUR_REFUND, SLUG, Object, Unreadable, our_id
from apps.ticketing.states import PaymentState

log = logging.getLogger(__name__)

# Together less than a lease (15 s to open a payment), so that nobody takes over a call that is still under way.
CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 9.0
# Whoever only looks may look again soon, and often does so while a page is waited for.
LOOK_SECONDS = 4.0
# A page of Stripe's lives for 30 minutes at least; ours are ended when the hold is (`cancel`). Counted from the
# payment's beginning, for a repeated call must say the same.
HOSTED_PAGE_MINUTES = 45
CURRENCIES = ("SEK", "EUR")
ACCOUNT_GONE = "account_invalid"  # docs.stripe.com/error-codes: disconnected, or there is no such account

BALANCE_TOO_LOW = reasons.register(
    "balance_too_low",
    _("The seller's balance at Stripe is too low: it was not sent back yet. It is owed, and sent when there is more."),
)
AMOUNT_TOO_SMALL = reasons.register(
    "amount_too_small", _("This sum is too small to be paid this way. Nothing was charged. Choose another way to pay.")
)
_REFUSALS = {
    "amount_too_small": AMOUNT_TOO_SMALL,
    "balance_insufficient": BALANCE_TOO_LOW,
    "insufficient_funds": BALANCE_TOO_LOW,
}


class Replayed(UnknownOutcome):
    """Stripe repeats an answer it gave to this key before, and that was a failure; or the key came with other words
    before. Asking again changes nothing."""


class StripeProvider:
    """The provider `stripe`: how Foyer speaks to it."""

    slug = SLUG
    label = _("Card, Swish, Klarna and more")
    # Stripe takes 25 a second at one address (docs.stripe.com/rate-limits); the rest is for asking and closing.
    starts_per_second: float | None = 20

    def is_available(self, currency: str) -> bool:
        return bool(settings.STRIPE_SECRET_KEY and settings.STRIPE_PUBLISHABLE_KEY) and currency in CURRENCIES

    def is_offered_for(self, event: Event) -> bool:
        """Whether the event's organiser may sell by Stripe: by an account of its own, where the house asks for one."""
        return connect.sells(event.organisation_id)

    def account_of(self, order: Order) -> str:
        """The connected account that sells; empty where the house's own sells for all."""
        return connect.account_of(order.organisation) or ""

    def start(self, payment: Payment, *, key: str, return_url: str) -> Started:
        if settings.STRIPE_CONNECT and not payment.account:
            raise ProviderRefused(connect.NO_ACCOUNT)  # never into the house's own account by mistake
        open_it = self._open_intent if payment.is_here else self._open_page
        try:
            return open_it(payment, key, return_url)
        except Replayed:
            # What may have been made under the first key was never shown to anybody, so nobody can pay it.
            return open_it(payment, f"{key}:again", return_url)
        except NotLetIn as refusal:
            raise ProviderRefused(reasons.REFUSED) from refusal  # nobody was shown anything to pay

    def _open_intent(self, payment: Payment, key: str, return_url: str) -> Started:
        intent = _ask(
            lambda client: client.v1.payment_intents.create(
                {
                    "amount": payment.amount_minor,
                    "currency": payment.currency.lower(),
                    "automatic_payment_methods": {"enabled": True},
                    **_names(payment),
                    **connect.platform_fee(payment),  # type: ignore[typeddict-item]
                },
                _options(payment.account, key),
            )
        )
        return Started(reference=_read(lambda: str(intent["id"])))

    def _open_page(self, payment: Payment, key: str, return_url: str) -> Started:
        wanted: Any = {
            "mode": "payment",
            "line_items": [
                {
                    "price_data": {
                        "currency": payment.currency.lower(),
                        "unit_amount": payment.amount_minor,
                        "product_data": {"name": _what_is_bought(payment.order)},
                    },
                    "quantity": 1,
                }
            ],
            "client_reference_id": str(payment.public_id),
            "metadata": _names(payment)["metadata"],
            "payment_intent_data": {**_names(payment), **connect.platform_fee(payment)},
            "customer_email": payment.order.email,
            "locale": "sv" if payment.order.locale == "sv" else "en",
            "success_url": return_url,
            "cancel_url": return_url,
            "expires_at": int(payment.created_at.timestamp()) + HOSTED_PAGE_MINUTES * 60,
        }
        options = _options(payment.account, key)
        session = _ask(lambda client: client.v1.checkout.sessions.create(wanted, options))
        return _read(lambda: Started(reference=str(session["id"]), redirect_url=str(session["url"])))

    def read_notice(self, request: HttpRequest) -> Notice:
        header = request.headers.get(stripe_notices.SIGNATURE_HEADER, "")
        if not header or not settings.STRIPE_WEBHOOK_SECRETS:
            raise BadNotice("no signature")
        stripe_notices.check_signature(request.body, header, settings.STRIPE_WEBHOOK_SECRETS)
        return stripe_notices.read(request.body, livemode=is_live())

    def fetch(self, payment: Payment) -> Notice:
        if _is_hosted(payment):
            session = self._session(payment)
            return _read(lambda: stripe_notices.of_session(session))
        intent = self._intent(payment)
        was_processing = payment.state == PaymentState.PROCESSING
        return _read(lambda: stripe_notices.of_intent(intent, was_processing=was_processing))

    def cancel(self, payment: Payment, *, key: str) -> Notice:
        """Close it; where Stripe says that it cannot be closed, or does not say, it is asked how it stands."""
        try:
            return self._close(payment, key)
        except (ProviderRefused, Replayed):
            notice = self.fetch(payment)  # paid, at its bank still, or closed before; or not, by what Stripe remembers
            return self._close(payment, f"{key}:again") if notice.state == PaymentState.ACTION_NEEDED else notice

    def _close(self, payment: Payment, key: str) -> Notice:
        options = _options(payment.account, key)
        if _is_hosted(payment):
            session = _ask(lambda client: client.v1.checkout.sessions.expire(payment.provider_reference, None, options))
            return _read(lambda: stripe_notices.of_session(session))
        intent = _ask(
            lambda client: client.v1.payment_intents.cancel(
                payment.provider_reference, {"cancellation_reason": "abandoned"}, options
            )
        )
        return _read(lambda: stripe_notices.of_intent(intent))

    def refund(self, refund: Refund, *, key: str) -> Notice:
        payment = refund.payment

        def send(key: str) -> Object:
            return _ask(
                lambda client: client.v1.refunds.create(
                    {
                        "payment_intent": payment.provider_reference,
                        "amount": refund.amount_minor,
                        "reason": "requested_by_customer",
                        "metadata": {OUR_REFUND: str(refund.public_id), OUR_PAYMENT: str(payment.public_id)},
                    },
                    _options(payment.account, key),
                )
            )

        try:
            sent = send(key)
        except Replayed:
            # Whether the first call sent money is on Stripe's list, which is never behind.
            try:
                sent = self._refund_of(refund) or send(f"{key}:again")
            except NotLetIn as refusal:  # now, which says nothing of the first call
                raise UnknownOutcome(str(refusal)) from refusal
        return _read(lambda: stripe_notices.of_refund(sent))

    def fetch_refund(self, refund: Refund) -> Notice:
        options = _options(refund.payment.account)
        told = _look(lambda client: client.v1.refunds.retrieve(refund.provider_reference, None, options))
        return _read(lambda: stripe_notices.of_refund(told))

    def find_refund(self, refund: Refund) -> Notice | None:
        made = self._refund_of(refund)
        return _read(lambda: stripe_notices.of_refund(made)) if made else None

    def _refund_of(self, refund: Refund) -> Object | None:
        payment = refund.payment
        made = _look(
            lambda client: client.v1.refunds.list(
                {"payment_intent": payment.provider_reference, "limit": 100}, _options(payment.account)
            )
        )
        ours = str(refund.public_id)
        return _read(lambda: next((one for one in made["data"] if our_id(one, OUR_REFUND) == ours), None))

    def client_secret(self, payment: Payment) -> tuple[Notice, str]:
        """How a payment of the order's page stands, and the secret with which its buyer's browser pays it; never kept.
        Raises UnknownOutcome or ProviderRefused."""
        intent = self._intent(payment)
        return _read(lambda: (stripe_notices.of_intent(intent), str(intent["client_secret"])))

    def balance(self, organisation: Organisation, currency: str, account: str = "") -> int:
        from apps.ticketing.payments import stripe_statement  # which calls Stripe by the functions below

        return stripe_statement.balance(account, currency)

    def transactions(self, organisation: Organisation, since: datetime) -> Iterator[Transaction]:
        from apps.ticketing.payments import stripe_statement

        return stripe_statement.transactions(organisation, since)

    def disputes(self, since: datetime) -> Iterator[Notice]:
        from apps.ticketing.payments import stripe_statement

        return stripe_statement.disputes(since)

    def _intent(self, payment: Payment) -> Object:
        return _look(
            lambda client: client.v1.payment_intents.retrieve(
                payment.provider_reference, {"expand": ["latest_charge"]}, _options(payment.account)
            )
        )

    def _session(self, payment: Payment) -> Object:
        return _look(
            lambda client: client.v1.checkout.sessions.retrieve(
                payment.provider_reference, {"expand": ["payment_intent.latest_charge"]}, _options(payment.account)
            )
        )


def _is_hosted(payment: Payment) -> bool:
    """Whether it is known by its page still: from the capture on it is known by its payment intent."""
    return payment.provider_reference.startswith("cs_")


def _names(payment: Payment) -> Any:
    """What Stripe's dashboard and its notices call a payment."""
    reference = payment.order.reference
    return {"description": reference, "metadata": {OUR_PAYMENT: str(payment.public_id), "order": reference}}


def _what_is_bought(order: Order) -> str:
    """What a buyer reads on Stripe's page above the sum."""
    event = order.event
    return f"{pick(event.title_sv, event.title_en, order.locale)} · {order.reference}"[:250]


def _options(account: str = "", key: str = "") -> Any:
    return {
        **({"idempotency_key": key} if key else {}),
        **({"stripe_account": account} if account else {}),
    }


def is_live() -> bool:
    """Whether the key moves real money: sk_live_…, or a restricted rk_live_…"""
    return "_live_" in settings.STRIPE_SECRET_KEY[:8]


def client(seconds: float | None = None) -> stripe.StripeClient:
    """The library, set up for this house, with so much patience. Shared by threads; each has its own connections."""
    return _client(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE, seconds or ANSWER_SECONDS)


@lru_cache(maxsize=4)
def _client(secret_key: str, base: str, seconds: float) -> stripe.StripeClient:
    stripe.enable_telemetry = False
    proxy_free = requests.Session() if urlsplit(base).hostname in ("localhost", "127.0.0.1") else None
    if proxy_free is not None:
        proxy_free.trust_env = False  # a stand-in on this machine is not reached through the machine's proxy
    return stripe.StripeClient(
        secret_key,
        base_addresses={"api": base},
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=(CONNECT_SECONDS, seconds), session=proxy_free),
    )


def _look(call: Callable[[stripe.StripeClient], Any]) -> Object:
    """`_ask` for a call that changes nothing."""
    return _ask(call, min(LOOK_SECONDS, ANSWER_SECONDS))


def _ask(call: Callable[[stripe.StripeClient], Any], seconds: float | None = None) -> Object:
    """Stripe's answer as a plain dictionary. Raises ProviderRefused when it said no and nothing moved, UnknownOutcome
    for anything else: no connection, a time-out, 401, 403, 409, 429, 5xx, an answer that is none."""
    try:
        return call(client(seconds)).to_dict()
    except (stripe.InvalidRequestError, stripe.CardError) as error:
        log.warning("Stripe refused: %s %s", error.code, error.request_id)
        reason = reasons.PAYMENT_DECLINED if isinstance(error, stripe.CardError) else reasons.REFUSED
        raise ProviderRefused(_REFUSALS.get(error.code or "", reason)) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        log.error("Stripe does not know us: %s. Run manage.py doctor --stripe.", type(error).__name__)
        # A restricted key that may not do this is 403 as well, without that code: that is the house's to mend.
        is_gone = getattr(error.error, "code", None) == ACCOUNT_GONE
        raise (AccountRefused if is_gone else NotLetIn)(type(error).__name__) from error
    except stripe.StripeError as error:
        what = f"{type(error).__name__} {error.http_status or ''}".strip()
        replayed = {name.lower(): value for name, value in dict(error.headers or {}).items()}.get("idempotent-replayed")
        again = replayed == "true" or isinstance(error, stripe.IdempotencyError)
        raise (Replayed if again else UnknownOutcome)(what) from error
    except (AttributeError, TypeError, ValueError) as error:
        raise UnknownOutcome(f"an answer that is none: {type(error).__name__}") from error


def _read(reading: Callable[[], Any]) -> Any:
    """What an answer says; one that lacks what Stripe promises may have been cut off on its way."""
    try:
        return reading()
    except (Unreadable, KeyError, TypeError, AttributeError) as error:
        raise UnknownOutcome(f"an answer that is none: {error}") from error


def enable() -> None:
    """Register Stripe where the settings ask for it. Raises ImproperlyConfigured where production would speak to
    anybody else."""
    if SLUG not in settings.PAYMENT_PROVIDERS_ENABLED:
        return
    if settings.IS_PRODUCTION and (wrong := settings.STRIPE_ADDRESSES_CHANGED):
        raise ImproperlyConfigured(f"{' and '.join(wrong)} are for tests against a stand-in: leave them out.")
    payment_providers.register(StripeProvider())
