"""A dispute that is opened while its guest stands at the door: whoever was let in stays let in once it is won."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connections

from apps.ticketing import disputes, invariants, refunds, tickets
from apps.ticketing.extensions import Notice
from apps.ticketing.models import Order, Payment, Ticket
from apps.ticketing.states import TicketState
from apps.ticketing.transitions import StaleState, move_many
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 8


def tell(order: Order, state: str) -> None:
    payment = Payment.objects.get(order=order)
    told = Notice("", "dispute", "dispute-1", state, payment.amount_minor, "SEK", our_id=str(payment.public_id))
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


def met_at_the_door(*, after_seconds: float = 0) -> tuple[str, str]:
    """How the admission ended that met the dispute, and what the ticket is once the dispute is won."""
    order = factories.paid_order(1)
    ticket = Ticket.objects.get(line__order=order)

    def admit() -> None:
        time.sleep(after_seconds)
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

    def careless(ticket_ids: list[int], *, reason: str) -> dict[int, str]:
        were = dict(Ticket.objects.filter(pk__in=list(ticket_ids)).values_list("pk", "state"))
        time.sleep(0.5)
        move_many(Ticket, were, [TicketState.VALID, TicketState.USED], TicketState.BLOCKED, reason)
        return were

    monkeypatch.setattr(tickets, "block", careless)

    assert met_at_the_door(after_seconds=0.2) == ("done", "valid")


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
