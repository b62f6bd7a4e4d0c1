"""The organiser's desk for a draw: set up, moved and removed while nobody has entered."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from apps.events.models import Event
from apps.ticketing import clock, draw_desk, draws
from apps.ticketing.models import Draw, TicketType
from tests import factories
from tests.clock import clock_moved
from tests.tenancy.world import World

pytestmark = pytest.mark.django_db

WINDOW = timedelta(hours=1)


@pytest.fixture
def desk(ours: World, client: Client) -> Client:
    client.force_login(ours.editor)
    Draw.objects.filter(event=ours.event).delete()
    return client


def desk_address(name: str, event: Event) -> str:
    if name == "add":
        return f"{reverse('draw_desk:add')}?event={event.public_id}"
    return reverse(f"draw_desk:{name}", args=[event.draw.public_id])


def typed(moment: datetime, event: Event) -> dict[str, str]:
    return {"closes_at": moment.astimezone(event.zone).strftime("%Y-%m-%d %H:%M")}


def test_organiser_sets_up_moves_and_removes_a_draw(desk: Client, ours: World) -> None:
    event = ours.event
    first, later = clock.now() + WINDOW, clock.now() + 2 * WINDOW

    assert desk.post(desk_address("add", event), typed(first, event)).status_code == 302
    event.refresh_from_db()
    seed_hash = event.draw.seed_hash
    assert desk.post(desk_address("edit", event), typed(later, event)).status_code == 302
    event.draw.refresh_from_db()
    assert abs(event.draw.closes_at - later) < timedelta(minutes=1)
    assert event.draw.seed_hash != seed_hash
    assert desk.post(desk_address("delete", event)).status_code == 302
    assert not Draw.objects.filter(event=event).exists()


@pytest.mark.parametrize("offset", [timedelta(hours=-1), timedelta(days=400)], ids=["past", "after the event"])
def test_a_time_that_cannot_be_is_refused(desk: Client, ours: World, offset: timedelta) -> None:
    response = desk.post(desk_address("add", ours.event), typed(clock.now() + offset, ours.event))

    assert response.status_code == 200
    assert "closes_at" in response.context["form"].errors
    assert not Draw.objects.filter(event=ours.event).exists()


def test_draw_that_closes_before_anybody_can_enter_is_refused(desk: Client, ours: World) -> None:
    TicketType.objects.filter(event=ours.event).update(sale_opens_at=clock.now() + 3 * WINDOW)

    response = desk.post(desk_address("add", ours.event), typed(clock.now() + WINDOW, ours.event))

    assert "closes_at" in response.context["form"].errors
    assert desk.post(desk_address("add", ours.event), typed(clock.now() + 4 * WINDOW, ours.event)).status_code == 302


def test_a_sale_that_began_becomes_no_draw(desk: Client, ours: World) -> None:
    factories.order(ours.event, factories.wanted(ours.kind, 1, (ours.choice, 1)))

    response = desk.post(desk_address("add", ours.event), typed(clock.now() + WINDOW, ours.event))

    assert "closes_at" in response.context["form"].errors


def test_draw_with_entries_is_neither_moved_nor_removed_at_the_desk(desk: Client, ours: World) -> None:
    made = draws.set_up(ours.event, clock.now() + WINDOW)
    factories.order(ours.event, factories.wanted(ours.kind, 1, (ours.choice, 1)))

    moved = desk.post(desk_address("edit", ours.event), typed(clock.now() + 2 * WINDOW, ours.event))
    removed = desk.post(desk_address("delete", ours.event), follow=True)

    assert "closes_at" in moved.context["form"].errors
    assert removed.status_code == 200
    assert Draw.objects.get(event=ours.event).seed_hash == made.seed_hash


def test_form_that_was_open_when_the_draw_was_held_changes_nothing(desk: Client, ours: World) -> None:
    """Nobody entered, so whoever came since bought first come, first served."""
    made = draws.set_up(ours.event, clock.now() + WINDOW)
    with clock_moved(WINDOW + timedelta(minutes=1)):
        draws.hold_due()
        order = factories.order(ours.event, factories.wanted(ours.kind, 1, (ours.choice, 1)))

        moved = desk.post(desk_address("edit", ours.event), typed(clock.now() + 2 * WINDOW, ours.event))

    assert moved.context["form"].errors["closes_at"] == [str(draw_desk.WAS_HELD)]
    assert order.draw_id is None
    assert Draw.objects.get(event=ours.event).seed_hash == made.seed_hash
