"""The page of an order that takes over a ticket: it speaks of that ticket, and never of places or of the catalogue."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.urls import reverse

from apps.resale import buying, listings
from apps.resale import market as market_list
from apps.resale.models import Listing
from apps.ticketing import catalogue, clock, queue, standing
from apps.ticketing.models import Order, Quota, TicketType
from tests.resale import houses

pytestmark = pytest.mark.django_db

CHEAPER, LIST = "100\xa0kr", "250\xa0kr"


@pytest.fixture(autouse=True)
def promises(promises_kept):
    """Every test here ends with all promises kept."""


def for_sale(asked_minor: int = 10_000) -> Listing:
    """A ticket that cost 250 kr, to an event with a public page."""
    ticket = houses.sold_ticket(price_minor=25_000)
    houses.published(ticket.event)
    return houses.listed(ticket, asked_minor)


def page_of(client, order: Order) -> str:
    return client.get(reverse("ticketing:order", args=[order.reference, order.secret])).content.decode()


def total_on(page: str) -> str:
    """What stands beside the total."""
    return page.split("breakdown__line--total")[1].split("<dd>")[1].split("</dd>")[0]


def in_queue(listing: Listing) -> Order:
    return buying.buy([listing], email="late@example.org", idempotency_key=uuid.uuid4().hex)


def rejected(listing: Listing) -> Order:
    houses.ordered(listing)
    return houses.ordered(listing)


def rejected_and_sold(listing: Listing) -> Order:
    first, second = houses.ordered(listing), houses.ordered(listing)
    houses.pay(first)
    return second


def expired(listing: Listing) -> Order:
    order = houses.ordered(listing)
    houses.expire(order)
    return order


@pytest.mark.parametrize("becomes", [in_queue, rejected, rejected_and_sold, expired])
def test_page_of_an_order_tells_what_the_listing_costs(client, becomes):
    listing = for_sale()
    order = becomes(listing)
    TicketType.objects.update(price_minor=40_000)  # what it costs new by now is nothing to a ticket that was sold

    page = page_of(client, order)

    assert total_on(page) == CHEAPER
    assert LIST in page and "400\xa0kr" not in page


@pytest.mark.parametrize("becomes", [rejected, expired])
def test_order_that_got_no_ticket_leads_to_the_others_that_are_for_sale(client, becomes):
    listing = for_sale()

    page = page_of(client, becomes(listing))

    market = reverse("resale:market") + f"?event={listing.event.public_id}"
    assert f'href="{market}"' in page
    assert reverse("ticketing:form", args=[listing.event.public_id]) not in page


def test_hold_of_a_ticket_second_hand_offers_no_more_time_that_is_never_given(client):
    order = houses.ordered(for_sale())

    page = page_of(client, order)

    assert reverse("ticketing:order_more_time", args=[order.reference, order.secret]) not in page


@pytest.mark.parametrize("is_over", [False, True], ids=["sold-out", "over"])
def test_sale_with_nothing_left_leads_to_what_is_for_sale_second_hand(client, is_over):
    listing = for_sale()
    event = listing.event
    form = reverse("ticketing:form", args=[event.public_id])
    market = reverse("resale:market") + f"?event={event.public_id}"
    assert market not in client.get(form).content.decode()  # there are places
    if is_over:
        TicketType.objects.filter(event=event).update(sale_closes_at=clock.now() - timedelta(days=1))
    else:
        Quota.objects.filter(event=event).update(size=1)
    catalogue.forget()
    standing.shown.forget()

    assert f'href="{market}"' in client.get(form).content.decode()

    listings.withdraw(listing)
    market_list.kept_any.forget()
    assert market not in client.get(form).content.decode()


def test_queue_of_an_order_for_a_listing_says_nothing_of_places(client):
    page = page_of(client, in_queue(for_sale()))

    assert "data-place" in page
    assert "data-verdict-is" not in page and "data-left" not in page


def test_buyer_of_a_ticket_whose_kind_became_cheaper_is_told_of_no_rise(client):
    listing = for_sale(25_000)
    TicketType.objects.update(price_minor=20_000)

    page = page_of(client, houses.ordered(listing))

    assert total_on(page) == LIST
    assert "när du valde" not in page


def test_buyer_whose_seller_raised_the_price_meanwhile_is_told_before_they_pay(client):
    listing = for_sale()
    address = reverse("resale:listing", args=[listing.public_id])
    assert 'name="seen" value="10000"' in client.get(address).content.decode()
    listings.change(listing, version=1, asked_minor=25_000, agreed_payout_minor=25_000, is_private=False)

    form = {"email": "new@example.org", "idempotency_key": uuid.uuid4().hex, "seen": "10000"}
    client.post(address, form)
    queue.drain(listing.event_id)

    page = page_of(client, Order.objects.get(email="new@example.org"))
    assert f"Priset är {LIST} nu. Det var {CHEAPER} när du valde." in page
