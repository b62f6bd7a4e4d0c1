"""What one ticket's page shows: its code while it is good, where it stands in the order, and its neighbours there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.ticketing import answers, credentials, second_hand
from apps.ticketing.models import Gift, LineChoice, Order, Ticket
from apps.ticketing.states import TicketState

# A used ticket keeps its code: re-entry, and a wrong scan that is taken back.
SHOWS_CODE = (TicketState.VALID, TicketState.HELD, TicketState.USED)
GONE = (TicketState.SUPERSEDED, TicketState.REVOKED)
KEPT_AFTER_THE_EVENT = timedelta(days=2)


@dataclass(frozen=True)
class Neighbour:
    """Another ticket of the same order, and which of them it is."""

    ticket: Ticket
    place: int


@dataclass(frozen=True)
class TicketPage:
    """One ticket as its page tells it. Without a code, `qr` and `short_code` are empty. `order` and the neighbours are
    for the buyer alone; `place` is None for a ticket that no longer counts."""

    ticket: Ticket
    choices: Sequence[LineChoice]
    qr: SafeString | str
    short_code: str
    order: Order | None
    place: int | None
    of: int
    previous: Neighbour | None
    next: Neighbour | None
    kept_until: datetime
    answers_token: str = ""  # opens its questions, where there are any
    gift: Gift | None = None  # to whom it is offered, or was given
    bought_until: str = ""  # until when somebody may pay for it, "14.32"

    @property
    def shows_code(self) -> bool:
        return self.ticket.state in SHOWS_CODE


def read(ticket: Ticket) -> TicketPage:
    """The page of `ticket`, in the reader's language. Three queries; line, order, event and type are read."""
    order = ticket.line.order
    siblings = list(
        Ticket.objects.filter(line__order_id=order.pk, line__owner_key="")
        .exclude(state__in=GONE)
        .order_by("line__position", "pk")
    )
    place = next((index for index, other in enumerate(siblings, 1) if other.pk == ticket.pk), None)
    gift = Gift.objects.filter(ticket=ticket).order_by("-pk").first()
    shows_code = ticket.state in SHOWS_CODE
    return TicketPage(
        ticket=ticket,
        choices=list(
            ticket.line.choices.select_related("choice__variation").order_by("choice__variation__position", "pk")
        ),
        qr=credentials.qr_svg(credentials.sign(ticket), title=_("QR code of the ticket")) if shows_code else "",
        short_code=f"{ticket.short_code[:3]} · {ticket.short_code[3:]}" if shows_code else "",
        order=order if ticket.is_payers else None,
        place=place,
        of=len(siblings),
        previous=_neighbour(siblings, place, -1) if ticket.is_payers else None,
        next=_neighbour(siblings, place, +1) if ticket.is_payers else None,
        kept_until=ticket.event.ends_at + KEPT_AFTER_THE_EVENT,
        answers_token=_answers_token(ticket) if shows_code else "",
        gift=gift,
        bought_until=second_hand.told_times({ticket.pk: ticket.state}).get(ticket.pk, ""),
    )


def _answers_token(ticket: Ticket) -> str:
    return answers.token_of(ticket) if answers.asked_of(ticket.event_id, ticket.ticket_type_id) else ""


def _neighbour(siblings: Sequence[Ticket], place: int | None, step: int) -> Neighbour | None:
    if place is None or not 1 <= place + step <= len(siblings):
        return None
    return Neighbour(siblings[place + step - 1], place + step)
