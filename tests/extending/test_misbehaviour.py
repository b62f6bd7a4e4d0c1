"""A plugin that misbehaves: it harms one order, or itself, and nobody else."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.accounts.registry import Registry
from apps.checkin import scans
from apps.checkin.extensions import credential_readers
from apps.events.models import Event
from apps.ticketing import invariants, queue, signals
from apps.ticketing.context import ContextLine, PurchaseContext
from apps.ticketing.extensions import Opinion, fulfilments, price_rules, purchase_gates
from apps.ticketing.models import Order, OrderLine
from apps.ticketing.ordering import WantedTicket
from tests import factories
from tests.checkin.conftest import Evening, new_evening
from tests.clock import clock_moved
from tests.specimen_plugin import parts

ORDERS = 40
GUILTY = "buyer-17@example.org"


class RuleThatFailsToPrepare(parts.EarlyBird):
    """Fails for the whole batch that holds one buyer."""

    def prepare(self, contexts: Sequence[PurchaseContext], at: datetime) -> dict[int, datetime]:
        if any(context.email == GUILTY for context in contexts):
            raise LookupError("a plugin's mistake")
        return super().prepare(contexts, at)


class RuleThatFailsToClaim(parts.EarlyBird):
    """Fails after prices were made, when rights are used up."""

    def claim(self, order_lines: Mapping[int, Sequence[Any]]) -> None:
        if OrderLine.objects.filter(pk__in=order_lines, order__email=GUILTY).exists():
            raise RuntimeError("a plugin's mistake")


class GateThatFails(parts.NoStrangers):
    def opinion(self, context: PurchaseContext, line: ContextLine, answers: None) -> Opinion:
        if context.email == GUILTY:
            raise ValueError("a plugin's mistake")
        return super().opinion(context, line, answers)


class FulfilmentThatFails(parts.Cloakroom):
    def refusals(self, lines: Sequence[OrderLine]) -> Mapping[int, str]:
        if any(line.subject == "17" for line in lines):
            raise KeyError("a plugin's mistake")
        return super().refusals(lines)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("registry", "plugin"),
    [
        (price_rules, RuleThatFailsToPrepare),
        (price_rules, RuleThatFailsToClaim),
        (purchase_gates, GateThatFails),
        (fulfilments, FulfilmentThatFails),
    ],
    ids=["prepare", "claim", "opinion", "refusals"],
)
def test_mistake_about_one_order_harms_that_order_only(registry: Registry[Any], plugin: type[Any]) -> None:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, ORDERS))
    with registry.temporarily(plugin()) as part:
        fulfilment = part.slug if registry is fulfilments else "issue"
        for number in range(ORDERS):
            subject = str(number) if registry is fulfilments else ""
            wanted = [WantedTicket(kind.pk, fulfilment=fulfilment, subject=subject)]
            factories.order(event, wanted, email=f"buyer-{number}@example.org")

        queue.drain(event.pk)
        after_one = set(Order.objects.values_list("state", flat=True))
        for number in (1, 2):
            with clock_moved(timedelta(seconds=5 * number)):
                queue.drain(event.pk)

        guilty = Order.objects.get(email=GUILTY)
        assert after_one == {"reserved", "queued"}  # tried again, not thrown out at once
        assert (guilty.state, guilty.reason, guilty.tries) == ("rejected", "internal_error", 3)
        assert Order.objects.filter(state="reserved").count() == ORDERS - 1
        assert invariants.check() == []


@pytest.mark.django_db(transaction=True)
def test_receiver_that_raises_fails_alone(caplog: pytest.LogCaptureFixture) -> None:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event))
    heard: list[list[int]] = []

    def broken(**kwargs: Any) -> None:
        raise RuntimeError("deaf")

    def listening(ids: list[int], **kwargs: Any) -> None:
        heard.append(ids)

    signals.orders_moved.connect(broken)
    signals.orders_moved.connect(listening)
    try:
        order = factories.order(event, factories.wanted(kind))
        with caplog.at_level(logging.ERROR):
            queue.drain(event.pk)
    finally:
        signals.orders_moved.disconnect(broken)
        signals.orders_moved.disconnect(listening)

    order.refresh_from_db()
    assert order.state == "reserved"
    assert heard == [[order.pk]]
    assert any("deaf" in str(record.exc_info) + record.getMessage() for record in caplog.records)


@pytest.fixture
def evening(db: None) -> Evening:
    return new_evening()


def test_reader_that_raises_does_not_stop_the_door(evening: Evening, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        slug = "aaa_broken"

        def read(self, text: str, event: Event) -> UUID | None:
            raise OSError("no reader connected")

    (ticket,) = evening.tickets()
    with credential_readers.temporarily(Broken()), caplog.at_level(logging.ERROR):
        unknown = scans.admit("AAAAAA", event=evening.event, by=evening.robin)
        admitted = scans.admit(ticket.short_code, event=evening.event, by=evening.robin)

    assert (unknown.outcome, admitted.outcome) == ("unknown", "admitted")
    assert any("aaa_broken" in record.getMessage() for record in caplog.records)
