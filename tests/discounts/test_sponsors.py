"""Who bears each discount: report and ledger agree to the öre, also after refunds of tickets and of parts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.discounts import rules, sponsor_report
from apps.events.models import Event
from apps.ticketing import clock, invariants, ledger, queue, refunds, reservations
from apps.ticketing.context import PurchaseContext
from apps.ticketing.models import SUPPLEMENTS, Adjustment, Entry, Order, OrderLine, Ticket
from apps.ticketing.payments import free, settle
from tests import factories
from tests.discounts import builders

pytestmark = pytest.mark.django_db


def sell(event: Any, *wanted: Any, **values: Any) -> Order:
    order = factories.order(event, [ticket for group in wanted for ticket in group], **values)
    queue.drain(event.pk)
    order.refresh_from_db()
    if order.total_minor:
        due = factories.payment(order)
        settle.settle(factories.notice(due), provider=due.provider)
    else:
        with transaction.atomic():
            free.settle_free(order, clock.now())
    order.refresh_from_db()
    return order


@pytest.fixture
def house() -> tuple[Any, Any, Any]:
    event = factories.event()
    places = factories.quota(event, 100)
    return (
        event,
        factories.ticket_type(event, places, price_minor=25_000, vat_percent=25),
        factories.ticket_type(event, places, price_minor=9_950, vat_percent=6),
    )


def agrees(event: Event) -> None:
    """List prices less what was paid is what the bearers stand for, and the ledger says the same of each sponsor."""
    for report in sponsor_report.of_events(Event.objects.filter(pk=event.pk)):
        assert report.list_minor - report.paid_minor == report.borne_minor
        for share in report.shares:
            if share.bearer.startswith("sponsor:"):
                owed = ledger.balance(
                    Entry.Account.SPONSOR_RECEIVABLE, organisation=event.organisation, detail=share.bearer
                )
                assert owed == share.amount_minor


def test_report_names_who_stands_for_what(house):
    event, dinner, party = house
    sponsor = builders.sponsor(event.organisation)
    builders.discount(event, types=[dinner], kind="percent", percent=20, sponsor=sponsor)
    builders.discount(event, types=[party], amount_minor=1_000)
    order = sell(event, factories.wanted(dinner, 2), factories.wanted(party))

    (report,) = sponsor_report.of_events(Event.objects.all())
    assert (report.tickets, report.list_minor, report.paid_minor) == (3, 59_950, 48_950)
    assert [(share.name, share.amount_minor, share.tickets) for share in report.shares] == [
        ("Arrangören", 1_000, 1),
        ("Strömbolaget", 10_000, 2),
    ]
    assert sponsor_report.as_rows([report])[2][3:] == [sponsor.bearer, "Strömbolaget", 2, 10_000, 59_950, 48_950]
    agrees(event)

    refunds.order_refund(order, [order.lines.all()[0]], reason=refunds.BY_ORGANISER)
    (report,) = sponsor_report.of_events(Event.objects.all())
    assert [(share.name, share.amount_minor) for share in report.shares] == [
        ("Arrangören", 1_000),
        ("Strömbolaget", 5_000),
    ]
    agrees(event)
    refunds.give_back(order, order.lines.all()[1], 3_000, note="")
    (report,) = sponsor_report.of_events(Event.objects.all())
    assert [(share.name, share.amount_minor) for share in report.shares] == [
        ("Arrangören", 4_000),
        ("Strömbolaget", 5_000),
    ]
    agrees(event)
    assert invariants.check() == []


def test_sellers_who_gave_a_part_up_are_told_together_and_changes_are_no_tickets(house):
    event, dinner, _party = house
    order = sell(event, factories.wanted(dinner, 2))
    for line, minor in zip(order.lines.all(), (1_000, 2_000), strict=True):
        Adjustment.objects.create(
            line=line,
            source="resale",
            label_sv="Lägre",
            label_en="Less",
            amount_minor=-minor,
            bearer=f"seller:{line.pk}",
        )
        OrderLine.objects.filter(pk=line.pk).update(price_minor=line.price_minor - minor)
    for channel in SUPPLEMENTS:
        paid_more = sell(event, factories.wanted(dinner))
        Order.objects.filter(pk=paid_more.pk).update(channel=channel)

    (report,) = sponsor_report.of_events(Event.objects.all())

    assert [(share.bearer, share.name, share.amount_minor, share.tickets) for share in report.shares] == [
        ("sellers", "De som sålde sina biljetter vidare för mindre", 3_000, 2)
    ]
    assert (report.tickets, report.list_minor - report.paid_minor) == (2, 3_000)


def test_ticket_sold_again_is_priced_by_what_holds_for_its_new_owner(house):
    event, dinner, _party = house
    lintek = builders.body(event.organisation)
    builders.discount(event, name_sv="Avgift", kind="more", amount_minor=500, stacking="added")
    builders.discount(event, name_sv="Kårpris", kind="price", amount_minor=20_000, bodies=[lintek])
    builders.discount(event, name_sv="Tidig", amount_minor=9_000, closes_at=clock.now() + timedelta(days=1))
    builders.discount(event, name_sv="Första", amount_minor=9_000, size=50)
    order = sell(event, factories.wanted(dinner))
    ticket = Ticket.objects.get(line__order=order)

    def told(person: Any) -> list[tuple[str, int]]:
        lines = (reservations.as_sold(ticket),)
        context = PurchaseContext(event.pk, "SEK", clock.now(), user_id=person.pk, lines=lines)
        rule = rules.Discounts()
        given = rule.reprice(ticket, context, rule.prepare([context], context.at))
        return [(one.label_sv, one.amount_minor) for one in given]

    assert order.total_minor == 16_500
    assert told(factories.user()) == [("Avgift", 500)]
    assert told(builders.member(lintek)) == [("Kårpris", -5_000), ("Avgift", 500)]


DISCOUNT = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["less", "percent", "price", "more"]),
        "amount": st.integers(0, 30_000),
        "percent": st.integers(0, 100),
        "is_added": st.booleans(),
        "sponsor": st.sampled_from([None, 0, 1]),
    }
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(DISCOUNT, min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 8), st.sampled_from(["refund", "part"]), st.integers(1, 9_999)), max_size=5),
)
def test_books_and_report_agree_whatever_is_sold_and_refunded(offered, bought, deeds):
    event = factories.event()
    places = factories.quota(event, 100)
    kinds = [
        factories.ticket_type(event, places, price_minor=price, vat_percent=rate)
        for price, rate in ((25_000, 25), (9_950, 6))
    ]
    sponsors = [builders.sponsor(event.organisation, name) for name in ("A", "B")]
    for one in offered:
        builders.discount(
            event,
            kind=one["kind"],
            amount_minor=one["amount"],
            percent=one["percent"],
            stacking="added" if one["is_added"] or one["kind"] == "more" else "best",
            sponsor=None if one["sponsor"] is None else sponsors[one["sponsor"]],
        )
    orders = [
        sell(event, factories.wanted(kinds[0], many), factories.wanted(kinds[1], few))
        for many, few in bought
        if many + few
    ]
    agrees(event)
    for number, deed, amount in deeds:
        lines = [line for order in orders for line in order.lines.filter(is_held=True, refunded_at__isnull=True)]
        if not lines:
            break
        line = lines[number % len(lines)]
        if deed == "refund":
            refunds.order_refund(line.order, [line], reason=refunds.BY_ORGANISER)
        elif min(amount, line.kept_minor - 1) > 0:
            refunds.give_back(line.order, line, min(amount, line.kept_minor - 1), note="")
        agrees(event)
    assert invariants.check() == []
