"""Finding a guest who has no code at hand: one box for name, e-mail, order and short code, at one event.

The database has no extension for words: each one typed is looked for as it stands within name and address, letters
without their accents, and at the beginning of the reference and the short code. That reads all tickets of the event,
some ten milliseconds at five thousand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import BooleanField, CharField, Expression, ExpressionWrapper, Func, Q, Value
from django.db.models.functions import Concat, Lower

from apps.accounts.plain_text import one_line
from apps.checkin import reasons
from apps.checkin.models import Scan
from apps.checkin.scans import REFUSALS
from apps.checkin.verdicts import called, entries_of, scanned_by
from apps.events.models import Event
from apps.ticketing.models import Ticket
from apps.ticketing.states import TicketState

MOST = 10
FEWEST_LETTERS = 2
LONGEST = 100
MOST_WORDS = 6
_ACCENTED = "åäáàâãæçéèêëíìîïłñóòôöõøšśúùûüýÿžźż"
_PLAIN = "aaaaaaaceeeeiiiilnoooooossuuuuyyzzz"
_plain = str.maketrans(_ACCENTED, _PLAIN)
_gaps = re.compile(r"[\s\-.·]+")


@dataclass(frozen=True)
class Hit:
    """A ticket that was found. `state` is valid, inside or not_valid; `why` are two words when it is not valid.

    The e-mail is masked: it tells two guests of one name apart, and cannot be written to.
    """

    ticket: UUID
    holder_name: str
    email: str
    type_name: str
    order_reference: str
    short_code: str
    state: str
    why: str = ""
    since: datetime | None = None
    since_by: str = ""
    since_gate: str = ""


@dataclass(frozen=True)
class Found:
    """The first ten, the exact ones before the others; `more` when there are others still."""

    hits: tuple[Hit, ...]
    more: bool


class TooShort(Exception):
    """Fewer letters than a search needs: it would find everybody."""


def find(text: str, event: Event) -> Found:
    """The tickets of `event` in which every word of `text` is found. Two queries. Raises TooShort."""
    text = one_line(text)[:LONGEST]
    code = _gaps.sub("", text).upper()
    if len(code) < FEWEST_LETTERS:
        raise TooShort
    words = text.lower().translate(_plain).split()[:MOST_WORDS]
    in_words = Q()
    for word in words:
        in_words &= Q(haystack__contains=word)
    is_code = Q(short_code__startswith=code) | Q(line__order__reference__startswith=code)
    rows = list(
        Ticket.objects.filter(event=event)
        .annotate(haystack=_haystack())
        .filter(in_words | is_code)
        .annotate(
            is_exact=ExpressionWrapper(Q(short_code=code) | Q(line__order__reference=code), output_field=BooleanField())
        )
        .select_related("ticket_type", "line__order")
        .order_by("-is_exact", "holder_name", "line__order_id", "pk")[: MOST + 1]
    )
    shown = rows[:MOST]
    inside = entries_of(ticket.pk for ticket in shown if ticket.state == TicketState.USED)
    return Found(tuple(_hit(ticket, inside.get(ticket.pk)) for ticket in shown), more=len(rows) > MOST)


def mask(email: str) -> str:
    """`al…@example.org` for alva@example.org."""
    name, at, host = email.partition("@")
    return f"{name[:2] if len(name) > 3 else name[:1]}…{at}{host}" if name else ""


def _haystack() -> Expression:
    """Names and addresses of guest and buyer, in small letters without accents."""
    space = Value(" ")
    columns = ("holder_name", "holder_email", "line__order__name", "line__order__email")
    together = Concat(*(part for column in columns for part in (column, space)), output_field=CharField())
    return Func(Lower(together), Value(_ACCENTED), Value(_PLAIN), function="translate", output_field=CharField())


def _hit(ticket: Ticket, entry: Scan | None) -> Hit:
    order, state, why = ticket.line.order, "valid", ""
    if ticket.state == TicketState.USED:
        state = "inside"
    elif ticket.state != TicketState.VALID:
        state, why = "not_valid", reasons.heading(REFUSALS[TicketState(ticket.state)][1])
    return Hit(
        ticket=ticket.public_id,
        holder_name=ticket.holder_name or order.name,
        email=mask(ticket.holder_email or order.email),
        type_name=ticket.ticket_type.name,
        order_reference=order.reference,
        short_code=ticket.short_code,
        state=state,
        why=why,
        since=entry.at if entry else None,
        since_by=called(scanned_by(entry)) if entry else "",
        since_gate=entry.gate if entry else "",
    )
