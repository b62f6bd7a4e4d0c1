"""A dispute that is opened while its guest stands at the door: whoever was let in stays let in once it is won."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connections

from apps.ticketing import changes, disputes, invariants, refunds, tickets
from apps.ticketing.extensions import Notice
from apps.ticketing.models import Order, Payment, Ticket
from apps.ticketing.payments import settle
from apps.ticketing.states import TicketState
from apps.ticketing.transitions import StaleState, move_many
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 8


def tell(order: Order, state: str) -> None:
    payment = Payment.objects.get(order=order)
    told = Notice(
        "", "dispute", f"dispute-{payment.pk}", state, payment.amount_minor, "SEK", our_id=str(payment.public_id)
    )
    disputes.settle(told, provider=payment.provider)


def at_once(*verbs: Callable[[], None]) -> list[str]:
    """Carry out all `verbs` at once, each on a connection of its own; how each ended, in their order."""
    ended = [""] * len(verbs)
    start = threading.Barrier(len(verbs))

    def run(number: int) -> None:
        try:
            start.wait(timeout=30)
            verbs[number]()
            ended[number] = "done"
        except Exception as error:
            ended[number] = type(error).__name__
        finally:
            connections.close_all()

    racers = [threading.Thread(target=run, args=[number]) for number in range(len(verbs))]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)
    return ended


def met_at_the_door(*, after: Callable[[], Any] = lambda: None) -> tuple[str, str]:
    """How the admission ended that met the dispute, `after` which it began, and what the ticket is once that is won."""
    order = factories.paid_order(1)
    ticket = Ticket.objects.get(line__order=order)

    def admit() -> None:
        after()
        tickets.use(ticket)

    opened, admitted = at_once(lambda: tell(order, "opened"), admit)
    assert opened == "done"
    tell(order, "won")
    ticket.refresh_from_db()
    return admitted, ticket.state


def test_an_admission_that_meets_a_dispute_is_kept() -> None:
    ends = {met_at_the_door() for _round in range(ROUNDS)}

    assert ends <= {("done", "used"), (StaleState.__name__, "valid")}
    assert invariants.check() == []


def test_a_block_that_reads_before_it_locks_would_lose_an_admission(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the meeting above is one in which something can be lost."""
    has_read, has_used = threading.Event(), threading.Event()

    def careless(ticket_ids: list[int], *, reason: str) -> dict[int, str]:
        were = dict(Ticket.objects.filter(pk__in=list(ticket_ids)).values_list("pk", "state"))
        has_read.set()
        has_used.wait(timeout=30)
        move_many(Ticket, were, [TicketState.VALID, TicketState.USED], TicketState.BLOCKED, reason)
        return were

    use = tickets.use

    def used(ticket: Ticket) -> None:
        use(ticket)
        has_used.set()

    monkeypatch.setattr(tickets, "block", careless)
    monkeypatch.setattr(tickets, "use", used)

    assert met_at_the_door(after=partial(has_read.wait, 30)) == ("done", "valid")


def won_at_once() -> str:
    """What becomes of a ticket when the disputes of its two payments, of itself and of its choices, are won at once."""
    order = factories.paid_order(1)
    wine = factories.choice(factories.variation(order.lines.get().ticket_type, kind="many"), delta_minor=5_000)
    ticket = Ticket.objects.get(line__order=order)
    supplement = changes.begin(order, ticket, {wine.pk: 1}, agreed_minor=5_000)
    assert supplement is not None
    paid = factories.payment(supplement)
    settle.settle(factories.notice(paid), provider=paid.provider)
    both = (order, supplement)
    for one in both:
        tell(one, "opened")

    assert at_once(*(partial(tell, one, "won") for one in both)) == ["done", "done"]
    ticket.refresh_from_db()
    return ticket.state


def test_a_ticket_whose_two_disputes_are_won_at_once_is_good_again() -> None:
    assert {won_at_once() for _round in range(ROUNDS)} == {"valid"}
    assert invariants.check() == []


def test_without_the_lock_both_would_leave_it_to_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: each looks before the other has decided, and the ticket stays blocked for good."""
    looked = threading.Barrier(2)
    restore = disputes._restore

    def after_both_have_looked(*args: Any, **values: Any) -> None:
        looked.wait(timeout=30)
        restore(*args, **values)
        looked.wait(timeout=30)

    monkeypatch.setattr(disputes, "_lock_orders", lambda payment: None)
    monkeypatch.setattr(disputes, "_restore", after_both_have_looked)

    assert won_at_once() == "blocked"


def test_a_refund_and_a_dispute_at_once_end_in_one_of_two_ways() -> None:
    """The refund was first, and the dispute finds no ticket; or the dispute was, and the refund is refused."""
    for _round in range(ROUNDS):
        order = factories.paid_order(2)
        lines = list(order.lines.all())

        opened, refunded = at_once(
            lambda order=order: tell(order, "opened"),  # type: ignore[misc]
            lambda order=order, lines=lines: refunds.order_refund(order, lines, reason="refused"),  # type: ignore[misc]
        )

        states = set(Ticket.objects.filter(line__order=order).values_list("state", flat=True))
        assert (opened, refunded, states) in [
            ("done", "done", {"revoked"}),
            ("done", refunds.Disputed.__name__, {"blocked"}),
        ]
    assert invariants.check() == []
