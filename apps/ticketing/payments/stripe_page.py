"""Paying by Stripe on the order's own page: what its script is told, and what it is answered when Pay is pressed.

The page shows Stripe's fields beside name and terms (static/ticketing/pay-here.js). Pressing Pay sends the same form to
the same address as without JavaScript, with `here`; the answer is then short and for the script: where to go, what to
mend, or the secret with which Stripe's script takes the payment. So nothing typed is ever lost, and the tab may vanish:
the order's address alone tells how it went, for it asks Stripe (payments.refresh).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from apps.ticketing import reading
from apps.ticketing.extensions import PaymentProvider, ProviderRefused, UnknownOutcome, payment_providers
from apps.ticketing.models import Order, Payment
from apps.ticketing.states import PaymentState

log = logging.getLogger(__name__)

SLUG = "stripe"
HERE = "here"
AREA = "checkout"  # of the content security policy: config.policies
ASK_AGAIN_SECONDS = 2
TO_BE_PAID = (PaymentState.STARTED, PaymentState.ACTION_NEEDED)
# Stripe puts these behind the address a buyer comes back to. They are of no use here, and one of them is a secret.
BROUGHT_BACK = ("payment_intent", "redirect_status", "setup_intent")


@dataclass(frozen=True)
class PayHere:
    """What the script on the page needs. `is_only` when there is no other way to pay to choose from."""

    script_url: str
    key: str
    account: str
    is_only: bool
    return_url: str


def of(order: Order, providers: Sequence[PaymentProvider], address: str) -> PayHere | None:
    """Stripe's fields for the order's page at `address`; None where it is not among the ways to pay."""
    ways = {provider.slug: provider for provider in providers}
    if SLUG not in ways:
        return None
    return PayHere(
        script_url=settings.STRIPE_JS_URL,
        key=settings.STRIPE_PUBLISHABLE_KEY,
        account=ways[SLUG].account_of(order),  # type: ignore[attr-defined]
        is_only=len(ways) == 1,
        return_url=settings.SITE_URL + address,
    )


def is_asked_here(request: HttpRequest) -> bool:
    """Whether the page's script asks, and not a browser that follows the answer."""
    return request.method == "POST" and HERE in request.POST


def came_back(request: HttpRequest) -> bool:
    """Whether Stripe has sent the buyer back here."""
    return any(name in request.GET for name in BROUGHT_BACK)


def allow(response: HttpResponse) -> None:
    """Let this answer alone load Stripe's script: the policy of the checkout instead of the public one. Windows that a
    wallet opens must be able to answer."""
    response.policy_area = AREA  # type: ignore[attr-defined]
    response["Cross-Origin-Opener-Policy"] = "same-origin-allow-popups"


def refuse(
    errors: Mapping[str, Iterable[Any]], problem: str, *, status: int, terms_number: int, terms_url: str
) -> JsonResponse:
    """What is to be mended, field by field, or why it is not possible now; and the terms to be read when the page shows
    others. Nothing was charged."""
    said = [str(sentence) for sentences in errors.values() for sentence in sentences]
    return JsonResponse(
        {
            "problem": problem or " ".join(said),
            "fields": {name: " ".join(map(str, errors[name])) for name in errors},
            "terms": {"number": terms_number, "url": terms_url},
        },
        status=status,
    )


def answer(order: Order, response: HttpResponse, address: str) -> HttpResponse:
    """The view's answer, for the script: the payment's secret where it can be paid on this page, else where to go."""
    if "Location" not in response:  # an answer of `refuse`, or a page that tells of another state
        return response if isinstance(response, JsonResponse) else JsonResponse({"go": address})
    payment = reading.newest_payment.first(order.pk) if response["Location"] == address else None
    if payment is None or not payment.is_here or payment.state not in TO_BE_PAID:
        return JsonResponse({"go": response["Location"]})
    if not payment.provider_reference:
        return _later(_("Many pay at this very moment. Yours comes next; nothing has been charged."))
    try:
        notice, secret = _provider(payment.provider).client_secret(payment)
    except (UnknownOutcome, ProviderRefused) as error:
        log.warning("payment %s cannot be paid on its page now: %r", payment.public_id, error)
        return _later(_("The bank does not answer at this moment. Nothing was charged; we ask again."))
    if notice.state != PaymentState.ACTION_NEEDED:
        return JsonResponse({"go": address})
    # Paid in a moment, perhaps sooner than the page may ask again: its next look asks in any case.
    Payment.objects.filter(pk=payment.pk).update(checked_at=None)
    return JsonResponse({"secret": secret})


def _provider(slug: str) -> Any:
    return payment_providers.get(slug)


def _later(say: str) -> JsonResponse:
    return JsonResponse({"again": ASK_AGAIN_SECONDS, "say": say})
