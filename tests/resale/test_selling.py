"""A ticket changes hands: who pays what, who gets what, and whose code is good."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.urls import reverse
from django.utils.translation import override

from apps.discounts.models import Membership
from apps.resale import buying, listings, reasons, rules
from apps.resale.models import Listing, ResaleRule
from apps.ticketing import (
    answers,
    changes,
    clock,
    ledger,
    mail_desk,
    mails,
    outbox,
    queue,
    refunds,
    requoting,
    reservations,
    sale_control,
    tickets,
)
from apps.ticketing.ledger import Account
from apps.ticketing.models import (
    Effect,
    LineChoice,
    Order,
    Payment,
    Question,
    Quota,
    Refund,
    SentMail,
    Ticket,
    TicketType,
)
from apps.ticketing.payments import settle
from apps.ticketing.states import OrderState, PaymentState, TicketState
from tests import factories
from tests.clock import clock_moved
from tests.discounts import builders, presales
from tests.resale import houses

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def promises(promises_kept):
    """Every test here ends with all promises kept."""


def test_a_sold_ticket_charges_the_buyer_repays_the_seller_and_moves_the_place():
    ticket = houses.sold_ticket(price_minor=25_000)
    quota = Quota.objects.get(event=ticket.event)
    taken = quota.taken

    listing = houses.listed(ticket)
    order = houses.bought(listing)

    ticket.refresh_from_db()
    listing.refresh_from_db()
    quota.refresh_from_db()
    new = Ticket.objects.get(line__order=order)
    refund = Refund.objects.get(payment__order=ticket.line.order)
    assert (order.state, order.total_minor) == (OrderState.PAID, 25_000)
    assert (ticket.state, new.state, listing.state) == (TicketState.SUPERSEDED, TicketState.VALID, "sold")
    assert (refund.amount_minor, refund.reason) == (25_000, "resold")
    assert quota.taken == taken
    assert new.short_code != ticket.short_code


def test_fee_is_kept_of_what_the_seller_gets():
    ticket = houses.sold_ticket(price_minor=25_000)
    ResaleRule.objects.create(event=ticket.event, fee_minor=1_000, fee_percent=2)

    listing = houses.listed(ticket)
    order = houses.bought(listing)

    seller = ticket.line.order
    refund = Refund.objects.get(payment__order=seller)
    assert (order.total_minor, refund.amount_minor, listing.fee_minor) == (25_000, 23_500, 1_500)
    assert -ledger.balance(Account.FEE, order=seller) == 1_500
    assert -ledger.balance(Account.SELLER_PAYABLE, order=seller) == 23_500


def test_what_a_seller_gives_up_lowers_price_and_payout_alike():
    ticket = houses.sold_ticket(price_minor=25_000)

    order = houses.bought(houses.listed(ticket, 20_000))

    refund = Refund.objects.get(payment__order=ticket.line.order)
    (line,) = order.lines.all()
    assert (order.total_minor, refund.amount_minor) == (20_000, 20_000)
    assert (line.list_minor, line.price_minor) == (25_000, 20_000)
    assert [row.amount_minor for row in line.adjustments.all()] == [-5_000]
    assert ledger.balance(Account.SELLER_SHARE) == 0


@pytest.mark.parametrize("length", [2, 5])
def test_a_chain_of_sales_repays_each_seller_once(length):
    ticket = houses.sold_ticket(price_minor=25_000, vat_percent=0)
    asked = [25_000, 24_000, 24_000, 20_000, 20_000][:length]
    sellers = []
    for price in asked:
        sellers.append((ticket.line.order, price))
        order = houses.bought(houses.listed(ticket, price))
        assert order.total_minor == price
        ticket = Ticket.objects.select_related("event", "line__order", "ticket_type").get(line__order=order)

    for seller, price in sellers:
        assert [refund.amount_minor for refund in Refund.objects.filter(payment__order=seller)] == [price]
        seller.refresh_from_db()
        assert seller.state == OrderState.REFUNDED
    alive = Ticket.objects.filter(event=ticket.event).exclude(state=TicketState.SUPERSEDED)
    assert list(alive) == [ticket]
    assert ledger.balance(Account.SELLER_SHARE) == 0
    assert -ledger.balance(Account.REVENUE) == 25_000


def test_first_buyer_gets_a_listing_and_the_others_are_turned_away_at_once():
    listing = houses.listed(houses.sold_ticket(price_minor=25_000))
    orders = [
        buying.buy([listing], email=f"racer-{n}@example.org", idempotency_key=f"race-{n:04d}-key") for n in range(5)
    ]

    queue.drain(listing.event_id)

    states = [
        (order.state, order.reason) for order in Order.objects.filter(pk__in=[o.pk for o in orders]).order_by("pk")
    ]
    assert states == [("reserved", ""), *[("rejected", reasons.LISTING_TAKEN)] * 4]


def test_who_is_refused_leaves_the_listing_to_the_next_in_rank():
    ticket = houses.sold_ticket(price_minor=25_000)
    TicketType.objects.filter(pk=ticket.ticket_type_id).update(max_per_person=1)
    gone = houses.listed(houses.sold_ticket(of=ticket.ticket_type))
    has_one = houses.sold_ticket(of=ticket.ticket_type).line.order.email
    listing = houses.listed(ticket)
    listings.withdraw(gone)
    wishes = [(has_one, [listing]), ("both@x.se", [listing, gone]), ("next@x.se", [listing]), ("late@x.se", [listing])]
    orders = [buying.buy(wanted, email=email, idempotency_key=f"in-rank-{email}") for email, wanted in wishes]

    queue.drain(listing.event_id)

    decided = [Order.objects.values_list("state", "reason").get(pk=order.pk) for order in orders]
    assert decided == [
        ("rejected", "limit_per_person"),
        ("rejected", reasons.LISTING_GONE),
        ("reserved", ""),
        ("rejected", reasons.LISTING_TAKEN),
    ]
    assert Listing.objects.get(pk=listing.pk).held_by == orders[2].lines.get()


def test_an_unpaid_hold_puts_the_ticket_back_on_sale_and_has_no_extension():
    ticket = houses.sold_ticket(price_minor=25_000)
    listing = houses.listed(ticket)
    order = houses.ordered(listing)
    assert not reservations.extend(order)

    houses.expire(order)

    ticket.refresh_from_db()
    listing.refresh_from_db()
    assert (ticket.state, listing.state, listing.held_by_id) == (TicketState.VALID, "open", None)


def test_declined_card_keeps_a_ticket_of_somebodys_no_longer_than_was_said():
    order = houses.ordered(houses.listed(houses.sold_ticket(price_minor=25_000)))
    until, due = order.reserved_until, factories.payment(order)

    with clock_moved(timedelta(minutes=14)):
        settle.settle(factories.notice(due, "failed"), provider=due.provider)

    order.refresh_from_db()
    assert (order.state, order.reserved_until) == (OrderState.RESERVED, until)


def test_money_that_comes_when_the_ticket_was_refunded_meanwhile_goes_back():
    ticket = houses.sold_ticket(price_minor=25_000)
    listing = houses.listed(ticket)
    order = houses.ordered(listing)
    refunds.order_refund(ticket.line.order, [ticket.line], reason="refused")

    houses.pay(order)

    (payment,) = houses.payments_of(order)
    refund = Refund.objects.get(payment=payment)
    assert (order.state, order.reason) == (OrderState.CANCELLED, reasons.LISTING_GONE)
    assert (payment.state, refund.amount_minor) == (PaymentState.CAPTURED, 25_000)
    assert not Ticket.objects.filter(line__order=order).exists()


def test_money_that_comes_after_the_hold_goes_back_and_the_ticket_stays_its_owners():
    ticket = houses.sold_ticket(price_minor=25_000)
    order = houses.ordered(houses.listed(ticket))
    due = factories.payment(order)
    settle.settle(factories.notice(due, "failed"), provider=due.provider)
    houses.expire(order)

    settle.settle(factories.notice(due), provider=due.provider)

    ticket.refresh_from_db()
    assert Refund.objects.get(payment=due).reason == "late_payment"
    assert ticket.state == TicketState.VALID


def test_own_ticket_cannot_be_bought():
    ticket = houses.sold_ticket(price_minor=25_000)
    listing = houses.listed(ticket)

    order = houses.ordered(listing, email=ticket.line.order.email.upper())

    assert (order.state, order.reason) == (OrderState.REJECTED, reasons.OWN_LISTING)


OTHER = "alva@second.example"


@pytest.mark.parametrize(
    ("seller", "buyer", "is_own"),
    [
        ("account", "guest", True),
        ("guest", "account", True),
        ("account", "guest by the other address", True),
        ("guest by the other address", "account", True),
        ("account that proved nothing else", "guest by the other address", False),
        ("guest by the other address", "account that proved nothing else", False),
    ],
)
def test_own_ticket_is_own_by_account_and_by_every_address_that_was_proved(seller, buyer, is_own):
    alva = builders.member()
    is_proved = "proved nothing else" not in f"{seller} {buyer}"
    EmailAddress.objects.create(user=alva, email=OTHER, verified=is_proved)

    def told(nature):
        return {"email": OTHER if "other" in nature else alva.email, "user": alva if "account" in nature else None}

    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 5), price_minor=25_000)
    bought = factories.order(event, factories.wanted(kind), **told(seller))
    queue.drain(event.pk)
    bought.refresh_from_db()

    order = houses.ordered(houses.listed(houses.ticket_of(houses.pay(bought))), **told(buyer))

    assert (order.state, order.reason) == (
        (OrderState.REJECTED, reasons.OWN_LISTING) if is_own else (OrderState.RESERVED, "")
    )


def test_ticket_used_at_the_door_is_not_sold():
    ticket = houses.sold_ticket(price_minor=25_000)
    listing = houses.listed(ticket)

    tickets.use(ticket)
    order = houses.ordered(listing)

    assert (order.state, order.reason) == (OrderState.REJECTED, reasons.LISTING_GONE)
    assert listings.sweep(order.queued_at) == 1
    assert Listing.objects.get().reason == reasons.TICKET_CHANGED


def test_new_owner_is_asked_anew_what_is_marked_so():
    ticket = houses.sold_ticket(price_minor=25_000)
    food = factories.variation(ticket.ticket_type, name_sv="Mat", name_en="Food", ask_again_on_resale=True)
    LineChoice.objects.create(line=ticket.line, choice=factories.choice(food, name_sv="Fisk", name_en="Fish"))
    diet = Question.objects.create(ticket_type=ticket.ticket_type, text_sv="Äter du allt?", kind=Question.Kind.DIET)
    answers.answer(ticket.line, {diet.pk: answers.Given(("vegan",))})

    order = houses.bought(houses.listed(ticket))
    outbox.run_all(kinds=["mail.send"])

    new = Ticket.objects.select_related("line__order").get(line__order=order)
    (letter,) = [sent for sent in mail.outbox if "Välj själv" in sent.subject]
    assert letter.to == [order.email]
    told = str(letter.body).replace("\u00a0", " ")
    assert "(Mat, Äter du allt?)" in told and "Fisk" in told
    assert mails.change_url(new) in letter.body and mails.guest_url(new) in letter.body
    assert answers.of_lines([new.line_id]) == {}
    assert [pick.choice.name_sv for pick in new.line.choices.all()] == ["Fisk"]


def test_new_owner_who_is_asked_nothing_gets_no_mail_about_it():
    order = houses.bought(houses.listed(houses.sold_ticket(price_minor=25_000)))

    assert not Effect.objects.filter(order=order, payload__name="resale_ask_anew").exists()


def test_holder_s_mail_is_sent_again_from_the_desk_to_the_holder():
    ticket = houses.sold_ticket(price_minor=25_000)
    houses.bought(houses.listed(ticket))
    outbox.run_all(kinds=["mail.send"])
    sent = SentMail.objects.get(order=ticket.line.order, name="resale_sold")

    mail_desk.send_again(ticket.line.order, sent.public_id, actor=None)
    with clock_moved(timedelta(minutes=1)):
        outbox.run_all(kinds=["mail.send"])

    again = SentMail.objects.filter(order=ticket.line.order, name="resale_sold")
    assert [row.to for row in again] == [ticket.holder_email] * 2


def test_price_that_rests_on_a_register_s_silence_is_settled_once_it_answers():
    seller = houses.sold_ticket(price_minor=25_000)
    body = builders.body(seller.event.organisation)
    discount = builders.discount(seller.event, bodies=[body], when_unknown="member")
    alva = builders.member(body, verdict="unknown")
    Membership.objects.update(verdict="unknown")
    order = houses.bought(houses.listed(seller), email=alva.email, user=alva)
    assert (order.total_minor, Ticket.objects.get(line__order=order).check_membership) == (20_000, True)

    Membership.objects.update(verdict="yes")
    outcome = requoting.requote(order.pk)

    order.refresh_from_db()
    assert (outcome, order.total_minor, Refund.objects.count()) == ("kept", 20_000, 1)
    assert not Ticket.objects.get(line__order=order).check_membership
    assert discount.allowance.taken == 0


def test_free_ticket_changes_hands_without_money():
    ticket = houses.sold_ticket(price_minor=0)

    order = houses.bought(houses.listed(ticket))

    assert order.state == OrderState.PAID
    assert not Refund.objects.exists()
    assert Ticket.objects.get(line__order=order).state == TicketState.VALID


def test_sale_that_was_ended_stops_no_resale():
    ticket = houses.sold_ticket(price_minor=25_000)
    listing = houses.listed(ticket)
    sale_control.end(ticket.event)

    assert houses.bought(listing).state == OrderState.PAID


def test_ticket_of_a_presale_link_goes_on_with_its_share():
    event = factories.event()
    kind = presales.hidden_type(event)
    link = presales.link(kind, size=3)
    order = houses.pay(presales.buy(kind, 1, link))
    ticket = Ticket.objects.select_related("event", "line__order", "ticket_type").get(line__order=order)
    stock = presales.stock(kind)

    bought = houses.bought(houses.listed(ticket))

    assert bought.lines.get().allotment == ticket.line.allotment != ""
    assert presales.stock(kind) == stock
    assert reservations.recount(event.pk) == {}


def test_organiser_takes_a_ticket_back_that_somebody_is_buying():
    ticket = houses.sold_ticket(price_minor=25_000)
    listing = houses.listed(ticket)
    order = houses.ordered(listing)

    listings.take_back(listing, actor=None)

    order.refresh_from_db()
    listing.refresh_from_db()
    ticket.refresh_from_db()
    assert (order.state, order.reason) == (OrderState.CANCELLED, reasons.TAKEN_BACK)
    assert (listing.state, ticket.state) == ("withdrawn", TicketState.VALID)


def test_ticket_of_which_a_part_was_repaid_is_not_sold_for_more_than_is_left():
    ticket = houses.sold_ticket(price_minor=25_000)
    listing = houses.listed(ticket)
    held = houses.ordered(listing)
    refunds.give_back(ticket.line.order, ticket.line, 1_000, note="")

    houses.pay(held)

    assert (held.state, Refund.objects.filter(payment__order=held).count()) == (OrderState.CANCELLED, 1)
    assert houses.ordered(listing).reason == reasons.LISTING_GONE
    assert listings.sweep(clock.now()) == 1
    listing.refresh_from_db()
    assert (listing.state, listing.reason) == ("withdrawn", reasons.PART_GIVEN_BACK)
    ticket = Ticket.objects.select_related("event", "line__order", "ticket_type").get(pk=ticket.pk)
    assert houses.listed(ticket).payout_minor == 24_000


@pytest.mark.parametrize(("delta_minor", "left_minor"), [(8_000, 25_000), (-6_000, 19_000)], ids=["dearer", "cheaper"])
def test_ticket_whose_choices_were_changed_for_money_is_not_for_sale(delta_minor, left_minor):
    ticket = houses.sold_ticket(price_minor=25_000)
    listing = houses.listed(ticket)
    other = factories.choice(factories.variation(ticket.ticket_type), delta_minor=delta_minor)
    changes.begin(ticket.line.order, ticket, {other.pk: 1}, agreed_minor=delta_minor)

    assert listings.sweep(clock.now()) == 1

    listing.refresh_from_db()
    assert (listing.state, listing.reason) == ("withdrawn", reasons.CHOICES_CHANGED)
    ticket = Ticket.objects.select_related("event", "line__order", "ticket_type").get(pk=ticket.pk)
    assert ticket.line.kept_minor == left_minor
    assert listings.why_not(ticket, rules.of(ticket.event), clock.now()) == listings.CHOICES_CHANGED


@pytest.mark.django_db(transaction=True)
def test_dearer_change_ends_the_listing_as_it_begins():
    ticket = houses.sold_ticket(price_minor=25_000)
    listing = houses.listed(ticket)
    wine = factories.choice(factories.variation(ticket.ticket_type), delta_minor=8_000)

    changes.begin(ticket.line.order, ticket, {wine.pk: 1}, agreed_minor=8_000)

    listing.refresh_from_db()
    assert (listing.state, listing.reason) == ("withdrawn", reasons.CHOICES_CHANGED)


def test_ticket_whose_dearer_change_waits_for_its_payment_is_held_by_no_buyer():
    """Also where nobody has ended the listing yet: the seller would pay for what goes to the buyer."""
    ticket = houses.sold_ticket(price_minor=25_000)
    listing = houses.listed(ticket)
    wine = factories.choice(factories.variation(ticket.ticket_type), delta_minor=8_000)
    supplement = changes.begin(ticket.line.order, ticket, {wine.pk: 1}, agreed_minor=8_000)

    order = houses.ordered(listing)
    houses.pay(supplement)

    assert (order.state, order.reason) == (OrderState.REJECTED, reasons.LISTING_CHANGED)
    assert [pick.choice_id for pick in ticket.line.choices.all()] == [wine.pk]


def test_choices_that_change_before_a_buyer_s_turn_turn_them_away(at_dinner):
    ticket, meat, fish = at_dinner
    listing = houses.listed(ticket)
    sale_control.pause(ticket.event)
    order = buying.buy([listing], email="b@example.org", idempotency_key="before-the-change")
    changes.begin(ticket.line.order, ticket, {fish.pk: 1}, agreed_minor=0)
    sale_control.resume(ticket.event)

    queue.drain(ticket.event_id)
    again = houses.ordered(listing)

    order.refresh_from_db()
    assert (order.state, order.reason) == (OrderState.REJECTED, reasons.LISTING_CHANGED)
    assert [pick.choice_id for pick in again.lines.get().choices.all()] == [fish.pk]
    assert reservations.recount(ticket.event_id) == {}


def test_choices_stay_while_somebody_is_buying_the_ticket(at_dinner):
    ticket, _meat, fish = at_dinner
    houses.ordered(houses.listed(ticket))

    with pytest.raises(changes.NotChanged, match="is being sold"), override("en"):
        changes.begin(ticket.line.order, ticket, {fish.pk: 1}, agreed_minor=0)


@pytest.fixture
def at_dinner():
    """A ticket with meat, of which there are two as there are of fish, at the same price."""
    event = factories.event(starts_at=clock.now() + timedelta(days=30))
    kind = factories.ticket_type(event, factories.quota(event, 5), price_minor=25_000)
    food = factories.variation(kind)
    meat, fish = (factories.choice(food, factories.quota(event, 2), name_en=name) for name in ("Meat", "Fish"))
    order = factories.order(event, factories.wanted(kind, 1, (meat, 1)))
    queue.drain(event.pk)
    order.refresh_from_db()
    return houses.ticket_of(houses.pay(order)), meat, fish


def disputed(ticket, *news):
    """The payer's bank tells of a dispute of what the ticket was bought with."""
    due = Payment.objects.get(order=ticket.line.order, state="captured")
    for each in news:
        settle.settle(factories.notice(due, each, kind="dispute", reference="dp_1"), provider=due.provider)


@pytest.mark.parametrize("order_of", ["open expire won", "open won expire", "open pay won", "open won pay"])
def test_won_dispute_of_a_ticket_that_was_being_bought_leaves_it_its_owner_s(order_of):
    ticket = houses.sold_ticket(price_minor=25_000)
    order = houses.ordered(houses.listed(ticket))

    for step in order_of.split():
        if step == "expire":
            houses.expire(order)
        elif step == "pay":
            houses.pay(order)
        else:
            disputed(ticket, {"open": "opened"}.get(step, step))
    listings.sweep(clock.now())

    ticket.refresh_from_db()
    back = Refund.objects.filter(payment__order=order).values_list("amount_minor", flat=True)
    assert ticket.state == TicketState.VALID
    assert list(back) == ([25_000] if "pay" in order_of else [])
    assert not Listing.objects.filter(state="held").exists()
    tickets.use(ticket)


def close(ticket: Ticket) -> None:
    ResaleRule.objects.create(event=ticket.event, hours_before_doors=24 * 60)  # the event is in 30 days


def cancel(ticket: Ticket) -> None:
    type(ticket.event).objects.filter(pk=ticket.event_id).update(cancelled_at=clock.now())


def shut(ticket: Ticket) -> None:
    ResaleRule.objects.create(event=ticket.event, is_open=False)


@pytest.mark.parametrize("over", [close, cancel, shut])
def test_listing_ends_by_itself_when_selling_is_over_and_its_seller_is_told(over):
    ticket = houses.sold_ticket(price_minor=25_000)
    listing = houses.listed(ticket)
    running = houses.listed(houses.sold_ticket(price_minor=25_000))

    assert listings.sweep(clock.now()) == 0
    over(ticket)
    assert listings.sweep(clock.now()) == 1

    listing.refresh_from_db()
    running.refresh_from_db()
    assert (listing.state, listing.reason, running.state) == ("withdrawn", reasons.CLOSED, "open")
    outbox.run_all(kinds=["mail.send"])
    assert "Försäljningen tog slut innan någon köpte biljetten." in mail.outbox[-1].body
    ticket.refresh_from_db()
    assert ticket.state == TicketState.VALID


def refund(ticket: Ticket) -> None:
    refunds.order_refund(ticket.line.order, [ticket.line], reason=refunds.BY_ORGANISER)


def dispute(ticket: Ticket) -> None:
    tickets.block([ticket.pk], reason="disputed")


@pytest.mark.parametrize("moves", [tickets.use, refund, dispute])
def test_listing_ends_in_the_moment_its_ticket_is_good_no_more(django_capture_on_commit_callbacks, moves):
    ticket = houses.sold_ticket(price_minor=25_000)
    listing = houses.listed(ticket)

    with django_capture_on_commit_callbacks(execute=True):
        moves(ticket)

    listing.refresh_from_db()
    assert (listing.state, listing.reason) == ("withdrawn", reasons.TICKET_CHANGED)


def test_seller_is_written_to_when_the_ticket_is_listed_and_when_it_is_withdrawn():
    ticket = houses.sold_ticket(price_minor=25_000)
    outbox.run_all(kinds=["mail.send"])

    listing = houses.listed(ticket)
    outbox.run_all(kinds=["mail.send"])
    listings.withdraw(listing, reason=reasons.BY_DESK)
    outbox.run_all(kinds=["mail.send"])

    sent = SentMail.objects.filter(order=ticket.line.order, name__startswith="resale_").order_by("pk")
    assert list(sent.values_list("name", "to")) == [
        ("resale_listed", ticket.holder_email),
        ("resale_withdrawn", ticket.holder_email),
    ]


def arrive(order: Order) -> None:
    """What goes back of the order has been sent, its provider says."""
    sent = Refund.objects.select_related("payment").get(payment__order=order)
    refunds.settle(
        factories.notice(sent.payment, "done", kind="refund", our_id=str(sent.public_id), reference="sent-1"),
        provider=sent.payment.provider,
    )


def names(order: Order) -> list[str]:
    outbox.run_all(kinds=["mail.send"])
    sent = SentMail.objects.filter(order=order).order_by("pk").values_list("name", flat=True)
    return [name for name in sent if name.startswith(("resale_", "refund_"))]


def test_seller_is_told_at_each_step_and_of_buyers_who_do_not_pay_once_an_hour():
    ticket = houses.sold_ticket(price_minor=25_000)
    seller, listing = ticket.line.order, houses.listed(ticket)
    first = houses.ordered(listing)
    until = f"{first.reserved_until.astimezone(ticket.event.zone):%H.%M}"

    assert names(seller) == ["resale_listed", "resale_reserved"]
    assert f"Den köps till {until}." in mail.outbox[-1].body
    houses.expire(first)
    second = houses.ordered(listing)
    assert names(seller) == ["resale_listed", "resale_reserved"]
    houses.pay(second)
    arrive(seller)

    assert names(seller) == ["resale_listed", "resale_reserved", "resale_sold", "refund_sent"]
    done = Refund.objects.get(payment__order=seller).done_at
    assert f"{done.astimezone(ticket.event.zone).day}" in str(mail.outbox[-1].body)
    assert "5–10 bankdagar" in str(mail.outbox[-1].body)


def test_page_of_a_repaid_seller_says_on_which_day_it_was_sent(client):
    ticket = houses.sold_ticket(price_minor=25_000)
    houses.bought(houses.listed(ticket))
    seller = ticket.line.order
    arrive(seller)

    page = client.get(reverse("ticketing:order", args=[seller.reference, seller.secret])).content.decode()

    assert "Skickades " in page


def test_withdrawal_by_the_ticket_s_link_is_told_to_its_holder():
    ticket = houses.sold_ticket(price_minor=25_000)
    listings.withdraw(houses.listed(ticket))

    assert names(ticket.line.order)[-1] == "resale_withdrawn"
    assert "Om det inte var du" in mail.outbox[-1].body
