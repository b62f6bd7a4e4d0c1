"""Everything that moves money, in any order a machine can think of, beside a model small enough to be read at once.

The model knows orders, tickets, places and nine accounts as plain numbers; after each step the real rows, the real
books and every promise of `invariants` are compared with it. Notices are those a provider could send: late, twice,
about a payment given up long ago. PostgreSQL is the real one; each run of the machine is rolled back.
"""

from __future__ import annotations

import multiprocessing
import os
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

import pytest
from django.db import connection, connections, transaction
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from apps.accounts.prepared import Statement
from apps.ticketing import (
    books,
    clock,
    invariants,
    ledger,
    ordering,
    queue,
    refunds,
    reservations,
    sale_control,
    tickets,
)
from apps.ticketing.extensions import Notice
from apps.ticketing.models import Order, Payment, Refund, Ticket
from apps.ticketing.payments import settle
from apps.ticketing.states import PAYMENT_LIVE
from tests import factories
from tests.proofs import Proof

PLACES = 5
STEPS_A_RUN = 40
FEE = 700
PICK = st.integers(0, 10_000)


# Asked after every step, so by statements that are planned once.
ORDERS = Statement("machine_orders", ("bigint",), "SELECT id, state FROM ticketing_order WHERE event_id = $1")
TAKEN = Statement("machine_taken", ("bigint",), "SELECT taken FROM ticketing_quota WHERE id = $1")
TICKETS = Statement(
    "machine_tickets",
    ("bigint",),
    "SELECT l.order_id, l.position::int, t.state FROM ticketing_ticket t JOIN ticketing_orderline l ON l.id = t.line_id"
    " WHERE t.event_id = $1 AND t.state <> 'revoked' ORDER BY 1, 2, 3",
)
BALANCES = Statement(
    "machine_balances",
    ("bigint",),
    "SELECT CASE WHEN account IN ('revenue', 'vat') THEN 'sales' ELSE account END, sum(amount_minor)::bigint"
    " FROM ticketing_entry WHERE $1 > 0 GROUP BY 1",
)
PROMISES = Statement(  # whether each is broken; what is broken then is asked of `invariants` itself
    "machine_promises",
    ("bigint",),
    f"SELECT {', '.join(f'EXISTS ({query})' for query in invariants.PROMISES.values())} WHERE $1 > 0",
)


def said(statement: Statement, *values: Any) -> list[tuple[Any, ...]]:
    return list(statement.run(*values))


@dataclass
class ModelPayment:
    pk: int
    state: str = "open"  # open, given up, failed, captured
    bought: bool = False  # the tickets; otherwise, once captured, it is owed back
    dispute: str = ""
    were: dict[int, str] = field(default_factory=dict)  # the tickets when the dispute was opened
    lost: int = 0  # what its payer's bank took beyond what ended, and no refund stood for


@dataclass
class ModelOrder:
    pk: int
    wants: int
    price: int
    state: str
    payments: list[ModelPayment] = field(default_factory=list)
    tickets: dict[int, str] = field(default_factory=dict)  # by number, of those not ended
    given: Counter[int] = field(default_factory=Counter)  # by number, what of its price was given back

    @property
    def total(self) -> int:
        return self.wants * self.price

    @property
    def holds(self) -> int:
        return {"reserved": self.wants, "paid": len(self.tickets)}.get(self.state, 0)

    def worth(self, numbers: Iterable[int]) -> int:
        """What of these tickets' price is still kept."""
        return sum(self.price - self.given[number] for number in numbers)

    @property
    def bought(self) -> ModelPayment:
        return next(payment for payment in self.payments if payment.bought)

    @property
    def is_disputed(self) -> bool:
        return any(payment.bought and payment.dispute == "opened" for payment in self.payments)


@dataclass
class ModelRefund:
    pk: int
    payment: ModelPayment
    amount: int
    state: str = "ordered"
    owed: int = 0  # once it has failed


class MoneyMachine(RuleBasedStateMachine):
    """The house and its model, side by side. `steps` counts over all runs."""

    steps = 0
    done: Counter[str] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic._from_testcase = True  # type: ignore[attr-defined]  # to `durable` and the guard it is the test's own
        self.atomic.__enter__()
        self.orders: list[ModelOrder] = []
        self.refunds: list[ModelRefund] = []
        self.accounts: Counter[str] = Counter()
        self.told: list[tuple[Notice, str]] = []

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)
        sale_control.forget()

    @initialize()
    def open_house(self) -> None:
        self.event = factories.event()
        quota = factories.quota(self.event, PLACES)
        self.quota = quota.pk
        self.kinds = [
            factories.ticket_type(self.event, quota, price_minor=9_999, vat_percent=25),
            factories.ticket_type(
                self.event, quota, price_minor=34_501, vat_percent=12, vat_split=[["6.00", 10_001], ["0.00", 333]]
            ),
        ]

    # --- What the model thinks ---------------------------------------------------------------------------------------

    @property
    def free(self) -> int:
        return PLACES - sum(order.holds for order in self.orders)

    def serve(self) -> None:
        """Whoever waits is served by rank; an order that does not fit is passed by."""
        queue.drain(self.event.pk)
        for order in self.orders:
            if order.state == "waiting" and order.wants <= self.free:
                order.state = "reserved"

    def book(self, **sides: int) -> None:
        assert sum(sides.values()) == 0
        self.accounts.update(sides)

    def some(self, fits: Callable[[ModelOrder], bool]) -> list[ModelOrder]:
        return [order for order in self.orders if fits(order)]

    def payments(self, fits: Callable[[ModelPayment], bool]) -> list[tuple[ModelOrder, ModelPayment]]:
        return [(order, payment) for order in self.orders for payment in order.payments if fits(payment)]

    def tell(self, notice: Notice) -> None:
        self.told.append((notice, "sandbox"))
        settle.settle(notice, provider="sandbox")

    def notice_of(self, payment: ModelPayment, state: str) -> Notice:
        return factories.notice(Payment.objects.get(pk=payment.pk), state)

    # --- Buying ------------------------------------------------------------------------------------------------------

    @rule(number=st.integers(1, 3), which=PICK)
    def buy(self, number: int, which: int) -> None:
        kind = self.kinds[which % 2]
        placed = factories.order(self.event, factories.wanted(kind, number), fewer_is_fine=False)
        self.orders.append(ModelOrder(placed.pk, number, kind.price_minor, "waiting"))
        self.serve()

    @precondition(lambda self: self.some(lambda order: order.state == "reserved"))
    @rule(which=PICK)
    def begin_to_pay(self, which: int) -> None:
        reserved = self.some(lambda order: order.state == "reserved")
        order = reserved[which % len(reserved)]
        row = Order.objects.get(pk=order.pk)
        for payment in order.payments:
            if payment.state == "open":  # the buyer chose another way
                settle.give_up(row, Payment.objects.get(pk=payment.pk))
                payment.state = "given up"
        order.payments.append(ModelPayment(factories.payment(row).pk))

    @precondition(lambda self: self.payments(lambda payment: payment.state == "open"))
    @rule(which=PICK)
    def decline(self, which: int) -> None:
        found = self.payments(lambda payment: payment.state == "open")
        _order, payment = found[which % len(found)]
        self.tell(self.notice_of(payment, "failed"))
        payment.state = "failed"

    @precondition(lambda self: self.payments(lambda payment: payment.state != "captured"))
    @rule(which=PICK)
    def capture(self, which: int) -> None:
        """In time, or late: after the hold, after the buyer left, or a second time for the same order."""
        found = self.payments(lambda payment: payment.state != "captured")
        order, payment = found[which % len(found)]
        self.tell(self.notice_of(payment, "captured"))
        payment.state = "captured"
        payment.bought = order.state == "reserved" or (order.state == "expired" and order.wants <= self.free)
        self.done["late money placed" if order.state == "expired" and payment.bought else "captured"] += 1
        if not payment.bought:
            self.done["sent back by itself"] += 1
            self.book(clearing=order.total, buyer_refundable=-order.total)
            self.refunds.append(ModelRefund(Refund.objects.get(payment=payment.pk).pk, payment, order.total))
            return
        order.state = "paid"
        order.tickets = dict.fromkeys(range(order.wants), "valid")
        self.book(clearing=order.total, sales=-order.total)
        for other in order.payments:
            if other.state == "open":
                other.state = "given up"

    @precondition(lambda self: self.some(lambda order: order.state == "reserved"))
    @rule(which=PICK)
    def expire(self, which: int) -> None:
        reserved = self.some(lambda order: order.state == "reserved")
        order = reserved[which % len(reserved)]
        past = clock.now() - timedelta(seconds=1)
        Order.objects.filter(pk=order.pk).update(reserved_until=past)
        for live in Payment.objects.filter(order=order.pk, state__in=PAYMENT_LIVE):
            settle.give_up(live.order, live)
        assert reservations.expire_overdue(clock.now()) == [order.pk]
        order.state = "expired"
        for payment in order.payments:
            if payment.state == "open":
                payment.state = "given up"

    @precondition(lambda self: self.some(lambda order: order.state in ("reserved", "waiting")))
    @rule(which=PICK)
    def cancel(self, which: int) -> None:
        found = self.some(lambda order: order.state in ("reserved", "waiting"))
        order = found[which % len(found)]
        assert ordering.cancel(Order.objects.get(pk=order.pk))
        order.state = "cancelled"
        for payment in order.payments:
            if payment.state == "open":
                payment.state = "given up"

    @rule()
    def serve_the_queue(self) -> None:
        self.serve()

    # --- At the door and on the market -------------------------------------------------------------------------------

    @precondition(lambda self: self.some(lambda order: order.state == "paid"))
    @rule(which=PICK, move=st.sampled_from(["use", "hold", "return"]))
    def move_a_ticket(self, which: int, move: str) -> None:
        paid = self.some(lambda order: order.state == "paid")
        order = paid[which % len(paid)]
        number = sorted(order.tickets)[which % len(order.tickets)]
        row = Ticket.objects.get(line__order=order.pk, line__position=number)
        was = order.tickets[number]
        if move == "use" and was == "valid":
            tickets.use(row)
            order.tickets[number] = "used"
        elif move == "hold":
            assert tickets.hold([row.pk]) == ([row.pk] if was == "valid" else [])
            order.tickets[number] = "held" if was == "valid" else was
        elif move == "return" and was == "used":
            tickets.unuse(row, reason="undone")
            order.tickets[number] = "valid"

    # --- Money back --------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.some(lambda order: order.state == "paid"))
    @rule(which=PICK, number=st.integers(1, 3), keeps_fee=st.booleans())
    def refund(self, which: int, number: int, keeps_fee: bool) -> None:
        paid = self.some(lambda order: order.state == "paid")
        order = paid[which % len(paid)]
        row, ending = Order.objects.get(pk=order.pk), sorted(order.tickets)[:number]
        worth = order.worth(ending)
        fee = FEE if keeps_fee and worth >= FEE else 0
        lines = list(row.lines.filter(position__in=ending))
        if order.is_disputed:
            with pytest.raises(refunds.Disputed):
                refunds.order_refund(row, lines, reason="refused", fee_minor=fee)
            return
        ordered = refunds.order_refund(row, lines, reason="refused", fee_minor=fee)
        assert (ordered is not None) == (worth > fee)
        self.book(sales=worth, buyer_refundable=fee - worth, fee=-fee)
        if ordered is not None:
            self.refunds.append(ModelRefund(ordered.pk, order.bought, worth - fee))
        for number in ending:
            del order.tickets[number]
        order.state = "paid" if order.tickets else "refunded"

    @precondition(lambda self: self.some(lambda order: order.state == "paid"))
    @rule(which=PICK, percent=st.integers(1, 100))
    def give_a_part_back(self, which: int, percent: int) -> None:
        paid = self.some(lambda order: order.state == "paid")
        order = paid[which % len(paid)]
        number = sorted(order.tickets)[which % len(order.tickets)]
        row = Order.objects.get(pk=order.pk)
        line = row.lines.get(position=number)
        amount = max(1, order.worth([number]) * percent // 100)
        if order.is_disputed or not order.worth([number]):
            with pytest.raises(refunds.Disputed if order.is_disputed else refunds.MoreThanLeft):
                refunds.give_back(row, line, amount, note="cold soup")
            return
        given = refunds.give_back(row, line, amount, note="cold soup")
        order.given[number] += amount
        self.done["part given back"] += 1
        self.book(sales=amount, buyer_refundable=-amount)
        self.refunds.append(ModelRefund(given.pk, order.bought, amount))

    @precondition(lambda self: self.refunds)
    @rule(which=PICK, state=st.sampled_from(["pending", "done", "done", "failed", "unknown"]))
    def answer_a_refund(self, which: int, state: str) -> None:
        refund = self.refunds[which % len(self.refunds)]
        row = Refund.objects.get(pk=refund.pk)
        self.tell(Notice("", "refund", f"back-{row.pk}", state, refund.amount, "SEK", our_id=str(row.public_id)))
        if refund.state == "done" and state == "failed":
            self.book(buyer_refundable=-refund.amount, clearing=refund.amount)
        elif refund.state in ("done", "failed") or (state == "unknown" and refund.state == "unknown"):
            return
        if state == "done":
            self.book(buyer_refundable=refund.amount, clearing=-refund.amount)
        refund.state = state
        if state == "failed":
            refund.owed = refund.amount
            self.cover(refund.payment)

    def cover(self, payment: ModelPayment) -> None:
        """Nobody is owed what their bank has sent them."""
        for refund in self.refunds:
            if refund.payment is payment and (part := min(payment.lost, refund.owed)):
                payment.lost -= part
                refund.owed -= part
                self.done["debt paid by the bank"] += 1
                self.book(buyer_refundable=part, loss=-part)

    @precondition(lambda self: any(refund.owed for refund in self.refunds))
    @rule(which=PICK, otherwise=st.booleans())
    def see_to_a_debt(self, which: int, otherwise: bool) -> None:
        owed = [refund for refund in self.refunds if refund.owed]
        refund = owed[which % len(owed)]
        row = Refund.objects.get(pk=refund.pk)
        if otherwise:
            refunds.pay_otherwise(row, note="by hand")
            self.book(buyer_refundable=refund.owed, outside=-refund.owed)
        elif refund.payment.dispute == "opened":
            with pytest.raises(refunds.Disputed):
                refunds.send_again(row)
            return
        else:
            self.done["sent again"] += 1
            self.refunds.append(ModelRefund(refunds.send_again(row).pk, refund.payment, refund.owed))
        refund.owed = 0

    # --- Disputes ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.payments(lambda payment: payment.state == "captured"))
    @rule(which=PICK, state=st.sampled_from(["opened", "opened", "won", "lost"]))
    def dispute(self, which: int, state: str) -> None:
        """News of one dispute for each payment: opened, won or lost, in whatever order they come."""
        found = self.payments(lambda payment: payment.state == "captured")
        order, payment = found[which % len(found)]
        row = Payment.objects.get(pk=payment.pk)
        self.tell(Notice("", "dispute", f"dispute-{row.pk}", state, order.total, "SEK", our_id=str(row.public_id)))
        is_theirs = payment.bought and order.state == "paid"
        if not payment.dispute:
            payment.dispute = "opened"
            self.book(dispute=order.total, clearing=-order.total)
            if is_theirs:
                # Blocking ends a hold for good: its buyer may be gone when the bank has decided.
                payment.were = {number: "valid" if was == "held" else was for number, was in order.tickets.items()}
                order.tickets = dict.fromkeys(order.tickets, "blocked")
        if payment.dispute != "opened" or state == "opened":
            return
        payment.dispute = state
        self.done[f"dispute {state}"] += 1
        if state == "won":
            self.book(dispute=-order.total, clearing=order.total)
            order.tickets = payment.were or order.tickets
            return
        worth = order.worth(order.tickets) if is_theirs else 0
        self.book(dispute=-order.total, sales=worth, loss=order.total - worth)
        if is_theirs:
            order.tickets, order.state = {}, "refunded"
        payment.lost += order.total - worth
        self.cover(payment)

    # --- And all that was said, said again ---------------------------------------------------------------------------

    @precondition(lambda self: self.told)
    @rule(which=PICK)
    def replay(self, which: int) -> None:
        notice, provider = self.told[which % len(self.told)]
        if notice.kind == "refund":
            refund = next(one for one in self.refunds if str(Refund.objects.get(pk=one.pk).public_id) == notice.our_id)
            if refund.state not in ("done", "failed"):
                return  # not yet at its end: news, not a replay
        if notice.kind == "payment" and notice.state == "failed":
            payment = Payment.objects.get(public_id=notice.our_id)
            if payment.state in PAYMENT_LIVE:
                return
        if notice.kind == "dispute" and notice.state != "opened":
            assert all(
                p.dispute in ("won", "lost") for _o, p in self.payments(lambda p: f"dispute-{p.pk}" == notice.reference)
            )
        settle.settle(notice, provider=provider)

    # --- After each step ---------------------------------------------------------------------------------------------

    @invariant()
    def the_house_is_as_the_model_says(self) -> None:
        type(self).steps += 1
        assert dict(said(ORDERS, self.event.pk)) == {order.pk: order.state for order in self.orders}
        assert said(TAKEN, self.quota) == [(PLACES - self.free,)]
        alive = ((order.pk, number, was) for order in self.orders for number, was in order.tickets.items())
        assert said(TICKETS, self.event.pk) == sorted(alive)

    @invariant()
    def the_books_are_as_the_model_says(self) -> None:
        booked = Counter(dict(said(BALANCES, 1)))
        assert {name: minor for name, minor in booked.items() if minor} == {
            name: minor for name, minor in self.accounts.items() if minor
        }
        assert sum(booked.values()) == 0
        for page in books.of_event(self.event):
            assert page.result == page.held == -sum(booked[name] for name in ("sales", "fee", "loss"))
            assert (page.to_pay_out, page.owed_to_buyers) == (booked["clearing"], booked["buyer_refundable"])

    @invariant()
    def every_promise_is_kept(self) -> None:
        if any(said(PROMISES, 1)[0]):
            assert invariants.check() == []


PAID = [("buy", 2, 1), ("begin_to_pay", 0), ("capture", 0)]
WON = [*PAID, ("move_a_ticket", 0, "use"), ("dispute", 0, "opened"), ("dispute", 0, "won")]
LATE = [("buy", 2, 0), ("begin_to_pay", 0), ("expire", 0), ("capture", 0)]
TWICE = [("buy", 2, 0), ("begin_to_pay", 0), ("begin_to_pay", 0), ("capture", 0), ("capture", 0)]
LOST = [*PAID, ("dispute", 0, "opened"), ("dispute", 0, "lost")]
PART = [*PAID, ("give_a_part_back", 0, 50), ("answer_a_refund", 0, "done")]
DEBT = [*PAID, ("refund", 0, 1, False), ("answer_a_refund", 0, "failed")]
COVERED = [*DEBT, ("dispute", 0, "opened"), ("dispute", 0, "lost")]
AGAIN = [*DEBT, ("see_to_a_debt", 0, False)]
RARE = (WON, LOST, LATE, TWICE, PART, COVERED, AGAIN)  # what chance alone may leave out of two thousand steps


def play(steps: list[tuple]) -> None:
    """These steps by hand, looked at after each as the machine does."""
    machine = MoneyMachine()
    try:
        machine.open_house()
        for name, *chosen in steps:
            getattr(machine, name)(*chosen)
            machine.the_house_is_as_the_model_says()
            machine.the_books_are_as_the_model_says()
            machine.every_promise_is_kept()
    finally:
        machine.teardown()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("steps", "where", "name", "wrong"),
    [
        (WON, ledger, "dispute_won", lambda order, dispute: True),
        (WON, tickets, "unblock", lambda were, reason: []),
        (LATE, reservations, "retake", lambda order: False),
        (TWICE, refunds, "send_back", lambda order, payment, reason: None),
        (COVERED, refunds, "cover", lambda order, payment: None),
    ],
    ids=[
        "a fact not booked",
        "tickets left blocked",
        "late money not placed",
        "money kept that bought nothing",
        "money owed twice",
    ],  # fmt: skip
)
def test_the_model_notices(
    steps: list[tuple], where: Any, name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(steps)
    monkeypatch.setattr(where, name, wrong)

    with pytest.raises((AssertionError, Refund.DoesNotExist)):
        play(steps)


@pytest.mark.django_db
@pytest.mark.proof(
    "money_machine",
    what="Orders, places, tickets and books agree with the model after every step, whatever happens to the money",
    full=50_000,
    small=2_000,
)
def test_money_agrees_with_the_model_after_every_step(proof: Proof) -> None:
    """At its full size by as many processes as there are cores, each with a connection and a seed of its own."""
    assert not connection.needs_rollback
    MoneyMachine.steps, MoneyMachine.done = 0, Counter()
    for steps in RARE:
        play(steps)
    others = (os.cpu_count() or 1) - 1 if proof.size == "full" else 0
    share = (proof.n - MoneyMachine.steps) // (others + 1) + 1
    elsewhere = [Elsewhere(share, proof.seed + 1_000 * number) for number in range(1, others + 1)]
    walk(share, proof.seed)
    for one in elsewhere:
        walked, done = one.wait()
        MoneyMachine.steps += walked
        MoneyMachine.done += done

    assert MoneyMachine.steps >= proof.n
    proof.record(steps=MoneyMachine.steps, **{name.replace(" ", "_"): n for name, n in MoneyMachine.done.items()})
    rare = (
        "late money placed", "sent back by itself", "dispute won", "dispute lost", "part given back", "sent again",
        "debt paid by the bank",
    )  # fmt: skip
    assert all(MoneyMachine.done[name] for name in ("captured", *rare))


def walk(steps: int, from_seed: int) -> None:
    """At least so many steps, whatever hypothesis chooses. Raises what does not agree."""
    until, turns = MoneyMachine.steps + steps, 0
    while MoneyMachine.steps < until:
        left = until - MoneyMachine.steps
        run_state_machine_as_test(
            seed(from_seed + turns)(MoneyMachine),
            settings=settings(
                max_examples=max(1, left // STEPS_A_RUN),
                stateful_step_count=STEPS_A_RUN,
                deadline=None,
                database=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            ),
        )
        turns += 1


class Elsewhere:
    """A walk in a process beside this one. Every run is rolled back, so neither sees what the other does."""

    def __init__(self, steps: int, from_seed: int) -> None:
        self._answer, answer = multiprocessing.Pipe(duplex=False)
        self._process = multiprocessing.get_context("fork").Process(target=self._run, args=(answer, steps, from_seed))
        self._process.start()
        answer.close()

    def wait(self) -> tuple[int, Counter[str]]:
        """How many steps were made and what was done. Raises AssertionError with what did not agree there."""
        try:
            steps, done, wrong = self._answer.recv()
        except EOFError:
            steps, done, wrong = 0, Counter(), "the process ended before it had an answer"
        self._process.join()
        assert not wrong, wrong
        return steps, done

    @staticmethod
    def _run(answer: Connection, steps: int, from_seed: int) -> None:
        _inherited = connections["default"]  # the parent's: held, since closing it here would end it there
        connections["default"] = connections.create_connection("default")
        MoneyMachine.steps, MoneyMachine.done, wrong = 0, Counter(), ""
        try:
            walk(steps, from_seed)
        except BaseException:
            wrong = traceback.format_exc()
        answer.send((MoneyMachine.steps, MoneyMachine.done, wrong))
        answer.close()
        os._exit(0)  # neither that connection nor pytest is to be wound up here
