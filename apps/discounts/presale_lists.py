"""Many presale links from a list: read, looked at before anything is made, then made and mailed by a worker.

The rows of a list that are not links yet stand in their batch. The worker takes some, makes their links and asks for
their mails in one transaction; killed in between, it goes on with the rest, and no row becomes two links.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from apps.accounts.ids import new_public_id
from apps.accounts.plain_text import one_line
from apps.discounts import csv_files, presale, presale_mails
from apps.discounts.models import PresaleBatch
from apps.discounts.models.presale import MOST_LINKS, MOST_TICKETS
from apps.events.models import Event
from apps.ticketing import clock, outbox, reservations
from apps.ticketing.models import Effect, TicketType

KIND = "presale.batch"
AT_ONCE = 25
SECONDS_A_TURN = 15.0
LONGEST_LABEL = 80
COLUMNS = {
    "email": ("e-mail", "email", "mail", "e-post", "epost", "mejl"),
    "label": ("name", "namn", "label", "for", "för", "to", "till"),
    "tickets": ("tickets", "number", "antal", "biljetter"),
}


@dataclass(frozen=True)
class Row:
    """One link to be made."""

    label: str
    email: str
    tickets: int


@dataclass(frozen=True)
class Trouble:
    """A line of the list that cannot become a link, and why."""

    line: int
    text: str
    why: str


@dataclass(frozen=True)
class Read:
    """What a list says: rows that can become links, and lines that cannot."""

    rows: tuple[Row, ...]
    troubles: tuple[Trouble, ...]

    @property
    def tickets(self) -> int:
        return sum(row.tickets for row in self.rows)


def read(text: str, *, tickets: int) -> Read:
    """Read a list: one link a line, with e-mail, name and number of tickets, in the order that its first line names or
    else in this one. `tickets` where a line names no number. Comma, semicolon or tab between them. Raises
    csv_files.NoText."""
    text = text.lstrip("\ufeff").replace("\0", "")
    delimiter = csv_files.delimiter_of(text, lines=1)
    lines = list(csv_files.rows_of(text, delimiter))
    order = _columns(lines[0][1]) if lines else None
    found: dict[str, Row] = {}
    troubles = []
    for number, cells in lines:
        cells = [one_line(cell) for cell in cells]
        if not any(cells) or (number == lines[0][0] and order is not None):
            continue
        row = _row(cells, order or {"email": 0, "label": 1, "tickets": 2}, tickets)
        if isinstance(row, Row) and row.email and row.email.lower() in found:
            row = _("This address stands in the list already.")
        if isinstance(row, Row) and len(found) >= MOST_LINKS:
            row = _("A list holds %(most)d links at most. Make another list of the rest.") % {"most": MOST_LINKS}
        if isinstance(row, Row):
            found[row.email.lower() or f"line {number}"] = row
        else:
            troubles.append(Trouble(number, (delimiter + " ").join(cells)[:120], row))
    return Read(tuple(found.values()), tuple(troubles))


def _columns(cells: Sequence[str]) -> dict[str, int] | None:
    words = [cell.strip().lower() for cell in cells]
    found = {
        name: next(position for position, word in enumerate(words) if word in names)
        for name, names in COLUMNS.items()
        if any(word in names for word in words)
    }
    return found or None


def _row(cells: Sequence[str], order: dict[str, int], tickets: int) -> Row | str:
    """The row of a line, or the sentence that says why there is none."""

    def cell(name: str) -> str:
        position = order.get(name, len(cells))
        return cells[position] if position < len(cells) else ""

    email, label, number = cell("email"), cell("label"), cell("tickets")
    if email:
        try:
            validate_email(email)
        except ValidationError:
            return _("“%(text)s” is no e-mail address.") % {"text": email[:60]}
    if not email and not label:
        return _("There is neither an address nor a name.")
    if number and not (number.isascii() and number.isdigit() and 1 <= int(number[:9]) <= MOST_TICKETS):
        return _("“%(text)s” is no number of tickets from 1 to %(most)d.") % {"text": number[:20], "most": MOST_TICKETS}
    return Row((label or email)[:LONGEST_LABEL], email[:254], int(number) if number else tickets)


def begin(
    event: Event, rows: Iterable[Row], *, types: Iterable[TicketType], is_mailed: bool, by: Any, **terms: Any
) -> PresaleBatch:
    """Have a worker make a link of each row. `terms` are what all of them have in common (see presale.create)."""
    waiting = [[row.label, row.email, row.tickets] for row in rows]
    kept = {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in terms.items()}
    with transaction.atomic():
        batch = PresaleBatch.objects.create(
            event=event,
            made_by=by,
            begun_at=clock.now(),
            number=len(waiting),
            waiting=waiting,
            is_mailed=is_mailed,
            terms={**kept, "types": [kind.pk for kind in types]},
        )
        _ask(batch)
    return batch


def go_on(batch: PresaleBatch) -> None:
    """Try again to make the rest of a list that stands still."""
    with transaction.atomic():
        if PresaleBatch.objects.filter(pk=batch.pk, made_at=None).exclude(problem="").update(problem=""):
            _ask(batch)


def _ask(batch: PresaleBatch) -> None:
    outbox.add(KIND, key=f"{KIND}:{batch.public_id}:{new_public_id().hex[:12]}", payload={"batch": batch.pk})


@outbox.handler(KIND, lease_seconds=60)
def _make(effect: Effect) -> None:
    until = time.monotonic() + SECONDS_A_TURN
    while time.monotonic() < until:
        try:
            if not make_some(effect.payload["batch"]):
                return
        except reservations.TooFewLeft as error:
            problem = _("Only %(left)d places are left of “%(quota)s”, so the next links cannot set theirs aside.") % {
                "left": error.quota.left,
                "quota": error.quota.name,
            }
            PresaleBatch.objects.filter(pk=effect.payload["batch"]).update(problem=problem[:300])
            return
    raise outbox.NotYet("more links of this list are to be made", seconds=1)


def make_some(batch_id: int, number: int = AT_ONCE) -> bool:
    """Make the next links of a list, all or none, and ask for their mails. Whether more are to be made."""
    event_id = PresaleBatch.objects.values_list("event_id", flat=True).get(pk=batch_id)
    with transaction.atomic():
        reservations.lock_quotas(event_id)
        batch = PresaleBatch.objects.select_for_update(of=("self",)).select_related("event").get(pk=batch_id)
        chunk, rest = batch.waiting[:number], batch.waiting[number:]
        terms = dict(batch.terms)
        types = list(TicketType.objects.filter(pk__in=terms.pop("types"), event_id=event_id))
        moments = {name: parse_datetime(terms[name]) for name in ("opens_at", "closes_at") if terms.get(name)}
        for label, email, tickets in chunk:
            facts = {**terms, **moments, "label": label, "email": email, "size": tickets}
            link = presale.create(batch.event, types=types, batch=batch, **facts)
            if batch.is_mailed and email:
                presale_mails.ask(link)
        batch.waiting, batch.made_at = rest, None if rest else clock.now()
        batch.save(update_fields=["waiting", "made_at"])
    return bool(rest)
