"""Two things at the same instant: whatever wins, money and tickets agree."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connections

from apps.accounts.prepared import Rows
from apps.ticketing import clock, invariants, ordering, payments, queue, reading, reservations
from apps.ticketing.models import Order, Payment, Refund, SandboxCharge, Ticket
from apps.ticketing.payments import settle
from tests import factories
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 8


def at_once(*verbs: Callable[[], object]) -> list[Exception]:
    """Run all verbs at the same instant, each on a connection of its own; the errors they raised."""
    start = threading.Barrier(len(verbs))
    errors: list[Exception] = []

    def run(verb: Callable[[], object]) -> None:
        start.wait()
        try:
            verb()
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(verb,)) for verb in verbs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def outcome(order: Order) -> tuple[str, int, int]:
    """(state of the order, living tickets, refunds)"""
    order.refresh_from_db()
    alive = Ticket.objects.filter(line__order=order).exclude(state="revoked").count()
    return order.state, alive, Refund.objects.filter(payment__order=order).count()


def test_the_buyer_gives_up_while_the_bank_captures():
    for _round in range(ROUNDS):
        order = factories.reserved_order(2)
        due = factories.payment(order)

        errors = at_once(
            partial(ordering.cancel, Order.objects.get(pk=order.pk)),
            partial(settle.settle, factories.notice(due), provider="sandbox"),
        )

        assert errors == []
        assert outcome(order) in {("paid", 2, 0), ("cancelled", 0, 1)}
    assert invariants.check() == []


def test_the_hold_ends_while_the_bank_captures():
    for _round in range(ROUNDS):
        let_the_hold_end_while_the_bank_captures()
    assert invariants.check() == []


def let_the_hold_end_while_the_bank_captures() -> None:
    """A sold-out event with somebody waiting: either the payer has the place, or the money goes back."""
    order = factories.reserved_order(2, size=2)
    waiting = factories.order(order.event, factories.wanted(order.lines.first().ticket_type))
    queue.drain(order.event_id)
    due = factories.payment(order, state="cancelled")  # given up by us, yet the bank captured it

    with clock_moved(timedelta(minutes=16)):
        errors = at_once(
            lambda: reservations.expire_overdue(clock.now()),
            lambda: settle.settle(factories.notice(due), provider="sandbox"),
            lambda: queue.drain(order.event_id),
        )
        queue.drain(order.event_id)

    assert errors == []
    waiting.refresh_from_db()
    if outcome(order)[0] == "paid":
        assert (outcome(order), waiting.state) == (("paid", 2, 0), "waiting")
    else:
        assert (outcome(order), waiting.state) == (("expired", 0, 1), "reserved")


def test_the_same_notice_from_ten_workers_pays_once():
    order = factories.reserved_order(2)
    due = factories.payment(order)

    errors = at_once(*[lambda: settle.settle(factories.notice(due), provider="sandbox")] * 10)

    assert errors == []
    assert outcome(order) == ("paid", 2, 0)
    assert invariants.check() == []


def test_two_payments_captured_at_once_keep_one_and_send_one_back():
    order = factories.reserved_order(2)
    first = factories.payment(order, state="cancelled")
    second = factories.payment(order)

    errors = at_once(
        lambda: settle.settle(factories.notice(first), provider="sandbox"),
        lambda: settle.settle(factories.notice(second), provider="sandbox"),
    )

    assert errors == []
    assert outcome(order) == ("paid", 2, 1)
    assert invariants.check() == []


def test_five_tabs_start_one_payment():
    order = factories.reserved_order(2)

    errors = at_once(
        *[lambda: payments.open(payments.start(Order.objects.get(pk=order.pk), "sandbox", "https://foyer.example/"))]
        * 5
    )

    assert errors == []
    assert (Payment.objects.count(), SandboxCharge.objects.count()) == (1, 1)
    assert Payment.objects.get().state == "action_needed"


def test_five_clicks_take_a_free_order_once():
    order = factories.reserved_order(2, price_minor=0)

    errors = at_once(*[lambda: payments.start(Order.objects.get(pk=order.pk), "", "")] * 5)

    assert errors == []
    assert outcome(order) == ("paid", 2, 0)
    assert invariants.check() == []


# --- Negative controls: with the locks of orders and payments removed, the same races must go wrong ------------------


class Unguarded:
    """Rows read without a lock, and long enough ago that whoever else wants them has read them too."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def get(self, *values: Any) -> Any:
        row = self.rows.get(*values)
        time.sleep(0.1)
        return row

    def all(self, *values: Any) -> Any:
        rows = self.rows.all(*values)
        time.sleep(0.1)
        return rows


@pytest.mark.parametrize(
    "race",
    [
        test_the_buyer_gives_up_while_the_bank_captures,
        test_the_hold_ends_while_the_bank_captures,
        test_the_same_notice_from_ten_workers_pays_once,
        test_two_payments_captured_at_once_keep_one_and_send_one_back,
        test_five_tabs_start_one_payment,
        test_five_clicks_take_a_free_order_once,
    ],
)
def test_without_the_locks_the_race_is_lost(race: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    live = f"WHERE r.order_id = $1 AND r.state IN ({reading._LIVE}) ORDER BY r.id"
    monkeypatch.setattr(reading, "order_locked", Unguarded(reading.order))
    monkeypatch.setattr(reading, "payment_locked", Unguarded(reading.payment))
    monkeypatch.setattr(
        reading, "live_payments_locked", Unguarded(Rows("order_live_unlocked", Payment, ("bigint",), live))
    )

    with pytest.raises(AssertionError, match="StaleState|IntegrityError"):
        race()  # what the locks keep apart meets a conditional update or a UNIQUE, the last line
