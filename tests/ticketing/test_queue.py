"""The queue in one process: batches decided, places returned, guilty orders isolated."""

from __future__ import annotations

import time
from datetime import timedelta
from unittest.mock import Mock

import pytest
from django.core.management import CommandError, call_command

from apps.ticketing import bell, clock, invariants, jobs, payments, progress, queue, reasons, reservations
from apps.ticketing.extensions import NO_OPINION, NamedAdjustment, deny, price_rules, purchase_gates
from apps.ticketing.models import Adjustment, AuditEntry, LineChoice, Order, Quota
from apps.ticketing.transitions import StaleState
from tests import factories
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db


@pytest.fixture
def event():
    return factories.event()


@pytest.fixture
def places(event):
    return factories.quota(event, 4)


@pytest.fixture
def dinner(event, places):
    return factories.ticket_type(event, places)


@pytest.fixture(autouse=True)
def promises(promises_kept):
    """Every test here ends with all promises kept."""


def states(event) -> list[str]:
    return list(Order.objects.filter(event=event).order_by("rank").values_list("state", flat=True))


def test_drain_decides_by_rank(event, dinner, places):
    for number in (3, 2, 1, 1):
        factories.order(event, factories.wanted(dinner, number), fewer_is_fine=False)

    assert queue.drain(event.pk) == 4

    assert states(event) == ["reserved", "waiting", "reserved", "waiting"]
    places.refresh_from_db()
    assert places.taken == 4


@pytest.mark.usefixtures("kept_for_long")
def test_place_of_who_waits_is_that_of_a_count_and_asked_for_once(
    event, dinner, monkeypatch, django_assert_num_queries
):
    party = factories.ticket_type(event, factories.quota(event, 1), name_en="Party")
    both = factories.ticket_type(event, dinner.quotas.get(), party.quotas.get(), name_en="Both")
    factories.order(event, factories.wanted(dinner, 4))
    factories.order(event, factories.wanted(party))
    waiting = [
        factories.order(event, factories.wanted(dinner, 2)),
        factories.order(event, factories.wanted(party, 1) + factories.wanted(both, 1)),
        factories.order(event, factories.wanted(both, 3)),
        factories.order(event, factories.wanted(dinner, 1)),
    ]
    queue.drain(event.pk)
    factories.order(event, factories.wanted(dinner))  # queued behind them
    for order in waiting:
        order.refresh_from_db()
    assert {order.state for order in waiting} == {"waiting"}

    hall, floor = dinner.quotas.get().pk, party.quotas.get().pk

    def places() -> list[tuple[int, int, int]]:
        found = [queue.ahead_and_wanted(order) for order in waiting]
        return [(orders, wanted.get(hall, 0), wanted.get(floor, 0)) for orders, wanted in found]

    with django_assert_num_queries(1):
        read = places()
    queue.line.forget()
    monkeypatch.setattr(queue, "LONGEST_READ", 3)
    with django_assert_num_queries(1 + 4):
        counted = places()

    assert read == counted == [(0, 0, 0), (1, 2, 0), (2, 3, 2), (3, 6, 5)]


def test_choices_count_among_what_those_before_want(event, dinner):
    cellar = factories.quota(event, 10)
    wine = factories.choice(factories.variation(dinner, kind="many"), cellar, max_quantity=3)
    for _ in range(2):
        factories.order(event, factories.wanted(dinner, 2, (wine, 3)))
    mine = factories.order(event, factories.wanted(dinner))

    assert queue.ahead_and_wanted(mine) == (2, {dinner.quotas.get().pk: 4, cellar.pk: 12})


def test_reserve_freezes_price_choices_vat_and_adjustments(event, dinner):
    free = factories.choice(factories.variation(dinner), delta_minor=-1_000)
    order = factories.order(event, factories.wanted(dinner, 1, (free, 1)))

    queue.drain(event.pk)
    dinner.price_minor = 99_900
    dinner.save()

    order.refresh_from_db()
    line = order.lines.get()
    assert (line.list_minor, line.price_minor, line.vat_percent, line.vat_minor) == (24_000, 24_000, 25, 4_800)
    assert order.total_minor == 24_000
    assert LineChoice.objects.get(line=line).delta_minor == -1_000


def test_reserve_holds_for_fifteen_minutes_by_the_database_clock(event, dinner):
    order = factories.order(event, factories.wanted(dinner))
    with clock_moved(timedelta(days=3)):
        before = clock.now()
        queue.drain(event.pk)
        after = clock.now()

    order.refresh_from_db()
    assert order.reserved_until
    assert before + timedelta(minutes=15) <= order.reserved_until <= after + timedelta(minutes=15)


def test_expire_gives_the_place_to_the_next_in_line(event, dinner):
    orders = [factories.order(event, factories.wanted(dinner, 4), fewer_is_fine=False) for _ in range(3)]
    queue.drain(event.pk)
    assert states(event) == ["reserved", "waiting", "waiting"]

    with clock_moved(timedelta(minutes=15, seconds=1)):
        queue.sweep()
        queue.drain(event.pk)

        assert states(event) == ["expired", "reserved", "waiting"]
        orders[0].refresh_from_db()
        assert (orders[0].reason, orders[0].reserved_until) == (reasons.HOLD_EXPIRED, None)


@pytest.mark.parametrize("lapses", [True, False], ids=["a hold lapses after the end", "nothing comes back"])
def test_nobody_is_served_once_the_event_is_over(event, dinner, lapses, monkeypatch):
    monkeypatch.setattr(queue, "BATCH", 2)
    for number in (4, 4, 1, 2):
        factories.order(event, factories.wanted(dinner, number), fewer_is_fine=False)
    queue.drain(event.pk)
    factories.order(event, factories.wanted(dinner))
    until_it_ends = event.ends_at - clock.now()
    if not lapses:
        Order.objects.filter(state="reserved").update(reserved_until=event.ends_at + timedelta(days=1))

    with clock_moved(until_it_ends + timedelta(seconds=1)):
        queue.sweep()
        queue.drain_all()

        assert queue.events_to_serve() == []

    assert states(event) == ["expired" if lapses else "reserved", *["rejected"] * 4]
    assert set(Order.objects.filter(state="rejected").values_list("reason", flat=True)) == {reasons.EVENT_OVER}


def test_what_is_held_when_the_event_ends_may_still_be_paid(event, dinner):
    order = factories.order(event, factories.wanted(dinner))
    with clock_moved(event.ends_at - clock.now() - timedelta(minutes=5)):
        queue.drain(event.pk)

    with clock_moved(event.ends_at - clock.now() + timedelta(minutes=5)):
        payments.start(order, "sandbox", "https://foyer.example/")

    assert order.payments.count() == 1


def test_expire_leaves_a_hold_that_still_runs(event, dinner):
    factories.order(event, factories.wanted(dinner))
    queue.drain(event.pk)

    with clock_moved(timedelta(minutes=14, seconds=50)):
        assert reservations.expire_overdue(clock.now()) == []


def test_returned_places_go_to_those_who_waited_before_newcomers(event, dinner):
    first = factories.order(event, factories.wanted(dinner, 4), fewer_is_fine=False)
    factories.order(event, factories.wanted(dinner, 4), fewer_is_fine=False)
    queue.drain(event.pk)
    factories.order(event, factories.wanted(dinner, 4), fewer_is_fine=False)

    reservations.release([first.pk], "reserved", "cancelled", reasons.CANCELLED_BY_BUYER)
    queue.drain(event.pk)

    assert states(event) == ["cancelled", "reserved", "waiting"]


@pytest.mark.parametrize(
    ("is_guarded", "expected"),
    [
        pytest.param(True, ["cancelled", "reserved", "waiting"], id="in-rank-order"),
        pytest.param(False, ["cancelled", "waiting", "reserved"], id="control-without-the-look-under-lock"),
    ],
)
@pytest.mark.parametrize("is_halved", [False, True], ids=["whole-batch", "batch-that-fails"])
def test_places_that_come_back_after_the_look_at_returns_go_to_who_waited(
    event, dinner, monkeypatch, is_guarded, expected, is_halved
):
    first = factories.order(event, factories.wanted(dinner, 4), fewer_is_fine=False)
    factories.order(event, factories.wanted(dinner, 4), fewer_is_fine=False)
    queue.drain(event.pk)
    factories.order(event, factories.wanted(dinner, 4), fewer_is_fine=False)
    look = queue._serve_returns

    def look_too_early(event_id):
        served = look(event_id)
        reservations.release([first.pk], "reserved", "cancelled", reasons.CANCELLED_BY_BUYER)
        return served

    monkeypatch.setattr(queue, "_serve_returns", look_too_early)
    if not is_guarded:
        monkeypatch.setattr(reservations, "_somebody_waits", lambda event_id: False)
    if is_halved:
        factories.order(event, factories.wanted(dinner, 4), email="guilty@example.org", fewer_is_fine=False)

    with price_rules.temporarily(FailsFor("guilty@example.org", in_prepare=True)):
        queue.drain(event.pk)

    assert states(event)[:3] == expected


def test_resize_upwards_serves_the_waiting_and_never_goes_below_taken(event, dinner, places):
    for number in (4, 2):
        factories.order(event, factories.wanted(dinner, number), fewer_is_fine=False)
    queue.drain(event.pk)

    reservations.resize(places, 6)
    queue.drain(event.pk)

    assert states(event) == ["reserved", "reserved"]
    with pytest.raises(reservations.BelowTaken):
        reservations.resize(places, 5)
    assert Quota.objects.get().size == 6


def test_offer_accepted_is_reserved_for_the_part(event, dinner, places):
    factories.order(event, factories.wanted(dinner, 2))
    partial = factories.order(event, factories.wanted(dinner, 3))
    queue.drain(event.pk)
    partial.refresh_from_db()
    assert (partial.state, partial.reason, partial.total_minor) == ("offered", reasons.PARTIAL, 50_000)

    reservations.accept_offer(partial)

    partial.refresh_from_db()
    assert (partial.state, partial.reason, partial.total_minor) == ("reserved", "", 50_000)
    assert [(line.is_wanted, line.is_held) for line in partial.lines.all()] == [
        (True, True), (True, True), (False, False),
    ]  # fmt: skip


def test_offer_declined_waits_for_all_and_keeps_its_rank(event, dinner, places):
    first = factories.order(event, factories.wanted(dinner, 2))
    partial = factories.order(event, factories.wanted(dinner, 3))
    queue.drain(event.pk)
    partial.refresh_from_db()
    rank = partial.rank

    reservations.decline_offer(partial)
    queue.drain(event.pk)
    assert (partial.state, partial.rank, partial.fewer_is_fine) == ("waiting", rank, False)
    reservations.release([first.pk], "reserved", "cancelled", "")
    queue.drain(event.pk)

    partial.refresh_from_db()
    assert (partial.state, partial.total_minor) == ("reserved", 75_000)


def test_offer_cannot_be_accepted_twice(event, dinner, places):
    factories.order(event, factories.wanted(dinner, 2))
    partial = factories.order(event, factories.wanted(dinner, 3))
    queue.drain(event.pk)
    partial.refresh_from_db()
    reservations.accept_offer(partial)

    with pytest.raises(StaleState):
        reservations.accept_offer(partial)


def test_extend_gives_five_minutes_once(event, dinner):
    order = factories.order(event, factories.wanted(dinner))
    queue.drain(event.pk)
    order.refresh_from_db()
    until = order.reserved_until
    assert until

    assert reservations.extend(order) is True
    assert order.reserved_until == until + timedelta(minutes=5)
    assert reservations.extend(order) is False
    assert order.reserved_until == until + timedelta(minutes=5)


def test_extend_is_kept_for_when_payment_has_opened(event, dinner):
    order = factories.order(event, factories.wanted(dinner))
    queue.drain(event.pk)
    opens = clock.now() + timedelta(minutes=2)
    Order.objects.update(pays_from=opens, reserved_until=opens + timedelta(minutes=15))

    assert reservations.extend(order) is False
    with clock_moved(timedelta(minutes=3)):
        assert reservations.extend(order) is True


def test_extend_refuses_a_hold_that_is_over(event, dinner):
    order = factories.order(event, factories.wanted(dinner))
    queue.drain(event.pk)

    with clock_moved(timedelta(minutes=16)):
        assert reservations.extend(order) is False


def test_retake_claims_places_again_only_while_all_are_free(event, dinner, places):
    orders = [factories.order(event, factories.wanted(dinner, 3), fewer_is_fine=False) for _ in range(2)]
    queue.drain(event.pk)
    reservations.release([orders[0].pk], "reserved", "expired", reasons.HOLD_EXPIRED)

    assert reservations.retake(orders[0]) is True
    places.refresh_from_db()
    assert places.taken == 3
    reservations.give_back(orders[0].lines.all())
    queue.drain(event.pk)
    assert reservations.retake(orders[0]) is False


def test_recount_repairs_drift(event, dinner, places):
    factories.order(event, factories.wanted(dinner, 2))
    queue.drain(event.pk)
    Quota.objects.update(taken=4)

    assert reservations.recount(event.pk) == {places.pk: -2}

    assert Quota.objects.get().taken == 2


def test_limits_per_person_hold_over_time(event, places):
    single = factories.ticket_type(event, places, max_per_person=1)
    for emails in (["a@example.org", "b@example.org"], ["A+again@example.org", "c@example.org"], ["a@example.org"]):
        for email in emails:
            factories.order(event, factories.wanted(single), email=email)
        queue.drain(event.pk)

    assert states(event) == ["reserved", "reserved", "rejected", "reserved", "rejected"]


def test_moves_are_audited_with_reason(event, dinner, places):
    factories.order(event, factories.wanted(dinner, 6))
    order = factories.order(event, factories.wanted(dinner, 1))
    queue.drain(event.pk)

    entry = AuditEntry.objects.get(row_id=order.pk)
    assert (entry.model, entry.old, entry.new, entry.reason) == (
        "ticketing.order", "queued", "waiting", reasons.SOLD_OUT,
    )  # fmt: skip


def test_drain_takes_the_same_number_of_queries_for_one_and_for_many(event, dinner):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    Quota.objects.update(size=1_000)
    counts = []
    for number in (1, 1, 60):  # the first finds the event's names not yet in memory
        for _ in range(number):
            factories.order(event, factories.wanted(dinner, 2))
        with CaptureQueriesContext(connection) as captured:
            assert queue.drain(event.pk) == number
        counts.append(len(captured))

    assert counts[1] == counts[2]


class FailsFor:
    """A price rule and gate that raises for one address, in `prepare` or line by line."""

    slug = "fails"

    def __init__(self, email: str, *, in_prepare: bool) -> None:
        self.email, self.in_prepare = email, in_prepare

    def _check(self, contexts) -> None:
        if any(context.email == self.email for context in contexts):
            raise RuntimeError("a plugin's mistake")

    def prepare(self, contexts, at):
        if self.in_prepare:
            self._check(contexts)

    def adjustments(self, context, line, answers):
        self._check([context])
        return [NamedAdjustment("fails", "Rabatt", "Discount", -1_000)]

    def claim(self, order_lines):
        pass

    def release(self, order_line_ids):
        pass


@pytest.mark.parametrize("in_prepare", [True, False], ids=["in prepare", "in a line"])
def test_a_failing_plugin_harms_one_order_only(event, dinner, in_prepare):
    Quota.objects.update(size=1_000)
    for number in range(30):
        factories.order(event, factories.wanted(dinner), email=f"buyer{number}@example.org")

    with price_rules.temporarily(FailsFor("buyer17@example.org", in_prepare=in_prepare)):
        for minutes in range(3):
            with clock_moved(timedelta(seconds=10 * minutes)):
                queue.drain(event.pk)

    guilty = Order.objects.get(email="buyer17@example.org")
    assert (guilty.state, guilty.reason, guilty.tries) == ("rejected", reasons.INTERNAL_ERROR, 3)
    assert Order.objects.filter(state="reserved").count() == 29
    assert Adjustment.objects.count() == 29


def test_adjustments_never_take_a_price_below_zero(event, places):
    cheap = factories.ticket_type(event, places, price_minor=600)
    order = factories.order(event, factories.wanted(cheap))

    with price_rules.temporarily(FailsFor("nobody", in_prepare=True)):
        queue.drain(event.pk)

    line = order.lines.get()
    assert (line.list_minor, line.price_minor) == (600, 0)
    assert [row.amount_minor for row in line.adjustments.all()] == [-600]


class Bouncer:
    slug = "bouncer"

    def prepare(self, contexts, at):
        return {context.order_id for context in contexts if context.email.endswith("@banned.example")}

    def opinion(self, context, line, answers):
        return deny(reasons.REFUSED) if context.order_id in answers else NO_OPINION


def test_a_gate_that_denies_wins(event, dinner):
    factories.order(event, factories.wanted(dinner), email="a@banned.example")
    factories.order(event, factories.wanted(dinner), email="b@example.org")

    with purchase_gates.temporarily(Bouncer()):
        queue.drain(event.pk)

    assert states(event) == ["rejected", "reserved"]


class CannotRelease(FailsFor):
    """A price rule that gives a discount to all and cannot take it back from one."""

    slug = "fails"

    def __init__(self) -> None:
        super().__init__("nobody", in_prepare=True)
        self.poison: set[int] = set()

    def release(self, order_line_ids):
        if self.poison & set(order_line_ids):
            raise RuntimeError("a plugin's mistake")


def test_a_hold_that_cannot_be_released_keeps_no_other_one(event, dinner):
    rule = CannotRelease()
    with price_rules.temporarily(rule):
        orders = [factories.order(event, factories.wanted(dinner)) for _ in range(4)]
        queue.drain(event.pk)
        rule.poison = {orders[1].lines.get().pk}

        with clock_moved(timedelta(minutes=16)):
            queue.sweep()
            assert states(event) == ["expired", "reserved", "expired", "expired"]
            rule.poison = set()
            queue.sweep()  # left for a minute, so that one bad order does not fill the log
            assert states(event)[1] == "reserved"
        with clock_moved(timedelta(minutes=18)):
            queue.sweep()

            assert states(event) == ["expired"] * 4


def test_a_waiting_order_whose_try_failed_is_tried_again(event, dinner):
    first = factories.order(event, factories.wanted(dinner, 4))
    waiting = factories.order(event, factories.wanted(dinner, 4), email="slow@example.org", fewer_is_fine=False)
    queue.drain(event.pk)
    with price_rules.temporarily(FailsFor("slow@example.org", in_prepare=True)):
        reservations.release([first.pk], "reserved", "cancelled", "")
        queue.drain(event.pk)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.tries) == ("waiting", 1)

    with clock_moved(timedelta(seconds=3)):
        assert queue.events_to_serve() == [event.pk]
        queue.drain(event.pk)

    assert states(event) == ["cancelled", "reserved"]


def test_an_offer_whose_time_is_up_cannot_be_accepted(event, dinner):
    partial = factories.order(event, factories.wanted(dinner, 6))
    queue.drain(event.pk)
    partial.refresh_from_db()

    with clock_moved(timedelta(minutes=5, seconds=1)), pytest.raises(StaleState):
        reservations.accept_offer(partial)


def test_no_hold_is_extended_beyond_thirty_minutes(event, dinner):
    order = factories.order(event, factories.wanted(dinner))
    queue.drain(event.pk)
    order.refresh_from_db()
    assert order.decided_at is not None
    Order.objects.update(reserved_until=order.decided_at + timedelta(minutes=28))

    assert reservations.extend(order) is True
    assert order.reserved_until == order.decided_at + timedelta(minutes=30)


def test_retake_refuses_whoever_has_bought_again_up_to_the_limit(event, places):
    single = factories.ticket_type(event, places, max_per_person=1)
    late = factories.order(event, factories.wanted(single), email="a@example.org")
    queue.drain(event.pk)
    reservations.release([late.pk], "reserved", "expired", reasons.HOLD_EXPIRED)
    factories.order(event, factories.wanted(single), email="a@example.org")
    queue.drain(event.pk)
    late.refresh_from_db()

    assert reservations.retake(late) is False


def test_recount_command_says_what_it_corrected(event, dinner, places, capsys):
    factories.order(event, factories.wanted(dinner, 2))
    queue.drain(event.pk)
    Quota.objects.update(taken=4)

    call_command("recount")

    assert capsys.readouterr().out.splitlines() == [
        f"{event}, {places.name}: corrected by -2 to 2",
        "1 counter corrected.",
    ]


def test_recount_counts_up_as_well_choices_too(event, dinner):
    wine = factories.quota(event, 5)
    glass = factories.choice(factories.variation(dinner, kind="many"), wine, max_quantity=3)
    factories.order(event, factories.wanted(dinner, 1, (glass, 3)))
    queue.drain(event.pk)
    Quota.objects.filter(pk=wine.pk).update(taken=1)

    assert reservations.recount(event.pk) == {wine.pk: 2}

    wine.refresh_from_db()
    assert wine.taken == 3
    assert invariants.check() == []


def test_places_that_a_recount_finds_go_to_who_waits(event, dinner):
    Quota.objects.update(taken=3)
    factories.order(event, factories.wanted(dinner, 3), fewer_is_fine=False)
    queue.drain(event.pk)
    assert states(event) == ["waiting"]

    reservations.recount(event.pk)
    queue.drain_all()

    assert states(event) == ["reserved"]


def test_recount_says_which_quota_holds_more_than_it_has_and_sets_the_others_right(event, dinner, places, capsys):
    factories.order(event, factories.wanted(dinner, 3))
    queue.drain(event.pk)
    Quota.objects.filter(pk=places.pk).update(taken=0, size=2)
    other = factories.quota(factories.event(), 5, taken=1)

    with pytest.raises(CommandError) as told:
        call_command("recount")

    assert str(told.value) == (
        f"{event}, {places.name}: 3 places are sold or held, but there are 2. Nothing of this event was changed."
        " Raise the quota to 3 or refund tickets, then run this again."
    )
    assert capsys.readouterr().out.splitlines() == [
        f"{other.event}, {other.name}: corrected by -1 to 0",
        "1 counter corrected.",
    ]
    places.refresh_from_db()
    assert places.taken == 0
    reservations.resize(places, 3)
    assert reservations.recount(event.pk) == {places.pk: 3}


def test_status_counts_those_ahead(event, dinner):
    orders = [factories.order(event, factories.wanted(dinner)) for _ in range(3)]

    assert [queue.ahead(order) for order in orders] == [0, 1, 2]
    queue.drain(event.pk)
    assert progress.of(event.pk) == progress.Progress(decided=3, rate=0.3, held=3)


def test_check_finds_a_broken_promise(event, dinner, places):
    factories.order(event, factories.wanted(dinner, 2))
    queue.drain(event.pk)
    Quota.objects.update(taken=3)

    assert [violation.promise for violation in invariants.check()] == [
        "a quota's counter equals a recount of held lines"
    ]
    Quota.objects.update(taken=2)


def test_event_with_a_long_queue_lets_another_have_its_turn(monkeypatch):
    rung: list[int] = []
    monkeypatch.setattr(queue, "BATCH", 2)
    monkeypatch.setattr(queue, "SECONDS_A_TURN", 60.0)  # a slow machine ends a turn earlier
    monkeypatch.setattr(queue.bell, "ring", rung.append)
    kinds = [factories.ticket_type(made := factories.event(), factories.quota(made, 100)) for _ in range(2)]
    for kind, number in zip(kinds, (queue.BATCHES_A_TURN * 2 + 3, 1), strict=True):
        for _ in range(number):
            factories.order(kind.event, factories.wanted(kind))
    rung.clear()
    long, short = (kind.event_id for kind in kinds)

    # One worker takes the jobs in the order in which they are rung.
    assert queue.drain(long) == queue.BATCHES_A_TURN * 2
    assert rung == [long]  # behind the other event's job, which is rung already
    assert queue.drain(short) == 1
    assert queue.drain(long) == 3
    assert rung == [long]


def test_in_a_rush_one_ring_is_for_all_that_was_written_before_it(monkeypatch):
    rung: list[tuple[int, int]] = []
    written: list[int] = []
    monkeypatch.setattr(bell, "_ring", lambda event: rung.append((event, len(written))))
    monkeypatch.setattr(bell, "TOGETHER_SECONDS", 0.2)
    for number in range(bell.RUSH + 30):
        written.append(number)
        bell.ring(-7)
    bell.ring(-8)
    assert rung == [*((-7, number) for number in range(1, bell.RUSH + 1)), (-8, bell.RUSH + 30)]

    deadline = time.monotonic() + 5
    while len(rung) == bell.RUSH + 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert rung[bell.RUSH + 1 :] == [(-7, bell.RUSH + 30)]
    time.sleep(bell.RUSH_SECONDS)
    bell.ring(-7)

    assert len(rung) == bell.RUSH + 3  # alone again, and heard at once


def test_bell_of_a_rush_is_rung_where_no_thread_can_be_had(monkeypatch):
    rung: list[int] = []
    monkeypatch.setattr(bell, "_ring", rung.append)
    monkeypatch.setattr(bell.Timer, "start", Mock(side_effect=RuntimeError("can't start new thread")))

    for _ in range(bell.RUSH + 5):
        bell.ring(-9)

    assert rung == [-9] * (bell.RUSH + 5)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("number", "other_rings", "decided"),
    [
        pytest.param(queue.A_FEW, False, queue.A_FEW + 1, id="a few leave a moment for one more"),
        pytest.param(queue.A_FEW, True, queue.A_FEW, id="not while another event asks for the worker"),
        pytest.param(1, False, 1, id="nobody who orders alone waits"),
    ],
)
def test_a_few_orders_leave_a_moment_for_more_to_be_decided_with(monkeypatch, number, other_rings, decided):
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 100))
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            factories.order(event, factories.wanted(kind))

    monkeypatch.setattr(queue.time, "sleep", wait)
    for _ in range(number):
        factories.order(event, factories.wanted(kind))
    jobs.queue_of(bell.QUEUE).empty()  # the worker has taken the job it was rung for
    if other_rings:
        bell.ring(factories.event().pk)

    assert queue.drain(event.pk, gathers=True) == decided
    assert waits == [queue.GATHER_SECONDS] * (decided > number)
