"""A ticket goes from hand to hand: no chain of hands costs less than the ticket costs its last owner new."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from apps.resale import listings
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
from apps.ticketing.models import ChoiceChange, Dispute, Gift, GivingRule, Order, Payment, Refund, Ticket
from apps.ticketing.payments import settle
from tests import factories
from tests.discounts import builders
from tests.resale import houses
from tests.resale.halls import FEE, MEMBERS, NEW, hall, resold

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
