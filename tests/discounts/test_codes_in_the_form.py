"""The code field of the ticket form: shown where there are codes, explained when one opens nothing, losing nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from apps.discounts.models import Code
from apps.ticketing import clock, queue
from apps.ticketing.models import Order
from tests import factories
from tests.discounts import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def event():
    return factories.event()


@pytest.fixture
def dinner(event):
    return factories.ticket_type(event, factories.quota(event), name_sv="Middag", name_en="Dinner", price_minor=25_000)


@pytest.fixture
def half(event):
    return builders.discount(
        event, name_sv="Halva", name_en="Half", kind="percent", percent=50, codes={"LUCIA": 3, "SLUT": 0}
    )


def address(event: Any) -> str:
    return reverse("ticketing:form", args=[event.public_id])


def filled(dinner: Any, number: int = 2, **values: str) -> dict[str, str]:
    return {
        f"type-{dinner.public_id}": str(number),
        "email": "robin@example.org",
        "idempotency_key": "a-key-of-the-form",
        "fewer_is_fine": "1",
        **values,
    }


def test_no_code_is_asked_for_without_codes(client, event, dinner):
    builders.discount(event)

    assert "discount_code" not in client.get(address(event)).content.decode()


def test_code_typed_is_the_orders_and_lowers_its_price(client, event, dinner, half):
    assert 'name="discount_code"' in client.get(address(event)).content.decode()

    client.post(address(event), filled(dinner, discount_code=" lucia "))
    queue.drain(event.pk)

    order = Order.objects.get()
    assert (order.tokens, order.state, order.total_minor) == (["code:LUCIA"], "reserved", 25_000)
    assert Code.objects.get(text="LUCIA").taken == 2


@pytest.mark.parametrize(
    ("code", "change", "sentence"),
    [
        ("LUCIO", {}, "Det finns ingen sådan kod till evenemanget."),
        ("SLUT", {}, "Koden är förbrukad."),
        ("LUCIA", {"closes_at": timedelta(hours=-1)}, "Koden går inte att använda längre."),
        ("LUCIA", {"opens_at": timedelta(hours=1)}, "Koden går inte att använda än."),
        ("LUCIA", {"is_active": False}, ""),
        ("LUCIA, LUCIO", {}, "Det finns ingen sådan kod till evenemanget."),
        ("'; DROP TABLE", {}, "Det finns ingen sådan kod till evenemanget."),
    ],
    ids=["unknown", "used up", "over", "too early", "discount switched off", "one of two", "odd signs"],
)
def test_code_that_opens_nothing_is_explained_and_the_form_kept(client, event, dinner, half, code, change, sentence):
    builders.discount(event, codes={"ANNAN": None})  # the field stays, though this discount is switched off
    for name, value in change.items():
        setattr(half, name, clock.now() + value if isinstance(value, timedelta) else value)
    half.save()

    response = client.post(address(event), filled(dinner, discount_code=code))

    page = response.content.decode()
    assert response.status_code == 422
    assert (sentence or "Koden går inte att använda längre.") in page
    assert 'value="2"' in page
    assert 'value="robin@example.org"' in page
    assert code.replace("'", "&#x27;") in page
    assert not Order.objects.exists()


def test_price_is_shown_before_anything_is_sent(client, event, dinner, half):
    response = client.post(address(event), {**filled(dinner, discount_code="LUCIA", email=""), "show_price": "form"})

    page = response.content.decode().replace("\xa0", " ")
    assert response.status_code == 200
    assert "2 × Middag" in page
    assert "−250 kr" in page
    assert f'name="seen-{dinner.public_id}-2" value="12500"' in page
    assert "Skriv din e-postadress." not in page.split("</form>")[0].replace(
        'data-missing="Skriv din e-postadress."', ""
    )
    assert not Order.objects.exists()


def test_script_gets_the_sum_alone(client, event, dinner):
    builders.discount(event, name_sv="Gäng", min_quantity=3, amount_minor=3_000)

    def ask(number: int) -> str:
        response = client.post(address(event), {**filled(dinner, number), "show_price": "sum"}, HTTP_HX_REQUEST="true")
        return response.content.decode().replace("\xa0", " ")

    assert "<form" not in ask(2)
    assert "Från 3 biljetter i en beställning: Gäng, 30 kr lägre per biljett." in ask(2)
    assert "500 kr" in ask(2)
    assert "660 kr" in ask(3)


def test_buyer_who_was_shown_more_than_the_first_price_is_not_asked_again(client, event, dinner):
    """One ticket per person is cheaper: the sum said 200 + 250, so nothing has risen."""
    builders.discount(event, max_per_person=1)
    seen = {f"seen-{dinner.public_id}-1": "20000", f"seen-{dinner.public_id}-2": "25000"}

    client.post(address(event), filled(dinner, **seen))
    queue.drain(event.pk)

    order = Order.objects.get()
    assert (order.total_minor, [line.seen_minor for line in order.lines.all()]) == (45_000, [20_000, 25_000])
