"""A ticket goes from hand to hand: no chain of hands costs less than the ticket costs its last owner new."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from apps.discounts import claims, facts
from apps.discounts.models import Allowance, Discount, DiscountUse
from apps.resale import buying, listings
from apps.resale.models import Listing
from apps.ticketing import (
    catalogue,
    clock,
    gift_payments,
    gift_terms,
    giving,
    invariants,
    ledger,
    outbox,
    queue,
    refunds,
    requoting,
)
from apps.ticketing.ledger import Account
from apps.ticketing.models import ChoiceChange, Dispute, Gift, GivingRule, Order, Payment, Refund, Ticket
from apps.ticketing.payments import settle
from tests import factories
from tests.discounts import builders
from tests.resale import houses
from tests.resale.halls import CODED, FEE, MEMBERS, NEW, Hall, hall, resold

pytestmark = pytest.mark.django_db

PEOPLE = ("member", "member", "stranger", "stranger")
STEP = st.one_of(
    st.tuples(st.just("sell"), st.integers(0, 3), st.integers(20, 100)),
    st.tuples(st.just("give"), st.integers(0, 3), st.just(0)),
    st.tuples(st.just("part"), st.just(0), st.integers(1, 4_000)),
    st.tuples(st.just("let_lapse"), st.integers(0, 3), st.integers(20, 100)),
    st.tuples(st.just("lose_difference"), st.just(0), st.just(0)),
)


class Chain:
    """One ticket that goes from hand to hand among four people, two of them members."""

    def __init__(self, first: int, when_dearer: str, house: Hall | None = None, *, tokens: Sequence[str] = ()) -> None:
        self.house = house or hall()
        self.tokens = tokens
        event = self.house.kind.event
        GivingRule.objects.create(event=event, at=clock.now(), when_dearer=when_dearer)
        self.people = [
            builders.member(self.house.body) if nature == "member" else factories.user() for nature in PEOPLE
        ]
        self.owner, self.is_resold = first, False
        order = factories.order(self.house.kind.event, factories.wanted(self.house.kind), **self.told(first))
        queue.drain(order.event_id)
        order.refresh_from_db()
        self.order = houses.pay(order)

    def told(self, person: int) -> dict[str, Any]:
        return {"user": self.people[person], "email": self.people[person].email, "tokens": self.tokens}

    @property
    def ticket(self) -> Ticket:
        return houses.ticket_of(self.order)

    def take(self, verb: str, person: int, number: int) -> None:
        ticket = self.ticket
        asked = max(FEE + 100, ticket.line.kept_minor * number // 100)
        if verb == "part":
            if number < ticket.line.kept_minor:
                refunds.give_back(ticket.line.order, ticket.line, number, note="")
        elif verb == "lose_difference":
            self.lose_difference()
        elif person == self.owner or 0 < ticket.line.kept_minor <= FEE + 100:
            return
        elif verb == "give":
            gift = giving.give(ticket, name="Kim", email=self.people[person].email)
            try:
                giving.accept(gift, user=self.people[person])
            except giving.MustPay:
                self.pay_difference(gift, self.people[person])
            self.owner = person
        else:
            order = resold(ticket, self.told(person), min(asked, ticket.line.kept_minor))
            if verb == "let_lapse":
                houses.expire(order)
                listing = ticket.listings.get(state="open")
                listings.withdraw(listing)
                return
            self.order, self.owner, self.is_resold = houses.pay(order), person, True

    def pay_difference(self, gift: Gift, person: Any) -> None:
        facts = catalogue.load(gift.ticket.event_id, fresh=True)
        ticket = giving.fetched(Ticket.objects).get(pk=gift.ticket_id)
        told = {"facts": facts, "rule": giving.rule_of(ticket.event), "at": clock.now()}
        due = gift_terms.terms_for(ticket, email=gift.to_email, person=person, **told).pays_minor
        houses.pay(gift_payments.begin(gift, agreed_minor=due, user=person))
        outbox.run_all(kinds=[gift_payments.ACCEPT])

    def lose_difference(self) -> None:
        """The bank takes back what somebody paid more for the ticket, if anybody has."""
        paid = ChoiceChange.objects.filter(ChoiceChange.STANDS, of_line=self.ticket.line, line__is_held=True).first()
        if paid is not None:
            payment = Payment.objects.get(order=paid.line.order, state="captured", reason="")
            for news in ("opened", "lost"):
                notice = factories.notice(payment, news, kind="dispute", reference=f"dispute-{payment.pk}")
                settle.settle(notice, provider=payment.provider)

    @property
    def paid_minor(self) -> int:
        """What all of them together have paid, less what came back to any of them."""
        orders = Order.objects.filter(event=self.house.kind.event)
        paid = sum(Payment.objects.filter(order__in=orders, state="captured").values_list("amount_minor", flat=True))
        back = Refund.objects.filter(payment__order__in=orders).values_list("amount_minor", flat=True)
        lost = Dispute.objects.filter(payment__order__in=orders, state="lost").values_list("amount_minor", flat=True)
        return paid - sum(back) - sum(lost)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(0, "pay", [("give", 2, 0), ("give", 3, 0), ("lose_difference", 0, 0), ("give", 1, 0), ("sell", 3, 50)])
@example(0, "pay", [("give", 2, 0), ("part", 0, 900), ("give", 0, 0), ("give", 3, 0), ("sell", 1, 100)])
@given(st.integers(0, 3), st.sampled_from(["flag", "pay"]), st.lists(STEP, min_size=1, max_size=5))
def test_no_chain_of_hands_costs_less_than_the_ticket_costs_its_last_owner_new(first, when_dearer, steps):
    """Nobody gains, alone or together: what all have paid is at least what the last one would have paid for it new,
    but for the organiser's goodwill. A gift to somebody who would have paid more is marked for the door, or paid for;
    and marked all the same once the bank has taken that payment back."""
    chain = Chain(first, when_dearer)
    for verb, person, number in steps:
        chain.take(verb, person, number)
        ticket = chain.ticket
        new_minor = MEMBERS if PEOPLE[chain.owner] == "member" else NEW
        goodwill = ticket.line.given_back_minor
        is_checked = giving_asks_proof(ticket)
        assert chain.paid_minor + goodwill >= (MEMBERS if is_checked else new_minor)
        assert ledger.balance(Account.SELLER_SHARE, organisation=chain.house.kind.event.organisation) == 0
    assert invariants.check() == []


def giving_asks_proof(ticket: Ticket) -> bool:
    """Whether the door asks this ticket's holder for a proof, because it was given to them."""
    return Gift.objects.filter(became=ticket, asks_proof=True).exists()


# --- With all that changes a price -----------------------------------------------------------------------------------

MORE, BIRD = 5_000, 22_000
BEFORE, LATER = timezone.now() - timedelta(days=1), timezone.now() + timedelta(days=90)
SURCHARGES: dict[str, dict[str, Any]] = {
    "none": {},
    "always": {"kind": "more"},
    "late": {"kind": "more", "opens_at": BEFORE},
    "late share": {"kind": "percent_more", "percent": 20, "opens_at": BEFORE},
    "for the first": {"kind": "more", "size": 2},
    "once each": {"kind": "more", "max_per_person": 1},
}
LIMITS: dict[str, dict[str, Any]] = {
    "always": {},
    "for one": {"size": 1},
    "for two": {"size": 2},
    "once each": {"max_per_person": 1},
    "early": {"closes_at": LATER},
}
HOUSE = st.fixed_dictionaries(
    {
        "surcharge": st.sampled_from(sorted(SURCHARGES)),
        "limits": st.sampled_from(sorted(LIMITS)),
        "members_minor": st.sampled_from([MEMBERS, 0]),
        "is_sponsored": st.booleans(),
        "has_early_bird": st.booleans(),
        "has_code": st.booleans(),
    }
)
PLAIN = {
    "surcharge": "none",
    "limits": "always",
    "members_minor": MEMBERS,
    "is_sponsored": False,
    "has_early_bird": False,
    "has_code": False,
}


def chain_in(first: int, when_dearer: str, told: dict[str, Any]) -> Chain:
    house = hall(members=LIMITS[told["limits"]], is_sponsored=told["is_sponsored"], members_minor=told["members_minor"])
    event = house.kind.event
    if told["has_early_bird"]:
        builders.discount(event, amount_minor=NEW - BIRD, closes_at=LATER)
    if surcharge := SURCHARGES[told["surcharge"]]:
        builders.discount(event, **{"amount_minor": MORE, "stacking": "added", **surcharge})
    return Chain(first, when_dearer, house, tokens=["code:LUCIA"] if told["has_code"] else [])


def least_minor(chain: Chain, told: dict[str, Any]) -> int:
    """What the house has of the ticket at least, from its owners and its sponsor: what it costs its last owner new.
    A code and an early bird's price go along with a gift, and end with a sale."""
    is_member = PEOPLE[chain.owner] == "member" or giving_asks_proof(chain.ticket)
    members = [told["members_minor"]] if is_member else []
    codes = [CODED] if told["has_code"] and not chain.is_resold else []
    birds = [BIRD] if told["has_early_bird"] and not chain.is_resold else []
    pays = min([NEW, *members, *codes, *birds])
    borne = min([NEW, *birds]) if told["is_sponsored"] else pays
    surcharge = SURCHARGES[told["surcharge"]]
    more = 0 if not surcharge else pays * surcharge["percent"] // 100 if "percent" in surcharge else MORE
    return borne + more


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(2, "flag", {**PLAIN, "surcharge": "late"}, [("sell", 3, 100), ("sell", 2, 100)])
@example(2, "flag", {**PLAIN, "surcharge": "for the first"}, [("sell", 3, 100)])
@example(0, "flag", {**PLAIN, "surcharge": "late share"}, [("sell", 2, 100)])
@example(0, "flag", {**PLAIN, "surcharge": "late share", "members_minor": 0}, [("sell", 2, 20)])
@example(0, "flag", {**PLAIN, "limits": "for two", "is_sponsored": True}, [("sell", 1, 100), ("sell", 2, 100)])
@given(st.integers(0, 3), st.sampled_from(["flag", "pay"]), HOUSE, st.lists(STEP, min_size=1, max_size=4))
def test_no_chain_of_hands_gains_by_surcharges_codes_dates_limits_or_sponsors(first, when_dearer, told, steps):
    """The house has of a ticket, from all its owners and the sponsor, what it costs its last owner new at least. Rights
    that are counted are held by who goes, and by nobody else."""
    chain = chain_in(first, when_dearer, told)
    organisation = chain.house.kind.event.organisation
    for verb, person, number in steps:
        chain.take(verb, person, number)
        owed = ledger.balance(Account.SPONSOR_RECEIVABLE, organisation=organisation)
        goodwill = chain.ticket.line.given_back_minor
        assert chain.paid_minor + owed + goodwill >= least_minor(chain, told)
        assert ledger.balance(Account.SELLER_SHARE, organisation=organisation) == 0
        live = DiscountUse.objects.filter(discount__event=chain.house.kind.event, is_live=True)
        assert set(live.values_list("line", flat=True)) <= {chain.ticket.line_id}
        taken = Allowance.objects.filter(discount__event=chain.house.kind.event).values_list("taken", flat=True)
        assert sum(taken) == live.count()
    assert invariants.check() == []


@pytest.mark.parametrize(
    ("limits", "charged"),
    [({"size": 2}, MEMBERS), ({"size": 1}, NEW), ({"max_per_person": 1}, MEMBERS), ({"closes_at": LATER}, MEMBERS)],
    ids=["two rights", "the seller has the only one", "one each", "in time"],
)
def test_member_has_a_limited_price_of_a_member_where_rights_are_left(promises_kept, limits, charged):
    house = hall(members=limits, is_sponsored=True)
    ticket = house.bought("member")

    order = houses.pay(resold(ticket, house.buyer("member")))

    allowance = Allowance.objects.get(discount__bodies=house.body)
    assert (order.total_minor, allowance.taken) == (charged, 1 if charged == MEMBERS else 0)
    assert ledger.balance(Account.SPONSOR_RECEIVABLE) == NEW - charged
    assert Refund.objects.get().amount_minor == MEMBERS - FEE


def test_limited_right_that_two_tickets_of_an_order_want_is_had_once(promises_kept):
    house = hall(members={"max_per_person": 1})
    rows = [houses.listed(house.bought("stranger")) for _each in range(2)]

    order = houses.bought(*rows, **house.buyer("member"))

    assert sorted(line.price_minor for line in order.lines.all()) == [MEMBERS, NEW]


def test_limited_right_of_a_new_owner_lasts_when_registers_are_asked_again(promises_kept):
    house = hall(members={"max_per_person": 1})
    order = houses.pay(resold(house.bought("stranger"), house.buyer("member")))

    outcome = requoting.requote(order.pk, lost=[f"member:{house.body.public_id.hex}"])

    assert (outcome, houses.ticket_of(order).check_membership) == (requoting.Outcome.KEPT, False)


def test_surcharge_that_was_renamed_since_is_paid_once(promises_kept):
    house = hall()
    fee = builders.discount(house.kind.event, kind="more", amount_minor=MORE, stacking="added")
    ticket = house.bought("stranger")
    type(fee).objects.filter(pk=fee.pk).update(name_sv="Avgift")
    facts.forget()

    order = houses.pay(resold(ticket, {}))

    assert (order.total_minor, Refund.objects.get().amount_minor) == (NEW + MORE, NEW + MORE - FEE)


def edit(fee: Discount, house: Hall, **values: Any) -> None:
    Discount.objects.filter(pk=fee.pk).update(**values)
    facts.forget()


def narrow(fee: Discount, house: Hall) -> None:
    other = factories.ticket_type(house.kind.event, factories.quota(house.kind.event))
    fee.ticket_types.set([other])


def make_for_members(fee: Discount, house: Hall) -> None:
    fee.bodies.set([house.body])


def end_all(fee: Discount, house: Hall) -> None:
    Discount.objects.update(is_active=False)
    facts.forget()


def make_a_reduction_of_its_name(fee: Discount, house: Hall) -> None:
    builders.discount(house.kind.event, name_sv=fee.name_sv, amount_minor=9_000, size=50)


EDITS: dict[str, Callable[[Discount, Hall], None]] = {
    "dearer": lambda fee, house: edit(fee, house, amount_minor=2 * MORE),
    "cheaper": lambda fee, house: edit(fee, house, amount_minor=1),
    "a percentage": lambda fee, house: edit(fee, house, kind="percent_more", percent=50),
    "another percentage": lambda fee, house: edit(fee, house, percent=50),
    "less": lambda fee, house: edit(fee, house, kind="less", closes_at=LATER),
    "closed": lambda fee, house: edit(fee, house, closes_at=BEFORE + timedelta(hours=1)),
    "for another kind": narrow,
    "for members": make_for_members,
    "for a list": lambda fee, house: edit(fee, house, needs_list=True),
    "none any more": end_all,
    "beside a reduction of its name": make_a_reduction_of_its_name,
}


@pytest.mark.parametrize("surcharge", ["always", "late", "late share", "for the first"])
@pytest.mark.parametrize("change", EDITS.values(), ids=EDITS.keys())
def test_surcharge_stays_as_it_was_paid_whatever_has_become_of_it(promises_kept, surcharge, change):
    house = hall()
    values = {"amount_minor": MORE, "stacking": "added", **SURCHARGES[surcharge]}
    fee = builders.discount(house.kind.event, **values)
    ticket = house.bought("stranger")
    paid_minor = ticket.line.price_minor
    change(fee, house)

    first = houses.pay(resold(ticket, {}))
    again = houses.pay(resold(houses.ticket_of(first), {}))

    assert (paid_minor, first.total_minor, again.total_minor) == (NEW + MORE,) * 3
    assert [refund.amount_minor for refund in Refund.objects.all()] == [NEW + MORE - FEE] * 2


def test_percentage_on_a_surcharge_is_reckoned_as_it_was(promises_kept):
    house = hall()
    late = builders.discount(house.kind.event, amount_minor=MORE, stacking="added", **SURCHARGES["late"])
    builders.discount(house.kind.event, kind="percent_more", percent=10, stacking="added", covers_choices=True)
    ticket = house.bought("member")
    edit(late, house, amount_minor=1)

    order = houses.pay(resold(ticket, {}))

    assert (ticket.line.price_minor, order.total_minor) == (27_500, 33_000)


def test_surcharge_without_conditions_renamed_between_two_sales_is_paid_once(promises_kept):
    house = hall()
    fee = builders.discount(house.kind.event, kind="more", amount_minor=MORE, stacking="added")
    first = houses.pay(resold(house.bought("stranger"), {}))
    edit(fee, house, name_sv="Avgift")

    order = houses.pay(resold(houses.ticket_of(first), {}))

    assert order.total_minor == NEW + MORE


def order_of(listing: Listing, buyer: dict[str, Any]) -> Order:
    return buying.buy([listing], **buyer, idempotency_key=f"{listing.public_id}")


def test_orders_of_one_batch_have_a_right_of_one_person_once(promises_kept):
    house = hall(members={"max_per_person": 1})
    rows = [houses.listed(house.bought("stranger")) for _each in range(2)]
    buyer = house.buyer("member")
    orders = [order_of(row, buyer) for row in rows]
    orders.append(factories.order(house.kind.event, factories.wanted(house.kind), **buyer))

    queue.drain(house.kind.event_id)

    totals = Order.objects.filter(pk__in=[order.pk for order in orders]).values_list("total_minor", flat=True)
    assert sorted(totals) == [MEMBERS, NEW, NEW]
    assert DiscountUse.objects.filter(is_live=True).count() == 1


def test_last_right_of_a_size_goes_to_the_first_of_a_batch_and_undoes_nothing(promises_kept, monkeypatch):
    house = hall(members={"size": 1})
    rows = [houses.listed(house.bought("stranger")) for _each in range(2)]
    orders = [order_of(row, house.buyer("member")) for row in rows]
    asked: list[int] = []

    def claim(lines: Mapping[int, Any], claim: Any = claims.claim) -> None:
        asked.append(len(lines))
        claim(lines)

    monkeypatch.setattr(claims, "claim", claim)

    queue.drain(house.kind.event_id)

    totals = Order.objects.filter(pk__in=[order.pk for order in orders]).values_list("total_minor", flat=True)
    assert (sorted(totals), asked) == ([MEMBERS, NEW], [1])
