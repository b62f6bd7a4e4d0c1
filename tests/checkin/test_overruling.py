"""Against the answer: an admission undone for a reason, a guest let in although the door said no."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from apps.checkin import crowds, passes, reasons, scans
from apps.checkin.models import GatePass, Scan
from apps.checkin.reasons import UNDO_REASONS
from apps.checkin.views import ANYWAY_REASONS
from apps.ticketing.models import Ticket
from apps.ticketing.reasons import sentence
from tests.checkin.conftest import Evening
from tests.clock import clock_moved


@pytest.fixture
def robin(evening: Evening, client: Client) -> Client:
    client.force_login(evening.robin)
    client.cookies["language"] = "en"
    return client


def refused(evening: Evening, state: str) -> tuple[Ticket, Scan]:
    """A ticket in this state, and the scan that turned its guest away."""
    (ticket,) = evening.tickets()
    if state == "used":
        scans.admit(ticket.short_code, event=evening.event, by=evening.robin)
    else:
        Ticket.objects.filter(pk=ticket.pk).update(state=state)
    verdict = scans.admit(ticket.short_code, event=evening.event, by=evening.robin)
    return ticket, Scan.objects.get(public_id=verdict.scan_id)


@pytest.fixture
def people(evening: Evening) -> Callable[[str], object]:
    def person(who: str) -> object:
        if who == "staff":
            return evening.robin
        return passes.give(evening.event, holder_name="Kim", by=None, may_let_in_anyway=who == "trusted pass")[0]

    return person


ALLOWED = {
    "staff": {"used", "revoked", "blocked"},
    "trusted pass": {"used"},
    "pass": set(),
}


@pytest.mark.parametrize("state", ["used", "held", "superseded", "revoked", "blocked"])
@pytest.mark.parametrize("who", ["staff", "trusted pass", "pass"])
def test_who_may_let_in_whom(evening: Evening, people: Callable, who: str, state: str) -> None:
    ticket, scan = refused(evening, state)
    person, before = people(who), Scan.objects.count()

    if state in ALLOWED[who]:
        verdict = scans.let_in_anyway(scan, by=person, reason="told_to", gate="B")
        entry = Scan.objects.get(public_id=verdict.scan_id)
        assert (verdict.outcome, verdict.anyway, verdict.reason) == ("admitted", True, "")
        assert (entry.overrode, entry.reason, entry.gate) == (scan.reason, "told_to", "B")
        assert (entry.gate_pass or entry.by) == person
    else:
        with pytest.raises(scans.CannotLetIn):
            scans.let_in_anyway(scan, by=person, reason="told_to")
        assert Scan.objects.count() == before
    assert scans.may_let_in_anyway(person, state) is (state in ALLOWED[who])
    ticket.refresh_from_db()
    assert ticket.state == state  # it moves no ticket


def test_guest_let_in_anyway_counts_once_and_first_entry_stands(evening: Evening) -> None:
    ticket, scan = refused(evening, "used")
    first = Scan.objects.get(outcome="admitted")

    verdict = scans.let_in_anyway(scan, by=evening.robin, reason="came_back")
    again = scans.let_in_anyway(scan, by=evening.robin, reason="came_back")
    later = scans.admit(ticket.short_code, event=evening.event, by=evening.robin)

    assert (again.scan_id, again.repeated) == (verdict.scan_id, True)
    assert (later.outcome, later.since) == ("already_in", first.at)
    assert crowds.count(evening.event) == crowds.Crowd(inside=1, expected=1)


def test_undo_of_such_an_entry_moves_no_ticket_and_it_may_be_done_again(evening: Evening) -> None:
    ticket, scan = refused(evening, "used")
    verdict = scans.let_in_anyway(scan, by=evening.robin, reason="came_back")

    scans.undo(Scan.objects.get(public_id=verdict.scan_id), by=evening.robin, reason="mistake")
    ticket.refresh_from_db()
    again = scans.let_in_anyway(scan, by=evening.robin, reason="came_back")

    assert (ticket.state, again.repeated, again.scan_id == verdict.scan_id) == ("used", False, False)


def test_ticket_that_became_valid_meanwhile_is_scanned_like_any_other(evening: Evening) -> None:
    """Nothing is left to overrule, and what a scan looks at (age, identity) must not be passed by."""
    ticket, scan = refused(evening, "used")
    scans.undo(Scan.objects.get(outcome="admitted"), by=evening.robin, reason="mistake")

    with pytest.raises(scans.ValidAgain):
        scans.let_in_anyway(scan, by=evening.robin, reason="came_back")

    ticket.refresh_from_db()
    assert ticket.state == "valid"


def test_refusal_overruled_again_after_an_undo_stands_once(evening: Evening) -> None:
    _ticket, scan = refused(evening, "used")
    for _round in range(3):
        entry = scans.let_in_anyway(scan, by=evening.robin, reason="came_back")
        assert scans.let_in_anyway(scan, by=evening.robin, reason="came_back").scan_id == entry.scan_id
        scans.undo(Scan.objects.get(public_id=entry.scan_id), by=evening.robin, reason="mistake")

    scans.let_in_anyway(scan, by=evening.robin, reason="came_back")
    assert Scan.objects.exclude(overrode="").filter(undone_by__isnull=True).count() == 1


def test_answer_to_an_old_form_is_nothing_to_overrule(evening: Evening, robin: Client) -> None:
    """It was an entry: shown as a stop when the form comes again late, and a new scan is a refusal of its own."""
    (ticket,) = evening.tickets()
    entry = scans.admit(ticket.short_code, event=evening.event, by=evening.robin)
    form = {"code": ticket.short_code, "scan": str(entry.scan_id)}
    with clock_moved(timedelta(minutes=5)):
        late = robin.post(reverse("checkin:door", args=[evening.event.public_id]), form)
        asked = robin.get(reverse("checkin:anyway", args=[evening.event.public_id, entry.scan_id]))

    assert (late.context["screen"], late.context["may_let_in_anyway"]) == ("stop", False)
    assert asked.status_code == 404


def test_only_a_refusal_of_a_ticket_can_be_overruled(evening: Evening) -> None:
    unknown = scans.admit("AAAAAA", event=evening.event, by=evening.robin)
    (ticket,) = evening.tickets()
    entered = scans.admit(ticket.short_code, event=evening.event, by=evening.robin)

    for verdict in (unknown, entered):
        with pytest.raises(scans.CannotLetIn):
            scans.let_in_anyway(Scan.objects.get(public_id=verdict.scan_id), by=evening.robin, reason="told_to")


def test_stop_screen_offers_it_to_whoever_may(evening: Evening, robin: Client) -> None:
    ticket, _scan = refused(evening, "used")
    door = reverse("checkin:door", args=[evening.event.public_id])
    volunteer = Client()
    volunteer.post(reverse("checkin:pass", args=[passes.give(evening.event, holder_name="Kim", by=None)[1]]))

    offered = [
        client.post(door, {"code": ticket.short_code}).context["may_let_in_anyway"] for client in (robin, volunteer)
    ]
    unknown = robin.post(door, {"code": "AAAAAA"}).context["may_let_in_anyway"]

    assert (offered, unknown) == ([True, False], False)


def test_page_asks_for_the_reason_and_lets_in(evening: Evening, robin: Client) -> None:
    ticket, scan = refused(evening, "used")
    address = reverse("checkin:anyway", args=[evening.event.public_id, scan.public_id])

    asked = robin.get(address)
    nothing = robin.post(address, {})
    wordless = robin.post(address, {"reason": "other", "note": "  "})
    done = robin.post(address, {"reason": "other", "note": "  Kim  knows\x00 her "})

    assert [answer.status_code for answer in (asked, nothing, wordless, done)] == [200, 400, 400, 200]
    assert "Choose why." in nothing.content.decode() and "in a few words" in wordless.content.decode()
    assert done.context["screen"] == "admitted" and done.context["verdict"].anyway
    entry = Scan.objects.exclude(overrode="").get()
    assert (entry.reason, entry.note, entry.ticket) == ("other", "Kim knows her", ticket)


def test_page_refuses_those_who_may_not(evening: Evening, client: Client) -> None:
    _ticket, scan = refused(evening, "revoked")
    client.post(reverse("checkin:pass", args=[passes.give(evening.event, holder_name="Kim", by=None)[1]]))

    answer = client.post(
        reverse("checkin:anyway", args=[evening.event.public_id, scan.public_id]), {"reason": "told_to"}
    )

    assert (answer.status_code, answer.context["error"]) == (403, sentence(reasons.CANNOT_LET_IN))
    assert not Scan.objects.filter(outcome="admitted").exists()


def test_page_says_that_a_ticket_became_valid_meanwhile(evening: Evening, robin: Client) -> None:
    _ticket, scan = refused(evening, "used")
    scans.undo(Scan.objects.get(outcome="admitted"), by=evening.robin, reason="mistake")

    answer = robin.post(
        reverse("checkin:anyway", args=[evening.event.public_id, scan.public_id]), {"reason": "told_to"}
    )

    assert (answer.status_code, answer.context["error"]) == (409, sentence(reasons.VALID_AGAIN))


def test_undo_keeps_the_volunteers_own_words(evening: Evening, robin: Client) -> None:
    (ticket,) = evening.tickets()
    entered = scans.admit(ticket.short_code, event=evening.event, by=evening.robin)
    address = reverse("checkin:undo", args=[evening.event.public_id, entered.scan_id])

    wordless = robin.post(address, {"reason": "other"})
    done = robin.post(address, {"reason": "other", "note": "Wrong party" + "!" * 500})

    assert (wordless.status_code, done.status_code) == (400, 200)
    undone = Scan.objects.get(outcome="undone")
    assert (undone.reason, len(undone.note), undone.note[:11]) == ("other", 200, "Wrong party")
    Scan.objects.filter(pk=undone.pk).update(note="")  # with the event's data, and never anything else


@pytest.mark.parametrize("reason", sorted(UNDO_REASONS))
def test_every_reason_to_undo_is_taken(evening: Evening, robin: Client, reason: str) -> None:
    (ticket,) = evening.tickets()
    entered = scans.admit(ticket.short_code, event=evening.event, by=evening.robin)

    robin.post(
        reverse("checkin:undo", args=[evening.event.public_id, entered.scan_id]), {"reason": reason, "note": "because"}
    )

    assert Scan.objects.get(outcome="undone").reason == reason


@pytest.mark.parametrize("reason", sorted(ANYWAY_REASONS))
def test_every_reason_to_let_in_anyway_is_taken(evening: Evening, robin: Client, reason: str) -> None:
    _ticket, scan = refused(evening, "used")

    robin.post(
        reverse("checkin:anyway", args=[evening.event.public_id, scan.public_id]), {"reason": reason, "note": "because"}
    )

    assert Scan.objects.exclude(overrode="").get().reason == reason


def test_undo_by_a_pass_names_it(evening: Evening) -> None:
    (ticket,) = evening.tickets()
    gate_pass: GatePass = passes.give(evening.event, holder_name="Kim", by=None)[0]
    entered = scans.admit(ticket.short_code, event=evening.event, by=gate_pass)

    undone = scans.undo(Scan.objects.get(public_id=entered.scan_id), by=gate_pass, reason="mistake")

    assert (undone.gate_pass, undone.by) == (gate_pass, None)
