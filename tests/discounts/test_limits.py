"""Limits counted in tickets: exact under a crowd, given back with the places, taken again by money that comes late."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from apps.discounts import claims
from apps.discounts.models import Allowance, Code, DiscountUse
from apps.ticketing import clock, queue, reservations
from apps.ticketing.models import Adjustment, Order, OrderLine
from apps.ticketing.payments import settle
from apps.ticketing.states import OrderState
from tests import factories
from tests.clock import clock_moved
from tests.discounts import builders
from tests.proofs import Proof


@pytest.fixture
def event(db: None) -> Any:
    return factories.event()


@pytest.fixture
def dinner(event: Any) -> Any:
    return factories.ticket_type(event, factories.quota(event, 1_000), price_minor=25_000)


def counters() -> tuple[list[int], list[int], int]:
    allowances = list(Allowance.objects.order_by("pk").values_list("taken", flat=True))
    codes = list(Code.objects.order_by("pk").values_list("taken", flat=True))
    return allowances, codes, DiscountUse.objects.filter(is_live=True).count()


def test_rights_come_back_with_the_places(event, dinner):
    builders.discount(event, size=1, codes={"LUCIA": 1})
    first = factories.order(event, factories.wanted(dinner), tokens=["code:LUCIA"])
    queue.drain(event.pk)
    assert counters() == ([1], [1], 1)

    reservations.release([first.pk], OrderState.RESERVED, OrderState.CANCELLED, "cancelled_by_buyer")
    assert counters() == ([0], [0], 0)

    second = factories.order(event, factories.wanted(dinner), tokens=["code:LUCIA"])
    queue.drain(event.pk)
    second.refresh_from_db()
    assert second.total_minor == 20_000
    assert counters() == ([1], [1], 1)


def test_a_ticket_is_bought_through_a_pooler(event, dinner, monkeypatch):
    """A pooler shares connections between transactions, so that statements are sent whole."""
    builders.discount(event, size=1, max_per_person=1, codes={"LUCIA": 1})
    choice = factories.choice(factories.variation(dinner), delta_minor=1_000)
    monkeypatch.setitem(connections["default"].settings_dict, "DISABLE_SERVER_SIDE_CURSORS", True)

    order = factories.order(
        event,
        factories.wanted(dinner, 1, (choice, 1)),
        tokens=["code:LUCIA"],
    )
    queue.drain(event.pk)
    order.refresh_from_db()
    payment = factories.payment(order)
    settle.settle(factories.notice(payment), provider=payment.provider)

    order.refresh_from_db()
    assert (order.state, order.total_minor, counters()) == (OrderState.PAID, 21_000, ([1], [1], 1))
    assert order.lines.get().tickets.get().state == "valid"


def test_one_entry_of_a_personal_list_is_one_person_however_many_accounts_come_by_it(event, dinner):
    builders.discount(event, kind="price", amount_minor=0, max_per_person=1, listed=["robin@x.se", "sam@x.se"])

    for email in ("robin@x.se", "robin+1@x.se", "robin+2@x.se", "sam@x.se"):
        person = builders.member(user=factories.user(email=email))
        factories.order(event, factories.wanted(dinner, 2), user=person, email=email)
    queue.drain(event.pk)

    assert list(Order.objects.order_by("pk").values_list("total_minor", flat=True)) == [25_000, 50_000, 50_000, 25_000]


def late_money(order: Order, payment: Any) -> Order:
    settle.settle(factories.notice(payment), provider=payment.provider)
    order.refresh_from_db()
    return order


@pytest.mark.parametrize("is_gone", [False, True], ids=["still there", "taken by another"])
def test_late_money_takes_its_discount_again_or_goes_back(event, dinner, is_gone):
    builders.discount(event, size=1)
    order = factories.order(event, factories.wanted(dinner))
    queue.drain(event.pk)
    order.refresh_from_db()
    payment = factories.payment(order)
    reservations.release([order.pk], OrderState.RESERVED, OrderState.EXPIRED, "hold_expired")
    if is_gone:
        factories.order(event, factories.wanted(dinner))
        queue.drain(event.pk)

    late_money(order, payment)

    assert order.state == ("expired" if is_gone else "paid")
    assert counters()[0] == [1]
    assert OrderLine.objects.get(order=order).is_held is not is_gone


def test_claiming_twice_takes_once(event, dinner):
    discount = builders.discount(event, size=2, codes={"LUCIA": 2})
    order = factories.order(event, factories.wanted(dinner), tokens=["code:LUCIA"])
    queue.drain(event.pk)
    use = DiscountUse.objects.get()
    granted = claims.Granted(
        "discounts", "R", "D", -5_000, discount_id=discount.pk, code_id=use.code_id, buyer_key=order.buyer_key
    )

    claims.claim({use.line_id: [granted]})

    assert counters() == ([1], [1], 1)


def test_limit_per_person_counts_earlier_orders(event, dinner):
    builders.discount(event, max_per_person=2)
    for _ in range(2):
        factories.order(event, factories.wanted(dinner, 1), email="robin@example.org")
        queue.drain(event.pk)
    factories.order(event, factories.wanted(dinner, 2), email="Robin+igen@example.org")
    queue.drain(event.pk)

    assert [order.total_minor for order in Order.objects.order_by("pk")] == [20_000, 20_000, 50_000]


def test_batch_asks_the_same_number_of_queries_for_one_and_for_many(event, dinner):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    body = builders.body(event.organisation)
    builders.discount(event, size=500, codes={"LUCIA": 400})
    builders.discount(event, stacking="added", max_per_person=1)
    builders.discount(event, stacking="added", bodies=[body])
    builders.discount(event, stacking="added", listed=["a@example.org"])
    counts = []
    for number in (1, 1, 60):
        for _ in range(number):
            person = builders.member(body)
            factories.order(event, factories.wanted(dinner, 2), user=person, email=person.email, tokens=["code:LUCIA"])
        with CaptureQueriesContext(connection) as captured:
            assert queue.drain(event.pk) == number
        counts.append(len(captured))

    assert counts[1] == counts[2]


class Unchecked:
    """The negative control: counts without a condition, as if nobody else were there."""

    @staticmethod
    def count(table: str, key: str, by: Mapping[int, int]) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            for pk, number in by.items():
                cursor.execute(f"UPDATE {table} SET taken = taken + %s WHERE {key} = %s", [number, pk])


def race(discount_id: int, code_id: int, lines: Sequence[int]) -> int:
    """Everybody claims at once, each in a connection of their own; how many were told yes."""
    begun = threading.Barrier(8)
    won: list[int] = []
    shares = [list(lines[number::8]) for number in range(8)]

    def claim_all(share: list[int]) -> None:
        from django.db import transaction

        begun.wait(30)
        for line in share:
            granted = claims.Granted("discounts", "R", "D", -5_000, discount_id=discount_id, code_id=code_id)
            try:
                with transaction.atomic():
                    claims.claim({line: [granted]})
            except claims.RightIsGone:
                continue
            won.append(line)
        connections.close_all()

    threads = [threading.Thread(target=claim_all, args=[share]) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(won)


def stock(racers: int, *, size: int, budget: int) -> tuple[Any, Any, list[int]]:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, racers + 10), price_minor=25_000)
    discount = builders.discount(event, size=size, codes={"LUCIA": budget})
    for _ in range(racers):
        factories.order(event, factories.wanted(kind), tokens=["code:LUCIA"])
    return event, discount, list(OrderLine.objects.order_by("pk").values_list("pk", flat=True))


@pytest.mark.proof(
    "discount_limits",
    what="However many want a code or the first places at a price at once, exactly as many get it as there are",
    full=500,
    small=120,
)
@pytest.mark.django_db(transaction=True)
def test_crowd_in_the_queue_gets_exactly_what_there_is(proof: Proof) -> None:
    event, discount, _lines = stock(proof.n, size=9, budget=7)
    workers = [threading.Thread(target=serve, args=[event.pk]) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert Order.objects.filter(state="reserved").count() == proof.n
    assert Adjustment.objects.count() == 7  # the budget of the code is the smaller limit
    assert counters() == ([7], [7], 7)
    by_rank = list(Order.objects.order_by("rank").values_list("total_minor", flat=True))
    assert by_rank == [20_000] * 7 + [25_000] * (proof.n - 7)


def serve(event_id: int) -> None:
    while queue.drain(event_id):
        pass
    connections.close_all()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_checked", [True, False], ids=["as it is", "without the condition"])
def test_claims_at_once_never_pass_a_limit(monkeypatch: pytest.MonkeyPatch, is_checked: bool) -> None:
    """The control shows that this race would catch a counter that is moved without its condition and CHECK."""
    from django.db import connection

    _event, discount, lines = stock(80, size=9, budget=7)
    code = Code.objects.get()
    if not is_checked:
        with connection.cursor() as cursor:
            for table, check in (("allowance", "allowance"), ("code", "code")):
                cursor.execute(f"ALTER TABLE discounts_{table} DROP CONSTRAINT {check}_is_not_overdrawn")
        monkeypatch.setattr(claims, "_count", Unchecked.count)
    try:
        won = race(discount.pk, code.pk, lines)
        taken = Code.objects.get().taken
    finally:
        if not is_checked:
            DiscountUse.objects.all().delete()
            Allowance.objects.update(taken=0)
            Code.objects.update(taken=0)
            with connection.cursor() as cursor:
                for table, check in (("allowance", "allowance"), ("code", "code")):
                    cursor.execute(
                        f"ALTER TABLE discounts_{table} ADD CONSTRAINT {check}_is_not_overdrawn"
                        " CHECK (size IS NULL OR taken <= size)"
                    )

    assert (won, taken) == ((7, 7) if is_checked else (80, 80))


def test_early_bird_counts_from_when_one_stood_in_line(event, dinner):
    """Waiting in line costs nobody a price."""
    builders.discount(event, closes_at=clock.now() + timedelta(minutes=5))
    order = factories.order(event, factories.wanted(dinner))

    with clock_moved(timedelta(minutes=20)):
        queue.drain(event.pk)

    order.refresh_from_db()
    assert order.total_minor == 20_000
