"""Sending money back: tickets end, places return, the debt stands until it is paid."""

from __future__ import annotations

import threading

import pytest
from django.db import connections

from apps.ticketing import invariants, ledger, outbox, queue, refunds
from apps.ticketing.extensions import Notice, ProviderRefused, UnknownOutcome, payment_providers
from apps.ticketing.ledger import Account
from apps.ticketing.models import Effect, Order, Quota, Refund, Ticket
from apps.ticketing.transitions import StaleState
from tests import factories

pytestmark = pytest.mark.django_db


class Bank:
    """A provider that sends money back as `answer` says."""

    slug = "bank"
    label = "Bank"

    def __init__(self):
        self.answer: str | Exception = "done"
        self.keys: list[str] = []

    def is_available(self, currency):
        return True

    def refund(self, refund, *, key):
        self.keys.append(key)
        if isinstance(self.answer, Exception):
            raise self.answer
        return told(refund, self.answer)


def told(refund, state, **values) -> Notice:
    facts = {
        "event_id": "",
        "kind": "refund",
        "reference": f"back-{refund.public_id}",
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "our_id": str(refund.public_id),
        **values,
    }
    return Notice(state=state, **facts)


@pytest.fixture(autouse=True)
def promises(promises_kept):
    """Every test here ends with all promises kept."""


@pytest.fixture
def bank():
    with payment_providers.temporarily(Bank()) as registered:
        yield registered


@pytest.fixture
def order(bank):
    bought = factories.reserved_order(3, price_minor=25_000)
    due = factories.payment(bought, provider="bank")
    factories.settle.settle(factories.notice(due), provider="bank")
    bought.refresh_from_db()
    return bought


def owed(order):
    return -ledger.balance(Account.BUYER_REFUNDABLE, order=order)


def test_refund_of_a_line_ends_its_ticket_and_frees_its_place(order):
    line = order.lines.first()
    person = factories.user()

    refund = refunds.order_refund(order, [line], reason="refused", actor=person)

    order.refresh_from_db()
    line.refresh_from_db()
    assert (refund.amount_minor, refund.state, list(refund.lines.all())) == (25_000, "ordered", [line])
    assert (order.state, line.is_held) == ("paid", False)
    assert line.refunded_at is not None
    assert sorted(Ticket.objects.filter(line__order=order).values_list("state", flat=True)) == [
        "revoked", "valid", "valid",
    ]  # fmt: skip
    assert (Quota.objects.get().taken, owed(order)) == (2, 25_000)


def test_refund_of_the_last_line_makes_the_order_refunded(order):
    refunds.order_refund(order, order.lines.all()[:2], reason="refused")
    refunds.order_refund(order, order.lines.all(), reason="cancelled_by_organiser")

    order.refresh_from_db()
    assert (order.state, order.reason) == ("refunded", "cancelled_by_organiser")
    assert list(Refund.objects.order_by("pk").values_list("amount_minor", flat=True)) == [50_000, 25_000]


def test_a_freed_place_goes_to_the_next_in_line(order):
    quota = Quota.objects.get()
    Quota.objects.update(size=3)
    other = factories.order(order.event, factories.wanted(order.lines.first().ticket_type))
    queue.drain(order.event_id)

    refunds.order_refund(order, order.lines.all()[:1], reason="refused")
    queue.drain(order.event_id)

    other.refresh_from_db()
    quota.refresh_from_db()
    assert (other.state, quota.taken) == ("reserved", 3)


def test_refund_keeps_a_fee(order):
    refund = refunds.order_refund(order, order.lines.all(), reason="refused", fee_minor=3_000)

    assert (refund.amount_minor, owed(order)) == (72_000, 72_000)
    assert ledger.balance(Account.FEE, order=order) == -3_000


def test_refund_of_everything_but_the_fee_moves_no_money(order):
    line = order.lines.first()

    assert refunds.order_refund(order, [line], reason="refused", fee_minor=25_000) is None

    assert (owed(order), Refund.objects.count()) == (0, 0)


def test_refund_of_a_free_ticket_moves_no_money():
    from apps.ticketing import payments

    order = factories.reserved_order(1, price_minor=0)
    payments.start(order, "", "")

    assert refunds.order_refund(order, order.lines.all(), reason="refused") is None

    order.refresh_from_db()
    assert (order.state, Quota.objects.get().taken) == ("refunded", 0)


@pytest.mark.parametrize("fee_minor", [-1, 25_001])
def test_refund_refuses_an_impossible_fee(order, fee_minor):
    with pytest.raises(refunds.FeeTooHigh):
        refunds.order_refund(order, order.lines.all()[:1], reason="refused", fee_minor=fee_minor)

    assert Refund.objects.count() == 0


def test_refund_of_a_line_twice_is_refused(order):
    line = order.lines.first()
    refunds.order_refund(order, [line], reason="refused")

    with pytest.raises(refunds.NothingToRefund):
        refunds.order_refund(order, [line], reason="refused")

    assert Refund.objects.count() == 1


def test_refund_of_another_orders_line_is_refused(order):
    with pytest.raises(refunds.NothingToRefund):
        refunds.order_refund(order, factories.paid_order().lines.all(), reason="refused")


def test_refund_of_an_unpaid_order_is_refused(bank):
    order = factories.reserved_order()

    with pytest.raises(StaleState):
        refunds.order_refund(order, order.lines.all(), reason="refused")


def test_refund_is_sent_by_the_outbox_and_paid_in_the_books(order, bank):
    refund = refunds.order_refund(order, order.lines.all(), reason="refused")

    outbox.run_all(kinds=[refunds.SEND])

    refund.refresh_from_db()
    assert (refund.state, refund.reason, bank.keys) == ("done", "refused", [f"refund.send:{refund.public_id}"])
    assert refund.done_at is not None
    assert (owed(order), ledger.balance(Account.CLEARING, order=order)) == (0, 0)


def test_refund_on_its_way_stays_owed_until_the_bank_says_done(order, bank):
    bank.answer = "pending"
    refund = refunds.order_refund(order, order.lines.all(), reason="refused")

    outbox.run_all(kinds=[refunds.SEND])
    assert owed(order) == 75_000

    for state in ("done", "pending", "failed", "done"):
        refunds.settle(told(refund, state), provider="bank")
    refund.refresh_from_db()
    assert (refund.state, owed(order)) == ("done", 0)


@pytest.mark.parametrize("how", ["refused", "told"])
def test_failed_refund_stays_a_visible_debt_with_an_alert(order, bank, caplog, how):
    refund = refunds.order_refund(order, order.lines.all(), reason="refused")
    bank.answer = ProviderRefused("refused") if how == "refused" else "failed"

    outbox.run_all(kinds=[refunds.SEND])

    refund.refresh_from_db()
    assert (refund.state, owed(order), Ticket.objects.filter(state="revoked").count()) == ("failed", 75_000, 3)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert Effect.objects.filter(key=f"mail.send:refund_alert:{refund.public_id}").exists()


def test_lost_answer_is_unknown_and_asked_again_under_the_same_key(order, bank):
    bank.answer = UnknownOutcome("time-out")
    refund = refunds.order_refund(order, order.lines.all(), reason="refused")
    outbox.run_all(kinds=[refunds.SEND])
    refund.refresh_from_db()
    assert refund.state == "unknown"

    bank.answer = "done"
    Effect.objects.filter(kind=refunds.SEND).update(due_at=refund.created_at)
    outbox.sweep()
    outbox.run_all(kinds=[refunds.SEND])

    refund.refresh_from_db()
    assert (refund.state, len(bank.keys), len(set(bank.keys))) == ("done", 2, 1)


def test_words_about_a_refund_we_do_not_know_alarm(bank, caplog):
    refunds.settle(
        Notice("", "refund", "back-1", "done", 100, "SEK", our_id="6e1b3c1e-0000-4000-8000-000000000000"),
        provider="bank",
    )

    assert "do not know" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_two_treasurers_at_once_refund_once(bank):
    order = factories.paid_order(2)
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def refund_all() -> None:
        start.wait()
        try:
            refunds.order_refund(Order.objects.get(pk=order.pk), order.lines.all(), reason="refused")
            outcomes.append("refunded")
        except (refunds.NothingToRefund, StaleState):
            outcomes.append("too late")
        finally:
            connections.close_all()

    racers = [threading.Thread(target=refund_all) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    assert sorted(outcomes) == ["refunded", "too late", "too late", "too late"]
    assert Refund.objects.get().amount_minor == 50_000
    assert invariants.check() == []
