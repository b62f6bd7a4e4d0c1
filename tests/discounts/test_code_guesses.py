"""Nobody finds a code by trying words: wrong ones are counted by account, address and browser, never by network."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from apps.ticketing import code_guesses, kept_choices
from apps.ticketing.models import Order
from tests import factories
from tests.discounts import builders

pytestmark = pytest.mark.django_db
UNKNOWN = "Det finns ingen sådan kod till evenemanget."
TOO_MANY = "För många fel koder har prövats. Inget har dragits."
STRANGERS = "Väldigt många fel koder prövas till det här evenemanget."


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()


@pytest.fixture
def dinner() -> Any:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event), name_sv="Middag", price_minor=25_000, max_per_order=8)
    builders.discount(event, name_sv="Halva", kind="percent", percent=50, codes={"LUCIA": 90})
    return kind


def press(client: Client, dinner: Any, code: str, email: str = "robin@example.org", **values: str) -> tuple[int, str]:
    data = {
        f"type-{dinner.public_id}": "1",
        "email": email,
        "idempotency_key": uuid.uuid4().hex,
        "discount_code": code,
        **values,
    }
    answer = client.post(reverse("ticketing:form", args=[dinner.event.public_id]), data)
    return answer.status_code, answer.content.decode().replace("\xa0", " ")


def test_guest_who_tried_ten_is_told_nothing_of_the_right_one(client: Client, dinner: Any) -> None:
    for number in range(code_guesses.WRONG):
        status, page = press(client, dinner, f"GISSAR{number}", f"robin{number}@example.org")
        assert (status, UNKNOWN in page) == (422, True)

    status, page = press(client, dinner, "LUCIA", "another@example.org")
    assert (status, TOO_MANY in page, UNKNOWN in page) == (429, True, False)
    _status, page = press(client, dinner, "LUCIA", "another@example.org", show_price="1")
    assert (TOO_MANY in page, "125 kr" in page, "250 kr" in page) == (True, False, True)
    assert not Order.objects.exists()


def test_address_is_counted_in_whatever_browser(dinner: Any) -> None:
    for number in range(code_guesses.WRONG):
        press(Client(), dinner, f"GISSAR{number}")

    assert press(Client(), dinner, "LUCIA")[0] == 429
    assert press(Client(), dinner, "LUCIA", "somebody.else@example.org")[0] == 303


def test_same_wrong_code_counts_once_and_a_right_one_never(client: Client, dinner: Any) -> None:
    for _number in range(code_guesses.WRONG + 5):
        press(client, dinner, "LUCIO", show_price="1")
        press(client, dinner, "LUCIA", show_price="1")

    assert press(client, dinner, "LUCIA")[0] == 303


def test_account_is_counted_wherever_it_is_and_no_guest_with_it(client: Client, dinner: Any) -> None:
    person = factories.user()
    for number in range(code_guesses.WRONG):
        own = Client()
        own.force_login(person)
        press(own, dinner, f"GISSAR{number}")
    client.force_login(person)

    assert press(client, dinner, "LUCIA")[0] == 429
    assert press(Client(), dinner, "LUCIA")[0] == 303


def test_crowd_behind_one_address_is_no_guesser_but_whoever_throws_cookies_away_is(
    dinner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_guesses, "WRONG_OF_STRANGERS", 30)
    for number in range(29):
        assert press(Client(), dinner, f"GISSAR{number}", f"robin{number}@example.org")[0] == 422
    assert press(Client(), dinner, "LUCIA", "first@example.org")[0] == 303
    known = Client()
    press(known, dinner, "GISSAR29", "robin29@example.org")

    status, page = press(Client(), dinner, "LUCIA", "last@example.org")
    assert (status, STRANGERS in page) == (429, True)
    assert press(known, dinner, "LUCIA", "known@example.org")[0] == 303
    signed_in = Client()
    signed_in.force_login(factories.user())
    assert press(signed_in, dinner, "LUCIA")[0] == 303


def test_what_a_browser_got_at_one_event_is_worth_nothing_at_another(
    dinner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_guesses, "WRONG_OF_STRANGERS", 1)
    other = factories.event()
    dance = factories.ticket_type(other, factories.quota(other), price_minor=25_000)
    builders.discount(other, kind="percent", percent=50, codes={"LUCIA": 90})
    known = Client()
    press(known, dance, "GISSAR1", "robin1@example.org")
    press(Client(), dinner, "GISSAR2", "robin2@example.org")

    assert press(known, dance, "LUCIA", "robin3@example.org")[0] == 303
    assert press(known, dinner, "LUCIA", "robin4@example.org")[0] == 429


def test_a_code_gets_in_by_no_other_way(client: Client, dinner: Any) -> None:
    """Neither in the field of links nor with what is kept while one signs in."""
    status, page = press(client, dinner, "", token="code:LUCIA", show_price="1")
    assert "125 kr" not in page
    address = reverse("ticketing:form", args=[dinner.event.public_id])
    press(client, dinner, "LUCIA", sign_in="1")

    page = client.get(f"{address}?{kept_choices.MARK}=1").content.decode().replace("\xa0", " ")

    assert 'data-price-minor="25000"' in page


def test_codes_kept_through_the_sign_in_are_counted_too(client: Client, dinner: Any) -> None:
    person = factories.user()
    address = reverse("ticketing:form", args=[dinner.event.public_id])
    for number in range(code_guesses.WRONG):
        press(client, dinner, f"GISSAR{number}", sign_in="1")
        client.force_login(person)
        client.get(f"{address}?{kept_choices.MARK}=1")
        client.logout()
    client.force_login(person)

    assert press(client, dinner, "LUCIA")[0] == 429
