"""Rows for tests: small builders with sensible values, every one of which a test may override by keyword."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from apps.accounts.models import User
from apps.events.models import Event, Organisation
from apps.ticketing import clock, ordering, queue
from apps.ticketing.event_templates import SITTNING
from apps.ticketing.extensions import EventTemplate, Notice
from apps.ticketing.models import Choice, EventDraft, Order, Payment, Quota, TicketType, Variation
from apps.ticketing.payments import settle
from apps.ticketing.wizard_forms import proposed_tickets

_numbers = count(1)


def organisation(**values: Any) -> Organisation:
    """An organisation row alone; its pages and groups come with events.tenancy.create_organisation."""
    number = next(_numbers)
    values = {"name": f"Association {number}", "slug": f"association-{number}", "email": "board@example.org", **values}
    values = {"legal_name": values["name"], **values}
    return Organisation.objects.create(**values)


def user(**values: Any) -> User:
    values = {"email": f"person{next(_numbers)}@example.org", "password": "a long password", **values}
    return User.objects.create_user(**values)


def event(**values: Any) -> Event:
    starts_at = values.pop("starts_at", datetime.now(UTC) + timedelta(days=30))
    if "organisation" not in values:
        values["organisation"] = organisation()
    values = {
        "title_sv": "Luciasittning",
        "title_en": "Lucia dinner",
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(hours=6),
        "venue": "Kårhuset",
        **values,
    }
    return Event.objects.create(**values)


def quota(event: Event, size: int = 10, **values: Any) -> Quota:
    return Quota.objects.create(event=event, size=size, **{"name": f"Places {next(_numbers)}", **values})


def ticket_type(event: Event, *quotas: Quota, conflicts: tuple[TicketType, ...] = (), **values: Any) -> TicketType:
    """A published type that draws on `quotas`."""
    number = next(_numbers)
    values = {
        "name_sv": f"Biljett {number}",
        "name_en": f"Ticket {number}",
        "price_minor": 25_000,
        "vat_percent": 25,
        **values,
    }
    row = TicketType.objects.create(event=event, **values)
    row.quotas.set(quotas)
    row.conflicts_with.set(conflicts)
    return row


def variation(ticket_type: TicketType, **values: Any) -> Variation:
    return Variation.objects.create(ticket_type=ticket_type, **{"name_sv": "Dryck", "name_en": "Beverage", **values})


def choice(variation: Variation, *quotas: Quota, **values: Any) -> Choice:
    number = next(_numbers)
    row = Choice.objects.create(variation=variation, **{"name_sv": f"Val {number}", "name_en": f"C {number}", **values})
    row.quotas.set(quotas)
    return row


def wanted(ticket_type: TicketType, number: int = 1, *choices: tuple[Choice, int]) -> list[ordering.WantedTicket]:
    picked = tuple((choice.pk, quantity) for choice, quantity in choices)
    return [ordering.WantedTicket(ticket_type.pk, picked) for _ in range(number)]


def order(event: Event, tickets: list[ordering.WantedTicket], **values: Any) -> Order:
    """A queued order, placed as a buyer would place it."""
    number = next(_numbers)
    values = {"email": f"buyer{number}@example.org", "idempotency_key": f"test-key-{number}", **values}
    return ordering.place(event=event, tickets=tickets, **values)


def reserved_order(number: int = 1, *, size: int = 10, of: TicketType | None = None, **values: Any) -> Order:
    """An order that holds `number` places, decided by the queue, of the type `of` or of a new one with `values`."""
    if of is None:
        made = event()
        of = ticket_type(made, quota(made, size), **values)
    placed = order(of.event, wanted(of, number))
    queue.drain(of.event_id)
    placed.refresh_from_db()
    return placed


def payment(order: Order, **values: Any) -> Payment:
    """An open payment for the whole order, as the provider knows it."""
    values = {
        "provider": "sandbox",
        "provider_reference": f"charge-{uuid4()}",  # buyers of a crowd are processes that count alike
        "amount_minor": order.total_minor,
        "currency": order.currency,
        "state": "action_needed",
        "created_at": clock.now(),
        **values,
    }
    return Payment.objects.create(order=order, **values)


def notice(payment: Payment, state: str = "captured", **values: Any) -> Notice:
    """What a provider tells of a payment."""
    values = {
        "event_id": f"event-{next(_numbers)}",
        "kind": "payment",
        "reference": payment.provider_reference,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "our_id": str(payment.public_id),
        **values,
    }
    return Notice(state=state, **values)


def paid_order(number: int = 1, **values: Any) -> Order:
    """An order paid through the sandbox, with its tickets."""
    bought = reserved_order(number, **values)
    due = payment(bought)
    settle.settle(notice(due), provider=due.provider)
    bought.refresh_from_db()
    return bought


def event_draft(organisation: Organisation, template: EventTemplate = SITTNING, **facts: str) -> EventDraft:
    """An event in the wizard that only the last click is missing from."""
    at = clock.now()
    typed = {
        "title_sv": "Luciasittning",
        "title_en": "Lucia dinner",
        "starts_at": f"{at + timedelta(days=300):%Y-%m-%dT18:00}",
        "venue": "Kårhuset Fyren",
        **facts,
    }
    tickets = {**proposed_tickets(template), "rows-0-price_minor": "250", "rows-0-places": "100"}
    return EventDraft.objects.create(
        organisation=organisation,
        template=template.slug,
        typed={"facts": typed, template.slug: {"tickets": tickets}},
        touched_at=at,
    )
