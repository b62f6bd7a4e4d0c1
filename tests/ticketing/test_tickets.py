"""Issuing, using, holding and revoking tickets."""

from __future__ import annotations

import threading

import pytest
from django.db import connections

from apps.ticketing import fulfilment, signals, tickets
from apps.ticketing.models import AuditEntry, OrderLine, Ticket
from apps.ticketing.transitions import StaleState
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def order():
    return factories.paid_order(3)


def test_issue_gives_each_line_one_ticket_in_the_name_of_the_buyer(promises_kept):
    order = factories.reserved_order(2)
    order.name = "Alva Exempelsson"
    order.save()
    OrderLine.objects.filter(order=order, position=1).update(guest_name="Kim")
    due = factories.payment(order)
    factories.settle.settle(factories.notice(due), provider="sandbox")

    issued = list(Ticket.objects.filter(line__order=order).order_by("line__position"))

    assert [(ticket.holder_name, ticket.holder_email, ticket.state) for ticket in issued] == [
        ("Alva Exempelsson", order.email, "valid"),
        ("Kim", order.email, "valid"),
    ]
    assert {ticket.event for ticket in issued} == {order.event}


def test_issue_repeated_gives_the_same_tickets(order):
    lines = list(order.lines.select_related("order"))
    first = tickets.issue(lines)

    assert [ticket.pk for ticket in tickets.issue(lines)] == [ticket.pk for ticket in first]
    assert Ticket.objects.filter(line__order=order).count() == 3


@pytest.mark.parametrize("state", ["superseded", "revoked"])
def test_issue_gives_no_second_ticket_for_a_line_whose_first_one_is_over(order, state):
    Ticket.objects.filter(line__order=order).update(state=state)

    assert fulfilment.fulfil(order) == []
    assert Ticket.objects.filter(line__order=order).count() == 3


def test_issue_draws_again_when_a_short_code_is_taken(order, monkeypatch):
    taken = order.lines.first().tickets.get().short_code
    Ticket.objects.filter(line=order.lines.last()).delete()
    drawn = iter([taken, taken, "AAAAAA"])
    monkeypatch.setattr(tickets, "new_short_code", lambda: next(drawn))

    fulfilment.fulfil(order)

    assert order.lines.last().tickets.get().short_code == "AAAAAA"


def test_issue_gives_up_when_no_short_code_is_free(order, monkeypatch):
    taken = order.lines.first().tickets.get().short_code
    Ticket.objects.filter(line=order.lines.last()).delete()
    monkeypatch.setattr(tickets, "new_short_code", lambda: taken)

    with pytest.raises(tickets.NoCodeLeft):
        fulfilment.fulfil(order)


def test_issue_takes_as_many_queries_for_one_line_as_for_six(django_assert_num_queries):
    orders = [factories.paid_order(number) for number in (1, 6)]
    for order in orders:
        lines = list(order.lines.select_related("order"))
        Ticket.objects.filter(line__order=order).delete()

        with django_assert_num_queries(4):  # who has one, insert, the tickets, which of them the door is to look at
            tickets.issue(lines)


def test_issue_announces_the_new_tickets_after_commit(django_capture_on_commit_callbacks):
    told = []
    order = factories.paid_order(2)
    Ticket.objects.filter(line__order=order).delete()

    def hear(ids, **_):
        told.append(ids)

    signals.tickets_issued.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            issued = fulfilment.fulfil(order)
            fulfilment.fulfil(order)
    finally:
        signals.tickets_issued.disconnect(hear)

    assert told == [[ticket.pk for ticket in issued]]


def test_use_and_unuse_are_audited(order):
    ticket = Ticket.objects.filter(line__order=order).first()
    person = factories.user()

    tickets.use(ticket, actor=person)
    tickets.unuse(ticket, reason="wrong guest", actor=person)

    assert ticket.state == "valid"
    moves = AuditEntry.objects.filter(model="ticketing.ticket", row_id=ticket.pk)
    assert list(moves.values_list("old", "new", "reason", "actor")) == [
        ("valid", "used", "", person.pk),
        ("used", "valid", "wrong guest", person.pk),
    ]


def test_use_refuses_a_ticket_that_is_being_bought(order):
    ticket = Ticket.objects.filter(line__order=order).first()
    assert tickets.hold([ticket.pk]) == [ticket.pk]

    with pytest.raises(StaleState):
        tickets.use(ticket)

    assert tickets.let_go([ticket.pk]) == [ticket.pk]


def test_revoke_ends_living_tickets_once(order):
    ids = list(Ticket.objects.filter(line__order=order).values_list("pk", flat=True))
    tickets.use(Ticket.objects.get(pk=ids[1]))

    assert tickets.revoke(ids, reason="refused") == ids
    assert tickets.revoke(ids, reason="refused") == []


@pytest.mark.django_db(transaction=True)
def test_door_and_marketplace_contend_for_one_row_and_one_wins():
    order = factories.paid_order(5)
    won: list[str] = []
    for ticket in Ticket.objects.filter(line__order=order):
        start = threading.Barrier(2)

        def enter(pk=ticket.pk, start=start):
            start.wait()
            try:
                tickets.use(Ticket.objects.get(pk=pk))
                won.append("door")
            except StaleState:
                pass
            finally:
                connections.close_all()

        def buy(pk=ticket.pk, start=start):
            start.wait()
            if tickets.hold([pk]):
                won.append("marketplace")
            connections.close_all()

        racers = [threading.Thread(target=enter), threading.Thread(target=buy)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()

    assert len(won) == 5
    assert sorted(Ticket.objects.filter(line__order=order).values_list("state", flat=True)) == sorted(
        {"door": "used", "marketplace": "held"}[winner] for winner in won
    )
