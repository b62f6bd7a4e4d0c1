"""Giving tickets back from the order's page: what is seen, what is agreed to, and what a stale page may not do."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail
from django.test import Client
from django.urls import reverse

from apps.ticketing import clock, event_face, mails, outbox, refunds, tickets
from apps.ticketing.models import Effect, Order, Payment, Refund, RefundRule, Ticket
from tests import factories
from tests.clock import clock_moved
from tests.ticketing.test_views import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english(settings: LazySettings) -> None:
    settings.LANGUAGE_CODE = "en"
    event_face.forget()


@pytest.fixture(autouse=True)
def promises(promises_kept: None) -> None:
    """Every test here ends with all promises kept."""


@pytest.fixture
def order() -> Order:
    return factories.paid_order(3, name_en="Dinner", price_minor=25_000)


@pytest.fixture
def rule(order: Order) -> RefundRule:
    return RefundRule.objects.create(
        event=order.event, at=order.queued_at, kind="hours", hours_before=24, fee_minor=2_500
    )


def address(order: Order, name: str = "order_refund") -> str:
    return reverse(f"ticketing:{name}", args=[order.reference, order.secret])


def shown(response: Any) -> str:
    return re.sub(r"\s+", " ", text_of(response)).replace("\u00a0", " ")


def hidden(response: Any) -> dict[str, list[str]]:
    """What the page's button sends along."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', response.content.decode()):
        found.setdefault(name, []).append(value)
    return found


def ask(client: Client, order: Order, *lines: Any) -> Any:
    return client.get(address(order), {"ticket": [str(line.public_id) for line in lines]})


def test_order_page_tells_the_rule_and_offers_the_way(client: Client, order: Order, rule: RefundRule) -> None:
    page = client.get(address(order, "order"))

    assert "1 day before the event. Of each ticket SEK 25 is kept as a fee." in shown(page)
    assert address(order) in page.content.decode()


@pytest.mark.parametrize(
    ("paid_with", "way"),
    [
        ("Visa ···· 4242", "to Visa ···· 4242"),
        ("···· 4242", "to the card ···· 4242"),
        ("Swish", "by Swish"),
        ("", "the way it was paid"),
    ],
)
def test_page_mail_and_order_tell_where_the_money_goes(
    client: Client, order: Order, rule: RefundRule, paid_with: str, way: str
) -> None:
    Payment.objects.update(paid_with=paid_with)
    (line, *_others) = order.lines.all()
    agreed = ask(client, order, line)
    Order.objects.update(locale="en")
    refunds.order_refund(order, [line], reason="refused")
    outbox.run_all(kinds=["mail.send"])

    assert f"It goes back {way} and arrives within 5–10 bank days." in shown(agreed)
    assert f"It goes back {way} and arrives within 5–10 bank days." in shown(client.get(address(order, "order")))
    assert f"It goes back {way} and arrives within 5–10 bank days." in str(mail.outbox[-1].body).replace("\u00a0", " ")


def test_order_page_without_a_rule_says_so_and_offers_nothing(client: Client, order: Order) -> None:
    page = client.get(address(order, "order"))

    assert "Tickets are not refunded, unless the event is cancelled." in shown(page)
    assert address(order) not in page.content.decode()
    assert "You can always ask" in shown(client.get(address(order)))


def test_buyer_chooses_sees_and_agrees(client: Client, order: Order, rule: RefundRule, mailoutbox: list[Any]) -> None:
    first, second, third = order.lines.all()
    tickets.use(Ticket.objects.get(line=third))

    choice = client.get(address(order))
    assert shown(choice).count("SEK 225 of SEK 250 comes back") == 2
    assert "3. Dinner: It was used at the door." in shown(choice)

    confirmation = ask(client, order, first, second)
    assert "Give 2 tickets back?" in shown(confirmation)
    assert "Fee that is kept" in shown(confirmation)
    assert "Comes back to you SEK 450" in shown(confirmation)
    assert Refund.objects.count() == 0

    response = client.post(address(order), hidden(confirmation))
    assert (response.status_code, response["Location"]) == (303, address(order, "order"))
    refund = Refund.objects.get()
    assert (refund.amount_minor, refund.fee_minor, set(refund.lines.all())) == (45_000, 5_000, {first, second})
    page = shown(client.get(address(order, "order")))
    assert "SEK 450 is on its way back." in page
    assert "arrives within 5–10 bank days." in page
    assert "Price SEK 500 Fee that is kept −SEK 50 Goes back to you SEK 450" in page

    outbox.run_all(kinds=[mails.KIND])
    told = next(mail for mail in mailoutbox if "450" in mail.subject).body.replace("\u00a0", " ")
    assert re.search(r"(Fee that is kept|Avgift som behålls): −(SEK 50|50 kr)", told)


def test_button_pressed_twice_refunds_once(client: Client, order: Order, rule: RefundRule) -> None:
    sent = hidden(ask(client, order, order.lines.first()))

    answers = [client.post(address(order), sent).status_code for _ in range(2)]

    assert (answers, Refund.objects.count()) == ([303, 303], 1)


def test_stale_page_is_refused_with_what_changed(client: Client, order: Order, rule: RefundRule) -> None:
    first, second, _third = order.lines.all()
    sent = hidden(ask(client, order, first, second))
    tickets.use(Ticket.objects.get(line=first))

    response = client.post(address(order), sent)

    assert (response.status_code, Refund.objects.count()) == (409, 0)
    assert "Nothing was given back and no money has moved." in shown(response)
    assert "1. Dinner: It was used at the door." in shown(response)
    assert hidden(response)["back"] == ["22500"]  # the one that is left, ready to be agreed to


def test_page_that_outlived_the_time_is_refused(client: Client, order: Order, rule: RefundRule) -> None:
    sent = hidden(ask(client, order, order.lines.first()))

    with clock_moved(order.event.starts_at - clock.now() - timedelta(hours=23)):
        response = client.post(address(order), sent)

    assert (response.status_code, Refund.objects.count()) == (409, 0)
    assert "Tickets could be refunded until" in shown(response)
    assert "See what comes back" not in shown(response)


def test_cancelled_event_keeps_no_fee_of_whoever_still_presses(client: Client, order: Order, rule: RefundRule) -> None:
    asked = hidden(ask(client, order, *order.lines.all()))
    order.event.cancelled_at = clock.now()
    order.event.save(update_fields=["cancelled_at"])

    said = [client.get(address(order)), client.post(address(order), asked)]

    assert [response["Location"] for response in said] == [address(order, "order")] * 2
    assert not Refund.objects.exists()


@pytest.mark.parametrize(
    "crafted",
    [
        {},
        {"ticket": "nonsense", "back": "22500", "fee": "2500"},
        {"back": "25000", "fee": "0"},
        {"back": "-1"},
        {"back": "9" * 400, "fee": "²"},
    ],
)
def test_crafted_form_refunds_nothing(client: Client, order: Order, rule: RefundRule, crafted: dict[str, str]) -> None:
    sent = {**hidden(ask(client, order, order.lines.first())), **crafted} if crafted else {}

    response = client.post(address(order), sent)

    assert (response.status_code, Refund.objects.count()) == (409, 0)


def test_nothing_chosen_is_said_beside_the_tickets(client: Client, order: Order, rule: RefundRule) -> None:
    assert "Choose at least one ticket." in shown(client.get(address(order), {"choose": "1"}))


def test_free_ticket_is_given_back_without_money(client: Client) -> None:
    order = factories.reserved_order(1, price_minor=0)
    factories.settle.pay(order, clock.now())
    RefundRule.objects.create(event=order.event, at=clock.now(), kind="hours", hours_before=24)

    confirmation = client.get(address(order))
    assert "Give the ticket back?" in shown(confirmation)
    client.post(address(order), hidden(confirmation))

    order.refresh_from_db()
    assert (order.state, Refund.objects.count()) == ("refunded", 0)
    assert "You gave the tickets back" in shown(client.get(address(order, "order")))


def test_wrong_secret_and_unpaid_order(client: Client, order: Order) -> None:
    unpaid = factories.reserved_order(1)

    assert client.get(address(order)[:-5] + "wrong/").status_code == 404
    assert client.get(address(unpaid))["Location"] == address(unpaid, "order")


def test_partial_refund_is_told_on_page_and_in_mail(client: Client, order: Order, mailoutbox: list[Any]) -> None:
    refunds.give_back(order, order.lines.first(), 5_000, note="Cold soup, says Kim")

    page = shown(client.get(address(order, "order")))
    outbox.run_all(kinds=[mails.KIND])

    assert "SEK 50 is on its way back." in page
    assert "Your tickets stay valid." in page
    told = next(mail for mail in mailoutbox if "50" in mail.subject).body
    assert "Cold soup" not in told + page


def test_confirmation_sent_again_adds_up_to_the_tickets_that_are_left(order: Order, mailoutbox: list[Any]) -> None:
    refunds.order_refund(order, order.lines.all()[:1], reason=refunds.BY_ORGANISER)
    Effect.objects.all().delete()
    Order.objects.update(locale="en")

    mails.send_again(order, {"name": "order_confirmation"})
    outbox.run_all(kinds=[mails.KIND])

    told = mailoutbox[0].body.replace("\u00a0", " ")
    assert (told.count("SEK 250"), "SEK 500 is paid." in told, "Paid: SEK 500" in told) == (2, True, True)
    assert "SEK 750" not in told


def test_debt_is_told_until_it_is_paid(client: Client, order: Order) -> None:
    refund = refunds.order_refund(order, order.lines.all()[:1], reason="refused")
    Effect.objects.filter(kind=refunds.SEND).delete()
    failed = factories.notice(refund.payment, "failed", kind="refund", our_id=str(refund.public_id), reference="")
    refunds.settle(failed, provider="sandbox")
    assert "SEK 250 did not arrive. We owe it to you: say to which account you want it." in shown(
        client.get(address(order, "order"))
    )

    refunds.send_again(refund)
    page = shown(client.get(address(order, "order")))
    assert ("SEK 250 is on its way back." in page, "did not arrive" in page) == (True, False)

    again = Refund.objects.latest("pk")
    refunds.settle(
        factories.notice(refund.payment, "failed", kind="refund", our_id=str(again.public_id), reference=""),
        provider="sandbox",
    )
    refunds.pay_otherwise(again, note="Swish")
    assert "SEK 250 was paid to you in another way." in shown(client.get(address(order, "order")))
