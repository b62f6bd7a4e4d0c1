"""One membership discount, followed: on the ticket form, frozen in the order, on the order's page, in the mail."""

from __future__ import annotations

import pytest
from django.urls import reverse

from apps.discounts.models import Allowance, DiscountUse
from apps.ticketing import queue
from apps.ticketing.mails import letters
from apps.ticketing.models import Adjustment
from apps.ticketing.payments import settle
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
def lintek(event):
    return builders.body(event.organisation)


@pytest.fixture
def member_price(event, lintek):
    return builders.discount(
        event, name_sv="Kårpris", name_en="Member price", kind="price", amount_minor=20_000, bodies=[lintek]
    )


def form_of(client, event) -> str:
    return client.get(reverse("ticketing:form", args=[event.public_id])).content.decode().replace("\xa0", " ")


def test_guest_is_told_what_members_pay_and_how_to_get_it(client, event, dinner, member_price):
    page = form_of(client, event)

    assert "Medlemmar i LinTek: 200 kr. Logga in för att få det." in page
    assert f'href="{reverse("account_login")}?next=' in page
    assert 'data-price-minor="25000"' in page


def test_member_sees_their_price_and_why(client, event, dinner, lintek, member_price):
    client.force_login(builders.member(lintek))

    page = form_of(client, event)

    assert 'data-price-minor="20000"' in page
    assert "Kårpris: 50 kr lägre som medlem i LinTek." in page
    assert "Ordinarie" in page


def test_order_freezes_the_price_and_the_mail_says_why(client, event, dinner, lintek, member_price):
    person = builders.member(lintek)
    order = factories.order(event, factories.wanted(dinner), user=person, email=person.email)
    queue.drain(event.pk)
    order.refresh_from_db()

    line = order.lines.get()
    assert (order.state, order.total_minor, line.list_minor, line.price_minor) == ("reserved", 20_000, 25_000, 20_000)
    frozen = Adjustment.objects.get(line=line)
    assert (frozen.source, frozen.label_sv, frozen.label_en, frozen.amount_minor, frozen.bearer) == (
        *("discounts", "Kårpris", "Member price", -5_000, "organiser"),
    )
    assert Allowance.objects.get().taken == 1
    assert DiscountUse.objects.get().line_id == line.pk

    member_price.is_active = False
    member_price.save()
    due = factories.payment(order)
    settle.settle(factories.notice(due), provider=due.provider)
    order.refresh_from_db()
    letter = letters.write(order, {"name": "order_confirmation"}, order.paid_at)
    assert letter is not None
    assert letter.context["lines"] == [{"name": "Middag", "parts": "Kårpris \u221250\xa0kr", "price_minor": 20_000}]
    page = client.get(reverse("ticketing:order", args=[order.reference, order.secret])).content.decode()
    assert "Kårpris" in page
    assert "\u221250\xa0kr" in page
