"""The life of a ticket: issued when its line is paid, used at the door, held while it is resold, revoked when refunded.

The door and the marketplace contend for one row, and both move it conditionally: exactly one of them wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_short_code
from apps.accounts.prepared import Insert, Statement
from apps.ticketing import clock, reading, signals
from apps.ticketing.models import OrderLine, Ticket
from apps.ticketing.states import TicketState
from apps.ticketing.transitions import StaleState, move, move_many

# Why a ticket is not good to be given back, given away or sold, in words after its name.
WHY_NOT_VALID: dict[str, str | Promise] = {
    TicketState.USED: _("It was used at the door."),
    TicketState.HELD: _("Somebody is buying it at this moment."),
    TicketState.BLOCKED: _("Its payment is disputed at the bank."),
    TicketState.SUPERSEDED: _("It was passed on."),
    TicketState.REVOKED: _("It is not valid any more."),
}
DRAWS = 20  # of a short code; two draws in a row collide about once in 10^8 at the largest event


class NoCodeLeft(Exception):
    """No free short code was found for an event; nothing was issued."""


def issue(lines: Sequence[OrderLine]) -> list[Ticket]:
    """Give every line its ticket and return them, line by line. A line that ever had a ticket gets no second one.

    In bulk: four queries for any number of lines. Inside the transaction that pays them, with their order locked, so
    that two calls cannot meet. The holder is the guest named on the line, else the buyer. Next: the door.
    """
    wanted = {line.pk: line for line in lines if line.refunded_at is None}
    tickets = reading.tickets_of_lines.all(list(wanted))
    known = {ticket.pk for ticket in tickets}
    at = next((line.order.paid_at for line in lines if line.order.paid_at), None) or clock.now()
    for _draw in range(DRAWS):
        missing = wanted.keys() - {ticket.line_id for ticket in tickets}
        if not missing:
            break
        # A short code that is taken at this event is no error: its line is missing still, and draws again.
        _issued.run_many([_ticket(wanted[pk], at) for pk in sorted(missing)])
        tickets = reading.tickets_of_lines.all(list(wanted))
    if missing := wanted.keys() - {ticket.line_id for ticket in tickets}:
        raise NoCodeLeft(f"lines {sorted(missing)}")
    issued = [ticket.pk for ticket in tickets if ticket.pk not in known]
    if issued:
        mark_for_the_door(issued)
        transaction.on_commit(partial(signals.tickets_issued.send_robust, sender=Ticket, ids=issued))
    alive = [ticket for ticket in tickets if ticket.state not in (TicketState.SUPERSEDED, TicketState.REVOKED)]
    return sorted(alive, key=lambda ticket: (wanted[ticket.line_id].position, ticket.pk))


_issued = Insert("ticket_issued", Ticket, or_nothing=True)


def _ticket(line: OrderLine, at: datetime) -> Ticket:
    order = line.order
    return Ticket(
        event_id=order.event_id,
        ticket_type_id=line.ticket_type_id,
        line=line,
        owner_id=order.user_id,
        holder_name=line.guest_name or order.name,
        holder_email=order.email,
        short_code=new_short_code(),
        issued_at=at,
    )


_MARK = Statement(
    "tickets_mark",
    ("bigint[]",),
    """
UPDATE ticketing_ticket t SET check_membership = NOT t.check_membership WHERE t.id = ANY($1) AND t.check_membership <>
    EXISTS (SELECT 1 FROM ticketing_adjustment a JOIN ticketing_orderline l ON l.id = a.line_id
        WHERE l.id = t.line_id AND l.owner_key = '' AND a.is_provisional)
RETURNING t.id
""",
)


def mark_for_the_door(ticket_ids: Sequence[int]) -> list[int]:
    """Mark the tickets whose price rests on what is not known for certain, so that the door asks for a proof, and no
    others. What was given away rests on what its new owner is (`Gift.asks_proof`). Returns the ids that changed.
    Inside a transaction."""
    return [pk for (pk,) in _MARK.run(list(ticket_ids))] if ticket_ids else []


def use(ticket: Ticket, *, reason: str = "", actor: Any = None) -> None:
    """Let the guest in: valid -> used. Raises StaleState when somebody was faster or the ticket is not valid."""
    move(ticket, TicketState.USED, old=TicketState.VALID, reason=reason, actor=actor)


def unuse(ticket: Ticket, *, reason: str, actor: Any = None, actor_name: str = "") -> None:
    """Take an admission back: used -> valid. Raises StaleState when it was not admitted any more."""
    move(ticket, TicketState.VALID, old=TicketState.USED, reason=reason, actor=actor, actor_name=actor_name)


def hold(ticket_ids: Iterable[int], *, reason: str = "") -> list[int]:
    """Keep tickets for a buyer who is paying for them: valid -> held. Returns the ids that could be held."""
    return move_many(Ticket, ticket_ids, TicketState.VALID, TicketState.HELD, reason)


def let_go(ticket_ids: Iterable[int], *, reason: str = "") -> list[int]:
    """End a hold without a sale: held -> valid. Returns the ids that were held."""
    return move_many(Ticket, ticket_ids, TicketState.HELD, TicketState.VALID, reason)


def supersede(ticket_ids: Iterable[int], *, reason: str, actor: Any = None) -> list[int]:
    """End tickets because their places have new owners: held -> superseded. Returns the ids that were held."""
    return move_many(Ticket, ticket_ids, TicketState.HELD, TicketState.SUPERSEDED, reason, actor=actor)


def give(ticket: Ticket, *, name: str, email: str, owner: Any, reason: str, actor: Any = None) -> Ticket:
    """End a valid ticket and issue another for the same place in the name of its new holder: a code of its own, while
    the old one is good no more. Order and line, and so the payer, stay.

    Inside a transaction that has locked the order and the ticket. Raises StaleState when it is not valid.
    """
    if hold([ticket.pk], reason=reason) != [ticket.pk]:
        raise StaleState(ticket, TicketState.SUPERSEDED)
    supersede([ticket.pk], reason=reason, actor=actor)
    issued = Ticket.objects.create(
        event_id=ticket.event_id,
        ticket_type_id=ticket.ticket_type_id,
        line_id=ticket.line_id,
        owner=owner,
        holder_name=name,
        holder_email=email,
        short_code=free_short_code(ticket.event_id),
        issued_at=clock.now(),
    )
    mark_for_the_door([issued.pk])
    transaction.on_commit(partial(signals.tickets_issued.send_robust, sender=Ticket, ids=[issued.pk]))
    return issued


def free_short_code(event_id: int) -> str:
    """One no other ticket of the event has; taken in this very moment it is the database that refuses."""
    code = new_short_code()
    while Ticket.objects.filter(event_id=event_id, short_code=code).exists():
        code = new_short_code()
    return code


def block(ticket_ids: Iterable[int], *, reason: str) -> dict[int, str]:
    """Keep tickets from being used or sold, whatever they were: valid, held or used -> blocked. Returns {id: what it
    was} of those that were alive, for `unblock`. Locks them by id, inside a transaction."""
    alive = [TicketState.VALID, TicketState.HELD, TicketState.USED]
    rows = Ticket.objects.select_for_update().filter(pk__in=list(ticket_ids), state__in=alive).order_by("pk")
    were = dict(rows.values_list("pk", "state"))
    move_many(Ticket, were, alive, TicketState.BLOCKED, reason)
    return were


def unblock(were: Mapping[int, str], *, reason: str) -> list[int]:
    """Give blocked tickets back the state they had; returns the ids that were blocked still. Locks them by id.

    Blocking ends a hold for good: its buyer may be gone by now, and who pays for what is not held is paid back.
    """
    back = {pk: TicketState.VALID if was == TicketState.HELD else TicketState(was) for pk, was in were.items()}
    restored: list[int] = []
    for state in sorted(set(back.values())):
        own = [pk for pk, was in back.items() if was == state]
        restored += move_many(Ticket, own, TicketState.BLOCKED, state, reason)
    return sorted(restored)


def revoke(ticket_ids: Iterable[int], *, reason: str, actor: Any = None) -> list[int]:
    """End tickets for good, whatever they were; returns the ids that were still alive. Locks them by id."""
    alive = [TicketState.VALID, TicketState.HELD, TicketState.USED, TicketState.BLOCKED]
    return move_many(Ticket, ticket_ids, alive, TicketState.REVOKED, reason, actor=actor)
