"""Letting in. The ticket's row is locked and moved once, so that of a hundred phones that read one code at the same
moment one says "in" and ninety-nine say since when, where and by whom.

This is step 10 of a purchase: the ticket is `used`, the scan is written down, the volunteer sees the verdict.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID, uuid5

from django.db import IntegrityError, transaction

from apps.accounts.ids import new_public_id
from apps.checkin import reasons, statements, verdicts
from apps.checkin.extensions import Credential, NotCredible, credential_readers
from apps.checkin.models import CheckinList, GatePass, Scan
from apps.checkin.statements import Companion, Presented
from apps.checkin.verdicts import By, Verdict, called, scanned_by
from apps.events.models import Event
from apps.ticketing import clock, tickets
from apps.ticketing.models import Ticket
from apps.ticketing.states import TicketState
from apps.ticketing.transitions import move_many

log = logging.getLogger(__name__)

LONGEST_TEXT = 400  # a QR code of ours has some 150 characters
LONGEST_GATE = 40
LONGEST_NOTE = 200
MOST_AT_ONCE = 100
Outcome = Scan.Outcome

REFUSALS = {
    TicketState.USED: (Outcome.ALREADY_IN, reasons.ALREADY_IN),
    TicketState.HELD: (Outcome.NOT_VALID, reasons.BEING_SOLD),
    TicketState.SUPERSEDED: (Outcome.NOT_VALID, reasons.REPLACED),
    TicketState.REVOKED: (Outcome.NOT_VALID, reasons.REVOKED),
    TicketState.BLOCKED: (Outcome.NOT_VALID, reasons.BLOCKED),
}


class Refused(Exception):
    """What a volunteer asked for cannot be. Nothing was changed; `reason` is the code under which it is told."""

    reason: str


class CannotUndo(Refused):
    """The scan let nobody in, or its ticket has moved on since."""

    reason = reasons.CANNOT_UNDO


class CannotLetIn(Refused):
    """Whoever asks may not let this guest in, or the place is by now somebody else's."""

    reason = reasons.CANNOT_LET_IN


class ValidAgain(CannotLetIn):
    """The ticket has become valid meanwhile: it is to be scanned like any other, with all that is looked at."""

    reason = reasons.VALID_AGAIN


class EventCancelled(CannotLetIn):
    """There is no event to be let in to."""

    reason = reasons.EVENT_CANCELLED


class NotOneOrder(Refused):
    """The tickets are not all of one order at this event."""

    reason = reasons.NOT_ONE_ORDER


def entrance_of(event: Event) -> CheckinList:
    """The list that lets people in at `event`; made on first use, once, however many phones begin together."""
    entrance = CheckinList.objects.filter(event=event, admits=True).order_by("id").first()
    if entrance is None:
        entrance, _ = CheckinList.objects.get_or_create(event=event, admits=True, name_sv="Insläpp", name_en="Entrance")
    return entrance


# --- In ------------------------------------------------------------------------------------------------------------


def admit(
    text: str, *, event: Event, by: By, gate: str = "", scan_id: UUID | None = None, confirmed: bool = False
) -> Verdict:
    """Let in the guest whose ticket `text` stands for, if it may be let in, and write down what was answered.

    `confirmed` says that the volunteer has looked at what a `look` verdict asked for. Moves the ticket once. Safe to
    repeat: the same `scan_id` for the same ticket gets the same answer; met with another ticket (an old form sent
    again) it is taken for a new scan. Never raises for what is wrong with a ticket.
    """
    scan_id = scan_id or new_public_id()
    who = _signature(by, gate)
    try:
        credential = _read(text, event)
        if credential is not None:
            found = _let_in({credential.ticket: scan_id}, event, who, confirmed, version=credential.version)
            if found:
                return found[0]
    except NotCredible as error:
        return _turn_away(event, who, scan_id, Outcome.NOT_VALID, error.reason)
    return _turn_away(event, who, scan_id, Outcome.UNKNOWN, reasons.UNKNOWN)


def admit_order(
    public_ids: Iterable[UUID], *, event: Event, by: By, gate: str = "", scan_id: UUID, confirmed: bool = False
) -> list[Verdict]:
    """Let in several guests of one order at once: each gets a scan and a verdict of their own, in the order's order.
    Those that cannot be let in say why; the others are in all the same.

    Locks the tickets, by id. Safe to repeat with the same `scan_id`, from which the scans' own ids are made. Raises
    NotOneOrder.
    """
    names = {public_id: uuid5(scan_id, f"{public_id} {confirmed}") for public_id in public_ids}
    if not 1 <= len(names) <= MOST_AT_ONCE:
        raise NotOneOrder
    rows = Ticket.objects.filter(event=event, public_id__in=list(names))
    orders = list(rows.values_list("line__order_id", flat=True))
    if len(orders) != len(names) or len(set(orders)) != 1:
        raise NotOneOrder
    return _let_in(names, event, _signature(by, gate), confirmed)


def latest(event: Event, limit: int = 5) -> list[Verdict]:
    """The last guests let in at an event, newest first, without those undone. One query."""
    rows = (
        Scan.objects.filter(checkin_list__event=event, checkin_list__admits=True)
        .filter(outcome=Outcome.ADMITTED, undone_by__isnull=True)
        .select_related("by", "gate_pass", "ticket__ticket_type")
        .order_by("-id")[:limit]
    )
    return [
        Verdict(
            scan_id=scan.public_id,
            outcome=scan.outcome,
            reason="",
            at=scan.at,
            anyway=bool(scan.overrode),
            ticket=scan.ticket.public_id,
            type_name=scan.ticket.ticket_type.name,
            initials=verdicts.initials(scan.ticket.holder_name),
            since=scan.at,
            since_by=called(scanned_by(scan)),
            since_gate=scan.gate,
        )
        for scan in rows
        if scan.ticket is not None
    ]


# --- Against the answer ----------------------------------------------------------------------------------------------


def undo(scan: Scan, *, by: By, reason: str, note: str = "", gate: str = "") -> Scan:
    """Take back a scan that let a guest in: the ticket is valid again; a scan of its own tells who undid it and why.
    An entry that overruled the door moved no ticket, and its undo moves none.

    Locks the ticket. Safe to repeat: a scan that was undone returns the undo. Raises CannotUndo.
    """
    with transaction.atomic():
        if scan.outcome != Outcome.ADMITTED or scan.ticket_id is None:
            raise CannotUndo
        ticket = Ticket.objects.select_for_update(no_key=True).get(pk=scan.ticket_id)
        undone = Scan.objects.filter(undo_of=scan).first()
        if undone is not None:
            return undone
        if not scan.overrode:
            if ticket.state != TicketState.USED or verdicts.entries_of([ticket.pk]).get(ticket.pk) != scan:
                raise CannotUndo
            tickets.unuse(ticket, reason=f"{reasons.DOOR}:{reason}", **_mover(by))
        return Scan.objects.create(
            checkin_list_id=scan.checkin_list_id,
            ticket=ticket,
            at=clock.now(),
            outcome=Outcome.UNDONE,
            reason=reason,
            note=note[:LONGEST_NOTE],
            undo_of=scan,
            **_signature(by, gate),
        )


def may_let_in_anyway(by: By, state: str) -> bool:
    """Whether somebody may overrule the door about a ticket in this state.

    A guest who is inside already: staff, and passes that were given the right. A ticket that was refunded or is
    disputed: staff alone. A place that is somebody else's, or about to be: nobody.
    """
    if state == TicketState.USED:
        return not isinstance(by, GatePass) or by.may_let_in_anyway
    return state in (TicketState.REVOKED, TicketState.BLOCKED) and not isinstance(by, GatePass)


def turned_away(outcome: str) -> bool:
    """Whether a scan with this outcome is one that can be overruled."""
    return outcome in (Outcome.ALREADY_IN, Outcome.NOT_VALID)


def let_in_anyway(scan: Scan, *, by: By, reason: str, note: str = "", gate: str = "") -> Verdict:
    """Let a guest in whom the door turned away with `scan`: an entry that names what it overrules. Moves no ticket.

    Locks the ticket. Safe to repeat: one refusal has one standing entry; one that was undone may be given anew. Raises
    CannotLetIn, and ValidAgain when there is nothing left to overrule.
    """
    with transaction.atomic():
        if scan.ticket_id is None or not turned_away(scan.outcome):
            raise CannotLetIn
        if Event.objects.filter(checkin_lists=scan.checkin_list_id, cancelled_at__isnull=False).exists():
            raise EventCancelled
        ticket = Ticket.objects.select_for_update(no_key=True).get(pk=scan.ticket_id)
        scan_id, known = uuid5(scan.public_id, "anyway"), _entry_called(uuid5(scan.public_id, "anyway"))
        while known is not None and hasattr(known, "undone_by"):
            scan_id, known = uuid5(scan_id, "anyway"), _entry_called(uuid5(scan_id, "anyway"))
        if known is not None:
            return verdicts.describe([], repeated=[known])[0]
        if ticket.state == TicketState.VALID:
            raise ValidAgain
        if not may_let_in_anyway(by, ticket.state):
            raise CannotLetIn
        entry = Scan.objects.create(
            public_id=scan_id,
            checkin_list_id=scan.checkin_list_id,
            ticket=ticket,
            at=clock.now(),
            outcome=Outcome.ADMITTED,
            reason=reason,
            note=note[:LONGEST_NOTE],
            overrode=REFUSALS[TicketState(ticket.state)][1],
            **_signature(by, gate),
        )
    return verdicts.describe([entry])[0]


def _entry_called(scan_id: UUID) -> Scan | None:
    return Scan.objects.filter(public_id=scan_id).select_related("by", "gate_pass", "undone_by").first()


# --- How -------------------------------------------------------------------------------------------------------------


def _signature(by: By, gate: str) -> dict[str, Any]:
    """What a scan keeps of who scanned, and where."""
    who = {"gate_pass": by} if isinstance(by, GatePass) else {"by": by}
    return {**who, "gate": gate[:LONGEST_GATE]}


def _mover(by: By) -> dict[str, Any]:
    """How the audit tells who moved a ticket: an account, or the name on a pass."""
    return {"actor_name": by.holder_name} if isinstance(by, GatePass) else {"actor": by}


def _read(text: str, event: Event) -> Credential | None:
    """What a reader finds in `text`. Raises NotCredible when one says that it must not be believed."""
    text = text.strip()[:LONGEST_TEXT]
    for reader in credential_readers:
        try:
            found = reader.read(text, event)
        except NotCredible:
            raise
        except Exception:  # a plugin may raise anything; the queue at the door goes on
            log.exception("the credential reader %s failed", reader.slug)
            continue
        if found is not None:
            return found if isinstance(found, Credential) else Credential(found)
    return None


class _Overtaken(Exception):
    """Another phone was faster with one of these tickets. Nothing was changed: look again."""


def _let_in(
    names: Mapping[UUID, UUID],
    event: Event,
    who: Mapping[str, Any],
    confirmed: bool,
    *,
    version: int | None = None,
    tries: int = 3,
    locked: bool = False,
) -> list[Verdict]:
    """Decide on tickets of one order; `names` gives each the id of its scan. Empty when the event has none of them.

    The first look locks nothing: the conditional move decides who is first. Whoever is overtaken looks again under
    lock. Raises NotCredible when `version` is older than the ticket's.
    """
    try:
        with transaction.atomic():
            return _scan_all(names, event, who, confirmed, version, locked)
    except _Overtaken:
        pass
    except IntegrityError:
        # The same scan came twice at once (a double tap, a retry on a slow net), or it is an old form's with another
        # ticket. The first finds the other one's answer when it looks again; the second is a new scan.
        taken = dict(Scan.objects.filter(public_id__in=names.values()).values_list("public_id", "ticket__public_id"))
        if not taken or not tries:
            raise
        names = {
            ticket: new_public_id() if taken.get(name, ticket) != ticket else name for ticket, name in names.items()
        }
    return _let_in(names, event, who, confirmed, version=version, tries=tries - 1, locked=True)


def _scan_all(
    names: Mapping[UUID, UUID],
    event: Event,
    who: Mapping[str, Any],
    confirmed: bool,
    version: int | None,
    locked: bool,
) -> list[Verdict]:
    """The verdicts on these tickets, written down; those given before are given again. Raises _Overtaken."""
    presented = statements.tickets(event.pk, names, names.values(), locked=locked)
    if not presented:
        return []
    _insist_on(version, presented)
    fresh: list[Scan] = []
    known: list[Scan] = []
    for ticket in presented:
        entrance_id = ticket.entrance_id or entrance_of(event).pk
        name = names[ticket.public_id]
        if ticket.known_id is not None:
            answer = Scan.objects.select_related("by", "gate_pass").get(pk=ticket.known_id)
            if _is_answer(answer, entrance_id, confirmed):
                known.append(answer)
                continue
            name = new_public_id()
        outcome, reason = _decide(ticket, event, confirmed)
        fresh.append(
            Scan(
                public_id=name,
                checkin_list_id=entrance_id,
                ticket_id=ticket.pk,
                at=ticket.at,
                outcome=outcome,
                reason=reason,
                **who,
            )
        )
    admitted = [scan.ticket_id for scan in fresh if scan.outcome == Outcome.ADMITTED and scan.ticket_id is not None]
    mover = _mover(who.get("gate_pass") or who["by"])
    moved = move_many(Ticket, admitted, TicketState.VALID, TicketState.USED, reasons.DOOR, **mover)
    if moved != sorted(admitted):
        raise _Overtaken
    if fresh:
        statements.write(fresh)
    company = verdicts.company_of([ticket.pk for ticket in presented], presented[0].order_id)
    # Again, now that the moved ones are locked: they may have changed hands since they were looked at.
    _insist_on(version, [company[ticket.pk] for ticket in presented])
    return verdicts.describe(fresh, repeated=known, company=company)


def _insist_on(version: int | None, rows: Iterable[Presented | Companion]) -> None:
    """Raises NotCredible when the code is of an older version than its ticket."""
    if version is not None and any(version < row.credential_version for row in rows):
        raise NotCredible(reasons.OLD_CODE)


def _decide(ticket: Presented, event: Event, confirmed: bool) -> tuple[Scan.Outcome, str]:
    if event.cancelled_at is not None:
        return Outcome.NOT_VALID, reasons.EVENT_CANCELLED
    if ticket.was_given:
        return Outcome.NOT_VALID, reasons.GIVEN_AWAY
    if ticket.state in REFUSALS:
        return REFUSALS[TicketState(ticket.state)]
    if ticket.asks_proof and not confirmed:
        return Outcome.LOOK, reasons.CHECK_PROOF
    if (ticket.needs_id or ticket.minimum_age) and not confirmed:
        return Outcome.LOOK, reasons.CHECK_ID
    if ticket.check_membership and not confirmed:
        return Outcome.LOOK, reasons.CHECK_MEMBERSHIP
    return Outcome.ADMITTED, ""


def _is_answer(known: Scan, entrance_id: int, confirmed: bool) -> bool:
    """Whether a scan met again is the same question, still answered by what was said then."""
    if known.checkin_list_id != entrance_id or (known.outcome == Outcome.LOOK and confirmed):
        return False
    return not Scan.objects.filter(undo_of=known).exists()


def _turn_away(event: Event, who: Mapping[str, Any], scan_id: UUID, outcome: Scan.Outcome, reason: str) -> Verdict:
    """Write down a text that stands for no ticket. Safe to repeat like `admit`."""
    entrance = entrance_of(event)
    values = {"checkin_list": entrance, "outcome": outcome, "reason": reason, **who}
    scan, is_new = Scan.objects.get_or_create(public_id=scan_id, defaults={"at": clock.now(), **values})
    is_same = scan.checkin_list_id == entrance.pk and scan.ticket_id is None and scan.reason == reason
    if not is_new and not is_same:
        scan, is_new = Scan.objects.create(at=clock.now(), **values), True
    return verdicts.describe([scan] if is_new else [], repeated=[] if is_new else [scan])[0]
