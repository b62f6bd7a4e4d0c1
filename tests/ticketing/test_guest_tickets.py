"""Guest tickets beside a ticket of one's own: what the form says, and which tickets a buyer may part with."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import override

from apps.resale import buying, listings
from apps.resale import mails as resale_mails
from apps.ticketing import clock, giving, queue, refund_rule, refunds
from apps.ticketing.models import Effect, Gift, Order, OrderLine, RefundRule, Ticket, TicketType
from apps.ticketing.payments import settle
from tests import factories
from tests.resale import houses

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("promises_kept")]


@pytest.fixture
def kinds() -> tuple[TicketType, TicketType]:
    event = factories.event(starts_at=clock.now() + timedelta(days=30))
    member = factories.ticket_type(event, factories.quota(event, 50), name_en="Member")
    return member, factories.ticket_type(event, factories.quota(event, 50), guests_of=member, guests_per_ticket=1)


def bought(kinds: tuple[TicketType, TicketType], members: int, guests: int, email: str = "member@example.org") -> Order:
    member, guest = kinds
    wanted = [*factories.wanted(member, members), *factories.wanted(guest, guests)]
    order = factories.order(member.event, wanted, email=email)
    queue.drain(member.event_id)
    order.refresh_from_db()
    payment = factories.payment(order)
    settle.settle(factories.notice(payment), provider=payment.provider)
    order.refresh_from_db()
    return order


def give_back(order: Order, *lines: OrderLine) -> None:
    back = sum(line.price_minor for line in lines)
    agreed = refund_rule.Agreed(frozenset(str(line.public_id) for line in lines), back_minor=back, fee_minor=0)
    refunds.by_buyer(order, agreed)


def test_the_form_says_how_many_guests_one_may_bring(client: Client, kinds: tuple[TicketType, TicketType]) -> None:
    with override("en"):
        page = client.get(reverse("ticketing:form", args=[kinds[0].event.public_id])).content.decode()

    assert "A guest ticket: at most 1 for each “Member” of yours." in page


HIDDEN = [{"visibility": "members"}, {"visibility": "link"}, {"is_published": False}]


@pytest.mark.parametrize("hidden", HIDDEN, ids=str)
def test_the_form_names_no_host_to_whoever_does_not_see_it(
    client: Client, kinds: tuple[TicketType, TicketType], hidden: dict[str, Any]
) -> None:
    TicketType.objects.filter(pk=kinds[0].pk).update(**hidden)

    with override("en"):
        page = client.get(reverse("ticketing:form", args=[kinds[0].event.public_id])).content.decode()

    assert "Member" not in page
    assert "A guest ticket: at most 1 for each ticket of yours that brings guests." in page


def test_a_buyer_gives_no_host_back_without_its_guest(kinds: tuple[TicketType, TicketType]) -> None:
    order = bought(kinds, 2, 1)
    RefundRule.objects.create(event=order.event, at=clock.now(), kind="hours", hours_before=1)
    first, second, guest = order.lines.order_by("position")

    give_back(order, first)
    with override("en"), pytest.raises(refunds.OfferChanged, match="Your guest tickets need this ticket"):
        give_back(order, second)
    second.refresh_from_db()
    assert second.is_held

    give_back(order, second, guest)
    assert OrderLine.objects.filter(order=order, is_held=True).count() == 0


def test_guests_of_another_order_need_their_host_too(kinds: tuple[TicketType, TicketType]) -> None:
    order = bought(kinds, 1, 0)
    bought(kinds, 0, 1)
    RefundRule.objects.create(event=order.event, at=clock.now(), kind="hours", hours_before=1)

    with pytest.raises(refunds.OfferChanged):
        give_back(order, order.lines.get())


def test_a_host_ticket_that_was_given_away_holds_no_guest_and_a_given_one_does(
    kinds: tuple[TicketType, TicketType],
) -> None:
    order = bought(kinds, 2, 1)
    RefundRule.objects.create(event=order.event, at=clock.now(), kind="hours", hours_before=1)
    first, second, _guest = order.lines.order_by("position")
    OrderLine.objects.filter(pk=second.pk).update(owner_key="somebody else's")

    with pytest.raises(refunds.OfferChanged):
        give_back(order, first)

    given = factories.paid_order(1, of=kinds[0]).lines.get()
    OrderLine.objects.filter(pk=given.pk).update(owner_key=order.buyer_key)
    give_back(order, first)
    first.refresh_from_db()
    assert not first.is_held


def test_a_guest_ticket_that_was_given_away_needs_no_host(kinds: tuple[TicketType, TicketType]) -> None:
    order = bought(kinds, 1, 1)
    RefundRule.objects.create(event=order.event, at=clock.now(), kind="hours", hours_before=1)
    host, guest = order.lines.order_by("position")
    OrderLine.objects.filter(pk=guest.pk).update(owner_key="somebody else's")

    give_back(order, host)

    assert list(order.lines.filter(is_held=True)) == [guest]


# --- Given away, sold again -----------------------------------------------------------------------------------------


def offer(line: OrderLine, email: str = "kim@example.org") -> Gift:
    return giving.give(ticket_at(line), name="Kim Ek", email=email)


def ticket_at(line: OrderLine) -> Ticket:
    return giving.fetched(Ticket.objects).get(line=line, state="valid")


def test_a_host_is_neither_given_nor_sold_before_its_guest(kinds: tuple[TicketType, TicketType]) -> None:
    host, guest = bought(kinds, 1, 1).lines.order_by("position")

    with override("en"):
        with pytest.raises(giving.CannotGive, match="need this ticket. Offer those to the same person"):
            offer(host)
        with pytest.raises(listings.CannotSell, match="need this ticket. Put those up for sale first"):
            houses.listed(ticket_at(host))

    houses.bought(houses.listed(ticket_at(guest)), user=None, email=with_a_host_of_their_own(kinds))
    giving.accept(offer(host))


def with_a_host_of_their_own(kinds: tuple[TicketType, TicketType]) -> str:
    order = factories.order(kinds[0].event, factories.wanted(kinds[0]), email="host@example.org")
    queue.drain(order.event_id)
    payment = factories.payment(Order.objects.get(pk=order.pk))
    settle.settle(factories.notice(payment), provider=payment.provider)
    return order.email


def test_two_hosts_are_not_both_for_sale_while_a_guest_needs_one(kinds: tuple[TicketType, TicketType]) -> None:
    one, other, _guest = bought(kinds, 2, 1).lines.order_by("position")

    houses.listed(ticket_at(one))

    with pytest.raises(listings.CannotSell):
        houses.listed(ticket_at(other))


def test_a_host_on_offer_stays_once_a_guest_needs_it(kinds: tuple[TicketType, TicketType]) -> None:
    order = bought(kinds, 2, 0)
    given, listed = order.lines.order_by("position")
    gift, listing = offer(given), houses.listed(ticket_at(listed))
    late = factories.order(kinds[1].event, factories.wanted(kinds[1], 2), email=order.email)
    queue.drain(late.event_id)

    refused = houses.ordered(listing)
    with override("en"), pytest.raises(giving.CannotGive, match="Guest tickets of its giver need this ticket by now"):
        giving.accept(gift)

    assert (refused.state, refused.reason) == ("rejected", "listing_gone")
    assert order.lines.filter(is_held=True, owner_key="").count() == 2


def test_a_host_is_given_with_its_guest_to_one_person_who_accepts_the_host_first(
    kinds: tuple[TicketType, TicketType],
) -> None:
    order = bought(kinds, 1, 1)
    host, guest = order.lines.order_by("position")
    with_it = offer(guest, "Kim@example.org")
    with override("en"), pytest.raises(giving.CannotGive, match="Offer those to the same person first"):
        offer(host, "robin@example.org")
    first = offer(host)

    with override("en"), pytest.raises(giving.CannotGive, match="offered to you as well, accept that first"):
        giving.accept(with_it)
    giving.accept(first)
    giving.accept(with_it)

    kim = Ticket.objects.filter(line__in=[host, guest], state="valid", holder_email__iexact="kim@example.org")
    assert kim.count() == 2


def test_a_host_is_not_accepted_once_its_guest_was_taken_back(kinds: tuple[TicketType, TicketType]) -> None:
    host, guest = bought(kinds, 1, 1).lines.order_by("position")
    with_it, first = offer(guest), offer(host)

    giving.cancel(with_it)

    with override("en"), pytest.raises(giving.CannotGive, match="Guest tickets of its giver need this ticket by now"):
        giving.accept(first)


def test_a_guest_whose_offer_fails_after_its_host_went_is_the_givers_to_give_back(
    kinds: tuple[TicketType, TicketType],
) -> None:
    order = bought(kinds, 1, 1)
    RefundRule.objects.create(event=order.event, at=clock.now(), kind="hours", hours_before=1)
    host, guest = order.lines.order_by("position")
    with_it, first = offer(guest), offer(host)
    giving.accept(first)

    giving.decline(with_it)
    give_back(order, guest)

    guest.refresh_from_db()
    assert not guest.is_held


def test_a_host_is_sold_where_its_guest_is_for_sale_too_and_one_buyer_may_have_both(
    kinds: tuple[TicketType, TicketType],
) -> None:
    host, guest = bought(kinds, 1, 1).lines.order_by("position")
    with_it = houses.listed(ticket_at(guest))
    first = houses.listed(ticket_at(host))

    alone = houses.ordered(with_it, email="kim@example.org")
    both = [houses.bought(one, email="kim@example.org") for one in (first, with_it)]

    assert (alone.state, alone.reason) == ("rejected", "too_many_guests")
    assert [order.state for order in both] == ["paid", "paid"]


def guest_order(kinds: tuple[TicketType, TicketType], seller: Order) -> Order:
    late = factories.order(kinds[1].event, factories.wanted(kinds[1]), email=seller.email)
    queue.drain(late.event_id)
    late.refresh_from_db()
    return late


def test_a_listed_host_that_a_guest_needs_by_now_is_withdrawn_and_its_seller_told(
    kinds: tuple[TicketType, TicketType],
) -> None:
    order = bought(kinds, 2, 0)
    other = houses.listed(ticket_at(bought(kinds, 1, 0, "else@example.org").lines.get()))
    needed, given = order.lines.order_by("position")
    listing = houses.listed(ticket_at(needed))
    assert guest_order(kinds, order).state == "reserved"
    assert listings.sweep(clock.now()) == 0

    giving.accept(offer(given))
    assert listings.sweep(clock.now()) == 1

    listing.refresh_from_db()
    other.refresh_from_db()
    assert (listing.state, listing.reason, other.state) == ("withdrawn", "listing_needed", "open")
    assert Effect.objects.filter(payload__name=resale_mails.WITHDRAWN, payload__listing=listing.pk).count() == 1


def test_a_host_that_somebody_is_buying_brings_its_seller_no_guest(kinds: tuple[TicketType, TicketType]) -> None:
    order = bought(kinds, 1, 0)
    held = houses.ordered(houses.listed(ticket_at(order.lines.get())))

    refused = guest_order(kinds, order)
    houses.expire(held)

    assert (refused.state, refused.reason) == ("rejected", "too_many_guests")
    assert guest_order(kinds, order).state == "reserved"


def test_a_host_that_a_guest_needs_once_it_is_paid_for_is_not_sold(kinds: tuple[TicketType, TicketType]) -> None:
    order = bought(kinds, 1, 0)
    held = houses.ordered(houses.listed(ticket_at(order.lines.get())))
    given = bought(kinds, 1, 1, "kim@example.org").lines.get(ticket_type=kinds[1])
    OrderLine.objects.filter(pk=given.pk).update(owner_key=order.buyer_key)

    assert houses.pay(held).state == "cancelled"

    assert ticket_at(order.lines.get()).line.is_held


def test_a_host_is_sold_though_its_guest_is_taken_off_sale_while_it_is_paid_for(
    kinds: tuple[TicketType, TicketType],
) -> None:
    host, guest = bought(kinds, 1, 1).lines.order_by("position")
    beside = houses.listed(ticket_at(guest))
    held = houses.ordered(houses.listed(ticket_at(host)), email="kim@example.org")

    listings.withdraw(beside)

    assert houses.pay(held).state == "paid"


@pytest.mark.parametrize("orders", [1, 4])
def test_deciding_counts_the_guests_of_all_sellers_at_once(kinds: tuple[TicketType, TicketType], orders: int) -> None:
    lines = bought(kinds, orders, 0).lines.order_by("position")
    for_sale = [houses.listed(ticket_at(line)) for line in lines]
    for place, listing in enumerate(for_sale):
        for wanted in {listing, for_sale[0]}:
            address = f"{place}.{wanted.pk}@example.org"
            buying.buy([wanted], email=address, user=None, idempotency_key=uuid.uuid4().hex)

    with CaptureQueriesContext(connection) as captured:
        queue.drain(kinds[0].event_id)

    counted = [query for query in captured.captured_queries if query["sql"].startswith("EXECUTE tickets_owned ")]
    assert len(counted) == 2  # of the buyers, and of the sellers
