"""PDF tickets: made by a worker when an order is paid or changed, kept privately, and made again when lost.

No page ever waits for one: the ticket page shows the same code, and a download that is not there yet is asked for. The
files are made out of rows alone (`facts`), by a program that can reach nothing (`renderer`), and lie under names that
stand for all they show (`files`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from apps.accounts.ids import new_public_id
from apps.ticketing import clock, outbox, reading
from apps.ticketing.documents import files, rendering
from apps.ticketing.documents.files import MOST_TICKETS, File, ascii_name, file_of, files_of
from apps.ticketing.documents.rendering import PACKAGES, NotMade, OutOfBounds
from apps.ticketing.models import Effect, Order, Ticket
from apps.ticketing.states import EffectState, OrderState, TicketState

__all__ = [
    "COSTLY_TRIES",
    "MOST_TICKETS",
    "PACKAGES",
    "KIND",
    "File",
    "NotMade",
    "OutOfBounds",
    "ascii_name",
    "ask",
    "attachments",
    "file_of",
    "files_of",
    "forget",
    "is_given_up",
    "problem",
    "read",
    "sweep",
    "wanted",
    "why_not",
]

log = logging.getLogger(__name__)

KIND = "document.make"
QUEUE = "documents"
TURN_SECONDS = 150  # one effect makes files this long, then lets others have their turn
LEASE_SECONDS = TURN_SECONDS + rendering.RENDER_SECONDS + rendering.START_SECONDS
AGAIN_SECONDS = 3600  # after a page that broke its bounds: trying it at once would only cost the same again
COSTLY_TRIES = 3  # of such a page; then it is given up until somebody asks another day, or what it shows changes
GIVEN_UP_HOURS = 24
KEPT_DAYS = 7  # after the event; a file can be made again when somebody asks
ENDED = (TicketState.SUPERSEDED, TicketState.REVOKED, TicketState.BLOCKED)


# --- Asking for files --------------------------------------------------------------------------------------------


def wanted(order: Order) -> None:
    """Have the files of a paid order made, and those it no longer has thrown away. In the transaction of the cause, or
    in one of its own. Next: a worker of the queue `documents`."""
    with transaction.atomic(savepoint=False):
        outbox.add(KIND, key=f"{KIND}:{order.public_id}:{new_public_id()}", order=order, queue=QUEUE)


def ask(order: Order, ticket: Ticket | None = None) -> None:
    """Have a file made that somebody waits for: an order's, or a ticket's by itself. However often it is asked for, at
    most once a minute; and not at all while it is being made, waits because it went wrong, or was given up today."""
    payload = _payload(ticket)
    under_way = Effect.objects.filter(order=order, kind=KIND, state__in=[EffectState.DUE, EffectState.LEASED])
    if under_way.filter(Q(payload=payload) | ~Q(last_error="")).exists() or is_given_up(order, ticket):
        return
    about = ticket.public_id if ticket else order.public_id
    minute = int(clock.now().timestamp()) // 60
    with transaction.atomic():
        outbox.add(KIND, key=f"{KIND}:{about}:{minute}", payload=payload, order=order, queue=QUEUE)


def _payload(ticket: Ticket | None) -> dict[str, int]:
    return {"ticket": ticket.pk} if ticket else {}


def is_given_up(order: Order, ticket: Ticket | None = None) -> bool:
    """Whether the last tries to make an order's files, or a ticket's by itself, were given up within the last day."""
    asked = Effect.objects.filter(order=order, kind=KIND, payload=_payload(ticket))
    last = asked.order_by("-pk").first()
    since = clock.now() - timedelta(hours=GIVEN_UP_HOURS)
    return last is not None and last.state == EffectState.DEAD and last.due_at > since


def why_not(order: Order) -> str:
    """What went wrong the last time the order's files were made, for operators; empty when nothing did, though they may
    wait for their turn."""
    told = Effect.objects.filter(Q(state=EffectState.DONE) | ~Q(last_error=""), order=order, kind=KIND)
    last = told.order_by("-pk").first()
    return last.last_error if last and last.state != EffectState.DONE else ""


def on_tickets_moved(*, ids: Iterable[int], old: dict[int, str], new: str, **_: object) -> None:
    """A ticket that ended, or came back from a dispute, changes the files of its order."""
    if new not in ENDED and TicketState.BLOCKED not in old.values():
        return
    for order in reading.orders_of_tickets.all(list(ids)):
        wanted(order)


# --- Making them, in a worker ------------------------------------------------------------------------------------


@outbox.handler(KIND, lease_seconds=LEASE_SECONDS)
def _make(effect: Effect) -> None:
    """Make what an order lacks, and throw away what it has too much. Looks before it acts."""
    assert effect.order_id is not None  # every file is an order's
    order = Order.objects.get(pk=effect.order_id)
    until = time.monotonic() + TURN_SECONDS
    try:
        for file in _asked_for(order, effect):
            if time.monotonic() > until:
                raise outbox.NotYet("other orders have their turn first", seconds=1)
            files.ensure(file)
    except OutOfBounds as error:
        log.error("a PDF of order %s broke its bounds: %s", order.reference, error.reason)
        raise outbox.Failed(error.reason, seconds=AGAIN_SECONDS, tries=COSTLY_TRIES) from error
    finally:
        _tidy(order)


def _tidy(order: Order) -> None:
    """Throw away what is not right by the rows of this moment: making a file takes seconds, in which a name may have
    been erased or an event moved."""
    now = Order.objects.get(pk=order.pk)
    try:
        files.tidy(now, files_of(now) if now.state == OrderState.PAID else [])
    except OSError as error:  # whoever makes the files next tries again
        log.error("the files of order %s cannot be thrown away: %s", now.reference, type(error).__name__)


def _asked_for(order: Order, effect: Effect) -> list[File]:
    if order.state != OrderState.PAID:
        return []
    if "ticket" not in effect.payload:
        return files_of(order)
    ticket = Ticket.objects.select_related("line__order").get(pk=effect.payload["ticket"])
    alone = file_of(ticket)
    return [alone] if alone else []


def attachments(order: Order) -> list[tuple[str, bytes]]:
    """(file name, PDF) of each file of a paid order, for a mail; what is missing is made. In a worker only.

    Raises NotMade: then the mail goes without, and says where the tickets are. Empty when no ticket is good.
    """
    if order.state != OrderState.PAID:
        return []
    right = files_of(order)
    were_there = all(read(file) is not None for file in right)
    try:
        found = [(file.filename, files.ensure(file)) for file in right]
    finally:
        if not were_there:
            _tidy(order)
    if not were_there and not {file.name for file in right} <= files.names_there(order.public_id):
        raise NotMade("What the tickets say changed while they were made.")
    return found


# --- Afterwards --------------------------------------------------------------------------------------------------


def read(file: File) -> bytes | None:
    """The content of a file if it has been made and is whole."""
    return files.read(file.name)


def forget(orders: Iterable[UUID]) -> None:
    """Throw away all files of these orders (public ids), once this transaction is committed: the people they name are
    to be forgotten."""
    ids = list(orders)
    transaction.on_commit(lambda: [files.forget(order) for order in ids])


def sweep() -> None:
    """Throw away the files of events that are over for a week, and of orders that are not there. Once a day."""
    try:
        folders, _names = files.storage().listdir("")
    except FileNotFoundError:
        return
    since = clock.now() - timedelta(days=KEPT_DAYS)
    for start in range(0, len(folders), 500):
        known = {UUID(name): name for name in folders[start : start + 500] if len(name) == 32}
        kept = Order.objects.filter(public_id__in=known, event__ends_at__gt=since).values_list("public_id", flat=True)
        for order in set(known) - set(kept):
            files.forget(order)


def problem() -> str:
    """Why this machine can make no PDF, in a sentence; empty when it can."""
    return rendering.problem()
