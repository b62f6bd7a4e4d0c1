"""The buyer's pages as people see them: by phone and desk, in both languages, light and dark, by keyboard."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils.translation import override

from apps.events.models import Organisation
from apps.ticketing import catalogue, clock, ordering, payments, queue, refunds, reservations
from apps.ticketing.models import Order, SandboxCharge, Ticket
from apps.ticketing.payments import sandbox
from tests import factories
from tests.browser.conftest import Opener, looks_right_everywhere

pytestmark = pytest.mark.django_db(transaction=True)


class Dinner:
    """An event as in the pictures: a dinner with two choices, an afterparty that excludes it, one sold-out type."""

    def __init__(self, organisation: Organisation | None = None) -> None:
        organisation = organisation or factories.organisation(
            name="Festföreningen Lyktan",
            legal_name="Festföreningen Lyktan",
            organisation_number="802999-0000",
            address="Campusvägen 3, Linköping",
            email="kassor@lyktan.example",
        )
        self.event = factories.event(
            organisation=organisation,
            title_sv="Luciasittning 2026",
            title_en="Lucia dinner 2026",
            venue="Kårhuset Fyren",
            venue_address="Campusvägen 3, Linköping",
            max_per_person=2,
        )
        places = factories.quota(self.event, 400, taken=359)
        self.dinner = factories.ticket_type(
            self.event,
            places,
            name_sv="Sittning med sexa",
            name_en="Dinner and afterparty",
            description_sv="Trerätters, gyckel och dans. Du sitter med ditt sällskap.",
            description_en="Three courses, sketches and dancing. You sit with your friends.",
            price_minor=39_500,
            vat_percent=12,
            max_per_order=2,
            max_per_person=2,
        )
        drink = factories.variation(self.dinner, name_sv="Dryck", name_en="Beverage")
        self.wine = factories.choice(drink, name_sv="Öl, vin och snaps", name_en="Beer, wine and snaps")
        self.water = factories.choice(drink, name_sv="Alkoholfritt", name_en="Alcohol-free", delta_minor=-6_000)
        food = factories.variation(self.dinner, name_sv="Mat", name_en="Food", position=1)
        self.fish = factories.choice(food, name_sv="Fisk och kött", name_en="Fish and meat")
        self.greens = factories.choice(food, name_sv="Vegetariskt", name_en="Vegetarian")
        factories.choice(food, factories.quota(self.event, 0), name_sv="Veganskt", name_en="Vegan")
        self.party = factories.ticket_type(
            self.event,
            factories.quota(self.event, 200),
            conflicts=(self.dinner,),
            name_sv="Endast sexa",
            name_en="Afterparty only",
            price_minor=12_000,
            vat_percent=25,
            max_per_order=2,
            position=1,
        )
        self.alumni = factories.ticket_type(
            self.event,
            factories.quota(self.event, 0),
            name_sv="Alumnbiljett",
            name_en="Alumni ticket",
            price_minor=49_500,
            position=2,
        )
        catalogue.forget()

    def order(self, number: int = 2, **values: Any) -> Order:
        tickets = factories.wanted(self.dinner, 1, (self.water, 1), (self.greens, 1))
        tickets += factories.wanted(self.dinner, number - 1, (self.wine, 1), (self.fish, 1))
        return factories.order(self.event, tickets, **{"email": "alva@student.example", **values})

    def form_address(self, language: str = "sv") -> str:
        with override(language):
            return reverse("ticketing:form", args=[self.event.public_id])


def address_of(order: Order, language: str = "sv") -> str:
    with override(language):
        return reverse("ticketing:order", args=[order.reference, order.secret])


@pytest.fixture
def dinner() -> Dinner:
    return Dinner()


def test_the_ticket_form(dinner: Dinner, open_tab: Opener) -> None:
    page = open_tab().goto(dinner.form_address())
    looks_right_everywhere(page, "form-blank")

    more = page.locator(".type-row").first.locator('[data-step="1"]')
    more.click()
    more.click()
    page.get_by_label("Alkoholfritt").first.check()
    page.get_by_label("Vegetariskt").first.check()

    looks_right_everywhere(page, "form")


def reserved(dinner: Dinner, number: int = 2, **values: Any) -> Order:
    order = dinner.order(number, **values)
    queue.drain(dinner.event.pk)
    order.refresh_from_db()
    return order


def paid(dinner: Dinner, **values: Any) -> Order:
    order = reserved(dinner, **values)
    order.name = "Alva Exempelsson"
    order.save(update_fields=["name"])
    pay_by_sandbox(order)
    return order


def pay_by_sandbox(order: Order, card: str = "pays") -> None:
    payment = payments.open(payments.start(order, "sandbox", "http://localhost/"))
    sandbox.give_card(SandboxCharge.objects.get(public_id=payment.provider_reference).public_id, card)
    payments.fetch(payment.pk)
    order.refresh_from_db()


def test_the_order_page_in_the_queue(dinner: Dinner, open_tab: Opener) -> None:
    for number in range(7):
        dinner.order(1, email=f"somebody{number}@student.example")
    order = dinner.order(2)

    looks_right_everywhere(open_tab().goto(address_of(order)), "order-queued")


def test_the_order_page_while_waiting(dinner: Dinner, open_tab: Opener) -> None:
    for number in range(21):
        dinner.order(2, email=f"somebody{number}@student.example")
    order = dinner.order(2, fewer_is_fine=False)
    queue.drain(dinner.event.pk)
    order.refresh_from_db()
    assert order.state == "waiting"

    looks_right_everywhere(open_tab().goto(address_of(order)), "order-waiting")


def test_the_order_page_with_an_offer(dinner: Dinner, open_tab: Opener) -> None:
    for number in range(20):
        dinner.order(2, email=f"somebody{number}@student.example")
    order = dinner.order(2)
    queue.drain(dinner.event.pk)
    order.refresh_from_db()
    assert order.state == "offered"

    looks_right_everywhere(open_tab().goto(address_of(order)), "order-offered")


def test_the_checkout(dinner: Dinner, open_tab: Opener) -> None:
    looks_right_everywhere(open_tab().goto(address_of(reserved(dinner))), "order-reserved")


def test_the_order_page_while_the_bank_is_silent(dinner: Dinner, open_tab: Opener) -> None:
    order = reserved(dinner)
    pay_by_sandbox(order, "slow")

    looks_right_everywhere(open_tab().goto(address_of(order)), "order-paying")


def test_the_order_page_when_paid(dinner: Dinner, open_tab: Opener) -> None:
    looks_right_everywhere(open_tab().goto(address_of(paid(dinner))), "order-paid")


@pytest.mark.parametrize("state", ["expired", "rejected", "cancelled", "refunded"])
def test_the_order_page_when_it_is_over(dinner: Dinner, open_tab: Opener, state: str) -> None:
    if state == "expired":
        order = reserved(dinner)
        reservations.expire_overdue(clock.now() + timedelta(hours=1))
    elif state == "rejected":
        order = dinner.order(2)
        dinner.dinner.is_published = False
        dinner.dinner.save()
        queue.drain(dinner.event.pk)
    elif state == "cancelled":
        order = dinner.order(2)
        ordering.cancel(order)
    else:
        order = paid(dinner)
        refunds.order_refund(order, list(order.lines.all()), reason="refused")
    order.refresh_from_db()
    assert order.state == state

    looks_right_everywhere(open_tab().goto(address_of(order)), f"order-{state}")


def test_the_ticket(dinner: Dinner, open_tab: Opener) -> None:
    ticket = Ticket.objects.filter(line__order=paid(dinner)).order_by("line__position")[0]
    with override("sv"):
        address = reverse("ticketing:ticket", args=[ticket.public_id, ticket.secret])

    looks_right_everywhere(open_tab().goto(address), "ticket")
