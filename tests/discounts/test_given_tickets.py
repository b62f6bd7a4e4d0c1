"""What whoever is given a ticket pays more for it: what its buyer's own rights took off, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from apps.discounts.models import Discount
from apps.ticketing import catalogue, clock, gift_terms, giving, queue
from apps.ticketing.models import Adjustment, GivingRule, Order, Ticket
from tests import factories
from tests.discounts import builders

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("promises_kept")]


def bought(event: Any, **values: Any) -> Ticket:
    """A ticket of 250 kr with whatever its buyer had a right to, where recipients pay the difference."""
    GivingRule.objects.create(event=event, at=clock.now(), when_dearer="pay")
    order = factories.order(event, factories.wanted(event.ticket_types.get()), **values)
    queue.drain(event.pk)
    order = Order.objects.get(pk=order.pk)
    factories.settle.settle(factories.notice(factories.payment(order)), provider="sandbox")
    return Ticket.objects.get(line__order=order)


def owed(ticket: Ticket, kim: Any = None) -> int:
    """What Kim, who has no right to anything unless it is said which, would pay to be given the ticket."""
    terms = gift_terms.terms_for(
        giving.fetched(Ticket.objects).get(pk=ticket.pk),
        email="kim@example.org",
        person=kim,
        facts=catalogue.load(ticket.event_id, fresh=True),
        rule=giving.rule_of(ticket.event),
        at=clock.now(),
    )
    assert (terms.refusal, terms.asks_proof) == ("", False)
    return terms.pays_minor


@pytest.fixture
def event() -> Any:
    event = factories.event()
    factories.ticket_type(event, factories.quota(event))
    return event


def test_early_birds_price_goes_along_with_the_ticket(event: Any) -> None:
    builders.discount(event, closes_at=clock.now() + timedelta(days=1))

    ticket = bought(event)

    assert ticket.line.price_minor == 20_000
    assert owed(ticket) == 0


def test_members_price_stays_with_the_member_also_when_it_holds_no_more(event: Any) -> None:
    body = builders.body(event.organisation)
    builders.discount(event, bodies=[body], stacking="added")
    builders.discount(event, closes_at=clock.now() + timedelta(days=1), stacking="added")
    alva = builders.member(body, user=factories.user(email="alva@example.org"))

    ticket = bought(event, user=alva, email=alva.email)
    assert ticket.line.price_minor == 15_000

    assert owed(ticket) == 5_000


@pytest.mark.parametrize("limits", [{"max_per_person": 1}, {"size": 9}], ids=["once each", "for nine"])
def test_limited_right_is_given_to_nobody_for_whom_it_would_not_be_claimed(event: Any, limits: dict[str, int]) -> None:
    body = builders.body(event.organisation)
    builders.discount(event, bodies=[body], **limits)
    alva, kim = (builders.member(body, user=factories.user(email=f"{one}@example.org")) for one in ("alva", "kim"))

    ticket = bought(event, user=alva, email=alva.email)

    assert (ticket.line.price_minor, owed(ticket, kim)) == (20_000, 5_000)


def test_reduction_nobody_knows_any_more_was_for_its_buyer(event: Any) -> None:
    builders.discount(event, closes_at=clock.now() + timedelta(days=1))
    ticket = bought(event)
    Adjustment.objects.update(label_sv="Något som inte finns")

    assert Discount.objects.count() == 1
    assert owed(ticket) == 5_000
