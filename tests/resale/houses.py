"""Tickets bought, listed and bought again, by the real verbs."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from wagtail.models import Page

from apps.events import tenancy
from apps.events.models import Event, EventPage, OrganisationPage
from apps.resale import buying, listings, rules
from apps.resale.models import Listing
from apps.ticketing import clock, payments, queue, reservations
from apps.ticketing.models import Order, Payment, Ticket
from apps.ticketing.payments import settle
from tests import factories
from tests.clock import clock_moved


def sold_ticket(**values: Any) -> Ticket:
    """A ticket that somebody paid for, or one that cost nothing."""
    return ticket_of(pay(factories.reserved_order(1, **values)))


def ticket_of(order: Order) -> Ticket:
    """The good ticket of an order, with what the verbs read of it."""
    rows = Ticket.objects.select_related("event", "line__order", "ticket_type")
    return rows.get(line__order=order, state__in=["valid", "held", "used"])


def published(event: Event) -> EventPage:
    """A public page that tells of the event."""
    home = Page.objects.get(pk=tenancy.ensure_site().pk)
    organisation = event.organisation
    root = OrganisationPage(title=organisation.name, slug=organisation.slug, organisation=organisation)
    page = EventPage(title=event.title, slug=f"event-{event.pk}", event=event, body="[]")
    return home.add_child(instance=root).add_child(instance=page)


def listed(ticket: Ticket, asked_minor: int | None = None, **values: Any) -> Listing:
    """The ticket for sale: at what was paid for it, unless said otherwise."""
    asked = ticket.line.kept_minor if asked_minor is None else asked_minor
    agreed = listings.terms(ticket, rules.of(ticket.event), asked)
    return listings.put_up(ticket, asked_minor=asked, agreed_payout_minor=agreed.payout_minor, **values)


def ordered(*wanted: Listing, email: str = "", user: Any = None) -> Order:
    """An order for listings, decided."""
    address = email or f"{uuid.uuid4().hex[:8]}@example.org"
    order = buying.buy(wanted, email=address, user=user, idempotency_key=uuid.uuid4().hex)
    queue.drain(order.event_id)
    order.refresh_from_db()
    return order


def pay(order: Order) -> Order:
    """Money for the order arrives; one that costs nothing is settled."""
    if order.total_minor:
        due = factories.payment(order)
        settle.settle(factories.notice(due), provider=due.provider)
    else:
        payments.start(order, "", "http://127.0.0.1/")
    order.refresh_from_db()
    return order


def bought(*wanted: Listing, **values: Any) -> Order:
    return pay(ordered(*wanted, **values))


def expire(order: Order) -> None:
    """The order's time to pay runs out."""
    with clock_moved(timedelta(minutes=16)):
        reservations.expire_overdue(clock.now())
    order.refresh_from_db()


def payments_of(order: Order) -> list[Payment]:
    return list(Payment.objects.filter(order=order))
