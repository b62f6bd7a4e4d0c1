"""An evening to stand at the door of: an event, its door staff, and tickets that were bought and paid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import Group

from apps.accounts.models import User
from apps.events.models import Event, Organisation
from apps.ticketing import clock
from apps.ticketing.models import Order, OrderLine, Ticket, TicketType
from tests import factories


@dataclass(frozen=True)
class Evening:
    organisation: Organisation
    event: Event
    dinner: TicketType
    robin: User  # stands at the door

    def tickets(self, number: int = 1, *, kind: TicketType | None = None, **values: Any) -> list[Ticket]:
        """Tickets of one paid order, as `tickets.issue` leaves them."""
        return paid_tickets(self.event, kind or self.dinner, number, **values)


def paid_tickets(event: Event, kind: TicketType, number: int = 1, **values: Any) -> list[Ticket]:
    now = clock.now()
    order = Order.objects.create(
        organisation=event.organisation,
        event=event,
        currency="SEK",
        idempotency_key=f"door-{Order.objects.count()}",
        buyer_key="b",
        email="alva@example.org",
        name="Alva Maria Ek",
        state="paid",
        rank=1,
        queued_at=now,
        paid_at=now,
    )
    tickets = []
    for position in range(number):
        line = OrderLine.objects.create(order=order, position=position, ticket_type=kind, is_held=True)
        tickets.append(
            Ticket.objects.create(
                event=event,
                ticket_type=kind,
                line=line,
                issued_at=now,
                **{"holder_name": order.name, "holder_email": order.email, **values},
            )
        )
    return tickets


def staff(organisation: Organisation, role: str, **values: Any) -> User:
    """A person in one of the organisation's three groups: `door`, `editors` or `treasurers`."""
    group = getattr(organisation, role)
    if group is None:
        group = Group.objects.create(name=f"{organisation.slug} {role}")
        setattr(organisation, role, group)
        organisation.save(update_fields=[role])
    person = factories.user(**values)
    person.groups.add(group)
    return person


def new_evening(**values: Any) -> Evening:
    event = factories.event(starts_at=clock.now(), **values)
    dinner = factories.ticket_type(event, factories.quota(event, 400), name_sv="Sittning", name_en="Dinner")
    return Evening(event.organisation, event, dinner, staff(event.organisation, "door", name="Robin Berg"))


@pytest.fixture
def evening(db: None) -> Evening:
    return new_evening()
