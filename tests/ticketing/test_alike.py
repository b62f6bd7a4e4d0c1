"""Pages of orders that are alike are rendered once: each is still, to the letter, what it would be rendered alone, and
nothing of one buyer's stands on another's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from difflib import unified_diff
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import override

from apps.ticketing import alike, catalogue, clock, queue, standing
from apps.ticketing.models import Order, Ticket, TicketType
from apps.ticketing.payments import settle
from tests import factories
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db
# What a page says to the second, and the pass of its stream.
MOMENTS = re.compile(r'\d\d:\d\d:\d\d\.\d+|/live/[^"]+')
NAMES = ("Alva & Ek", "Bo <b>O'Neil</b>", 'C "Åsa" D')


@pytest.fixture(autouse=True)
def pages_kept(kept_for_long: None, settings: LazySettings) -> Iterator[None]:
    settings.LANGUAGE_CODE = "en"
    alike.forget()
    yield
    alike.forget()


def waiting(kind: TicketType) -> list[Order]:
    factories.order(kind.event, factories.wanted(kind, 4))
    return decided([factories.order(kind.event, factories.wanted(kind, 2)) for _name in NAMES], "waiting")


def held(kind: TicketType) -> list[Order]:
    return decided([factories.order(kind.event, factories.wanted(kind)) for _name in NAMES], "reserved")


def paid(kind: TicketType) -> list[Order]:
    for order, name in zip(orders := held(kind), NAMES, strict=True):
        Order.objects.filter(pk=order.pk).update(name=name)
        due = factories.payment(order)
        settle.settle(factories.notice(due), provider=due.provider)
    return orders


def decided(orders: list[Order], state: str) -> list[Order]:
    queue.drain(orders[0].event_id)
    for order in orders:
        order.refresh_from_db()
    assert {order.state for order in orders} == {state}
    standing.shown.forget()
    return orders


@pytest.fixture
def kind() -> TicketType:
    event = factories.event()
    return factories.ticket_type(event, factories.quota(event, 4), name_en="Dinner", price_minor=25_000)


def address(order: Order, language: str = "en") -> str:
    with override(language):
        return reverse("ticketing:order", args=[order.reference, order.secret])


def page_of(order: Order, language: str = "en", *, alone: bool = False) -> str:
    """The page; `alone` by an address that nobody else has, which is always rendered."""
    response = Client().get(address(order, language) + ("?alone" if alone else ""))
    assert response.status_code == 200
    return MOMENTS.sub("", response.content.decode())


def differences(page: str, other: str) -> list[str]:
    lines = unified_diff(page.splitlines(), other.splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def own_words(order: Order) -> set[str]:
    order.refresh_from_db()
    tickets = Ticket.objects.filter(line__order=order)
    return {order.reference, order.secret, str(order.public_id), order.email} | {
        word for ticket in tickets for word in (str(ticket.public_id), ticket.secret)
    }


@pytest.mark.parametrize("orders_of", [waiting, held, paid])
@pytest.mark.parametrize("language", ["en", "sv"])
def test_each_page_is_to_the_letter_what_it_is_rendered_alone(
    kind: TicketType, orders_of: Callable[[TicketType], list[Order]], language: str
) -> None:
    orders = orders_of(kind)
    for order in orders:
        page_of(order, language, alone=True)  # the first look celebrates
    for _once_more in range(2):  # a page tells the minute
        alike.forget()
        begun = clock.now().minute
        alone = [page_of(order, language, alone=True) for order in orders]
        kept = [page_of(order, language) for order in orders]
        if clock.now().minute == begun:
            break

    assert len(alike._kept) == 1
    assert [differences(*pair) for pair in zip(kept, alone, strict=True)] == [[], [], []]


@pytest.mark.parametrize("orders_of", [waiting, held, paid])
def test_nothing_of_one_buyer_stands_on_the_page_of_another(
    kind: TicketType, orders_of: Callable[[TicketType], list[Order]]
) -> None:
    first, second, _third = orders_of(kind)

    page_of(first)
    page = page_of(second)

    assert [word for word in own_words(first) if word in page] == []
    assert own_words(second) & {second.reference, second.secret, second.email} <= {
        word for word in own_words(second) if word in page
    }


def test_no_mark_is_left_on_a_page(kind: TicketType) -> None:
    first, second, _third = paid(kind)
    pages = page_of(first) + page_of(second)

    marks = [alike.mark(name) for name in (*alike.OWN, "reference", "secret", "email", "name", "notice")]
    marks += [alike.mark("secret of ticket 0"), alike.uuid_mark("order"), alike.uuid_mark("ticket 0")]

    assert [mark for mark in marks if mark in pages] == []


def test_what_an_editor_changes_is_seen_on_the_next_page(kind: TicketType) -> None:
    first, second, _third = held(kind)
    assert "Supper" not in page_of(first)

    kind.name_en = "Supper"
    kind.save()
    catalogue.forget()

    assert "Supper" in page_of(second)


def change_price(order: Order) -> None:
    order.lines.update(price_minor=30_000)


def extend(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(was_extended=True)


def accept_terms(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(terms_version="1:en")


def write_name(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(name="Disa")


def begin_to_pay(order: Order) -> None:
    factories.payment(order, redirect_url="https://bank.example.org/")


def make_wait(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(pays_from=clock.now() + timedelta(minutes=3))


@pytest.mark.parametrize("change", [change_price, extend, accept_terms, write_name, begin_to_pay, make_wait])
def test_page_of_an_order_that_differs_is_its_own(kind: TicketType, change: Callable[[Order], None]) -> None:
    first, second, _third = held(kind)
    usual = page_of(first)
    change(second)

    page = page_of(second)

    assert page == page_of(second, alone=True)
    assert page.replace(second.reference, first.reference).replace(second.secret, first.secret) != usual


def test_page_of_a_paid_order_says_when_it_was_paid(kind: TicketType) -> None:
    first, second, _third = paid(kind)
    Order.objects.filter(pk=second.pk).update(paid_at=clock.now() - timedelta(hours=3))

    page_of(first)

    assert page_of(second) == page_of(second, alone=True)


def test_page_of_who_is_signed_in_is_neither_kept_nor_given(kind: TicketType, django_user_model: Any) -> None:
    first, second, _third = held(kind)
    page_of(first)
    signed_in = Client()
    signed_in.force_login(django_user_model.objects.create_user(email="robin@example.org", password=None))

    page = signed_in.get(address(second)).content.decode()

    assert "My pages" in page
    assert len(alike._kept) == 1
    assert "My pages" not in page_of(second)


def test_page_of_who_is_told_something_is_not_kept(kind: TicketType, django_user_model: Any) -> None:
    first, _second, _third = held(kind)
    visitor = Client()
    visitor.force_login(django_user_model.objects.create_user(email="robin@example.org", password=None))
    visitor.post(reverse("account_logout"))
    assert visitor.cookies["messages"].value

    assert visitor.get(address(first)).status_code == 200
    assert not alike._kept


def test_page_of_a_later_minute_is_told_anew(kind: TicketType) -> None:
    first, second, _third = waiting(kind)
    page_of(first)

    with clock_moved(timedelta(minutes=2)):
        assert page_of(second) == page_of(second, alone=True)

    assert len(alike._kept) == 2


@pytest.mark.parametrize(("orders_of", "questions"), [(waiting, 2), (held, 2), (paid, 6)])
def test_page_asks_the_database_for_what_is_its_own_alone(
    kind: TicketType, orders_of: Callable[[TicketType], list[Order]], questions: int
) -> None:
    first, second, _third = orders_of(kind)
    page_of(first)

    with CaptureQueriesContext(connection) as asked:
        page_of(second)

    assert len(asked) == questions, [query["sql"] for query in asked]
