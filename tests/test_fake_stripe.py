"""The fake Stripe keeps Stripe's rules, as the official library sees them: what is tested against it rests on this."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest
import stripe

from tests.fake_stripe import Fake, signed

SEK: Any = {"amount": 25000, "currency": "sek"}


@pytest.fixture
def client(stripe_service: Fake) -> stripe.StripeClient:
    return client_of(stripe_service)


def client_of(fake: Fake, **more: Any) -> stripe.StripeClient:
    http = stripe.RequestsClient(timeout=(1, 1))
    return stripe.StripeClient(
        fake.KEY, base_addresses=fake.base_addresses, http_client=http, max_network_retries=0, **more
    )


@contextmanager
def inbox(statuses: Callable[[int], int] = lambda number: 200) -> Iterator[tuple[str, list[tuple[bytes, str]]]]:
    """A server that takes notices; its address, and what it took as (body, signature)."""
    taken: list[tuple[bytes, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append((body, self.headers["Stripe-Signature"]))
            self.send_response(statuses(len(taken)))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/", taken
    server.shutdown()
    server.server_close()


def kinds(taken: list[tuple[bytes, str]]) -> list[str]:
    return [json.loads(body)["type"] for body, _ in taken]


def test_payment_is_confirmed_declined_asked_for_and_refunded(
    stripe_service: Fake, client: stripe.StripeClient
) -> None:
    intents = client.v1.payment_intents

    intent = intents.create({**SEK, "metadata": {"payment": "p1"}})  # type: ignore[typeddict-item]
    with pytest.raises(stripe.CardError) as declined:
        intents.confirm(intent.id, {"payment_method": "pm_card_chargeDeclined"})
    asking = intents.confirm(
        intent.id, {"payment_method": "pm_card_authenticationRequired", "return_url": "http://localhost/"}
    )
    stripe_service.act(intent.id)
    paid = intents.retrieve(intent.id, {"expand": ["latest_charge.balance_transaction"]})
    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 10000, "metadata": {"refund": "r1"}})

    assert (declined.value.code, declined.value.http_status) == ("card_declined", 402)
    assert (asking.status, asking.next_action.type) == ("requires_action", "redirect_to_url")
    charge = paid.latest_charge
    assert (paid.status, paid.amount_received, charge.amount, charge.balance_transaction.fee) == (
        "succeeded",
        25000,
        25000,
        375 + 180,
    )
    assert (refund.status, refund.amount) == ("succeeded", 10000)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 15001})
    with pytest.raises(stripe.InvalidRequestError) as late:
        intents.cancel(intent.id)
    assert late.value.code == "payment_intent_unexpected_state"
    [available] = client.v1.balance.retrieve().available
    assert available.amount == 25000 - 555 - 10000
    assert [row.id for row in intents.search({"query": "metadata['payment']:'p1'"}).data] == [intent.id]
    assert [event.type for event in reversed(client.v1.events.list({"limit": 100}).data)] == [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
        "payment_intent.requires_action",
        "charge.succeeded",
        "payment_intent.succeeded",
        "refund.created",
        "charge.refunded",
    ]


def test_key_gives_the_first_answer_again_and_refuses_another_body(
    stripe_service: Fake, client: stripe.StripeClient
) -> None:
    once = {"idempotency_key": "pay:1"}

    first = client.v1.payment_intents.create(SEK, once)
    again = client.v1.payment_intents.create(SEK, once)
    with pytest.raises(stripe.IdempotencyError):
        client.v1.payment_intents.create({**SEK, "amount": 100}, once)  # type: ignore[typeddict-item]
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.create({**SEK, "amount": 1}, {"idempotency_key": "pay:2"})  # type: ignore[typeddict-item]
    corrected = client.v1.payment_intents.create(SEK, {"idempotency_key": "pay:2"})

    assert (again.id, again.client_secret) == (first.id, first.client_secret)
    assert [row["id"] for row in stripe_service.objects("payment_intent")] == [corrected.id, first.id]
    assert [call["replayed"] for call in stripe_service.calls()] == [False, True, False, False, False]
    assert [call["status"] for call in stripe_service.calls()] == [200, 200, 400, 400, 200]


def test_key_is_forgotten_after_a_day(stripe_service: Fake, client: stripe.StripeClient) -> None:
    made = []
    for hours in (0, 23, 2):
        stripe_service.move_clock(hours * 3600)
        made.append(client.v1.payment_intents.create(SEK, {"idempotency_key": "pay:1"}).id)

    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize(
    ("what", "error", "intents"),
    [
        ("timeout", stripe.APIConnectionError, 1),
        ("timeout_after", stripe.APIConnectionError, 1),
        ("reset", stripe.APIConnectionError, 1),
        ("reset_after", stripe.APIConnectionError, 1),
        ("conflict", stripe.APIError, 1),
        ("rate_limit", stripe.RateLimitError, 1),
        ("error", stripe.APIError, 1),
        ("unavailable", stripe.APIError, 1),
        ("html", stripe.APIError, 1),
        ("malformed", stripe.APIError, 1),
    ],
)
def test_fault_happens_once_and_the_same_key_mends_it(
    stripe_service: Fake, client: stripe.StripeClient, what: str, error: type[Exception], intents: int
) -> None:
    stripe_service.fault("POST /v1/payment_intents", what, seconds=1.5)

    with pytest.raises(error):
        client.v1.payment_intents.create(SEK, {"idempotency_key": "pay:1"})
    had_effect = len(stripe_service.objects("payment_intent"))
    client.v1.payment_intents.create(SEK, {"idempotency_key": "pay:1"})

    assert had_effect == (what in ("timeout_after", "reset_after", "malformed"))
    assert len(stripe_service.objects("payment_intent")) == intents


def test_error_after_the_effect_is_kept_under_the_key(stripe_service: Fake, client: stripe.StripeClient) -> None:
    stripe_service.fault("POST /v1/payment_intents", "error_after")

    for _ in range(2):
        with pytest.raises(stripe.APIError):
            client.v1.payment_intents.create(SEK, {"idempotency_key": "pay:1"})

    assert len(stripe_service.objects("payment_intent")) == 1


def test_key_in_progress_is_a_conflict(stripe_service: Fake, client: stripe.StripeClient) -> None:
    stripe_service.fault("POST /v1/payment_intents", "slow", seconds=0.8)
    ask = lambda: client_of(stripe_service).v1.payment_intents.create(SEK, {"idempotency_key": "k"})  # noqa: E731
    first = threading.Thread(target=ask)
    first.start()
    while not stripe_service.calls():
        time.sleep(0.01)
    time.sleep(0.1)

    with pytest.raises(stripe.APIError) as busy:
        ask()
    first.join()

    assert (busy.value.http_status, cast(Any, busy.value).json_body["error"]["code"]) == (409, "idempotency_key_in_use")


@pytest.mark.parametrize("how", ["refuse", "silent"])
def test_nobody_can_connect_while_it_is_away(stripe_service: Fake, client: stripe.StripeClient, how: str) -> None:
    client.v1.payment_intents.create(SEK)

    stripe_service.away(2.0, how=how)
    with pytest.raises(stripe.APIConnectionError):
        client.v1.payment_intents.create(SEK)

    deadline = time.monotonic() + 10
    while True:
        try:
            client.v1.payment_intents.create(SEK)
            break
        except stripe.APIConnectionError:
            assert time.monotonic() < deadline
    assert len(stripe_service.objects("payment_intent")) == 2


def test_notices_are_signed_doubled_held_shuffled_and_sent_again(
    stripe_service: Fake, client: stripe.StripeClient
) -> None:
    with inbox(lambda number: 500 if number == 1 else 200) as (url, taken):
        stripe_service.endpoint(url, ["whsec_new", "whsec_old"])

        intent = client.v1.payment_intents.create(SEK)
        stripe_service.quiet()
        missed = client.v1.events.list({"delivery_success": False}).data
        stripe_service.redeliver()
        stripe_service.deliver("hold", copies=2)
        stripe_service.pay(intent.id)
        held_back = len(taken)
        stripe_service.release("reversed")

    for secret in ("whsec_new", "whsec_old"):
        body, signature = taken[-1]
        assert stripe.Webhook.construct_event(body, signature, secret).type == "charge.succeeded"  # type: ignore[no-untyped-call]
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(taken[0][0] + b" ", taken[0][1], "whsec_new")  # type: ignore[no-untyped-call]
    assert [event.type for event in missed] == ["payment_intent.created"]
    assert held_back == 2
    assert kinds(taken[2:]) == ["payment_intent.succeeded"] * 2 + ["charge.succeeded"] * 2
    assert [each["status"] for each in stripe_service.deliveries()] == [500, 200, 200, 200, 200, 200]
    assert client.v1.events.list({"delivery_success": False}).data == []
    assert signed(b"{}", "s", at=1)["Stripe-Signature"].startswith("t=1,v1=")


def test_lost_notices_are_listed(stripe_service: Fake, client: stripe.StripeClient) -> None:
    with inbox() as (url, taken):
        stripe_service.endpoint(url, ["whsec_1"])
        stripe_service.deliver("lose")
        intent = client.v1.payment_intents.create(SEK)
        stripe_service.pay(intent.id)

        assert (taken, len(client.v1.events.list({"delivery_success": False}).data)) == ([], 3)


def test_refunds_wait_for_the_balance_fail_later_and_stay_within_the_charge(
    stripe_service: Fake, client: stripe.StripeClient
) -> None:
    intent = client.v1.payment_intents.create(SEK)
    stripe_service.pay(intent.id, "pm_card_refundFail")
    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 5000})
    stripe_service.refund(refund.id, "failed")
    after_failure = client.v1.charges.retrieve(stripe_service.object(intent.id)["latest_charge"]).amount_refunded
    stripe_service.payout()

    waiting = client.v1.refunds.create({"payment_intent": intent.id})
    stripe_service.top_up(25000)

    assert (after_failure, refund.status) == (0, "succeeded")
    assert client.v1.refunds.retrieve(refund.id).failure_reason == "expired_or_canceled_card"
    assert (waiting.status, waiting.pending_reason) == ("pending", "insufficient_funds")
    assert client.v1.refunds.retrieve(waiting.id).status == "succeeded"
    types = [row.type for row in reversed(client.v1.balance_transactions.list({"limit": 100}).data)]
    assert types == ["charge", "refund", "refund_failure", "payout", "topup", "refund"]
    assert [amount.amount for amount in client.v1.balance.retrieve().available] == [0]


def test_dispute_takes_the_money_and_a_won_one_gives_it_back(stripe_service: Fake, client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(SEK)
    stripe_service.pay(intent.id, "pm_card_createDispute")
    [dispute] = client.v1.disputes.list({"payment_intent": intent.id}).data

    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": intent.id})
    stripe_service.close_dispute(dispute.id, "won")

    assert (refused.value.code, dispute.status) == ("charge_disputed", "needs_response")
    assert client.v1.disputes.retrieve(dispute.id).status == "won"
    assert [amount.amount for amount in client.v1.balance.retrieve().available] == [25000 - 555]


def test_connected_account_is_onboarded_charged_and_left(stripe_service: Fake, client: stripe.StripeClient) -> None:
    account = client.v1.accounts.create({"type": "standard", "country": "SE", "email": "money@example.org"})
    on_it: Any = {"stripe_account": account.id}
    with pytest.raises(stripe.InvalidRequestError, match="cannot currently make"):
        client.v1.payment_intents.create(SEK, on_it)
    stripe_service.onboard(account.id)

    intent = client.v1.payment_intents.create({**SEK, "application_fee_amount": 500}, on_it)  # type: ignore[typeddict-item]
    stripe_service.pay(intent.id, "swish")
    stripe_service.act(intent.id)
    [fee] = client.v1.application_fees.list().data
    stripe_service.deauthorise(account.id)

    assert (fee.amount, fee.account) == (500, account.id)
    assert stripe_service.object(intent.id)["status"] == "succeeded"
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_intent"):
        client.v1.payment_intents.retrieve(intent.id)
    with pytest.raises(stripe.PermissionError):
        client.v1.payment_intents.retrieve(intent.id, None, on_it)


def test_checkout_session_is_paid_or_expires(stripe_service: Fake, client: stripe.StripeClient) -> None:
    price = {"currency": "sek", "unit_amount": 12500, "product_data": {"name": "Spex"}}
    wanted: Any = {
        "mode": "payment",
        "line_items": [{"price_data": price, "quantity": 2}],
        "success_url": "http://localhost/done?session={CHECKOUT_SESSION_ID}",
        "payment_intent_data": {"metadata": {"payment": "p1"}},
    }

    with pytest.raises(stripe.InvalidRequestError, match="at least 30 minutes"):
        client.v1.checkout.sessions.create({**wanted, "expires_at": int(time.time()) + 900})
    session = client.v1.checkout.sessions.create(wanted)
    given_up = client.v1.checkout.sessions.create(wanted)
    client.v1.checkout.sessions.expire(given_up.id)
    old = client.v1.checkout.sessions.create({**wanted, "expires_at": int(time.time()) + 1900})
    stripe_service.move_clock(1901)

    assert (session.status, session.amount_total, session.payment_intent) == ("open", 25000, None)
    assert [client.v1.checkout.sessions.retrieve(each.id).status for each in (session, given_up, old)] == [
        "open",
        "expired",
        "expired",
    ]


def test_wrong_key_and_too_many_calls_are_refused(stripe_service: Fake, client: stripe.StripeClient) -> None:
    stranger = stripe.StripeClient("sk_test_stranger", base_addresses=stripe_service.base_addresses)  # type: ignore[arg-type]
    with pytest.raises(stripe.AuthenticationError):
        stranger.v1.balance.retrieve()

    stripe_service.set(rate_limit=1)
    with pytest.raises(stripe.RateLimitError):
        for _ in range(4):
            client.v1.balance.retrieve()
