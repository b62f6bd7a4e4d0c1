"""Two treasurers at one payment: one approves it, the other is told who did; too much is owed back once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from multiprocessing import get_context
from typing import Any

import pytest
from django.db import transaction

from apps.accounts.models import User
from apps.ticketing import bank_matching, invariants, outbox, transfers
from apps.ticketing.bank_matching import Confirmed
from apps.ticketing.models import BankRow, Payment, Refund
from apps.ticketing.payments import manual, settle
from apps.ticketing.states import PaymentState
from tests import factories
from tests.concurrency.forks import forked, on_connections_of_its_own

pytestmark = pytest.mark.django_db(transaction=True)

PRICE, TOO_MUCH = 25_000, 5_000
AT_ONCE = 4
_together: Any = None  # a barrier, inherited by the forks


@pytest.fixture
def payment() -> Payment:
    global _together
    _together = get_context("fork").Barrier(AT_ONCE)
    order = factories.reserved_order()
    return factories.payment(order, provider=manual.TRANSFER, provider_reference="123456782")


def approve(pk: int, actor_id: int) -> str:
    """As the desk does it."""
    payment, actor = Payment.objects.get(pk=pk), User.objects.get(pk=actor_id)
    _together.wait(30)
    try:
        transfers.approve(payment, received_minor=PRICE + TOO_MUCH, actor=actor)
    except transfers.Done as refusal:
        return f"after {refusal.who.pk}"
    return f"by {actor_id}"


def approve_carelessly(pk: int, actor_id: int) -> str:
    """Looks first and acts then, as one might write it: what was looked at is out of date by then."""
    payment = Payment.objects.select_related("order").get(pk=pk)
    assert payment.state != PaymentState.CAPTURED
    _together.wait(30)
    with transaction.atomic():
        settle.settle(transfers._captured(payment, PRICE), provider=payment.provider)
        transfers._book_surplus(payment.order, payment, TOO_MUCH, None)
    return f"by {actor_id}"


def carry_out(pk: int, actor_id: int) -> str:
    """Confirms the same bank file."""
    payment, actor = Payment.objects.get(pk=pk), User.objects.get(pk=actor_id)
    row = Confirmed(str(payment.public_id), PRICE + TOO_MUCH, date(2026, 11, 30), "f" * 64, "more")
    _together.wait(30)
    done = bank_matching.carry_out([row], among=Payment.objects.all(), actor=actor)
    return f"by {actor_id}" if done.paid else "skipped"


def at_once(verb: Callable[[int, int], str], payment: Payment) -> list[str]:
    treasurers = [factories.user().pk for _ in range(AT_ONCE)]
    with forked([partial(on_connections_of_its_own, partial(verb, payment.pk, pk)) for pk in treasurers]) as running:
        return [future.result() for future in running]


def test_four_treasurers_who_press_at_once_approve_it_once(payment: Payment) -> None:
    told = at_once(approve, payment)
    outbox.run_all()

    (winner,) = {said.split()[1] for said in told}
    assert sorted(told) == [*[f"after {winner}"] * (AT_ONCE - 1), f"by {winner}"]
    assert [refund.amount_minor for refund in Refund.objects.all()] == [TOO_MUCH]
    assert invariants.check() == []


def test_the_same_file_confirmed_by_four_at_once_is_carried_out_once(payment: Payment) -> None:
    told = at_once(carry_out, payment)
    outbox.run_all()

    assert sorted(told)[1:] == ["skipped"] * (AT_ONCE - 1) and sorted(told)[0].startswith("by ")
    assert (BankRow.objects.count(), Refund.objects.count()) == (1, 1)
    assert invariants.check() == []


def test_control_whoever_looks_before_the_lock_owes_it_more_than_once(payment: Payment) -> None:
    at_once(approve_carelessly, payment)

    assert Refund.objects.count() == AT_ONCE  # what the tests above would see if the lock came too late
