"""Placing an order: what is refused at the counter, and what becomes a queued row."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from apps.ticketing import catalogue, clock, ordering, payments, queue, reasons
from apps.ticketing.models import Choice, Effect, LineChoice, Order, OrderLine, TicketType
from apps.ticketing.ordering import Refused, WantedTicket
from tests import factories
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db


@pytest.fixture
def event():
    return factories.event()


@pytest.fixture
def dinner(event):
    return factories.ticket_type(event, factories.quota(event, 10), max_per_order=4)


@pytest.fixture
def beer(dinner):
    return factories.choice(factories.variation(dinner), name_en="Beer", max_quantity=1)


def problems(**values) -> list[tuple[str, str]]:
    with pytest.raises(Refused) as refused:
        ordering.place(**{"email": "robin@example.org", "idempotency_key": "key-12345", **values})
    return [(problem.where, problem.reason) for problem in refused.value.problems]


def test_place_stores_a_queued_order_with_lines_and_choices(event, dinner, beer):
    order = ordering.place(
        event=event,
        tickets=factories.wanted(dinner, 2, (beer, 1)),
        email=" Robin@Example.org ",
        idempotency_key="key-12345",
        locale="en",
        tokens=["SPRING"],
    )

    assert (order.state, order.currency, order.email, order.locale) == ("queued", "SEK", "Robin@Example.org", "en")
    assert (order.organisation, order.event, order.tokens) == (event.organisation, event, ["SPRING"])
    assert [line.is_held for line in order.lines.all()] == [False, False]
    assert LineChoice.objects.filter(line__order=order, choice=beer, quantity=1).count() == 2


def test_place_takes_one_query(event, dinner, django_assert_num_queries):
    catalogue.load(event.pk)

    with django_assert_num_queries(1):
        ordering.place(event=event, tickets=factories.wanted(dinner, 3), email="a@example.org", idempotency_key="k" * 8)


def test_place_again_with_the_same_key_returns_the_same_order(event, dinner):
    first = factories.order(event, factories.wanted(dinner), email="a@example.org", idempotency_key="key-12345")

    again = factories.order(event, factories.wanted(dinner, 2), email="A@example.org", idempotency_key="key-12345")

    assert again == first
    assert OrderLine.objects.count() == 1


def test_place_refuses_the_key_of_another_buyer(event, dinner):
    factories.order(event, factories.wanted(dinner), email="a@example.org", idempotency_key="key-12345")

    found = problems(event=event, tickets=factories.wanted(dinner), email="b@example.org")

    assert found == [("tickets", reasons.KEY_OF_ANOTHER)]
    assert Order.objects.count() == 1


def test_place_returns_the_first_order_to_a_double_submit_after_the_sale_closed(event, dinner):
    first = factories.order(event, factories.wanted(dinner), email="a@example.org", idempotency_key="key-12345")
    dinner.sale_closes_at = clock.now() - timedelta(seconds=1)
    dinner.save()

    again = factories.order(event, factories.wanted(dinner), email="a@example.org", idempotency_key="key-12345")

    assert again == first


def test_place_refuses_nothing_chosen(event, dinner):
    assert problems(event=event, tickets=[]) == [("tickets", reasons.REFUSED)]


def test_place_refuses_a_bad_address(event, dinner):
    assert problems(event=event, tickets=factories.wanted(dinner), email="robin") == [("email", reasons.REFUSED)]


def test_place_refuses_a_type_of_another_event(event):
    foreign = factories.event()
    stranger = factories.ticket_type(foreign, factories.quota(foreign))

    assert problems(event=event, tickets=factories.wanted(stranger)) == [("tickets", reasons.NOT_ON_SALE)]


def test_place_refuses_an_unpublished_type(event):
    draft = factories.ticket_type(event, factories.quota(event), is_published=False)

    assert problems(event=event, tickets=factories.wanted(draft)) == [("tickets", reasons.NOT_ON_SALE)]


def test_place_refuses_a_missing_choice_beside_its_field(event, dinner, beer):
    found = problems(event=event, tickets=factories.wanted(dinner, 2))

    where = beer.variation.public_id
    assert found == [
        (f"choice-0-{where}", reasons.CHOICE_MISSING),
        (f"choice-1-{where}", reasons.CHOICE_MISSING),
    ]


def test_place_refuses_two_answers_to_one_variation(event, dinner, beer):
    cider = factories.choice(beer.variation)

    found = problems(event=event, tickets=factories.wanted(dinner, 1, (beer, 1), (cider, 1)))

    assert found == [(f"choice-0-{beer.variation.public_id}", reasons.CHOICE_MISSING)]


def test_place_refuses_a_choice_of_another_type(event, dinner, beer):
    other = factories.ticket_type(event)

    found = problems(event=event, tickets=[WantedTicket(other.pk, ((beer.pk, 1),))])

    assert found == [("tickets", reasons.CHOICE_GONE)]


@pytest.mark.parametrize("quantity", [0, -1, 2, 10**9])
def test_place_refuses_more_or_less_of_a_choice_than_allowed(event, dinner, beer, quantity):
    found = problems(event=event, tickets=[WantedTicket(dinner.pk, ((beer.pk, quantity),))])

    assert ("tickets", reasons.CHOICE_GONE) in found


def test_place_refuses_more_than_one_order_may_hold(event, dinner):
    found = problems(event=event, tickets=factories.wanted(dinner, 5))

    assert found == [(f"type-{dinner.public_id}", reasons.LIMIT_PER_ORDER)]


def test_place_refuses_fewer_than_one_order_must_hold(event):
    table = factories.ticket_type(event, factories.quota(event), min_per_order=2)

    found = problems(event=event, tickets=factories.wanted(table, 1))

    assert found == [(f"type-{table.public_id}", reasons.BELOW_MINIMUM)]


def test_place_refuses_conflicting_types_in_one_order(event, dinner):
    rival = factories.ticket_type(event, conflicts=(dinner,))

    found = problems(event=event, tickets=factories.wanted(dinner) + factories.wanted(rival))

    assert found == [(f"type-{dinner.public_id}", reasons.CONFLICTING_TYPES)]


def test_place_opens_and_closes_by_the_database_clock(event, dinner):
    at = clock.now()
    dinner.sale_opens_at, dinner.sale_closes_at = at + timedelta(hours=1), at + timedelta(hours=2)
    dinner.save()

    assert problems(event=event, tickets=factories.wanted(dinner)) == [
        (f"type-{dinner.public_id}", reasons.NOT_YET_ON_SALE)
    ]
    with clock_moved(timedelta(minutes=90)):
        assert factories.order(event, factories.wanted(dinner)).state == "queued"
    with clock_moved(timedelta(hours=3)):
        assert problems(event=event, tickets=factories.wanted(dinner)) == [
            (f"type-{dinner.public_id}", reasons.SALE_OVER)
        ]


def test_place_refuses_everything_once_the_event_is_over(event, dinner):
    with clock_moved(event.ends_at - clock.now() + timedelta(seconds=1)):
        assert problems(event=event, tickets=factories.wanted(dinner)) == [("tickets", reasons.EVENT_OVER)]


def test_cancel_closes_the_payment_that_was_begun(event, dinner):
    order = factories.order(event, factories.wanted(dinner))
    queue.drain(event.pk)
    order.refresh_from_db()
    payment = payments.start(order, "sandbox", "http://localhost/back")

    ordering.cancel(order)

    payment.refresh_from_db()
    assert payment.state == "cancelled"
    assert Effect.objects.filter(kind="payment.close", order=order).count() == 1


def test_place_demands_sign_in_where_the_event_does(event, dinner):
    event.sign_in_required = True
    event.save()
    catalogue.forget()

    found = problems(event=event, tickets=factories.wanted(dinner))

    assert found == [("email", reasons.SIGN_IN_REQUIRED)]


def test_buyer_key_is_one_for_all_spellings_of_an_address():
    keys = {ordering.buyer_key(None, email) for email in ("Robin@Example.org", "robin+x@example.ORG ")}

    assert len(keys) == 1
    assert keys != {ordering.buyer_key(None, "kim@example.org")}


@pytest.mark.parametrize("until", ["queued", "reserved"])
def test_cancel_frees_the_place_at_once(event, dinner, until):
    order = factories.order(event, factories.wanted(dinner, 3))
    if until == "reserved":
        queue.drain(event.pk)

    assert ordering.cancel(order) is True

    order.refresh_from_db()
    assert (order.state, order.reason) == ("cancelled", reasons.CANCELLED_BY_BUYER)
    assert dinner.quotas.get().taken == 0
    assert ordering.cancel(order) is False


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("gone", "reason"), [("answer", reasons.CHOICE_GONE), ("type", reasons.NOT_ON_SALE)], ids=["an answer", "a type"]
)
def test_what_another_process_deleted_a_moment_ago_is_refused_in_a_sentence(gone, reason):
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 10))
    answer = factories.choice(factories.variation(kind, kind="many"))
    picked = factories.wanted(kind, 1, (answer, 1)) if gone == "answer" else factories.wanted(kind)
    catalogue.load(event.pk)
    # As another process does it: this one's catalogue still has them.
    with transaction.atomic():
        Choice.objects.filter(pk=answer.pk)._raw_delete("default")
        if gone == "type":
            kind.variations.all()._raw_delete("default")
            kind.quotas.clear()
            TicketType.objects.filter(pk=kind.pk)._raw_delete("default")

    assert problems(event=event, tickets=picked) == [("tickets", reason)]

    assert not Order.objects.exists()
