"""One, some or all of an order at once."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from apps.checkin import crowds, scans
from apps.checkin.models import Scan
from apps.ticketing import clock
from apps.ticketing.models import Gift, LineChoice, OrderLine, Ticket
from tests import factories
from tests.checkin.conftest import Evening


def admit(evening: Evening, tickets: list[Ticket], **values: object) -> list[scans.Verdict]:
    facts = {"event": evening.event, "by": evening.robin, "scan_id": uuid4(), **values}
    return scans.admit_order([ticket.public_id for ticket in tickets], **facts)  # type: ignore[arg-type]


def states(tickets: list[Ticket]) -> list[str]:
    return [Ticket.objects.get(pk=ticket.pk).state for ticket in tickets]


@pytest.fixture
def adult_evening(evening: Evening) -> Evening:
    type(evening.dinner).objects.filter(pk=evening.dinner.pk).update(minimum_age=18, needs_id=True)
    return evening


def test_verdict_names_the_others_of_the_order(evening: Evening) -> None:
    first, second, third, gone = evening.tickets(4)
    choice = factories.choice(factories.variation(evening.dinner), name_sv="Cider", name_en="Cider")
    LineChoice.objects.create(line=second.line, choice=choice)
    Ticket.objects.filter(pk=gone.pk).update(state="revoked")
    scans.admit(third.short_code, event=evening.event, by=evening.robin)

    with override("en"):
        verdict = scans.admit(first.short_code, event=evening.event, by=evening.robin)
        again = scans.admit(first.short_code, event=evening.event, by=evening.robin)

    (other,) = verdict.others
    assert (other.ticket, other.initials, other.choices) == (second.public_id, "A. E.", ("Cider",))
    assert (other.type_name, other.minimum_age, other.needs_id) == ("Dinner", None, False)
    assert (again.outcome, again.others) == ("already_in", verdict.others)


def given_away(ticket: Ticket, to: str, *, asks_proof: bool = False) -> Ticket:
    """A ticket as it is once somebody has taken it: a new one of theirs, at the same place of the order."""
    Ticket.objects.filter(pk=ticket.pk).update(state="superseded")
    OrderLine.objects.filter(pk=ticket.line_id).update(owner_key=to)
    new = Ticket.objects.create(
        event=ticket.event, ticket_type=ticket.ticket_type, line=ticket.line, issued_at=ticket.issued_at, holder_name=to
    )
    facts = {"state": "accepted", "asks_proof": asks_proof, "until": clock.now(), "answered_at": clock.now()}
    Gift.objects.create(ticket=ticket, became=new, given_at=clock.now(), **facts)
    return new


def test_what_was_given_away_comes_with_its_new_owner(evening: Evening) -> None:
    first, second, third, fourth = evening.tickets(4)
    sams = [given_away(third, "Sam"), given_away(fourth, "Sam", asks_proof=True)]

    buyers = scans.admit(first.short_code, event=evening.event, by=evening.robin)
    given = scans.admit(sams[0].short_code, event=evening.event, by=evening.robin)

    assert [other.ticket for other in buyers.others] == [second.public_id]
    assert (buyers.number, buyers.of, given.number, given.of) == (1, 2, 1, 2)
    assert [(other.ticket, other.asks_proof) for other in given.others] == [(sams[1].public_id, True)]


def test_a_proof_is_asked_of_those_who_owe_one(evening: Evening, client: Client) -> None:
    client.force_login(evening.robin)
    client.cookies["language"] = "en"
    sams = [given_away(ticket, "Sam", asks_proof=n == 1) for n, ticket in enumerate(evening.tickets(3))]
    door = reverse("checkin:door", args=[evening.event.public_id])

    screen = client.post(door, {"code": sams[0].short_code}, follow=True).content.decode()
    group = admit(evening, sams[1:2])
    confirmed = admit(evening, sams[1:2], confirmed=True)

    assert screen.count("Check membership") == 1
    assert [(verdict.outcome, verdict.reason, verdict.asks_proof) for verdict in group] == [
        ("look", "door_check_proof", True)
    ]
    assert [verdict.outcome for verdict in confirmed] == ["admitted"]


def test_some_or_all_of_an_order_come_in_together(evening: Evening) -> None:
    tickets = evening.tickets(4)

    some = admit(evening, tickets[2:0:-1])
    rest = admit(evening, [tickets[0], tickets[3]])

    assert [(verdict.outcome, verdict.number, verdict.of) for verdict in some] == [
        ("admitted", 2, 4),
        ("admitted", 3, 4),
    ]
    assert [verdict.number for verdict in rest] == [1, 4]
    assert states(tickets) == ["used"] * 4
    assert crowds.count(evening.event) == crowds.Crowd(inside=4, expected=4)
    assert Scan.objects.count() == 4


def test_those_that_cannot_come_in_say_why_and_the_rest_go_in(evening: Evening) -> None:
    tickets = evening.tickets(4)
    scans.admit(tickets[0].short_code, event=evening.event, by=evening.robin, gate="B")
    Ticket.objects.filter(pk=tickets[1].pk).update(state="held")
    Ticket.objects.filter(pk=tickets[2].pk).update(state="revoked")

    group = admit(evening, tickets)

    assert [(verdict.ticket, verdict.outcome, verdict.reason) for verdict in group] == [
        (tickets[0].public_id, "already_in", "door_already_in"),
        (tickets[1].public_id, "not_valid", "door_being_sold"),
        (tickets[2].public_id, "not_valid", "door_revoked"),
        (tickets[3].public_id, "admitted", ""),
    ]
    assert (group[0].since_by, group[0].since_gate) == ("Robin", "B")


def test_the_same_form_sent_twice_lets_in_once(evening: Evening) -> None:
    tickets = evening.tickets(3)
    base = uuid4()

    first = admit(evening, tickets, scan_id=base)
    again = admit(evening, tickets, scan_id=base)

    assert [verdict.repeated for verdict in first + again] == [False] * 3 + [True] * 3
    assert [verdict.scan_id for verdict in first] == [verdict.scan_id for verdict in again]
    assert Scan.objects.count() == 3


def test_a_look_is_confirmed_for_those_it_was_asked_of(adult_evening: Evening) -> None:
    tickets, base = adult_evening.tickets(2), uuid4()

    looks = admit(adult_evening, tickets, scan_id=base)
    before = states(tickets)
    confirmed = admit(adult_evening, tickets, scan_id=base, confirmed=True)

    assert ([verdict.outcome for verdict in looks], before) == (["look", "look"], ["valid", "valid"])
    assert [(verdict.outcome, verdict.minimum_age, verdict.needs_id) for verdict in confirmed] == [
        ("admitted", 18, True)
    ] * 2


def test_tickets_of_two_orders_or_of_none_are_refused_whole(evening: Evening) -> None:
    (one,), (other,) = evening.tickets(), evening.tickets()

    for wanted in ([one, other], []):
        with pytest.raises(scans.NotOneOrder):
            admit(evening, wanted)
    with pytest.raises(scans.NotOneOrder):
        scans.admit_order([one.public_id, uuid4()], event=evening.event, by=evening.robin, scan_id=uuid4())
    with pytest.raises(scans.NotOneOrder):
        scans.admit_order([uuid4() for _ in range(500)], event=evening.event, by=evening.robin, scan_id=uuid4())

    assert states([one, other]) == ["valid", "valid"]
    assert Scan.objects.count() == 0


@pytest.mark.parametrize("number", [1, 3])
def test_an_order_asks_the_same_number_of_questions(evening: Evening, number: int, django_assert_num_queries) -> None:
    tickets = evening.tickets(number)
    scans.entrance_of(evening.event)

    with django_assert_num_queries(5 + 2):  # orders, lock, move with audit, scans, the order; a savepoint
        admit(evening, tickets)


def test_screen_asks_for_a_look_at_those_who_need_one(adult_evening: Evening, client: Client) -> None:
    client.force_login(adult_evening.robin)
    tickets = adult_evening.tickets(2)
    address = reverse("checkin:admit_order", args=[adult_evening.event.public_id])
    ids = [str(ticket.public_id) for ticket in tickets]

    look = client.post(address, {"tickets": ids, "scan": str(uuid4())}, headers={"HX-Request": "true"})
    done = client.post(
        address, {"tickets": ids, "scan": str(uuid4()), "confirmed": "1"}, headers={"HX-Request": "true"}
    )
    late = client.post(address, {"tickets": ids, "scan": str(uuid4())}, headers={"HX-Request": "true"})

    screens = [answer.headers["HX-Trigger-After-Swap"] for answer in (look, done, late)]
    assert [word for screen in screens for word in ("look", "admitted", "stop") if f'"{word}"' in screen] == [
        "look",
        "admitted",
        "stop",
    ]
    assert [verdict.ticket for verdict in look.context["to_confirm"]] == [ticket.public_id for ticket in tickets]
    assert [len(answer.context["group"]) for answer in (look, done, late)] == [2, 2, 2]
    assert done.context["crowd"].inside == 2


def test_one_refused_among_several_is_seen(evening: Evening, client: Client) -> None:
    """Another phone was faster with one of three: two are let in, and the screen does not turn green for the third."""
    client.force_login(evening.robin)
    client.cookies["language"] = "en"
    tickets = evening.tickets(3)
    scans.admit(tickets[1].short_code, event=evening.event, by=evening.robin)
    address = reverse("checkin:admit_order", args=[evening.event.public_id])

    answer = client.post(address, {"tickets": [str(ticket.public_id) for ticket in tickets], "scan": str(uuid4())})

    assert (answer.context["screen"], answer.context["let_in"]) == ("stop", 2)
    assert "2 of 3 let in" in answer.content.decode()


@pytest.mark.parametrize("data", [{}, {"tickets": ["x"]}, {"tickets": [str(uuid4())]}, {"tickets": ["", ""]}])
def test_bad_choice_gets_a_sentence(evening: Evening, client: Client, data: dict[str, list[str]]) -> None:
    client.force_login(evening.robin)

    answer = client.post(reverse("checkin:admit_order", args=[evening.event.public_id]), data)

    assert (answer.status_code, bool(answer.context["error"])) == (400, True)
    assert Scan.objects.count() == 0
