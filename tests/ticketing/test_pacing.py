"""When payment opens to whom: by rank, never more a second than the bank takes, and the hold counts from there."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from django.db.models import F

from apps.ticketing import clock, mails, outbox, pacing, payments, queue, reasons, reservations, sale_control
from apps.ticketing.extensions import Started, payment_providers
from apps.ticketing.models import Effect, Order, PaymentPace
from tests import factories
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db

FIFTH, QUARTER = timedelta(milliseconds=200), timedelta(minutes=15)


@pytest.fixture(autouse=True)
def promises(promises_kept):
    """Every test here ends with all promises kept."""


@pytest.fixture(autouse=True)
def five_a_second(settings):
    settings.PAYMENT_STARTS_PER_SECOND = {"sandbox": 5}


@pytest.fixture
def event():
    return factories.event()


@pytest.fixture
def dinner(event):
    return factories.ticket_type(event, factories.quota(event, 30))


def reserved(event, *numbers_of) -> list[Order]:
    """Orders of one ticket each of the given types, decided by the queue, in rank order."""
    placed = [factories.order(event, factories.wanted(kind)).pk for kind in numbers_of]
    queue.drain(event.pk)
    return list(Order.objects.filter(pk__in=placed).order_by("rank"))


def opens(order: Order) -> datetime:
    """When payment opens to the buyer; there is such a moment."""
    assert order.pays_from is not None
    return order.pays_from


def ends(order: Order) -> datetime:
    assert order.reserved_until is not None
    return order.reserved_until


def most_in_a_second(moments: list[datetime]) -> int:
    """The most of `moments` that lie within any one second."""
    return max(sum(begin <= other < begin + timedelta(seconds=1) for other in moments) for begin in moments)


def test_payment_opens_in_rank_order_and_the_hold_counts_from_there(event, dinner):
    before = clock.now()

    orders = reserved(event, *[dinner] * 12)

    first = opens(orders[0])
    assert before <= first <= clock.now()
    assert [opens(order) for order in orders] == [first + n * FIFTH for n in range(12)]
    assert [ends(order) - opens(order) for order in orders] == [timedelta(minutes=15)] * 12
    assert PaymentPace.objects.get().next_at == first + 12 * FIFTH
    assert most_in_a_second([opens(order) for order in orders]) == 5


def test_at_five_a_second_buyers_are_let_in_one_after_the_other_by_the_clock(event, dinner):
    """Twelve buyers press the button all the time, in no order. Nobody comes in before their moment, and nobody is
    refused from then on."""
    orders = reserved(event, *[dinner] * 12)
    refused: dict[int, datetime] = {}  # when the last refused press was made
    opened: dict[int, datetime] = {}  # when the press that opened the payment was answered
    chance = random.Random(5)

    while len(opened) < len(orders):
        for order in chance.sample(orders, len(orders)):
            if order.pk in opened:
                continue
            pressed = clock.now()
            try:
                payments.start(order, "sandbox", "https://foyer.example/order/")
            except payments.NotPayable as refusal:
                assert refusal.reason == reasons.PAYMENT_NOT_OPEN
                refused[order.pk] = pressed
            else:
                opened[order.pk] = clock.now()

    moments = [opens(order) for order in orders]
    assert moments == [moments[0] + n * FIFTH for n in range(12)]
    assert all(opened[order.pk] >= opens(order) for order in orders)
    assert all(refused[order.pk] < opens(order) for order in orders if order.pk in refused)
    assert len(refused) > 3  # somebody did come too early
    assert max(opened.values()) - moments[0] >= 11 * FIFTH


@pytest.mark.parametrize("rate", [3, 7, 0.5, 20])
def test_never_one_more_than_the_rate_falls_into_a_second(event, dinner, settings, rate):
    settings.PAYMENT_STARTS_PER_SECOND = {"sandbox": rate}

    moments = [opens(order) for order in reserved(event, *[dinner] * 25)]

    assert most_in_a_second(moments) == max(1, rate)


def test_orders_over_nothing_do_not_wait_and_take_nobodys_turn(event, dinner):
    helper = factories.ticket_type(event, dinner.quotas.get(), price_minor=0)

    first, free, second = reserved(event, dinner, helper, dinner)

    assert free.pays_from is None
    assert opens(second) - opens(first) == FIFTH
    assert payments.start(free, "", "") is None


class Till:
    """A second way to pay, as fast as the test wants it."""

    slug, label = "till", "Till"

    def __init__(self, starts_per_second):
        self.starts_per_second = starts_per_second

    def is_available(self, currency):
        return currency == "SEK"


@pytest.mark.parametrize(("rate", "apart"), [(None, None), (2, timedelta(seconds=0.5)), (10, FIFTH)])
def test_the_slowest_way_to_pay_sets_the_pace_and_one_without_a_limit_sets_none(event, dinner, rate, apart):
    with payment_providers.temporarily(Till(rate)):
        first, second = reserved(event, dinner, dinner)

    assert (opens(second) - opens(first) if second.pays_from else None) == apart


def test_a_setting_goes_before_what_the_provider_says(settings):
    settings.PAYMENT_STARTS_PER_SECOND = {"till": 0, "other": 3}

    assert pacing.starts_per_second(Till(20)) is None
    assert pacing.starts_per_second(payment_providers.get("sandbox")) is None
    settings.PAYMENT_STARTS_PER_SECOND = {}
    assert pacing.starts_per_second(Till(20)) == 20


@pytest.mark.parametrize("rate", [-1.0, float("inf"), float("nan")])
def test_a_rate_that_is_none_is_found_before_the_house_opens(settings, rate):
    assert pacing.check_rates(None) == []

    settings.PAYMENT_STARTS_PER_SECOND = {"sandbox": rate}

    assert [message.id for message in pacing.check_rates(None)] == ["ticketing.E002"]


def test_a_bank_that_rested_owes_nobody_a_turn(event, dinner):
    reserved(event, dinner)

    with clock_moved(timedelta(minutes=1)):
        first, second = reserved(event, dinner, dinner)
        assert timedelta(0) <= clock.now() - opens(first) < timedelta(seconds=5)

    assert opens(second) - opens(first) == FIFTH


def test_each_organisation_has_a_pace_of_its_own(event, dinner):
    other = factories.event()
    theirs = factories.ticket_type(other, factories.quota(other))
    neighbour = factories.event(organisation=event.organisation)
    ours = factories.ticket_type(neighbour, factories.quota(neighbour))

    *_rest, last = reserved(event, *[dinner] * 10)
    (alone,) = reserved(other, theirs)
    (behind,) = reserved(neighbour, ours)

    assert opens(alone) < opens(last)
    assert opens(behind) == opens(last) + FIFTH


def test_without_a_limit_no_question_is_asked(event, dinner, settings, django_assert_num_queries):
    settings.PAYMENT_STARTS_PER_SECOND = {}
    (order,) = reserved(event, dinner)

    with django_assert_num_queries(0):
        assert pacing.admit([order.pk], organisation_id=order.organisation_id, currency="SEK", held_for=QUARTER) == {}
    assert order.pays_from is None


def test_the_number_of_queries_does_not_grow_with_the_orders(event, dinner, django_assert_num_queries):
    for count in (1, 8):
        orders = reserved(event, *[dinner] * count)
        with django_assert_num_queries(5):
            pacing.admit(
                [order.pk for order in orders], organisation_id=event.organisation_id, currency="SEK", held_for=QUARTER
            )


def test_a_place_that_comes_back_opens_in_its_turn(event):
    dinner = factories.ticket_type(event, factories.quota(event, 2))
    first, second, third = reserved(event, dinner, dinner, dinner)
    assert (third.state, third.pays_from) == ("waiting", None)

    reservations.release([first.pk], "reserved", "cancelled", reasons.CANCELLED_BY_BUYER)
    queue.drain_all()

    third.refresh_from_db()
    assert (third.state, opens(third)) == ("reserved", opens(second) + FIFTH)
    assert third.reserved_until == opens(third) + timedelta(minutes=15)


def test_an_offer_that_is_taken_opens_in_its_turn(event):
    dinner = factories.ticket_type(event, factories.quota(event, 2))
    (first,) = reserved(event, dinner)
    order = factories.order(event, factories.wanted(dinner, 3))
    queue.drain(event.pk)
    order.refresh_from_db()
    assert (order.state, order.pays_from) == ("offered", None)

    reservations.accept_offer(order)

    assert opens(order) >= opens(first) + FIFTH
    assert ends(order) == opens(order) + timedelta(minutes=15)
    assert Order.objects.get(pk=order.pk).pays_from == opens(order)


def far_ahead(event, dinner, seconds: int = 3600) -> Order:
    """An order whose payment opens about that much later."""
    reserved(event, dinner)
    PaymentPace.objects.update(next_at=F("next_at") + timedelta(seconds=seconds))
    (order,) = reserved(event, dinner)
    return order


def test_start_refuses_whoever_comes_before_and_lets_them_in_then(event, dinner):
    order = far_ahead(event, dinner)

    with pytest.raises(payments.NotPayable) as refusal:
        payments.start(order, "sandbox", "")

    assert refusal.value.reason == reasons.PAYMENT_NOT_OPEN
    assert not order.payments.exists()
    with clock_moved(timedelta(hours=1, seconds=1)):
        assert payments.start(order, "sandbox", "").state == "started"


class Counter(Till):
    """A bank that notes when it was asked to open a payment."""

    slug = "counter"

    def __init__(self, starts_per_second):
        super().__init__(starts_per_second)
        self.asked: list[datetime] = []

    def start(self, payment, *, key, return_url):
        self.asked.append(clock.now())
        return Started(f"charge-{payment.pk}", "https://bank.example/")


def test_buyers_who_press_together_are_opened_one_after_the_other(event, dinner, settings):
    """Payment is open to all of them, since another way to pay has no limit; this bank has one of its own."""
    settings.PAYMENT_STARTS_PER_SECOND = {"counter": 5}
    bank = Counter(None)
    with payment_providers.temporarily(bank):
        orders = reserved(event, *[dinner] * 4)
        begun = clock.now()
        opened = [payments.open(payments.start(order, "counter", "")) for order in orders]

        assert [order.pays_from for order in orders] == [None] * 4
        assert [payment.state for payment in opened] == ["action_needed"] * 4
        assert all(moment >= begun + n * FIFTH for n, moment in enumerate(bank.asked))


def test_whose_turn_is_far_is_opened_by_the_outbox(event, dinner, client):
    bank = Counter(5)
    with payment_providers.temporarily(bank):
        order = reserved(event, dinner)[0]
        PaymentPace.objects.update(turn_at=clock.now() + timedelta(seconds=30))
        payment = payments.open(payments.start(order, "counter", ""))

        assert (payment.state, payment.redirect_url, bank.asked) == ("started", "", [])
        page = client.get(f"/en/orders/{order.reference}/{order.secret}/").content.decode()
        assert "Yours comes next; nothing has been charged." in page and 'http-equiv="refresh" content="3"' in page
        with clock_moved(timedelta(seconds=31)):
            outbox.run_all(kinds=["payment.start"])
        payment.refresh_from_db()
        assert (payment.state, len(bank.asked)) == ("action_needed", 1)


def test_turns_are_a_step_apart_and_a_bank_that_rested_owes_none(event):
    def take():
        waits = pacing._next_turn("counter", event.organisation_id, timedelta(seconds=2)), clock.now()
        return waits, PaymentPace.objects.get().turn_at

    (first, _at), turn_at = take()
    (second, _at), still = take()

    assert (first, second) == (0, None)  # the next is two seconds away: nobody waits for that in hand
    assert still == turn_at
    with clock_moved(timedelta(minutes=1)):
        (third, at), later = take()
        assert third == 0
        assert timedelta(seconds=1) < later - at <= timedelta(seconds=2)


def test_no_hold_ends_before_its_payment_opened_and_thirty_minutes_count_from_there(event, dinner):
    order = far_ahead(event, dinner)
    other = Order.objects.exclude(pk=order.pk).get()

    with clock_moved(timedelta(minutes=50)):
        assert reservations.expire_overdue(clock.now()) == [other.pk]
    with clock_moved(timedelta(minutes=74)):
        assert reservations.extend(order)
        assert ends(order) == opens(order) + timedelta(minutes=20)
    with clock_moved(timedelta(minutes=81)):
        assert reservations.expire_overdue(clock.now()) == [order.pk]


def test_a_pause_stops_no_turn_and_the_hold_gets_its_time_back(event, dinner):
    order = far_ahead(event, dinner, seconds=60)
    sale_control.pause(event)

    with pytest.raises(payments.NotPayable):
        payments.start(order, "sandbox", "")
    with clock_moved(timedelta(minutes=40)):
        assert payments.start(order, "sandbox", "").state == "started"
        sale_control.resume(event)

    was = opens(order) + QUARTER
    order.refresh_from_db()
    assert timedelta(minutes=40) <= ends(order) - was < timedelta(minutes=41)


def test_an_offer_taken_in_a_pause_has_its_minutes_from_when_payment_opens(event):
    dinner = factories.ticket_type(event, factories.quota(event, 2))
    order = factories.order(event, factories.wanted(dinner, 3))
    queue.drain(event.pk)
    sale_control.pause(event)

    with clock_moved(timedelta(minutes=40)):
        order.refresh_from_db()
        reservations.accept_offer(order)
        sale_control.resume(event)
        order.refresh_from_db()

    assert abs(ends(order) - opens(order) - QUARTER) < timedelta(seconds=20)


def test_the_reminder_comes_five_minutes_before_the_end_of_each_hold(event, dinner):
    orders = reserved(event, *[dinner] * 3)
    soon = Effect.objects.filter(payload__name="hold_ends_soon")

    # Holds that end within seconds of each other are one effect, and a mail each when its moment has come.
    together = soon.get()
    assert together.due_at == ends(orders[0]) - timedelta(minutes=5)
    with clock_moved(together.due_at - clock.now() + timedelta(seconds=1)):
        outbox.run(together.pk)

    assert set(soon.filter(kind=mails.KIND).values_list("order", flat=True)) == {order.pk for order in orders}
