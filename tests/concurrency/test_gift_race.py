"""A ticket whose giver stands at the door while its recipient accepts it: exactly one of two codes is good."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from uuid import uuid4

import pytest

from apps.accounts.models import User
from apps.checkin import scans
from apps.ticketing import (
    credentials,
    gift_payments,
    giving,
    invariants,
    ordering,
    outbox,
    reservations,
    tickets,
)
from apps.ticketing.extensions import price_rules
from apps.ticketing.models import Gift, Refund, Ticket
from apps.ticketing.payments import settle
from apps.ticketing.states import TicketState
from apps.ticketing.transitions import move_many
from tests import factories
from tests.concurrency.test_dispute_race import at_once
from tests.concurrency.turns import Wait, end_of, pause, straight_away
from tests.ticketing.test_gift_payments import MORE, Members
from tests.ticketing.test_gift_payments import offered as offered_for_more

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 20


def offered() -> Gift:
    order = factories.paid_order(1)
    ticket = Ticket.objects.get(line__order=order)
    return giving.give(ticket, name="Kim Ek", email="kim@example.org")


def meet(gift: Gift, by: User, *, door_waits: Wait, recipient_waits: Wait) -> tuple[str, ...]:
    """How the scan of the giver's code and the recipient's yes ended that met, and what tickets there are then."""
    ticket = gift.ticket
    code = credentials.sign(ticket)
    verdicts: list[str] = []

    def admit() -> None:
        door_waits()
        verdicts.append(scans.admit(code, event=ticket.event, by=by, scan_id=uuid4()).outcome)

    def accept() -> None:
        recipient_waits()
        giving.accept(gift)

    _admitted, accepted = at_once(admit, accept)
    states = Ticket.objects.filter(line=ticket.line).order_by("pk").values_list("state", flat=True)
    return (verdicts[0], accepted, *states)


ONE_OF_TWO = {
    ("admitted", "CannotGive", "used"),
    ("admitted", "Over", "used"),  # the door's signal ended the offer before the recipient came to it
    ("not_valid", "done", "superseded", "valid"),
}


def test_door_and_recipient_at_once_leave_one_good_code() -> None:
    robin = factories.user()
    ends = set()
    for number in range(ROUNDS):
        late = pause(0.004 * (number % 6))
        ends.add(meet(offered(), robin, door_waits=late, recipient_waits=pause(0.012)))

    assert ends <= ONE_OF_TWO
    assert invariants.check() == []


@pytest.mark.parametrize("door_first", [True, False])
def test_both_orders(door_first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    gift = offered()
    first = end_of(monkeypatch, *((scans, "admit") if door_first else (giving, "accept")))

    door_waits, recipient_waits = (straight_away, first) if door_first else (first, straight_away)
    end = meet(gift, factories.user(), door_waits=door_waits, recipient_waits=recipient_waits)

    assert end in ONE_OF_TWO
    assert (end[0] == "admitted") is door_first


def careless_give(has_looked: threading.Event, inside: Wait) -> Callable[..., Ticket]:
    """Gives a ticket to somebody after a look that is long past."""

    def careless(ticket: Ticket, *, name: str, email: str, owner: object, reason: str, actor: object = None) -> Ticket:
        has_looked.set()
        inside()
        move_many(Ticket, [ticket.pk], [TicketState.VALID, TicketState.USED], TicketState.BLOCKED, reason)
        Ticket.objects.filter(pk=ticket.pk).update(state=TicketState.SUPERSEDED)
        return Ticket.objects.create(
            event_id=ticket.event_id,
            ticket_type_id=ticket.ticket_type_id,
            line_id=ticket.line_id,
            holder_email=email,
            issued_at=ticket.issued_at,
        )

    return careless


def test_a_recipient_who_looks_before_they_lock_would_make_two_good_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the meeting above is one in which something can go wrong."""
    has_looked = threading.Event()
    inside = end_of(monkeypatch, scans, "admit")

    careless = careless_give(has_looked, inside)
    monkeypatch.setattr(tickets, "give", careless)
    monkeypatch.setattr(giving, "_locked", lambda ticket: giving.fetched(Ticket.objects).get(pk=ticket.pk))

    end = meet(offered(), factories.user(), door_waits=lambda: has_looked.wait(30), recipient_waits=straight_away)

    assert end == ("admitted", "done", "superseded", "valid")  # the giver is in, and the recipient's code is good


def test_two_yeses_at_once_are_one() -> None:
    for _round in range(8):
        gift = offered()

        ended = at_once(lambda: giving.accept(gift), lambda: giving.accept(gift))  # noqa: B023

        assert ended == ["done", "done"]
        assert Ticket.objects.filter(line=gift.ticket.line, state="valid").count() == 1


def test_two_gifts_to_one_person_at_once_keep_to_the_limit() -> None:
    for _round in range(8):
        event = factories.event()
        kind = factories.ticket_type(event, factories.quota(event), max_per_person=1)
        gifts = [
            giving.give(
                Ticket.objects.get(line__order=factories.paid_order(1, of=kind)), name="Kim", email="kim@example.org"
            )
            for _number in range(2)
        ]

        ended = at_once(lambda: giving.accept(gifts[0]), lambda: giving.accept(gifts[1]))  # noqa: B023

        assert sorted(ended) == ["CannotGive", "done"]
        key = ordering.buyer_key(None, "kim@example.org")
        counted, _paid = reservations.owned_and_paid(event.pk, {key})
        assert sum(counted[key].values()) == 1


# --- A recipient who pays the difference -----------------------------------------------------------------------------


@pytest.fixture
def members() -> Iterator[None]:
    with price_rules.temporarily(Members()):
        yield


def paid_at_the_door(by: User, *, door_waits: Wait, bank_waits: Wait) -> tuple[object, ...]:
    """How the scan of the giver's code ended that met the recipient's payment, what tickets there are then, and what
    of the payment is kept."""
    gift = offered_for_more()
    ticket, order = gift.ticket, gift_payments.begin(gift, agreed_minor=MORE)
    code, due, line = credentials.sign(ticket), factories.payment(order), order.lines.get()
    verdicts: list[str] = []

    def admit() -> None:
        door_waits()
        verdicts.append(scans.admit(code, event=ticket.event, by=by, scan_id=uuid4()).outcome)

    def settles() -> None:
        bank_waits()
        settle.settle(factories.notice(due), provider=due.provider)
        outbox.run_called(gift_payments.key_of(line), early=True)

    _admitted, settled = at_once(admit, settles)
    outbox.run_all(kinds=[gift_payments.ACCEPT, giving.LET_GO])
    back = sum(Refund.objects.filter(payment=due).values_list("amount_minor", flat=True))
    states = Ticket.objects.filter(line=ticket.line).order_by("pk").values_list("state", flat=True)
    assert settled == "done"
    return (verdicts[0], *states, MORE - back)


PAID_OR_IN = {("admitted", "used", 0), ("not_valid", "superseded", "valid", MORE)}


@pytest.mark.usefixtures("members")
def test_door_and_the_payment_of_a_difference_at_once_leave_one_good_code_and_the_money_with_it() -> None:
    robin = factories.user()
    ends = set()
    for number in range(ROUNDS):
        ends.add(paid_at_the_door(robin, door_waits=pause(0.006 * (number % 8)), bank_waits=straight_away))

    assert ends <= PAID_OR_IN
    assert invariants.check() == []


@pytest.mark.usefixtures("members")
@pytest.mark.parametrize("door_first", [True, False])
def test_door_and_the_payment_of_a_difference_in_both_orders(door_first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    first = end_of(monkeypatch, *((scans, "admit") if door_first else (gift_payments, "complete")))

    door_waits, bank_waits = (straight_away, first) if door_first else (first, straight_away)
    end = paid_at_the_door(factories.user(), door_waits=door_waits, bank_waits=bank_waits)

    assert end == (("admitted", "used", 0) if door_first else ("not_valid", "superseded", "valid", MORE))


@pytest.mark.usefixtures("members")
def test_a_payment_that_looks_before_it_locks_would_be_kept_for_a_used_ticket(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the meeting above is one in which money can go wrong."""
    has_looked = threading.Event()
    inside = end_of(monkeypatch, scans, "admit")
    careless = careless_give(has_looked, inside)
    monkeypatch.setattr(tickets, "give", careless)
    monkeypatch.setattr(giving, "_locked", lambda ticket: giving.fetched(Ticket.objects).get(pk=ticket.pk))

    end = paid_at_the_door(factories.user(), door_waits=lambda: has_looked.wait(30), bank_waits=straight_away)

    assert end == ("admitted", "superseded", "valid", MORE)  # the giver is in, and Kim has paid for a second code


@pytest.mark.usefixtures("members")
def test_two_tabs_at_once_pay_one_difference() -> None:
    for _round in range(8):
        gift = offered_for_more()

        ended = at_once(*[partial(gift_payments.begin, gift, agreed_minor=MORE)] * 3)

        assert ended == ["done"] * 3
        assert gift.differences.count() == 1


@pytest.mark.usefixtures("members")
def test_an_offer_taken_back_while_its_recipient_begins_to_pay_leaves_nothing_to_pay() -> None:
    for number in range(ROUNDS):
        gift = offered_for_more()
        late = pause(0.002 * (number % 6))

        at_once(
            lambda: (late(), giving.cancel(gift)),  # noqa: B023
            lambda: gift_payments.begin(gift, agreed_minor=MORE),  # noqa: B023
        )
        outbox.run_all(kinds=[giving.LET_GO])

        assert not gift.differences.exclude(line__order__state="cancelled").exists()
