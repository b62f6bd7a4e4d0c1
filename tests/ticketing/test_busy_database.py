"""A database that is busy or away: the visitor gets a sentence and may come back, and nothing was half done."""

from __future__ import annotations

import random
from collections.abc import Iterator

import psycopg2
import pytest
from django.db import Error, InterfaceError, OperationalError, connection, connections
from django.db.utils import load_backend
from django.test import Client
from django.urls import reverse

from apps.ticketing import ordering
from apps.ticketing.models import Order
from apps.ticketing.retries import is_passing
from tests import factories
from tests.faults.proxy import Cable
from tests.processes import url_of_test_database
from tests.ticketing.test_views import text_of


@pytest.fixture
def impatient(transactional_db: None) -> Iterator[None]:
    """Locks are waited for 0.2 s, not 3."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = 200")
    yield
    connection.close()


def order_to_leave() -> Order:
    event = factories.event()
    dinner = factories.ticket_type(event, factories.quota(event, 4), price_minor=25_000)
    return factories.order(event, factories.wanted(dinner))


def test_a_lock_that_is_not_to_be_had_is_no_fault(impatient: None, client: Client) -> None:
    client.raise_request_exception = False
    order = order_to_leave()
    address = reverse("ticketing:order_leave", args=[order.reference, order.secret])
    other = psycopg2.connect(url_of_test_database())
    with other.cursor() as cursor:
        cursor.execute("SELECT 1 FROM ticketing_order WHERE id = %s FOR UPDATE", [order.pk])

        response = client.post(address)

    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert response["Cache-Control"] == "private, no-store"
    assert response["X-Request-ID"] in text_of(response)
    assert Order.objects.get(pk=order.pk).state == "queued"

    other.close()
    assert client.post(address).status_code == 303
    assert Order.objects.get(pk=order.pk).state == "cancelled"


def test_a_database_that_is_away_is_no_fault(client: Client, monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    client.raise_request_exception = False
    order = order_to_leave()

    def away(*arguments: object, **named: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(ordering, "cancel", away)
    response = client.post(reverse("ticketing:order_leave", args=[order.reference, order.secret]))

    assert (response.status_code, response["Retry-After"]) == (503, "5")


def test_another_error_of_the_database_stays_a_fault(client: Client, monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    client.raise_request_exception = False
    order = order_to_leave()

    def wrong(*arguments: object, **named: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(ordering, "cancel", wrong)
    response = client.post(reverse("ticketing:order_leave", args=[order.reference, order.secret]))

    assert response.status_code == 500
    assert "Retry-After" not in response


def test_a_connection_that_is_cut_passes_however_often_one_asks(db: None) -> None:
    """The second question on a dead connection is answered by our own library, not by the server."""
    cable = Cable(int(connection.settings_dict["PORT"]))
    facts = {**connection.settings_dict, "HOST": "127.0.0.1", "PORT": cable.port}
    usual, connections["default"] = connections["default"], load_backend(facts["ENGINE"]).DatabaseWrapper(facts)
    passing: list[tuple[type[Exception], bool]] = []
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cable.cut(random.Random(1), all_of_them=True)
            for _again in range(2):
                try:
                    cursor.execute("SELECT 1")
                except Error as error:
                    passing.append((type(error), is_passing(error)))
    finally:
        connection.close()
        connections["default"] = usual
        cable.stop()

    assert passing == [(OperationalError, True), (InterfaceError, True)]


def test_a_cursor_used_after_its_end_is_a_mistake_of_ours(db: None) -> None:
    with connection.cursor() as cursor:
        pass

    with pytest.raises(InterfaceError) as mistake:
        cursor.execute("SELECT 1")

    assert not is_passing(mistake.value)
