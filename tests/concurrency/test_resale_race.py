"""A seller who stands at the door while somebody buys their ticket, and a crowd that wants one listing: one wins."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from uuid import uuid4

import pytest
from django.db import connections

from apps.accounts.models import User
from apps.checkin import scans
from apps.resale import buying, reasons
from apps.resale.fulfilment import Resale
from apps.resale.models import Listing
from apps.ticketing import credentials, invariants, queue, tickets
from apps.ticketing.allocation import Room
from apps.ticketing.models import Order, Ticket, TicketType
from apps.ticketing.states import TicketState
from tests import factories
from tests.concurrency.test_dispute_race import at_once
from tests.concurrency.turns import Wait, end_of, pause, straight_away
from tests.proofs import Proof
from tests.resale import houses

pytestmark = pytest.mark.django_db(transaction=True)

# How the door and the buyer's order may end, and what codes there are then.
ONE_OF_TWO = {("admitted", "rejected", "used"), ("not_valid", "reserved", "held")}


def hall(places: int) -> TicketType:
    event = factories.event()
    return factories.ticket_type(event, factories.quota(event, places))


def for_sale(kind: TicketType) -> Listing:
    order = houses.pay(factories.reserved_order(1, of=kind))
    return houses.listed(houses.ticket_of(order))


def meet(listing: Listing, by: User, *, door_waits: Wait, sale_waits: Wait) -> tuple[str, str, str]:
    """The seller's code is scanned while the queue decides of who would buy, each after its wait: the verdict, the
    order, the ticket."""
    ticket = listing.ticket
    code, verdicts = credentials.sign(ticket), []
    order = buying.buy([listing], email=f"{uuid4().hex}@example.org", idempotency_key=uuid4().hex)

    def admit() -> None:
        door_waits()
        verdicts.append(scans.admit(code, event=ticket.event, by=by, scan_id=uuid4()).outcome)

    def sell() -> None:
        sale_waits()
        queue.drain(order.event_id)

    assert at_once(admit, sell) == ["done", "done"]
    order.refresh_from_db()
    ticket.refresh_from_db()
    return verdicts[0], order.state, ticket.state


def pay_at_the_door(listing: Listing, by: User) -> tuple[str, list[str]]:
    """The buyer's money arrives while the seller's code is scanned: the verdict, and what became of both tickets."""
    ticket, verdicts = listing.ticket, []
    code = credentials.sign(ticket)
    order = Order.objects.get(lines__listings=listing)

    def admit() -> None:
        verdicts.append(scans.admit(code, event=ticket.event, by=by, scan_id=uuid4()).outcome)

    assert at_once(admit, lambda: houses.pay(order)) == ["done", "done"]
    states = Ticket.objects.filter(line__in=[ticket.line_id, *order.lines.values_list("pk", flat=True)])
    return verdicts[0], list(states.order_by("pk").values_list("state", flat=True))


@pytest.mark.proof(
    "door_or_sale",
    what="Door and sale at the same instant, in both orders: exactly one of them wins",
    full=1_000,
    small=24,
)
def test_door_and_sale_at_once_have_one_winner(proof: Proof) -> None:
    robin, kind = factories.user(), hall(proof.n)
    met: Counter[tuple[str, str, str]] = Counter()
    late, step, last = (
        0.0,
        0.002,
        ("", "", ""),
    )  # by how many seconds the door is late: more after each time it won, to meet at one instant
    for _ in range(proof.n):
        listing = for_sale(kind)
        shift = late + proof.random.uniform(-0.002, 0.002)
        end = meet(listing, robin, door_waits=pause(shift), sale_waits=pause(-shift))
        step = min(0.1, step * 1.5) if end == last else max(0.001, step / 2)
        late, last = late + (step if end[0] == "admitted" else -step), end
        met[end] += 1
        if end[0] == "not_valid":
            assert pay_at_the_door(listing, robin) == ("not_valid", ["superseded", "valid"])

    assert set(met) == ONE_OF_TWO, "each must win now and then, or nothing was raced"
    assert invariants.check() == []
    proof.record(door_won=met["admitted", "rejected", "used"], sale_won=met["not_valid", "reserved", "held"])


@pytest.mark.parametrize("door_first", [True, False])
def test_whoever_comes_clearly_first_wins(door_first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = for_sale(hall(1))
    first = end_of(monkeypatch, *((scans, "admit") if door_first else (queue, "drain")))

    door_waits, sale_waits = (straight_away, first) if door_first else (first, straight_away)
    end = meet(listing, factories.user(), door_waits=door_waits, sale_waits=sale_waits)

    assert end in ONE_OF_TWO
    assert (end[0] == "admitted") is door_first


def test_a_sale_that_looks_before_it_holds_would_sell_a_ticket_that_was_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the meeting above is one in which something can go wrong."""
    has_looked = threading.Event()
    inside = end_of(monkeypatch, scans, "admit")

    def look(self: Resale, subjects: Sequence[str]) -> dict[str, Listing]:
        rows = Listing.objects.filter(public_id__in=subjects).select_related("ticket__line__order", "event")
        seen = {str(listing.public_id): listing for listing in rows}
        has_looked.set()
        inside()
        return seen

    def hold(ticket_ids: Sequence[int], *, reason: str = "") -> list[int]:
        Ticket.objects.filter(pk__in=ticket_ids).update(state=TicketState.HELD)
        return list(ticket_ids)

    monkeypatch.setattr(Resale, "_locked", look)
    monkeypatch.setattr(tickets, "hold", hold)

    end = meet(for_sale(hall(1)), factories.user(), door_waits=lambda: has_looked.wait(30), sale_waits=straight_away)

    assert end == ("admitted", "reserved", "held")  # the seller is in, and their place is sold


def crowd(listing: Listing, number: int) -> Counter[tuple[str, str]]:
    """So many buyers of one listing, eight at a time, while two workers decide; what became of their orders."""
    over = threading.Event()

    def come(turn: int) -> None:
        for one in range(turn, number, 8):
            buying.buy([listing], email=f"racer-{one}@example.org", idempotency_key=f"race-{listing.pk}-{one:04d}")

    def work() -> None:
        try:
            while not over.is_set():
                queue.drain(listing.event_id)
                time.sleep(0.01)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        assert at_once(*(lambda turn=turn: come(turn) for turn in range(8))) == ["done"] * 8
    finally:
        over.set()
        for worker in workers:
            worker.join(60)
    queue.drain(listing.event_id)
    return Counter(Order.objects.filter(lines__subject=str(listing.public_id)).values_list("state", "reason"))


@pytest.mark.proof(
    "one_listing",
    what="A crowd that wants one listing: one gets it, all others are told at once that somebody was faster",
    full=500,
    small=40,
)
def test_one_of_a_crowd_gets_a_listing(proof: Proof) -> None:
    begun = time.monotonic()
    decided = crowd(for_sale(hall(1)), proof.n)

    assert decided == {("reserved", ""): 1, ("rejected", reasons.LISTING_TAKEN): proof.n - 1}
    assert invariants.check() == []
    proof.record(decided_seconds=round(time.monotonic() - begun, 1))


def test_without_the_guard_a_crowd_would_get_one_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the crowd comes early enough to be sold one place many times over."""
    monkeypatch.setattr(Resale, "refusals", lambda self, lines: {})
    monkeypatch.setattr(Resale, "reserve", lambda self, lines: None)
    monkeypatch.setattr(Room, "has_given", lambda self, line: False)

    assert crowd(for_sale(hall(1)), 12)["reserved", ""] == 12
