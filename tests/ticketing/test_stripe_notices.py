"""What Stripe tells: believed only when it proves itself, of our mode and the payment's account; and in our words.

Bodies are signed here as Stripe signs them; nothing is asked of anybody. What calls it is in test_stripe_provider.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from apps.ticketing import clock, payments, webhooks
from apps.ticketing.extensions import BadNotice, NothingToUs, payment_providers
from apps.ticketing.models import Effect, Payment, ProviderEvent, Refund
from apps.ticketing.payments import stripe_notices
from apps.ticketing.payments.stripe_provider import StripeProvider
from tests import factories
from tests.proofs import Proof

ADDRESS = "/webhooks/stripe/"
NEW, OLD = "whsec_the_new_secret_of_the_endpoint", "whsec_the_old_one_still_holds"


def keys(settings: LazySettings) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    settings.STRIPE_PUBLISHABLE_KEY = "pk_test_of_nobody"
    settings.STRIPE_WEBHOOK_SECRETS = [NEW, OLD]


@pytest.fixture
def stripe(settings: LazySettings, db: None) -> Iterator[StripeProvider]:
    keys(settings)
    with payment_providers.temporarily(StripeProvider()) as provider:
        yield provider  # type: ignore[misc]


@pytest.fixture
def payment(stripe: StripeProvider) -> Payment:
    """A payment that is open at Stripe as pi_open."""
    started = payments.start(factories.reserved_order(2, price_minor=25_000), "stripe", "https://a/", here=True)
    Payment.objects.filter(pk=started.pk).update(provider_reference="pi_open", state="action_needed")
    return Payment.objects.get()


def intent(payment: Payment, status: str = "succeeded", **values: Any) -> dict[str, Any]:
    return {
        "id": "pi_open",
        "object": "payment_intent",
        "amount": payment.amount_minor,
        "amount_received": payment.amount_minor if status == "succeeded" else 0,
        "currency": payment.currency.lower(),
        "status": status,
        "last_payment_error": None,
        "metadata": {"foyer_payment": str(payment.public_id)},
        **values,
    }


def event(thing: dict[str, Any], kind: str = "payment_intent.succeeded", **values: Any) -> dict[str, Any]:
    return {
        "id": f"evt_{uuid.uuid4().hex}",
        "object": "event",
        "type": kind,
        "livemode": False,
        "data": {"object": thing},
        **values,
    }


def sign(body: bytes, *, secret: str = NEW, late: int = 0) -> str:
    at = int(clock.now().timestamp()) - late
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def send(body: bytes, header: str | None = None) -> int:
    """Post a body; the status it is answered with."""
    headers = {"Stripe-Signature": sign(body) if header is None else header}
    return Client().post(ADDRESS, body, content_type="application/json", headers=headers).status_code


def read(told: dict[str, Any], *, livemode: bool = False) -> tuple[str, str, int, str]:
    notice = stripe_notices.read(json.dumps(told).encode(), livemode=livemode)
    return notice.kind, notice.state, notice.amount_minor, notice.reason


def test_a_signed_notice_is_stored_and_rings_once(payment: Payment) -> None:
    body = json.dumps(event(intent(payment))).encode()

    answers = [send(body), send(body), send(body, sign(body, secret=OLD)), send(body, sign(body, late=299))]

    assert answers == [200] * 4
    assert (ProviderEvent.objects.count(), Effect.objects.filter(kind=webhooks.PROCESS).count()) == (1, 1)


@pytest.mark.parametrize(
    ("status", "values", "expected"),
    [
        ("requires_payment_method", {}, ("payment", "action_needed", 50_000, "")),
        (
            "requires_payment_method",
            {"last_payment_error": {"code": "card_declined"}},
            ("payment", "action_needed", 50_000, "payment_declined"),
        ),
        ("requires_confirmation", {}, ("payment", "action_needed", 50_000, "")),
        ("requires_action", {}, ("payment", "action_needed", 50_000, "")),
        ("processing", {}, ("payment", "processing", 50_000, "")),
        ("requires_capture", {}, ("payment", "processing", 50_000, "")),
        ("canceled", {}, ("payment", "cancelled", 50_000, "")),
        ("succeeded", {}, ("payment", "captured", 50_000, "")),
        ("succeeded", {"amount_received": 49_000}, ("payment", "captured", 49_000, "")),
    ],
)
def test_each_state_of_a_payment_intent_in_our_words(
    payment: Payment, status: str, values: dict[str, Any], expected: tuple[str, str, int, str]
) -> None:
    assert read(event(intent(payment, status, **values))) == expected


@pytest.mark.parametrize(
    ("details", "told"),
    [
        ({"type": "card", "card": {"brand": "visa", "last4": "4242"}}, "Visa ···· 4242"),
        (
            {"type": "card", "card": {"brand": "visa", "last4": "0341", "wallet": {"type": "apple_pay"}}},
            "Visa ···· 0341",
        ),
        ({"type": "card", "card": {"brand": "of_tomorrow", "last4": "4242"}}, "···· 4242"),
        ({"type": "card", "card": {"brand": ["visa"], "last4": "4242"}}, "···· 4242"),
        ({"type": "card", "card": {"brand": "visa", "last4": None}}, ""),
        ({"type": "card", "card": {"brand": "visa", "last4": "4242424242424242"}}, ""),
        ({"type": "card", "card": {"brand": "visa", "last4": "٤٢٤٢"}}, ""),
        ({"type": "card", "card": None}, ""),
        ({"type": "swish", "swish": {}}, "Swish"),
        ({"type": "klarna", "klarna": {}}, "Klarna"),
        ({"type": "of_tomorrow"}, ""),
        ({"type": {}}, ""),
        (None, ""),
    ],
)
def test_with_what_a_charge_was_paid_in_words(payment: Payment, details: Any, told: str) -> None:
    paid = intent(payment, "succeeded", latest_charge={"id": "ch_1", "payment_method_details": details})

    assert stripe_notices.of_intent(paid).paid_with == told


def test_what_was_processing_and_asks_for_a_card_again_has_failed(payment: Payment) -> None:
    again = intent(payment, "requires_payment_method")

    assert stripe_notices.of_intent(again, was_processing=True).state == "failed"


@pytest.mark.parametrize(
    ("status", "inside", "expected"),
    [
        ("open", None, ("payment", "action_needed", 50_000, "")),
        ("open", "requires_payment_method", ("payment", "action_needed", 50_000, "")),
        ("open", "processing", ("payment", "processing", 50_000, "")),
        ("complete", "processing", ("payment", "processing", 50_000, "")),
        ("complete", "pi_not_expanded", ("payment", "processing", 50_000, "")),
        ("complete", "succeeded", ("payment", "captured", 50_000, "")),
        ("complete", "requires_payment_method", ("payment", "failed", 50_000, "payment_declined")),
        ("expired", None, ("payment", "cancelled", 50_000, "")),
        ("expired", "canceled", ("payment", "cancelled", 50_000, "")),
    ],
)
def test_each_state_of_a_hosted_page_in_our_words(
    payment: Payment, status: str, inside: str | None, expected: tuple[str, str, int, str]
) -> None:
    session = {
        "id": "cs_test_page",
        "object": "checkout.session",
        "status": status,
        "amount_total": 50_000,
        "currency": "sek",
        "metadata": {"foyer_payment": str(payment.public_id)},
        "payment_intent": intent(payment, inside) if inside and not inside.startswith("pi_") else inside,
    }

    assert read(event(session, "checkout.session.completed")) == expected


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [
        ("pending", "pending", ""),
        ("requires_action", "pending", ""),
        ("succeeded", "done", ""),
        ("failed", "failed", "refund_failed"),
        ("canceled", "failed", "refund_failed"),
    ],
)
def test_each_state_of_a_refund_in_our_words(payment: Payment, status: str, state: str, reason: str) -> None:
    refund = Refund.objects.create(payment=payment, amount_minor=900, currency="SEK", created_at=clock.now())
    told = {
        "id": "re_one",
        "object": "refund",
        "amount": 900,
        "currency": "sek",
        "status": status,
        "metadata": {"foyer_refund": str(refund.public_id), "foyer_payment": str(payment.public_id)},
    }

    assert read(event(told, "refund.updated")) == ("refund", state, 900, reason)
    assert read(event(told, "charge.refund.updated")) == ("refund", state, 900, reason)


@pytest.mark.parametrize(
    ("status", "state"),
    [("needs_response", "opened"), ("under_review", "opened"), ("won", "won"), ("lost", "lost")],
)
def test_a_dispute_is_told_of_the_payment_it_is_about(payment: Payment, status: str, state: str) -> None:
    told = {"id": "du_one", "object": "dispute", "amount": 50_000, "currency": "sek", "status": status}
    body = json.dumps(event({**told, "payment_intent": "pi_open"}, "charge.dispute.updated")).encode()

    notice = stripe_notices.read(body, livemode=False)

    assert (notice.kind, notice.state, notice.reference) == ("dispute", state, "du_one")
    assert (notice.our_id, notice.amount_minor) == (str(payment.public_id), 50_000)


@pytest.mark.parametrize(
    ("kind", "thing"),
    [
        ("charge.succeeded", {"id": "ch_one"}),
        ("payment_intent.succeeded", {"metadata": {}}),
        ("payment_intent.succeeded", {"metadata": {"foyer_payment": "not an id"}}),
        ("payment_intent.succeeded", {"metadata": {"foyer_payment": str(uuid.uuid4())}}),
        ("charge.dispute.created", {"status": "needs_response", "payment_intent": "pi_of_others"}),
        ("charge.dispute.created", {"status": "warning_needs_response", "payment_intent": "pi_open"}),
        ("refund.created", {"status": "succeeded", "metadata": {}}),
    ],
)
def test_news_of_nothing_of_ours_is_answered_and_not_stored(payment: Payment, kind: str, thing: dict) -> None:
    assert send(json.dumps(event({**intent(payment), **thing}, kind)).encode()) == 200
    assert not ProviderEvent.objects.exists()


def test_only_our_mode_and_the_accounts_own_word_are_believed(payment: Payment) -> None:
    told = event(intent(payment))
    of_live = {**told, "livemode": True}
    of_another = {**told, "account": "acct_of_another"}

    for body in (of_live, of_another, {**told, "livemode": "false"}, {**told, "livemode": None}):
        assert send(json.dumps(body).encode()) == 400, body
    Payment.objects.update(account="acct_seller")
    assert send(json.dumps(told).encode()) == 400
    assert not ProviderEvent.objects.exists()
    assert send(json.dumps({**told, "account": "acct_seller"}).encode()) == 200


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(lambda body: "", id="none"),
        pytest.param(lambda body: sign(body, secret="whsec_of_a_stranger"), id="another's"),
        pytest.param(lambda body: sign(body, secret=""), id="no secret"),
        pytest.param(lambda body: sign(body, late=301), id="too old"),
        pytest.param(lambda body: sign(body, late=-310), id="from the future"),
        pytest.param(lambda body: sign(body + b" "), id="of other bytes"),
        pytest.param(lambda body: sign(body).replace("v1", "v0"), id="another scheme"),
        pytest.param(lambda body: sign(body).replace("t=", "t=1,t="), id="two moments"),
        pytest.param(lambda body: sign(body).replace("v1=", "v1=å"), id="not ASCII"),
        pytest.param(lambda body: "t=" + "9" * 5000 + ",v1=00", id="a number without end"),
        pytest.param(lambda body: "t=now,v1=00", id="no number"),
        pytest.param(lambda body: ",,==,t", id="no header"),
    ],
)
def test_a_forged_signature_is_refused_and_leaves_nothing(payment: Payment, header: Any) -> None:
    body = json.dumps(event(intent(payment))).encode()

    assert send(body, header(body)) == 400
    assert not ProviderEvent.objects.exists()


def test_without_secrets_nothing_is_believed(payment: Payment, settings: LazySettings) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = []
    body = json.dumps(event(intent(payment))).encode()

    assert send(body) == 400
    settings.STRIPE_WEBHOOK_SECRETS = [""]
    assert send(body, sign(body, secret="")) == 400


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"\xff\xfe", b"{}", b"[" * 20_000, b'{"data": 1}', b'{"data": {"object": []}, "id": "evt_"}'],
)  # fmt: skip
def test_a_signed_body_that_is_no_event_is_refused(stripe: StripeProvider, body: bytes) -> None:
    assert send(body) == 400
    assert not ProviderEvent.objects.exists()


NASTY: tuple[Any, ...] = (
    *("", "pi_\0", "pi_\ud800", "\x7f", "é", "x" * 121, 0, -1, 2**31, 2**70, 0.5, True, None, [], {}, ["pi_open"]),
    *({"id": "pi_\0"}, {"id": []}, {"id": "pi_open", "status": "succeeded"}, {"foyer_payment": 1}),
)
KINDS = (
    *("payment_intent.succeeded", "checkout.session.completed", "charge.dispute.created", "refund.updated"),
    "charge.refund.updated",
)


def _shape(dice: random.Random, payment: Payment) -> dict[str, Any]:
    """An event whose object is right in all but up to three things, which are anything at all."""
    right = {
        **intent(payment),
        "payment_intent": "pi_open",
        "amount_total": payment.amount_minor,
        "status": dice.choice(("succeeded", "open", "complete", "needs_response", "lost", "pending", "failed")),
    }
    names = dice.sample(sorted(right), dice.randrange(1, 4))
    thing = {**right, **{name: dice.choice(NASTY) for name in names}}
    told = event(thing, dice.choice(KINDS))
    if dice.random() < 0.1:
        told[dice.choice(("id", "type", "account", "data"))] = dice.choice(NASTY)
    return told


@pytest.mark.proof("stripe_shapes", what="No signed body of any shape ends in an error", full=10_000, small=400)
def test_an_object_of_any_shape_is_answered(payment: Payment, proof: Proof) -> None:
    answers: Counter[int] = Counter()

    for _ in range(proof.n):
        answers[send(json.dumps(_shape(proof.random, payment)).encode())] += 1

    assert set(answers) == {200, 400}
    proof.record(answers={str(status): count for status, count in answers.items()}, server_errors=0)


@pytest.mark.parametrize("nasty", ["pi_\0", "pi_\ud800"])
@pytest.mark.parametrize(
    ("name", "kind", "status"),
    [("id", "payment_intent.succeeded", 400), ("payment_intent", "charge.dispute.created", 200)],
)
def test_text_that_no_database_keeps_is_no_id(payment: Payment, name: str, kind: str, status: int, nasty: str) -> None:
    thing = intent(payment, "needs_response" if "dispute" in kind else "succeeded")

    assert send(json.dumps(event({**thing, name: nasty}, kind)).encode()) == status
    assert not ProviderEvent.objects.exists()


def _spoilt(dice: random.Random, payment: Payment) -> tuple[bytes, str]:
    """A body that must not be believed: right in all but one thing, which the dice choose."""
    told = event(intent(payment))
    body = json.dumps(told).encode()
    header = sign(body)
    what = dice.randrange(6)
    if what == 0:  # one byte of the body is another
        at = dice.randrange(len(body))
        return body[:at] + bytes([body[at] ^ (1 << dice.randrange(7))]) + body[at + 1 :], header
    if what == 1:  # one character of the header is another
        at = dice.randrange(header.index("t=") + 2, len(header))
        other = dice.choice([sign for sign in "0123456789abcdef" if sign != header[at]])
        return body, header[:at] + other + header[at + 1 :]
    if what == 2:  # the same, written anew
        return json.dumps(told, indent=dice.randrange(1, 9)).encode(), header
    if what == 3:  # too old, or from the future
        return body, sign(body, late=dice.choice((1, -1)) * dice.randrange(320, 10**6))
    if what == 4:  # signed with anything
        return body, sign(body, secret=f"whsec_{dice.random()}")
    wrong = {**told, dice.choice(("livemode", "account", "object")): dice.choice(("true", 1, True, [], "acct_1", {}))}
    if wrong.get("account") in ([], {}):
        wrong["account"] = "acct_2"
    body = json.dumps(wrong).encode()
    return body, sign(body)


@pytest.mark.proof("stripe_forgeries", what="No forged or spoilt notice is believed", full=10_000, small=120)
def test_no_spoilt_body_is_believed(payment: Payment, proof: Proof) -> None:
    client = Client()
    answers: Counter[int] = Counter()

    for _ in range(proof.n):
        body, header = _spoilt(proof.random, payment)
        headers = {"Stripe-Signature": header}
        answers[client.post(ADDRESS, body, content_type="application/json", headers=headers).status_code] += 1

    assert answers == {400: proof.n}
    assert not ProviderEvent.objects.exists()
    body = json.dumps(event(intent(payment))).encode()
    assert (send(body), ProviderEvent.objects.count()) == (200, 1)  # the same, unspoilt, is
    proof.record(answers={str(status): count for status, count in answers.items()}, believed=0, server_errors=0)


def test_the_errors_name_what_is_wrong_and_no_secret(payment: Payment, caplog: pytest.LogCaptureFixture) -> None:
    body = json.dumps(event(intent(payment))).encode()

    send(body, sign(body, secret="whsec_of_a_stranger"))

    assert "wrong signature" in caplog.text
    assert not any(secret in caplog.text for secret in (NEW, OLD, "whsec"))
    with pytest.raises(BadNotice):
        stripe_notices.read(b"{}", livemode=False)
    with pytest.raises(NothingToUs):
        stripe_notices.read(json.dumps(event({}, "payout.paid")).encode(), livemode=False)
