"""A payer's dispute: tickets blocked until it is decided, books that say so, one end in whatever order news come."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import RequestFactory

from apps.ticketing import disputes, ledger, outbox, payments, queue, refund_tasks, refunds, signals, tickets, webhooks
from apps.ticketing.extensions import Notice, payment_providers
from apps.ticketing.ledger import Account
from apps.ticketing.models import (
    Dispute,
    Effect,
    Entry,
    Order,
    Payment,
    ProviderEvent,
    Quota,
    Refund,
    SandboxRefund,
    Ticket,
)
from apps.ticketing.payments import sandbox, settle
from tests import factories
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def promises(promises_kept: None) -> None:
    """Every test here ends with all promises kept."""


@pytest.fixture
def order() -> Order:
    return factories.paid_order(3, price_minor=25_000, size=6)


@pytest.fixture
def announced() -> Iterator[list[tuple[str, Any]]]:
    """What is told to plugins, in order."""
    told: list[tuple[str, Any]] = []

    def opened(id: int, **_: Any) -> None:
        told.append(("opened", id))

    def moved(ids: list[int], new: str, **_: Any) -> None:
        told.append((new, ids[0]))

    signals.dispute_opened.connect(opened)
    signals.disputes_moved.connect(moved)
    yield told
    signals.dispute_opened.disconnect(opened)
    signals.disputes_moved.disconnect(moved)


def told(order: Order, state: str, reference: str = "dispute-1", **values: Any) -> None:
    """The bank's word about the payment that bought the order."""
    payment = Payment.objects.get(order=order, reason="")
    facts = {"amount_minor": payment.amount_minor, "currency": payment.currency, "our_id": str(payment.public_id)}
    notice = Notice(event_id="", kind="dispute", reference=reference, state=state, **{**facts, **values})
    settle.settle(notice, provider=payment.provider)


def answer(refund: Refund | None, state: str) -> Refund:
    """The provider's word about a refund."""
    assert refund is not None
    notice = factories.notice(refund.payment, state, kind="refund", our_id=str(refund.public_id), reference="")
    settle.settle(notice, provider="sandbox")
    refund.refresh_from_db()
    return refund


def paid_back_at_the_sandbox(state: str) -> Refund:
    """A refund whose payment was disputed before it could be sent, to that end, and that the outbox then came to."""
    payment = paid_at_the_sandbox("pays")
    refund = refunds.order_refund(payment.order, payment.order.lines.all(), reason="refused")
    assert refund is not None
    told(payment.order, state)
    outbox.run_all(kinds=[refunds.SEND], early=True)
    refund.refresh_from_db()
    return refund


def states(order: Order) -> list[str]:
    return list(Ticket.objects.filter(line__order=order).order_by("line__position").values_list("state", flat=True))


def books(order: Order) -> dict[str, int]:
    """{account: balance}, those at nothing left out."""
    accounts = set(Entry.objects.filter(posting__order=order).values_list("account", flat=True))
    return {name: minor for name in sorted(accounts) if (minor := ledger.balance(name, order=order))}


def mixed(order: Order) -> list[str]:
    """One ticket of each kind that can be alive: valid, being bought, used. Returns what a won dispute makes of
    them: a bank takes longer than any hold, so that nobody is buying one any more."""
    _first, second, third = Ticket.objects.filter(line__order=order).order_by("line__position")
    tickets.hold([second.pk])
    tickets.use(third)
    return ["valid", "valid", "used"]


def test_an_opened_dispute_blocks_every_ticket_and_tells_treasurer_and_plugins(
    order: Order, announced: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    mixed(order)

    with django_capture_on_commit_callbacks(execute=True):
        told(order, "opened")
        told(order, "opened")

    dispute = Dispute.objects.get()
    assert states(order) == ["blocked"] * 3
    assert books(order) == {"dispute": 75_000, "revenue": -60_000, "vat": -15_000}
    assert announced == [("opened", dispute.pk)]
    assert [e.payload["state"] for e in Effect.objects.filter(payload__name="dispute_alert")] == ["opened"]
    order.refresh_from_db()
    assert (order.state, Quota.objects.get().taken) == ("paid", 3)


def test_a_dispute_that_is_won_makes_every_ticket_good_again(
    order: Order, announced: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    after = mixed(order)
    booked = books(order)

    with django_capture_on_commit_callbacks(execute=True):
        for state in ("opened", "won", "won", "opened", "lost"):
            told(order, state)

    dispute = Dispute.objects.get()
    assert (dispute.state, dispute.closed_at is not None) == ("won", True)
    assert (states(order), books(order)) == (after, booked)
    assert announced == [("opened", dispute.pk), ("won", dispute.pk)]
    assert [e.payload["state"] for e in Effect.objects.filter(payload__name="dispute_alert").order_by("pk")] == [
        "opened", "won",
    ]  # fmt: skip


def test_a_dispute_that_is_lost_ends_the_tickets_and_frees_their_places(order: Order) -> None:
    told(order, "opened")
    told(order, "lost")

    order.refresh_from_db()
    assert (order.state, order.reason, states(order)) == ("refunded", "dispute_lost", ["revoked"] * 3)
    assert books(order) == {}
    assert (Quota.objects.get().taken, Refund.objects.count()) == (0, 0)
    other = factories.order(order.event, factories.wanted(order.lines.first().ticket_type, 6))
    queue.drain(order.event_id)
    other.refresh_from_db()
    assert other.state == "reserved"


@pytest.mark.parametrize("news", list(itertools.permutations(["opened", "won", "opened"])), ids="-".join)
def test_news_in_any_order_end_the_same(order: Order, news: tuple[str, ...]) -> None:
    after = mixed(order)

    for state in news:
        told(order, state)

    assert Dispute.objects.get().state == "won"
    assert states(order) == after


def test_tickets_that_a_second_dispute_blocks_too_wait_for_both(order: Order) -> None:
    after = mixed(order)
    half = {"amount_minor": 37_500}
    told(order, "opened", "one", **half)
    told(order, "opened", "two", **half)

    told(order, "won", "two", **half)
    assert states(order) == ["blocked"] * 3

    told(order, "won", "one", **half)
    assert states(order) == after


def test_what_the_payer_got_less_than_the_tickets_cost_is_kept(order: Order) -> None:
    told(order, "lost", amount_minor=50_000)

    assert books(order) == {"clearing": 25_000, "fee": -25_000}


def test_what_the_payer_got_twice_is_lost(order: Order) -> None:
    """A refund and the dispute crossed: both took the money."""
    refunds.order_refund(order, order.lines.all(), reason="refused")

    told(order, "lost")

    order.refresh_from_db()
    assert (order.state, order.reason) == ("refunded", "refused")
    assert books(order) == {"buyer_refundable": -75_000, "loss": 75_000}
    answer(Refund.objects.get(), "done")
    assert books(order) == {"clearing": -75_000, "loss": 75_000}


def test_a_refund_that_fails_after_the_bank_has_sent_the_money_is_no_debt(order: Order) -> None:
    refund = refunds.order_refund(order, order.lines.all(), reason="refused")
    told(order, "lost")

    answer(refund, "failed")

    assert (books(order), list(refunds.debts())) == ({}, [])
    assert not Effect.objects.filter(payload__name__in=["refund_alert", "refund_failed"]).exists()


def test_a_refund_that_comes_back_after_the_bank_has_sent_the_money_is_no_debt(order: Order) -> None:
    refund = refunds.order_refund(order, order.lines.all(), reason="refused")
    answer(refund, "done")
    told(order, "lost")
    assert books(order) == {"clearing": -75_000, "loss": 75_000}

    answer(refund, "failed")

    assert (books(order), list(refunds.debts())) == ({}, [])


def test_what_the_bank_sent_pays_the_debt_and_no_more(order: Order) -> None:
    """A ticket was refunded in vain, then the payer got all of it back: the other two tickets and that debt."""
    first = answer(refunds.order_refund(order, order.lines.all()[:1], reason="refused"), "failed")
    assert books(order) == {"clearing": 75_000, "revenue": -40_000, "vat": -10_000, "buyer_refundable": -25_000}

    told(order, "lost")

    assert books(order) == {}
    first.refresh_from_db()
    assert (first.covered_minor, first.owed_minor) == (25_000, 0)
    with pytest.raises(refunds.NoDebt):
        refunds.send_again(first)
    with pytest.raises(refunds.NoDebt):
        refunds.pay_otherwise(first, note="Swish")


def test_what_the_bank_sent_less_than_the_debt_leaves_the_rest_of_it(order: Order) -> None:
    failed = answer(refunds.order_refund(order, order.lines.all(), reason="refused"), "failed")

    told(order, "lost", amount_minor=50_000)

    assert books(order) == {"clearing": 25_000, "buyer_refundable": -25_000}
    [task] = refund_tasks.failed(Order.objects.all())
    assert (task.amount_minor, task.what) == (25_000, refund_tasks.AFTER_DISPUTE)
    again = refunds.send_again(failed)
    assert again.amount_minor == 25_000
    answer(again, "done")
    assert books(order) == {}


def test_the_rest_of_a_debt_may_be_paid_otherwise(order: Order) -> None:
    failed = answer(refunds.order_refund(order, order.lines.all(), reason="refused"), "failed")
    told(order, "lost", amount_minor=50_000)

    refunds.pay_otherwise(failed, note="Swish")

    assert (books(order), list(refunds.debts())) == ({"clearing": 25_000, "outside": -25_000}, [])


def test_a_debt_that_was_paid_otherwise_before_is_lost(order: Order) -> None:
    failed = answer(refunds.order_refund(order, order.lines.all(), reason="refused"), "failed")
    refunds.pay_otherwise(failed, note="Swish")

    told(order, "lost")

    assert books(order) == {"outside": -75_000, "loss": 75_000}


def test_a_refund_not_sent_yet_waits_for_the_bank_and_goes_when_it_decides_for_us(order: Order) -> None:
    refund = paid_back_at_the_sandbox("opened")

    assert (refund.state, refund.waits_for_the_bank) == ("ordered", True)
    assert SandboxRefund.objects.count() == 0
    effect = Effect.objects.get(kind=refunds.SEND)
    assert (effect.state, effect.tries) == ("due", 0)
    with clock_moved(timedelta(days=150)):
        outbox.run_all(kinds=[refunds.SEND])
        effect.refresh_from_db()
        assert (effect.state, effect.tries) == ("due", 0)

        told(refund.payment.order, "won")
        outbox.run_all(kinds=[refunds.SEND], early=True)

    assert SandboxRefund.objects.get().amount_minor == refund.amount_minor


def test_a_refund_not_sent_yet_is_not_sent_when_the_bank_decides_for_the_payer(order: Order) -> None:
    refund = paid_back_at_the_sandbox("lost")

    assert (refund.state, refund.owed_minor, SandboxRefund.objects.count()) == ("failed", 0, 0)
    assert books(refund.payment.order) == {}


def test_a_refund_whose_call_may_have_been_made_is_asked_about_with_its_key_though_disputed() -> None:
    payment = paid_at_the_sandbox("pays")
    refund = refunds.order_refund(payment.order, payment.order.lines.all(), reason="refused")
    told(payment.order, "opened")
    Effect.objects.filter(kind=refunds.SEND).update(tries=1)

    outbox.run_all(kinds=[refunds.SEND], early=True)

    assert SandboxRefund.objects.get().reference == str(refund.public_id)


@pytest.mark.parametrize("news", ["won", "lost"])
def test_a_dispute_told_of_in_another_currency_is_one_about_all_of_the_payment(
    order: Order, caplog: Any, news: str
) -> None:
    told(order, "opened", amount_minor=6_500, currency="EUR")
    dispute = Dispute.objects.get()

    assert states(order) == ["blocked"] * 3
    assert (dispute.amount_minor, dispute.currency) == (75_000, "SEK")
    assert (dispute.told_minor, dispute.told_currency) == (6_500, "EUR")
    assert any("another currency: 6500 EUR" in record.getMessage() for record in caplog.records)

    told(order, news, amount_minor=6_500, currency="EUR")

    dispute.refresh_from_db()
    assert dispute.state == news
    assert ledger.balance(Account.DISPUTE, order=order) == 0


def test_a_disputed_order_is_not_refunded_by_us_as_well(order: Order) -> None:
    told(order, "opened")

    with pytest.raises(refunds.Disputed):
        refunds.order_refund(order, order.lines.all(), reason="refused")

    told(order, "won")
    assert refunds.order_refund(order, order.lines.all(), reason="refused") is not None


def test_a_dispute_about_money_that_came_too_late_blocks_nothing_of_the_order(order: Order) -> None:
    second = factories.payment(order)
    settle.settle(factories.notice(second), provider="sandbox")
    assert Refund.objects.get().payment == second

    told(order, "opened", our_id=str(second.public_id))

    assert states(order) == ["valid"] * 3
    assert refunds.order_refund(order, order.lines.all()[:1], reason="refused") is not None


def test_a_failed_refund_is_not_sent_again_while_its_payment_is_disputed(order: Order) -> None:
    refund = refunds.order_refund(order, order.lines.all()[:1], reason="refused")
    assert refund is not None
    notice = factories.notice(refund.payment, "failed", kind="refund", our_id=str(refund.public_id), reference="")
    settle.settle(notice, provider="sandbox")
    told(order, "opened")

    with pytest.raises(refunds.Disputed):
        refunds.send_again(refund)

    told(order, "won")
    assert refunds.send_again(refund).amount_minor == refund.amount_minor


def test_a_treasurer_is_not_asked_to_pay_what_the_bank_has_paid(order: Order) -> None:
    answer(refunds.order_refund(order, order.lines.all(), reason="refused"), "failed")
    orders = Order.objects.all()
    assert [task.what for task in refund_tasks.failed(orders)] == [refund_tasks.STILL_OWED]

    told(order, "lost")

    assert refund_tasks.failed(orders) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"our_id": "6e1b3c1e-0000-4000-8000-000000000000"},
        {"our_id": ""},
        {"amount_minor": 0},
        {"state": "thought over"},
    ],
    ids=["a payment of nobody", "no payment", "over nothing", "no state of ours"],
)
def test_news_that_make_no_sense_change_nothing_and_alarm(order: Order, caplog: Any, changes: dict[str, Any]) -> None:
    told(order, **{"state": "opened", **changes})

    assert not Dispute.objects.exists()
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_news_of_a_payment_not_captured_yet_wait(order: Order) -> None:
    early = factories.reserved_order(1)
    factories.payment(early)

    with pytest.raises(outbox.NotYet):
        told(early, "opened")

    assert not Dispute.objects.exists()


def test_the_books_remember_a_won_dispute_as_two_facts(order: Order) -> None:
    told(order, "opened")
    told(order, "won")

    kinds = list(order.postings.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["captured", "dispute_opened", "dispute_won"]
    assert ledger.balance(Account.DISPUTE, order=order) == 0


# --- The sandbox bank disputes ---------------------------------------------------------------------------------------


def paid_at_the_sandbox(card: str) -> Payment:
    order = factories.reserved_order(2, price_minor=25_000)
    payment = payments.open(payments.start(order, "sandbox", "https://foyer.example/back/"))
    sandbox.give_card(payment.provider_reference, card)
    settle.settle(payment_providers.get("sandbox").fetch(payment), provider="sandbox")
    return payment


def delivered() -> None:
    """Every notice that the bank has to send reaches the inbox and is acted upon, without the network."""
    bank = payment_providers.get("sandbox")
    for effect in Effect.objects.filter(kind=sandbox.DELIVER, state="due").order_by("pk"):
        body = json.dumps(sandbox.told(effect)).encode()
        stamp = int(outbox.clock.now().timestamp())
        headers = {sandbox.SIGNATURE_HEADER: sandbox.signature(body, stamp)}
        request = RequestFactory().post("/webhooks/sandbox/", body, content_type="application/json", headers=headers)
        webhooks.store(bank.read_notice(request), provider="sandbox")
    outbox.run_all(kinds=[webhooks.PROCESS])


def test_the_card_that_is_disputed_pays_first_and_is_disputed_by_the_bank(order: Order) -> None:
    payment = paid_at_the_sandbox("disputed")
    assert states(payment.order) == ["valid", "valid"]

    outbox.run_all(kinds=[sandbox.DISPUTE], early=True)
    delivered()
    assert states(payment.order) == ["blocked", "blocked"]

    call_command("sandbox_dispute", payment.order.reference.lower(), "--won")
    delivered()
    assert states(payment.order) == ["valid", "valid"]
    assert ProviderEvent.objects.filter(kind__startswith="dispute", processed_at__isnull=False).count() == 2


def test_the_command_disputes_any_sandbox_payment_and_says_what_it_cannot() -> None:
    payment = paid_at_the_sandbox("pays")
    reference = payment.order.reference

    with pytest.raises(CommandError, match="First it is disputed"):
        call_command("sandbox_dispute", reference, "--lost")
    call_command("sandbox_dispute", reference)
    with pytest.raises(CommandError, match="opened"):
        call_command("sandbox_dispute", reference)
    call_command("sandbox_dispute", reference, "--lost")
    with pytest.raises(CommandError, match="was not paid"):
        call_command("sandbox_dispute", "NOBODY00")
    delivered()

    payment.order.refresh_from_db()
    assert (payment.order.state, Dispute.objects.get().state) == ("refunded", "lost")


def test_a_dispute_told_twice_by_the_bank_is_one_dispute() -> None:
    payment = paid_at_the_sandbox("pays")
    sandbox.dispute(payment.provider_reference)
    delivered()
    stored = Notice(**ProviderEvent.objects.get(kind="dispute.opened").payload)

    disputes.settle(stored, provider="sandbox")

    assert Dispute.objects.count() == 1


# --- Asking for them -------------------------------------------------------------------------------------------------


class Telling:
    """A bank that tells of each payment that it is disputed."""

    slug = "telling"
    label = "Telling"

    def disputes(self, since: Any) -> list[Notice]:
        return [
            factories.notice(payment, "opened", kind="dispute", reference=f"dispute-{payment.pk}")
            for payment in Payment.objects.filter(provider=self.slug).order_by("pk")
        ]


def test_a_dispute_that_cannot_be_settled_keeps_no_other_unheard(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    orders = [factories.paid_order(1) for _ in range(3)]
    Payment.objects.update(provider="telling")
    book = ledger.dispute_opened

    def booked(order: Order, dispute: Dispute) -> bool:
        if order == orders[0]:
            raise ValueError("a mistake of ours")
        return book(order, dispute)

    monkeypatch.setattr(ledger, "dispute_opened", booked)
    with payment_providers.temporarily(Telling()):
        disputes.catch_up()

    assert set(Dispute.objects.values_list("payment__order", flat=True)) == {orders[1].pk, orders[2].pk}
    assert caplog.text.count("could not be settled") == 1
