"""Money that could not go back the way it came: its payer names an account, and it is forgotten once paid."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.urls import reverse

from apps.ticketing import outbox, payouts, refunds
from apps.ticketing.models import Order, PayoutAccount, Refund
from tests import factories

pytestmark = pytest.mark.django_db

HOLDER, IBAN = "Kim Karlsson", "SE45 5000 0000 0583 9825 7466"
BARE = IBAN.replace(" ", "")


@pytest.fixture(autouse=True)
def promises(promises_kept):
    """Every test here ends with all promises kept."""


def fail(refund: Refund) -> Refund:
    told: dict[str, Any] = {"kind": "refund", "our_id": str(refund.public_id), "reference": ""}
    refunds.settle(factories.notice(refund.payment, "failed", **told), provider=refund.payment.provider)
    refund.refresh_from_db()
    return refund


@pytest.fixture
def owed() -> Refund:
    order = factories.paid_order(1)
    refund = refunds.order_refund(order, order.lines.all(), reason=refunds.BY_ORGANISER)
    assert refund is not None
    return fail(refund)


def order_of(refund: Refund) -> Order:
    return refund.payment.order


def address(refund: Refund) -> str:
    order = order_of(refund)
    return reverse("ticketing:order_payout", args=[order.reference, order.secret, refund.public_id])


def order_page(client, refund: Refund) -> str:
    order = order_of(refund)
    return client.get(reverse("ticketing:order", args=[order.reference, order.secret])).content.decode()


def test_payer_is_asked_by_mail_and_on_the_order_page(client, owed):
    outbox.run_all(kinds=["mail.send"])

    letter = next(sent for sent in mail.outbox if address(owed) in str(sent.body))
    assert letter.to == [order_of(owed).email]
    assert address(owed) in order_page(client, owed)


def test_account_is_kept_encrypted_and_told_the_treasurer(client, owed):
    answer = client.post(address(owed), {"holder": HOLDER, "number": IBAN.lower()})

    kept = PayoutAccount.objects.get(refund=owed)
    with connection.cursor() as cursor:
        cursor.execute("SELECT holder || number FROM ticketing_payoutaccount")
        stored = cursor.fetchone()[0]
    assert answer.status_code == 303
    assert (kept.holder, kept.number) == (HOLDER, BARE)
    assert HOLDER not in stored and BARE not in stored
    page = client.get(address(owed)).content.decode()
    assert "7466" in page and BARE not in page.replace(" ", "")  # whoever finds the link reads no account


@pytest.mark.parametrize(
    ("holder", "number", "field"),
    [
        ("", IBAN, "holder"),
        ("   ", IBAN, "holder"),
        ("x" * 121, IBAN, "holder"),
        (HOLDER, "", "number"),
        (HOLDER, "SE45 5000 0000 0583 9825 7467", "number"),
        (HOLDER, "8327-9", "number"),
        (HOLDER, "0812345", "number"),
        (HOLDER, "123 456 78 90", "number"),
        (HOLDER, "4242 4242 4242 4242 4242", "number"),
        (HOLDER, "\x00🎫", "number"),
        (HOLDER, "<script>", "number"),
    ],
)
def test_account_that_is_none_is_refused_beside_its_field(client, owed, holder, number, field):
    answer = client.post(address(owed), {"holder": holder, "number": number})

    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.content.decode()
    assert not PayoutAccount.objects.exists()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("8327-9, 123 456 789".replace(",", ""), "8327-9123456789"),
        ("1234 5678901", "1234-5678901"),
        ("070-123 45 67", "070 123 45 67"),
        ("+46 70 123 45 67", "070 123 45 67"),
        (IBAN, IBAN),
    ],
)
def test_accounts_are_understood_as_people_write_them(written, read):
    assert payouts.write_number(payouts.clean_number(written)) == read


def test_another_account_replaces_the_first(client, owed):
    client.post(address(owed), {"holder": HOLDER, "number": IBAN})
    client.post(address(owed), {"holder": HOLDER, "number": "0701234567"})

    assert PayoutAccount.objects.get().number == "0701234567"


def test_paid_by_hand_it_is_forgotten(client, owed):
    payouts.give(owed, holder=HOLDER, number=BARE)

    refunds.pay_otherwise(owed, note="By bank, 3 December")

    assert not PayoutAccount.objects.exists()
    answer = client.post(address(owed), {"holder": HOLDER, "number": IBAN})
    assert (answer.status_code, PayoutAccount.objects.count()) == (303, 0)
    with pytest.raises(refunds.NoDebt):
        payouts.give(owed, holder=HOLDER, number=BARE)


def test_sent_again_it_is_kept_until_the_money_arrives(owed):
    payouts.give(owed, holder=HOLDER, number=BARE)

    again = refunds.send_again(owed)
    assert PayoutAccount.objects.get().refund == again

    assert payouts.forget_paid() == 0, "not in the night before it is decided either"
    fail(again)
    assert payouts.of([again])[again.pk].number == BARE
    last = refunds.send_again(again)
    told: dict[str, Any] = {"kind": "refund", "our_id": str(last.public_id), "reference": ""}
    refunds.settle(factories.notice(last.payment, "done", **told), provider=last.payment.provider)
    assert not PayoutAccount.objects.exists()


def test_what_is_owed_no_more_is_forgotten_each_night(owed):
    payouts.give(owed, holder=HOLDER, number=BARE)
    assert payouts.forget_paid() == 0

    Refund.objects.filter(pk=owed.pk).update(covered_minor=owed.amount_minor)  # as by a dispute that was lost
    forgotten = payouts.forget_paid()
    Refund.objects.filter(pk=owed.pk).update(covered_minor=0)

    assert (forgotten, PayoutAccount.objects.count()) == (1, 0)


def test_nobody_else_s_order_opens_it(client, owed):
    other = factories.paid_order(1)
    theirs = reverse("ticketing:order_payout", args=[other.reference, other.secret, owed.public_id])
    wrong = reverse("ticketing:order_payout", args=[order_of(owed).reference, "w" * 32, owed.public_id])

    assert client.get(theirs).status_code == 303  # to the order, of which nothing is owed
    assert client.post(theirs, {"holder": HOLDER, "number": IBAN}).status_code == 303
    assert client.get(wrong).status_code == 404
    assert not PayoutAccount.objects.exists()


def test_a_seller_whose_card_is_gone_says_where_to_pay(client):
    from tests.resale import houses

    ticket = houses.sold_ticket(price_minor=25_000)
    houses.bought(houses.listed(ticket))
    refund = fail(Refund.objects.get(payment__order=ticket.line.order))

    client.post(address(refund), {"holder": HOLDER, "number": IBAN})

    assert payouts.of([refund])[refund.pk].holder == HOLDER
    assert re.search("7466", client.get(address(refund)).content.decode())
