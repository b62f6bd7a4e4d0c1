"""The people of a rush: who places orders, who serves the queue, who changes their mind, who pays, and the organiser.

Each function is run in a process of its own (`forks`). They share nothing but the database and one file: when `over`
exists, nobody else will come.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from django.db import OperationalError, connection, transaction

from apps.accounts.models import User
from apps.events.models import Event
from apps.ticketing import clock, ordering, payments, queue, reservations
from apps.ticketing.models import Choice, Order, Payment, Quota, TicketType
from apps.ticketing.payments import settle
from apps.ticketing.retries import is_passing
from apps.ticketing.transitions import StaleState
from tests import factories

BROWSERS = 4  # threads of one web process
MOST_PER_PERSON = 8
IMPATIENT_SECONDS = 180
LONGER_SECONDS = 5
MUST_HAPPEN = ("leave", "pay", "let_it_run_out", "resize")


@dataclass(frozen=True)
class Plan:
    """One rush: its events with their share of the crowd, how many orders come, and from which seed."""

    events: tuple[int, ...]
    orders: int
    seed: int
    over: Path

    def chance(self, who: str) -> random.Random:
        return random.Random(f"{who} {self.seed}")

    @property
    def is_over(self) -> bool:
        return self.over.exists()


def make_hall(places: int) -> Event:
    """An event with about so many places: three types over two shared quotas, two that exclude each other, limits per
    person, a drink with few glasses of wine and snaps to take along."""
    event = factories.event(max_per_person=MOST_PER_PERSON)
    hall = factories.quota(event, places * 6 // 10)
    balcony = factories.quota(event, places * 3 // 10)
    gala = factories.quota(event, places - places * 6 // 10 - places * 3 // 10)
    dinner = factories.ticket_type(event, hall)
    factories.ticket_type(event, hall, balcony, max_per_person=2, price_minor=0)
    box = factories.ticket_type(event, gala, max_per_person=4)
    factories.ticket_type(event, gala, balcony, conflicts=(box,))
    drink = factories.variation(dinner)
    factories.choice(drink, factories.quota(event, max(2, places // 10)))
    factories.choice(drink)
    snaps = factories.variation(dinner, kind="many", name_sv="Snaps", name_en="Snaps")
    factories.choice(snaps, factories.quota(event, max(3, places // 8)), max_quantity=3)
    return event


def make_members(number: int) -> None:
    """People with accounts; a password is not needed and would cost a hash each."""
    User.objects.bulk_create(User(email=f"member{n}@example.org") for n in range(number))


# --- Those who come -----------------------------------------------------------------------------------------------


def place(plan: Plan, process: int, number: int) -> Counter[str]:
    """One web process: `number` orders from a few threads. Counts what became of them."""
    chance = plan.chance(f"web {process}")
    with ThreadPoolExecutor(BROWSERS) as browsers:
        seeds = [(n, chance.random()) for n in range(number)]
        work = [browsers.submit(_browse, plan, process, seeds[n::BROWSERS]) for n in range(BROWSERS)]
        return sum((done.result() for done in work), Counter())


def _browse(plan: Plan, process: int, visits: Sequence[tuple[int, float]]) -> Counter[str]:
    told: Counter[str] = Counter()
    members = list(User.objects.filter(email__startswith="member"))
    for number, luck in visits:
        chance = random.Random(luck)
        event = Event.objects.get(pk=chance.choices(plan.events, range(len(plan.events), 0, -1))[0])
        is_member = chance.random() < 0.3
        try:
            placed = ordering.place(
                event=event,
                tickets=_wish(event, chance),
                email=f"guest{plan.seed}-{chance.randrange(plan.orders)}@example.org",
                user=chance.choice(members) if is_member else None,
                idempotency_key=f"rush-{plan.seed}-{process}-{number}",
                fewer_is_fine=chance.random() < 0.5,
            )
            told["placed" if placed.idempotency_key == f"rush-{plan.seed}-{process}-{number}" else "stood there"] += 1
        except ordering.Refused:
            told["refused"] += 1  # such as two types that exclude each other
    connection.close()
    return told


def _wish(event: Event, chance: random.Random) -> list[ordering.WantedTicket]:
    types = list(TicketType.objects.filter(event=event))
    wanted = []
    for kind in chance.choices(types, weights=[4, 2, 1, 1][: len(types)], k=chance.randint(1, 6)):
        picked: list[tuple[int, int]] = []
        for choice in Choice.objects.filter(variation__ticket_type=kind).order_by("pk"):
            if choice.max_quantity > 1:
                quantity = chance.randint(0, choice.max_quantity)
                picked += [(choice.pk, quantity)] if quantity else []
            elif not picked or chance.random() < 0.5:
                picked = [(choice.pk, 1)]  # one of the drinks
        wanted.append(ordering.WantedTicket(kind.pk, tuple(picked)))
    return wanted


# --- Those who serve ----------------------------------------------------------------------------------------------


def serve(plan: Plan) -> dict[str, float]:
    """One worker and its sweeper: serves whatever event has work, until the rush is over and nothing is left to do."""
    decided, busy, until = 0, 0, time.monotonic() + IMPATIENT_SECONDS
    while time.monotonic() < until:
        is_over = plan.is_over  # asked before the look, so that nothing can come after it
        events = queue.events_to_serve()
        try:
            for event_id in events:
                decided += queue.drain(event_id)
            reservations.expire_overdue(clock.now())
        except OperationalError as error:
            if not is_passing(error):
                raise
            busy += 1  # a job that met a lock held for too long; the bell is rung again
        if is_over and not events:
            break
        time.sleep(0.01)
    connection.close()
    return {"decided": decided, "came back later": busy}


def serve_carelessly(plan: Plan) -> dict[str, float]:
    """The negative control: a worker whose look and whose claim are not one. No lock on the event, none on quotas, no
    wait for another worker's orders, and a pause before the claim; whatever the code looks like, these are the words it
    says to the database. It begins when everybody has come, so that several have something to decide at the same
    moment."""
    queue.BATCH = 5
    while not plan.is_over:
        time.sleep(0.01)

    def without_guards(execute: Callable, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "pg_advisory_xact_lock" in sql:
            sql, params = "SELECT 1", None
        elif sql.endswith("FOR NO KEY UPDATE") and "FROM ticketing_order WHERE" in sql:
            sql += " SKIP LOCKED"
        elif "FOR UPDATE" in sql and "ticketing_quota" in sql:
            sql = sql.replace("FOR UPDATE", "")
            result = execute(sql, params, many, context)
            time.sleep(0.05)
            return result
        return execute(sql, params, many, context)

    with connection.execute_wrapper(without_guards):
        return serve(plan)


# --- Those who change their minds ---------------------------------------------------------------------------------


class Crowd:
    """What buyers do with an order they have, one random verb at a time. Each returns whether it changed something."""

    def __init__(self, plan: Plan, who: str) -> None:
        self.plan = plan
        self.chance = plan.chance(who)

    def _any(self, *states: str) -> Order | None:
        found = Order.objects.filter(event__in=self.plan.events, state__in=states)
        count = found.count()
        which = self.chance.randrange(count) if count else 0
        return next(iter(found.order_by("pk")[which : which + 1]), None)  # one may have moved since they were counted

    def leave(self) -> bool:
        order = self._any("queued", "waiting", "offered", "reserved")
        return order is not None and ordering.cancel(order)

    def take_the_part(self) -> bool:
        order = self._any("offered")
        if order is not None:
            reservations.accept_offer(order)
        return order is not None

    def wait_for_all(self) -> bool:
        order = self._any("offered")
        if order is not None:
            reservations.decline_offer(order)
        return order is not None

    def hold_the_row(self) -> bool:
        """As whoever claims a place, or asks for more time too early: locked for a moment, and nothing moved."""
        order = self._any("waiting", "queued")
        if order is None:
            return False
        with transaction.atomic():
            Order.objects.select_for_update(no_key=True).get(pk=order.pk)
            time.sleep(self.chance.uniform(0, 0.05))
        return True

    def pay(self) -> bool:
        order = self._any("reserved")
        if order is None:
            return False
        try:
            payment = payments.start(order, "sandbox", "https://foyer.example/")
        except payments.NotPayable:
            return False
        if payment is not None:
            settle.settle(factories.notice(payment), provider="sandbox")
        return True

    def pay_late(self) -> bool:
        """Money for a hold that is over: the places are taken again, or the money goes back."""
        order = self._any("expired")
        if order is None or not order.total_minor or Payment.objects.filter(order=order).exists():
            return False
        settle.settle(factories.notice(factories.payment(order, state="cancelled")), provider="sandbox")
        return True

    def let_it_run_out(self) -> bool:
        order = self._any("reserved", "offered")
        if order is None:
            return False
        Order.objects.filter(pk=order.pk, state__in=["reserved", "offered"]).update(reserved_until=clock.now())
        return order.pk in reservations.expire_overdue(clock.now())

    def resize(self) -> bool:
        """The organiser: more places, or fewer, as far as they are not taken."""
        quota = self.chance.choice(list(Quota.objects.filter(event__in=self.plan.events)))
        try:
            reservations.resize(quota, max(0, quota.size + self.chance.randint(-4, 4)))
        except reservations.BelowTaken:
            return False
        return True


def change_minds(plan: Plan, who: str, every_seconds: float) -> Counter[str]:
    """Random verbs until the rush is over; those that must happen are tried a few seconds longer."""
    crowd, done = Crowd(plan, who), Counter[str]()
    verbs = [name for name in vars(Crowd) if not name.startswith("_")]
    until = time.monotonic() + IMPATIENT_SECONDS
    while time.monotonic() < until:
        missing = [verb for verb in MUST_HAPPEN if not done[verb]]
        if plan.is_over:
            if not missing:
                break
            until = min(until, time.monotonic() + LONGER_SECONDS)
        weights = [4 if name in missing or name in ("pay", "take_the_part") else 1 for name in verbs]
        verb = crowd.chance.choices(verbs, weights)[0]
        try:
            done[verb] += bool(getattr(crowd, verb)())
        except StaleState:
            done["somebody was faster"] += 1
        except OperationalError as error:
            if not is_passing(error):
                raise
            done["told to try again"] += 1
        time.sleep(every_seconds)
    connection.close()
    return done


def everybody(plan: Plan, serving: Callable[[Plan], Any], *, webs: int, workers: int, crowds: int) -> list[Callable]:
    """The verbs of a rush, those who come first."""
    share = plan.orders // webs
    return [
        *(partial(place, plan, number, share) for number in range(webs)),
        *(partial(serving, plan) for _ in range(workers)),
        *(partial(change_minds, plan, f"crowd {number}", 0.02) for number in range(crowds)),
    ]
