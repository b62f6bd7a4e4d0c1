"""The books: every fact once, every posting to zero, nothing ever changed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from apps.ticketing import ledger, refunds
from apps.ticketing.ledger import Account, Side
from apps.ticketing.models import Adjustment, Entry, OrderLine, Posting
from apps.ticketing.payments import settle
from tests import factories

pytestmark = pytest.mark.django_db


def entries(posting: Posting) -> list[tuple[str, int, str]]:
    """(account, amount, detail without ids), in the order they were booked."""
    return [(entry.account, entry.amount_minor, entry.detail.split(":")[0]) for entry in posting.entries.all()]


def adjust(line: OrderLine, amount_minor: int, bearer: str) -> None:
    """Put an adjustment on a reserved line as `reservations` freezes it."""
    Adjustment.objects.create(
        line=line, source="test", label_sv="Rabatt", label_en="Discount", amount_minor=amount_minor, bearer=bearer
    )
    line.price_minor += amount_minor
    line.vat_minor = round(Decimal(line.price_minor) * line.vat_percent / (100 + line.vat_percent))
    line.save()
    line.order.total_minor += amount_minor
    line.order.save()


def pay(order) -> Posting:
    due = factories.payment(order)
    settle.settle(factories.notice(due), provider="sandbox")
    return Posting.objects.get(fact=f"captured:{due.public_id}")


def test_capture_books_money_revenue_at_list_price_and_vat(promises_kept):
    order = factories.reserved_order(2, price_minor=25_000, vat_percent=25)

    posting = pay(order)

    assert (posting.kind, posting.order, posting.organisation) == ("captured", order, order.organisation)
    assert entries(posting) == [
        ("clearing", 50_000, ""),
        ("revenue", -20_000, "line"),
        ("vat", -5_000, "25.00"),
        ("revenue", -20_000, "line"),
        ("vat", -5_000, "25.00"),
    ]


def test_capture_books_the_organisers_own_discount_beside_the_list_price():
    order = factories.reserved_order(1, price_minor=25_000, vat_percent=25)
    adjust(order.lines.get(), -5_000, "organiser")
    order.refresh_from_db()

    posting = pay(order)

    assert entries(posting) == [
        ("clearing", 20_000, ""),
        ("revenue", -21_000, "line"),
        ("revenue", 5_000, "adjusted"),
        ("vat", -4_000, "25.00"),
    ]


def test_capture_books_what_a_sponsor_owes_with_its_vat():
    order = factories.reserved_order(1, price_minor=25_000, vat_percent=25)
    adjust(order.lines.get(), -5_000, "union-north")
    order.refresh_from_db()

    posting = pay(order)

    assert entries(posting) == [
        ("clearing", 20_000, ""),
        ("sponsor_receivable", 5_000, "union-north"),
        ("revenue", -20_000, "line"),
        ("vat", -5_000, "25.00"),
    ]
    assert ledger.balance(Account.SPONSOR_RECEIVABLE, detail="union-north", order=order) == 5_000


def test_refund_reverses_the_sale_and_keeps_the_fee(promises_kept):
    order = factories.paid_order(1, price_minor=25_000, vat_percent=25)

    refund = refunds.order_refund(order, order.lines.all(), reason="refused", fee_minor=1_000)

    posting = Posting.objects.get(fact=f"refund_ordered:{refund.public_id}")
    assert entries(posting) == [
        ("revenue", 20_000, "line"),
        ("vat", 5_000, "25.00"),
        ("buyer_refundable", -24_000, ""),
        ("fee", -1_000, ""),
    ]
    assert ledger.balance(Account.BUYER_REFUNDABLE, organisation=order.organisation) == -24_000


def test_post_books_a_fact_once():
    order = factories.reserved_order()
    sides = [Side(Account.CLEARING, 100, "SEK"), Side(Account.REVENUE, -100, "SEK")]

    booked = [ledger.post("test", "fact-1", order, sides) for _ in range(3)]

    assert booked == [True, False, False]
    assert Posting.objects.filter(fact="fact-1").count() == 1
    assert ledger.balance(Account.CLEARING, order=order) == 100


def test_post_of_nothing_is_none():
    order = factories.reserved_order()

    assert not ledger.post("test", "nothing", order, [Side(Account.CLEARING, 0, "SEK")])
    assert not Posting.objects.filter(fact="nothing").exists()


@pytest.mark.parametrize(
    "sides",
    [
        [Side(Account.CLEARING, 100, "SEK"), Side(Account.REVENUE, -99, "SEK")],
        [Side(Account.CLEARING, 100, "SEK"), Side(Account.REVENUE, -100, "EUR")],
    ],
    ids=["off by one", "two currencies"],
)
def test_post_refuses_what_does_not_balance(sides):
    order = factories.reserved_order()

    with pytest.raises(ledger.Unbalanced):
        ledger.post("test", "unbalanced", order, sides)

    assert not Posting.objects.filter(fact="unbalanced").exists()


@pytest.mark.parametrize("model", [Posting, Entry])
@pytest.mark.parametrize("change", ["update", "delete"])
def test_database_refuses_to_change_the_books(model, change):
    factories.paid_order()
    table = model._meta.db_table
    statement = f"UPDATE {table} SET id = id" if change == "update" else f"DELETE FROM {table}"

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db(transaction=True)
def test_database_refuses_a_posting_that_does_not_balance():
    order = factories.reserved_order()
    posting = Posting.objects.create(
        organisation=order.organisation, order=order, kind="test", fact="by hand", booked_at=order.queued_at
    )

    with pytest.raises(DatabaseError, match="does not sum to zero"), transaction.atomic():
        Entry.objects.create(posting=posting, account=Account.CLEARING, amount_minor=100, currency="SEK")

    assert not Entry.objects.filter(posting=posting).exists()
