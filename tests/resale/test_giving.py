"""Selling and giving away one ticket: whichever comes last holds, and whoever paid is repaid."""

from __future__ import annotations

import pytest
from django.core import mail
from django.urls import reverse
from django.utils.translation import override

from apps.resale import reasons
from apps.resale.models import Listing
from apps.ticketing import giving, ledger, outbox
from apps.ticketing.extensions import price_rules
from apps.ticketing.models import Refund, Ticket
from apps.ticketing.states import OrderState, TicketState
from tests.resale import houses
from tests.ticketing.test_gift_payments import MORE, Members, back, begun, offered, pay

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def promises(promises_kept):
    """Every test here ends with all promises kept."""


def test_ticket_put_up_for_sale_is_offered_to_nobody_and_the_other_way_round(django_capture_on_commit_callbacks):
    ticket = houses.sold_ticket()
    gift = giving.give(ticket, name="Kim", email="kim@example.org")

    listing = houses.listed(ticket)

    gift.refresh_from_db()
    assert (gift.state, gift.reason) == ("cancelled", "gift_being_sold")

    with django_capture_on_commit_callbacks(execute=True):
        giving.give(ticket, name="Kim", email="kim@example.org")

    listing.refresh_from_db()
    assert (listing.state, listing.reason) == ("withdrawn", reasons.GIVEN)


def test_ticket_that_was_given_away_is_sold_by_its_new_holder_and_its_payer_repaid():
    ticket = houses.sold_ticket(price_minor=25_000)
    new = giving.accept(giving.give(ticket, name="Kim", email="kim@example.org"))
    new = Ticket.objects.select_related("event", "line__order", "ticket_type").get(pk=new.pk)

    own = houses.ordered(houses.listed(new), email="kim@example.org")
    assert (own.state, own.reason) == (OrderState.REJECTED, reasons.OWN_LISTING)
    houses.bought(Listing.objects.get(), email=ticket.line.order.email)  # whoever gave it may buy it

    refund = Refund.objects.get()
    assert (refund.payment.order, refund.amount_minor) == (ticket.line.order, 25_000)
    states = Ticket.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == [TicketState.SUPERSEDED, TicketState.SUPERSEDED, TicketState.VALID]


def test_holder_who_did_not_pay_is_promised_no_money_and_the_payer_is(client):
    ticket = houses.sold_ticket(price_minor=25_000)
    giving.accept(giving.give(ticket, name="Kim", email="kim@example.org"))
    new = Ticket.objects.select_related("event", "line__order", "ticket_type").get(state="valid")
    payer = ticket.line.order.email

    with override("en"):
        page = client.get(reverse("resale:sell", args=[new.public_id, new.secret])).content.decode()
    assert "You get back" not in page and "get your money back" not in page
    assert "Goes back to whoever paid for it" in page
    listing = houses.listed(new)
    outbox.run_all(kinds=["mail.send"])
    listed = mail.outbox[-1]
    houses.bought(listing)
    outbox.run_all(kinds=["mail.send"])

    sold = {one.to[0]: one for one in mail.outbox if one.subject.endswith("tillbaka") or one.subject.endswith("såld")}
    assert "Du får 250" not in listed.body and "250\xa0kr går tillbaka till den som betalade" in listed.body
    kim, paid = sold["kim@example.org"], sold[payer]
    assert kim.subject == f"{new.event.title}: såld"
    assert "Går tillbaka till dig" not in kim.body and "Går tillbaka till den som betalade: 250\xa0kr" in kim.body
    assert "Går tillbaka till dig: 250\xa0kr" in paid.body and "250 kr" in paid.subject


def test_ticket_for_which_its_recipient_paid_more_gives_each_back_their_own_when_it_is_sold():
    with price_rules.temporarily(Members()):
        gift = offered()
        paid_more(gift)
        new = Ticket.objects.select_related("event", "line__order", "ticket_type").get(state="valid")

        bought = houses.bought(houses.listed(new))

    assert bought.total_minor == 20_000  # no stranger to the rule
    assert back() == {gift.ticket.line.order.email: 20_000, "kim@example.org": MORE}
    assert ledger.balance("seller_payable") == -20_000 and ledger.balance("buyer_refundable") == -MORE


def paid_more(gift):
    """Its recipient pays the difference and has the ticket."""
    pay(begun(gift))


def test_seller_reads_that_the_difference_goes_back_too(client):
    with price_rules.temporarily(Members()):
        paid_more(offered())
        new = Ticket.objects.get(state="valid")

        with override("en"):
            page = client.get(reverse("resale:sell", args=[new.public_id, new.secret]))

    assert "50 that was paid more" in page.content.decode()
