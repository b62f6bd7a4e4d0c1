"""The statements of a scan, written out: the ORM would take longer to write them than the database to answer.
All else at the door goes through the ORM.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from apps.accounts.prepared import Statement
from apps.checkin.models import GatePass, Scan
from apps.events.models import Event


@dataclass(frozen=True)
class Presented:
    """A ticket that is shown at the door, and what it takes to decide on it."""

    pk: int
    public_id: UUID
    order_id: int
    state: str
    credential_version: int
    minimum_age: int | None
    needs_id: bool
    check_membership: bool
    at: datetime
    entrance_id: int | None
    known_id: int | None  # the scan by which it was answered before
    asks_proof: bool  # it was given to somebody for whom it would have cost more
    was_given: bool  # away, if it is superseded


_ASKS_PROOF = "EXISTS (SELECT 1 FROM ticketing_gift g WHERE g.became_id = t.id AND g.asks_proof)"
_TICKETS = f"""
SELECT t.id, t.public_id, l.order_id, t.state, t.credential_version, k.minimum_age, k.needs_id,
    t.check_membership, foyer_now(),
    (SELECT min(c.id) FROM checkin_checkinlist c WHERE c.event_id = t.event_id AND c.admits),
    (SELECT min(s.id) FROM checkin_scan s WHERE s.public_id = ANY($1) AND s.ticket_id = t.id),
    {_ASKS_PROOF},
    t.state = 'superseded' AND EXISTS (SELECT 1 FROM ticketing_gift g WHERE g.ticket_id = t.id AND g.state = 'accepted')
FROM ticketing_ticket t
JOIN ticketing_tickettype k ON k.id = t.ticket_type_id
JOIN ticketing_orderline l ON l.id = t.line_id
WHERE t.event_id = $2 AND t.public_id = ANY($3) ORDER BY t.id
"""
LOOK_UP = Statement("door_look_up", ("uuid[]", "bigint", "uuid[]"), _TICKETS)
LOCK = Statement("door_lock", ("uuid[]", "bigint", "uuid[]"), f"{_TICKETS} FOR NO KEY UPDATE OF t")

WRITE = Statement(
    "door_write",
    ("uuid[]", "bigint[]", "bigint[]", "timestamptz[]", "text[]", "bigint[]", "bigint[]", "text[]", "text[]"),
    """
INSERT INTO checkin_scan (public_id, checkin_list_id, ticket_id, at, gate, by_id, gate_pass_id, outcome, reason, note,
    overrode, undo_of_id) SELECT *, '', '', NULL FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)
RETURNING public_id, id
""",
)

COMPANY = Statement(
    "door_company",
    ("bigint", "text[]", "bigint[]"),
    f"""
SELECT t.id, t.public_id, t.state, t.credential_version, t.holder_name, k.name_sv, k.name_en, k.minimum_age,
    k.needs_id, t.check_membership, {_ASKS_PROOF},
    (SELECT json_agg(json_build_array(c.name_sv, c.name_en, lc.quantity) ORDER BY v.position, lc.id)::text
    FROM ticketing_linechoice lc JOIN ticketing_choice c ON c.id = lc.choice_id
    JOIN ticketing_variation v ON v.id = c.variation_id WHERE lc.line_id = l.id AND NOT c.is_sensitive)
FROM ticketing_orderline l
JOIN ticketing_ticket t ON t.line_id = l.id
JOIN ticketing_tickettype k ON k.id = t.ticket_type_id
WHERE l.order_id = $1 AND (t.id = ANY($3) OR t.state = ANY($2) AND l.owner_key IN (
    SELECT own.owner_key FROM ticketing_ticket shown JOIN ticketing_orderline own ON own.id = shown.line_id
    WHERE shown.id = ANY($3))) ORDER BY l.position, t.id
""",
)

_PASS = GatePass._meta.concrete_fields
_EVENT = Event._meta.concrete_fields
PASS = Statement(
    "door_pass",
    ("bigint", "uuid"),
    f"""
SELECT {", ".join(f"p.{field.column}" for field in _PASS)}, {", ".join(f"e.{field.column}" for field in _EVENT)},
    foyer_now() FROM checkin_gatepass p JOIN events_event e ON e.id = p.event_id WHERE p.id = $1 AND e.public_id = $2
""",
)


@dataclass(frozen=True)
class Companion:
    """A ticket of an order, as its paper tells. `choices` are (Swedish, English, quantity)."""

    pk: int
    public_id: UUID
    state: str
    credential_version: int
    holder_name: str
    name_sv: str
    name_en: str
    minimum_age: int | None
    needs_id: bool
    check_membership: bool
    asks_proof: bool
    choices: Sequence[tuple[str, str, int]]


def tickets(
    event_id: int, public_ids: Iterable[UUID], scan_ids: Iterable[UUID], *, locked: bool = False
) -> list[Presented]:
    """These tickets of an event, in id order; `locked`, until the caller's transaction ends."""
    rows = (LOCK if locked else LOOK_UP).run(list(scan_ids), event_id, list(public_ids))
    return [Presented(*row) for row in rows]


def write(scans: Sequence[Scan]) -> None:
    """Insert scans. Raises IntegrityError when one of their public ids is taken."""
    columns = ("public_id", "checkin_list_id", "ticket_id", "at", "gate", "by_id", "gate_pass_id", "outcome", "reason")
    rows = WRITE.run(*([getattr(scan, column) for scan in scans] for column in columns))
    ids = dict(rows)
    for scan in scans:
        scan.pk = ids[scan.public_id]
        scan._state.adding = False


def company_of(order_id: int, states: Iterable[str], ticket_ids: Iterable[int]) -> list[Companion]:
    """The tickets `ticket_ids` of an order and those of the same owner in one of `states`, in the order's order: who
    got a ticket as a gift comes by themselves, and the buyer without them."""
    rows = COMPANY.run(order_id, [str(state) for state in states], list(ticket_ids))
    return [Companion(*facts, choices=json.loads(choices or "[]")) for *facts, choices in rows]  # type: ignore[misc]


def pass_at(pass_id: int, event_id: UUID) -> tuple[GatePass, datetime] | None:
    """A pass to this event, with its event, and the moment by the database."""
    rows = PASS.run(pass_id, event_id)
    if not rows:
        return None
    (row,) = rows
    gate_pass = GatePass.from_db(connection.alias, [field.attname for field in _PASS], row[: len(_PASS)])
    gate_pass.event = Event.from_db(connection.alias, [field.attname for field in _EVENT], row[len(_PASS) : -1])
    return gate_pass, row[-1]
