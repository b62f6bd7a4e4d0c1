"""A rush while the house breaks: processes killed, Redis and PostgreSQL away, connections cut, deaths at every step.

Afterwards nothing is lost and nothing is there twice: every buyer who was answered has one order, whoever paid has
paid once and has the tickets and one mail, the places add up, and every page says what is so. Meanwhile a buyer heard
at worst, within seconds: "one moment, please", and when to come back.
"""

from __future__ import annotations

import asyncio
import random
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.models import Count
from django.urls import reverse
from embedded import processes

from apps.ticketing import clock, invariants, order_page
from apps.ticketing.crashpoints import PURCHASE
from apps.ticketing.models import Effect, Order, OrderLine, Payment, SandboxCharge, SentMail, Ticket
from tests import factories
from tests.concurrency import judge
from tests.faults.buyers import Buyer, Manners, rush
from tests.faults.house import House, child_names
from tests.faults.kills import WITHIN_SECONDS, judge_purchases, kill_a_purchase
from tests.proofs import Proof

ROUNDS = {"small": 1, "full": 3}
SETTLED_SECONDS = 120
# Reminders that are due later, and those who are told something while no page of theirs is open.
LATER = ("hold_ends_soon", "your_turn", "hold_expired")
TICKET_LINK = re.compile(r"/tickets/[0-9a-f-]{36}/[A-Za-z0-9_-]{16,64}/\"")
POINTS = (
    "order.placed",
    "drain.before_commit",
    "drain.committed",
    "payment.started",
    "effect.leased",
    "payment.opened",
    "effect.carried_out",
    "notice.stored",
    "fulfilment.delivered",
    "settle.before_commit",
    "settle.committed",
    "document.written",
    "mail.handed_over",
)


@dataclass(frozen=True)
class Kind:
    """One kind of trouble: what may break, how it is broken, and the seconds between. In a small rush `some` things
    break once, in a full one all of them so many times."""

    name: str
    what: str
    things: tuple[str, ...]
    breaks: Callable[[House, str, random.Random], None]
    pause: tuple[float, float]
    some: int
    times: int
    needs_leases_to_lapse: bool = False


class Hurry(threading.Thread):
    """Lets time pass faster, so that what the dead had leased is free again soon."""

    def __init__(self, house: House) -> None:
        super().__init__(daemon=True)
        self.house, self.over = house, threading.Event()

    def run(self) -> None:
        with self.house.database():
            while not self.over.wait(0.5):
                self.house.let_time_pass(timedelta(seconds=5))

    def end(self) -> None:
        self.over.set()
        self.join()


class Trouble(threading.Thread):
    """Breaks the things of a kind in a random order, and stops early when it is told to. Remembers what it did."""

    def __init__(self, kind: Kind, house: House, size: str, chance: random.Random) -> None:
        super().__init__(daemon=True)
        self.kind, self.house, self.chance = kind, house, random.Random(chance.random())
        todo = list(kind.things) * (1 if size == "small" else kind.times)
        self.todo = self.chance.sample(todo, kind.some if size == "small" else len(todo))
        self.over = threading.Event()
        self.done: Counter[str] = Counter()
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            for thing in self.todo:
                if self.over.wait(self.chance.uniform(*self.kind.pause) if self.done else 0.2):
                    return
                self.kind.breaks(self.house, thing, self.chance)
                self.done[thing] += 1
        except Exception as error:
            self.error = error

    def end(self) -> None:
        self.over.set()
        self.join()
        if self.error:
            raise self.error


def kill(house: House, name: str, chance: random.Random) -> None:
    house.kill(name)
    if name == "site":  # killed again before it is back, it would only be away for longer
        processes.wait_until(house.is_ready, 30, pause=0.2)


def break_redis(house: House, how: str, chance: random.Random) -> None:
    house.break_redis(how, chance)


def break_postgres(house: House, how: str, chance: random.Random) -> None:
    house.break_postgres(how, chance)


def cut(house: House, what: str, chance: random.Random) -> None:
    """One connection to that server, whichever it is; now and then all of them at once."""
    house.cables[what].cut(chance, all_of_them=chance.random() < 0.05)


def arm(house: House, point: str, chance: random.Random) -> None:
    house.arm(point)


KINDS = (
    Kind("processes", "killed processes", child_names(), kill, (0.1, 2.0), some=2, times=3, needs_leases_to_lapse=True),
    Kind("redis", "a Redis that dies, restarts, forgets and hangs up", ("kill", "restart", "flush", "hang up"),
         break_redis, (0.1, 1.5), some=2, times=4),
    Kind("postgres", "a PostgreSQL that dies and restarts", ("kill", "restart"), break_postgres, (0.2, 2.0), some=1,
         times=5),
    Kind("cuts", "connections cut every 50 ms", ("postgres", "postgres", "redis") * 10, cut, (0.05, 0.05), some=30,
         times=13),
    Kind("crashes", "a death at each step of a purchase", POINTS, arm, (0.02, 0.4), some=4, times=3,
         needs_leases_to_lapse=True),
)  # fmt: skip


def hold_a_rush(house: House, proof: Proof, kind: Kind) -> dict[str, Any]:
    """One rush of `proof.n` under one kind of trouble, and everything that must be true after it."""
    with house.database():
        event = factories.event()
        # A fifth of the buyers finds a place or a part of one; the others wait.
        quota = factories.quota(event, max(6, proof.n // 5))
        factories.ticket_type(event, quota)
        house.mail.mkdir(exist_ok=True)
        letters = set(house.mail.glob("*.eml"))
        manners = Manners()
        form = reverse("ticketing:form", args=[event.public_id])
        buyers = [
            Buyer(house.port, form, f"b{event.pk}-{n}@example.org", proof.random.random(), manners)
            for n in range(proof.n)
        ]
        trouble = Trouble(kind, house, proof.size, proof.random)
        died_before = house.died.copy()
        house.begin_rush()
        connections["default"].close()  # it would be cut off with all the others
        hurry = Hurry(house) if kind.needs_leases_to_lapse else None
        begun = time.monotonic()
        trouble.start()
        if hurry:
            hurry.start()
        try:
            asyncio.run(rush(buyers, within_seconds=1 if proof.size == "small" else 10))
        finally:
            trouble.end()
            if hurry:
                hurry.end()
            left = house.disarm()
        seconds = time.monotonic() - begun
        settle_down(house, event.pk)
        judge_rows(house, event.pk, buyers, letters)
        judge_pages(event.pk, buyers)
        assert manners.rude == []
        return {
            "broke": dict(trouble.done - Counter(left)),
            "died_by_themselves": dict(house.died - died_before),
            "seconds": round(seconds, 1),
            "answers": {str(status): count for status, count in sorted(manners.answers.items())},
            "unanswered": manners.unanswered,
            "asked_back": manners.asked_back,
            "slowest_seconds": round(manners.slowest_seconds, 1),
            "states": dict(Counter(Order.objects.filter(event=event).values_list("state", flat=True))),
        }


def settle_down(house: House, event_id: int) -> None:
    """Wait until everything that was begun has been done; leases of the dead lapse as the clock is moved on."""
    until = time.monotonic() + SETTLED_SECONDS
    orders = Order.objects.filter(event_id=event_id)
    while True:
        time.sleep(0.5)
        open_effects = Effect.objects.filter(state__in=["due", "leased", "unknown"]).exclude(payload__name__in=LATER)
        working = [
            *orders.filter(state="queued").values_list("pk", "state"),
            *open_effects.values_list("kind", "state", "tries", "due_at", "last_error", "payload"),
            *orders.filter(state__in=["offered", "reserved"], reserved_until__lte=clock.now()).values_list(
                "pk", "state"
            ),
            *Payment.objects.filter(state__in=["processing", "unknown"]).values_list("pk", "state"),
        ]
        if not working and house.is_whole():
            return
        assert time.monotonic() < until, (working, house.log("worker-default"), house.log("cron"))
        if open_effects.exclude(state="due", due_at__lte=clock.now()).exists():
            house.let_time_pass(timedelta(seconds=50))


def judge_rows(house: House, event_id: int, buyers: list[Buyer], letters: set[Any]) -> None:
    """Nothing lost, nothing doubled."""
    orders = {order.idempotency_key: order for order in Order.objects.filter(event_id=event_id)}
    assert set(orders) == {buyer.key for buyer in buyers if buyer.order}
    assert all(orders[buyer.key].secret in buyer.order for buyer in buyers if buyer.order)
    assert invariants.check() == []

    sale = judge.Sale(event_id)
    assert {len(order.decisions) for order in sale.orders.values()} == {1}
    assert min(sale.left.values()) >= 0
    assert sale.waiting_that_would_fit() == []
    assert not [order.reference for order in orders.values() if order.reason == "internal_error"]

    paid = Order.objects.filter(event_id=event_id, state="paid")
    taken = SandboxCharge.objects.filter(status="succeeded", reference__in=_payments(event_id))
    assert Counter(taken.values_list("refunded_minor", flat=True)) == Counter({0: paid.count()})
    assert {buyer.key for buyer in buyers if buyer.told == "paid"} == {order.idempotency_key for order in paid}
    tickets = Ticket.objects.filter(event_id=event_id, state="valid")
    assert tickets.count() == OrderLine.objects.filter(order__in=paid, is_held=True).count()

    confirmed = (
        SentMail.objects.filter(order__in=paid, name="order_confirmation").values_list("order").annotate(n=Count("pk"))
    )
    assert dict(confirmed) == {order.pk: 1 for order in paid}
    arrived = [mail.read_text(errors="replace") for mail in house.mail.glob("*.eml") if mail not in letters]
    sent = SentMail.objects.filter(order__event_id=event_id).values_list("message_id", flat=True)
    assert [message_id for message_id in sent if not any(message_id in text for text in arrived)] == []


def _payments(event_id: int) -> list[str]:
    found = Payment.objects.filter(order__event_id=event_id).values_list("public_id", flat=True)
    return [str(public_id) for public_id in found]


@dataclass(frozen=True)
class Shown:
    """What an order's page says: its state, and how many tickets it leads to."""

    state: str
    tickets: int


def judge_pages(event_id: int, buyers: list[Buyer]) -> None:
    """Every page says what is so; nothing moves any more."""
    truth, at = {}, clock.now()
    for order in Order.objects.filter(event_id=event_id):
        payment = Payment.objects.filter(order=order).order_by("-pk").first()
        tickets = order.lines.filter(is_held=True).count() if order.state == "paid" else 0
        truth[order.idempotency_key] = Shown(order_page.state_of(order, payment, at), tickets)
    answered = [buyer for buyer in buyers if buyer.order]

    assert asyncio.run(_look_at_pages(answered)) == [truth[buyer.key] for buyer in answered]


async def _look_at_pages(buyers: list[Buyer]) -> list[Shown]:
    shown = []
    for buyer in buyers:
        page = await buyer.ask("GET", buyer.order)
        assert page.status == 200
        shown.append(Shown((await buyer.status())["state"], len(set(TICKET_LINK.findall(page.body)))))
    return shown


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(
            kind,
            id=kind.name,
            marks=pytest.mark.proof(
                f"faults_{kind.name}",
                what=f"A rush survives {kind.what}: nothing lost, nothing doubled",
                full=500,
                small=10,
            ),
        )
        for kind in KINDS
    ],
)
def test_a_rush_survives(house: House, proof: Proof, kind: Kind) -> None:
    rounds = [hold_a_rush(house, proof, kind) for _ in range(ROUNDS[proof.size])]

    assert all(one["broke"] for one in rounds), "nothing broke: that would prove nothing"
    if kind.name not in ("processes", "crashes"):
        assert sum(one["unanswered"] for one in rounds) == 0, "the site stood: it must have answered"
        assert [one["died_by_themselves"] for one in rounds] == [{}] * len(rounds), "nobody was killed"
    proof.record(rounds=rounds)


@pytest.mark.proof(
    "killed_purchases",
    what="A purchase survives SIGKILL at each of its twelve points: one charge, settled within a minute",
    full=3,
    small=1,
)
def test_a_purchase_survives_a_kill_at_each_of_its_points(house: House, proof: Proof) -> None:
    """`n` purchases for each point, the buyer's tab closed once the card is given. Small: some of the points."""
    points = list(PURCHASE) if proof.size == "full" else sorted(proof.random.sample(list(PURCHASE), 2))
    with house.database():
        house.mail.mkdir(exist_ok=True)
        event = factories.event()
        factories.ticket_type(event, factories.quota(event, proof.n * len(points)))
        house.begin_rush()
        deaths = [kill_a_purchase(house, event, point, proof.random) for point in points for _ in range(proof.n)]
        settle_down(house, event.pk)

        assert [death.point for death in deaths if not death.died] == [], "nobody died there: that would prove nothing"
        assert judge_purchases(house, deaths) == []
        late = [death for death in deaths if death.settled_seconds > WITHIN_SECONDS]
        assert late == []
        assert invariants.check() == []
        with transaction.atomic():  # the negative control: the judge notices a second charge
            _copy(SandboxCharge.objects.get(reference__in=_payments(event.pk)[:1]))
            assert [wrong.partition(": ")[2] for wrong in judge_purchases(house, deaths)] == ["charges is 2"]
            transaction.set_rollback(True)
    proof.record(
        points={
            point: {
                "crashpoint": PURCHASE[point][0],
                "when": PURCHASE[point][1],
                "charges": [death.charges for death in deaths if death.point == point],
                "settled_seconds": [death.settled_seconds for death in deaths if death.point == point],
            }
            for point in points
        }
    )


def test_the_judge_notices_what_is_lost_and_what_is_there_twice(house: House) -> None:
    """The negative control: after a rush in peace, rows are spoilt one by one, and none of it passes."""
    with house.database():
        event = factories.event()
        factories.ticket_type(event, factories.quota(event, 3))
        house.mail.mkdir(exist_ok=True)
        letters, form = set(house.mail.glob("*.eml")), reverse("ticketing:form", args=[event.public_id])
        buyers = [Buyer(house.port, form, f"c{event.pk}-{n}@example.org", n, Manners()) for n in range(2)]
        for buyer in buyers:
            buyer.nature, buyer.tickets = "pays", 1
        house.begin_rush()
        asyncio.run(rush(buyers, within_seconds=0))
        settle_down(house, event.pk)
        judge_rows(house, event.pk, buyers, letters)
        orders = Order.objects.filter(event=event)

        spoilt: dict[str, Callable[[], object]] = {
            "a ticket is lost": lambda: Ticket.objects.filter(event=event)[0].delete(),
            "an order is lost": lambda: orders.filter(pk=orders[0].pk).update(event=factories.event()),
            "money is taken twice": lambda: _copy(SandboxCharge.objects.get(reference=_payments(event.pk)[0])),
            "a mail is sent twice": lambda: _copy(SentMail.objects.filter(order__in=orders)[0]),
            "a place is counted twice": lambda: event.quotas.update(taken=3),
        }
        for what, spoil in spoilt.items():
            with transaction.atomic():
                spoil()
                with pytest.raises(AssertionError):
                    judge_rows(house, event.pk, buyers, letters)
                    pytest.fail(f"nobody noticed that {what}")
                transaction.set_rollback(True)


def _copy(row: Any) -> None:
    row.pk = None
    for name in ("public_id", "idempotency_key", "message_id"):
        if hasattr(row, name):
            setattr(row, name, uuid.uuid4() if name == "public_id" else uuid.uuid4().hex)
    row.save()
