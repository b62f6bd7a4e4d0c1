"""Other choices for a paid ticket: what they come to, who may, and that money, stock and rows agree afterwards."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.utils.translation import override

from apps.ticketing import (
    changes,
    clock,
    invariants,
    ledger,
    ordering,
    outbox,
    payments,
    queue,
    refunds,
    reservations,
    tickets,
)
from apps.ticketing.models import Choice, Effect, Entry, LineChoice, Order, Payment, Refund, Ticket
from apps.ticketing.payments import settle
from apps.ticketing.states import OrderState, PaymentState
from tests import factories
from tests.clock import move_clock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("promises_kept")]


class Dinner:
    """A dinner with wine for 140 more, beer (5 of them) included, juice 60 less, and snaps (0-3) for 30 each."""

    def __init__(self, wines: int = 2) -> None:
        self.event = factories.event(starts_at=clock.now() + timedelta(days=30))
        places = factories.quota(self.event, 20)
        self.cellar = factories.quota(self.event, wines)
        self.kind = factories.ticket_type(self.event, places, price_minor=45_000)
        drink = factories.variation(self.kind)
        self.beer = factories.choice(drink, name_en="Beer", name_sv="Öl", is_default=True)
        self.wine = factories.choice(drink, self.cellar, name_en="Wine", name_sv="Vin", delta_minor=14_000)
        self.juice = factories.choice(drink, name_en="Juice", name_sv="Saft", delta_minor=-6_000)
        extra = factories.variation(self.kind, kind="many", name_en="Snaps")
        self.snaps = factories.choice(extra, name_en="Snaps", delta_minor=3_000, max_quantity=3)

    def bought(self, *choices: tuple[Choice, int], number: int = 1) -> Order:
        placed = factories.order(self.event, factories.wanted(self.kind, number, *choices))
        queue.drain(self.event.pk)
        placed.refresh_from_db()
        pay(placed)
        return placed


@pytest.fixture
def dinner() -> Dinner:
    return Dinner()


def pay(order: Order) -> None:
    due = factories.payment(order)
    settle.settle(factories.notice(due), provider=due.provider)
    order.refresh_from_db()


def bank_says(state: str, payment: Payment) -> None:
    told = factories.notice(payment, state, kind="dispute", reference=f"dispute-{payment.pk}")
    settle.settle(told, provider=payment.provider)


def ticket_of(order: Order) -> Ticket:
    return Ticket.objects.select_related("ticket_type", "line").filter(line__order=order).order_by("pk")[0]


def has(order: Order) -> dict[str, int]:
    rows = LineChoice.objects.filter(line=ticket_of(order).line).select_related("choice")
    return {row.choice.name_en: row.quantity for row in rows}


def begin(order: Order, *wanted: tuple[Choice, int], agreed: int) -> Order | None:
    return changes.begin(order, ticket_of(order), {choice.pk: n for choice, n in wanted}, agreed_minor=agreed)


def taken(quota: Any) -> int:
    quota.refresh_from_db()
    return quota.taken


def books_sum() -> int:
    return sum(Entry.objects.values_list("amount_minor", flat=True))


def test_a_dearer_choice_is_made_when_its_difference_is_paid(dinner: Dinner) -> None:
    order = dinner.bought((dinner.beer, 1))

    supplement = begin(order, (dinner.wine, 1), (dinner.snaps, 2), agreed=20_000)

    assert supplement is not None
    assert (supplement.state, supplement.total_minor, supplement.is_supplement) == ("reserved", 20_000, True)
    assert has(order) == {"Beer": 1}, "nothing is changed before it is paid"
    assert taken(dinner.cellar) == 1, "but the wine is held"
    assert invariants.check() == []

    pay(supplement)

    assert has(order) == {"Wine": 1, "Snaps": 2}
    assert taken(dinner.cellar) == 1
    assert Ticket.objects.filter(line__order=supplement).count() == 0
    assert -ledger.balance("revenue", order=supplement) - ledger.balance("vat", order=supplement) == 20_000
    assert books_sum() == 0


def test_the_receipt_of_a_change_tells_what_falls_away(dinner: Dinner) -> None:
    order = dinner.bought((dinner.juice, 1))

    supplement = begin(order, (dinner.wine, 1), agreed=20_000)

    assert supplement is not None
    line = supplement.lines.get()
    [adjustment] = line.adjustments.all()
    assert (line.list_minor, adjustment.amount_minor, line.price_minor) == (14_000, 6_000, 20_000)
    assert adjustment.label_en == "Instead of Juice"
    assert line.vat_minor == 4_000


def test_a_cheaper_choice_is_made_at_once_and_the_difference_comes_back(dinner: Dinner) -> None:
    order = dinner.bought((dinner.wine, 1))
    assert taken(dinner.cellar) == 1

    assert begin(order, (dinner.juice, 1), agreed=-20_000) is None

    [refund] = Refund.objects.all()
    assert (refund.amount_minor, refund.reason, refund.is_partial) == (20_000, changes.CHOICES_CHANGED, True)
    assert has(order) == {"Juice": 1}
    assert taken(dinner.cellar) == 0
    assert books_sum() == 0
    assert ticket_of(order).state == "valid"


def test_what_costs_the_same_is_made_at_once_without_money(dinner: Dinner) -> None:
    Choice.objects.filter(pk=dinner.juice.pk).update(delta_minor=0)
    order = dinner.bought((dinner.beer, 1))

    assert begin(order, (dinner.juice, 1), agreed=0) is None

    assert has(order) == {"Juice": 1}
    assert (Refund.objects.count(), Payment.objects.count(), Order.objects.count()) == (0, 1, 1)


def test_going_up_and_down_again_repays_the_newest_payment_first(dinner: Dinner) -> None:
    order = dinner.bought((dinner.beer, 1))
    supplement = begin(order, (dinner.wine, 1), agreed=14_000)
    assert supplement is not None
    pay(supplement)

    begin(order, (dinner.juice, 1), agreed=-20_000)

    back = {refund.payment.order_id: refund.amount_minor for refund in Refund.objects.select_related("payment")}
    assert back == {supplement.pk: 14_000, order.pk: 6_000}
    assert books_sum() == 0


def test_no_more_comes_back_than_was_paid(dinner: Dinner) -> None:
    dinner.kind.price_minor = 0
    dinner.kind.save()
    order = dinner.bought((dinner.snaps, 1), (dinner.beer, 1))
    assert order.total_minor == 3_000

    begin(order, (dinner.juice, 1), agreed=-3_000)

    assert [refund.amount_minor for refund in Refund.objects.all()] == [3_000]
    assert has(order) == {"Juice": 1}


def test_what_a_ticket_has_already_costs_what_it_cost_then(dinner: Dinner) -> None:
    order = dinner.bought((dinner.beer, 1), (dinner.snaps, 1))
    Choice.objects.filter(pk=dinner.snaps.pk).update(delta_minor=9_000)

    supplement = begin(order, (dinner.beer, 1), (dinner.snaps, 3), agreed=6_000)

    assert supplement is not None
    assert supplement.total_minor == 6_000


REFUSED = {
    "no drink": ((), 0, "Choose one of “Beverage”"),
    "two drinks": (("beer", "wine"), 14_000, "Choose one of “Beverage”"),
    "the same again": (("beer",), 0, "choices the ticket has already"),
    "another sum than seen": (("wine",), 13_000, "The price of a choice has changed"),
}


@pytest.mark.parametrize(("names", "agreed", "says"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_changes_nothing_and_says_why(
    dinner: Dinner, names: tuple[str, ...], agreed: int, says: str
) -> None:
    order = dinner.bought((dinner.beer, 1))

    with override("en"), pytest.raises(changes.NotChanged, match=says):
        begin(order, *((getattr(dinner, name), 1) for name in names), agreed=agreed)

    assert has(order) == {"Beer": 1}
    assert Order.objects.count() == 1


def test_too_many_snaps_are_refused(dinner: Dinner) -> None:
    order = dinner.bought((dinner.beer, 1))

    with override("en"), pytest.raises(changes.NotChanged, match="At most 3 of “Snaps”"):
        begin(order, (dinner.beer, 1), (dinner.snaps, 4), agreed=12_000)


def test_a_sold_out_choice_is_refused_before_anything_is_paid() -> None:
    dinner = Dinner(wines=1)
    dinner.bought((dinner.wine, 1))
    order = dinner.bought((dinner.beer, 1))

    with override("en"), pytest.raises(changes.NotChanged, match="sold out"):
        begin(order, (dinner.wine, 1), agreed=14_000)

    assert Order.objects.filter(channel="change").count() == 0
    assert taken(dinner.cellar) == 1


def test_a_choice_that_came_back_goes_to_whoever_waits_for_it() -> None:
    dinner = Dinner(wines=1)
    first = dinner.bought((dinner.wine, 1))
    order = dinner.bought((dinner.beer, 1))
    waiting = factories.order(dinner.event, factories.wanted(dinner.kind, 1, (dinner.wine, 1)))
    queue.drain(dinner.event.pk)
    begin(first, (dinner.beer, 1), agreed=-14_000)

    with override("en"), pytest.raises(changes.NotChanged, match="sold out"):
        begin(order, (dinner.wine, 1), agreed=14_000)
    queue.drain(dinner.event.pk)

    waiting.refresh_from_db()
    assert waiting.state == OrderState.RESERVED


def test_after_the_cut_off_nothing_is_changed(dinner: Dinner) -> None:
    order = dinner.bought((dinner.beer, 1))
    move_clock(timedelta(days=27, minutes=1))

    with override("en"), pytest.raises(changes.NotChanged, match="Changes were possible until"):
        begin(order, (dinner.juice, 1), agreed=-6_000)

    assert has(order) == {"Beer": 1}


def test_a_used_ticket_keeps_its_choices(dinner: Dinner) -> None:
    order = dinner.bought((dinner.beer, 1))
    tickets.use(ticket_of(order))

    with override("en"), pytest.raises(changes.NotChanged, match="not open for changes"):
        begin(order, (dinner.juice, 1), agreed=-6_000)


def test_one_change_waits_for_its_payment_at_a_time(dinner: Dinner) -> None:
    order = dinner.bought((dinner.beer, 1))
    supplement = begin(order, (dinner.wine, 1), agreed=14_000)

    with pytest.raises(changes.Pending) as refused:
        begin(order, (dinner.juice, 1), agreed=-6_000)

    assert refused.value.order == supplement
    assert has(order) == {"Beer": 1}


def test_a_change_that_is_not_paid_gives_its_stock_back(dinner: Dinner) -> None:
    order = dinner.bought((dinner.beer, 1))
    supplement = begin(order, (dinner.wine, 1), agreed=14_000)
    assert supplement is not None
    move_clock(timedelta(minutes=16))

    reservations.expire_overdue(clock.now())

    supplement.refresh_from_db()
    assert supplement.state == OrderState.EXPIRED
    assert taken(dinner.cellar) == 0
    assert has(order) == {"Beer": 1}
    assert begin(order, (dinner.wine, 1), agreed=14_000) is not None, "it may be tried again"


def test_money_that_comes_after_the_hold_goes_back(dinner: Dinner) -> None:
    order = dinner.bought((dinner.beer, 1))
    supplement = begin(order, (dinner.wine, 1), agreed=14_000)
    assert supplement is not None
    ordering.cancel(supplement)

    pay(supplement)

    assert [refund.amount_minor for refund in Refund.objects.all()] == [14_000]
    assert has(order) == {"Beer": 1}
    assert taken(dinner.cellar) == 0


def test_a_ticket_refunded_while_its_change_is_paid_brings_all_money_back(dinner: Dinner) -> None:
    order = dinner.bought((dinner.beer, 1))
    supplement = begin(order, (dinner.wine, 1), agreed=14_000)
    assert supplement is not None
    refunds.order_refund(order, list(order.lines.all()), reason="refused")

    pay(supplement)
    effect = Effect.objects.get(kind=refunds.LATER)
    refunds._order_late(effect)
    refunds._order_late(effect)  # an effect may run twice

    supplement.refresh_from_db()
    assert supplement.state == OrderState.REFUNDED
    assert sum(refund.amount_minor for refund in Refund.objects.all()) == order.total_minor + 14_000
    assert taken(dinner.cellar) == 0
    assert books_sum() == 0


def test_a_refunded_ticket_brings_its_paid_changes_back(dinner: Dinner) -> None:
    order = dinner.bought((dinner.beer, 1))
    supplement = begin(order, (dinner.wine, 1), agreed=14_000)
    assert supplement is not None
    pay(supplement)

    refunds.order_refund(order, list(order.lines.all()), reason="refused", fee_minor=5_000)

    supplement.refresh_from_db()
    assert supplement.state == OrderState.REFUNDED
    assert Counter(refund.amount_minor for refund in Refund.objects.all()) == Counter([40_000, 14_000])
    assert taken(dinner.cellar) == 0
    assert books_sum() == 0


@pytest.mark.parametrize(("decided", "back_minor"), [("won", [14_000, 45_000]), ("lost", [45_000])])
def test_a_change_that_is_disputed_goes_back_once_the_bank_has_decided(
    dinner: Dinner, decided: str, back_minor: list[int]
) -> None:
    order = dinner.bought((dinner.beer, 1))
    supplement = begin(order, (dinner.wine, 1), agreed=14_000)
    assert supplement is not None
    pay(supplement)
    paid = supplement.payments.get()
    bank_says("opened", paid)
    refunds.order_refund(order, list(order.lines.all()), reason="refused")
    effect = Effect.objects.get(kind=refunds.LATER)
    with pytest.raises(outbox.NotYet):
        refunds._order_late(effect)
    assert [refund.amount_minor for refund in Refund.objects.all()] == [45_000]

    bank_says(decided, paid)
    refunds._order_late(effect)
    refunds._order_late(effect)

    assert sorted(refund.amount_minor for refund in Refund.objects.all()) == back_minor
    assert taken(dinner.cellar) == 0
    assert books_sum() == 0


def with_wine(dinner: Dinner, number: int = 1) -> tuple[Order, Order]:
    """An order whose first ticket has got wine instead of beer, and the order by which that was paid."""
    order = dinner.bought((dinner.beer, 1), number=number)
    supplement = begin(order, (dinner.wine, 1), agreed=14_000)
    assert supplement is not None
    pay(supplement)
    return order, supplement


def states(order: Order) -> list[str]:
    return list(Ticket.objects.filter(line__order=order).order_by("line__position").values_list("state", flat=True))


def test_a_disputed_change_blocks_its_own_ticket_alone_until_it_is_won(dinner: Dinner) -> None:
    order, supplement = with_wine(dinner, number=2)

    bank_says("opened", supplement.payments.get())
    blocked = states(order)
    bank_says("won", supplement.payments.get())

    assert blocked == ["blocked", "valid"]
    assert states(order) == ["valid", "valid"]
    assert (has(order), taken(dinner.cellar)) == ({"Wine": 1}, 1)


@pytest.mark.parametrize("news", [["opened", "lost"], ["lost"], ["lost", "opened", "lost"]], ids="-".join)
def test_a_lost_change_is_undone_and_its_ticket_stays_good(dinner: Dinner, news: list[str]) -> None:
    order, supplement = with_wine(dinner)

    for state in news:
        bank_says(state, supplement.payments.get())

    for row in (order, supplement):
        row.refresh_from_db()
    assert (order.state, supplement.state, supplement.reason) == ("paid", "refunded", "change_lost")
    assert (states(order), has(order), taken(dinner.cellar)) == (["valid"], {"Beer": 1}, 0)
    assert ledger.balance("revenue", order=supplement) == ledger.balance("vat", order=supplement) == 0
    assert ledger.balance("clearing", order=order) == 45_000
    assert not Refund.objects.exists()


def test_a_lost_change_takes_those_back_that_build_on_it(dinner: Dinner) -> None:
    order, first = with_wine(dinner)
    second = begin(order, (dinner.wine, 1), (dinner.snaps, 2), agreed=6_000)
    assert second is not None
    pay(second)

    bank_says("lost", first.payments.get())
    outbox.run_all(kinds=[refunds.LATER], early=True)

    second.refresh_from_db()
    assert (has(order), states(order), taken(dinner.cellar)) == ({"Beer": 1}, ["valid"], 0)
    assert (second.state, Refund.objects.get().amount_minor) == ("refunded", 6_000)
    assert books_sum() == 0


@pytest.mark.parametrize("then", ["more", "another choice", "another choice of its quota"])
def test_a_change_paid_after_the_one_it_builds_on_is_lost_goes_back(then: str) -> None:
    dinner = Dinner(wines=1)
    quotas = [dinner.cellar] if then == "another choice of its quota" else []
    bubbles = factories.choice(dinner.wine.variation, *quotas, name_en="Bubbles", name_sv="Bubbel", delta_minor=20_000)
    order, first = with_wine(dinner)
    drink, snaps = (dinner.wine, 2) if then == "more" else (bubbles, 0)
    second = begin(order, (drink, 1), (dinner.snaps, snaps), agreed=6_000)
    assert second is not None
    bank_says("lost", first.payments.get())
    other = dinner.bought((dinner.wine, 1))

    pay(second)
    outbox.run_all(kinds=[refunds.LATER], early=True)

    second.refresh_from_db()
    assert (has(order), states(order), has(other)) == ({"Beer": 1}, ["valid"], {"Wine": 1})
    assert (second.state, second.reason, Refund.objects.get().amount_minor) == ("refunded", "change_undone", 6_000)
    assert (taken(dinner.cellar), books_sum(), reservations.recount(dinner.event.pk)) == (1, 0, {})


def test_a_change_taken_back_with_an_earlier_one_is_not_taken_back_again(dinner: Dinner) -> None:
    order = dinner.bought((dinner.beer, 1), (dinner.snaps, 1))
    supplements = []
    for snaps, agreed in ((1, 14_000), (2, 3_000)):
        supplement = begin(order, (dinner.wine, 1), (dinner.snaps, snaps), agreed=agreed)
        assert supplement is not None
        pay(supplement)
        supplements.append(supplement)
    first, second = (supplement.payments.get() for supplement in supplements)
    bank_says("opened", second)
    bank_says("lost", first)
    between = has(order)

    bank_says("lost", second)
    outbox.run_all(kinds=[refunds.LATER], early=True)

    assert (between, has(order)) == ({"Beer": 1, "Snaps": 1}, {"Beer": 1, "Snaps": 1})
    assert (states(order), Refund.objects.count(), books_sum()) == (["valid"], 0, 0)


@pytest.mark.parametrize("decided", ["won", "lost"])
def test_a_change_that_is_undone_blocks_no_ticket_when_its_payment_is_disputed(dinner: Dinner, decided: str) -> None:
    order, first = with_wine(dinner)
    second = begin(order, (dinner.wine, 1), (dinner.snaps, 2), agreed=6_000)
    assert second is not None
    bank_says("lost", first.payments.get())
    pay(second)

    bank_says("opened", second.payments.get())
    between, broken = states(order), invariants.check()
    bank_says(decided, second.payments.get())
    outbox.run_all(kinds=[refunds.LATER], early=True)

    back_minor = [6_000] if decided == "won" else []
    assert (between, broken, states(order), has(order)) == (["valid"], [], ["valid"], {"Beer": 1})
    assert [refund.amount_minor for refund in Refund.objects.all()] == back_minor
    assert books_sum() == 0


def test_what_a_lost_change_replaced_stays_away_where_it_is_sold_out(dinner: Dinner) -> None:
    hall = factories.quota(dinner.event, 1)
    dinner.beer.quotas.add(hall)
    order, supplement = with_wine(dinner)
    dinner.bought((dinner.beer, 1))

    bank_says("lost", supplement.payments.get())

    assert (has(order), states(order)) == ({}, ["valid"])
    assert (taken(dinner.cellar), taken(hall)) == (0, 1)


def test_a_lost_change_that_was_exchanged_for_less_since_leaves_the_choices(dinner: Dinner) -> None:
    order, supplement = with_wine(dinner)
    begin(order, (dinner.juice, 1), agreed=-20_000)

    bank_says("lost", supplement.payments.get())

    assert (has(order), states(order)) == ({"Juice": 1}, ["valid"])
    assert books_sum() == 0


def test_a_lost_ticket_brings_back_what_was_paid_for_its_changes(dinner: Dinner) -> None:
    order, supplement = with_wine(dinner)

    bank_says("lost", order.payments.get())

    for row in (order, supplement):
        row.refresh_from_db()
    assert (order.state, supplement.state, supplement.reason) == ("refunded", "refunded", "ticket_of_change_ended")
    assert (states(order), taken(dinner.cellar)) == (["revoked"], 0)
    assert [(refund.amount_minor, refund.payment.order) for refund in Refund.objects.all()] == [(14_000, supplement)]
    assert books_sum() == 0


@pytest.mark.parametrize("first", ["order", "supplement"])
def test_a_ticket_that_two_payments_are_disputed_of_waits_for_both(dinner: Dinner, first: str) -> None:
    order, supplement = with_wine(dinner)
    payments_of = [order.payments.get(), supplement.payments.get()]
    for paid in payments_of if first == "order" else reversed(payments_of):
        bank_says("opened", paid)

    bank_says("won", payments_of[0])
    between = states(order)
    bank_says("won", payments_of[1])

    assert (between, states(order)) == (["blocked"], ["valid"])


@pytest.mark.parametrize(("decided", "back_minor"), [("won", [14_000]), ("lost", [])])
def test_a_lost_ticket_whose_change_is_disputed_too_waits_for_the_bank(
    dinner: Dinner, decided: str, back_minor: list[int]
) -> None:
    order, supplement = with_wine(dinner)
    bank_says("opened", supplement.payments.get())
    bank_says("lost", order.payments.get())

    bank_says(decided, supplement.payments.get())
    outbox.run_all(kinds=[refunds.LATER], early=True)

    assert states(order) == ["revoked"]
    assert [refund.amount_minor for refund in Refund.objects.all()] == back_minor
    assert (taken(dinner.cellar), books_sum()) == (0, 0)


@pytest.mark.parametrize("ends", ["paid", "not paid", "refunded first"])
def test_two_choices_of_one_full_quota_are_swapped(ends: str) -> None:
    dinner = Dinner(wines=1)
    bubbles = factories.choice(
        dinner.wine.variation, dinner.cellar, name_en="Bubbles", name_sv="Bubbel", delta_minor=20_000
    )
    order = dinner.bought((dinner.wine, 1))

    supplement = changes.begin(order, ticket_of(order), {bubbles.pk: 1}, agreed_minor=6_000)

    assert supplement is not None
    assert reservations.recount(dinner.event.pk) == {} and invariants.check() == []
    assert taken(dinner.cellar) == 1
    if ends == "refunded first":
        refunds.order_refund(order, list(order.lines.all()), reason="refused")
        assert taken(dinner.cellar) == 0
    if ends == "not paid":
        reservations.expire_overdue(clock.now() + timedelta(hours=1))
    else:
        pay(supplement)
    left = {"paid": ({"Bubbles": 1}, 1), "not paid": ({"Wine": 1}, 1), "refunded first": ({"Wine": 1}, 0)}
    assert (has(order), taken(dinner.cellar)) == left[ends]
    assert reservations.recount(dinner.event.pk) == {} and invariants.check() == []


@pytest.mark.parametrize(("ends", "left"), [("paid", 0), ("not paid", 1)])
def test_a_choice_taken_out_of_the_quota_it_is_swapped_in_takes_nothing_of_others(ends: str, left: int) -> None:
    dinner = Dinner(wines=2)
    bubbles = factories.choice(
        dinner.wine.variation, dinner.cellar, name_en="Bubbles", name_sv="Bubbel", delta_minor=20_000
    )
    order = dinner.bought((dinner.wine, 1))
    supplement = begin(order, (bubbles, 1), agreed=6_000)
    assert supplement is not None
    bubbles.quotas.clear()

    counted = (reservations.recount(dinner.event.pk), taken(dinner.cellar), len(invariants.check()))
    if ends == "paid":
        pay(supplement)
    else:
        ordering.cancel(supplement)

    assert counted == ({}, 1, 0)
    assert taken(dinner.cellar) == left
    assert reservations.recount(dinner.event.pk) == {}


def test_a_swap_in_a_full_quota_holds_only_what_it_adds_there() -> None:
    """Two more of what is in the cellar than the ticket has there: one of them is held, and is gone for others."""
    dinner = Dinner(wines=2)
    magnum = factories.choice(
        dinner.snaps.variation, dinner.cellar, name_en="Magnum", name_sv="Magnum", delta_minor=50_000, max_quantity=2
    )
    order = dinner.bought((dinner.wine, 1))
    other = dinner.bought((dinner.beer, 1))

    supplement = changes.begin(order, ticket_of(order), {dinner.beer.pk: 1, magnum.pk: 2}, agreed_minor=86_000)

    assert supplement is not None and taken(dinner.cellar) == 2
    with pytest.raises(changes.NotChanged):
        changes.begin(other, ticket_of(other), {dinner.wine.pk: 1}, agreed_minor=14_000)
    pay(supplement)
    assert (has(order), taken(dinner.cellar)) == ({"Beer": 1, "Magnum": 2}, 2)


def test_a_change_counts_against_no_limit(dinner: Dinner) -> None:
    dinner.kind.max_per_person = 1
    dinner.kind.save()
    order = dinner.bought((dinner.beer, 1))
    supplement = begin(order, (dinner.wine, 1), agreed=14_000)
    assert supplement is not None
    pay(supplement)

    again = factories.order(dinner.event, factories.wanted(dinner.kind, 1, (dinner.beer, 1)), email=order.email)
    queue.drain(dinner.event.pk)

    again.refresh_from_db()
    assert again.reason == "limit_per_person"


def test_recounting_finds_nothing_to_correct_while_a_change_is_held(dinner: Dinner) -> None:
    order = dinner.bought((dinner.beer, 1))
    begin(order, (dinner.wine, 1), agreed=14_000)

    assert reservations.recount(dinner.event.pk) == {}


def test_it_is_paid_by_the_same_way_as_any_order(dinner: Dinner) -> None:
    order = dinner.bought((dinner.beer, 1))
    supplement = begin(order, (dinner.wine, 1), agreed=14_000)
    assert supplement is not None

    payment = payments.start(supplement, "sandbox", "https://foyer.example/")

    assert payment is not None
    assert (payment.amount_minor, payment.state) == (14_000, PaymentState.STARTED)
