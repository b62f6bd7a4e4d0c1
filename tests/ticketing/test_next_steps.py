"""Every state an order, a payment, a refund or a ticket can be in has its words and its next step on the order's page.

The states are those of `states`, literally: a new one without words fails here.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from apps.ticketing import clock, event_face, next_steps, states
from apps.ticketing.models import Order, Payment, Refund, Ticket, TransferAccount
from apps.ticketing.order_page import PageState
from apps.ticketing.payments import manual
from tests import factories
from tests.ticketing.test_order_page import address

pytestmark = pytest.mark.django_db
NEXT = re.compile(r"<(?P<tag>[a-z][a-z0-9]*)[^>]* data-next[^>]*>(?P<inside>.*?)</(?P=tag)>", re.DOTALL)


@pytest.fixture(autouse=True)
def english(settings: LazySettings) -> None:
    settings.LANGUAGE_CODE = "en"
    event_face.forget()


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def told(client: Client, order: Order) -> tuple[str, list[str]]:
    """The page's heading, and what it says comes next."""
    page = client.get(address(order)).content.decode()
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", page, re.DOTALL)
    assert heading is not None
    steps = [words(found["inside"]) for found in NEXT.finditer(page)]
    return words(heading[1]), [step for step in steps if step]


def in_state(state: str) -> Order:
    """An order as it would stand there, with what hangs on it."""
    at = clock.now()
    if state in ("paid", "refunded"):
        order = factories.paid_order(1)
    else:
        order = factories.reserved_order(1)
    facts: dict[str, Any] = {"state": state, "reserved_until": at + timedelta(minutes=9)}
    if state in ("expired", "cancelled", "rejected"):
        facts["reason"] = {"expired": "hold_expired", "cancelled": "cancelled_by_buyer", "rejected": "sold_out"}[state]
    Order.objects.filter(pk=order.pk).update(**facts)
    order.refresh_from_db()
    return order


@pytest.mark.parametrize("state", states.OrderState.values)
def test_every_state_of_an_order_says_how_it_stands_and_what_comes_next(client: Client, state: str) -> None:
    heading, steps = told(client, in_state(state))

    assert len(heading) > 3 and steps != []


@pytest.mark.parametrize("state", states.PaymentState.values)
@pytest.mark.parametrize("order_state", ["reserved", "expired", "cancelled", "paid"])
def test_every_state_of_a_payment_has_its_words(client: Client, state: str, order_state: str) -> None:
    order = in_state(order_state)
    if order_state == "paid":
        Payment.objects.update(state=state)
    else:
        # An open payment at the sandbox would be asked for; this one is at a bank that tells nothing.
        Payment.objects.create(
            order=order, provider="swish", amount_minor=order.total_minor, currency="SEK", state=state,
            created_at=clock.now(), redirect_url="https://bank.example/", checked_at=clock.now(),
            reason="payment_declined" if state == "failed" else "",
        )  # fmt: skip

    heading, steps = told(client, order)

    page = words(client.get(address(order)).content.decode())
    assert heading and steps
    expected = {
        ("reserved", "started"): "You have begun to pay. Nothing has been charged.",
        ("reserved", "action_needed"): "You have begun to pay. Nothing has been charged.",
        ("reserved", "processing"): "Do not pay again.",
        ("reserved", "unknown"): "Do not pay again.",
        ("reserved", "failed"): "The card was declined and nothing was charged.",
        ("reserved", "cancelled"): "The payment was called off. Nothing was charged.",
    }
    if (order_state, state) in expected:
        assert expected[order_state, state] in page
    if order_state in ("expired", "cancelled") and state in states.PAYMENT_LIVE:
        assert "The bank has not answered about your payment yet." in page
        assert "Nothing was charged" not in page and "Nothing has been charged" not in page
    if order_state in ("expired", "cancelled") and state == "captured":
        assert "Your payment came afterwards." in page and "Nothing was charged" not in page


@pytest.mark.parametrize("state", states.RefundState.values)
@pytest.mark.parametrize("order_state", ["paid", "refunded", "expired"])
def test_every_state_of_a_refund_has_its_words(client: Client, state: str, order_state: str) -> None:
    order = in_state("paid")
    Order.objects.filter(pk=order.pk).update(state=order_state, reason="late_payment")
    payment = Payment.objects.get()
    Refund.objects.create(payment=payment, amount_minor=100, currency="SEK", state=state, created_at=clock.now())

    _heading, steps = told(client, order)

    said = {"done": "arrives within", "failed": "We owe it to you: say to which account"}.get(state, "arrives within")
    assert [step for step in steps if said in step] != []


@pytest.mark.parametrize("state", states.TicketState.values)
def test_every_state_of_a_ticket_has_its_words(client: Client, state: str) -> None:
    order = in_state("paid")
    Ticket.objects.update(state=state)
    expected = next_steps.TICKETS[state]

    _heading, steps = told(client, order)
    page = words(client.get(address(order)).content.decode())

    assert str(expected.now).lower() in page and [step for step in steps if str(expected.next) in step] != []


@pytest.mark.parametrize("reference", ["", "735917"])
def test_an_order_whose_buyer_sends_the_money_says_what_comes_next(client: Client, reference: str) -> None:
    order = in_state("reserved")
    TransferAccount.objects.create(organisation=order.organisation, offers_transfer=True, bankgiro="9912346")
    factories.payment(order, provider=manual.TRANSFER, state="action_needed", provider_reference=reference)

    heading, steps = told(client, order)

    assert heading.startswith("Pay by") and len(steps) == 1


def test_every_page_of_an_order_is_walked() -> None:
    pages = set(PageState.values) - set(states.OrderState.values)

    assert pages == {"entered", "paying", "transfer"}  # the draw's: test_draws; the others: above
