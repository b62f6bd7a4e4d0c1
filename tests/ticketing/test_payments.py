"""Starting, settling and closing payments: one per order, forward only, and no money kept that buys nothing."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from django.db import connection

from apps.ticketing import clock, invariants, outbox, payments, queue, reasons, reservations
from apps.ticketing.extensions import ProviderRefused, Started, UnknownOutcome, payment_providers
from apps.ticketing.models import AuditEntry, Effect, Order, Payment, Posting, Quota, Refund, Ticket
from apps.ticketing.payments import base, settle
from tests import factories
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db


class Bank:
    """A provider whose answers the test chooses: `states` by reference, errors by call."""

    label = "Bank"
    starts_per_second = None

    def __init__(self, slug="bank"):
        self.slug = slug
        self.states: dict[str, str] = {}
        self.calls: list[tuple[str, str]] = []
        self.errors: dict[str, list[Exception]] = {}
        self.amount_minor: int | None = None

    def _called(self, what, key):
        self.calls.append((what, key))
        if self.errors.get(what):
            raise self.errors[what].pop(0)

    def is_available(self, currency):
        return currency == "SEK"

    def start(self, payment, *, key, return_url):
        reference = f"charge-of-{key}"
        self.states.setdefault(reference, "action_needed")
        self._called("start", key)
        return Started(reference, f"https://bank.example/{reference}")

    def fetch(self, payment):
        self._called("fetch", payment.provider_reference)
        return self._notice(payment)

    def cancel(self, payment, *, key):
        self._called("cancel", key)
        if self.states[payment.provider_reference] == "action_needed":
            self.states[payment.provider_reference] = "cancelled"
        return self._notice(payment)

    def _notice(self, payment):
        state = self.states[payment.provider_reference]
        amount = self.amount_minor or payment.amount_minor
        return factories.notice(payment, state, amount_minor=amount)

    def named(self, what):
        return [key for name, key in self.calls if name == what]


@pytest.fixture(autouse=True)
def promises(promises_kept):
    """Every test here ends with all promises kept."""


@pytest.fixture
def bank():
    with payment_providers.temporarily(Bank()) as registered:
        yield registered


@pytest.fixture
def order():
    return factories.reserved_order(2, price_minor=25_000)


def pay(order, bank, state="captured"):
    """The buyer's way through the bank up to its word."""
    payment = payments.open(payments.start(order, bank.slug, "https://foyer.example/order/"))
    bank.states[payment.provider_reference] = state
    return payment


def told(payment, state="captured", **values):
    settle.settle(factories.notice(payment, state, **values), provider=payment.provider)


def alive(order):
    return Ticket.objects.filter(line__order=order).exclude(state="revoked").count()


# --- Starting --------------------------------------------------------------------------------------------------------


def test_start_then_open_leads_to_the_bank(order, bank):
    payment = payments.start(order, "bank", "https://foyer.example/order/")
    assert (payment.state, payment.amount_minor, payment.redirect_url, bank.calls) == ("started", 50_000, "", [])

    payment = payments.open(payment)

    key = f"payment.start:{payment.public_id}"
    assert (payment.state, payment.provider_reference) == ("action_needed", f"charge-of-{key}")
    assert payment.redirect_url == f"https://bank.example/charge-of-{key}"
    assert Effect.objects.get(key=key).state == "done"


def test_start_twice_gives_the_same_payment_and_calls_the_bank_once(order, bank):
    first = payments.open(payments.start(order, "bank", ""))

    second = payments.open(payments.start(order, "bank", ""))

    assert first == second
    assert len(bank.named("start")) == 1


def test_start_with_another_provider_closes_the_first(order, bank):
    other = Bank("other")
    with payment_providers.temporarily(other):
        first = pay(order, bank, "action_needed")

        second = pay(order, other, "action_needed")
        outbox.run_all(kinds=["payment.close"])

        first.refresh_from_db()
        assert (first.state, second.state) == ("cancelled", "action_needed")
        assert bank.states[first.provider_reference] == "cancelled"


@pytest.mark.parametrize("state", ["processing", "unknown"])
def test_start_with_another_provider_waits_for_a_payment_in_doubt(order, bank, state):
    other = Bank("other")
    with payment_providers.temporarily(other):
        first = pay(order, bank)
        told(first, "processing")
        if state == "unknown":
            settle.lose_sight(first)

        assert payments.start(order, "other", "") == first
        assert other.calls == []


def test_start_of_an_order_over_nothing_settles_it_at_once(bank):
    order = factories.reserved_order(2, price_minor=0)

    assert payments.start(order, "", "") is None

    order.refresh_from_db()
    assert (order.state, alive(order), Payment.objects.count(), bank.calls) == ("paid", 2, 0, [])


def test_start_of_a_paid_order_returns_what_paid_it(order, bank):
    payment = pay(order, bank)
    told(payment)

    assert payments.start(order, "bank", "") == payment


def test_start_refuses_when_the_hold_is_over(order, bank):
    with clock_moved(timedelta(minutes=16)), pytest.raises(payments.NotPayable) as refusal:
        payments.start(order, "bank", "")

    assert refusal.value.reason == reasons.HOLD_EXPIRED
    assert not Payment.objects.exists()


@pytest.mark.parametrize("slug", ["bank", "nobody"])
def test_start_refuses_a_provider_that_is_not_available(slug, bank):
    order = factories.reserved_order(1)
    Order.objects.filter(pk=order.pk).update(currency="EUR")

    with pytest.raises(payments.NotPayable) as refusal:
        payments.start(order, slug, "")

    assert reasons.sentence(refusal.value.reason) != reasons.sentence(reasons.REFUSED)


def test_start_that_the_bank_refuses_keeps_the_hold(order, bank):
    bank.errors["start"] = [ProviderRefused(reasons.PAYMENT_DECLINED)]

    payment = payments.open(payments.start(order, "bank", ""))

    order.refresh_from_db()
    assert (payment.state, payment.reason, order.state) == ("failed", reasons.PAYMENT_DECLINED, "reserved")


def test_start_whose_answer_is_lost_is_unknown_and_asked_again_under_the_same_key(order, bank):
    bank.errors["start"] = [UnknownOutcome("time-out")]

    payment = payments.open(payments.start(order, "bank", ""))
    assert (payment.state, payment.redirect_url) == ("unknown", "")

    with clock_moved(timedelta(seconds=30)):
        outbox.sweep()
        outbox.run_all(kinds=["payment.start"])

    payment.refresh_from_db()
    assert payment.state == "action_needed"
    assert len(set(bank.named("start"))) == 1
    assert len(bank.states) == 1


def test_a_page_that_died_is_taken_over_by_the_sweeper(order, bank):
    payment = payments.start(order, "bank", "")

    outbox.run_all()
    assert bank.calls == []
    with clock_moved(timedelta(seconds=base.START_TAKEN_OVER_SECONDS + 1)):
        outbox.run_all(kinds=["payment.start"])

    payment.refresh_from_db()
    assert payment.state == "action_needed"


# --- What the provider tells ---------------------------------------------------------------------------------------


def test_captured_pays_the_order_and_issues_its_tickets(order, bank):
    payment = pay(order, bank)

    told(payment)

    order.refresh_from_db()
    payment.refresh_from_db()
    assert (order.state, order.reserved_until, order.paid_at) == ("paid", None, payment.captured_at)
    assert alive(order) == 2
    assert Effect.objects.filter(key=f"mail.send:order_confirmation:{order.public_id}").exists()


@pytest.mark.parametrize(
    ("paid_with", "kept"),
    [
        ("Visa ···· 4242", "Visa ···· 4242"),
        ("Swish\0\n", "Swish"),
        ("x" * 300, "x" * 60),
        (None, ""),
        (4242, "4242"),
    ],
)
def test_odd_words_about_the_card_do_not_stand_between_money_and_tickets(order, bank, paid_with, kept):
    payment = pay(order, bank)

    settle.settle(factories.notice(payment, paid_with=paid_with), provider="bank")

    order.refresh_from_db()
    payment.refresh_from_db()
    assert (order.state, payment.paid_with, alive(order)) == ("paid", kept, 2)


def test_the_same_word_a_hundred_times_has_one_effect(order, bank):
    payment = pay(order, bank)

    for _ in range(100):
        told(payment)

    assert (alive(order), Posting.objects.filter(order=order).count()) == (2, 1)
    assert Effect.objects.filter(kind="mail.send", payload__name="order_confirmation").count() == 1


@pytest.mark.parametrize(
    "words",
    list(itertools.permutations(["action_needed", "processing", "captured", "failed"])),
    ids=lambda words: "-".join(word[0] for word in words),
)
def test_any_order_of_words_ends_the_same(order, bank, words):
    """A buyer tried one card in vain and paid with the next; each word may come at any time, and twice."""
    payment = pay(order, bank)

    for word in (*words, *words):
        told(payment, word)

    order.refresh_from_db()
    payment.refresh_from_db()
    assert (payment.state, order.state, alive(order), Refund.objects.count()) == ("captured", "paid", 2, 0)


def test_declined_keeps_the_hold_for_another_try(order, bank):
    payment = pay(order, bank)
    with clock_moved(timedelta(minutes=13)):
        at = clock.now()
        told(payment, "failed")

        order.refresh_from_db()
        assert order.state == "reserved"
        assert timedelta(minutes=9, seconds=59) < order.reserved_until - at < timedelta(minutes=10, seconds=1)
        assert pay(order, bank, "action_needed").state == "action_needed"


def test_only_the_first_decline_lengthens_the_hold_and_never_beyond_thirty_minutes(order, bank):
    order.refresh_from_db()
    Order.objects.filter(pk=order.pk).update(reserved_until=order.decided_at + timedelta(minutes=28))
    with clock_moved(timedelta(minutes=27)):
        told(pay(order, bank), "failed")
        order.refresh_from_db()
        assert order.reserved_until == order.decided_at + timedelta(minutes=30)

    with clock_moved(timedelta(minutes=29)):
        told(pay(order, bank), "failed")
        order.refresh_from_db()
        assert order.reserved_until == order.decided_at + timedelta(minutes=30)


def test_a_decline_never_shortens_the_hold(order, bank):
    before = order.reserved_until

    told(pay(order, bank), "failed")

    order.refresh_from_db()
    assert order.reserved_until == before


def test_words_about_a_payment_we_do_not_know_change_nothing_and_alarm(order, bank, caplog):
    stranger = factories.notice(pay(order, bank), our_id="6e1b3c1e-0000-4000-8000-000000000000")

    settle.settle(stranger, provider="bank")

    assert "do not know" in caplog.text
    order.refresh_from_db()
    assert order.state == "reserved"


def test_words_of_one_provider_do_not_settle_the_payment_of_another(order, bank):
    payment = pay(order, bank)

    settle.settle(factories.notice(payment), provider="sandbox")

    order.refresh_from_db()
    assert order.state == "reserved"


# --- Money that buys nothing ---------------------------------------------------------------------------------------


def expire(order):
    """The hold ends although a payment is open: the bank was not reached in time."""
    Payment.objects.filter(order=order).update(state="cancelled")
    with clock_moved(timedelta(minutes=16)):
        reservations.expire_overdue(clock.now())
    order.refresh_from_db()
    assert order.state == "expired"


def test_late_money_gets_the_place_when_it_is_still_free(order, bank):
    payment = pay(order, bank)
    expire(order)

    told(payment)

    order.refresh_from_db()
    assert (order.state, alive(order), Refund.objects.count()) == ("paid", 2, 0)
    assert Quota.objects.get(event=order.event).taken == 2


def test_late_money_goes_back_when_it_is_full(bank):
    order = factories.reserved_order(2, size=2)
    payment = pay(order, bank)
    expire(order)
    other = factories.order(order.event, factories.wanted(order.lines.first().ticket_type))
    queue.drain(order.event_id)

    told(payment)

    order.refresh_from_db()
    other.refresh_from_db()
    refund = Refund.objects.get()
    assert (order.state, other.state, alive(order)) == ("expired", "reserved", 0)
    assert (refund.amount_minor, refund.reason, refund.state) == (50_000, reasons.LATE_PAYMENT, "ordered")
    assert Effect.objects.filter(kind="refund.send", payload__refund=refund.pk).exists()


def test_money_for_a_cancelled_order_goes_back(order, bank):
    from apps.ticketing import ordering

    payment = pay(order, bank)
    ordering.cancel(order)

    told(payment)

    order.refresh_from_db()
    assert (order.state, Refund.objects.get().amount_minor, alive(order)) == ("cancelled", 50_000, 0)


def test_a_second_capture_goes_back_with_an_alert(order, bank, caplog):
    other = Bank("other")
    with payment_providers.temporarily(other):
        first = pay(order, bank)
        second = pay(order, other)
        told(first)

        told(second)

    order.refresh_from_db()
    refund = Refund.objects.get()
    assert (order.state, alive(order)) == ("paid", 2)
    assert (refund.payment, refund.amount_minor, refund.reason) == (second, 50_000, settle.SECOND_CAPTURE)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert Effect.objects.filter(key=f"mail.send:payment_alert:{second.public_id}").exists()


@pytest.mark.parametrize(
    "came",
    [{"amount_minor": 49_999}, {"amount_minor": 50_001}, {"currency": "EUR"}],
    ids=["less", "more", "other money"],
)
def test_a_wrong_sum_goes_back_with_an_alert(order, bank, caplog, came):
    payment = pay(order, bank)

    told(payment, **came)

    order.refresh_from_db()
    refund = Refund.objects.get()
    assert (order.state, alive(order)) == ("reserved", 0)
    assert (refund.amount_minor, refund.currency) == (came.get("amount_minor", 50_000), came.get("currency", "SEK"))
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_payment_closed_by_us_but_paid_at_the_bank_pays_the_order(order, bank):
    """The buyer changed the provider, yet finished the first payment in another tab."""
    other = Bank("other")
    with payment_providers.temporarily(other):
        first = pay(order, bank)
        second = pay(order, other, "action_needed")

        outbox.run_all(kinds=["payment.close"])

        order.refresh_from_db()
        first.refresh_from_db()
        second.refresh_from_db()
        assert (order.state, first.state, second.state) == ("paid", "captured", "cancelled")
        assert other.states[second.provider_reference] == "cancelled"


# --- Asking --------------------------------------------------------------------------------------------------------


def test_refresh_finds_out_what_a_late_notice_would_tell(order, bank):
    pay(order, bank)

    assert payments.refresh(order).state == "paid"


def test_refresh_asks_at_most_every_two_seconds(order, bank):
    pay(order, bank, "action_needed")

    for _ in range(5):
        payments.refresh(order)
    assert len(bank.named("fetch")) == 1

    with clock_moved(timedelta(seconds=3)):
        payments.refresh(order)
    assert len(bank.named("fetch")) == 2


def test_an_answer_lost_on_asking_is_unknown_until_the_next(order, bank):
    payment = pay(order, bank, "processing")
    bank.errors["fetch"] = [UnknownOutcome()]

    payments.fetch(payment.pk)
    payment.refresh_from_db()
    assert payment.state == "unknown"

    payments.fetch(payment.pk)
    payment.refresh_from_db()
    assert payment.state == "processing"


def test_catch_up_rings_for_payments_open_for_long_and_not_again_at_once(order, bank, monkeypatch):
    rung = []
    monkeypatch.setattr(base.jobs, "ring", lambda job, ids, **_: rung.append((job, list(ids))))
    payment = pay(order, bank, "action_needed")

    payments.catch_up()
    assert rung == []

    with clock_moved(timedelta(seconds=31)):
        payments.catch_up()
        payments.catch_up()
    assert rung == [("fetch_payment", [payment.pk])]


def test_catch_up_asks_about_any_number_within_minutes_and_keeps_room_for_other_jobs(order, bank, monkeypatch):
    """Workers do two between one turn and the next, and every turn finds room for as many."""
    first = pay(order, bank, "action_needed")
    for _ in range(7):
        other = factories.order(order.event, factories.wanted(order.lines.first().ticket_type))
        factories.payment(other, provider=first.provider)
    waiting: list[int] = []
    monkeypatch.setattr(base, "CAUGHT_UP_AT_ONCE", 3)
    monkeypatch.setattr(base.jobs, "waiting", lambda _queue: len(waiting))
    monkeypatch.setattr(base.jobs, "ring", lambda _job, ids, **_: waiting.extend(ids))
    asked, longest = [], 0

    for turn in range(5):
        with clock_moved(timedelta(seconds=31 + 5 * turn)):
            payments.catch_up()
        longest = max(longest, len(waiting))
        asked += waiting[:2]
        del waiting[:2]

    assert (longest, len(asked), len(set(asked))) == (3, 8, 8)


# --- Letting go ----------------------------------------------------------------------------------------------------


def sweep_at(minutes):
    with clock_moved(timedelta(minutes=minutes)):
        payments.close_overdue()
        outbox.run_all(kinds=["payment.close"])
        reservations.expire_overdue(clock.now())


def test_overdue_hold_ends_once_its_payment_is_closed_at_the_bank(order, bank):
    payment = pay(order, bank, "action_needed")

    sweep_at(16)

    order.refresh_from_db()
    payment.refresh_from_db()
    assert (order.state, payment.state, bank.states[payment.provider_reference]) == (
        "expired",
        "cancelled",
        "cancelled",
    )


def test_overdue_hold_whose_payment_turns_out_to_be_captured_is_paid(order, bank):
    pay(order, bank, "captured")

    sweep_at(16)

    order.refresh_from_db()
    assert (order.state, alive(order)) == ("paid", 2)


def test_overdue_hold_in_doubt_gets_five_minutes_more_unseen(order, bank):
    payment = pay(order, bank, "processing")
    told(payment, "processing")
    until = order.reserved_until

    sweep_at(19)
    order.refresh_from_db()
    assert (order.state, order.reserved_until) == ("reserved", until)

    sweep_at(21)
    order.refresh_from_db()
    assert order.state == "expired"

    told(payment)
    order.refresh_from_db()
    assert (order.state, alive(order)) == ("paid", 2)


def test_overdue_hold_ends_in_time_although_the_bank_is_away(order, bank):
    pay(order, bank, "action_needed")
    bank.errors["cancel"] = [UnknownOutcome()] * 5

    sweep_at(16)
    order.refresh_from_db()
    assert order.state == "reserved"

    sweep_at(21)
    order.refresh_from_db()
    assert order.state == "expired"


def test_a_payment_never_opened_is_closed_without_a_call(order, bank):
    payments.start(order, "bank", "")

    sweep_at(16)

    order.refresh_from_db()
    assert (order.state, bank.calls) == ("expired", [])
    with clock_moved(timedelta(minutes=17)):
        outbox.run_all(kinds=["payment.start"])
    assert bank.calls == []


def test_a_payment_opened_while_it_was_given_up_is_closed_at_the_bank(order, bank):
    """The answer to the start comes when the hold is over and the payment was cancelled here."""
    bank.errors["start"] = [UnknownOutcome()]
    payment = payments.open(payments.start(order, "bank", ""))
    sweep_at(21)
    order.refresh_from_db()
    assert order.state == "expired"

    with clock_moved(timedelta(minutes=22)):
        outbox.sweep()
        outbox.run_all(kinds=["payment.start", "payment.close"])

    payment.refresh_from_db()
    assert payment.state == "cancelled"
    assert bank.states == {payment.provider_reference: "cancelled"}


def test_the_whole_story_is_in_the_audit(order, bank):
    payment = pay(order, bank)
    told(payment)

    def story(model, pk):
        moves = AuditEntry.objects.filter(model=model, row_id=pk).order_by("pk")
        return [f"{move.old} -> {move.new}" for move in moves]

    assert story("ticketing.order", order.pk) == ["queued -> reserved", "reserved -> paid"]
    assert story("ticketing.payment", payment.pk) == ["started -> action_needed", "action_needed -> captured"]
    assert invariants.check() == []
    assert not connection.needs_rollback
