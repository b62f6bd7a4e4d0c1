"""What a membership that is learnt after the sale brings, by the discounts of that moment, and what it does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.discounts import asking, facts, past_terms, rules
from apps.discounts.extensions import Verdict, membership_sources
from apps.discounts.models import Code, Discount, ListedPerson, MemberBody, Membership
from apps.ticketing import clock, outbox, queue, refunds, requoting, reservations
from apps.ticketing.models import Adjustment, Order, Refund, Ticket, TicketType
from apps.ticketing.payments import settle
from tests import factories
from tests.discounts import builders
from tests.discounts.doubles import Oracle

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def promises(promises_kept: None) -> None:
    """Every invariant holds after each of these."""


@pytest.fixture
def kind(db: None) -> TicketType:
    event = factories.event()
    return factories.ticket_type(event, factories.quota(event))  # 250 kr


@pytest.fixture
def lintek(kind: TicketType) -> MemberBody:
    return builders.body(kind.event.organisation, source="oracle")


@pytest.fixture
def alva(db: None) -> User:
    return builders.member()


def bought(user: User, kind: TicketType, number: int = 1, **values: Any) -> Order:
    return sold(factories.order(kind.event, factories.wanted(kind, number), user=user, **values))


def sold(placed: Order) -> Order:
    """Decided, and paid."""
    queue.drain(placed.event_id)
    due = factories.payment(Order.objects.get(pk=placed.pk))
    settle.settle(factories.notice(due), provider=due.provider)
    return Order.objects.get(pk=placed.pk)


def learn(user: User, verdict: Verdict) -> None:
    """The register answers, and everything that follows from it happens."""
    with membership_sources.temporarily(Oracle(verdict)):
        asking.ask(user.pk, near=False, again=True)
        outbox.run_all(early=True)


def change(discount: Discount, **values: Any) -> None:
    """As an editor does."""
    was = past_terms.terms_of(discount.pk)
    Discount.objects.filter(pk=discount.pk).update(**values)
    past_terms.remember(discount.pk, was)


def repaid() -> list[int]:
    return list(Refund.objects.order_by("pk").values_list("amount_minor", flat=True))


def is_doubted() -> list[bool]:
    return list(Ticket.objects.filter(state="valid").order_by("pk").values_list("check_membership", flat=True))


@pytest.mark.parametrize(("verdict", "minor"), [(Verdict.NO, []), (Verdict.YES, [5_000])])
def test_what_is_made_after_a_sale_is_not_for_it(
    verdict: Verdict, minor: list[int], kind: Any, lintek: Any, alva: Any
) -> None:
    builders.discount(kind.event, bodies=[lintek])
    bought(alva, kind)
    builders.discount(kind.event, amount_minor=9_000)
    builders.discount(kind.event, amount_minor=8_000, bodies=[lintek])

    learn(alva, verdict)

    assert repaid() == minor


@pytest.mark.parametrize(
    ("values", "minor"),
    [
        ({"amount_minor": 20_000}, [5_000]),
        ({"amount_minor": 100}, [5_000]),
        ({"is_active": False}, [5_000]),
        ({"name_en": "LinTek's own"}, [5_000]),
        ({"closes_at": "2020-01-01T00:00Z"}, [5_000]),
    ],
    ids=["raised", "lowered", "switched off", "named anew", "ended"],
)
def test_membership_that_is_learnt_later_brings_what_it_brought_then(
    values: dict[str, Any], minor: list[int], kind: Any, lintek: Any, alva: Any
) -> None:
    discount = builders.discount(kind.event, bodies=[lintek])
    bought(alva, kind)
    change(discount, **values)
    change(discount, amount_minor=300)

    learn(alva, Verdict.YES)

    assert repaid() == minor


def test_discount_opened_to_members_after_a_sale_is_not_for_it(kind: Any, lintek: Any, alva: Any) -> None:
    other = builders.body(kind.event.organisation, "Consensus")
    discount = builders.discount(kind.event, bodies=[other])
    bought(alva, kind)
    was = past_terms.terms_of(discount.pk)
    discount.bodies.set([lintek])
    past_terms.remember(discount.pk, was)

    learn(alva, Verdict.YES)

    assert repaid() == []


@pytest.mark.parametrize("verdict", [Verdict.NO, Verdict.YES])
def test_what_is_changed_while_an_order_waits_holds_for_it(verdict: Verdict, kind: Any, lintek: Any, alva: Any) -> None:
    """Its price was frozen by it: nothing goes back for a reduction that was lowered, or a surcharge made, before."""
    early = builders.discount(kind.event, amount_minor=4_000, stacking="added")
    members = builders.discount(kind.event, amount_minor=9_000, bodies=[lintek])
    placed = factories.order(kind.event, factories.wanted(kind), user=alva)
    change(early, amount_minor=1_000)
    change(members, amount_minor=3_000)
    builders.discount(kind.event, kind="more", amount_minor=2_000, stacking="added")
    order = sold(placed)
    assert order.total_minor == 26_000

    learn(alva, verdict)

    assert repaid() == ([3_000] if verdict == Verdict.YES else [])


def test_orders_before_and_after_a_change_each_keep_to_their_terms(kind: Any, lintek: Any, alva: Any) -> None:
    discount = builders.discount(kind.event, bodies=[lintek])
    bought(alva, kind)
    learn(alva, Verdict.NO)
    change(discount, amount_minor=3_000)
    facts.forget()
    bo = builders.member()
    bought(bo, kind)

    learn(bo, Verdict.YES)
    learn(alva, Verdict.YES)

    assert repaid() == [3_000, 5_000]


@pytest.mark.parametrize("has_some", [False, True], ids=["no discounts", "unchanged"])
def test_past_is_read_only_where_something_was_changed_since(
    has_some: bool, kind: Any, lintek: Any, alva: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "KEPT_SECONDS", 600)
    if has_some:
        builders.discount(kind.event, bodies=[lintek])
    orders = [bought(alva, kind) for _ in range(2)]

    for order, most in zip(orders, (1, 0), strict=True):
        with CaptureQueriesContext(connection) as captured:
            requoting.requote(order.pk)
        read = [sql for each in captured if '"discounts_discount"' in (sql := each["sql"])]
        assert len(read) <= most, read


@pytest.fixture
def declined(kind: TicketType, alva: User) -> Order:
    """Three tickets at full price, two of which were offered by a code for two before, and declined."""
    builders.discount(kind.event, amount_minor=2_000, stacking="added", codes={"LUCIA": 2})
    reservations.resize(kind.quotas.get(), 2)
    placed = factories.order(kind.event, factories.wanted(kind, 3), user=alva, tokens=["code:LUCIA"])
    queue.drain(kind.event_id)
    assert Order.objects.get().total_minor == 46_000
    reservations.decline_offer(Order.objects.get())
    Code.objects.update(is_active=False)
    reservations.resize(kind.quotas.get(), 10)
    order = sold(placed)
    assert (order.state, order.total_minor) == ("paid", 75_000)
    return order


@pytest.mark.parametrize("verdict", [Verdict.NO, Verdict.YES])
@pytest.mark.parametrize("is_full", [False, True], ids=["left", "used up"])
def test_discount_of_a_declined_offer_is_not_taken_for_what_the_ticket_got(
    verdict: Verdict, is_full: bool, kind: Any, lintek: Any, alva: Any, declined: Order
) -> None:
    builders.discount(kind.event, bodies=[lintek])
    Discount.objects.update(made_at=None)  # as if it had been there before the sale
    if is_full:
        Code.objects.update(is_active=True)
        others = sold(factories.order(kind.event, factories.wanted(kind, 2), tokens=["code:LUCIA"]))
        assert others.total_minor == 46_000

    learn(alva, verdict)

    assert repaid() == ([15_000] if verdict == Verdict.YES else [])


def test_what_asks_for_no_membership_does_not_come_with_one(kind: Any, lintek: Any, alva: Any) -> None:
    builders.discount(kind.event, bodies=[lintek])
    friends = builders.discount(kind.event, amount_minor=9_000, needs_list=True)
    bought(alva, kind)
    ListedPerson.objects.create(discount=friends, email_key=rules.person_key(alva.email))

    learn(alva, Verdict.YES)

    assert repaid() == [5_000]


def test_no_that_had_ended_and_is_said_again_is_no_news(kind: Any, lintek: Any, alva: Any) -> None:
    builders.discount(kind.event, bodies=[lintek])
    at = clock.now() - timedelta(days=9)
    Membership.objects.create(body=lintek, user=alva, verdict="no", told_at=at, good_until=at + timedelta(days=1))

    assert asking.store(alva.pk, asking.Answers({lintek.pk: Verdict.NO}), {lintek.pk: lintek}) == set()


def test_membership_comes_on_top_of_what_the_ticket_has(kind: Any, lintek: Any, alva: Any) -> None:
    """A code that was switched off since, and is used up by this very order."""
    builders.discount(kind.event, amount_minor=2_000, stacking="added", codes={"LUCIA": 1})
    builders.discount(kind.event, bodies=[lintek], max_per_person=1)
    order = bought(alva, kind, tokens=["code:LUCIA"])
    assert order.total_minor == 23_000
    Code.objects.update(is_active=False)

    learn(alva, Verdict.YES)

    assert repaid() == [5_000]
    assert Code.objects.get().taken == 1


def test_one_per_person_stays_one_when_its_membership_is_learnt_again(kind: Any, lintek: Any, alva: Any) -> None:
    builders.discount(kind.event, bodies=[lintek], max_per_person=1)
    bought(alva, kind, 2)

    learn(alva, Verdict.YES)
    Membership.objects.update(good_until=clock.now() - timedelta(hours=1))
    learn(alva, Verdict.YES)

    assert repaid() == [5_000]


@pytest.mark.parametrize("gone", ["early bird", "code", "group"])
def test_price_that_would_rise_for_another_reason_is_nobodys_doubt(
    gone: str, kind: Any, lintek: Any, alva: Any
) -> None:
    consensus = builders.body(kind.event.organisation, "Consensus", source="oracle")
    Membership.objects.create(
        body=consensus, user=alva, verdict="yes", told_at=clock.now(), good_until=clock.now() + timedelta(days=1)
    )
    terms = {"early bird": {"closes_at": "2099-01-01T00:00Z"}, "code": {"codes": {"LUCIA": 9}}, "group": {}}[gone]
    builders.discount(kind.event, min_quantity=2 if gone == "group" else None, **terms)
    order = bought(alva, kind, 2, tokens=["code:LUCIA"])
    assert order.total_minor == 40_000
    if gone == "group":
        refunds.order_refund(order, list(order.lines.all()[:1]), reason=refunds.BY_ORGANISER)
    else:
        Discount.objects.update(is_active=False)
        Code.objects.update(is_active=False)

    learn(alva, Verdict.NO)

    assert not any(is_doubted())


def test_price_of_a_member_who_is_none_any_more_is_looked_at_by_the_door(kind: Any, lintek: Any) -> None:
    alva = builders.member(lintek)
    discount = builders.discount(kind.event, bodies=[lintek])
    bought(alva, kind)
    change(discount, amount_minor=100)
    Discount.objects.filter(pk=discount.pk).update(name_sv="Omdöpt", name_en="Renamed")

    learn(alva, Verdict.NO)

    assert is_doubted() == [True]


def test_member_of_another_body_of_the_same_discount_is_not_doubted(kind: Any, lintek: Any) -> None:
    consensus = builders.body(kind.event.organisation, "Consensus", source="test")
    alva = builders.member(lintek, consensus)
    builders.discount(kind.event, bodies=[lintek, consensus])
    bought(alva, kind)

    learn(alva, Verdict.NO)

    assert is_doubted() == [False]


def test_discount_that_was_renamed_is_known_by_what_the_ticket_used(kind: Any, lintek: Any) -> None:
    alva = builders.member(lintek)
    builders.discount(kind.event, bodies=[lintek])
    early = builders.discount(kind.event, amount_minor=2_000, stacking="added")
    bought(alva, kind)
    Discount.objects.filter(pk=early.pk).update(name_sv="Omdöpt", name_en="Renamed")

    learn(alva, Verdict.NO)

    assert dict(Adjustment.objects.values_list("amount_minor", "is_provisional")) == {-5_000: True, -2_000: False}
