"""Two hundred people answer what a waiting list offers them, at once, while others buy: nobody gets what is kept for
somebody else, no ticket is offered to two, and a worker that dies leaves nothing half offered."""

from __future__ import annotations

import os
import signal
from functools import partial

import pytest
from django.db import IntegrityError, connections

from apps.resale import rules, waiting, waiting_line, waiting_mails, waiting_offers
from apps.resale.listings import put_up, terms
from apps.resale.models import KeptPlaces, OfferedListing, WaitingEntry, WaitingOffer
from apps.ticketing import clock, invariants, ordering, queue, reservations
from apps.ticketing.models import Effect, Order, Quota, Ticket, TicketType
from apps.ticketing.states import OrderState
from tests import factories
from tests.concurrency.forks import forked, on_connections_of_its_own
from tests.resale import lines

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = 200
PROCESSES = 4


def stand_in_line(number: int) -> tuple[TicketType, list[WaitingEntry]]:
    """A type that is sold out, and so many people on its list."""
    event, kind = lines.sold_out()
    entries = [
        WaitingEntry(
            event=event,
            buyer_key=ordering.buyer_key(None, f"waits{position}@example.org"),
            email=f"waits{position}@example.org",
            rank=1_000_000 + position,
            state="waiting",
            joined_at=clock.now(),
        )
        for position in range(number)
    ]
    made = WaitingEntry.objects.bulk_create(entries)
    through = WaitingEntry.types.through
    through.objects.bulk_create(through(waitingentry_id=entry.pk, tickettype_id=kind.pk) for entry in made)
    return kind, made


def accept_all(ids: list[int]) -> int:
    """Accept each of these offers, as its person does on a slow phone that sends twice; how many were accepted."""

    def answer() -> int:
        done = 0
        for offer in WaitingOffer.objects.filter(pk__in=ids).select_related("entry__event"):
            try:
                waiting_offers.accept(offer)
                waiting_offers.accept(offer)
                done += 1
            except waiting_offers.Over:
                continue
        return done

    return on_connections_of_its_own(answer)


def buy_as_strangers(kind_id: int, number: int) -> None:
    def place() -> None:
        kind = TicketType.objects.get(pk=kind_id)
        for position in range(number):
            factories.order(
                kind.event,
                factories.wanted(kind),
                email=f"stranger{os.getpid()}-{position}@example.org",
                idempotency_key=f"stranger-{os.getpid()}-{position}",
            )
            queue.drain(kind.event_id)

    on_connections_of_its_own(place)


def test_two_hundred_acceptances_at_once_get_what_was_kept_for_them() -> None:
    kind, _entries = stand_in_line(PEOPLE)
    quota = Quota.objects.get(event=kind.event)
    reservations.resize(quota, PEOPLE + 1)
    queue.drain(kind.event_id)
    offers = list(WaitingOffer.objects.order_by("pk").values_list("pk", flat=True))
    assert len(offers) == PEOPLE

    verbs = [partial(accept_all, offers[turn::PROCESSES]) for turn in range(PROCESSES)]
    with forked([*verbs, partial(buy_as_strangers, kind.pk, 20)]) as results:
        accepted = [result.result() for result in results[:PROCESSES]]
        results[-1].result()
    while queue.drain(kind.event_id):
        pass

    quota.refresh_from_db()
    held = Order.objects.filter(channel="list", state=OrderState.RESERVED).count()
    strangers = Order.objects.filter(email__startswith="stranger")
    assert (sum(accepted), held, quota.taken, quota.set_aside) == (PEOPLE, PEOPLE, PEOPLE + 1, 0)
    assert {order.state for order in strangers} == {OrderState.WAITING}
    assert not KeptPlaces.objects.filter(count__gt=0).exists()
    assert invariants.check() == []


def test_places_that_are_not_kept_would_go_to_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: an offer that keeps nothing is a promise that is broken."""
    monkeypatch.setattr(reservations, "set_aside", lambda *arguments: None)
    kind, _entries = stand_in_line(20)
    reservations.resize(Quota.objects.get(event=kind.event), 21)
    queue.drain(kind.event_id)
    KeptPlaces.objects.update(count=0)
    offers = list(WaitingOffer.objects.values_list("pk", flat=True))

    buy_as_strangers(kind.pk, 20)
    accept_all(offers)
    while queue.drain(kind.event_id):
        pass

    states = list(Order.objects.filter(channel="list").values_list("state", flat=True))
    assert states == [OrderState.REJECTED] * 20


def sell(ticket_ids: list[int]) -> list[str]:
    """Put these tickets up for sale; the errors that it came to."""

    def offer() -> list[str]:
        wrong = []
        for ticket in Ticket.objects.filter(pk__in=ticket_ids).select_related("event", "line__order", "ticket_type"):
            agreed = terms(ticket, rules.of(ticket.event), ticket.line.kept_minor)
            try:
                put_up(ticket, asked_minor=agreed.asked_minor, agreed_payout_minor=agreed.payout_minor)
            except Exception as error:
                wrong.append(repr(error))
        return wrong

    return on_connections_of_its_own(offer)


def listed_at_once(number: int) -> list[str]:
    """So many tickets put up at once for as many on the list; the errors of their sellers."""
    kind, _entries = stand_in_line(number)
    reservations.resize(Quota.objects.get(event=kind.event), number + 1)
    WaitingEntry.objects.update(state="asked")  # the places are for others this time
    for _ in range(number):
        factories.paid_order(of=kind)
    WaitingEntry.objects.update(state="waiting")
    ids = list(Ticket.objects.filter(event=kind.event).order_by("pk").values_list("pk", flat=True))[:number]
    with forked([partial(sell, ids[turn::PROCESSES]) for turn in range(PROCESSES)]) as results:
        return [error for result in results for error in result.result()]


def test_listings_put_up_at_once_are_each_offered_to_one_and_nobody_is_offered_two() -> None:
    wrong = listed_at_once(40)

    offered = list(OfferedListing.objects.filter(is_live=True).values_list("listing_id", "offer__entry_id"))
    assert wrong == []
    assert len(offered) == len({listing for listing, _entry in offered}) == len({entry for _listing, entry in offered})
    assert len(offered) == 40
    assert Effect.objects.filter(kind=waiting_mails.KIND, payload__name="offered").count() == 40


def test_without_the_lists_lock_sellers_would_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: what keeps the offers apart is the lock; the database alone refuses one of two sellers."""
    monkeypatch.setattr(waiting_line, "lock", lambda event_id: None)

    wrong = listed_at_once(40)

    assert any(IntegrityError.__name__ in error for error in wrong)


@pytest.mark.parametrize("seconds_late", [-1, 1])
def test_a_deadline_that_passes_while_somebody_accepts_has_one_end(seconds_late: int) -> None:
    kind, entries = stand_in_line(2)
    reservations.resize(Quota.objects.get(event=kind.event), 2)
    queue.drain(kind.event_id)
    (offer,) = WaitingOffer.objects.all()
    due = offer.answer_until

    def lapse() -> int:
        return on_connections_of_its_own(lambda: waiting_offers.lapse_due(due))

    def accept() -> int:
        return accept_all([offer.pk])

    verbs = [accept, lapse] if seconds_late > 0 else [lapse, accept]
    from tests.concurrency.test_dispute_race import at_once

    at_once(*verbs)
    queue.drain(kind.event_id)
    waiting.sweep(clock.now())

    offer.refresh_from_db()
    second = WaitingOffer.objects.filter(entry=entries[1]).count()
    assert (offer.state, offer.order_id is not None, second) in {("accepted", True, 0), ("lapsed", False, 1)}
    assert invariants.check() == []


@pytest.mark.parametrize("point", ["waiting.kept", "drain.before_commit"])
def test_a_worker_killed_while_it_offers_leaves_nothing_and_the_next_resumes(
    point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, _entries = stand_in_line(1)
    reservations.resize(Quota.objects.get(event=kind.event), 2)
    connections.close_all()
    child = os.fork()
    if child == 0:
        os.environ["FOYER_CRASH_AT"] = point
        try:
            queue.drain(kind.event_id)
            if point == "drain.before_commit":
                accept_all(list(WaitingOffer.objects.values_list("pk", flat=True)))
                queue.drain(kind.event_id)
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    made = WaitingOffer.objects.count()
    assert made == (0 if point == "waiting.kept" else 1)

    waiting.sweep(clock.now())
    queue.drain(kind.event_id)

    (offer,) = WaitingOffer.objects.all()
    assert Effect.objects.filter(key=f"{waiting_mails.KIND}:offered:{offer.public_id}").count() == 1
    accept_all([offer.pk])
    queue.drain(kind.event_id)
    assert Order.objects.get(channel="list").state == OrderState.RESERVED
    assert invariants.check() == []
