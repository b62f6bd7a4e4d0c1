"""The buyer's pages to other choices: look, see the sum, agree, pay; and whatever is sent instead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import override
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.ticketing import clock, corrections, queue, tickets
from apps.ticketing.models import Choice, LineChoice, Order, Refund, Ticket
from apps.ticketing.payments import settle
from tests import factories
from tests.clock import move_clock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("promises_kept")]


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with override("en"):
        yield


class Evening:
    def __init__(self) -> None:
        self.event = factories.event(starts_at=clock.now() + timedelta(days=30))
        self.kind = factories.ticket_type(self.event, factories.quota(self.event, 20), price_minor=45_000)
        self.drink = factories.variation(self.kind)
        self.beer = factories.choice(self.drink, name_en="Beer")
        self.cellar = factories.quota(self.event, 3)
        self.wine = factories.choice(self.drink, self.cellar, name_en="Wine", delta_minor=8_000)
        self.juice = factories.choice(self.drink, name_en="Juice", delta_minor=-6_000)
        extra = factories.variation(self.kind, kind="many", name_en="Extras", position=1)
        self.snaps = factories.choice(extra, name_en="Snaps", delta_minor=3_000, max_quantity=3)
        self.order = factories.order(self.event, factories.wanted(self.kind, 1, (self.beer, 1)), email="a@example.org")
        queue.drain(self.event.pk)
        self.order.refresh_from_db()
        pay(self.order)
        self.ticket = Ticket.objects.get(line__order=self.order)

    @property
    def page(self) -> str:
        return reverse("ticketing:order_change", args=[self.order.reference, self.order.secret, self.ticket.public_id])

    def sent(self, drink: Choice | None = None, snaps: str = "", **more: str) -> dict[str, str]:
        chosen = {f"choice-{self.drink.public_id}": str(drink.public_id)} if drink else {}
        return {**chosen, f"extra-{self.snaps.public_id}": snaps, **more}

    @property
    def has(self) -> dict[str, int]:
        rows = LineChoice.objects.filter(line__order=self.order).select_related("choice")
        return {row.choice.name_en: row.quantity for row in rows}


@pytest.fixture
def evening() -> Evening:
    return Evening()


def pay(order: Order) -> None:
    due = factories.payment(order)
    settle.settle(factories.notice(due), provider=due.provider)
    order.refresh_from_db()


def test_a_buyer_sees_the_sum_agrees_and_pays_it(client: Client, evening: Evening) -> None:
    shown = client.get(evening.page).content.decode()
    seen = client.post(evening.page, evening.sent(evening.wine, "1"))
    agreed = client.post(evening.page, evening.sent(evening.wine, "1", agreed_minor="11000"))

    assert "+SEK\xa080" in shown.replace("&nbsp;", "\xa0")
    assert seen.status_code == 200
    assert "110" in seen.content.decode()
    assert evening.has == {"Beer": 1}
    supplement = Order.objects.get(channel="change")
    path = reverse("ticketing:order", args=[supplement.reference, supplement.secret])
    assert (agreed.status_code, agreed["Location"]) == (303, path)
    checkout = client.get(path).content.decode()
    assert "Other choices" in checkout
    assert "Instead of" not in checkout, "beer fell away and cost nothing"
    assert "Join the queue again" not in checkout

    pay(supplement)

    led = client.get(path, follow=True)
    assert led.redirect_chain[-1][0].startswith(
        reverse("ticketing:order", args=[evening.order.reference, evening.order.secret])
    )
    assert "Your choices are changed." in led.content.decode()
    assert evening.has == {"Wine": 1, "Snaps": 1}


def test_what_comes_back_is_seen_first_and_changed_at_once(client: Client, evening: Evening) -> None:
    seen = client.post(evening.page, evening.sent(evening.juice))
    agreed = client.post(evening.page, evening.sent(evening.juice, agreed_minor="-6000"))

    assert "comes back" in seen.content.decode()
    assert agreed["Location"].endswith("?done=change")
    assert [refund.amount_minor for refund in Refund.objects.all()] == [6_000]


def test_choosing_again_shows_what_was_chosen(client: Client, evening: Evening) -> None:
    page = client.post(evening.page, evening.sent(evening.wine, "2", agreed_minor="14000", back="1")).content.decode()

    assert f'value="{evening.wine.public_id}" checked' in page
    assert evening.has == {"Beer": 1}


def test_an_unpaid_change_leads_back_to_the_ticket(client: Client, evening: Evening) -> None:
    client.post(evening.page, evening.sent(evening.wine, agreed_minor="8000"))
    supplement = Order.objects.get(channel="change")
    leave = reverse("ticketing:order_leave", args=[supplement.reference, supplement.secret])

    waiting = client.get(evening.page).content.decode()
    led = client.post(leave, follow=True)

    assert "waits for its payment" in waiting
    assert "The choices are as they were" in led.content.decode()
    evening.cellar.refresh_from_db()
    assert evening.cellar.taken == 0


def test_a_sold_out_choice_cannot_be_chosen(client: Client, evening: Evening) -> None:
    evening.cellar.size = 0
    evening.cellar.save()

    shown = client.get(evening.page).content.decode()
    refused = client.post(evening.page, evening.sent(evening.wine, agreed_minor="8000"))

    assert "choice--sold-out" in shown
    assert refused.status_code == 409
    assert "sold out" in refused.content.decode()


@pytest.mark.parametrize("why", ["late", "used", "cancelled"])
def test_when_it_is_not_possible_the_page_says_so(client: Client, evening: Evening, why: str) -> None:
    if why == "late":
        move_clock(timedelta(days=28))
    elif why == "used":
        tickets.use(evening.ticket)
    else:
        type(evening.event).objects.filter(pk=evening.event.pk).update(cancelled_at=clock.now())

    responses = client.get(evening.page), client.post(evening.page, evening.sent(evening.wine, agreed_minor="8000"))

    assert [response.status_code for response in responses] == [200, 200]
    assert "See what it comes to" not in responses[0].content.decode()
    assert evening.has == {"Beer": 1}


def test_a_ticket_of_another_order_is_not_there(client: Client, evening: Evening) -> None:
    other = Evening()
    path = reverse(
        "ticketing:order_change", args=[evening.order.reference, evening.order.secret, other.ticket.public_id]
    )

    assert client.get(path).status_code == 404


garbage = st.text(max_size=60) | st.sampled_from(["1", "3", "99999", "-1", "\x00", "1e3", "٣", "8000", "-6000"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_garbage_is_answered_by_a_page_and_moves_no_money(client: Client, evening: Evening, data: Any) -> None:
    names = [
        f"choice-{evening.drink.public_id}", f"extra-{evening.snaps.public_id}", "agreed_minor", "back", "choice-x",
        f"choice-{evening.snaps.public_id}", f"extra-{evening.wine.public_id}", "\x00",
    ]  # fmt: skip
    values = garbage | st.sampled_from([str(evening.beer.public_id), str(evening.snaps.public_id)])
    sent = data.draw(st.dictionaries(st.sampled_from(names), values, max_size=6))

    response = client.post(evening.page, sent)

    assert response.status_code in (200, 303, 409)
    assert Refund.objects.count() == 0
    evening.order.refresh_from_db()
    assert evening.order.total_minor == 45_000


def test_a_corrected_address_ends_the_link_of_a_change_too(client: Client, evening: Evening) -> None:
    """Whoever read the mails to the old address must not come from a receipt there to the ticket's new link."""
    client.post(evening.page, evening.sent(evening.wine, agreed_minor="8000"))
    supplement = Order.objects.get(channel="change")
    pay(supplement)
    path = reverse("ticketing:order", args=[supplement.reference, supplement.secret])
    assert client.get(path).status_code == 303

    corrections.correct_address(evening.order, "right@example.org", by_desk=True)

    assert client.get(path).status_code == 404
