"""Who pays what when a ticket changes hands: the table of cases, and no chain of hands is cheaper than its last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from apps.discounts.models import MemberBody, Sponsor
from apps.resale import buying, listings
from apps.resale.models import ResaleRule
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
)
from apps.ticketing.ledger import Account
from apps.ticketing.models import (
    ChoiceChange,
    Dispute,
    Gift,
    GivingRule,
    Order,
    Payment,
    Refund,
    Ticket,
    TicketType,
)
from apps.ticketing.payments import settle
from tests import factories
from tests.discounts import builders, presales
from tests.resale import houses

pytestmark = pytest.mark.django_db

NEW, MEMBERS, CODED, FEE = 25_000, 20_000, 15_000, 1_000


@dataclass
class Hall:
    """An event with a ticket of 250 kr: 200 for members, 150 with a code; 10 kr of a sale are kept."""

    kind: TicketType
    body: MemberBody
    sponsor: Sponsor | None

    def buyer(self, nature: str) -> dict[str, Any]:
        """What `ordering.place` is told of somebody of this nature."""
        if nature == "member":
            user = builders.member(self.body)
            return {"user": user, "email": user.email}
        return {"tokens": ["code:LUCIA"]} if nature == "coded" else {}

    def bought(self, nature: str) -> Ticket:
        order = factories.order(self.kind.event, factories.wanted(self.kind), **self.buyer(nature))
        queue.drain(self.kind.event_id)
        order.refresh_from_db()
        return houses.ticket_of(houses.pay(order))


def hall(*, price_minor: int = NEW, is_sponsored: bool = False, members_minor: int = MEMBERS) -> Hall:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 50), price_minor=price_minor, vat_percent=0)
    body = builders.body(event.organisation)
    sponsor = builders.sponsor(event.organisation) if is_sponsored else None
    builders.discount(event, bodies=[body], amount_minor=NEW - members_minor, sponsor=sponsor)
    builders.discount(event, codes={"LUCIA": None}, amount_minor=NEW - CODED, sponsor=sponsor)
    ResaleRule.objects.create(event=event, fee_minor=FEE)
    return Hall(kind, body, sponsor)


@dataclass(frozen=True)
class Case:
    """A seller who paid `paid`, and a buyer who is charged `charged`; the sponsor, if any, then owes `owed`."""

    seller: str
    buyer: str
    paid: int
    charged: int
    owed: int


CASES = [
    Case("member", "member", MEMBERS, MEMBERS, NEW - MEMBERS),
    Case("member", "stranger", MEMBERS, NEW, 0),
    Case("stranger", "member", NEW, MEMBERS, NEW - MEMBERS),
    Case("stranger", "stranger", NEW, NEW, 0),
    Case("coded", "stranger", CODED, NEW, 0),
    Case("coded", "member", CODED, MEMBERS, NEW - MEMBERS),
    Case("stranger", "coded", NEW, NEW, 0),  # a code is for a new ticket
    Case("member", "coded", MEMBERS, NEW, 0),
]


@pytest.mark.parametrize("is_sponsored", [False, True], ids=["organiser bears it", "sponsor bears it"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.seller} to {case.buyer}")
def test_charge_is_refund_and_fee_and_what_the_eligibilities_differ(promises_kept, case, is_sponsored):
    house = hall(is_sponsored=is_sponsored)
    ticket = house.bought(case.seller)
    assert ticket.line.price_minor == case.paid

    order = houses.pay(resold(ticket, house.buyer(case.buyer)))

    refund = Refund.objects.get()
    owed = case.owed if is_sponsored else 0
    assert (order.total_minor, refund.amount_minor) == (case.charged, case.paid - FEE)
    # The buyer's charge is the seller's refund, the fee, and the difference between what either is entitled to.
    difference = case.charged - case.paid
    assert order.total_minor == refund.amount_minor + FEE + difference
    assert ledger.balance(Account.SPONSOR_RECEIVABLE) == owed
    assert -ledger.balance(Account.FEE) == FEE
    assert -ledger.balance(Account.REVENUE) == case.charged + owed
    assert ledger.balance(Account.SELLER_SHARE) == 0


def resold(ticket: Ticket, buyer: dict[str, Any], asked_minor: int | None = None) -> Order:
    listing = houses.listed(ticket, asked_minor)
    facts = {"email": f"b{listing.pk}@example.org", **buyer, "idempotency_key": f"{listing.public_id}"}
    order = buying.buy([listing], **facts)
    queue.drain(order.event_id)
    order.refresh_from_db()
    return order


def test_ticket_of_a_presale_link_costs_its_next_owner_the_same(promises_kept):
    event = factories.event()
    kind = presales.hidden_type(event, price_minor=NEW)
    link = presales.link(kind, size=3)
    ticket = houses.ticket_of(houses.pay(presales.buy(kind, 1, link)))

    order = houses.bought(houses.listed(ticket))

    assert (order.total_minor, Refund.objects.get().amount_minor) == (NEW, NEW)


def test_free_ticket_costs_its_next_owner_nothing(promises_kept):
    house = hall(price_minor=0)

    order = houses.bought(houses.listed(house.bought("stranger")))

    assert (order.total_minor, Refund.objects.count(), ledger.balance(Account.FEE)) == (0, 0, 0)


@pytest.mark.parametrize("is_sponsored", [False, True])
def test_ticket_that_was_free_for_a_member_is_paid_by_a_stranger_and_the_other_way_round(promises_kept, is_sponsored):
    house = hall(is_sponsored=is_sponsored, members_minor=0)

    order = houses.bought(houses.listed(house.bought("member")))
    assert (order.total_minor, Refund.objects.count()) == (NEW, 0)
    assert ledger.balance(Account.SPONSOR_RECEIVABLE) == 0

    free = houses.pay(resold(houses.ticket_of(order), house.buyer("member")))
    assert (free.total_minor, Refund.objects.get().amount_minor) == (0, NEW - FEE)
    assert ledger.balance(Account.SPONSOR_RECEIVABLE) == (NEW if is_sponsored else 0)
    assert -ledger.balance(Account.REVENUE) == (NEW if is_sponsored else 0)


def test_goodwill_to_a_seller_is_the_house_s_again_once_the_ticket_is_sold(promises_kept):
    """The next owner has no part in it: they pay the price, and the seller gets what they had really paid."""
    house = hall()
    ticket = house.bought("stranger")
    refunds.give_back(ticket.line.order, ticket.line, 3_000, note="")
    ticket = houses.ticket_of(ticket.line.order)

    order = houses.bought(houses.listed(ticket, 20_000))

    back = sorted(Refund.objects.values_list("amount_minor", flat=True))
    assert (order.total_minor, back) == (NEW - 2_000, [3_000, 20_000 - FEE])
    assert ledger.balance(Account.SELLER_SHARE) == 0
    assert -ledger.balance(Account.REVENUE) == NEW


def test_goodwill_after_listing_ends_the_listing_as_what_is_given_up_is_another_sum(promises_kept):
    house = hall()
    ticket = house.bought("stranger")
    listing = houses.listed(ticket, 20_000)
    held = houses.ordered(listing)
    refunds.give_back(ticket.line.order, ticket.line, 3_000, note="")

    houses.pay(held)

    assert (held.state, held.reason) == ("cancelled", "listing_gone")
    assert Refund.objects.get(payment__order=held).amount_minor == NEW - 5_000
    assert ledger.balance(Account.SELLER_SHARE) == 0


# --- Chains ----------------------------------------------------------------------------------------------------------

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

    def __init__(self, first: int, when_dearer: str) -> None:
        self.house = hall()
        event = self.house.kind.event
        GivingRule.objects.create(event=event, at=clock.now(), when_dearer=when_dearer)
        self.people = [
            builders.member(self.house.body) if nature == "member" else factories.user() for nature in PEOPLE
        ]
        self.owner = first
        order = factories.order(self.house.kind.event, factories.wanted(self.house.kind), **self.told(first))
        queue.drain(order.event_id)
        order.refresh_from_db()
        self.order = houses.pay(order)

    def told(self, person: int) -> dict[str, Any]:
        return {"user": self.people[person], "email": self.people[person].email}

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
        elif person == self.owner or ticket.line.kept_minor <= FEE + 100:
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
            self.order, self.owner = houses.pay(order), person

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
