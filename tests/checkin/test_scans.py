"""What the door answers, one guest at a time."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils.translation import override

from apps.accounts import prepared
from apps.checkin import crowds, passes, scans, statements
from apps.checkin.models import CheckinList, Scan
from apps.ticketing import credentials
from apps.ticketing.models import AuditEntry, LineChoice, Ticket
from tests import factories
from tests.checkin.conftest import Evening, staff


def test_admit_lets_a_valid_ticket_in_once(evening: Evening) -> None:
    ticket, other = evening.tickets(2)

    with override("en"):
        first = scans.admit(ticket.short_code, event=evening.event, by=evening.robin, gate="Entrance B")
        again = scans.admit(ticket.short_code, event=evening.event, by=evening.robin, gate="Entrance A")
        heading = again.heading

    assert (first.outcome, first.type_name, first.initials) == ("admitted", "Dinner", "A. E.")
    assert (first.number, first.of) == (1, 2)
    assert (again.outcome, heading) == ("already_in", "Already in")
    assert (again.since, again.since_by, again.since_gate) == (first.at, "Robin", "Entrance B")
    ticket.refresh_from_db()
    other.refresh_from_db()
    assert (ticket.state, other.state) == ("used", "valid")
    assert [scan.outcome for scan in Scan.objects.order_by("id")] == ["admitted", "already_in"]
    audit = AuditEntry.objects.get(model="ticketing.ticket", row_id=ticket.pk)
    assert (audit.old, audit.new, audit.reason) == ("valid", "used", "door")
    assert (audit.actor, audit.actor_name) == (evening.robin, "")


@pytest.mark.parametrize("typed", ["{}", " {} ", "{lower}", "{gap}", "{dash}"])
def test_admit_reads_a_short_code_however_it_is_typed(evening: Evening, typed: str) -> None:
    (ticket,) = evening.tickets()
    code = ticket.short_code

    text = typed.format(code, lower=code.lower(), gap=f"{code[:3]} {code[3:]}", dash=f"{code[:3]}-{code[3:]}")

    assert scans.admit(text, event=evening.event, by=evening.robin).outcome == "admitted"


@pytest.mark.parametrize(
    ("state", "outcome", "reason"),
    [
        ("used", "already_in", "door_already_in"),
        ("held", "not_valid", "door_being_sold"),
        ("superseded", "not_valid", "door_replaced"),
        ("revoked", "not_valid", "door_revoked"),
        ("blocked", "not_valid", "door_blocked"),
    ],
)
def test_admit_says_why_a_ticket_is_not_valid(evening: Evening, state: str, outcome: str, reason: str) -> None:
    (ticket,) = evening.tickets(state=state)

    verdict = scans.admit(ticket.short_code, event=evening.event, by=evening.robin)

    assert (verdict.outcome, verdict.reason) == (outcome, reason)
    assert verdict.heading and verdict.sentence
    assert (verdict.since, verdict.since_by) == (None, "")  # used by other means than a scan: nothing is invented
    ticket.refresh_from_db()
    assert ticket.state == state


def test_admit_knows_no_ticket_of_another_event(evening: Evening) -> None:
    elsewhere = factories.event(organisation=evening.organisation)
    kind = factories.ticket_type(elsewhere, factories.quota(elsewhere))
    (ticket,) = Evening(evening.organisation, elsewhere, kind, evening.robin).tickets()

    by_code = scans.admit(ticket.short_code, event=evening.event, by=evening.robin)
    by_qr = scans.admit(credentials.sign(ticket), event=evening.event, by=evening.robin)

    assert [(verdict.outcome, verdict.reason, verdict.type_name) for verdict in (by_code, by_qr)] == [
        ("unknown", "door_unknown", "")
    ] * 2
    ticket.refresh_from_db()
    assert ticket.state == "valid"


@pytest.mark.parametrize("text", ["", "   ", "K7M9Q", "ÅÄÖ", "' OR 1=1 --", "x" * 5000, "0" * 126, "\x00K7M9QA"])
def test_admit_survives_any_text(evening: Evening, text: str) -> None:
    verdict = scans.admit(text, event=evening.event, by=evening.robin)

    assert verdict.outcome in ("unknown", "not_valid")


def test_admit_reads_the_qr_code_in_the_same_field(evening: Evening) -> None:
    first, second = evening.tickets(2)
    code = credentials.sign(second)

    forged = code[:-1] + ("A" if code[-1] != "A" else "B")

    assert scans.admit(forged, event=evening.event, by=evening.robin).reason == "door_forged"
    assert scans.admit(credentials.sign(first), event=evening.event, by=evening.robin).outcome == "admitted"
    assert scans.admit(code.lower() + "\n", event=evening.event, by=evening.robin).outcome == "admitted"


def test_admit_reads_a_qr_code_whose_first_character_is_a_space(evening: Evening) -> None:
    (ticket,) = evening.tickets()
    for _ in range(5):
        credentials.rotate()
    code = credentials.sign(ticket)
    assert code[0] == " "  # key 5; a form or a reader drops it

    assert scans.admit(code.strip(), event=evening.event, by=evening.robin).outcome == "admitted"


def test_admit_refuses_the_old_code_of_a_ticket_that_changed_hands(evening: Evening) -> None:
    (ticket,) = evening.tickets()
    old = credentials.sign(ticket)
    Ticket.objects.filter(pk=ticket.pk).update(credential_version=2)
    ticket.refresh_from_db()

    assert scans.admit(old, event=evening.event, by=evening.robin).reason == "door_old_code"
    assert scans.admit(credentials.sign(ticket), event=evening.event, by=evening.robin).outcome == "admitted"


def test_admit_shows_choices_but_not_what_tells_about_health(evening: Evening) -> None:
    (ticket,) = evening.tickets()
    drink = factories.variation(evening.dinner)
    snaps = factories.variation(evening.dinner, position=1)
    diet = factories.variation(evening.dinner, position=2)
    for variation, name, quantity, sensitive in [
        (diet, "Coeliac", 1, True),
        (snaps, "Snaps", 2, False),
        (drink, "Cider", 1, False),
    ]:
        choice = factories.choice(variation, name_sv=name, name_en=name, is_sensitive=sensitive)
        LineChoice.objects.create(line=ticket.line, choice=choice, quantity=quantity)

    verdict = scans.admit(ticket.short_code, event=evening.event, by=evening.robin)

    assert verdict.choices == ("Cider", "2 × Snaps")


def test_admit_asks_for_a_look_where_identity_is_checked(evening: Evening) -> None:
    kind = factories.ticket_type(evening.event, factories.quota(evening.event), minimum_age=18)
    (ticket,) = evening.tickets(kind=kind)
    scan = uuid4()

    look = scans.admit(ticket.short_code, event=evening.event, by=evening.robin, scan_id=scan)
    ticket.refresh_from_db()
    before = ticket.state
    sent_again = scans.admit(ticket.short_code, event=evening.event, by=evening.robin, scan_id=scan, confirmed=True)

    assert (look.outcome, look.minimum_age, before) == ("look", 18, "valid")
    assert (sent_again.outcome, sent_again.repeated) == ("admitted", False)


def test_admit_repeated_with_the_same_scan_gives_the_same_answer(evening: Evening) -> None:
    (ticket,) = evening.tickets()
    scan = uuid4()

    first = scans.admit(ticket.short_code, event=evening.event, by=evening.robin, scan_id=scan)
    again = scans.admit(ticket.short_code, event=evening.event, by=evening.robin, scan_id=scan)

    assert (first.outcome, first.repeated, again.outcome, again.repeated) == ("admitted", False, "admitted", True)
    assert (again.scan_id, again.at) == (first.scan_id, first.at)
    assert Scan.objects.count() == 1


def test_admit_takes_an_old_form_with_another_code_for_a_new_scan(evening: Evening) -> None:
    first, second = evening.tickets(2)
    scan = uuid4()

    scans.admit(first.short_code, event=evening.event, by=evening.robin, scan_id=scan)
    other = scans.admit(second.short_code, event=evening.event, by=evening.robin, scan_id=scan)
    unknown = scans.admit("AAAAAA", event=evening.event, by=evening.robin, scan_id=scan)

    assert (other.outcome, other.repeated, other.scan_id == scan) == ("admitted", False, False)
    assert (unknown.outcome, unknown.repeated) == ("unknown", False)
    assert Scan.objects.count() == 3


def test_undo_makes_the_ticket_valid_again_and_stays_on_record(evening: Evening) -> None:
    (ticket,) = evening.tickets()
    id_ = uuid4()
    scans.admit(ticket.short_code, event=evening.event, by=evening.robin, scan_id=id_)
    scan = Scan.objects.get(public_id=id_)

    undone = scans.undo(scan, by=evening.robin, reason="wrong_guest")
    again = scans.undo(scan, by=evening.robin, reason="mistake")

    ticket.refresh_from_db()
    assert (ticket.state, undone.outcome, undone.reason, again) == ("valid", "undone", "wrong_guest", undone)
    assert crowds.count(evening.event) == crowds.Crowd(inside=0, expected=1)
    later = scans.admit(ticket.short_code, event=evening.event, by=evening.robin, scan_id=id_)
    assert (later.outcome, later.repeated) == ("admitted", False)  # the undone answer is not given again
    assert crowds.count(evening.event) == crowds.Crowd(inside=1, expected=1)


def test_undo_refuses_what_cannot_be_undone(evening: Evening) -> None:
    first, revoked = evening.tickets(2)
    refused = scans.admit("AAAAAA", event=evening.event, by=evening.robin)
    entered = scans.admit(revoked.short_code, event=evening.event, by=evening.robin)
    Ticket.objects.filter(pk=revoked.pk).update(state="revoked")

    for verdict in (refused, entered):
        with pytest.raises(scans.CannotUndo):
            scans.undo(Scan.objects.get(public_id=verdict.scan_id), by=evening.robin, reason="mistake")

    assert not Scan.objects.filter(outcome="undone").exists()


def test_undo_of_an_earlier_entry_leaves_the_later_one(evening: Evening) -> None:
    (ticket,) = evening.tickets()
    first = scans.admit(ticket.short_code, event=evening.event, by=evening.robin)
    scan = Scan.objects.get(public_id=first.scan_id)
    undone = scans.undo(scan, by=evening.robin, reason="mistake")
    scans.admit(ticket.short_code, event=evening.event, by=evening.robin)

    assert scans.undo(scan, by=evening.robin, reason="mistake") == undone

    ticket.refresh_from_db()
    assert ticket.state == "used"


def test_scan_cannot_be_rewritten(evening: Evening) -> None:
    (ticket,) = evening.tickets()
    verdict = scans.admit(ticket.short_code, event=evening.event, by=evening.robin)
    rows = Scan.objects.filter(public_id=verdict.scan_id)

    for values in ({"outcome": "unknown"}, {"gate": "elsewhere"}, {"by": staff(evening.organisation, "door")}):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(**values)
    rows.update(by=None)

    assert rows.values_list("outcome", "gate", "by").get() == ("admitted", "", None)


def test_door_works_through_a_pooler(evening: Evening, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pooler shares connections between transactions: what one prepared, the next does not find."""
    first, second = evening.tickets(2)
    gate_pass, _ = passes.give(evening.event, holder_name="Kim", by=None)
    direct = scans.admit(first.short_code, event=evening.event, by=gate_pass)

    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", True)
    pooled = scans.admit(second.short_code, event=evening.event, by=gate_pass)

    assert [(v.outcome, v.number, v.of, v.since_by) for v in (direct, pooled)] == [
        ("admitted", 1, 2, "Kim"),
        ("admitted", 2, 2, "Kim"),
    ]
    assert statements.pass_at(gate_pass.pk, evening.event.public_id)[0] == gate_pass  # type: ignore[index]
    assert statements.pass_at(gate_pass.pk, uuid4()) is None


def test_statements_are_prepared_on_each_connection_anew(evening: Evening) -> None:
    first, second = evening.tickets(2)
    scans.admit(first.short_code, event=evening.event, by=evening.robin)

    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements WHERE name LIKE 'door%%'")
        known = {name for (name,) in cursor.fetchall()}
    prepared._prepared.clear()
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")

    assert {"door_look_up", "door_write", "door_company"} <= known
    assert scans.admit(second.short_code, event=evening.event, by=evening.robin).outcome == "admitted"


def test_entrance_is_made_once(evening: Evening) -> None:
    assert CheckinList.objects.count() == 0

    first, second = scans.entrance_of(evening.event), scans.entrance_of(evening.event)

    assert (first, CheckinList.objects.count()) == (second, 1)
    assert (first.admits, first.name_sv, first.name_en) == (True, "Insläpp", "Entrance")


@pytest.mark.parametrize(
    ("name", "initials"),
    [("Alva Maria Ek", "A. E."), ("Björn", "B."), ("", ""), ("  åsa  öberg ", "Å. Ö."), ("Łucja de Sá", "Ł. S.")],
)
def test_verdict_names_a_guest_by_initials(evening: Evening, name: str, initials: str) -> None:
    (ticket,) = evening.tickets(holder_name=name)

    assert scans.admit(ticket.short_code, event=evening.event, by=evening.robin).initials == initials
