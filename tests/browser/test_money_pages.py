"""Where money is told in words: an order whose payment is disputed, the treasurer's books, a price of several rates."""

from __future__ import annotations

import pytest
from django.urls import reverse

from apps.events import tenancy
from apps.ticketing.extensions import Notice
from apps.ticketing.models import Payment
from apps.ticketing.payments import settle
from tests.browser.conftest import DESKTOP, PHONE, Opener, looks_right_everywhere, overflow, shot
from tests.browser.test_buyer_pages import Dinner, address_of, paid
from tests.browser.test_door import sign_in
from tests.tenancy.world import member

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def dinner() -> Dinner:
    return Dinner(tenancy.create_organisation("Lyktan", legal_name="Festföreningen Lyktan"))


def test_a_disputed_order_says_what_happened_and_the_books_say_where_the_money_is(
    dinner: Dinner,
    open_tab: Opener,
) -> None:
    order = paid(dinner)
    payment = Payment.objects.get(order=order)
    told = Notice("", "dispute", "dispute-1", "opened", payment.amount_minor, "SEK", our_id=str(payment.public_id))
    settle.settle(told, provider=payment.provider)

    page = open_tab().goto(address_of(order))
    assert page.get_by_role("status").get_by_text("bestridd").count() == 1
    assert page.get_by_text("Biljetterna är dina").count() == 0
    looks_right_everywhere(page, "order-disputed")

    desk = open_tab(size=DESKTOP)
    sign_in(desk, member(order.organisation, tenancy.Role.TREASURER, name="Bo Berg"))
    books = desk.goto(reverse("event_books", args=[dinner.event.public_id]))
    for size in (DESKTOP, PHONE):
        books.set_viewport_size(size)
        shot(books, f"books-{size['width']}")
        assert overflow(books) <= 0
    assert books.get_by_role("row").filter(has_text="bestritt").count() == 1
    shot(desk.goto(reverse("order_desk:inspect", args=[order.public_id])), "order-desk-disputed-1280")


def test_a_ticket_types_form_asks_for_parts_of_the_price_in_words(
    dinner: Dinner,
    open_tab: Opener,
) -> None:
    desk = open_tab(size=DESKTOP)
    sign_in(desk, member(dinner.event.organisation, tenancy.Role.EDITOR, name="Alva Ahlin"))
    page = desk.goto(reverse("ticket_type_desk:edit", args=[dinner.dinner.public_id]))
    page.get_by_label("Del av priset med annan moms").first.fill("100")
    page.get_by_label("Delens moms").first.select_option("6")
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        shot(page, f"ticket-type-split-{size['width']}")
        assert overflow(page) <= 0

    page.get_by_role("button", name="Spara").first.click()
    page.wait_for_url("**/events/**")

    dinner.dinner.refresh_from_db()
    assert dinner.dinner.vat_split == [["6.00", 10_000]]
