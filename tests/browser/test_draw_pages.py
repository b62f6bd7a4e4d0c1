"""The draw as a buyer sees it: the block one enters by, the entry, the rank in line, and the page that proves it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.translation import override

from apps.events.models import Event
from apps.ticketing import catalogue, clock, draws, event_face, queue
from apps.ticketing.models import Order, TicketType
from tests import factories
from tests.browser.conftest import Opener, looks_right_everywhere
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh_faces() -> None:
    event_face.forget()


@pytest.fixture
def event() -> Event:
    return factories.event()


@pytest.fixture
def dinner(event: Event) -> TicketType:
    kind = factories.ticket_type(event, factories.quota(event, 2), name_sv="Sittning med sexa", price_minor=25_000)
    draws.set_up(event, clock.now() + timedelta(hours=1))
    return kind


def address_of(name: str, *arguments: object) -> str:
    with override("sv"):
        return reverse(f"ticketing:{name}", args=arguments)


def enter(event: Event, dinner: TicketType, number: int) -> list[Order]:
    return [factories.order(event, factories.wanted(dinner)) for _ in range(number)]


def _block(event: Event, dinner: TicketType) -> str:
    return address_of("form", event.public_id)


def _promise(event: Event, dinner: TicketType) -> str:
    return address_of("draw", event.public_id)


def _entry(event: Event, dinner: TicketType) -> str:
    order = enter(event, dinner, 1)[0]
    return address_of("order", order.reference, order.secret)


def _hold(event: Event, dinner: TicketType) -> list[Order]:
    orders = enter(event, dinner, 5)
    with clock_moved(timedelta(hours=1, seconds=draws.GRACE_SECONDS + 1)):
        queue.sweep()
        queue.drain_all()
        catalogue.forget()
    return list(event.orders.filter(pk__in=[order.pk for order in orders]).order_by("draw_rank"))


def _rank(event: Event, dinner: TicketType) -> str:
    last = _hold(event, dinner)[-1]
    return address_of("order", last.reference, last.secret)


def _proof(event: Event, dinner: TicketType) -> str:
    _hold(event, dinner)
    return _promise(event, dinner)


@pytest.mark.parametrize(
    ("go", "name"),
    [(_block, "block"), (_promise, "promise"), (_entry, "entry"), (_rank, "rank"), (_proof, "proof")],
    ids=["block", "promise", "entry", "rank", "proof"],
)
def test_a_page_of_the_draw(
    open_tab: Opener, event: Event, dinner: TicketType, go: Callable[[Event, TicketType], str], name: str
) -> None:
    looks_right_everywhere(open_tab().goto(go(event, dinner)), f"draw-{name}")
