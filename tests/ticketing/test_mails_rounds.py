"""Reminders for a whole batch: one effect, which writes down only the mails that somebody needs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.ticketing import clock, mails, outbox, presence, queue, reasons, reservations
from apps.ticketing.models import Effect, Order
from tests import factories
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch() -> list[Order]:
    """Five orders that one batch reserved."""
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 5))
    orders = [factories.order(event, factories.wanted(kind)) for _ in range(5)]
    queue.drain(event.pk)
    for order in orders:
        order.refresh_from_db()
    return orders


def asked(name: str) -> list[int]:
    found = Effect.objects.filter(kind=mails.KIND, payload__name=name).order_by("order_id")
    return list(found.values_list("order_id", flat=True))  # type: ignore[arg-type]


def go_round(name: str, *, times: int = 1) -> None:
    effect = Effect.objects.get(kind="mail.round", payload__name=name)
    with clock_moved(effect.due_at - clock.now() + timedelta(seconds=1)):
        for _ in range(times):
            Effect.objects.filter(pk=effect.pk).update(state="due")
            assert outbox.run(effect.pk)


def test_batch_is_one_effect_for_each_reminder_until_its_moment_comes(batch):
    ids = [order.pk for order in batch]

    rounds = [(effect.kind, effect.payload["name"], effect.payload["orders"]) for effect in Effect.objects.all()]

    assert sorted(rounds) == [("mail.round", "hold_ends_soon", ids), ("mail.round", "your_turn", ids)]


def test_only_who_still_holds_and_does_not_watch_is_written_to(batch):
    watching, gone, *others = batch
    presence.note(watching, clock.now())
    reservations.release([gone.pk], "reserved", "cancelled", reasons.CANCELLED_BY_BUYER)

    go_round("your_turn")

    assert asked("your_turn") == [order.pk for order in others]


def test_round_that_runs_twice_asks_for_no_mail_twice(batch):
    go_round("your_turn", times=2)

    assert asked("your_turn") == [order.pk for order in batch]


def test_reminder_of_a_batch_arrives(batch, mailoutbox):
    go_round("hold_ends_soon")

    with clock_moved(timedelta(minutes=10, seconds=2)):
        outbox.run_all(kinds=[mails.KIND])

    assert sorted(mail.to[0] for mail in mailoutbox) == sorted(order.email for order in batch)
