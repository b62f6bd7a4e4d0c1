"""The ticket form that all strangers see is rendered once for many, and each still gets a form of their own."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import override

from apps.ticketing import blank_forms, catalogue, clock
from apps.ticketing.models import Order, TicketType
from tests import factories

pytestmark = pytest.mark.django_db
HIDDEN = re.compile(r'name="(csrfmiddlewaretoken|idempotency_key)" value="([^"]+)"')


@pytest.fixture(autouse=True)
def forms_kept(kept_for_long: None) -> Iterator[None]:
    blank_forms.forget()
    yield
    blank_forms.forget()


@pytest.fixture
def kind() -> TicketType:
    event = factories.event()
    return factories.ticket_type(event, factories.quota(event), name_en="Dinner")


def address(kind: TicketType, language: str = "en") -> str:
    with override(language):
        return reverse("ticketing:form", args=[kind.event.public_id])


def shown(client: Client, kind: TicketType, *, htmx: bool = True, query: str = "") -> str:
    headers = {"hx-request": "true"} if htmx else {}
    response = client.get(address(kind) + query, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def without_own(page: str) -> str:
    return HIDDEN.sub("", page)


def test_second_stranger_is_shown_the_same_without_a_query_but_with_key_and_token_of_their_own(
    kind: TicketType,
) -> None:
    first = shown(Client(), kind)

    with CaptureQueriesContext(connection) as queries:
        second = shown(Client(), kind)

    assert [query["sql"] for query in queries] == []
    assert without_own(second) == without_own(first)
    own = [dict(HIDDEN.findall(page)) for page in (first, second)]
    assert {name: len({values[name] for values in own}) for name in own[0]} == {
        "csrfmiddlewaretoken": 2,
        "idempotency_key": 2,
    }
    assert not any(mark in first + second for mark in (blank_forms.TOKEN, blank_forms.KEY, blank_forms.NOW))


@pytest.mark.parametrize("htmx", [True, False], ids=["fragment", "page"])
def test_form_that_was_kept_sells(kind: TicketType, htmx: bool) -> None:
    shown(Client(), kind, htmx=htmx)
    buyer = Client(enforce_csrf_checks=True)
    own = dict(HIDDEN.findall(shown(buyer, kind, htmx=htmx)))

    response = buyer.post(address(kind), {**own, f"type-{kind.public_id}": "1", "email": "alva@example.org"})

    assert (response.status_code, Order.objects.get().idempotency_key) == (303, own["idempotency_key"])


def test_language_and_part_are_kept_apart(kind: TicketType) -> None:
    part, whole = shown(Client(), kind), shown(Client(), kind, htmx=False)
    swedish = Client().get(address(kind, "sv"), headers={"hx-request": "true"}).content.decode()

    assert ("<html" in part, "<html" in whole, swedish != part) == (False, True, True)


def test_who_is_no_stranger_gets_a_form_of_their_own(kind: TicketType) -> None:
    shown(Client(), kind)
    signed_in, has_ordered = Client(), Client()
    signed_in.force_login(factories.user(email="alva@example.org"))
    order = factories.order(kind.event, factories.wanted(kind))
    has_ordered.cookies[f"order-{kind.event.public_id.hex}"] = f"{order.reference}.{order.secret}"

    assert 'value="alva@example.org"' in shown(signed_in, kind)
    assert order.reference in shown(has_ordered, kind)
    assert "alva@example.org" not in shown(Client(), kind)
    with CaptureQueriesContext(connection) as queries:
        shown(Client(), kind, query="?next=elsewhere")
    assert len(queries) > 0


def test_edit_is_seen_at_once_by_the_process_that_made_it_and_within_a_second_by_all(kind: TicketType) -> None:
    assert "Dinner" in shown(Client(), kind)

    kind.name_en = "Supper"
    kind.save()

    assert "Supper" in shown(Client(), kind)


def test_form_of_other_processes_is_a_second_old_at_most(kind: TicketType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    assert blank_forms.KEPT_SECONDS + catalogue.KEPT_SECONDS <= 1


def test_form_is_not_kept_beyond_the_opening_and_tells_the_time_it_is_shown_at(
    kind: TicketType, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind.sale_opens_at = clock.now() + timedelta(seconds=20)
    kind.save()
    first = shown(Client(), kind)
    start = blank_forms.time.monotonic()

    monkeypatch.setattr(blank_forms.time, "monotonic", lambda: start + 10)
    with CaptureQueriesContext(connection) as queries:
        later = shown(Client(), kind)
    assert len(queries) == 0
    monkeypatch.setattr(blank_forms.time, "monotonic", lambda: start + 20)
    with CaptureQueriesContext(connection) as queries:
        shown(Client(), kind)
    assert len(queries) > 0

    times = [re.findall(r'data-now="([^"]+)"', page)[0] for page in (first, later)]
    assert times[0] < times[1]


def test_time_that_is_shown_is_never_ahead_of_the_databases(rf: RequestFactory) -> None:
    def slowly() -> blank_forms.Blank:
        time.sleep(0.2)
        return blank_forms.Blank(blank_forms.NOW, clock.now())

    for _ in range(2):
        told = blank_forms.show(rf.get("/"), slowly).content.decode()
        assert datetime.fromisoformat(told) <= clock.now()
