"""Ticketing's panel on My pages."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from apps.accounts.models import User
from apps.events import tenancy
from apps.events.models import Event, EventPage
from apps.ticketing.models import Order, Ticket
from tests import factories
from tests.checkin.conftest import paid_tickets
from tests.clock import move_clock

QUERIES = 14


@pytest.fixture
def alva(db: None) -> User:
    return factories.user(name="Alva Ek", locale="en")


def own(user: User, event: Event, number: int = 1, **values: Any) -> list[Ticket]:
    tickets = paid_tickets(event, factories.ticket_type(event, name_en="Dinner"), number, owner=user, **values)
    Order.objects.filter(pk=tickets[0].line.order_id).update(user=user)
    return tickets


def page_of(client: Client, user: User) -> str:
    client.force_login(user)
    client.cookies["language"] = "en"
    answer = client.get("/my/")
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("evenings", [1, 3])
def test_my_pages_ask_the_same_number_of_questions_for_one_evening_and_for_three(
    client: Client, alva: User, evenings: int, django_assert_num_queries
) -> None:
    association = tenancy.create_organisation("Festföreningen Lyktan")
    for number in range(evenings):
        event = factories.event(organisation=association)
        page = EventPage(title=f"Evening {number}", slug=f"evening-{number}", event=event)
        association.root_page.specific.add_child(instance=page)
        own(alva, event, 2)
    own(alva, factories.event())  # one without a page
    page_of(client, alva)

    with django_assert_num_queries(QUERIES):
        client.get("/my/")


def test_ticket_to_come_is_shown_with_its_way_in(client: Client, alva: User) -> None:
    noon = datetime.combine(date.today() + timedelta(days=19), time(12), ZoneInfo("Europe/Stockholm"))
    (ticket,) = own(alva, factories.event(title_en="Lucia dinner", starts_at=noon))
    noon_today = datetime.combine(date.today(), time(12), ZoneInfo("Europe/Stockholm"))
    move_clock(noon_today - datetime.now(UTC))

    page = page_of(client, alva)

    with override("en"):
        assert reverse("ticketing:ticket", args=[ticket.public_id, ticket.secret]) in page
    for words in ("Hello Alva!", "Lucia dinner", "In 19 days", "1 ticket", "Kårhuset", "Show the ticket", "Latest"):
        assert words in page


def test_what_is_over_moves_to_the_earlier_ones(client: Client, alva: User) -> None:
    event = factories.event(title_en="Last year's ball", starts_at=datetime.now(UTC) - timedelta(days=300))
    (ticket,) = own(alva, event)

    page = page_of(client, alva)

    assert "1 earlier ticket" in page and "Last year&#x27;s ball" in page
    assert ticket.secret not in page
    assert "No tickets to anything coming" in page


def test_what_waits_for_the_buyer_comes_first(client: Client, alva: User) -> None:
    event = factories.event(title_en="Rush")
    kind = factories.ticket_type(event, factories.quota(event))
    placed = factories.order(event, factories.wanted(kind), user=alva)
    assert "You are in line" in page_of(client, alva)

    from apps.ticketing import queue

    queue.drain(event.pk)
    page = page_of(client, alva)

    placed.refresh_from_db()
    assert placed.state == "reserved"
    assert "Go on to pay" in page and "You are in line" not in page
    with override("en"):
        assert reverse("ticketing:order", args=[placed.reference, placed.secret]) in page


def test_revoked_and_replaced_tickets_are_not_shown(client: Client, alva: User) -> None:
    for state in ("revoked", "superseded"):
        (ticket,) = own(alva, factories.event(title_en=f"Event {state}"), state=state)
        assert ticket.secret not in page_of(client, alva)


def test_nobody_sees_another_s_tickets(client: Client, alva: User) -> None:
    (ticket,) = own(factories.user(), factories.event())

    page = page_of(client, alva)

    assert ticket.secret not in page and ticket.line.order.secret not in page
