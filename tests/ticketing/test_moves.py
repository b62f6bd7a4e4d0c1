"""An event that moves: everybody is told, chooses until a date, and keeps by silence."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.events.models import Event
from apps.ticketing import changes, clock, mails, moves, outbox, payments, reasons, way_back
from apps.ticketing.models import (
    Effect,
    EventMove,
    MoveAnswer,
    Order,
    Payment,
    Refund,
    RefundRule,
    SentMail,
    Ticket,
)
from apps.ticketing.payments import settle
from tests import factories
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def promises(promises_kept: None) -> None:
    """Every test here ends with all promises kept."""


@pytest.fixture
def orders(db: None) -> list[Order]:
    """Three paid orders of one event, two tickets each."""
    first = factories.paid_order(2, size=20)
    kind = first.lines.get(position=0).ticket_type
    return [first, *(_paid(factories.reserved_order(2, of=kind)) for _ in range(2))]


def _paid(order: Order) -> Order:
    factories.settle.settle(factories.notice(factories.payment(order)), provider="sandbox")
    order.refresh_from_db()
    return order


@pytest.fixture
def event(orders: list[Order]) -> Event:
    return Event.objects.select_related("organisation").get(pk=orders[0].event_id)


@pytest.fixture
def editor(event: Event) -> User:
    event.organisation.editors = Group.objects.create(name="editors")
    event.organisation.save()
    person = factories.user()
    person.groups.add(event.organisation.editors)
    return person


def later(event: Event, days: int = 14) -> dict[str, Any]:
    length = timedelta(days=days)
    return {"starts_at": event.starts_at + length, "ends_at": event.ends_at + length, "venue": "Nya salen"}


def announce(event: Event, editor: User, **values: Any) -> EventMove:
    facts = values.pop("facts", None) or later(event)
    answer_by = values.pop("answer_by", clock.now() + timedelta(days=7))
    move = moves.announce(event, by=editor, answer_by=answer_by, facts=facts, **values)
    event.refresh_from_db()
    return move


def page(order: Order) -> str:
    return Client().get(reverse("ticketing:order", args=[order.reference, order.secret])).content.decode()


def choose(order: Order, answer: str) -> Any:
    return Client().post(reverse("ticketing:order_moved", args=[order.reference, order.secret]), {"answer": answer})


def asked_mails(event: Event) -> Counter[tuple[str, int]]:
    rows = Effect.objects.filter(
        kind=mails.KIND, order__event=event, payload__name__in=["event_moved", "move_reminder"]
    )
    return Counter(rows.values_list("payload__name", "order_id"))


def test_everybody_is_told_chooses_is_reminded_once_and_keeps_by_silence(
    event: Event, orders: list[Order], editor: User
) -> None:
    keeps, back, silent = orders
    was = event.starts_at
    assert "Evenemanget flyttas" not in page(keeps)

    move = announce(event, editor, say_sv="Lokalen är översvämmad.", say_en="The place is flooded.")

    assert (event.moved_from, event.venue, event.starts_at) == (was, "Nya salen", was + timedelta(days=14))
    assert asked_mails(event) == {("event_moved", order.pk): 1 for order in orders}
    shown = page(keeps)
    assert all(words in shown for words in ("Evenemanget flyttas", "Lokalen är översvämmad.", "Nya salen", "Kårhuset"))

    assert choose(keeps, "keep").status_code == 303
    assert "Du valde att behålla" in page(keeps)
    question = Client().get(reverse("ticketing:order_moved", args=[back.reference, back.secret])).content.decode()
    assert "500" in question and "kan inte ångras" in question
    assert Refund.objects.count() == 0, "looking changes nothing"
    assert choose(back, "back").status_code == 303
    assert choose(back, "back").status_code == 409
    assert choose(back, "keep").status_code == 409

    refund = Refund.objects.get()
    back.refresh_from_db()
    assert (refund.amount_minor, refund.reason, back.state) == (50_000, reasons.EVENT_MOVED, "refunded")
    assert set(Ticket.objects.filter(line__order=back).values_list("state", flat=True)) == {"revoked"}
    assert moves.counts(move) == moves.Counts(keep=1, back=1, silent=1)

    moves.remind()
    assert ("move_reminder", silent.pk) not in asked_mails(event)
    with clock_moved(timedelta(days=5, minutes=1)):
        moves.remind()
        moves.remind()
        outbox.run_all(kinds=[mails.KIND])
    reminded = {key: n for key, n in asked_mails(event).items() if key[0] == "move_reminder"}
    assert reminded == {("move_reminder", silent.pk): 1}
    assert SentMail.objects.filter(name="move_reminder").count() == 1

    with clock_moved(timedelta(days=7, minutes=1)):
        assert "Tiden att välja är slut" in page(silent)
        too_late = choose(silent, "back")
    assert too_late.status_code == 409 and "Inga pengar" in too_late.content.decode()
    silent.refresh_from_db()
    assert silent.state == "paid"


def test_while_the_move_asks_no_other_way_back_stands_beside_it_but_for_some_of_the_tickets(
    event: Event, orders: list[Order], editor: User
) -> None:
    assert orders[0].decided_at is not None
    RefundRule.objects.create(event=event, at=orders[0].decided_at, kind="hours", hours_before=24, fee_minor=2_000)
    single = factories.reserved_order(1, of=orders[0].lines.get(position=0).ticket_type)
    settle.settle(factories.notice(factories.payment(single)), provider="sandbox")
    way = reverse("ticketing:order_refund", args=[single.reference, single.secret])
    assert way in page(single)

    announce(event, editor)

    assert way not in page(single)
    assert "Lämna tillbaka bara några av biljetterna" in page(orders[0])
    with clock_moved(timedelta(days=8)):
        assert way in page(single)


def test_who_paid_nothing_is_asked_about_tickets_and_not_about_money(editor: User, event: Event) -> None:
    kind = factories.ticket_type(event, factories.quota(event, 5), price_minor=0)
    free = factories.reserved_order(1, of=kind)
    payments.start(free, "sandbox", "http://localhost/")
    announce(event, editor)

    shown = page(free)
    question = Client().get(reverse("ticketing:order_moved", args=[free.reference, free.secret])).content.decode()
    outbox.run_all(kinds=[mails.KIND])
    told = next(
        str(message.body) for message in mail.outbox if message.to == [free.email] and "flyttas" in message.body
    )

    assert (
        "Lämna tillbaka biljetterna" in shown and "pengarna" not in shown.split('id="moved"')[1].split("</section>")[0]
    )
    assert "Du har inte betalat något" in question and "0\xa0kr" not in question
    assert "lämna tillbaka dem" in told and "pengar" not in told.split("\n\n")[1]
    assert choose(free, "back").status_code == 303
    free.refresh_from_db()
    assert (free.state, Refund.objects.count()) == ("refunded", 0)


def test_who_buys_after_the_move_is_not_asked(event: Event, orders: list[Order], editor: User) -> None:
    announce(event, editor)
    newcomer = _paid(factories.reserved_order(1, of=orders[0].lines.get(position=0).ticket_type))

    assert "Få pengarna tillbaka" not in page(newcomer)
    assert choose(newcomer, "back").status_code == 409
    assert choose(newcomer, "nonsense").status_code == 303


@pytest.mark.parametrize("channel", ["change", "gift"])
def test_what_was_paid_more_for_a_ticket_goes_its_way_and_is_asked_nothing(
    event: Event, orders: list[Order], editor: User, channel: str
) -> None:
    bought = orders[0]
    wine = factories.choice(factories.variation(bought.lines.first().ticket_type, kind="many"), delta_minor=10_000)
    paid_more = changes.begin(bought, Ticket.objects.filter(line__order=bought)[0], {wine.pk: 1}, agreed_minor=10_000)
    assert paid_more is not None
    _paid(paid_more)
    Order.objects.filter(pk=paid_more.pk).update(channel=channel)
    move = announce(event, editor)

    assert choose(paid_more, "back").status_code == 409

    assert (Refund.objects.count(), moves.counts(move).silent) == (0, 3)
    assert asked_mails(event) == {("event_moved", order.pk): 1 for order in orders}
    assert choose(bought, "back").status_code == 303
    assert sorted(Refund.objects.values_list("amount_minor", flat=True)) == [10_000, 50_000]


def test_sum_that_goes_back_has_what_was_paid_for_other_choices(
    event: Event, orders: list[Order], editor: User
) -> None:
    bought = orders[0]
    wine = factories.choice(factories.variation(bought.lines.first().ticket_type, kind="many"), delta_minor=10_000)
    paid_more = changes.begin(bought, Ticket.objects.filter(line__order=bought)[0], {wine.pk: 1}, agreed_minor=10_000)
    assert paid_more is not None
    at = reverse("ticketing:order_moved", args=[bought.reference, bought.secret])
    announce(event, editor)

    unpaid = Client().get(at).content.decode()
    _paid(paid_more)
    asked = Client().get(at).content.decode()

    assert ("Alla 500\xa0kr" in unpaid, "Alla 600\xa0kr" in asked) == (True, True)
    choose(bought, "back")
    assert sum(Refund.objects.values_list("amount_minor", flat=True)) == 60_000


def test_card_that_the_money_goes_to_is_named_where_it_is_one(event: Event, orders: list[Order], editor: User) -> None:
    bought = orders[0]
    at = reverse("ticketing:order_moved", args=[bought.reference, bought.secret])
    Payment.objects.update(paid_with="Visa ···· 4242")
    announce(event, editor)
    alone = Client().get(at).content.decode()
    wine = factories.choice(factories.variation(bought.lines.first().ticket_type, kind="many"), delta_minor=10_000)
    paid_more = changes.begin(bought, Ticket.objects.filter(line__order=bought)[0], {wine.pk: 1}, agreed_minor=10_000)
    assert paid_more is not None
    _paid(paid_more)
    of_change = Payment.objects.filter(order=paid_more)
    of_change.update(paid_with="Swish")
    both = Client().get(at).content.decode()
    of_change.update(paid_with="Visa ···· 4242")
    same = Client().get(at).content.decode()

    assert "Alla 500\xa0kr går tillbaka till Visa ····\u00a04242, utan" in alone
    assert "Alla 600\xa0kr går tillbaka samma väg som betalningen kom, utan" in both
    assert "Alla 600\xa0kr går tillbaka till Visa ····\u00a04242, utan" in same


def test_of_a_free_ticket_the_money_for_its_choices_goes_back_as_that_was_paid() -> None:
    free = factories.reserved_order(1, price_minor=0)
    payments.start(free, "", "http://127.0.0.1/")
    wine = factories.choice(factories.variation(free.lines.get().ticket_type, kind="many"), delta_minor=10_000)
    paid_more = changes.begin(free, Ticket.objects.get(line__order=free), {wine.pk: 1}, agreed_minor=10_000)
    assert paid_more is not None
    _paid(paid_more)
    Payment.objects.update(paid_with="Swish")

    assert way_back.of_order(free) == way_back.WayBack("samma väg som betalningen kom")
    assert way_back.of_order_and_changes(free) == way_back.WayBack("via Swish")


def test_disputed_money_is_not_asked_back_from_us_as_well(event: Event, orders: list[Order], editor: User) -> None:
    first = orders[0]
    announce(event, editor)
    told = factories.notice(first.payments.get(), "opened", kind="dispute", reference="dispute-1")
    factories.settle.settle(told, provider="sandbox")

    response = choose(first, "back")

    assert (response.status_code, "bestrids" in response.content.decode()) == (409, True)
    assert (MoveAnswer.objects.count(), Refund.objects.count()) == (0, 0)


def test_second_move_asks_all_anew_and_remembers_the_first_day(event: Event, orders: list[Order], editor: User) -> None:
    was = event.starts_at
    announce(event, editor)
    choose(orders[0], "keep")

    second = announce(event, editor, facts=later(event, 7))
    outbox.run_all(kinds=[mails.KIND])

    assert event.moved_from == was
    assert moves.counts(second) == moves.Counts(keep=0, back=0, silent=3)
    assert Counter(SentMail.objects.filter(name="event_moved").values_list("order", flat=True)) == {
        order.pk: 1 for order in orders
    }, "the mail of the first move had become pointless"
    choose(orders[0], "keep")
    choose(orders[0], "keep")
    assert MoveAnswer.objects.count() == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda event, at: {"facts": {"venue": event.venue}}, ""),
        (lambda event, at: {"facts": {"starts_at": at - timedelta(days=1)}}, "starts_at"),
        (lambda event, at: {"facts": {"ends_at": event.starts_at}}, "ends_at"),
        (lambda event, at: {"facts": {"doors_at": event.starts_at + timedelta(hours=1)}}, "doors_at"),
        (lambda event, at: {"answer_by": at + timedelta(hours=2)}, "answer_by"),
        (lambda event, at: {"answer_by": event.starts_at + timedelta(days=60)}, "answer_by"),
    ],
    ids=["nothing new", "past", "ends before", "doors after", "no time", "answers too late"],
)
def test_move_that_cannot_be_is_refused(event: Event, editor: User, change: Any, field: str) -> None:
    with pytest.raises(moves.CannotMove) as refusal:
        announce(event, editor, **change(event, clock.now()))

    assert refusal.value.field == field
    assert (EventMove.objects.count(), asked_mails(event)) == (0, Counter())
    with pytest.raises(moves.CannotMove):
        announce(event, factories.user())
    with pytest.raises(IntegrityError, match="event_move_leaves_time"), transaction.atomic():
        at = clock.now()
        EventMove.objects.create(event=event, answer_by=at, remind_at=at, announced_at=at)
