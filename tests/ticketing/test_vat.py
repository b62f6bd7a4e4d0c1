"""VAT of split prices: parts that add up in every step, frozen on the line, and booked rate by rate."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.ticketing import catalogue, ledger, pricing, queue, refunds, vat
from apps.ticketing.ledger import Account
from apps.ticketing.models import Adjustment, Entry, Order
from apps.ticketing.money import vat_inside
from apps.ticketing.payments import settle
from tests import factories

AMOUNTS = st.integers(0, 10_000_000)
RATES = st.sampled_from(vat.RATES)


@given(amount=AMOUNTS, weights=st.lists(AMOUNTS, min_size=1, max_size=4))
def test_shares_add_up_and_none_is_negative(amount: int, weights: list[int]) -> None:
    shares = vat.apportion(amount, weights)

    assert (sum(shares), len(shares)) == (amount, len(weights))
    assert min(shares) >= 0


@given(amount=AMOUNTS, weights=st.lists(AMOUNTS, min_size=1, max_size=3).filter(any))
def test_a_share_is_within_one_of_the_exact_one(amount: int, weights: list[int]) -> None:
    shares = vat.apportion(amount, weights)

    total = sum(weights)
    assert all(abs(share * total - amount * weight) < total for share, weight in zip(shares, weights, strict=True))


@given(st.data())
def test_no_share_grows_while_the_amount_shrinks(data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.integers(0, 60), min_size=2, max_size=4))

    steps = [vat.apportion(amount, weights) for amount in range(80)]

    for fewer, more in zip(steps, steps[1:], strict=False):
        assert sorted(b - a for a, b in zip(fewer, more, strict=True)) == [0] * (len(weights) - 1) + [1]


@given(
    list_minor=AMOUNTS,
    kept_percent=st.integers(0, 100),
    rate=RATES,
    split=st.lists(st.tuples(RATES, AMOUNTS), max_size=3).map(tuple),
)
def test_parts_of_a_price_add_up_at_every_discount(
    list_minor: int, kept_percent: int, rate: Decimal, split: vat.Split
) -> None:
    price = list_minor * kept_percent // 100

    parts = vat.parts_of(price, list_minor, rate, split)

    assert sum(part.gross_minor for part in parts) == price
    assert [part.rate for part in parts] == [rate, *(other for other, _of_list in split)]
    assert all(part.vat_minor == vat_inside(part.gross_minor, part.rate) for part in parts)
    assert sum(gross for gross, _vat in vat.per_rate(parts).values()) == price
    assert (
        vat.thawed(vat.frozen(parts) or [[str(p.rate), *(p.list_minor, p.gross_minor, p.vat_minor)] for p in parts])
        == parts
    )


@given(
    list_minor=st.integers(1, 1_000_000),
    split=st.lists(st.tuples(RATES, st.integers(0, 1_000_000)), min_size=1, max_size=3).map(tuple),
    steps=st.lists(st.integers(0, 1_000_000), max_size=6),
)
def test_sending_back_step_by_step_takes_from_every_rate_and_ends_at_nothing(
    list_minor: int, split: vat.Split, steps: list[int]
) -> None:
    parts = vat.parts_of(list_minor, list_minor, Decimal(25), split)
    kept = list_minor
    sent_back = {number: 0 for number, _part in enumerate(parts)}

    for step in [*steps, list_minor]:
        before = vat.reduced(parts, kept)
        kept = max(0, kept - step)
        after = vat.reduced(parts, kept)
        for number, (was, then) in enumerate(zip(before, after, strict=True)):
            assert was.vat_minor >= then.vat_minor >= 0
            sent_back[number] += was.vat_minor - then.vat_minor

    assert list(sent_back.values()) == [part.vat_minor for part in vat.reduced(parts, list_minor)]


# --- From the catalogue to the books ---------------------------------------------------------------------------------

DINNER_WITH_CONCERT = {"price_minor": 34_500, "vat_percent": 12, "vat_split": [["6.00", 10_000]]}


def entries(order: Order) -> list[tuple[str, int, str]]:
    rows = Entry.objects.filter(posting__order=order)
    return [(entry.account, entry.amount_minor, entry.detail.split(":")[0]) for entry in rows]


def vat_of(order: Order) -> dict[str, int]:
    return {
        rate: ledger.balance(Account.VAT, order=order, detail=rate)
        for rate in Entry.objects.filter(posting__order=order, account="vat").values_list("detail", flat=True)
    }


@pytest.mark.django_db
def test_a_split_price_is_frozen_and_booked_by_its_parts(promises_kept: None) -> None:
    order = factories.paid_order(2, **DINNER_WITH_CONCERT)

    line = order.lines.first()
    # 245 kr of dinner at 12 %, 100 kr of concert at 6 %.
    assert [(part.rate, part.gross_minor, part.vat_minor) for part in line.vat_parts] == [
        (12, 24_500, 2_625), (6, 10_000, 566),
    ]  # fmt: skip
    assert line.vat_minor == 3_191
    assert entries(order) == [
        ("clearing", 69_000, ""),
        *[("revenue", -31_309, "line"), ("vat", -2_625, "12.00"), ("vat", -566, "6.00")] * 2,
    ]


@pytest.mark.django_db
def test_a_sponsors_share_is_split_as_the_price_is(promises_kept: None) -> None:
    order = factories.reserved_order(1, **DINNER_WITH_CONCERT)
    line = order.lines.get()
    Adjustment.objects.create(
        line=line, source="test", label_sv="Kåren", label_en="Union", amount_minor=-34_500, bearer="union"
    )
    parts = vat.parts_of(0, 34_500, line.vat_percent, vat.split_of([["6.00", 10_000]]))
    line.price_minor, line.vat_minor, line.vat_split = 0, 0, vat.frozen(parts)
    line.save()
    Order.objects.filter(pk=order.pk).update(total_minor=0)
    order.refresh_from_db()

    ledger.given_away(order)

    assert entries(order) == [
        ("sponsor_receivable", 34_500, "union"),
        ("revenue", -31_309, "line"),
        ("vat", -2_625, "12.00"),
        ("vat", -566, "6.00"),
    ]


@pytest.mark.django_db
def test_what_is_given_back_in_all_falls_on_every_rate_in_proportion() -> None:
    order = factories.paid_order(1, **DINNER_WITH_CONCERT)
    line = order.lines.get()

    def undone(amount_minor: int) -> list[tuple[str, int]]:
        return [(side.detail[:4], side.amount_minor) for side in ledger._given_back(order, line, amount_minor)]

    assert undone(0) == [("line", 0), ("12.0", 0), ("6.00", 0)]
    # 245 kr are left of 345: 173.99 of dinner and 71.01 of concert.
    dinner, concert = 2_625 - vat_inside(17_399, Decimal(12)), 566 - vat_inside(7_101, Decimal(6))
    assert undone(10_000) == [("line", 10_000 - dinner - concert), ("12.0", dinner), ("6.00", concert)]
    assert undone(34_500) == [("line", 31_309), ("12.0", 2_625), ("6.00", 566)]


@pytest.mark.django_db
def test_a_whole_refund_reverses_every_rate(promises_kept: None) -> None:
    order = factories.paid_order(1, **DINNER_WITH_CONCERT)

    refunds.order_refund(order, order.lines.all(), reason="refused")

    assert vat_of(order) == {"12.00": 0, "6.00": 0}


@pytest.mark.django_db
def test_an_association_outside_vat_shows_and_books_none(promises_kept: None) -> None:
    order = factories.reserved_order(1, **DINNER_WITH_CONCERT)
    kind, organisation = order.lines.get().ticket_type, order.organisation
    assert catalogue.load(order.event_id).type(kind.pk).vat_percent == 12

    organisation.is_outside_vat = True
    organisation.save()
    facts = catalogue.load(order.event_id, fresh=True).type(kind.pk)
    assert (facts.vat_percent, facts.vat_split) == (0, ())
    other = factories.order(order.event, factories.wanted(kind))
    queue.drain(order.event_id)
    other.refresh_from_db()
    settle.settle(factories.notice(factories.payment(other)), provider="sandbox")

    line = other.lines.get()
    assert (line.vat_percent, line.vat_minor, line.vat_split) == (0, 0, None)
    assert [account for account, _amount, _detail in entries(other)] == ["clearing", "revenue"]


def test_a_quote_tells_the_parts_of_all_its_lines() -> None:
    from tests.ticketing.test_allocation import ContextLine

    line = ContextLine(
        key=1, ticket_type_id=1, price_minor=34_500, vat_percent=Decimal(12), vat_split=((Decimal(6), 10_000),)
    )
    quote = pricing.Quote(
        lines=(pricing.QuoteLine(line, (), 34_500), pricing.QuoteLine(line, (), 17_250)), currency="SEK"
    )

    assert quote.vat_parts == {6: (15_000, 566 + 283), 12: (36_750, 2_625 + 1_312)}
