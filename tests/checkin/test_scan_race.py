"""Many phones read the same code at the same moment: one guest comes in."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.checkin import passes, scans
from apps.checkin.models import GatePass, Scan
from apps.ticketing import credentials
from apps.ticketing.models import Ticket
from tests.checkin.conftest import new_evening, staff
from tests.proofs import Proof

PHONES = 20  # connections at once; the database allows a hundred in all

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(number: int, scan: Callable[[int], object]) -> list:
    """`scan(0)` … `scan(number - 1)` on phones with connections of their own, in rounds that start together."""
    barrier = Barrier(PHONES)

    def phone(first: int) -> list:
        answers = []
        try:
            for index in range(first, number, PHONES):
                barrier.wait(30)
                answers.append(scan(index))
        finally:
            connection.close()
        return answers

    with ThreadPoolExecutor(PHONES) as pool:
        return [answer for answers in pool.map(phone, range(PHONES)) for answer in answers]


@pytest.mark.proof(
    "one-entry-per-ticket", what="Of many simultaneous scans of one ticket, one lets in", full=4_000, small=100
)
def test_simultaneous_scans_let_in_once(proof: Proof) -> None:
    evening = new_evening()
    (ticket,) = evening.tickets()
    crew = [
        staff(evening.organisation, "door", name=f"Volunteer{n} Svensson")
        if n % 2
        else passes.give(evening.event, holder_name=f"Volunteer{n}", by=None)[0]
        for n in range(PHONES)
    ]

    def scan(index: int) -> scans.Verdict:
        who = crew[index % PHONES]
        return scans.admit(ticket.short_code, event=evening.event, by=who, gate=f"Gate {index % PHONES}")

    begun = time.monotonic()
    verdicts = at_once(proof.n, scan)
    seconds = time.monotonic() - begun
    # `at_once` returns phone by phone: put the answers back in the order of the scans.
    in_order = [verdicts[(index % PHONES) * (proof.n // PHONES) + index // PHONES] for index in range(proof.n)]

    outcomes = Counter(verdict.outcome for verdict in verdicts)
    assert outcomes == {"admitted": 1, "already_in": proof.n - 1}
    (winner,) = [index for index, verdict in enumerate(in_order) if verdict.outcome == "admitted"]
    assert {(verdict.since, verdict.since_by, verdict.since_gate) for verdict in verdicts} == {
        (in_order[winner].at, f"Volunteer{winner % PHONES}", f"Gate {winner % PHONES}")
    }
    assert Scan.objects.count() == proof.n
    ticket.refresh_from_db()
    assert ticket.state == "used"
    proof.record(phones=PHONES, scans_per_second=round(proof.n / seconds))


def test_a_hundred_phones_with_passes_let_one_guest_in_and_say_who_did() -> None:
    """Over HTTP, each phone with a pass and a session of its own."""
    evening = new_evening()
    (ticket,) = evening.tickets()
    door = reverse("checkin:door", args=[evening.event.public_id])
    code = credentials.sign(ticket)
    phones = []
    for number in range(100):
        phone = Client()
        phone.cookies["language"] = "en"
        phone.post(
            reverse("checkin:pass", args=[passes.give(evening.event, holder_name=f"Kim{number:03}", by=None)[1]])
        )
        phones.append(phone)

    def scan(number: int) -> str:
        answer = phones[number].post(door, {"code": code}, headers={"HX-Request": "true"})
        return f"{answer.status_code} {answer.headers['HX-Trigger-After-Swap']} {answer.content.decode()}"

    answers = at_once(100, scan)

    entry = Scan.objects.select_related("gate_pass").get(outcome="admitted")
    told = [answer for answer in answers if '"stop"' in answer]
    assert (len(told), sum('"admitted"' in answer for answer in answers)) == (99, 1)
    assert [answer for answer in told if f"by {entry.gate_pass.holder_name}" not in answer] == []
    assert GatePass.objects.filter(scans__isnull=False).distinct().count() == 100


def test_whole_orders_admitted_at_once_let_each_guest_in_once() -> None:
    """Phones that admit overlapping parts of one order, in any order, do not wait for each other in circles."""
    evening = new_evening()
    tickets = evening.tickets(6)

    def admit(index: int) -> list[str]:
        chosen = tickets[index % 6 :] + tickets[: index % 6]
        wanted = [ticket.public_id for ticket in (chosen if index % 2 else reversed(chosen))]
        group = scans.admit_order(wanted, event=evening.event, by=evening.robin, scan_id=uuid4())
        return [verdict.outcome for verdict in group]

    outcomes = Counter(outcome for group in at_once(2 * PHONES, admit) for outcome in group)

    assert outcomes == {"admitted": 6, "already_in": 6 * (2 * PHONES - 1)}


def test_the_same_scan_sent_on_many_ways_at_once_is_one_scan() -> None:
    evening = new_evening()
    (ticket,) = evening.tickets()
    id_ = uuid4()

    verdicts = at_once(
        PHONES, lambda _: scans.admit(ticket.short_code, event=evening.event, by=evening.robin, scan_id=id_)
    )

    assert {(verdict.outcome, verdict.scan_id) for verdict in verdicts} == {("admitted", id_)}
    assert sorted(verdict.repeated for verdict in verdicts) == [False] + [True] * (PHONES - 1)
    assert Scan.objects.count() == 1


def test_undo_and_entry_at_once_leave_ticket_and_scans_agreeing() -> None:
    """Whoever is faster: a used ticket has exactly one entry that stands, a valid one none."""
    evening = new_evening()
    for ticket in evening.tickets(5):
        first = scans.admit(ticket.short_code, event=evening.event, by=evening.robin)
        entry = Scan.objects.get(public_id=first.scan_id)

        def act(index: int, ticket: Ticket = ticket, entry: Scan = entry) -> None:
            if index % 2:
                scans.undo(entry, by=evening.robin, reason="mistake")
            else:
                scans.admit(ticket.short_code, event=evening.event, by=evening.robin)

        at_once(PHONES, act)

        ticket.refresh_from_db()
        standing = ticket.scans.filter(outcome="admitted", undone_by__isnull=True).count()
        assert (ticket.state, standing) in [("used", 1), ("valid", 0)]
        assert ticket.scans.filter(outcome="undone").count() == 1


def test_first_use_by_many_phones_makes_one_list() -> None:
    evening = new_evening()

    lists = at_once(PHONES, lambda _: scans.entrance_of(evening.event))

    assert len(set(lists)) == 1


def test_a_door_that_looks_before_it_writes_would_let_in_many() -> None:
    """The negative control: without lock and conditional move this harness sees the same guest come in twice."""
    evening = new_evening()
    (ticket,) = evening.tickets()

    def naive(by: User) -> bool:
        seen = Ticket.objects.get(pk=ticket.pk)
        if seen.state != "valid":
            return False
        time.sleep(0.05)
        Ticket.objects.filter(pk=ticket.pk).update(state="used")
        return True

    assert at_once(PHONES, lambda _: naive(evening.robin)).count(True) > 1
