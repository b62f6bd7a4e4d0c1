"""A sale that is paused, resumed, moved and ended: what stands still, what goes on, and what is refused."""

from __future__ import annotations

import math
from collections import Counter
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from apps.accounts.kept import Entry
from apps.events.models import Event
from apps.ticketing import (
    catalogue,
    clock,
    draws,
    invariants,
    ordering,
    outbox,
    payments,
    queue,
    reasons,
    reservations,
    sale_control,
)
from apps.ticketing.mails import letters
from apps.ticketing.models import Order, SaleChange, Ticket, TicketType
from apps.ticketing.payments import settle
from apps.ticketing.transitions import StaleState
from tests import factories
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db

HOLD = timedelta(minutes=15)
AN_HOUR = timedelta(hours=1)
A_SECOND = timedelta(seconds=1)


@pytest.fixture
def event() -> Event:
    return factories.event()


@pytest.fixture
def dinner(event: Event) -> TicketType:
    return factories.ticket_type(event, factories.quota(event, 3))


def queued(dinner: TicketType, number: int = 1, of: int = 1) -> list[Order]:
    return [factories.order(dinner.event, factories.wanted(dinner, of)) for _ in range(number)]


def held(dinner: TicketType, of: int = 1) -> Order:
    return factories.reserved_order(of, of=dinner)


def states(event: Event) -> list[str]:
    return list(event.orders.order_by("pk").values_list("state", flat=True))


def until(order: Order) -> datetime:
    order.refresh_from_db()
    assert order.reserved_until is not None
    return order.reserved_until


def about(one: timedelta, other: timedelta) -> bool:
    return abs(one - other) < timedelta(seconds=5)


# --- Paused --------------------------------------------------------------------------------------------------------


def test_pause_keeps_the_queue_as_it_is_and_resume_serves_it_by_rank(event: Event, dinner: TicketType) -> None:
    before = queued(dinner, 2)
    sale_control.pause(event, say_sv="Banken är nere.", say_en="The bank is down.")
    during = queued(dinner, 3)

    queue.drain(event.pk)
    queue.sweep()
    queue.drain_all()
    assert states(event) == ["queued"] * 5
    assert queue.events_to_serve() == []

    sale_control.resume(event)
    queue.drain_all()
    assert [order.pk for order in event.orders.filter(state="reserved").order_by("rank")] == [
        order.pk for order in [*before, *during][:3]
    ]
    assert invariants.check() == []


def test_places_that_come_back_in_a_pause_go_to_those_in_line_when_it_ends(event: Event, dinner: TicketType) -> None:
    holder = held(dinner, of=3)
    waiting = queued(dinner)[0]
    queue.drain_all()
    sale_control.pause(event)

    assert ordering.cancel(holder)
    queue.sweep()
    queue.drain_all()
    waiting.refresh_from_db()
    assert waiting.state == "waiting"

    sale_control.resume(event)
    queue.drain_all()
    waiting.refresh_from_db()
    assert waiting.state == "reserved"


def test_clock_of_a_hold_stands_still_while_the_sale_is_paused(event: Event, dinner: TicketType) -> None:
    order = held(dinner)
    with clock_moved(timedelta(minutes=10)):
        sale_control.pause(event)
    with clock_moved(AN_HOUR):
        assert reservations.expire_overdue(clock.now()) == []
        assert invariants.check() == []
        standing = sale_control.state_of(event.pk)
        assert about(until(order) - standing.hold_time(clock.now()), timedelta(minutes=5))

        sale_control.resume(event)
        assert about(until(order) - clock.now(), timedelta(minutes=5))
        assert reservations.expire_overdue(clock.now()) == []
    with clock_moved(AN_HOUR + timedelta(minutes=6)):
        assert reservations.expire_overdue(clock.now()) == [order.pk]


@pytest.mark.parametrize("is_exact", [True, False], ids=["exact", "control-by-what-is-kept"])
def test_page_tells_the_right_time_left_while_its_process_still_remembers_the_pause(
    event: Event, dinner: TicketType, client: Client, monkeypatch: pytest.MonkeyPatch, is_exact: bool
) -> None:
    order = held(dinner)
    with clock_moved(timedelta(minutes=10)):
        sale_control.pause(event)
    with clock_moved(AN_HOUR):
        remembered = sale_control.shown(event.pk)
        assert remembered.stops
        sale_control.resume(event)
        # Another process made the change: this one has not heard of it.
        monkeypatch.setitem(sale_control.shown._kept, event.pk, Entry(math.inf, 0, None, remembered))
        if not is_exact:
            monkeypatch.setattr(sale_control, "state_of", lambda event_id: remembered)

        told = client.get(reverse("ticketing:order_status", args=[order.reference, order.secret])).json()
        left = datetime.fromisoformat(told["until"]) - datetime.fromisoformat(told["now"])

    assert about(left, timedelta(minutes=5)) == is_exact


def test_hold_that_ran_out_before_the_pause_ends_after_it(event: Event, dinner: TicketType) -> None:
    order = held(dinner)
    with clock_moved(HOLD + A_SECOND):
        sale_control.pause(event)
        assert reservations.expire_overdue(clock.now()) == []
        sale_control.resume(event)
        assert reservations.expire_overdue(clock.now()) == [order.pk]


def test_pause_of_one_event_stops_no_other(event: Event, dinner: TicketType) -> None:
    other = factories.ticket_type(elsewhere := factories.event(), factories.quota(elsewhere))
    expiring = held(other)
    sale_control.pause(event)
    queued(other)

    queue.drain_all()
    assert states(elsewhere) == ["reserved", "reserved"]
    with clock_moved(HOLD + A_SECOND):
        assert expiring.pk in reservations.expire_overdue(clock.now())


def test_buyer_pays_in_a_pause_by_the_stopped_clock(event: Event, dinner: TicketType) -> None:
    order = held(dinner)
    sale_control.pause(event)

    with clock_moved(AN_HOUR):
        payment = payments.start(order, "sandbox", "http://localhost/")
        assert payment is not None
        payments.close_overdue()
        payment.refresh_from_db()
        assert payment.state == "started"
        settle.settle(factories.notice(payment), provider="sandbox")

    order.refresh_from_db()
    assert (order.state, Ticket.objects.filter(line__order=order).count()) == ("paid", 1)
    assert invariants.check() == []


def test_hold_that_had_run_out_is_not_payable_in_a_pause(event: Event, dinner: TicketType) -> None:
    order = held(dinner)
    with clock_moved(HOLD + A_SECOND):
        sale_control.pause(event)

        with pytest.raises(payments.NotPayable):
            payments.start(order, "sandbox", "http://localhost/")


def test_offer_taken_in_a_pause_has_its_fifteen_minutes_when_the_sale_goes_on(event: Event, dinner: TicketType) -> None:
    order = queued(dinner, of=4)[0]
    queue.drain_all()
    sale_control.pause(event)
    with clock_moved(AN_HOUR):
        reservations.accept_offer(order)
    with clock_moved(2 * AN_HOUR):
        sale_control.resume(event)
        assert about(until(order) - clock.now(), HOLD)


def test_offer_declined_in_a_pause_keeps_its_rank(event: Event, dinner: TicketType) -> None:
    order = queued(dinner, of=4)[0]
    queue.drain_all()
    rank = order.rank
    sale_control.pause(event)

    reservations.decline_offer(order)
    queue.drain_all()

    assert (order.state, order.rank) == ("waiting", rank)


def test_pause_does_not_count_against_the_thirty_minutes(event: Event, dinner: TicketType) -> None:
    order = held(dinner)
    with clock_moved(timedelta(minutes=1)):
        sale_control.pause(event)
    with clock_moved(AN_HOUR + timedelta(minutes=1)):
        sale_control.resume(event)
        assert about(reservations.longest_hold(order, clock.now()) - clock.now(), timedelta(minutes=29))
        assert reservations.extend(order) is True
        assert about(until(order) - clock.now(), timedelta(minutes=19))
        assert reservations.extend(order) is False


def test_extension_in_a_pause_counts_by_the_stopped_clock(event: Event, dinner: TicketType) -> None:
    order = held(dinner)
    ends = until(order)
    sale_control.pause(event)
    with clock_moved(AN_HOUR):
        assert reservations.extend(order) is True
    assert until(order) - ends == timedelta(minutes=5)


def test_declined_card_in_a_pause_keeps_the_place_for_ten_minutes_of_the_stopped_clock(
    event: Event, dinner: TicketType
) -> None:
    order = held(dinner)
    with clock_moved(timedelta(minutes=14)):
        payment = payments.start(order, "sandbox", "http://localhost/")
        assert payment is not None
        sale_control.pause(event)
    with clock_moved(AN_HOUR):
        settle.settle(factories.notice(payment, "failed"), provider="sandbox")
        left = until(order) - sale_control.state_of(event.pk).hold_time(clock.now())
    assert about(left, timedelta(minutes=10))


def test_no_mail_names_an_end_of_the_hold_while_it_is_not_known(event: Event, dinner: TicketType) -> None:
    order = held(dinner)
    sale_control.pause(event)

    for name in ("your_turn", "hold_ends_soon"):
        with pytest.raises(outbox.NotYet):
            letters.write(order, {"name": name}, clock.now())


def test_several_pauses_add_up(event: Event, dinner: TicketType) -> None:
    order = held(dinner)
    ends = until(order)
    for begin, over in ((1, 11), (21, 26)):
        with clock_moved(timedelta(minutes=begin)):
            sale_control.pause(event)
        with clock_moved(timedelta(minutes=over)):
            sale_control.resume(event)

    assert about(until(order) - ends, timedelta(minutes=15))
    assert about(sale_control.stood_still(event.pk, since=order.decided_at), timedelta(minutes=15))


def test_invariants_notice_an_order_that_was_decided_in_a_pause(event: Event, dinner: TicketType) -> None:
    order = held(dinner)
    sale_control.pause(event)
    Order.objects.filter(pk=order.pk).update(decided_at=clock.now())

    assert [found.promise for found in invariants.check()] == ["no order is decided while its sale stands still"]


# --- Moved ---------------------------------------------------------------------------------------------------------


def test_move_stops_the_sale_until_it_opens_by_itself_at_that_moment(event: Event, dinner: TicketType) -> None:
    holder, first = held(dinner), queued(dinner)[0]
    ends, begun = until(holder), clock.now()
    standing = sale_control.move(event, opens_at=begun + AN_HOUR, say_en="At seven instead.")
    queue.drain_all()

    assert (standing.told(clock.now()), states(event)) == ("moved", ["reserved", "queued"])
    with pytest.raises(ordering.Refused) as refusal:
        queued(dinner)
    assert [problem.reason for problem in refusal.value.problems] == [reasons.NOT_YET_ON_SALE]

    with clock_moved(AN_HOUR + timedelta(minutes=3)):  # nobody looked for three minutes
        queue.drain(event.pk)
        queued(dinner)
        assert sale_control.state_of(event.pk).told(clock.now()) == ""
    assert states(event) == ["reserved", "reserved", "queued"]
    assert first.rank is not None
    opening = SaleChange.objects.get(event=event, kind="resumed")
    assert (opening.at, opening.actor, opening.number) == (begun + AN_HOUR, None, 2)
    assert about(until(holder) - ends, AN_HOUR)
    assert invariants.check() == []


def test_sweeper_opens_a_moved_sale_without_a_queue(event: Event, dinner: TicketType) -> None:
    sale_control.move(event, opens_at=clock.now() + AN_HOUR)
    queue.sweep()
    assert sale_control.state_of(event.pk).kind == "moved"

    with clock_moved(AN_HOUR + A_SECOND):
        queue.sweep()
    assert sale_control.state_of(event.pk).kind == "resumed"


def test_pause_of_a_moved_sale_keeps_it_closed_beyond_its_opening(event: Event, dinner: TicketType) -> None:
    order = held(dinner)
    ends = until(order)
    sale_control.move(event, opens_at=clock.now() + AN_HOUR)
    with clock_moved(timedelta(minutes=30)):
        sale_control.pause(event)
    with clock_moved(2 * AN_HOUR):
        queue.sweep()
        assert sale_control.state_of(event.pk).kind == "paused"
        sale_control.resume(event)
    assert about(until(order) - ends, 2 * AN_HOUR)


@pytest.mark.parametrize(
    ("opens", "expected"),
    [
        ([None, None], [60, 60]),
        ([None, 120], [60, 120]),
        ([None, 30], [60, 60]),
        ([90, 120], [60, 120]),
        ([-5, 40], [60, 60]),
        ([90, 90], [60, 60]),
    ],
    ids=["at once", "one later", "one before it", "sooner", "open already", "both sooner"],
)
def test_move_sets_the_first_opening_and_lets_later_ones_be(
    event: Event, opens: list[int | None], expected: list[int]
) -> None:
    at = clock.now()
    for minutes in opens:
        moment = None if minutes is None else at + timedelta(minutes=minutes)
        factories.ticket_type(event, factories.quota(event), sale_opens_at=moment)

    sale_control.move(event, opens_at=at + AN_HOUR)

    found = TicketType.objects.filter(event=event).order_by("pk").values_list("sale_opens_at", flat=True)
    assert list(found) == [at + timedelta(minutes=minutes) for minutes in expected]


def _past(event: Event, dinner: TicketType) -> datetime:
    return clock.now() - A_SECOND


def _after_the_event(event: Event, dinner: TicketType) -> datetime:
    return event.ends_at


def _after_its_close(event: Event, dinner: TicketType) -> datetime:
    dinner.sale_closes_at = clock.now() + AN_HOUR
    dinner.save()
    return clock.now() + 2 * AN_HOUR


def _after_the_draw(event: Event, dinner: TicketType) -> datetime:
    draws.set_up(event, clock.now() + AN_HOUR)
    return clock.now() + 2 * AN_HOUR


@pytest.mark.parametrize("when", [_past, _after_the_event, _after_its_close, _after_the_draw], ids=lambda f: f.__name__)
def test_move_to_a_moment_that_cannot_be_changes_nothing(event: Event, dinner: TicketType, when) -> None:  # type: ignore[no-untyped-def]
    moment = when(event, dinner)

    with pytest.raises(sale_control.CannotChange) as refusal:
        sale_control.move(event, opens_at=moment)

    dinner.refresh_from_db()
    assert (refusal.value.field, dinner.sale_opens_at, event.sale_changes.count()) == ("opens_at", None, 0)


# --- Ended ---------------------------------------------------------------------------------------------------------


def test_end_turns_away_everybody_in_line_and_lets_holds_be_paid(event: Event, dinner: TicketType) -> None:
    holder = held(dinner, of=2)
    part, late = queued(dinner, of=3)[0], queued(dinner, of=2)[0]
    queue.drain_all()
    assert states(event) == ["reserved", "offered", "waiting"]
    queued(dinner)

    sale_control.end(event, say_en="The hall has burnt down.")
    queue.drain_all()
    assert states(event) == ["reserved", "offered", "rejected", "rejected"]
    assert set(event.orders.filter(state="rejected").values_list("reason", flat=True)) == {reasons.SALE_ENDED}

    reservations.accept_offer(part)
    payment = payments.start(holder, "sandbox", "http://localhost/")
    assert payment is not None
    settle.settle(factories.notice(payment), provider="sandbox")
    with pytest.raises(ordering.Refused) as refusal:
        queued(dinner)
    late.refresh_from_db()
    assert (states(event)[:2], late.state) == (["paid", "reserved"], "rejected")
    assert [problem.reason for problem in refusal.value.problems] == [reasons.SALE_ENDED]
    assert invariants.check() == []


def test_offer_declined_after_the_end_is_turned_away(event: Event, dinner: TicketType) -> None:
    part = queued(dinner, of=4)[0]
    queue.drain_all()
    sale_control.end(event)

    reservations.decline_offer(part)
    assert queue.events_to_serve() == [event.pk]
    queue.drain_all()

    part.refresh_from_db()
    assert (part.state, part.reason) == ("rejected", reasons.SALE_ENDED)


def test_end_turns_away_entries_of_a_draw(event: Event, dinner: TicketType) -> None:
    draws.set_up(event, clock.now() + AN_HOUR)
    queued(dinner, 2)

    sale_control.end(event)
    queue.drain_all()

    assert states(event) == ["rejected", "rejected"]


def test_ended_sale_opens_again_and_who_was_turned_away_stays_so(event: Event, dinner: TicketType) -> None:
    queued(dinner)
    sale_control.end(event)
    queue.drain_all()

    sale_control.resume(event)
    queued(dinner)
    queue.drain_all()

    assert states(event) == ["rejected", "reserved"]


# --- Who and in which order ----------------------------------------------------------------------------------------


def test_every_change_stays_with_who_when_and_the_words(event: Event, dinner: TicketType) -> None:
    editor = factories.user()
    sale_control.pause(event, say_sv=" Paus. ", say_en="Pause.", actor=editor)
    sale_control.resume(event, actor=editor)
    sale_control.end(event, say_sv="Slut.")

    rows = list(event.sale_changes.values_list("number", "kind", "say_sv", "say_en", "actor"))
    assert rows == [
        (1, "paused", "Paus.", "Pause.", editor.pk),
        (2, "resumed", "", "", editor.pk),
        (3, "ended", "Slut.", "", None),
    ]
    first, second, third = event.sale_changes.all()
    assert (first.until, second.until, third.until) == (second.at, third.at, None)


def test_change_made_from_an_old_page_is_refused(event: Event, dinner: TicketType) -> None:
    sale_control.pause(event, seen=0)

    with pytest.raises(sale_control.ChangedMeanwhile):
        sale_control.end(event, seen=0)

    assert [change.kind for change in event.sale_changes.all()] == ["paused"]
    sale_control.end(event, seen=1)


@pytest.mark.parametrize(
    ("before", "verb"),
    [
        ((), "resume"),
        (("pause",), "pause"),
        (("end",), "end"),
        (("end",), "pause"),
        (("pause", "resume"), "resume"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_pointless_change_is_refused(event: Event, dinner: TicketType, before: tuple[str, ...], verb: str) -> None:
    for name in before:
        getattr(sale_control, name)(event)

    with pytest.raises(sale_control.CannotChange):
        getattr(sale_control, verb)(event)

    assert event.sale_changes.count() == len(before)


def test_database_knows_one_change_in_force(event: Event, dinner: TicketType) -> None:
    sale_control.pause(event)

    with pytest.raises(IntegrityError), transaction.atomic():
        SaleChange.objects.create(event=event, number=2, kind="ended", at=clock.now())


def test_looking_asks_the_database_once_a_second(event: Event, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    sale_control.forget()
    with django_assert_num_queries(1):
        for _ in range(3):
            assert sale_control.shown(event.pk).number == 0


def test_stale_state_is_told_of_an_offer_that_ran_out_before_the_pause(event: Event, dinner: TicketType) -> None:
    part = queued(dinner, of=4)[0]
    queue.drain_all()
    with clock_moved(timedelta(minutes=6)):
        sale_control.pause(event)
        with pytest.raises(StaleState):
            reservations.accept_offer(part)


def test_counts_add_up(event: Event, dinner: TicketType) -> None:
    """A sale that is stopped and goes on again and again still sells exactly what there is."""
    queued(dinner, 3)
    for verb in ("pause", "resume", "pause", "end", "resume"):
        getattr(sale_control, verb)(event)
        queue.drain_all()
        queued(dinner, 2) if verb != "end" else None
    catalogue.forget()
    queue.drain_all()

    assert Counter(states(event))["reserved"] == 3
    assert invariants.check() == []
