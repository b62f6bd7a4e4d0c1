"""Fifty refunds of one payment at once, whole and in part, give back what was captured and not an öre more."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connections

from apps.ticketing import invariants, ledger, refunds
from apps.ticketing.ledger import Account
from apps.ticketing.models import Order, Quota, Refund
from apps.ticketing.transitions import StaleState
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

RACERS = 50


def race(verbs):
    """Carry out all `verbs` at once, each with a connection of its own; how each ended, by name."""
    outcomes: list[str] = []
    start = threading.Barrier(len(verbs))

    def run(verb) -> None:
        try:
            with connections["default"].cursor() as cursor:
                cursor.execute("SET lock_timeout = '60s'")  # the machine may be busy; who waits is what is looked at
            start.wait(timeout=60)
            verb()
            outcomes.append("refunded")
        except (refunds.NothingToRefund, refunds.MoreThanLeft, StaleState) as refusal:
            outcomes.append(type(refusal).__name__)
        except Exception as error:
            outcomes.append(repr(error))
        finally:
            connections.close_all()

    racers = [threading.Thread(target=run, args=[verb]) for verb in verbs]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    return outcomes


def ordered_in_all(order):
    return sum(Refund.objects.filter(payment__order=order).values_list("amount_minor", flat=True))


def test_fifty_refunds_of_one_payment_never_exceed_what_was_captured():
    order = factories.paid_order(3)  # 75,000
    lines = list(order.lines.all())
    whole: list[Callable[[], object]] = []
    parts: list[Callable[[], object]] = []
    for number in range(RACERS):
        line = lines[number % 3]
        if number % 5 == 0:
            whole.append(partial(refunds.order_refund, order, [line], reason="refused", fee_minor=500))
        elif number % 11 == 1:
            whole.append(partial(refunds.order_refund, order, lines, reason="refused"))
        else:
            parts.append(partial(refunds.give_back, order, line, 900 + number, note="x"))

    outcomes = race([*whole, *parts])

    assert len(outcomes) == RACERS
    assert set(outcomes) <= {"refunded", "NothingToRefund", "MoreThanLeft", "StaleState"}
    order.refresh_from_db()
    fees = -ledger.balance(Account.FEE, order=order)
    assert (order.state, ordered_in_all(order) + fees, Quota.objects.get().taken) == ("refunded", 75_000, 0)
    assert invariants.check() == []


@pytest.mark.parametrize("has_guard", [True, False], ids=["with the last guard", "without anything"])
def test_without_the_lock_more_than_captured_would_go_back(monkeypatch, has_guard):
    """The judge of the race above can fail: two that read before either has written give the same money twice."""
    order = factories.paid_order(1)
    both_have_read = threading.Barrier(2)

    def wait_for_the_other(ids, **_):
        both_have_read.wait(timeout=30)

    monkeypatch.setattr(refunds, "_locked", lambda wanted: Order.objects.get(pk=wanted.pk))
    monkeypatch.setattr(refunds.tickets, "revoke", wait_for_the_other)
    if not has_guard:
        monkeypatch.setattr(refunds, "_ordered", lambda payment, without: 0)

    outcomes = race([lambda: refunds.order_refund(order, order.lines.all(), reason="refused")] * 2)

    if has_guard:
        assert sorted(outcome.partition("(")[0] for outcome in outcomes) == ["MoreThanCaptured", "refunded"]
        assert ordered_in_all(order) == 25_000
    else:
        assert outcomes == ["refunded", "refunded"]
        assert ordered_in_all(order) == 50_000
        assert "refunds never exceed what was captured" in {found.promise for found in invariants.check()}
