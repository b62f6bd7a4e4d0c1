"""The plugin in a real house: real orders, on a real database, on Tuesdays and on other days."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import override
from two_for_one_tuesdays.price import BLOCK

from apps.events import page_cache, tenancy
from apps.events.models import EventPage, OrganisationPage
from apps.ticketing import clock, invariants, queue
from apps.ticketing.context import PurchaseContext
from apps.ticketing.extensions import price_rules
from apps.ticketing.models import Order, TicketType
from tests import factories
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db

MONDAY, TUESDAY, WEDNESDAY = 0, 1, 2


class Evening:
    """An event with a page that has the block, and a ticket at 250 kr."""

    def __init__(self, *, time_zone: str = "Europe/Stockholm", most_free: int | None = None, live: bool = True) -> None:
        organisation = tenancy.create_organisation("Kören", slug="koren")
        self.event = factories.event(
            organisation=organisation, title_en="Concert", time_zone=time_zone,
            starts_at=datetime.now(UTC) + timedelta(days=60),
        )  # fmt: skip
        self.kind = factories.ticket_type(self.event, factories.quota(self.event, 100), price_minor=25_000)
        root = OrganisationPage.objects.get(pk=organisation.root_page_id)
        body = [{"type": BLOCK, "value": {"text": "", "most_free": most_free}, "id": "b1"}]
        self.page = EventPage(
            event=self.event, title="Konsert", slug="concert", locale=root.locale, body=json.dumps(body), live=live
        )
        root.add_child(instance=self.page)
        page_cache.begin_anew()

    def order(self, number: int, kind: TicketType | None = None) -> Order:
        order = factories.order(self.event, factories.wanted(kind or self.kind, number))
        queue.drain(self.event.pk)
        order.refresh_from_db()
        return order

    def prices(self, order: Order) -> list[int]:
        return list(order.lines.order_by("position").values_list("price_minor", flat=True))


@pytest.fixture(autouse=True)
def kept_promises() -> Iterator[None]:
    yield
    assert invariants.check() == []


def until(weekday: int, zone: str = "Europe/Stockholm", hour: int = 12) -> timedelta:
    """How long it is until that hour of the next such weekday, in that zone."""
    now = clock.now().astimezone(ZoneInfo(zone))
    wanted = now.replace(hour=hour, minute=0, second=0, microsecond=0) + timedelta(days=(weekday - now.weekday()) % 7)
    return wanted.astimezone(UTC) - now.astimezone(UTC) + timedelta(days=7 if wanted <= now else 0)


def test_the_plugin_is_plugged_in() -> None:
    assert "two_for_one_tuesdays" in price_rules
    assert BLOCK in EventPage._meta.get_field("body").stream_block.child_blocks


@pytest.mark.parametrize(
    ("weekday", "prices"),
    [(MONDAY, [25_000, 25_000]), (TUESDAY, [25_000, 0]), (WEDNESDAY, [25_000, 25_000])],
    ids=["monday", "tuesday", "wednesday"],
)
def test_the_second_ticket_is_free_on_tuesdays_only(weekday: int, prices: list[int]) -> None:
    evening = Evening()

    with clock_moved(until(weekday)):
        order = evening.order(2)

    assert (order.state, evening.prices(order), order.total_minor) == ("reserved", prices, sum(prices))


@pytest.mark.parametrize(
    ("number", "most_free", "free"),
    [(1, None, 0), (2, None, 1), (3, None, 1), (4, None, 2), (5, 1, 1), (6, 2, 2)],
)
def test_every_second_ticket_is_free_up_to_the_limit(number: int, most_free: int | None, free: int) -> None:
    evening = Evening(most_free=most_free)

    with clock_moved(until(TUESDAY)):
        order = evening.order(number)

    assert evening.prices(order).count(0) == free
    assert order.total_minor == (number - free) * 25_000


def test_tuesday_is_where_the_event_is() -> None:
    """Tuesday 12:00 in Auckland is still Monday in Sweden, and the other way round."""
    evening = Evening(time_zone="Pacific/Auckland")

    with clock_moved(until(TUESDAY, "Pacific/Auckland", hour=8)):
        reduced = evening.order(2).total_minor
    with clock_moved(until(TUESDAY, hour=20)):
        full = evening.order(2).total_minor

    assert (reduced, full) == (25_000, 50_000)


def test_who_orders_on_tuesday_and_is_served_on_wednesday_keeps_the_price() -> None:
    evening = Evening()
    with clock_moved(until(TUESDAY, hour=23)):
        order = factories.order(evening.event, factories.wanted(evening.kind, 2))
    with clock_moved(until(TUESDAY, hour=23) + timedelta(hours=2)):
        queue.drain(evening.event.pk)

    order.refresh_from_db()
    assert order.total_minor == 25_000


def test_two_types_are_counted_apart() -> None:
    evening = Evening()
    other = factories.ticket_type(evening.event, factories.quota(evening.event, 10), price_minor=10_000)
    with clock_moved(until(TUESDAY)):
        wanted = factories.wanted(evening.kind, 1) + factories.wanted(other, 3) + factories.wanted(evening.kind, 1)
        order = factories.order(evening.event, wanted)
        queue.drain(evening.event.pk)

    assert evening.prices(order) == [25_000, 10_000, 0, 10_000, 0]


def test_what_is_chosen_with_a_free_ticket_is_paid() -> None:
    evening = Evening()
    drink = factories.variation(evening.kind)
    beer, water = factories.choice(drink, delta_minor=6_000), factories.choice(drink, delta_minor=-6_000)
    with clock_moved(until(TUESDAY)):
        wanted = factories.wanted(evening.kind, 2, (beer, 1)) + factories.wanted(evening.kind, 2, (water, 1))
        order = factories.order(evening.event, wanted)
        queue.drain(evening.event.pk)

    assert evening.prices(order) == [31_000, 6_000, 19_000, 0]


def test_a_part_that_is_offered_is_counted_anew() -> None:
    """One ticket left of the two that were wanted is no second ticket."""
    evening = Evening()
    quota = evening.kind.quotas.get()
    quota.taken = quota.size - 1
    quota.save()
    with clock_moved(until(TUESDAY)):
        order = evening.order(2)

    assert (order.state, order.total_minor) == ("offered", 25_000)
    quota.taken = 1
    quota.save()


@pytest.mark.parametrize("live", [True, False], ids=["published", "draft"])
def test_the_block_on_a_published_page_is_the_switch(live: bool) -> None:
    evening = Evening(live=live)

    with clock_moved(until(TUESDAY)):
        assert evening.order(2).total_minor == (25_000 if live else 50_000)


def test_the_rule_asks_the_database_once_for_a_whole_batch(django_assert_num_queries: Any) -> None:
    evening, rule = Evening(), price_rules.get("two_for_one_tuesdays")
    at = clock.now()
    contexts = [
        PurchaseContext(event_id=evening.event.pk, currency="SEK", at=at, order_id=number) for number in (1, 2, 3)
    ]

    for number in (1, 3):
        with django_assert_num_queries(1):
            assert set(rule.prepare(contexts[:number], at)) == {evening.event.pk}


@pytest.mark.parametrize(("language", "words"), [("sv", "2 för 1 på tisdagar"), ("en", "2 for 1 on Tuesdays")])
def test_a_buyer_sees_the_price_and_why(client: Client, language: str, words: str) -> None:
    evening = Evening()
    with clock_moved(until(TUESDAY)):
        order = evening.order(2)
        with override(language):
            page = client.get(reverse("ticketing:order", args=[order.reference, order.secret])).content.decode()

    assert words in page
    reduction, total = ("−250\xa0kr", "250\xa0kr") if language == "sv" else ("−SEK\xa0250", "SEK\xa0250")
    assert reduction in page and total in page


def test_visitors_read_of_it_on_the_page(client: Client) -> None:
    evening = Evening()

    page = client.get(evening.page.url).content.decode()

    assert "På tisdagar är varannan biljett gratis." in page
