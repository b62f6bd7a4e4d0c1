"""Sending money back: tickets end, places return, the debt stands until it is paid."""

from __future__ import annotations

import pytest
from django.core import mail

from apps.ticketing import clock, ledger, mails, outbox, queue, refund_rule, refund_tasks, refunds, tickets
from apps.ticketing.extensions import Notice, ProviderRefused, UnknownOutcome, payment_providers
from apps.ticketing.ledger import Account
from apps.ticketing.models import AuditEntry, Effect, Order, Quota, Refund, RefundRule, Ticket
from apps.ticketing.transitions import StaleState
from tests import factories

pytestmark = pytest.mark.django_db


class Bank:
    """A provider that sends money back as `answer` says."""

    slug = "bank"
    label = "Bank"

    def __init__(self):
        self.answer: str | Exception = "done"
        self.keys: list[str] = []

    def is_available(self, currency):
        return True

    def refund(self, refund, *, key):
        self.keys.append(key)
        if isinstance(self.answer, Exception):
            raise self.answer
        return told(refund, self.answer)


def told(refund, state, **values) -> Notice:
    facts = {
        "event_id": "",
        "kind": "refund",
        "reference": f"back-{refund.public_id}",
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "our_id": str(refund.public_id),
        **values,
    }
    return Notice(state=state, **facts)


@pytest.fixture(autouse=True)
def promises(promises_kept):
    """Every test here ends with all promises kept."""


@pytest.fixture
def bank():
    with payment_providers.temporarily(Bank()) as registered:
        yield registered


@pytest.fixture
def order(bank):
    bought = factories.reserved_order(3, price_minor=25_000)
    due = factories.payment(bought, provider="bank")
    factories.settle.settle(factories.notice(due), provider="bank")
    bought.refresh_from_db()
    return bought


def owed(order):
    return -ledger.balance(Account.BUYER_REFUNDABLE, order=order)


def test_refund_of_a_line_ends_its_ticket_and_frees_its_place(order):
    line = order.lines.first()
    person = factories.user()

    refund = refunds.order_refund(order, [line], reason="refused", actor=person)

    order.refresh_from_db()
    line.refresh_from_db()
    assert (refund.amount_minor, refund.state, list(refund.lines.all())) == (25_000, "ordered", [line])
    assert (order.state, line.is_held) == ("paid", False)
    assert line.refunded_at is not None
    assert sorted(Ticket.objects.filter(line__order=order).values_list("state", flat=True)) == [
        "revoked", "valid", "valid",
    ]  # fmt: skip
    assert (Quota.objects.get().taken, owed(order)) == (2, 25_000)


def test_refund_of_the_last_line_makes_the_order_refunded(order):
    refunds.order_refund(order, order.lines.all()[:2], reason="refused")
    refunds.order_refund(order, order.lines.all(), reason="cancelled_by_organiser")

    order.refresh_from_db()
    assert (order.state, order.reason) == ("refunded", "cancelled_by_organiser")
    assert list(Refund.objects.order_by("pk").values_list("amount_minor", flat=True)) == [50_000, 25_000]


def test_a_freed_place_goes_to_the_next_in_line(order):
    quota = Quota.objects.get()
    Quota.objects.update(size=3)
    other = factories.order(order.event, factories.wanted(order.lines.first().ticket_type))
    queue.drain(order.event_id)

    refunds.order_refund(order, order.lines.all()[:1], reason="refused")
    queue.drain(order.event_id)

    other.refresh_from_db()
    quota.refresh_from_db()
    assert (other.state, quota.taken) == ("reserved", 3)


def test_refund_keeps_a_fee(order):
    refund = refunds.order_refund(order, order.lines.all(), reason="refused", fee_minor=3_000)

    assert (refund.amount_minor, owed(order)) == (72_000, 72_000)
    assert ledger.balance(Account.FEE, order=order) == -3_000


def test_refund_of_everything_but_the_fee_moves_no_money(order):
    line = order.lines.first()

    assert refunds.order_refund(order, [line], reason="refused", fee_minor=25_000) is None

    assert (owed(order), Refund.objects.count()) == (0, 0)
    asked = Effect.objects.get(payload__name="tickets_ended", order=order)
    assert (asked.payload["lines"], asked.payload["fee_minor"]) == ([line.pk], 25_000)


def test_refund_of_a_free_ticket_moves_no_money():
    from apps.ticketing import payments

    order = factories.reserved_order(1, price_minor=0)
    payments.start(order, "", "")

    assert refunds.order_refund(order, order.lines.all(), reason="refused") is None

    order.refresh_from_db()
    assert (order.state, Quota.objects.get().taken) == ("refunded", 0)
    assert Effect.objects.filter(payload__name="tickets_ended", order=order).count() == 1


@pytest.mark.parametrize(
    ("given_back_minor", "fee_minor", "why"),
    [
        (0, 25_000, "Arrangören behåller 250\xa0kr som avgift, vilket är allt de kostade: inga pengar går tillbaka."),
        (25_000, 0, "Allt de kostade har du fått tillbaka tidigare, så inga fler pengar går tillbaka."),
        (
            20_000,
            5_000,
            "200\xa0kr av priset har du fått tillbaka tidigare. Arrangören behåller resten, 50\xa0kr, som avgift:"
            " inga fler pengar går tillbaka.",
        ),
    ],
    ids=["all is the fee", "all came back before", "the rest is the fee"],
)
def test_mail_tells_why_no_money_goes_back(order, given_back_minor, fee_minor, why):
    line = order.lines.first()
    if given_back_minor:
        refunds.give_back(order, line, given_back_minor, note="sen start")

    assert refunds.order_refund(order, [line], reason="refused", fee_minor=fee_minor) is None

    outbox.run_all(kinds=[mails.KIND])
    (told,) = [message for message in mail.outbox if "gäller inte längre" in str(message.subject)]
    assert why in str(told.body)


def test_no_mail_tells_that_tickets_ended_when_what_was_paid_for_choices_came_back_before(order):
    line = order.lines.first()
    Order.objects.filter(pk=order.pk).update(channel="change")
    refunds.give_back(order, line, 25_000, note="vinet tog slut")

    assert refunds.order_refund(order, [line], reason="refused") is None

    assert not Effect.objects.filter(payload__name="tickets_ended").exists()


@pytest.mark.parametrize("fee_minor", [-1, 25_001])
def test_refund_refuses_an_impossible_fee(order, fee_minor):
    with pytest.raises(refunds.FeeTooHigh):
        refunds.order_refund(order, order.lines.all()[:1], reason="refused", fee_minor=fee_minor)

    assert Refund.objects.count() == 0


def test_refund_of_a_line_twice_is_refused(order):
    line = order.lines.first()
    refunds.order_refund(order, [line], reason="refused")

    with pytest.raises(refunds.NothingToRefund):
        refunds.order_refund(order, [line], reason="refused")

    assert Refund.objects.count() == 1


def test_refund_of_another_orders_line_is_refused(order):
    with pytest.raises(refunds.NothingToRefund):
        refunds.order_refund(order, factories.paid_order().lines.all(), reason="refused")


def test_refund_of_an_unpaid_order_is_refused(bank):
    order = factories.reserved_order()

    with pytest.raises(StaleState):
        refunds.order_refund(order, order.lines.all(), reason="refused")


def test_refund_is_sent_by_the_outbox_and_paid_in_the_books(order, bank):
    refund = refunds.order_refund(order, order.lines.all(), reason="refused")

    outbox.run_all(kinds=[refunds.SEND])

    refund.refresh_from_db()
    assert (refund.state, refund.reason, bank.keys) == ("done", "refused", [f"refund.send:{refund.public_id}"])
    assert refund.done_at is not None
    assert (owed(order), ledger.balance(Account.CLEARING, order=order)) == (0, 0)


def test_refund_on_its_way_stays_owed_until_the_bank_says_done(order, bank):
    bank.answer = "pending"
    refund = refunds.order_refund(order, order.lines.all(), reason="refused")

    outbox.run_all(kinds=[refunds.SEND])
    assert owed(order) == 75_000

    for state in ("done", "pending", "done"):
        refunds.settle(told(refund, state), provider="bank")
    refund.refresh_from_db()
    assert (refund.state, owed(order)) == ("done", 0)


def test_refund_that_comes_back_after_it_was_done_is_a_debt_again(order, bank):
    refund = refunds.order_refund(order, order.lines.all(), reason="refused")
    outbox.run_all(kinds=[refunds.SEND])
    assert owed(order) == 0

    for state in ("failed", "done", "failed"):
        refunds.settle(told(refund, state), provider="bank")

    refund.refresh_from_db()
    assert (refund.state, refund.done_at, owed(order)) == ("failed", None, 75_000)
    assert ledger.balance(ledger.Account.CLEARING, order=order) == 75_000
    assert [task.refund for task in refund_tasks.failed(Order.objects.all())] == [refund]
    outbox.run_all(kinds=[refunds.SEND])
    refunds.send_again(refund)
    outbox.run_all(kinds=[refunds.SEND])
    assert owed(order) == 0


@pytest.mark.parametrize("how", ["refused", "told"])
def test_failed_refund_stays_a_visible_debt_with_an_alert(order, bank, caplog, how):
    refund = refunds.order_refund(order, order.lines.all(), reason="refused")
    bank.answer = ProviderRefused("refused") if how == "refused" else "failed"

    outbox.run_all(kinds=[refunds.SEND])

    refund.refresh_from_db()
    assert (refund.state, owed(order), Ticket.objects.filter(state="revoked").count()) == ("failed", 75_000, 3)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert Effect.objects.filter(key=f"mail.send:refund_alert:{refund.public_id}").exists()


def test_lost_answer_is_unknown_and_asked_again_under_the_same_key(order, bank):
    bank.answer = UnknownOutcome("time-out")
    refund = refunds.order_refund(order, order.lines.all(), reason="refused")
    outbox.run_all(kinds=[refunds.SEND])
    refund.refresh_from_db()
    assert refund.state == "unknown"

    bank.answer = "done"
    Effect.objects.filter(kind=refunds.SEND).update(due_at=refund.created_at)
    outbox.sweep()
    outbox.run_all(kinds=[refunds.SEND])

    refund.refresh_from_db()
    assert (refund.state, len(bank.keys), len(set(bank.keys))) == ("done", 2, 1)


def test_words_about_a_refund_we_do_not_know_alarm(bank, caplog):
    refunds.settle(
        Notice("", "refund", "back-1", "done", 100, "SEK", our_id="6e1b3c1e-0000-4000-8000-000000000000"),
        provider="bank",
    )

    assert "do not know" in caplog.text


# --- Parts of a price ------------------------------------------------------------------------------------------------


def vat_booked(order):
    return -ledger.balance(Account.VAT, order=order)


def test_part_of_a_price_comes_back_and_the_ticket_stays(order):
    line = order.lines.first()
    person = factories.user()

    refund = refunds.give_back(order, line, 9_999, note="The soup was cold.", actor=person)

    order.refresh_from_db()
    line.refresh_from_db()
    assert (refund.amount_minor, refund.is_partial, list(refund.lines.all())) == (9_999, True, [line])
    assert (order.state, line.is_held, line.given_back_minor, line.kept_minor) == ("paid", True, 9_999, 15_001)
    assert (Quota.objects.get().taken, Ticket.objects.filter(state="valid").count()) == (3, 3)
    assert (owed(order), vat_booked(order)) == (9_999, 13_000)  # 25 % of 65,001 / 1.25
    entry = AuditEntry.objects.get(model="ticketing.refund", row_id=refund.pk)
    assert (entry.old, entry.new, entry.reason, entry.actor) == ("", "ordered", "The soup was cold.", person)


def test_parts_and_the_rest_add_up_to_the_sale(order):
    line = order.lines.first()
    for amount_minor in (3_333, 3_333, 1):
        refunds.give_back(order, line, amount_minor, note="late")

    rest = refunds.order_refund(order, [line], reason="refused", fee_minor=1_000)
    refunds.order_refund(order, order.lines.all(), reason="refused")

    assert rest.amount_minor == 25_000 - 6_667 - 1_000
    assert (owed(order), vat_booked(order), ledger.balance(Account.REVENUE, order=order)) == (74_000, 0, 0)


@pytest.mark.parametrize("amount_minor", [0, -1, 25_001])
def test_part_above_the_price_is_refused(order, amount_minor):
    with pytest.raises(refunds.MoreThanLeft):
        refunds.give_back(order, order.lines.first(), amount_minor, note="x")

    assert Refund.objects.count() == 0


def test_part_of_a_refunded_ticket_is_refused(order):
    line = order.lines.first()
    refunds.order_refund(order, [line], reason="refused")

    with pytest.raises(refunds.NothingToRefund):
        refunds.give_back(order, line, 100, note="x")


# --- By the buyer ----------------------------------------------------------------------------------------------------


@pytest.fixture
def rule(order):
    return RefundRule.objects.create(
        event=order.event, at=clock.now(), kind="hours", hours_before=24, fee_minor=2_500, fee_percent=10
    )


def agreed(order, *lines, back_minor=None, fee_minor=None):
    offer = refund_rule.offer(order, clock.now())
    parts = offer.chosen([line.public_id for line in lines])
    return refund_rule.Agreed(
        lines=frozenset(str(line.public_id) for line in lines),
        back_minor=sum(part.back_minor for part in parts) if back_minor is None else back_minor,
        fee_minor=sum(part.fee_minor for part in parts) if fee_minor is None else fee_minor,
    )


def test_buyer_gets_tickets_refunded_less_the_fee_of_each(order, rule):
    first, second, _third = order.lines.all()

    refund = refunds.by_buyer(order, agreed(order, first, second))

    assert (refund.amount_minor, refund.fee_minor, refund.reason) == (40_000, 10_000, "refunded_by_buyer")
    assert (Quota.objects.get().taken, owed(order), ledger.balance(Account.FEE, order=order)) == (1, 40_000, -10_000)


@pytest.mark.parametrize("change", ["used", "refunded", "too late", "never", "another fee", "crafted sum", "nothing"])
def test_buyer_is_refused_what_they_did_not_agree_to(order, rule, change):
    line = order.lines.first()
    seen = agreed(order, line)
    if change == "used":
        tickets.use(Ticket.objects.get(line=line))
    elif change == "refunded":
        refunds.order_refund(order, [line], reason="refused")
    elif change == "too late":
        RefundRule.objects.update(hours_before=24 * 31)
    elif change == "never":
        RefundRule.objects.update(kind="never", hours_before=None, fee_minor=0, fee_percent=0)
    elif change == "another fee":
        RefundRule.objects.update(fee_minor=2_600)
    elif change == "crafted sum":
        seen = agreed(order, line, back_minor=25_000, fee_minor=0)
    else:
        seen = agreed(order)
    before = Refund.objects.count()

    with pytest.raises(refunds.OfferChanged) as refusal:
        refunds.by_buyer(order, seen)

    assert len(refusal.value.changes) == 1
    assert Refund.objects.count() == before


# --- What failed -----------------------------------------------------------------------------------------------------


@pytest.fixture
def failed(order, bank):
    refund = refunds.order_refund(order, order.lines.all()[:1], reason="refused", note="ill")
    bank.answer = ProviderRefused("card_gone")
    outbox.run_all(kinds=[refunds.SEND])
    refund.refresh_from_db()
    return refund


def tasks_of(order):
    return [(task.amount_minor, task.refund.state) for task in refund_tasks.failed(Order.objects.filter(pk=order.pk))]


def test_failed_refund_keeps_its_reason_and_is_a_task(order, failed):
    assert (failed.state, failed.reason, failed.note) == ("failed", "refused", "ill")
    assert AuditEntry.objects.filter(row_id=failed.pk, new="failed", reason="card_gone").exists()
    assert tasks_of(order) == [(25_000, "failed")]


def test_failed_refund_is_sent_again_as_a_new_one(order, bank, failed):
    bank.answer = "done"

    again = refunds.send_again(failed, actor=factories.user())
    outbox.run_all(kinds=[refunds.SEND])

    again.refresh_from_db()
    assert (again.state, again.amount_minor, again.retry_of, again.note) == ("done", 25_000, failed, "ill")
    assert list(again.lines.all()) == list(failed.lines.all())
    assert (owed(order), tasks_of(order)) == (0, [])
    for verb in (refunds.send_again, lambda refund: refunds.pay_otherwise(refund, note="Swish")):
        with pytest.raises(refunds.NoDebt):
            verb(failed)


def test_retry_that_fails_is_the_task_now(order, bank, failed):
    again = refunds.send_again(failed)
    outbox.run_all(kinds=[refunds.SEND])

    assert (owed(order), [task.refund for task in refund_tasks.failed(Order.objects.all())]) == (25_000, [again])


def test_debt_is_paid_otherwise_and_leaves_the_books(order, failed):
    person = factories.user()

    refunds.pay_otherwise(failed, note="Swish 070-1740605", actor=person)

    failed.refresh_from_db()
    assert (failed.state, failed.paid_otherwise_note) == ("failed", "Swish 070-1740605")
    assert failed.paid_otherwise_at is not None
    assert (owed(order), ledger.balance(Account.OUTSIDE, order=order), tasks_of(order)) == (0, -25_000, [])
    with pytest.raises(refunds.NoDebt):
        refunds.send_again(failed)
