"""A ticket given to somebody: whose it is, whose code is good, who is told, and what stands in the way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.utils.translation import override

from apps.events.models import Event
from apps.ticketing import clock, credentials, giving, moves, queue, reasons, refunds, reservations, tickets
from apps.ticketing.extensions import NO_OPINION, NamedAdjustment, deny, price_rules, purchase_gates
from apps.ticketing.giving import CannotGive, Over
from apps.ticketing.models import AuditEntry, Effect, Gift, GivingRule, Order, Refund, Ticket
from apps.ticketing.payments import settle
from apps.ticketing.states import GiftState, OrderState, TicketState
from tests import factories
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def promises(promises_kept: Any) -> None:
    """Every test here ends with all promises kept."""


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with override("en"):
        yield


def ticket_of(order: Order) -> Ticket:
    return giving.fetched(Ticket.objects).get(line__order=order)


def bought(**values: Any) -> Ticket:
    return ticket_of(factories.paid_order(1, **values))


def offer(ticket: Ticket, email: str = "kim@example.org", **values: Any) -> Gift:
    return giving.give(ticket, **{"name": "Kim Ek", "email": email, **values})


def letters(name: str) -> list[str]:
    """To whom this mail was asked for."""
    return [effect.payload["to"] for effect in Effect.objects.filter(payload__name=name).order_by("pk")]


def owned(ticket: Ticket, email: str) -> int:
    from apps.ticketing.ordering import buyer_key

    key = buyer_key(None, email)
    counted, _paid = reservations.owned_and_paid(ticket.event_id, {key})
    return sum(counted[key].values())


# --- Offered, accepted ---------------------------------------------------------------------------------------------


def test_an_offered_ticket_is_its_givers_until_it_is_accepted() -> None:
    ticket = bought()

    gift = offer(ticket, note="For you")

    ticket.refresh_from_db()
    assert (ticket.state, gift.state, gift.note) == ("valid", "pending", "For you")
    assert letters("gift_offered") == ["kim@example.org"]
    assert owned(ticket, "kim@example.org") == 0


def test_accepting_ends_the_old_code_and_issues_another_for_the_same_place() -> None:
    ticket = bought()
    was = (ticket.secret, ticket.short_code, credentials.sign(ticket))

    new = giving.accept(offer(ticket))

    ticket.refresh_from_db()
    gift = Gift.objects.get()
    assert (ticket.state, new.state, new.line_id) == ("superseded", "valid", ticket.line_id)
    assert (new.holder_name, new.holder_email, new.owner) == ("Kim Ek", "kim@example.org", None)
    assert not {new.secret, new.short_code, credentials.sign(new)} & set(was)
    assert (gift.state, gift.became) == ("accepted", new)
    order = ticket.line.order
    order.refresh_from_db()
    assert (order.state, order.email == ticket.holder_email) == (OrderState.PAID, True)
    assert Ticket.objects.filter(line=ticket.line, state="valid").count() == 1


def test_accepting_twice_gives_the_same_ticket() -> None:
    gift = offer(bought())

    assert giving.accept(gift) == giving.accept(Gift.objects.get())
    assert Ticket.objects.count() == 2


def test_giver_recipient_and_payer_are_told() -> None:
    first = bought()
    giving.accept(offer(first))
    payer = first.line.order.email

    giving.accept(offer(ticket_of_holder("kim@example.org"), "lo@example.org", name="Lo"))

    assert letters("gift_received") == ["kim@example.org", "lo@example.org"]
    assert letters("gift_accepted") == [payer, "kim@example.org"]
    assert letters("gift_accepted_payer") == [payer]


def ticket_of_holder(email: str) -> Ticket:
    return giving.fetched(Ticket.objects).get(holder_email=email, state="valid")


def test_history_tells_who_had_the_place() -> None:
    ticket = bought()
    giving.accept(offer(ticket))
    giving.accept(offer(ticket_of_holder("kim@example.org"), "lo@example.org", name="Lo"))

    told = [
        (gift.ticket.holder_email, gift.to_email, gift.became.holder_email)
        for gift in giving.history(ticket.line.order)
    ]

    assert told == [
        (ticket.line.order.email, "kim@example.org", "kim@example.org"),
        ("kim@example.org", "lo@example.org", "lo@example.org"),
    ]
    moves = AuditEntry.objects.filter(model="ticketing.gift").order_by("pk").values_list("old", "new")
    assert list(moves) == [("pending", "accepted"), ("pending", "accepted")]


def test_an_account_gets_the_ticket_on_its_pages() -> None:
    person = factories.user(email="other@example.org")

    new = giving.accept(offer(bought()), user=person)

    assert new.owner == person


def test_what_was_chosen_for_the_givers_health_goes() -> None:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event))
    food = factories.choice(factories.variation(kind), is_sensitive=True)
    beer = factories.choice(factories.variation(kind))
    order = factories.order(event, factories.wanted(kind, 1, (food, 1), (beer, 1)))
    queue.drain(event.pk)
    order.refresh_from_db()
    factories.settle.settle(factories.notice(factories.payment(order)), provider="sandbox")

    new = giving.accept(offer(ticket_of(order)))

    assert [picked.choice for picked in new.line.choices.all()] == [beer]


# --- Declined, taken back, lapsed ------------------------------------------------------------------------------------


def test_declined_ticket_is_its_givers_who_is_told() -> None:
    ticket = bought()
    gift = offer(ticket)

    giving.decline(gift)
    giving.decline(gift)

    ticket.refresh_from_db()
    gift.refresh_from_db()
    assert (ticket.state, gift.state) == ("valid", "declined")
    assert (letters("gift_not_taken"), letters("gift_taken_back")) == ([ticket.holder_email], [])
    with pytest.raises(Over):
        giving.accept(gift)


def test_offer_taken_back_is_told_to_the_recipient_and_leaves_the_ticket_to_be_offered_anew() -> None:
    ticket = bought()

    giving.cancel(offer(ticket))

    assert (letters("gift_taken_back"), letters("gift_not_taken")) == (["kim@example.org"], [])
    assert offer(ticket, "lo@example.org").state == GiftState.PENDING


@pytest.mark.parametrize("verb", [giving.cancel, giving.decline])
def test_accepted_offer_cannot_be_ended(verb: Any) -> None:
    gift = offer(bought())
    giving.accept(gift)

    with pytest.raises(Over):
        verb(gift)

    assert Gift.objects.get().state == GiftState.ACCEPTED


def test_offer_lapses_after_a_week_and_both_are_told() -> None:
    ticket = bought()
    gift = offer(ticket)

    with clock_moved(timedelta(days=7, seconds=1)):
        with pytest.raises(Over):
            giving.accept(gift)
        assert (giving.sweep(clock.now()), giving.sweep(clock.now())) == (1, 0)

    gift.refresh_from_db()
    assert gift.state == GiftState.EXPIRED
    assert (letters("gift_not_taken"), letters("gift_taken_back")) == ([ticket.holder_email], ["kim@example.org"])


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        pytest.param(lambda ticket: tickets.use(ticket), reasons.GIFT_USED, id="used"),
        pytest.param(lambda ticket: tickets.hold([ticket.pk]), reasons.GIFT_BEING_SOLD, id="sold"),
        pytest.param(
            lambda ticket: tickets.block([ticket.pk], reason="disputed"), reasons.GIFT_TICKET_ENDED, id="blocked"
        ),
        pytest.param(
            lambda ticket: refunds.order_refund(ticket.line.order, [ticket.line], reason="refused"),
            reasons.GIFT_TICKET_ENDED,
            id="refunded",
        ),
    ],
)
@pytest.mark.parametrize("is_heard", [True, False])
def test_ticket_used_otherwise_is_offered_no_more(
    happens: Any, reason: str, is_heard: bool, django_capture_on_commit_callbacks: Any
) -> None:
    ticket = bought()
    gift = offer(ticket)

    with django_capture_on_commit_callbacks(execute=is_heard):
        happens(ticket)
    if not is_heard:  # its signal was lost
        with pytest.raises(CannotGive):
            giving.accept(gift)
        giving.sweep(clock.now())

    gift.refresh_from_db()
    assert (gift.state, gift.reason) == ("cancelled", reason)
    assert (letters("gift_not_taken"), letters("gift_taken_back")) == ([ticket.holder_email], ["kim@example.org"])
    assert Ticket.objects.count() == 1


def test_cancelled_event_ends_its_offers() -> None:
    ticket = bought()
    gift = offer(ticket)
    Event.objects.filter(pk=ticket.event_id).update(cancelled_at=clock.now())

    with pytest.raises(CannotGive, match="cancelled"):
        giving.accept(gift)
    giving.sweep(clock.now())

    gift.refresh_from_db()
    assert (gift.state, gift.reason) == ("cancelled", reasons.EVENT_CANCELLED)


# --- What stands in the giver's way ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "field", "said"),
    [
        pytest.param({"name": " "}, "name", "Write the name", id="no-name"),
        pytest.param({"name": "x" * 121}, "name", "at most 120", id="long-name"),
        pytest.param({"email": "junk"}, "email", "such as robin", id="junk"),
        pytest.param({"email": "a@b.se\nBcc: c@d.se"}, "email", "such as robin", id="two-lines"),
        pytest.param({"email": f"{'x' * 260}@example.org"}, "email", "such as robin", id="long-email"),
        pytest.param({"note": "x" * 301}, "note", "at most 300", id="long-note"),
    ],
)
def test_nonsense_is_refused_beside_its_field(words: dict[str, str], field: str, said: str) -> None:
    with pytest.raises(CannotGive, match=said) as refused:
        offer(bought(), **words)

    assert refused.value.field == field
    assert not Gift.objects.exists()


@pytest.mark.parametrize("case", [str, str.upper])
def test_to_oneself_is_refused(case: Any) -> None:
    ticket = bought()

    with pytest.raises(CannotGive, match="yours already"):
        offer(ticket, case(ticket.holder_email))


@pytest.mark.parametrize(
    ("state", "said"),
    [("used", "used at the door"), ("held", "buying it"), ("blocked", "disputed"), ("revoked", "not valid")],
)
def test_ticket_that_is_not_valid_cannot_be_given(state: str, said: str) -> None:
    ticket = bought()
    Ticket.objects.filter(pk=ticket.pk).update(state=state)

    with pytest.raises(CannotGive, match=said):
        offer(ticket)
    Ticket.objects.filter(pk=ticket.pk).update(state="valid")


def test_type_that_may_not_be_given_away() -> None:
    with pytest.raises(CannotGive, match="cannot be given away"):
        offer(bought(is_transferable=False))


def test_twice_at_once_is_refused() -> None:
    ticket = bought()
    offer(ticket)

    with pytest.raises(CannotGive, match="already"):
        offer(ticket, "lo@example.org")


def test_one_ticket_is_not_offered_to_the_whole_town() -> None:
    ticket = bought()
    for number in range(giving.MOST_OFFERS):
        giving.cancel(offer(ticket, f"person{number}@example.org"))

    with pytest.raises(CannotGive, match="many people"):
        offer(ticket)


def test_lock_time_ends_giving_and_open_offers() -> None:
    ticket = bought()
    GivingRule.objects.create(event=ticket.event, at=clock.now(), hours_before_doors=24 * 27)  # three days are left
    gift = offer(ticket)

    assert gift.until == giving.closes_at(ticket.event, giving.rule_of(ticket.event))
    with clock_moved(timedelta(days=3, minutes=1)):
        with pytest.raises(Over):
            giving.accept(gift)
        giving.sweep(clock.now())
        with pytest.raises(CannotGive, match="any more"):
            offer(ticket)


# --- What stands in the recipient's way ------------------------------------------------------------------------------


def test_limit_per_person_counts_the_recipients_own() -> None:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event), max_per_person=1)
    first, second = (factories.paid_order(1, of=kind) for _ in range(2))
    gift = offer(ticket_of(first), second.email)

    with pytest.raises(CannotGive, match="more than one person may"):
        giving.accept(gift)

    assert Ticket.objects.filter(state="valid").count() == 2


def test_types_that_exclude_each_other_count_for_the_recipient() -> None:
    event = factories.event()
    places = factories.quota(event)
    dinner = factories.ticket_type(event, places)
    party = factories.ticket_type(event, places, conflicts=(dinner,))
    guest = factories.paid_order(1, of=party)
    gift = offer(ticket_of(factories.paid_order(1, of=dinner)), guest.email)

    with pytest.raises(CannotGive, match="cannot be combined"):
        giving.accept(gift)


def test_guest_ticket_given_to_a_host_counts_against_the_guests_per_host() -> None:
    event = factories.event()
    member = factories.ticket_type(event, factories.quota(event))
    guest = factories.ticket_type(event, factories.quota(event), guests_of=member, guests_per_ticket=1)
    placed = factories.order(event, [*factories.wanted(member, 2), *factories.wanted(guest, 2)])
    queue.drain(event.pk)
    placed.refresh_from_db()
    due = factories.payment(placed)
    settle.settle(factories.notice(due), provider=due.provider)
    host = factories.paid_order(1, of=member)
    first, second = giving.fetched(Ticket.objects).filter(line__order=placed, ticket_type=guest).order_by("pk")

    with pytest.raises(CannotGive, match="needs a ticket of your own"):
        giving.accept(offer(first, "without@example.org"))
    giving.cancel(Gift.objects.get())
    accepted = giving.accept(offer(first, host.email))
    with pytest.raises(CannotGive, match="none that allows one more guest"):
        giving.accept(offer(second, host.email))

    assert (accepted.holder_email, owned(accepted, host.email)) == (host.email, 2)


def test_ticket_given_away_counts_for_its_new_holder_and_no_longer_for_the_buyer() -> None:
    """At the queue itself: the buyer may buy again, the recipient may not."""
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event), max_per_person=1)
    order = factories.paid_order(1, of=kind)
    giving.accept(offer(ticket_of(order)))

    again = factories.order(event, factories.wanted(kind), email=order.email)
    theirs = factories.order(event, factories.wanted(kind), email="kim@example.org")
    queue.drain(event.pk)

    again.refresh_from_db()
    theirs.refresh_from_db()
    assert again.state == OrderState.RESERVED
    assert (theirs.state, theirs.reason) == (OrderState.REJECTED, reasons.LIMIT_PER_PERSON)


def test_ticket_given_back_to_its_buyer_is_an_ordinary_one_again() -> None:
    ticket = bought()
    buyer = ticket.holder_email
    giving.accept(offer(ticket))

    back = giving.accept(offer(ticket_of_holder("kim@example.org"), buyer, name="Robin"))

    assert not back.line.__class__.objects.get(pk=back.line_id).is_given_away
    assert (owned(ticket, buyer), owned(ticket, "kim@example.org")) == (1, 0)


class Gate:
    """Does not let Kim in."""

    slug = "members"

    def prepare(self, contexts: Any, at: Any) -> None:
        return None

    def opinion(self, context: Any, line: Any, answers: Any) -> Any:
        return deny(reasons.GIFT_NOT_FOR_YOU) if context.email == "kim@example.org" else NO_OPINION


def test_gates_are_asked_about_the_recipient() -> None:
    ticket = bought()
    gift = offer(ticket)

    with purchase_gates.temporarily(Gate()), pytest.raises(CannotGive, match="invited"):
        giving.accept(gift)

    gift.refresh_from_db()
    assert gift.state == GiftState.PENDING


def test_event_for_those_who_sign_in_asks_the_recipient_to() -> None:
    ticket = bought()
    ticket.event.sign_in_required = True
    ticket.event.save()
    gift = offer(ticket)

    with pytest.raises(CannotGive, match="[Ss]ign in"):
        giving.accept(gift)
    assert giving.accept(gift, user=factories.user()).state == TicketState.VALID


@pytest.mark.parametrize("flag", ["needs_id", "needs_name"])
def test_name_is_asked_where_the_type_needs_it(flag: str) -> None:
    gift = offer(bought(**{flag: True}))

    with pytest.raises(CannotGive, match="name") as refused:
        giving.accept(gift, name=" ")

    assert refused.value.field == "name"
    assert giving.accept(gift, name="Kim  Ekström").holder_name == "Kim Ekström"


# --- A price that is not the recipient's -----------------------------------------------------------------------------


class ForMembers:
    """Fifty kronor less for whoever is not Kim."""

    slug = "members"

    def prepare(self, contexts: Any, at: Any) -> None:
        return None

    def adjustments(self, context: Any, line: Any, answers: Any) -> list[NamedAdjustment]:
        if context.email == "kim@example.org":
            return []
        return [NamedAdjustment(self.slug, "Medlem", "Member", -5_000)]

    def reprice(self, ticket: Any, context: Any, answers: Any) -> list[NamedAdjustment]:
        return self.adjustments(context, None, None)

    def claim(self, order_lines: Any) -> None: ...

    def release(self, order_line_ids: Any) -> None: ...


def test_recipient_at_a_higher_price_is_flagged_for_the_door() -> None:
    with price_rules.temporarily(ForMembers()):
        ticket = bought()
        giving.accept(offer(ticket))
        giving.accept(offer(bought(), "member@example.org"))

    assert ticket.line.price_minor == 20_000
    assert [gift.asks_proof for gift in Gift.objects.all()] == [True, False]


def test_recipient_at_a_higher_price_is_refused_where_the_organiser_says_so() -> None:
    with price_rules.temporarily(ForMembers()):
        ticket = bought()
        GivingRule.objects.create(event=ticket.event, at=clock.now(), when_dearer="refuse")
        gift = offer(ticket)

        with pytest.raises(CannotGive, match="50"):
            giving.accept(gift)


# --- Money -----------------------------------------------------------------------------------------------------------


def test_refund_goes_to_whoever_paid_and_the_holder_is_told() -> None:
    ticket = bought()
    order = ticket.line.order
    new = giving.accept(offer(ticket))

    refunds.order_refund(order, [ticket.line], reason="refused")

    new.refresh_from_db()
    assert new.state == TicketState.REVOKED
    assert Refund.objects.get().payment.order == order
    assert letters("holder_ticket_ended") == ["kim@example.org"]
    assert Effect.objects.filter(payload__name="refund_ordered", order=order).count() == 1


def test_holder_is_told_when_the_event_moves_and_when_its_buyer_gives_the_ticket_back() -> None:
    ticket = bought()
    giving.accept(offer(ticket))
    organisation, editor = ticket.event.organisation, factories.user()
    organisation.editors = Group.objects.create(name="editors")
    organisation.save()
    editor.groups.add(organisation.editors)

    moves.announce(ticket.event, by=editor, answer_by=clock.now() + timedelta(days=7), facts={"venue": "Elsewhere"})
    told = letters("holder_event_changed"), letters("holder_ticket_ended")
    moves.answer(ticket.line.order, keeps=False)

    assert told == (["kim@example.org"], [])
    assert letters("holder_ticket_ended") == ["kim@example.org"]
