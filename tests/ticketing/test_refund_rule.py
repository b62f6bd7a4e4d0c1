"""What an event promises to a buyer who changes their mind, in words and in money."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils.translation import override

from apps.ticketing import clock, refund_rule, refunds, tickets
from apps.ticketing.models import Order, RefundRule, Ticket
from tests import factories

pytestmark = pytest.mark.django_db

STARTS_AT = datetime(2099, 12, 12, 17, 0, tzinfo=UTC)


def rule(event, **values) -> RefundRule:
    values = {"kind": "hours", "hours_before": 48, "at": clock.now(), **values}
    return RefundRule.objects.create(event=event, **values)


NEVER = {"kind": "never", "hours_before": None}
MOMENT = {"kind": "moment", "hours_before": None, "until": STARTS_AT - timedelta(days=10)}


@pytest.mark.parametrize(
    ("values", "swedish", "english"),
    [
        (None, "Biljetter återbetalas inte, om inte evenemanget ställs in.",
         "Tickets are not refunded, unless the event is cancelled."),
        (NEVER, "Biljetter återbetalas inte, om inte evenemanget ställs in.",
         "Tickets are not refunded, unless the event is cancelled."),
        ({}, "Du kan få biljetter återbetalda till och med tors 10 dec 18.00, 2 dagar före evenemanget. Hela priset "
             "kommer tillbaka.",
         "You can have tickets refunded until Thu 10 Dec 18:00, 2 days before the event. All of the price comes back."),
        ({"hours_before": 24, "fee_minor": 2_500},
         "Du kan få biljetter återbetalda till och med fre 11 dec 18.00, 1 dag före evenemanget. Av varje biljett "
         "behålls 25 kr i avgift.",
         "You can have tickets refunded until Fri 11 Dec 18:00, 1 day before the event. Of each ticket SEK 25 is kept "
         "as a fee."),
        ({"hours_before": 36, "fee_percent": 10},
         "Du kan få biljetter återbetalda till och med fre 11 dec 06.00, 36 timmar före evenemanget. Av varje biljett "
         "behålls 10 % av priset i avgift.",
         "You can have tickets refunded until Fri 11 Dec 06:00, 36 hours before the event. Of each ticket 10% of its "
         "price is kept as a fee."),
        ({**MOMENT, "fee_minor": 1_050, "fee_percent": 5},
         "Du kan få biljetter återbetalda till och med ons 2 dec 18.00. Av varje biljett behålls 10,50 kr och 5 % av "
         "priset i avgift.",
         "You can have tickets refunded until Wed 2 Dec 18:00. Of each ticket SEK 10.50 and 5% of its price are kept "
         "as a fee."),
    ],
    ids=["no rule", "never", "days", "one day and a fee", "hours and a share", "a moment and both"],
)  # fmt: skip
def test_rule_reads_well_in_both_languages(values, swedish, english):
    event = factories.event(starts_at=STARTS_AT)
    if values is not None:
        rule(event, **values)

    told = {}
    for language in ("sv", "en"):
        with override(language):
            told[language] = refund_rule.sentence(event).replace("\u00a0", " ")

    assert told == {"sv": swedish, "en": english}


def test_rule_whose_time_is_over_says_so():
    event = factories.event(starts_at=STARTS_AT)
    rule(event)

    with override("en"):
        told = refund_rule.sentence(event, at=STARTS_AT - timedelta(hours=47))

    assert told.startswith("Tickets could be refunded until ")


@pytest.mark.parametrize(
    ("values", "price_minor", "fee_minor"),
    [
        ({}, 25_000, 0),
        ({"fee_minor": 2_500}, 25_000, 2_500),
        ({"fee_percent": 10}, 24_995, 2_500),  # half to even: 2,499.5
        ({"fee_minor": 2_500, "fee_percent": 10}, 25_000, 5_000),
        ({"fee_minor": 30_000}, 25_000, 25_000),
    ],
)
def test_fee_is_kept_of_each_ticket_and_never_exceeds_it(values, price_minor, fee_minor):
    order = factories.paid_order(1, price_minor=price_minor)
    rule(order.event, at=order.decided_at, **values)

    part = refund_rule.offer(order, clock.now()).parts[0]

    assert (part.fee_minor, part.back_minor) == (fee_minor, price_minor - fee_minor)
    assert part.is_open == (fee_minor < price_minor)


def test_offer_leaves_out_what_was_used_refunded_or_is_disputed():
    order = factories.paid_order(4)
    rule(order.event)
    first, second, third, fourth = order.lines.all()
    tickets.use(Ticket.objects.get(line=first))
    refunds.order_refund(order, [second], reason="refused")
    Ticket.objects.filter(line=third).update(state="blocked")

    offer = refund_rule.offer(order, clock.now())

    assert [part.is_open for part in offer.parts] == [False, False, False, True]
    assert offer.open_parts[0].line == fourth
    assert [str(part.why_not) for part in offer.parts[:3]] == [
        str(tickets.WHY_NOT_VALID["used"]), str(refund_rule.REFUNDED), str(tickets.WHY_NOT_VALID["blocked"]),
    ]  # fmt: skip


def test_offer_ends_with_the_rules_last_moment_and_moves_with_the_event():
    order = factories.paid_order(1)
    rule(order.event, hours_before=24)
    last = order.event.starts_at - timedelta(hours=24)

    assert refund_rule.offer(order, last).is_open
    assert not refund_rule.offer(order, last + timedelta(seconds=1)).is_open

    order.event.starts_at += timedelta(days=1)
    order.event.ends_at += timedelta(days=1)
    order.event.save()
    assert refund_rule.offer(Order.objects.get(pk=order.pk), last + timedelta(hours=1)).is_open


def test_a_rule_made_worse_after_the_purchase_does_not_bind_its_buyer():
    order = factories.paid_order(1)
    decided_at = order.decided_at
    assert decided_at is not None
    rule(order.event, at=decided_at - timedelta(hours=1), fee_minor=1_000)
    rule(order.event, at=decided_at + timedelta(hours=1), fee_minor=9_000)
    assert refund_rule.offer(order, clock.now()).parts[0].fee_minor == 1_000

    rule(order.event, at=decided_at + timedelta(hours=2), **NEVER)
    assert refund_rule.offer(order, clock.now()).is_open

    rule(order.event, at=decided_at + timedelta(hours=3))
    assert refund_rule.offer(order, clock.now()).parts[0].fee_minor == 0


@pytest.mark.parametrize("values", [{"hours_before": None}, {"until": STARTS_AT}, {**NEVER, "fee_minor": 1}])
def test_database_refuses_a_rule_without_an_end(values):
    event = factories.event()

    with pytest.raises(IntegrityError), transaction.atomic():
        rule(event, **values)

    assert not RefundRule.objects.filter(event=event).exists()
