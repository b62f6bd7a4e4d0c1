"""A waiting list: who joins, who is offered what in which order, and what becomes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.events.models import Event
from apps.resale import listings, waiting, waiting_offers
from apps.resale import waiting_reasons as reasons
from apps.resale.market import Asked, found
from apps.resale.models import WaitingEntry, WaitingRule
from apps.ticketing import clock, ordering, outbox, queue, refunds, sale_control
from apps.ticketing.mails import sending
from apps.ticketing.models import Effect, Order, Quota, Ticket, TicketType
from apps.ticketing.states import OrderState, TicketState
from tests import factories
from tests.clock import clock_moved
from tests.resale import houses, lines

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def promises(promises_kept):
    """Every test here ends with all promises kept."""


def ticket_of(event) -> Ticket:
    found_one = Ticket.objects.select_related("event", "line__order", "ticket_type").filter(event=event).first()
    assert found_one is not None
    return found_one


def sold_publicly(event) -> list:
    return list(found(Asked(event=event.public_id), clock.now()))


def test_a_listing_is_offered_to_the_first_held_only_on_accepting_and_becomes_theirs(mailoutbox):
    event, _kind = lines.sold_out()
    houses.published(event)
    first, second = lines.waits(event), lines.waits(event)

    listing = houses.listed(ticket_of(event))

    offer = lines.offer_to(first)
    ticket = ticket_of(event)
    assert (listing.state, ticket.state, offer.state) == ("open", TicketState.VALID, "open")
    assert sold_publicly(event) == []
    assert lines.offers_to(second) == []
    outbox.run_all(early=True)
    letters = [letter for letter in mailoutbox if letter.to == [first.email]]
    assert [str(letter.subject) for letter in letters] == [
        "Luciasittning: du står på väntelistan",
        "Luciasittning: en biljett till dig",
    ]
    assert all(first.secret in letter.body for letter in letters)
    effect = Effect.objects.get(key=f"waiting.mail:offered:{offer.public_id}")
    assert letters[1].extra_headers["Message-ID"] == sending.message_id_of(effect)
    said = [letters[1].body, letters[1].alternatives[0][0]]
    assert all("Du betalar" in text and "250" in text for text in said)

    order = lines.decided(waiting_offers.accept(offer))
    assert (order.state, order.channel) == (OrderState.RESERVED, "resale")

    lines.paid(order)
    offer.refresh_from_db()
    first.refresh_from_db()
    assert (order.state, offer.state, first.state) == (OrderState.PAID, "bought", "served")
    assert Ticket.objects.get(line__order=order).owner_id == first.user_id


def test_a_declined_ticket_goes_to_the_next_and_is_public_when_nobody_wants_it():
    event, _kind = lines.sold_out()
    houses.published(event)
    first, second = lines.waits(event), lines.waits(event)
    listing = houses.listed(ticket_of(event))

    waiting_offers.decline(lines.offer_to(first))
    assert (lines.states_of(first), lines.states_of(second)) == (["declined"], ["open"])

    waiting_offers.decline(lines.offer_to(second))

    assert (lines.states_of(first), lines.states_of(second)) == (["declined"], ["declined"])
    assert sold_publicly(event) == [listing]
    assert [skip.reason for skip in first.skips.all()] == [reasons.DECLINED_BEFORE]
    assert houses.bought(listing).state == OrderState.PAID


def test_ticket_that_somebody_bought_as_a_guest_is_not_offered_to_their_account():
    event, _kind = lines.sold_out()
    ticket = ticket_of(event)
    own, other = lines.waits(event, email=ticket.holder_email), lines.waits(event)

    houses.listed(ticket)

    skip = own.skips.get()
    assert (lines.states_of(own), skip.reason) == ([], reasons.OWN_TICKET)
    assert lines.states_of(other) == ["open"]


def test_who_does_not_answer_in_time_keeps_the_place_and_is_off_after_two_silences():
    event, _kind = lines.sold_out(2)
    first = lines.waits(event)
    tickets = list(Ticket.objects.select_related("event", "line__order", "ticket_type").filter(event=event))
    houses.listed(tickets[0])

    with clock_moved(timedelta(hours=30)):
        waiting.sweep(clock.now())
        first.refresh_from_db()
        assert (lines.states_of(first), first.state) == (["lapsed"], "waiting")

        houses.listed(tickets[1])
    with clock_moved(timedelta(hours=60)):
        waiting.sweep(clock.now())

    first.refresh_from_db()
    assert (lines.states_of(first), first.state, first.reason) == (["lapsed", "lapsed"], "left", reasons.SILENT)


def test_an_offer_whose_time_is_up_cannot_be_accepted_though_nobody_has_noticed():
    event, _kind = lines.sold_out()
    first = lines.waits(event)
    houses.listed(ticket_of(event))
    offer = lines.offer_to(first)

    with clock_moved(timedelta(hours=30)), pytest.raises(waiting_offers.Over):
        waiting_offers.accept(offer)

    assert lines.states_of(first) == ["open"]
    assert Order.objects.filter(channel="resale").count() == 0


def test_a_ticket_withdrawn_or_used_while_offered_ends_the_offer():
    event, _kind = lines.sold_out()
    first = lines.waits(event)
    listing = houses.listed(ticket_of(event))

    listings.withdraw(listing)

    offer = lines.offer_to(first)
    assert (offer.state, offer.reason) == ("withdrawn", reasons.WITHDRAWN)
    with pytest.raises(waiting_offers.Over):
        waiting_offers.accept(offer)
    assert waiting.ahead(first) == 0


def test_a_ticket_withdrawn_after_accepting_is_refused_in_its_turn_and_costs_nothing():
    event, _kind = lines.sold_out()
    first = lines.waits(event)
    listing = houses.listed(ticket_of(event))
    order = waiting_offers.accept(lines.offer_to(first))

    listings.withdraw(listing)
    lines.decided(order)
    waiting.sweep(clock.now())

    first.refresh_from_db()
    assert (order.state, lines.states_of(first), first.state) == (OrderState.REJECTED, ["lost"], "waiting")


def test_others_cannot_buy_what_is_offered_to_somebody():
    event, _kind = lines.sold_out()
    first = lines.waits(event)
    listing = houses.listed(ticket_of(event))

    order = houses.ordered(listing)

    assert (order.state, order.reason) == (OrderState.REJECTED, reasons.ONLY_LISTED)
    assert lines.states_of(first) == ["open"]


def test_an_accepted_ticket_that_is_not_paid_goes_to_the_next():
    event, _kind = lines.sold_out()
    first, second = lines.waits(event), lines.waits(event)
    houses.listed(ticket_of(event))
    order = lines.decided(waiting_offers.accept(lines.offer_to(first)))

    houses.expire(order)
    waiting.sweep(clock.now())

    assert (lines.states_of(first), lines.states_of(second)) == (["lost"], ["open"])


def test_places_that_come_back_are_kept_for_the_list_and_sold_to_it():
    event, kind = lines.sold_out()
    first = lines.waits(event)
    order = Order.objects.get(event=event)

    lines.comes_back(order)

    offer, quota = lines.offer_to(first), Quota.objects.get(event=event)
    assert (offer.ticket_type_id, offer.quantity, quota.taken, quota.set_aside) == (kind.pk, 1, 0, 1)
    stranger = lines.decided(factories.order(event, factories.wanted(kind)))
    assert stranger.state == OrderState.WAITING

    bought = lines.paid(waiting_offers.accept(offer))

    quota.refresh_from_db()
    first.refresh_from_db()
    assert (bought.state, bought.channel) == (OrderState.PAID, "list")
    assert (quota.taken, quota.set_aside, first.state) == (1, 0, "served")


def test_waiting_orders_are_served_before_the_list():
    event, kind = lines.sold_out()
    first = lines.waits(event)
    in_line = lines.decided(factories.order(event, factories.wanted(kind)))
    order = Order.objects.get(event=event, state=OrderState.PAID)

    lines.comes_back(order)
    lines.decided(in_line)

    assert in_line.state == OrderState.RESERVED
    assert lines.offers_to(first) == []


def test_places_declined_by_all_are_for_everybody_and_nobody_is_asked_twice():
    event, kind = lines.sold_out()
    people = [lines.waits(event), lines.waits(event)]
    order = Order.objects.get(event=event)
    lines.comes_back(order)
    for person in people:
        queue.drain(event.pk)
        waiting_offers.decline(lines.offer_to(person))

    queue.drain(event.pk)
    waiting.sweep(clock.now())

    assert [lines.states_of(person) for person in people] == [["declined"], ["declined"]]
    bought = houses.pay(lines.decided(factories.order(event, factories.wanted(kind))))
    assert bought.state == OrderState.PAID

    lines.comes_back(bought)

    assert lines.states_of(people[0]) == ["declined", "open"]


def test_kept_places_not_paid_for_go_to_the_next():
    event, _kind = lines.sold_out()
    first, second = lines.waits(event), lines.waits(event)
    order = Order.objects.get(event=event)
    lines.comes_back(order)
    taken = lines.decided(waiting_offers.accept(lines.offer_to(first)))

    houses.expire(taken)
    queue.drain(event.pk)
    waiting.sweep(clock.now())

    assert (lines.states_of(first), lines.states_of(second)) == (["lost"], ["open"])


def test_places_that_come_back_after_the_sale_has_ended_go_to_the_list():
    event, _kind = lines.sold_out()
    first = lines.waits(event)
    order = Order.objects.get(event=event)
    sale_control.end(event)

    lines.comes_back(order)
    bought = lines.paid(waiting_offers.accept(lines.offer_to(first)))

    assert bought.state == OrderState.PAID


def test_an_organiser_may_sell_nothing_after_the_sale_has_ended():
    event, _kind = lines.sold_out()
    WaitingRule.objects.create(event=event, sells_after=False)
    first = lines.waits(event)
    order = Order.objects.get(event=event)
    sale_control.end(event)

    lines.comes_back(order)

    assert lines.offers_to(first) == []
    assert [skip.reason for skip in first.skips.all()] == [reasons.NOT_SOLD]


def test_the_sweep_passes_nobody_who_waits_in_line():
    event, kind = lines.sold_out()
    holder = Order.objects.get(event=event)
    first = lines.decided(factories.order(event, factories.wanted(kind)))
    entry = lines.waits(event)
    refunds.order_refund(holder, list(holder.lines.all()), reason="by_organiser")

    waiting.sweep(clock.now())

    assert first.state == "waiting"
    assert lines.offers_to(entry) == []
    assert lines.decided(first).state == "reserved"


# --- Who has bought, and when the list is over ---------------------------------------------------------------------


def stands(kind, person=None, **values) -> WaitingEntry:
    """Somebody on the list for a kind that there is enough of, and who is offered nothing: not yet confirmed."""
    person = person or factories.user()
    key = ordering.buyer_key(person, person.email)
    values = {"state": "asked", "rank": 1, "joined_at": clock.now(), **values}
    entry = WaitingEntry.objects.create(event=kind.event, user=person, email=person.email, buyer_key=key, **values)
    entry.types.set([kind])
    return entry


def bought_by(person, kind) -> Order:
    """A paid order of theirs for one ticket, of which the list is not told."""
    wanted = factories.wanted(kind)
    return houses.pay(lines.decided(factories.order(kind.event, wanted, email=person.email, user=person)))


def counted(entry) -> tuple[int, str, str]:
    entry.refresh_from_db()
    return entry.got, entry.state, entry.reason


def two_kinds() -> tuple[TicketType, TicketType]:
    event = factories.event()
    quota = factories.quota(event)
    return factories.ticket_type(event, quota), factories.ticket_type(event, quota)


def test_what_a_person_buys_of_the_kinds_they_wait_for_is_counted_from_when_they_joined():
    kind, other = two_kinds()
    person = factories.user()
    bought_by(person, kind)
    entry = stands(kind, person, quantity=2)
    found = []

    for one in (other, kind, kind):
        bought_by(person, one)
        waiting.sweep(clock.now())
        found.append(counted(entry))

    assert found == [(0, "asked", ""), (1, "asked", ""), (2, "served", reasons.BOUGHT)]


def test_who_is_counted_and_still_on_the_list_is_taken_off_by_the_next_sweep():
    kind, _other = two_kinds()
    entry = stands(kind)
    bought_by(entry.user, kind)
    WaitingEntry.objects.filter(pk=entry.pk).update(got=1)  # and there the process died

    waiting.sweep(clock.now())

    assert counted(entry) == (1, "served", reasons.BOUGHT)


@pytest.mark.parametrize("number", [1, 3])
def test_paid_orders_are_looked_at_with_two_questions_however_many_they_are(number, django_assert_num_queries):
    kind, other = two_kinds()
    entries = [stands(kind) for _ in range(number)]
    ids = [bought_by(entry.user, other).pk for entry in entries]

    with django_assert_num_queries(2):  # offers that they accepted, and who is not counted
        waiting.on_orders_moved(Order, ids=ids, new="paid")
    assert [counted(entry) for entry in entries] == [(0, "asked", "")] * number

    for entry in entries:
        entry.types.set([other])
    waiting.on_orders_moved(Order, ids=ids, new="paid")
    assert [counted(entry) for entry in entries] == [(1, "served", reasons.BOUGHT)] * number


def test_the_list_is_over_when_doors_open():
    event, _kind = lines.sold_out()
    Event.objects.filter(pk=event.pk).update(doors_at=event.starts_at - timedelta(hours=1))
    entry = lines.waits(event)
    found = []

    for before in (timedelta(hours=2), timedelta(minutes=30)):
        waiting.sweep(event.starts_at - before)
        found.append(counted(entry))

    assert found == [(0, "waiting", ""), (0, "over", reasons.LIST_OVER)]
