"""Buyers of paid tickets race for the same few choices, and for guest tickets: never one too many, and all of them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from apps.ticketing import allocation, changes, clock, invariants, ledger, queue, reservations
from apps.ticketing.models import LineChoice, Order, OrderLine, Quota, Ticket
from apps.ticketing.payments import settle
from apps.ticketing.states import OrderState
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

WINES = 5
BUYERS = 16
TOGETHER = 8


def race(verbs: Sequence[Callable[[], object]]) -> Counter[str]:
    """Carry out all `verbs` at once, each with a connection of its own; how each ended, by name."""
    ended: list[str] = []
    start = threading.Barrier(len(verbs))

    def run(verb: Callable[[], object]) -> None:
        try:
            with connections["default"].cursor() as cursor:
                cursor.execute("SET lock_timeout = '60s'")
            start.wait(timeout=60)
            ended.append("asked to pay" if verb() else "changed")
        except changes.NotChanged as refusal:
            ended.append(type(refusal).__name__)
        except Exception as error:
            ended.append(repr(error))
        finally:
            connections.close_all()

    racers = [threading.Thread(target=run, args=[verb]) for verb in verbs]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    return Counter(ended)


class Sittning:
    """Everybody has beer; of wine, which costs `more`, there is for a few."""

    def __init__(self, buyers: int, *, more: int) -> None:
        self.event = factories.event(starts_at=clock.now() + timedelta(days=30))
        kind = factories.ticket_type(self.event, factories.quota(self.event, buyers), price_minor=20_000)
        drink = factories.variation(kind)
        self.beer = factories.choice(drink)
        self.cellar = factories.quota(self.event, WINES)
        self.wine = factories.choice(drink, self.cellar, delta_minor=more)
        orders = [factories.order(self.event, factories.wanted(kind, 1, (self.beer, 1))) for _ in range(buyers)]
        queue.drain_all()
        self.tickets = []
        for order in orders:
            order.refresh_from_db()
            payment = factories.payment(order)
            settle.settle(factories.notice(payment), provider=payment.provider)
            self.tickets.append(Ticket.objects.select_related("line__order").get(line__order=order))

    def change(self, ticket: Ticket, *, agreed: int) -> Callable[[], object]:
        return lambda: changes.begin(ticket.line.order, ticket, {self.wine.pk: 1}, agreed_minor=agreed)

    @property
    def poured(self) -> int:
        """Wines held or sold, counted from the rows and by no counter of ours."""
        held = LineChoice.objects.filter(choice=self.wine, line__is_held=True)
        return held.filter(line__order__paid_at__isnull=True).count() + held.filter(line__subject="").count()


@pytest.mark.parametrize("more", [14_000, 0], ids=["dearer", "for nothing"])
def test_as_many_get_a_scarce_choice_as_there_are(more: int) -> None:
    evening = Sittning(BUYERS, more=more)

    ended = race([evening.change(ticket, agreed=more) for ticket in evening.tickets])

    assert ended == {"asked to pay" if more else "changed": WINES, "NotChanged": BUYERS - WINES}
    assert evening.poured == WINES
    assert invariants.check() == []

    for supplement in Order.objects.filter(channel="change", state=OrderState.RESERVED):
        payment = factories.payment(supplement)
        settle.settle(factories.notice(payment), provider=payment.provider)
    assert evening.poured == WINES
    assert invariants.check() == []
    assert ledger.balance("clearing") == BUYERS * 20_000 + WINES * more


def test_one_ticket_is_changed_once_however_often_it_is_asked_for() -> None:
    evening = Sittning(1, more=14_000)

    ended = race([evening.change(evening.tickets[0], agreed=14_000)] * TOGETHER)

    assert ended == {"asked to pay": 1, "Pending": TOGETHER - 1}
    assert Order.objects.filter(channel="change").count() == 1


def test_without_the_lock_more_wine_is_poured_than_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge of the races above can fail: who reads what is left, and only then writes, pours too much."""
    evening = Sittning(TOGETHER, more=14_000)
    Quota.objects.filter(pk=evening.cellar.pk).update(size=1)
    all_have_read = threading.Barrier(TOGETHER)

    def careless(event_id: int, taken: dict[int, int], given: dict[int, int]) -> bool:
        left = {quota.pk: quota.left for quota in Quota.objects.filter(pk__in=taken)}
        all_have_read.wait(timeout=60)
        return all(left[pk] >= count for pk, count in taken.items())

    monkeypatch.setattr(reservations, "exchange", careless)

    ended = race([evening.change(ticket, agreed=14_000) for ticket in evening.tickets])

    assert ended == {"asked to pay": TOGETHER}
    assert evening.poured == TOGETHER
    assert "a quota's counter equals a recount of held lines" in {found.promise for found in invariants.check()}


# --- Guest tickets ---------------------------------------------------------------------------------------------------


def guests_beside(hosts: int, *, orders: int) -> tuple[int, Counter[str]]:
    """One person with `hosts` paid tickets sends `orders` for a guest ticket each, each when the last is decided, while
    several workers serve the queue. Guests held, and the reasons."""
    event = factories.event(starts_at=clock.now() + timedelta(days=30))
    member = factories.ticket_type(event, factories.quota(event, 50))
    guest = factories.ticket_type(event, factories.quota(event, 50), guests_of=member, guests_per_ticket=2)
    email = "member@example.org"
    if hosts:
        first = factories.order(event, factories.wanted(member, hosts), email=email)
        queue.drain_all()
        first.refresh_from_db()
        payment = factories.payment(first)
        settle.settle(factories.notice(payment), provider=payment.provider)
    reasons: Counter[str] = Counter()
    for _ in range(orders):
        order = factories.order(event, factories.wanted(guest, 1), email=email)
        serve_at_once(event.pk)
        order.refresh_from_db()
        reasons[order.reason or order.state] += 1
    return OrderLine.objects.filter(ticket_type=guest, is_held=True).count(), reasons


def serve_at_once(event_id: int) -> None:
    def serve() -> None:
        try:
            queue.drain(event_id)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=serve) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def test_guests_are_counted_over_all_orders_of_a_person() -> None:
    assert guests_beside(1, orders=4) == (2, Counter(reserved=2, too_many_guests=2))
    assert guests_beside(0, orders=2) == (0, Counter(too_many_guests=2))


def test_without_the_rule_any_number_of_guests_gets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocation, "_first_surplus", lambda *_: None)

    assert guests_beside(1, orders=4) == (4, Counter(reserved=4))


@pytest.mark.parametrize("orders", [1, 5])
def test_deciding_takes_no_query_more_with_guest_tickets(orders: int) -> None:
    """The hosts are counted by the query that counts what somebody owns already, whatever the number of orders."""

    def queries(*, has_guests: bool) -> int:
        event = factories.event()
        member = factories.ticket_type(event, factories.quota(event, 50))
        own = {"guests_of": member} if has_guests else {}
        guest = factories.ticket_type(event, factories.quota(event, 50), max_per_person=9, **own)
        for _ in range(orders):
            factories.order(event, [*factories.wanted(member, 1), *factories.wanted(guest, 1)])
        with CaptureQueriesContext(connection) as captured:
            assert queue.drain(event.pk) == orders
        return len(captured)

    queries(has_guests=False)  # statements are prepared
    assert queries(has_guests=True) == queries(has_guests=False)
