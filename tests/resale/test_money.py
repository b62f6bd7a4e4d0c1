"""Who pays what when a ticket changes hands: the table of cases."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from apps.ticketing import ledger, refunds
from apps.ticketing.ledger import Account
from apps.ticketing.models import Refund
from tests import factories
from tests.discounts import presales
from tests.resale import houses
from tests.resale.halls import CODED, FEE, MEMBERS, NEW, hall, resold

pytestmark = pytest.mark.django_db


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
