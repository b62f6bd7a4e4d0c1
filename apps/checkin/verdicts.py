"""What the volunteer sees of a scan: the answer, the guest in as few words as will do, and who of the same order is
still to come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.checkin import reasons, statements
from apps.checkin.crowds import EXPECTED
from apps.checkin.models import GatePass, Scan
from apps.checkin.statements import Companion
from apps.events.translated import pick, repeated
from apps.ticketing.models import Ticket
from apps.ticketing.reasons import sentence
from apps.ticketing.second_hand import told_times
from apps.ticketing.states import TicketState

By = User | GatePass  # who stands at the door
Outcome = Scan.Outcome


@dataclass(frozen=True)
class OrderTicket:
    """Another ticket of the guest's order, and the guest's own still, that could be let in now."""

    ticket: UUID
    type_name: str
    initials: str
    choices: tuple[str, ...]
    minimum_age: int | None
    needs_id: bool
    check_membership: bool
    asks_proof: bool  # it was given to somebody for whom it would have cost more


@dataclass(frozen=True)
class Verdict:
    """What the volunteer sees. `repeated` says that this very scan had been answered before, at `at`; `anyway`, that
    the guest came in although the door said no. `stored` is what the scan itself holds, whatever is shown of it.

    `since`, `since_by` (a first name) and `since_gate` tell of the entry for which the guest counts as inside; all
    three are empty when the ticket was marked as used by other means than a scan. `others` are of the same order and
    still to come; none for a ticket that is not valid. `bought_until` is a time such as 14.32, of a ticket that
    somebody may pay for until then.
    """

    scan_id: UUID
    outcome: str
    reason: str
    at: datetime
    stored: str = ""
    repeated: bool = False
    anyway: bool = False
    ticket: UUID | None = None
    state: str = ""
    type_name: str = ""
    initials: str = ""
    choices: tuple[str, ...] = ()
    number: int = 0
    of: int = 0
    minimum_age: int | None = None
    needs_id: bool = False
    check_membership: bool = False
    asks_proof: bool = False
    bought_until: str = ""
    since: datetime | None = None
    since_by: str = ""
    since_gate: str = ""
    others: tuple[OrderTicket, ...] = ()

    @property
    def heading(self) -> str:
        """Two words for the big screen."""
        return reasons.heading(self.reason)

    @property
    def sentence(self) -> str:
        """What to do, in the active language; empty when the guest is in."""
        if self.reason == reasons.BEING_SOLD and self.bought_until:
            return _(
                "Somebody is buying this ticket, until %(time)s. Ask the guest to wait till then, then try again."
            ) % {"time": self.bought_until}
        return sentence(self.reason) if self.reason else ""


def describe(
    scans: Iterable[Scan], *, repeated: Iterable[Scan] = (), company: Mapping[int, Companion] | None = None
) -> list[Verdict]:
    """The verdicts of scans, all of tickets of one order, as the order names them.

    Without the `company` of that order it is asked for: two queries. One more where somebody was already in, and where
    one of the tickets is being bought.
    """
    repeated = list(repeated)
    rows = [*scans, *repeated]
    ids = [scan.ticket_id for scan in rows if scan.ticket_id is not None]
    company = company or (company_of(ids) if ids else {})
    places = {pk: place for place, pk in enumerate(company)}
    rows.sort(key=lambda scan: places.get(scan.ticket_id or 0, 0))
    inside = entries_of(scan.ticket_id for scan in rows if scan.outcome == Outcome.ALREADY_IN)
    times = told_times({pk: row.state for pk, row in company.items()})
    return [
        replace(
            _verdict(scan, company, inside.get(scan.ticket_id), scan in repeated),
            bought_until=times.get(scan.ticket_id or 0, ""),
        )
        for scan in rows
    ]


def company_of(ticket_ids: list[int], order_id: int | None = None) -> dict[int, Companion]:
    """{id: ticket} of the order that these are of, as it stands on paper: those of their owner that are
    expected, and these."""
    if order_id is None:
        order_id = Ticket.objects.values_list("line__order_id", flat=True).get(pk=ticket_ids[0])
    return {row.pk: row for row in statements.company_of(order_id, EXPECTED, ticket_ids)}


def entries_of(ticket_ids: Iterable[int | None]) -> dict[int | None, Scan]:
    """{ticket: the scan for which its guest counts as inside}. One query, none for no tickets."""
    wanted = [pk for pk in ticket_ids if pk is not None]
    if not wanted:
        return {}
    rows = Scan.objects.filter(ticket__in=wanted, outcome=Outcome.ADMITTED, overrode="", undone_by__isnull=True)
    return {scan.ticket_id: scan for scan in rows.select_related("by", "gate_pass").order_by("id")}


def initials(name: str) -> str:
    """`A. E.` for Alva Maria Ek: enough to compare with a card, too little to look somebody up."""
    words = name.split()
    return " ".join(f"{word[0].upper()}." for word in (words[:1] + words[1:][-1:]))


def called(by: By | None) -> str:
    """The volunteer as colleagues call them; empty rather than an e-mail address."""
    if by is None:
        return ""
    return by.holder_name if isinstance(by, GatePass) else by.name.split(" ")[0]


def scanned_by(scan: Scan) -> By | None:
    """Who gave this answer; None when their account is erased."""
    return scan.gate_pass or scan.by


def _verdict(scan: Scan, company: Mapping[int, Companion], inside: Scan | None, repeated: bool) -> Verdict:
    facts: dict[str, Any] = {}
    if scan.ticket_id is not None:
        own = company[scan.ticket_id]
        in_order = [pk for pk, row in company.items() if row.state in EXPECTED]
        entry = scan if scan.outcome == Outcome.ADMITTED else inside
        facts = {
            "ticket": own.public_id,
            "state": own.state,
            "type_name": pick(own.name_sv, own.name_en),
            "initials": initials(own.holder_name),
            "choices": _choices(own),
            "number": in_order.index(scan.ticket_id) + 1 if scan.ticket_id in in_order else 0,
            "of": len(in_order),
            "minimum_age": own.minimum_age,
            "needs_id": own.needs_id,
            "check_membership": own.check_membership,
            "asks_proof": own.asks_proof,
            "since": entry.at if entry else None,
            "since_by": called(scanned_by(entry)) if entry else "",
            "since_gate": entry.gate if entry else "",
        }
        if scan.outcome != Outcome.NOT_VALID:
            facts["others"] = tuple(
                _other(row) for pk, row in company.items() if row.state == TicketState.VALID and pk != scan.ticket_id
            )
    return Verdict(
        scan_id=scan.public_id,
        outcome=scan.outcome,
        reason="" if scan.outcome == Outcome.ADMITTED else scan.reason,
        at=scan.at,
        stored=scan.outcome,
        repeated=repeated,
        anyway=bool(scan.overrode),
        **facts,
    )


def _other(row: Companion) -> OrderTicket:
    return OrderTicket(
        ticket=row.public_id,
        type_name=pick(row.name_sv, row.name_en),
        initials=initials(row.holder_name),
        choices=_choices(row),
        minimum_age=row.minimum_age,
        needs_id=row.needs_id,
        check_membership=row.check_membership,
        asks_proof=row.asks_proof,
    )


def _choices(row: Companion) -> tuple[str, ...]:
    """What the guest chose, for wristbands and coupons; what tells about health stays in the kitchen."""
    names = ((pick(swedish, english), quantity) for swedish, english, quantity in row.choices)
    return tuple(repeated(name, quantity) for name, quantity in names)
