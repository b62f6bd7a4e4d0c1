"""A price that rises between the page and the payment is asked again; one that falls is simply lower."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from apps.ticketing import catalogue, event_face, queue, shown_prices
from apps.ticketing.models import Order, Payment, TicketType
from tests import factories
from tests.ticketing.test_order_page import address, said_on

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english(settings: LazySettings) -> None:
    settings.LANGUAGE_CODE = "en"
    event_face.forget()


class Sale:
    """One type at 250 kr with a drink of 50 kr, and a buyer who has the form open."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.event = factories.event()
        self.kind = factories.ticket_type(self.event, factories.quota(self.event), price_minor=25_000)
        drinks = factories.variation(self.kind)
        self.beer = factories.choice(drinks, delta_minor=5_000)
        self.variation = drinks
        self.form = shown_prices.edition(self.facts())

    def facts(self) -> Any:
        catalogue.forget()
        facts = catalogue.load(self.event.pk).type(self.kind.pk)
        assert facts is not None
        return facts

    def costs(self, price_minor: int) -> None:
        TicketType.objects.filter(pk=self.kind.pk).update(price_minor=price_minor)
        catalogue.forget()

    def choose(self) -> Any:
        with override("en"):
            address = reverse("ticketing:form", args=[self.event.public_id])
        data = {
            f"type-{self.kind.public_id}": "2",
            f"choice-{self.kind.public_id}-1-{self.variation.public_id}": str(self.beer.public_id),
            f"choice-{self.kind.public_id}-2-{self.variation.public_id}": str(self.beer.public_id),
            f"edition-{self.kind.public_id}": self.form,
            "email": "alva@example.org",
            "idempotency_key": "k" * 20,
        }
        return self.client.post(address, data)

    def decided(self) -> Order:
        queue.drain(self.event.pk)
        return Order.objects.get()

    def pay(self, order: Order, agreed: str | None) -> Any:
        data = {"name": "Alva Ek", "terms": "on", **({"agreed_minor": agreed} if agreed is not None else {})}
        return self.client.post(address(order, "order_pay"), data)


def test_a_price_risen_before_the_form_is_sent_is_asked_again(client: Client) -> None:
    sale = Sale(client)
    sale.costs(26_000)

    answer = sale.choose()

    assert answer.status_code == 409 and "costs more" in said_on(answer)
    assert not Order.objects.exists()
    sale.form = shown_prices.edition(sale.facts())
    assert sale.choose().status_code == 303


def test_another_currency_is_asked_again_too(client: Client) -> None:
    sale = Sale(client)
    type(sale.event).objects.filter(pk=sale.event.pk).update(currency="EUR")
    catalogue.forget()

    assert sale.choose().status_code == 409


def test_a_choice_that_costs_more_is_asked_again_too(client: Client) -> None:
    sale = Sale(client)
    sale.beer.__class__.objects.filter(pk=sale.beer.pk).update(delta_minor=6_000)
    catalogue.forget()

    assert sale.choose().status_code == 409


def test_a_price_risen_in_the_queue_is_told_and_charged_only_when_it_is_pressed(client: Client) -> None:
    sale = Sale(client)
    sale.choose()
    sale.costs(30_000)
    order = sale.decided()

    page = client.get(address(order))
    unsaid, before = sale.pay(order, None), sale.pay(order, "60000")

    assert (order.total_minor, set(order.lines.values_list("seen_minor", flat=True))) == (70_000, {30_000})
    said = said_on(page).replace("\u00a0", " ")
    assert "The price is SEK 700 now. It was SEK 600 when you chose." in said or "The price is 700 kr now" in said
    assert [unsaid.status_code, before.status_code] == [409, 409]
    assert "The price has risen since this page was opened. Nothing was charged." in said_on(before)
    assert not Payment.objects.exists()
    assert 'name="agreed_minor" value="70000"' in before.content.decode()
    assert sale.pay(order, "70000").status_code == 303
    assert Payment.objects.get().amount_minor == 70_000


def test_a_fallen_price_is_simply_lower(client: Client) -> None:
    sale = Sale(client)
    sale.costs(20_000)

    assert sale.choose().status_code == 303
    sale.costs(10_000)
    order = sale.decided()

    assert order.total_minor == 30_000 and "It was" not in said_on(client.get(address(order)))
    assert sale.pay(order, None).status_code == 303
    assert Payment.objects.get().amount_minor == 30_000


@pytest.mark.parametrize("agreed", ["-1", "1e9", "٣٠٠٠٠", "9" * 40, "nothing", "59999"])
def test_what_is_no_sum_or_a_smaller_one_agrees_to_nothing(client: Client, agreed: str) -> None:
    sale = Sale(client)
    sale.choose()
    order = sale.decided()

    assert sale.pay(order, agreed).status_code == 409
    assert not Payment.objects.exists()


@pytest.mark.parametrize("form", ["", "x", "0" * 12, "0" * 12 + ".1", "0" * 12 + ".25000.25000.5000", "…" * 5000])
def test_an_edition_nobody_gave_out_is_asked_again(client: Client, form: str) -> None:
    sale = Sale(client)
    sale.form = form

    assert sale.choose().status_code == 409


def test_before_paying_the_page_says_who_sells_and_what_cannot_be_undone(client: Client) -> None:
    sale = Sale(client)
    sale.event.organisation.__class__.objects.filter(pk=sale.event.organisation_id).update(
        legal_name="The Lantern Society", organisation_number="802999-0000", address="Campus Road 3"
    )
    sale.choose()

    page = client.get(address(sale.decided()))

    form = page.content.decode().partition('id="pay"')[2].partition("</form>")[0]
    for words in (
        "The Lantern Society",
        "802999-0000",
        "Campus Road 3",
        "There is no right of withdrawal for tickets to a set date.",
        "Tickets are not refunded, unless the event is cancelled.",
        "fees and VAT are in it",
        "terms of purchase",
    ):
        assert words in form
