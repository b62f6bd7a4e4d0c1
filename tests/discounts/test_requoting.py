"""An answer that comes later only helps the buyer: before the payment, after it, and in doubt at the door."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from apps.accounts.models import User
from apps.discounts import asking
from apps.discounts.extensions import Verdict, membership_sources
from apps.discounts.models import MemberBody, Membership
from apps.ticketing import changes, clock, giving, invariants, ledger, mails, outbox, queue, refunds, requoting
from apps.ticketing.extensions import price_rules
from apps.ticketing.models import Adjustment, AuditEntry, Effect, Entry, Order, Refund, SentMail, Ticket, TicketType
from apps.ticketing.payments import settle
from apps.ticketing.requoting import Outcome
from tests import factories
from tests.discounts.doubles import MemberPrice, Oracle, body, person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def promises(promises_kept: None) -> None:
    """Every invariant holds after each of these."""


@pytest.fixture
def union(db: None) -> MemberBody:
    return body()


@pytest.fixture
def rule(union: MemberBody) -> Iterator[MemberPrice]:
    own = MemberPrice(union)
    with price_rules.temporarily(own):
        yield own


@pytest.fixture
def alva(db: None) -> User:
    return person(name="Alva Ek")


@pytest.fixture
def kind(union: MemberBody) -> TicketType:
    event = factories.event(organisation=union.organisation)
    return factories.ticket_type(event, factories.quota(event), name_en="Dinner")


def tell(user: User, union: MemberBody, verdict: Verdict) -> None:
    at = clock.now()
    Membership.objects.update_or_create(
        user=user,
        body=union,
        defaults={"verdict": verdict, "told_at": at, "good_until": at + timedelta(days=1)},
    )


def words(union: MemberBody) -> frozenset[str]:
    return asking.words_of(MemberBody.objects.filter(pk=union.pk))


def reserved(user: User, kind: TicketType, number: int = 1) -> Order:
    placed = factories.order(kind.event, factories.wanted(kind, number), user=user)
    queue.drain(kind.event_id)
    placed.refresh_from_db()
    assert placed.state == "reserved"
    return placed


def pay(order: Order) -> None:
    due = factories.payment(order)
    settle.settle(factories.notice(due), provider=due.provider)
    order.refresh_from_db()


def prices(order: Order) -> list[tuple[int, list[int]]]:
    return [
        (line.price_minor, [row.amount_minor for row in line.adjustments.order_by("pk")])
        for line in order.lines.order_by("position")
    ]


def test_lower_price_replaces_the_frozen_one_before_the_payment(rule: Any, union: Any, alva: Any, kind: Any) -> None:
    order = reserved(alva, kind, 2)
    assert prices(order) == [(25_000, []), (25_000, [])]
    tell(alva, union, Verdict.YES)

    assert requoting.requote(order.pk) == Outcome.LOWERED

    order.refresh_from_db()
    assert order.total_minor == 40_000
    assert prices(order) == [(20_000, [-5_000]), (20_000, [-5_000])]
    assert [line.vat_minor for line in order.lines.all()] == [4_000, 4_000]
    assert rule.claimed == 2
    assert AuditEntry.objects.filter(reason=requoting.PRICE_LOWERED).count() == 1
    assert requoting.requote(order.pk) == Outcome.KEPT  # safe to repeat
    pay(order)
    assert (order.state, Refund.objects.count()) == ("paid", 0)


@pytest.mark.parametrize(("delta_minor", "repaid"), [(8_000, []), (-6_000, [6_000])], ids=["dearer", "cheaper"])
def test_price_of_a_ticket_whose_choices_were_changed_for_money_stays(
    rule: Any, union: Any, alva: Any, kind: Any, delta_minor: int, repaid: list[int]
) -> None:
    """What it was sold at does not follow from the choices that it has now."""
    order = reserved(alva, kind)
    pay(order)
    other = factories.choice(factories.variation(kind), delta_minor=delta_minor)
    ticket = Ticket.objects.select_related("ticket_type", "line").get()
    if supplement := changes.begin(order, ticket, {other.pk: 1}, agreed_minor=delta_minor):
        pay(supplement)
    tell(alva, union, Verdict.YES)

    assert requoting.requote(order.pk) == Outcome.KEPT

    assert list(Refund.objects.values_list("amount_minor", flat=True)) == repaid
    assert prices(order) == [(25_000, [])] and rule.claimed == 0


def test_nothing_is_repaid_of_a_ticket_that_somebody_else_has(rule: Any, union: Any, alva: Any, kind: Any) -> None:
    """A member who gave away what they had bought at full price would have been repaid for a stranger's ticket."""
    order = reserved(alva, kind, 2)
    pay(order)
    giving.accept(giving.give(Ticket.objects.order_by("pk")[0], name="Kim Ek", email="kim@example.org"))
    tell(alva, union, Verdict.YES)

    assert requoting.requote(order.pk) == Outcome.REPAID

    assert Refund.objects.get().amount_minor == 5_000
    assert prices(order) == [(25_000, []), (20_000, [-5_000])]


def test_lower_price_is_repaid_after_the_payment(rule: Any, union: Any, alva: Any, kind: Any) -> None:
    order = reserved(alva, kind, 2)
    pay(order)
    tell(alva, union, Verdict.YES)

    assert requoting.requote(order.pk) == Outcome.REPAID
    assert requoting.requote(order.pk) == Outcome.KEPT

    refund = Refund.objects.get()
    assert (refund.amount_minor, refund.reason, refund.is_partial) == (10_000, requoting.PRICE_LOWERED, True)
    assert prices(order) == [(20_000, [-5_000]), (20_000, [-5_000])]
    assert ledger.balance(Entry.Account.BUYER_REFUNDABLE, order=order) == -10_000
    assert ledger.balance(Entry.Account.VAT, order=order) == -8_000
    assert invariants.check() == []
    outbox.run_all(kinds=[mails.KIND])
    assert SentMail.objects.filter(name="refund_ordered").count() == 1
    refunds.settle(refunds._notice(refund, "done"), provider="sandbox")
    assert ledger.balance(Entry.Account.CLEARING, order=order) == 40_000
    assert set(Ticket.objects.values_list("state", "check_membership")) == {("valid", False)}


def test_sponsors_share_is_booked_when_the_difference_is_repaid(rule: Any, union: Any, alva: Any, kind: Any) -> None:
    rule.bearer = "sponsor:0123"
    order = reserved(alva, kind)
    pay(order)
    tell(alva, union, Verdict.YES)

    requoting.requote(order.pk)

    assert ledger.balance(Entry.Account.SPONSOR_RECEIVABLE, order=order, detail="sponsor:0123") == 5_000
    assert ledger.balance(Entry.Account.VAT, order=order) == -5_000  # on what the seller receives from both


def test_rest_of_a_repaid_ticket_is_refunded_in_full(rule: Any, union: Any, alva: Any, kind: Any) -> None:
    order = reserved(alva, kind)
    pay(order)
    tell(alva, union, Verdict.YES)
    requoting.requote(order.pk)

    refunds.order_refund(order, list(order.lines.all()), reason=refunds.BY_ORGANISER)

    assert sorted(Refund.objects.values_list("amount_minor", flat=True)) == [5_000, 20_000]
    assert ledger.balance(Entry.Account.REVENUE, order=order) == 0


def test_goodwill_given_before_is_not_taken_for_the_lower_price(rule: Any, union: Any, alva: Any, kind: Any) -> None:
    order = reserved(alva, kind)
    pay(order)
    refunds.give_back(order, order.lines.get(), 3_000, note="cold soup")
    tell(alva, union, Verdict.YES)

    assert requoting.requote(order.pk) == Outcome.REPAID
    assert sorted(Refund.objects.values_list("amount_minor", flat=True)) == [3_000, 5_000]


def test_price_below_what_was_given_back_already_changes_nothing(rule: Any, union: Any, alva: Any, kind: Any) -> None:
    rule.less_minor = 24_000
    order = reserved(alva, kind)
    pay(order)
    refunds.give_back(order, order.lines.get(), 20_000, note="no soup")
    tell(alva, union, Verdict.YES)

    assert requoting.requote(order.pk) == Outcome.KEPT
    assert prices(order) == [(25_000, [])]


def test_nothing_moves_while_it_is_being_paid_and_is_repaid_then(rule: Any, union: Any, alva: Any, kind: Any) -> None:
    order = reserved(alva, kind)
    due = factories.payment(order)
    tell(alva, union, Verdict.YES)

    assert requoting.requote(order.pk) == Outcome.LATER
    order.refresh_from_db()
    assert order.total_minor == 25_000

    settle.settle(factories.notice(due), provider=due.provider)
    assert requoting.requote(order.pk) == Outcome.REPAID


def test_free_after_all(rule: Any, union: Any, alva: Any, kind: Any) -> None:
    rule.less_minor = 30_000
    order = reserved(alva, kind)
    pay(order)
    tell(alva, union, Verdict.YES)

    assert requoting.requote(order.pk) == Outcome.REPAID
    assert (Refund.objects.get().amount_minor, prices(order)) == (25_000, [(0, [-25_000])])
    order.refresh_from_db()
    assert order.state == "paid"


def test_yes_that_became_no_raises_nothing_and_marks_the_ticket(rule: Any, union: Any, alva: Any, kind: Any) -> None:
    tell(alva, union, Verdict.YES)
    order = reserved(alva, kind)
    pay(order)
    assert Ticket.objects.get().check_membership is False
    tell(alva, union, Verdict.NO)

    assert requoting.requote(order.pk, lost=words(union)) == Outcome.IN_DOUBT
    assert (prices(order), Refund.objects.count()) == ([(20_000, [-5_000])], 0)
    assert Ticket.objects.get().check_membership is True
    assert rule.claimed == 1

    tell(alva, union, Verdict.YES)
    requoting.requote(order.pk)
    assert Ticket.objects.get().check_membership is False


def test_yes_that_became_no_before_the_payment_marks_the_ticket_to_come(
    rule: Any, union: Any, alva: Any, kind: Any
) -> None:
    tell(alva, union, Verdict.YES)
    order = reserved(alva, kind)
    tell(alva, union, Verdict.NO)
    requoting.requote(order.pk, lost=words(union))

    pay(order)

    assert (prices(order), Ticket.objects.get().check_membership) == ([(20_000, [-5_000])], True)


def test_price_that_rises_for_another_reason_marks_nothing(rule: Any, union: Any, alva: Any, kind: Any) -> None:
    tell(alva, union, Verdict.YES)
    order = reserved(alva, kind)
    pay(order)
    rule.less_minor = 1_000  # the organiser thought better of it

    assert requoting.requote(order.pk, lost=words(body(union.organisation))) == Outcome.KEPT
    assert (prices(order), Ticket.objects.get().check_membership) == ([(20_000, [-5_000])], False)


def test_member_price_on_trust_is_marked_until_it_is_certain(rule: Any, union: Any, alva: Any, kind: Any) -> None:
    rule.when_unknown = "member"
    order = reserved(alva, kind)
    assert Adjustment.objects.get().is_provisional is True
    pay(order)
    assert Ticket.objects.get().check_membership is True

    tell(alva, union, Verdict.YES)
    assert requoting.requote(order.pk) == Outcome.KEPT

    assert (Adjustment.objects.get().is_provisional, Ticket.objects.get().check_membership) == (False, False)
    assert Refund.objects.count() == 0


def test_member_price_on_trust_stays_marked_when_it_was_wrong(rule: Any, union: Any, alva: Any, kind: Any) -> None:
    rule.when_unknown = "member"
    order = reserved(alva, kind)
    pay(order)
    tell(alva, union, Verdict.NO)

    requoting.requote(order.pk, lost=words(union))

    assert (prices(order), Ticket.objects.get().check_membership) == ([(20_000, [-5_000])], True)


def test_right_of_a_limited_number_is_claimed_once(rule: Any, union: Any, alva: Any, kind: Any) -> None:
    """The last member's price is this order's own: looking again must neither take it away nor claim it twice."""
    rule.limit = 1
    tell(alva, union, Verdict.YES)
    order = reserved(alva, kind)
    assert rule.claimed == 1

    assert requoting.requote(order.pk, lost=words(union)) == Outcome.KEPT
    assert prices(order) == [(20_000, [-5_000])]


def test_used_up_discount_helps_nobody_later(rule: Any, union: Any, alva: Any, kind: Any) -> None:
    order = reserved(alva, kind)
    rule.limit = 0
    tell(alva, union, Verdict.YES)

    assert requoting.requote(order.pk) == Outcome.KEPT


@pytest.mark.parametrize("end", ["refunded", "cancelled", "over"])
def test_what_is_over_is_left_alone(end: str, rule: Any, union: Any, alva: Any, kind: Any) -> None:
    order = reserved(alva, kind)
    pay(order)
    if end == "refunded":
        refunds.order_refund(order, list(order.lines.all()), reason=refunds.BY_ORGANISER)
    elif end == "cancelled":
        type(kind.event).objects.filter(pk=kind.event_id).update(cancelled_at=clock.now())
    else:
        type(kind.event).objects.filter(pk=kind.event_id).update(
            starts_at=clock.now() - timedelta(hours=9), ends_at=clock.now() - timedelta(hours=1)
        )
    before = Refund.objects.count()
    tell(alva, union, Verdict.YES)

    assert requoting.requote(order.pk) == Outcome.KEPT
    assert Refund.objects.count() == before


def test_register_that_was_silent_lowers_the_price_once_it_speaks(rule: Any, union: Any, alva: Any, kind: Any) -> None:
    oracle = Oracle(None)
    with membership_sources.temporarily(oracle):
        order = reserved(alva, kind)
        outbox.run_all()
        pay(order)
        assert Refund.objects.count() == 0

        oracle.verdict = Verdict.YES
        outbox.run_all(early=True)
        outbox.run_all(early=True)

    assert [row.amount_minor for row in Refund.objects.all()] == [5_000]
    assert Effect.objects.filter(kind__startswith="discounts.").exclude(state="done").count() == 0


def test_price_of_an_order_that_is_being_paid_is_looked_at_again(rule: Any, union: Any, alva: Any, kind: Any) -> None:
    with membership_sources.temporarily(Oracle()):
        order = reserved(alva, kind)
        due = factories.payment(order)
        outbox.run_all()
        assert Effect.objects.filter(kind="discounts.ask", state="due").count() == 1
        settle.settle(factories.notice(due), provider=due.provider)

        outbox.run_all(early=True)

    assert [row.amount_minor for row in Refund.objects.all()] == [5_000]


def test_no_that_comes_later_by_a_register_marks_the_ticket(rule: Any, union: Any, alva: Any, kind: Any) -> None:
    tell(alva, union, Verdict.YES)
    order = reserved(alva, kind)
    pay(order)
    with membership_sources.temporarily(Oracle(Verdict.NO)):
        asking.ask(alva.pk, near=False, again=True)
        outbox.run_all(early=True)

    assert (Ticket.objects.get().check_membership, prices(order)) == (True, [(20_000, [-5_000])])
