"""Stripe, spoken to by the official library over HTTP. The other end is tests/fake_stripe, a process of its own."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import Mock
from urllib.request import urlopen

import pytest
from config import stripe_addresses
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction
from django.test import Client
from django.urls import reverse

from apps.events.models import Event
from apps.ticketing import (
    checkout,
    clock,
    disputes,
    invariants,
    outbox,
    payments,
    reasons,
    reconciliation,
    refunds,
    reservations,
    webhooks,
)
from apps.ticketing.extensions import ProviderRefused, UnknownOutcome, payment_providers
from apps.ticketing.models import Dispute, Effect, Order, Payment, Posting, ProviderEvent, Refund, Ticket
from apps.ticketing.payments import base, settle, stripe_page, stripe_provider
from apps.ticketing.payments.stripe_provider import StripeProvider
from apps.ticketing.visitors import address_of
from tests import factories
from tests.clock import clock_moved
from tests.fake_stripe import Fake
from tests.proofs import Proof
from tests.ticketing.test_money_machine import PROMISES, said

SECRET = "whsec_of_the_endpoint"
CREATE = "POST /v1/payment_intents"
START = "payment.start"
# What a call may meet. After those that say so, and half an answer, what was asked for has happened all the same.
BEFORE = ("timeout", "conflict", "rate_limit", "error", "unavailable", "html")
LOST = (*BEFORE, "timeout_after", "reset_after", "malformed")


@pytest.fixture
def fake(stripe_service: Fake, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """An empty Stripe, and Foyer set up for it. Its notices are held until the test takes them."""
    settings.STRIPE_SECRET_KEY = stripe_service.KEY
    settings.STRIPE_PUBLISHABLE_KEY = stripe_service.PUBLISHABLE_KEY
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    settings.STRIPE_API_BASE = stripe_service.url
    settings.STRIPE_JS_URL = f"{stripe_service.url}/endive/stripe.js"
    monkeypatch.setattr(stripe_provider, "ANSWER_SECONDS", 1.0)
    stripe_provider._client.cache_clear()
    stripe_service.endpoint("http://127.0.0.1:9/webhooks/stripe/", secrets=[SECRET])
    stripe_service.deliver("hold")
    with payment_providers.temporarily(StripeProvider()):
        yield stripe_service
    stripe_provider._client.cache_clear()


@pytest.fixture
def order(fake: Fake, db: None, promises_kept: None) -> Order:
    return factories.reserved_order(2, price_minor=25_000)


def begin(order: Order, *, here: bool = True) -> Payment:
    started = payments.start(order, "stripe", "https://foyer.example/order/", here=here)
    assert started is not None
    return payments.open(started)


def hear(fake: Fake, *, copies: int = 1, client: Client | None = None) -> Counter[int]:
    """Post what Stripe has to tell to our inbox, and have it acted upon; how it was answered."""
    answers: Counter[int] = Counter()
    for body, headers in fake.held():
        for _ in range(copies):
            answers[post(body, headers, client)] += 1
    outbox.run_all(kinds=[webhooks.PROCESS])
    return answers


def post(body: bytes, headers: dict[str, str], client: Client | None = None) -> int:
    headers = {"Stripe-Signature": headers["Stripe-Signature"]}
    answer = (client or Client()).post("/webhooks/stripe/", body, content_type="application/json", headers=headers)
    return answer.status_code


def try_again() -> None:
    """The outbox, after its pause."""
    Effect.objects.filter(state="unknown").update(state="due")
    outbox.run_all(early=True, kinds=[START, base.CLOSE, refunds.SEND])


def charged(fake: Fake) -> int:
    """How many payments Stripe has taken and kept."""
    return sum(intent["status"] == "succeeded" for intent in fake.objects("payment_intent"))


def alive(order: Order) -> int:
    return Ticket.objects.filter(line__order=order).exclude(state="revoked").count()


# --- The payment -----------------------------------------------------------------------------------------------------


def test_a_payment_on_the_page_from_the_click_to_the_tickets(order: Order, fake: Fake) -> None:
    payment = begin(order)

    assert (payment.state, payment.redirect_url) == ("action_needed", "")
    intent = fake.object(payment.provider_reference)
    assert (intent["amount"], intent["currency"], intent["description"]) == (50_000, "sek", order.reference)
    assert intent["metadata"] == {"foyer_payment": str(payment.public_id), "order": order.reference}
    fake.pay(payment.provider_reference)
    assert set(hear(fake)) == {200}
    order.refresh_from_db()
    assert (order.state, alive(order)) == ("paid", 2)
    assert {call["idempotency_key"] for call in fake.calls(CREATE)} == {f"{START}:{payment.public_id}"}


def test_the_same_payment_for_a_second_tab_and_another_for_a_page_of_stripes(order: Order, fake: Fake) -> None:
    first, again = begin(order), begin(order)
    hosted = begin(order, here=False)
    outbox.run_all(kinds=[base.CLOSE])

    assert first == again
    assert fake.object(first.provider_reference)["status"] == "canceled"
    assert hosted.provider_reference.startswith("cs_test_")
    assert hosted.redirect_url.startswith(f"{fake.url}/c/pay/")
    session = fake.object(hosted.provider_reference)
    assert (session["amount_total"], session["customer_email"]) == (50_000, order.email)
    page = urlopen(hosted.redirect_url).read().decode()
    assert f"{order.event.title_sv} · {order.reference}" in page


def test_other_words_under_a_key_that_was_used_open_another_page(order: Order, fake: Fake) -> None:
    """The event was renamed after the first try, whose answer was lost."""
    fake.fault("POST /v1/checkout/sessions", "reset_after")
    payment = begin(order, here=False)
    assert payment.state == "unknown"
    Event.objects.update(title_sv="Ett annat namn")

    try_again()

    payment.refresh_from_db()
    assert (payment.state, payment.provider_reference[:3]) == ("action_needed", "cs_")


def test_a_page_of_stripes_is_paid_asked_about_and_refunded(order: Order, fake: Fake) -> None:
    payment = begin(order, here=False)
    assert payments.refresh(order).state == "reserved"
    fake.pay(payment.provider_reference)

    hear(fake)

    order.refresh_from_db()
    payment.refresh_from_db()
    assert (order.state, payment.state) == ("paid", "captured")
    assert payment.provider_reference.startswith("pi_")
    refunds.order_refund(order, list(order.lines.all())[:1], reason="refused")
    outbox.run_all(kinds=[refunds.SEND])
    assert Refund.objects.get().state == "done"
    refunds.order_refund(order, list(order.lines.all())[1:], reason="refused")
    outbox.run_all(kinds=[refunds.SEND])
    assert Refund.objects.first().state == "pending"  # Stripe keeps its fees, and waits for money in the account


@pytest.mark.parametrize(
    ("method", "told", "back"),
    [
        ("pm_card_visa", "Visa ···· 4242", "till Visa ····\u00a04242"),
        ("pm_card_mastercard", "Mastercard ···· 4444", "till Mastercard ····\u00a04444"),
        ("swish", "Swish", "via Swish"),
    ],
)
@pytest.mark.parametrize("here", [True, False])
def test_with_what_it_was_paid_is_kept(order: Order, fake: Fake, here: bool, method: str, told: str, back: str) -> None:
    payment = begin(order, here=here)
    intent = fake.pay(payment.provider_reference, method)
    if intent["status"] == "requires_action":
        fake.act(intent["id"])

    hear(fake)

    payment.refresh_from_db()
    assert (payment.state, payment.paid_with, payment.way_back) == ("captured", told, back)


def test_every_write_carries_a_key_of_its_own(order: Order, fake: Fake) -> None:
    first = begin(order)
    hosted = begin(order, here=False)
    outbox.run_all(kinds=[base.CLOSE])
    fake.pay(hosted.provider_reference)
    hear(fake)
    order.refresh_from_db()
    refunds.order_refund(order, list(order.lines.all())[:1], reason="refused")
    outbox.run_all(kinds=[refunds.SEND])

    assert sorted(call["idempotency_key"] for call in fake.calls("POST *")) == sorted(
        [
            *(f"{START}:{payment.public_id}" for payment in (first, hosted)),
            f"{base.CLOSE}:{first.public_id}",
            f"{refunds.SEND}:{Refund.objects.get().public_id}",
        ]
    )


def test_a_declined_card_keeps_the_payment_and_the_places_and_is_said(order: Order, fake: Fake) -> None:
    payment = begin(order)
    Order.objects.update(reserved_until=clock.now() + timedelta(minutes=2))

    fake.pay(payment.provider_reference, method="pm_card_chargeDeclined")
    hear(fake)

    payment.refresh_from_db()
    order.refresh_from_db()
    assert (payment.state, payment.reason) == ("action_needed", "payment_declined")
    assert order.reserved_until is not None
    assert order.reserved_until - clock.now() > timedelta(minutes=9)
    assert Client().get(address_of(order)).context["problem"] == reasons.sentence("payment_declined")
    kept = order.reserved_until
    Order.objects.update(reserved_until=clock.now() + timedelta(minutes=1))
    fake.pay(payment.provider_reference, method="pm_card_chargeDeclined")
    hear(fake)
    order.refresh_from_db()
    assert order.reserved_until < kept - timedelta(minutes=5)  # once
    assert begin(order) == payment  # and another card is tried under the same payment
    fake.pay(payment.provider_reference)
    hear(fake)
    order.refresh_from_db()
    assert (order.state, charged(fake)) == ("paid", 1)


def test_3d_secure_waits_for_the_buyer_and_the_order_page_asks(order: Order, fake: Fake) -> None:
    payment = begin(order)
    fake.pay(payment.provider_reference, method="pm_card_authenticationRequired")
    assert payments.refresh(order).state == "reserved"
    fake.act(payment.provider_reference, approves=True)
    Payment.objects.update(checked_at=None)

    page = Client().get(address_of(order))

    assert page.status_code == 200
    order.refresh_from_db()
    assert (order.state, alive(order)) == ("paid", 2)  # no notice was heard


def test_what_the_bank_takes_its_time_for_is_processing_and_then_over(order: Order, fake: Fake) -> None:
    payment = begin(order)
    fake.payment(payment.provider_reference, "processing")
    hear(fake)
    payment.refresh_from_db()
    assert payment.state == "processing"
    assert begin(order) == payment  # nobody pays twice meanwhile

    fake.payment(payment.provider_reference, "failed")
    hear(fake)

    payment.refresh_from_db()
    assert (payment.state, payment.reason) == ("failed", "payment_declined")


def test_lost_notices_are_caught_up_by_asking(order: Order, fake: Fake) -> None:
    fake.deliver("lose")
    payment = begin(order)
    fake.pay(payment.provider_reference)

    with clock_moved(timedelta(minutes=2)):
        ids: list[int] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(base.jobs, "ring", lambda job, wanted, **_: ids.extend(wanted))
            payments.catch_up()
        for pk in ids:
            payments.fetch(pk)

    order.refresh_from_db()
    assert (ids, order.state) == ([payment.pk], "paid")


def test_a_notice_that_is_three_days_late_still_brings_the_tickets(order: Order, fake: Fake) -> None:
    payment = begin(order)
    fake.pay(payment.provider_reference)
    with clock_moved(timedelta(minutes=25)):  # nobody heard of it, and nobody could ask
        payments.close_overdue()
        reservations.expire_overdue(clock.now())
    order.refresh_from_db()
    assert order.state == "expired"

    with clock_moved(timedelta(days=3)):
        fake.move_clock(3 * 86_400)  # Stripe signs each try anew
        assert set(hear(fake)) == {200}
        order.refresh_from_db()
        assert (order.state, alive(order)) == ("paid", 2)


# --- Answers that are lost -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", LOST)
def test_a_lost_answer_to_the_opening_is_asked_for_with_the_same_key(order: Order, fake: Fake, what: str) -> None:
    fake.fault(CREATE, what, seconds=3)
    payment = begin(order)
    assert payment.state == "unknown"
    assert Client().get(address_of(order)).context["page"].state == "paying"

    try_again()

    payment.refresh_from_db()
    assert payment.state == "action_needed"
    assert [call["idempotency_key"] for call in fake.calls(CREATE)][-1] == f"{START}:{payment.public_id}"
    assert len(fake.objects("payment_intent")) == 1
    fake.pay(payment.provider_reference)
    hear(fake)
    order.refresh_from_db()
    assert (order.state, charged(fake)) == ("paid", 1)


def test_an_error_that_stripe_repeats_for_a_day_does_not_stop_the_buyer(order: Order, fake: Fake) -> None:
    fake.fault(CREATE, "error_after")
    payment = begin(order)
    assert payment.state == "unknown"

    try_again()

    payment.refresh_from_db()
    assert payment.state == "action_needed"
    keys = [call["idempotency_key"] for call in fake.calls(CREATE)]
    assert keys == [f"{START}:{payment.public_id}"] * 2 + [f"{START}:{payment.public_id}:again"]
    made = {intent["id"]: intent["status"] for intent in fake.objects("payment_intent")}
    assert set(made.values()) == {"requires_payment_method"}  # the first was never shown to anybody


@pytest.mark.parametrize("what", [*LOST, "error_after"])
def test_a_lost_answer_to_the_closing_leaves_no_open_payment(order: Order, fake: Fake, what: str) -> None:
    payment = begin(order)
    fake.fault("POST /v1/payment_intents/*/cancel", what, seconds=3)

    payments.close(order)
    try_again()

    payment.refresh_from_db()
    assert (payment.state, fake.object(payment.provider_reference)["status"]) == ("cancelled", "canceled")


@pytest.mark.parametrize("what", [*LOST, "error_after"])
def test_a_lost_answer_to_a_refund_sends_the_money_once(order: Order, fake: Fake, what: str) -> None:
    payment = begin(order)
    fake.pay(payment.provider_reference)
    hear(fake)
    order.refresh_from_db()
    refunds.order_refund(order, list(order.lines.all())[:1], reason="refused")
    fake.fault("POST /v1/refunds", what, seconds=3)

    outbox.run_all(kinds=[refunds.SEND])
    assert Refund.objects.get().state == "unknown"
    try_again()

    assert Refund.objects.get().state == "done"
    assert [refund["amount"] for refund in fake.objects("refund")] == [25_000]


def refunded_unseen(order: Order, fake: Fake) -> None:
    """Money is on its way back, and the answer was lost."""
    payment = begin(order)
    fake.pay(payment.provider_reference)
    hear(fake)
    order.refresh_from_db()
    refunds.order_refund(order, list(order.lines.all())[:1], reason="refused")
    fake.fault("POST /v1/refunds", "reset_after")
    outbox.run_all(kinds=[refunds.SEND])
    assert Refund.objects.get().state == "unknown"


def test_a_refund_is_sent_once_though_stripe_has_forgotten_its_key(order: Order, fake: Fake) -> None:
    refunded_unseen(order, fake)
    fake.move_clock(25 * 3600)

    try_again()

    assert Refund.objects.get().state == "done"
    assert [refund["amount"] for refund in fake.objects("refund")] == [25_000]


@pytest.mark.parametrize("refusal", ["the key", "the send", "the look"])
def test_a_refusal_after_a_lost_answer_says_nothing_of_the_money(
    order: Order, fake: Fake, settings: LazySettings, monkeypatch: pytest.MonkeyPatch, refusal: str
) -> None:
    refunded_unseen(order, fake)
    with monkeypatch.context() as now:
        if refusal == "the key":
            settings.STRIPE_SECRET_KEY = "sk_test_rolled_by_somebody"
        else:
            name = "refund" if refusal == "the send" else "find_refund"
            now.setattr(StripeProvider, name, Mock(side_effect=ProviderRefused(reasons.REFUSED)))
        try_again()
    state = Refund.objects.get().state
    settings.STRIPE_SECRET_KEY = fake.KEY
    try_again()

    assert (state, Refund.objects.get().state) == ("done" if refusal == "the send" else "unknown", "done")
    assert len(fake.objects("refund")) == 1
    assert not Effect.objects.filter(key__contains="refund_failed").exists()


@pytest.mark.parametrize(("outcome", "state"), [("succeeded", "done"), ("failed", "failed")])
def test_what_became_of_money_on_its_way_back_is_asked_for_when_no_notice_comes(
    order: Order, fake: Fake, outcome: str, state: str
) -> None:
    payment = begin(order)
    fake.pay(payment.provider_reference)
    hear(fake)
    order.refresh_from_db()
    refunds.order_refund(order, list(order.lines.all()), reason="refused")  # more than Stripe's fee leaves there
    outbox.run_all(kinds=[refunds.SEND])
    fake.deliver("lose")
    try_again()
    assert Refund.objects.get().state == "pending"

    fake.refund(Refund.objects.get().provider_reference, outcome)
    fake.fault("GET /v1/refunds/*", "timeout")
    try_again()
    assert Refund.objects.get().state == "pending"
    try_again()
    try_again()

    assert Refund.objects.get().state == state
    assert len(fake.objects("refund")) == 1
    assert invariants.check() == []


def test_a_lost_answer_to_asking_is_no_answer(order: Order, fake: Fake) -> None:
    payment = begin(order)
    fake.pay(payment.provider_reference)
    fake.fault("GET /v1/payment_intents/*", "error")

    assert payments.refresh(order).state == "reserved"
    payment.refresh_from_db()
    assert payment.state == "unknown"
    Payment.objects.update(checked_at=None)
    assert payments.refresh(order).state == "paid"


def test_a_refusal_is_final_and_says_so(order: Order, fake: Fake, settings: LazySettings) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"

    payment = begin(order)

    assert (payment.state, payment.reason) == ("failed", "refused")
    assert not fake.objects("payment_intent")


def test_what_stripe_cannot_do_is_refused_and_what_it_does_not_say_is_unknown(
    order: Order, fake: Fake, settings: LazySettings
) -> None:
    provider = payment_providers.get("stripe")
    payment = begin(order)
    payment.provider_reference = "pi_that_never_was"
    with pytest.raises(ProviderRefused):
        provider.fetch(payment)
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"  # where nobody is
    with pytest.raises(UnknownOutcome):
        provider.fetch(payment)


def test_money_that_a_bank_decides_on_after_the_hold_is_heard_of_without_a_notice(order: Order, fake: Fake) -> None:
    payment = begin(order)
    fake.deliver("lose")
    fake.payment(payment.provider_reference, "processing")
    payments.fetch(payment.pk)
    with clock_moved(timedelta(hours=1)):
        payments.close_overdue()
        try_again()
        payments.close_overdue()
        reservations.expire_overdue(clock.now())
    payment.refresh_from_db()
    order.refresh_from_db()
    assert (payment.state, order.state) == ("cancelled", "expired")

    fake.payment(payment.provider_reference, "succeeded")
    with clock_moved(timedelta(hours=2)):
        try_again()

    payment.refresh_from_db()
    order.refresh_from_db()
    assert (payment.state, order.state) == ("captured", "paid")


# --- Races -----------------------------------------------------------------------------------------------------------


def test_closing_loses_against_the_buyer_who_paid(order: Order, fake: Fake) -> None:
    payment = begin(order)
    fake.pay(payment.provider_reference)

    payments.close(order)

    order.refresh_from_db()
    assert (order.state, charged(fake)) == ("paid", 1)


def test_two_tabs_with_two_ways_to_pay_keep_one_charge(order: Order, fake: Fake) -> None:
    """On the page and on Stripe's, both paid before anybody hears of either."""
    here = begin(order)
    fake.deliver("lose")
    hosted = begin(order, here=False)  # gives the first up; that it is closed there is still to be done
    fake.pay(here.provider_reference)
    fake.pay(hosted.provider_reference)

    outbox.run_all(kinds=[base.CLOSE, webhooks.PROCESS])
    Payment.objects.update(checked_at=None)
    payments.refresh(Order.objects.get(pk=order.pk))
    outbox.run_all(kinds=[base.CLOSE, refunds.SEND])

    order.refresh_from_db()
    charges = fake.objects("charge")
    assert (order.state, alive(order), len(charges)) == ("paid", 2, 2)
    assert sum(charge["amount"] - charge["amount_refunded"] for charge in charges) == 50_000


# --- Notices ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.proof(
    "stripe_replays", what="A notice sent again and again, 50 at once, has one effect", full=1_000, small=60
)
def test_a_notice_again_and_again_has_one_effect(fake: Fake, proof: Proof) -> None:
    order = factories.reserved_order(2, price_minor=25_000)
    payment = begin(order)
    fake.pay(payment.provider_reference)
    told = [(body, headers) for body, headers in fake.held() if b'"payment_intent.succeeded"' in body]
    answers: Counter[int] = Counter()
    left = iter(range(proof.n))
    lock = threading.Lock()

    def send() -> None:
        client = Client()
        while True:
            with lock:
                if next(left, None) is None:
                    break
            status = post(*told[0], client)
            with lock:
                answers[status] += 1
        connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(min(50, proof.n // 6))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outbox.run_all(kinds=[webhooks.PROCESS])

    order.refresh_from_db()
    assert answers == {200: proof.n}
    assert (ProviderEvent.objects.count(), Posting.objects.count(), order.state, alive(order)) == (1, 1, "paid", 2)
    assert invariants.check() == []
    proof.record(answered_200=proof.n, at_once=len(threads), stored=1, effects=1)


def test_five_notices_in_every_order_come_to_one_end(fake: Fake, db: None) -> None:
    """All 120 orders of five: as they are told, without asking, and one end state of payment, order and books. Each
    begins with the same payment, as if the one before had not been."""
    order = factories.reserved_order(1, price_minor=25_000)
    payment = payments.start(order, "stripe", "", here=True)
    assert payment is not None
    notices = {
        news: factories.notice(payment, state, reason=reason, reference="pi_" + order.reference)
        for news, state, reason in (
            ("waits", "action_needed", ""), ("declined", "action_needed", "payment_declined"),
            ("processing", "processing", ""), ("captured", "captured", ""), ("cancelled", "cancelled", ""),
        )
    }  # fmt: skip
    ends = Counter[tuple[Any, ...]]()
    for sequence in itertools.permutations(notices):
        with transaction.atomic():
            for news in sequence:
                settle.settle(notices[news], provider="stripe")
            payment.refresh_from_db()
            order.refresh_from_db()
            postings = Posting.objects.filter(order=order).count()
            broken = invariants.check() if any(said(PROMISES, 1)[0]) else []
            ends[payment.state, order.state, alive(order), postings, *map(str, broken)] += 1
            transaction.set_rollback(True)

    assert ends == {("captured", "paid", 1, 1): 120}


def test_real_notices_in_any_order_come_to_one_end(order: Order, fake: Fake) -> None:
    payment = begin(order)
    fake.pay(payment.provider_reference, method="pm_card_chargeDeclined")
    fake.pay(payment.provider_reference, method="pm_card_authenticationRequired")
    fake.act(payment.provider_reference, approves=True)
    told = fake.held()

    for body, headers in [*reversed(told), *told]:
        assert post(body, headers) == 200
        outbox.run_all(kinds=[webhooks.PROCESS])

    order.refresh_from_db()
    assert (order.state, alive(order), Posting.objects.filter(order=order).count()) == ("paid", 2, 1)


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_a_dispute_whose_notices_are_lost_is_heard_of_by_asking(order: Order, fake: Fake, outcome: str) -> None:
    payment, other = begin(order), begin(factories.reserved_order(1, price_minor=7_000))
    for paid in (payment, other):
        fake.pay(paid.provider_reference)
    hear(fake)

    dispute = fake.dispute(payment.provider_reference)
    disputes.catch_up()
    disputes.catch_up()
    opened = [(row.payment_id, row.state) for row in Dispute.objects.all()]
    fake.close_dispute(dispute["id"], outcome)
    disputes.catch_up()
    fake.fault("GET /v1/disputes", "error")
    disputes.catch_up()

    assert opened == [(payment.pk, "opened")]
    assert [(row.payment_id, row.state) for row in Dispute.objects.all()] == [(payment.pk, outcome)]
    order.refresh_from_db()
    assert order.state == ("paid" if outcome == "won" else "refunded")


# --- The statement ---------------------------------------------------------------------------------------------------


def test_the_statement_tells_every_movement_of_the_organisation_and_of_no_other(order: Order, fake: Fake) -> None:
    since = clock.now() - timedelta(hours=1)
    payment, other = begin(order), begin(factories.reserved_order(1, price_minor=7_000))
    for paid in (payment, other):
        fake.pay(paid.provider_reference)
    hear(fake)
    refunds.order_refund(order, list(order.lines.all())[:1], reason="refused")
    outbox.run_all(kinds=[refunds.SEND])
    fake.dispute(payment.provider_reference)
    provider = StripeProvider()

    told = list(provider.transactions(order.organisation, since))

    refund = Refund.objects.get()
    assert {(one.kind, one.amount_minor, one.currency, one.our_id) for one in told if one.kind != "dispute"} == {
        ("payment", 50_000, "SEK", str(payment.public_id)),
        ("refund", -25_000, "SEK", str(refund.public_id)),
    }
    assert [(one.kind, one.amount_minor < 0) for one in told if one.kind == "dispute"] == [("dispute", True)]
    assert {one.object_reference for one in told} >= {payment.provider_reference, refund.provider_reference}
    assert len({one.reference for one in told}) == 3
    assert provider.balance(order.organisation, "SEK") == fake_balance(fake)


def test_a_refund_on_its_way_is_no_difference_and_is_compared_once_it_is_done(order: Order, fake: Fake) -> None:
    payment = begin(order)
    fake.pay(payment.provider_reference, "pm_card_pendingRefund")
    hear(fake)
    refunds.order_refund(order, list(order.lines.all())[:1], reason="refused")
    outbox.run_all(kinds=[refunds.SEND])
    refund = Refund.objects.get()
    fake_row = next(row for row in fake.objects("balance_transaction") if row["type"] == "refund")
    assert (refund.state, fake_row["amount"]) == ("pending", -25_000)

    with clock_moved(timedelta(hours=1)):
        on_its_way = reconciliation.compare([order.organisation])
    fake.refund(refund.provider_reference, "succeeded")
    hear(fake)
    with clock_moved(timedelta(hours=1)):
        arrived = reconciliation.compare([order.organisation])

    assert (on_its_way.differences, on_its_way.compared) == ([], 1)
    assert (arrived.differences, arrived.compared) == ([], 2)


def test_a_refund_that_took_its_bank_weeks_is_no_difference(order: Order, fake: Fake) -> None:
    payment = begin(order)
    fake.pay(payment.provider_reference, "pm_card_pendingRefund")
    hear(fake)
    refunds.order_refund(order, list(order.lines.all())[:1], reason="refused")
    outbox.run_all(kinds=[refunds.SEND])
    refund = Refund.objects.get()
    with clock_moved(timedelta(days=20)):
        settled = factories.notice(payment, "done", kind="refund", our_id=str(refund.public_id), reference="")
        settle.settle(settled, provider="stripe")
    with clock_moved(timedelta(days=20, hours=1)):
        outcome = reconciliation.compare([order.organisation])

    assert (Refund.objects.get().state, outcome.differences) == ("done", [])


def test_an_account_that_settles_in_another_currency_is_compared_in_that_of_the_sale(order: Order, fake: Fake) -> None:
    fake.set(exchange_rate={"eur": 11.5})
    Order.objects.update(currency="EUR")
    Event.objects.update(currency="EUR")
    order.refresh_from_db()
    payment = begin(order)
    fake.pay(payment.provider_reference)
    hear(fake)
    order.refresh_from_db()
    refunds.order_refund(order, list(order.lines.all())[:1], reason="refused")
    outbox.run_all(kinds=[refunds.SEND])
    since = clock.now() - timedelta(hours=1)

    told = list(StripeProvider().transactions(order.organisation, since))
    with clock_moved(timedelta(hours=1)):
        outcome = reconciliation.compare([order.organisation])

    (row,) = [row for row in fake.objects("balance_transaction") if row["type"] == "charge"]
    assert (row["amount"], row["currency"], row["exchange_rate"]) == (575_000, "sek", 11.5)
    assert sorted((one.amount_minor, one.currency) for one in told) == [(-25_000, "EUR"), (50_000, "EUR")]
    assert (outcome.differences, outcome.compared) == ([], 2)
    assert [one.fee_minor for one in told if one.fee_minor] == [round(row["fee"] / 11.5)]


def fake_balance(fake: Fake) -> int:
    return sum(row["net"] for row in fake.objects("balance_transaction"))


# --- The page --------------------------------------------------------------------------------------------------------


def ask(order: Order, **written: str) -> Any:
    form = {"name": "Kim", "terms": "on", "here": "1", **written}
    return Client().post(reverse("ticketing:order_pay", args=[order.reference, order.secret]), form)


def test_the_checkout_alone_lets_stripes_script_in(order: Order, fake: Fake, settings: LazySettings) -> None:
    settings.STRIPE_API_BASE, settings.STRIPE_JS_URL = stripe_addresses.API, stripe_addresses.SCRIPT
    shop = "https://js.stripe.com https://*.js.stripe.com"

    page = Client().get(address_of(order))
    elsewhere = Client().get(reverse("ticketing:form", args=[order.event.public_id]))

    policy = page["Content-Security-Policy"]
    assert f"script-src 'self' {shop}" in policy
    assert f"frame-src {shop} https://hooks.stripe.com" in policy
    assert "https://api.stripe.com" in policy
    assert "form-action 'self' https://checkout.stripe.com" in policy
    assert page["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups"
    assert stripe_addresses.SCRIPT in page.content.decode()
    assert "stripe" not in elsewhere["Content-Security-Policy"]
    assert elsewhere["Cross-Origin-Opener-Policy"] == "same-origin"


def test_the_terms_stand_before_every_button_that_pays(order: Order, fake: Fake) -> None:
    page = Client().get(address_of(order)).content.decode()

    places = [page.index(mark) for mark in ('name="terms"', "data-pay-here-express", "data-pay-here-button")]
    assert places == sorted(places)


@pytest.fixture
def only_stripe(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.PAYMENT_PROVIDERS_ENABLED = ["stripe"]


def test_pay_on_the_page_answers_with_the_payments_secret(order: Order, fake: Fake, only_stripe: None) -> None:
    answer = ask(order)

    payment = Payment.objects.get()
    secret = fake.object(payment.provider_reference)["client_secret"]
    assert (answer.status_code, answer.json()) == (200, {"secret": secret})
    assert ask(order).json() == {"secret": secret}
    payments.refresh(order)
    ask(order)
    fake.pay(payment.provider_reference)
    assert ask(order).json() == {"go": address_of(order)}
    assert Client().get(address_of(order)).context["page"].state == "paid"  # though it was asked a moment ago


def test_pay_on_the_page_says_what_is_to_be_mended(order: Order, fake: Fake, only_stripe: None) -> None:
    answer = ask(order, name=" ")

    assert answer.status_code == 422
    assert list(answer.json()["fields"]) == ["name"]
    assert answer.json()["problem"] == answer.json()["fields"]["name"]
    assert not Payment.objects.exists()


def test_pay_on_the_page_is_told_which_terms_hold_when_they_have_changed(
    order: Order, fake: Fake, only_stripe: None
) -> None:
    holds = checkout.terms_of(order.event).number

    answer = ask(order, terms_number=str(holds + 1))

    assert answer.status_code == 422 and list(answer.json()["fields"]) == ["terms"]
    assert answer.json()["terms"]["number"] == holds
    assert Client().get(answer.json()["terms"]["url"]).status_code == 200
    assert "secret" in ask(order, terms_number=str(holds)).json()


def test_pay_on_the_page_after_the_hold_leads_to_the_page_that_says_so(
    order: Order, fake: Fake, only_stripe: None
) -> None:
    with clock_moved(timedelta(hours=1)):
        answer = ask(order, name=" ")

    assert (answer.status_code, answer.json()) == (200, {"go": address_of(order)})


def test_pay_on_the_page_asks_again_when_the_bank_is_busy_or_silent(
    order: Order, fake: Fake, only_stripe: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base.pacing, "take_turn", lambda *_: False)
    assert ask(order).json()["again"] == stripe_page.ASK_AGAIN_SECONDS
    monkeypatch.setattr(base.pacing, "take_turn", lambda *_: True)
    assert "secret" in ask(order).json()
    fake.fault("GET /v1/payment_intents/*", "error")
    assert "again" in ask(order).json()
    fake.fault("GET /v1/payment_intents/*", "malformed")
    assert "again" in ask(order).json()


def test_without_javascript_the_button_leads_to_a_page_of_stripes(order: Order, fake: Fake, only_stripe: None) -> None:
    address = reverse("ticketing:order_pay", args=[order.reference, order.secret])

    answer = Client().post(address, {"name": "Kim", "terms": "on"})

    assert answer.status_code == 303
    assert answer["Location"].startswith(f"{fake.url}/c/pay/cs_test_")
    page = Client().get(address_of(order))
    assert Payment.objects.get().redirect_url in page.content.decode()


def test_what_stripe_puts_behind_the_address_is_taken_off(order: Order, fake: Fake) -> None:
    answer = Client().get(
        address_of(order) + "?payment_intent=pi_1&payment_intent_client_secret=s&redirect_status=failed"
    )

    assert (answer.status_code, answer["Location"]) == (303, address_of(order))


# --- Settings --------------------------------------------------------------------------------------------------------


def test_it_is_offered_with_keys_only(fake: Fake, settings: LazySettings) -> None:
    provider = payment_providers.get("stripe")
    assert (provider.is_available("SEK"), provider.is_available("XTS")) == (True, False)
    settings.STRIPE_PUBLISHABLE_KEY = ""
    assert not provider.is_available("SEK")


def test_production_speaks_to_nobody_but_stripe(settings: LazySettings) -> None:
    settings.IS_PRODUCTION = True
    settings.PAYMENT_PROVIDERS_ENABLED = ["stripe"]
    settings.STRIPE_ADDRESSES_CHANGED = stripe_addresses.changed("http://127.0.0.1:1", stripe_addresses.SCRIPT)

    with pytest.raises(ImproperlyConfigured, match="STRIPE_API_BASE"):
        stripe_provider.enable()
    assert "stripe" not in payment_providers


def test_the_script_is_of_the_librarys_release() -> None:
    from stripe._api_version import _ApiVersion

    assert f"https://js.stripe.com/{_ApiVersion.CURRENT_MAJOR}/stripe.js" == stripe_addresses.SCRIPT
