"""The priced rush is what it says: ten discounts, a hundred links, and buyers who use them."""

from __future__ import annotations

from collections import Counter

import pytest

from apps.discounts.models import Discount, PresaleLink
from bench import priced
from bench.storefront import Sold
from tests import factories

pytestmark = pytest.mark.django_db


def test_sale_has_ten_discounts_a_hundred_links_and_buyers_for_both() -> None:
    event = factories.event()
    factories.ticket_type(event, factories.quota(event, 300))

    sold = priced.with_discounts(Sold(event.pk, "/event/", "/form/"))

    assert Discount.objects.filter(event=event, is_active=True).count() == 10
    assert PresaleLink.objects.filter(event=event).count() == len(set(sold.links)) == 100
    ways = Counter((sold.page_for(number) == sold.page, sold.code_for(number)) for number in range(1_000))
    assert ways == {(False, ""): 100, (True, priced.CODE): 100, (True, ""): 800}


def test_plain_sale_has_neither() -> None:
    sold = Sold(1, "/event/", "/form/")

    assert {(sold.page_for(number), sold.code_for(number)) for number in range(20)} == {("/event/", "")}
