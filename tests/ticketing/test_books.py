"""The treasurer's page of an event: both of its tables are sums of the ledger and end at the same figure."""

from __future__ import annotations

import csv
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Sum
from django.test import Client
from django.urls import reverse

from apps.events import tenancy, wording
from apps.ticketing import books, ledger, refunds
from apps.ticketing.extensions import Notice
from apps.ticketing.models import Entry, Order, Payment
from apps.ticketing.payments import settle
from tests import factories, mould
from tests.tenancy.world import member

pytestmark = pytest.mark.django_db


def told(order: Order, kind: str, state: str, amount_minor: int, our_id: Any) -> None:
    settle.settle(Notice("", kind, f"{kind}-1", state, amount_minor, "SEK", our_id=str(our_id)), provider="sandbox")


@pytest.fixture
def sold(promises_kept: None) -> Order:
    """Of five tickets sold two were refunded, one with its money back already and one less a fee; another order's two
    are disputed, and the provider has taken its fee."""
    event = factories.event(organisation=mould.cast(tenancy.create_organisation, "Lyktan"))
    split = {"price_minor": 34_500, "vat_percent": 12, "vat_split": [["6.00", 10_000]]}
    order = factories.paid_order(3, of=factories.ticket_type(event, factories.quota(event), **split))
    first, second, _third = order.lines.all()
    back = refunds.order_refund(order, [first], reason="refused")
    assert back is not None
    told(order, "refund", "done", back.amount_minor, back.public_id)
    refunds.order_refund(order, [second], reason="refused", fee_minor=5_000)
    other = factories.reserved_order(2, of=first.ticket_type)
    settle.settle(factories.notice(factories.payment(other)), provider="sandbox")
    told(other, "dispute", "opened", 69_000, Payment.objects.get(order=other).public_id)
    ledger.provider_fee(order, provider="sandbox", reference="one", fee_minor=1_000, currency="SEK")
    return order


def balances(order: Order) -> dict[str, int]:
    rows = Entry.objects.filter(posting__order__event=order.event).values_list("account")
    return dict(rows.annotate(minor=Sum("amount_minor")))


def test_both_halves_are_the_ledgers_to_the_unit(sold: Order, django_assert_num_queries: Any) -> None:
    event = sold.event
    with django_assert_num_queries(2):
        (one,) = books.of_event(event)

    own = balances(sold)
    assert (one.sold, one.sent_back, one.fees_kept, one.provider_fees) == (5 * 34_500, -2 * 34_500, 5_000, -1_000)
    assert (one.to_pay_out, one.disputed, one.owed_to_buyers) == (34_500 * 2 - 1_000, 69_000, -29_500)
    assert (one.to_pay_out, one.vat_total) == (own["clearing"], -own["vat"])
    # Three dinners at 12 % with a concert at 6 % each are left.
    assert one.vat == {Decimal("12.00"): 3 * 2_625, Decimal("6.00"): 3 * 566}
    assert one.result == one.held == 34_500 * 3 + 5_000 - 1_000
    assert one.result_without_vat == -own["revenue"] - own["fee"] - own["provider_fee"]


def test_a_sponsors_debt_and_a_loss_stand_apart() -> None:
    order = factories.paid_order(1, price_minor=20_000)
    sides = [
        ledger.Side(ledger.Account.SPONSOR_RECEIVABLE, 5_000, "SEK", "union"),
        ledger.Side(ledger.Account.REVENUE, -5_000, "SEK", "line:x"),
    ]
    ledger.post("captured", "sponsored", order, sides)
    refunds.order_refund(order, order.lines.all(), reason="refused")
    told(order, "dispute", "lost", 20_000, Payment.objects.get().public_id)

    (one,) = books.of_event(order.event)

    assert (one.sponsors_shown, one.owed_by_sponsors, one.lost) == ([("union", 5_000)], 5_000, -20_000)
    assert one.result == one.held == -15_000


# --- The pages -------------------------------------------------------------------------------------------------------


def signed_in(order: Order, role: tenancy.Role) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(member(order.organisation, role))
    return client


def test_the_treasurer_sees_what_it_came_to_and_where_the_money_is(sold: Order) -> None:
    client = signed_in(sold, tenancy.Role.TREASURER)
    address = reverse("event_books", args=[sold.event.public_id])

    assert address in client.get(reverse("books")).content.decode()
    page = client.get(address).content.decode()

    (one,) = books.of_event(sold.event)
    for minor in (one.sold, one.sent_back, one.fees_kept, one.provider_fees, one.result, one.disputed, one.vat_total):
        assert wording.write_money(minor, "SEK") in page or minor == one.vat_total
    assert page.count(f"<strong>{wording.write_money(one.result, 'SEK')}</strong>") == 2
    assert all(wording.write_money(minor, "SEK") in page for _rate, minor in one.vat_shown)


def test_the_file_holds_every_entry_and_sums_to_zero(sold: Order) -> None:
    client = signed_in(sold, tenancy.Role.TREASURER)

    response = client.get(reverse("event_books_file", args=[sold.event.public_id]))

    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    rows = list(csv.DictReader(text.splitlines()))
    assert response["Content-Disposition"].startswith("attachment")
    assert len(rows) == Entry.objects.filter(posting__order__event=sold.event).count()
    debit, credit = (sum(Decimal(row[side] or 0) for row in rows) for side in ("debit", "credit"))
    assert debit == credit > 0
    vat = sum(Decimal(row["credit"] or 0) - Decimal(row["debit"] or 0) for row in rows if row["account"] == "vat")
    assert vat * 100 == books.of_event(sold.event)[0].vat_total
    assert {row["order"] for row in rows} == set(Order.objects.values_list("reference", flat=True))


def test_an_event_that_sold_nothing_says_so_and_a_sponsors_name_is_no_formula(sold: Order) -> None:
    client = signed_in(sold, tenancy.Role.TREASURER)
    empty = factories.event(organisation=sold.organisation)
    sides = [ledger.Side("sponsor_receivable", 1, "SEK", "=1+1"), ledger.Side("revenue", -1, "SEK")]
    ledger.post("captured", "odd", sold, sides)

    page = client.get(reverse("event_books", args=[empty.public_id]))
    file = client.get(reverse("event_books_file", args=[sold.event.public_id]))

    assert (page.status_code, page.context["books"]) == (200, [])
    assert b",'=1+1," in b"".join(file.streaming_content)  # type: ignore[attr-defined]


def test_an_editor_keeps_no_books(sold: Order) -> None:
    client = signed_in(sold, tenancy.Role.EDITOR)

    assert client.get(reverse("books")).status_code == 302
    assert client.get(reverse("event_books", args=[sold.event.public_id])).status_code == 404
