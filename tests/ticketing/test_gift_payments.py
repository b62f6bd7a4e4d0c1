"""A ticket that costs its recipient more than was paid: they pay the difference, and each gets back their own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Count, Q
from django.utils.translation import override

from apps.events.models import Event
from apps.ticketing import (
    answers,
    cancellation_sums,
    changes,
    clock,
    gift_payments,
    gift_terms,
    giving,
    ledger,
    outbox,
    queue,
    reasons,
    refunds,
    requoting,
    reservations,
    standing,
    tickets,
)
from apps.ticketing.admin_views import SELLS_A_TICKET
from apps.ticketing.extensions import NamedAdjustment, price_rules
from apps.ticketing.giving import CannotGive, MustPay
from apps.ticketing.mails import letters as mail_letters
from apps.ticketing.models import (
    ChoiceChange,
    Effect,
    Entry,
    Gift,
    GivingRule,
    Order,
    OrderLine,
    Payment,
    Question,
    Refund,
    Ticket,
    TicketType,
)
from apps.ticketing.payments import settle
from apps.ticketing.states import OrderState
from tests import factories
from tests.clock import clock_moved
from tests.ticketing.test_giving import ForMembers, bought, letters, offer, owned

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("promises_kept")]

MORE = 5_000  # what the ticket costs Kim more than its member


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with override("en"):
        yield


class Members(ForMembers):
    """Fifty kronor less, but for strangers, who pay `minor` more than that."""

    strangers: tuple[str, ...] = ("kim@example.org",)
    minor = MORE

    def adjustments(self, context: Any, line: Any, answers: Any) -> list[NamedAdjustment]:
        more = self.minor if context.email in self.strangers else 0
        return [NamedAdjustment(self.slug, "Medlem", "Member", more - MORE)] if more != MORE else []


@pytest.fixture(autouse=True)
def rule() -> Iterator[Members]:
    rule = Members()
    with price_rules.temporarily(rule):
        yield rule


def offered(**values: Any) -> Gift:
    """A member's ticket, offered to Kim, who is none, where recipients pay the difference."""
    ticket = bought(**values)
    GivingRule.objects.create(event=ticket.event, at=clock.now(), when_dearer="pay")
    return offer(ticket)


def begun(gift: Gift, agreed_minor: int = MORE, **values: Any) -> Order:
    return gift_payments.begin(gift, agreed_minor=agreed_minor, **values)


def capture(order: Order) -> Payment:
    """The money arrives; what comes of it is left to the outbox."""
    due = factories.payment(order)
    settle.settle(factories.notice(due), provider=due.provider)
    order.refresh_from_db()
    return due


def pay(order: Order) -> Payment:
    paid = capture(order)
    work()
    order.refresh_from_db()
    return paid


def work() -> None:
    outbox.run_all(kinds=[gift_payments.ACCEPT, giving.LET_GO, refunds.LATER])


def held_by(gift: Gift) -> list[tuple[str, str]]:
    """(state, holder) of every ticket of the place, the first first."""
    rows = Ticket.objects.filter(line=gift.ticket.line).order_by("pk")
    return [(ticket.state, ticket.holder_email) for ticket in rows]


def back() -> dict[str, int]:
    """{e-mail: what goes back to them}."""
    found: dict[str, int] = {}
    for refund in Refund.objects.select_related("payment__order"):
        email = refund.payment.order.email
        found[email] = found.get(email, 0) + refund.amount_minor
    return found


def test_recipient_pays_the_difference_and_has_the_ticket() -> None:
    gift = offered()
    with pytest.raises(MustPay, match="50"):
        giving.accept(gift)

    order = begun(gift, name="Kim Ekström")
    assert (order.state, order.total_minor, order.email) == ("reserved", MORE, "kim@example.org")
    assert held_by(gift) == [("valid", gift.ticket.holder_email)], "nothing is done before it is paid"
    pay(order)

    gift.refresh_from_db()
    assert held_by(gift) == [("superseded", gift.ticket.holder_email), ("valid", "kim@example.org")]
    assert (gift.state, gift.asks_proof, gift.became.holder_name) == ("accepted", False, "Kim Ekström")
    assert owned(gift.ticket, "kim@example.org") == 1
    assert back() == {}
    assert -ledger.balance("revenue", order=order) - ledger.balance("vat", order=order) == MORE


def test_a_second_tab_pays_the_same_order() -> None:
    gift = offered()

    assert begun(gift) == begun(gift)

    assert Order.objects.filter(channel="gift").count() == 1


def test_vat_of_the_difference_is_split_as_the_tickets_is() -> None:
    gift = offered(price_minor=25_000, vat_percent=12, vat_split=[["6", 5_000]])

    order = begun(gift)
    pay(order)

    line = order.lines.get()
    assert [(part.rate, part.gross_minor) for part in line.vat_parts] == [(12, 4_000), (6, 1_000)]
    assert line.vat_minor == sum(part.vat_minor for part in line.vat_parts) > 0
    assert -ledger.balance("vat", order=order) == line.vat_minor


def test_difference_takes_no_place_and_counts_against_no_limit() -> None:
    gift = offered(max_per_person=1)
    quota = gift.ticket.ticket_type.quotas.get()

    order = begun(gift)
    held = quota.__class__.objects.get(pk=quota.pk).taken
    pay(order)

    assert (held, quota.__class__.objects.get(pk=quota.pk).taken) == (1, 1)
    assert reservations.recount(gift.ticket.event_id) == {}


def test_difference_is_no_ticket_more_in_any_count() -> None:
    gift = offered()
    kind = gift.ticket.ticket_type
    order = begun(gift)
    assert standing.held_by_quota(gift.ticket.event_id) == {}
    pay(order)

    sold = TicketType.objects.filter(pk=kind.pk).annotate(
        sold=Count("lines", filter=Q(lines__is_held=True) & SELLS_A_TICKET)
    )
    assert sold.get().sold == 1
    assert cancellation_sums.plan(gift.ticket.event).tickets == 1


def test_whoever_pays_a_difference_is_asked_no_questions_of_a_new_ticket() -> None:
    gift = offered()
    kind = gift.ticket.ticket_type
    Question.objects.create(ticket_type=kind, text_sv="Sång?", text_en="Song?", is_asked_before_paying=True)
    order = begun(gift)

    assert not answers.at_checkout(order, order.lines.all(), at=clock.now()).forms


# --- What it costs ---------------------------------------------------------------------------------------------------


def test_whoever_pays_nothing_more_accepts_as_before() -> None:
    ticket = bought()
    GivingRule.objects.create(event=ticket.event, at=clock.now(), when_dearer="pay")
    gift = offer(ticket, "member@example.org")

    with pytest.raises(CannotGive, match="nothing to pay"):
        begun(gift, 0)
    assert giving.accept(gift).holder_email == "member@example.org"
    assert not ChoiceChange.objects.exists()


def test_the_next_pays_no_difference_that_was_paid_before(rule: Members) -> None:
    gift = offered()
    pay(begun(gift))
    theirs = giving.fetched(Ticket.objects).get(holder_email="kim@example.org")

    rule.strangers = ("kim@example.org", "lo@example.org")
    giving.accept(offer(theirs, "lo@example.org", name="Lo"))

    assert giving.fetched(Ticket.objects).get(state="valid").holder_email == "lo@example.org"


def test_lower_difference_at_acceptance_gives_the_rest_back(rule: Members) -> None:
    gift = offered()
    order = begun(gift)
    rule.minor = 4_000
    pay(order)

    assert held_by(gift)[-1] == ("valid", "kim@example.org")
    assert [(row.amount_minor, row.reason) for row in Refund.objects.all()] == [(1_000, reasons.GIFT_COSTS_LESS)]


def test_recipient_who_became_eligible_while_paying_gets_all_back_and_the_ticket(rule: Members) -> None:
    gift = offered()
    order = begun(gift)
    rule.minor = 0
    pay(order)

    assert held_by(gift)[-1] == ("valid", "kim@example.org")
    assert back() == {"kim@example.org": MORE}


def test_higher_difference_at_acceptance_gives_all_back_and_leaves_the_offer_open(rule: Members) -> None:
    gift = offered()
    order = begun(gift)
    rule.minor = 6_000
    pay(order)

    gift.refresh_from_db()
    assert (gift.state, held_by(gift)) == ("pending", [("valid", gift.ticket.holder_email)])
    assert [(row.amount_minor, row.reason) for row in Refund.objects.all()] == [(MORE, reasons.GIFT_COSTS_MORE)]
    assert order.state == OrderState.REFUNDED
    assert letters_about(order, "order_confirmation") == [None]
    assert reasons.sentence(reasons.GIFT_COSTS_MORE) in letters_about(order, "refund_ordered")[0].context["why"]


def letters_about(order: Order, name: str) -> list[Any]:
    """What the mails of this name say now."""
    found = Effect.objects.filter(order=order, payload__name=name).order_by("pk")
    return [mail_letters.write(order, effect.payload, effect.created_at) for effect in found]


def test_another_sum_replaces_an_order_that_nobody_pays_yet(rule: Members) -> None:
    gift = offered()
    first = begun(gift)

    rule.minor = 6_000
    with pytest.raises(CannotGive, match=r"it is SEK\s60 now. Nothing was charged"):
        begun(gift, 5_500)
    second = begun(gift, 6_000)

    first.refresh_from_db()
    assert (first.state, second.total_minor) == ("cancelled", 6_000)


# --- The offer ends while it is paid ---------------------------------------------------------------------------------

ENDS: dict[str, Any] = {
    "taken back": giving.cancel,
    "declined": giving.decline,
    "used at the door": lambda gift: tickets.use(gift.ticket),
    "refunded": lambda gift: refunds.order_refund(gift.ticket.line.order, [gift.ticket.line], reason="refused"),
    "blocked": lambda gift: tickets.block([gift.ticket.pk], reason="disputed"),
    "cancelled event": lambda gift: Event.objects.filter(pk=gift.ticket.event_id).update(cancelled_at=clock.now()),
}


@pytest.mark.parametrize("when", ["before the money", "before the ticket"])
@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
def test_money_for_an_offer_that_has_ended_goes_back_whole(ends: Any, when: str) -> None:
    gift = offered()
    order = begun(gift)
    due = factories.payment(order)
    if when == "before the money":
        ends(gift)
        giving.sweep(clock.now())
        settle.settle(factories.notice(due), provider=due.provider)
    else:
        settle.settle(factories.notice(due), provider=due.provider)
        ends(gift)
    work()

    kims = sum(Refund.objects.filter(payment=due).values_list("amount_minor", flat=True))
    assert kims == MORE
    assert not Ticket.objects.filter(holder_email="kim@example.org").exists()
    order.refresh_from_db()
    assert order.state in (OrderState.REFUNDED, OrderState.CANCELLED)


def test_offer_that_ends_lets_go_of_what_nobody_pays_yet() -> None:
    gift = offered()
    order = begun(gift)

    giving.cancel(gift)
    work()

    order.refresh_from_db()
    assert (order.state, order.reason, Payment.objects.filter(order=order).count()) == (
        "cancelled",
        reasons.GIFT_OVER,
        0,
    )


def test_limit_that_was_reached_meanwhile_gives_all_back_and_leaves_the_ticket() -> None:
    gift = offered(max_per_person=1)
    order = begun(gift)
    other = factories.order(gift.ticket.event, factories.wanted(gift.ticket.ticket_type), email="kim@example.org")
    queue.drain(gift.ticket.event_id)
    other.refresh_from_db()
    assert other.state == OrderState.RESERVED

    pay(order)

    assert held_by(gift) == [("valid", gift.ticket.holder_email)]
    assert Refund.objects.get().reason == reasons.GIFT_REFUSED_TO_PAYER


def test_offer_does_not_lapse_while_its_recipient_pays() -> None:
    gift = offered()
    with clock_moved(giving_ends_in(gift, minutes=-5)):
        order = begun(gift)
    with clock_moved(giving_ends_in(gift, minutes=5)):
        assert giving.sweep(clock.now()) == 0
        pay(order)

    assert held_by(gift)[-1] == ("valid", "kim@example.org")


def test_offer_lapses_once_nobody_pays_any_more() -> None:
    gift = offered()
    with clock_moved(giving_ends_in(gift, minutes=-5)):
        order = begun(gift)
    with clock_moved(giving_ends_in(gift, minutes=15)):
        reservations.expire_overdue(clock.now())
        assert giving.sweep(clock.now()) == 1
        late = capture(order)

    gift.refresh_from_db()
    assert (gift.state, Refund.objects.get(payment=late).amount_minor) == ("expired", MORE)


def giving_ends_in(gift: Gift, *, minutes: int) -> timedelta:
    return gift.until - clock.now() + timedelta(minutes=minutes)


def test_money_that_travelled_past_the_doors_goes_back() -> None:
    gift = offered()
    order = begun(gift)
    Order.objects.filter(pk=order.pk).update(reserved_until=gift.ticket.event.starts_at + timedelta(days=1))

    with clock_moved(gift.ticket.event.starts_at - clock.now() + timedelta(hours=1)):
        pay(order)
        assert held_by(gift) == [("valid", gift.ticket.holder_email)]
    assert back() == {"kim@example.org": MORE}


def test_late_and_second_captures_go_back_like_those_of_every_order() -> None:
    gift = offered()
    order = begun(gift)
    first, second = factories.payment(order), factories.payment(order, state="cancelled")
    for payment in (first, second):
        settle.settle(factories.notice(payment), provider=payment.provider)
    work()

    assert held_by(gift)[-1] == ("valid", "kim@example.org")
    assert [refund.payment for refund in Refund.objects.all()] == [second]


def test_accepting_twice_and_sending_back_twice_is_once() -> None:
    had, gone = offered(), offered()
    for gift in (had, gone):
        order = begun(gift)
        capture(order)
        if gift is gone:
            giving.cancel(gift)
        for _ in range(3):
            gift_payments.complete(order.lines.select_related("order__user").get())

    assert [state for state, _email in held_by(had)] == ["superseded", "valid"]
    assert [state for state, _email in held_by(gone)] == ["valid"]
    assert back() == {"kim@example.org": MORE}


def test_giver_changes_no_choice_while_the_recipient_pays_and_learns_nothing_of_their_order() -> None:
    gift = offered()
    begun(gift)
    order = gift.ticket.line.order

    assert changes.pending_of(gift.ticket.line) is None
    with pytest.raises(changes.NotChanged, match="is paying what it costs them more"):
        changes.begin(order, gift.ticket, {}, agreed_minor=0)


# --- Afterwards ------------------------------------------------------------------------------------------------------


def test_refund_of_the_ticket_gives_each_back_their_own() -> None:
    gift = offered()
    order = begun(gift)
    pay(order)
    line = gift.ticket.line

    refunds.order_refund(line.order, [line], reason="refused")

    order.refresh_from_db()
    assert back() == {line.order.email: 20_000, "kim@example.org": MORE}
    assert order.state == OrderState.REFUNDED
    assert letters("holder_ticket_ended") == ["kim@example.org"]
    assert letters_about(order, "refund_ordered")[0].context["lines"][0]["name"].startswith("The difference: ")


def test_disputed_difference_blocks_the_ticket_until_it_is_won() -> None:
    gift = offered()
    paid = pay(begun(gift))

    bank_says("opened", paid)
    assert held_by(gift)[-1][0] == "blocked"
    bank_says("won", paid)

    gift.refresh_from_db()
    assert (held_by(gift)[-1][0], gift.asks_proof) == ("valid", False)


def test_lost_difference_leaves_the_ticket_and_has_the_door_ask_for_a_proof() -> None:
    gift = offered()
    order = begun(gift)
    paid = pay(order)

    bank_says("opened", paid)
    bank_says("lost", paid)

    gift.refresh_from_db()
    order.refresh_from_db()
    assert (held_by(gift)[-1], gift.asks_proof) == (("valid", "kim@example.org"), True)
    assert (order.state, order.reason) == ("refunded", "difference_lost")
    assert gift_terms.paid_minor(OrderLine.objects.get(pk=gift.ticket.line_id)) == 20_000, "the next would pay it"


def test_difference_disputed_before_the_ticket_is_had_is_not_had() -> None:
    gift = offered()
    order = begun(gift)
    paid = capture(order)
    bank_says("opened", paid)

    work()
    assert held_by(gift) == [("valid", gift.ticket.holder_email)]
    bank_says("won", paid)
    outbox.run_all(kinds=[refunds.LATER], early=True)

    assert back() == {"kim@example.org": MORE}


def test_lost_ticket_gives_its_recipient_their_difference_back() -> None:
    gift = offered()
    pay(begun(gift))
    bought_by = Payment.objects.get(order=gift.ticket.line.order)

    bank_says("opened", bought_by)
    bank_says("lost", bought_by)

    assert held_by(gift)[-1] == ("revoked", "kim@example.org")
    assert back() == {"kim@example.org": MORE}


def test_books_of_giver_and_recipient_agree_after_all_of_it() -> None:
    gift = offered()
    order = begun(gift)
    pay(order)

    revenue = -ledger.balance("revenue") - ledger.balance("vat")
    assert revenue == 20_000 + MORE
    assert sum(Entry.objects.values_list("amount_minor", flat=True)) == 0
    assert ledger.balance("sponsor_receivable") == 0


def bank_says(state: str, payment: Payment) -> None:
    told = factories.notice(payment, state, kind="dispute", reference=f"dispute-{payment.pk}")
    settle.settle(told, provider=payment.provider)


# --- What goes wrong for good, and what is not to be paid ------------------------------------------------------------


def test_loading_the_page_again_and_again_uses_up_no_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    gift = offered()
    order = begun(gift)
    capture(order)

    def broken(*_rest: Any, **_named: Any) -> None:
        raise RuntimeError("the gate is down")

    monkeypatch.setattr(giving, "accept", broken)
    for _number in range(5):
        gift_payments.go_on(gift_payments.newest_of(gift))

    assert Effect.objects.get(kind=gift_payments.ACCEPT).tries == 1


def test_what_could_not_be_accepted_after_all_tries_is_sent_back() -> None:
    gift = offered()
    order = begun(gift)
    capture(order)
    Effect.objects.filter(kind=gift_payments.ACCEPT).update(state="dead")

    assert (gift_payments.sweep(), gift_payments.sweep()) == (1, 0)

    assert back() == {"kim@example.org": MORE}
    assert held_by(gift) == [("valid", gift.ticket.holder_email)]


def test_nothing_is_paid_where_a_sponsor_bore_what_was_taken_off() -> None:
    """The house has the sponsor's money already: the door asks for a proof instead."""
    gift = offered()
    gift.ticket.line.adjustments.update(bearer="sponsor-1")

    became = giving.accept(gift)

    gift.refresh_from_db()
    assert (became.state, gift.asks_proof) == ("valid", True)


def test_requoting_waits_for_a_recipient_who_is_paying() -> None:
    gift = offered()
    order = begun(gift)

    assert requoting.requote(gift.ticket.line.order_id) == requoting.Outcome.LATER

    pay(order)
    assert requoting.requote(gift.ticket.line.order_id) == requoting.Outcome.KEPT


def test_difference_that_is_given_back_alone_leaves_the_ticket_and_asks_for_a_proof() -> None:
    gift = offered()
    order = begun(gift)
    pay(order)

    refunds.order_all(list(order.lines.all()), reason="refused")

    gift.refresh_from_db()
    assert (gift.became.state, gift.asks_proof) == ("valid", True)
    assert back() == {"kim@example.org": MORE}


def test_link_whose_address_was_corrected_tells_of_the_money(client: Any) -> None:
    order = begun(offered())
    pay(order)
    Order.objects.filter(pk=order.pk).update(email="right@example.org")
    order.refresh_from_db()

    answer = client.get(f"/en/orders/{order.reference}/{order.secret}/")

    assert answer.status_code == 200
