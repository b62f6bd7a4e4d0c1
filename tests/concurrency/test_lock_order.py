"""All verbs at once over the same few rows: whoever takes locks out of the house's order deadlocks here."""

from __future__ import annotations

import json

import pytest
from django.db import connection

from apps.ticketing import invariants, queue
from apps.ticketing.models import GivingRule, RefundRule
from tests import factories
from tests.processes import outcome, spawn

pytestmark = pytest.mark.django_db(transaction=True)


def deadlocks() -> int:
    """Deadlocks the server has counted in this database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]


def test_verbs_in_any_order_never_deadlock():
    event = factories.event()
    hall, balcony = factories.quota(event, 12), factories.quota(event, 8)
    free = factories.ticket_type(event, hall, price_minor=0)
    extras = factories.variation(free, kind="many")
    factories.choice(extras, factories.quota(event, 6), balcony, delta_minor=1_000, max_quantity=2)
    factories.choice(extras, factories.quota(event, 6), delta_minor=2_000, max_quantity=2)
    factories.ticket_type(event, hall, balcony)
    RefundRule.objects.create(event=event, at=event.changed_at, kind="hours", hours_before=1)
    GivingRule.objects.create(event=event, at=event.changed_at, when_dearer="pay")
    before = deadlocks()

    pace = {"PAYMENT_STARTS_PER_SECOND": "sandbox=50"}  # its rows are the last to be locked
    verbs = [spawn("-m", "tests.concurrency.verbs", str(event.pk), str(seed), "8", **pace) for seed in range(4)]
    counts = [json.loads(outcome(process, seconds=120).splitlines()[-1]) for process in verbs]
    queue.drain_all()

    assert deadlocks() == before
    assert sum(count["errors"] for count in counts) == 0
    # A shuffle in which hardly anything happened would prove nothing.
    wanted = "place drain cancel accept decline extend expire resize retake pay refund hand_back admit"
    wanted += " join_list leave_list serve_list take_offered pass_offered sell"
    for verb in (*wanted.split(), "change", "pay_change", "begin_difference", "pay_difference"):
        assert sum(count.get(verb, 0) for count in counts) > 0, verb
    assert invariants.check() == []


def test_two_locks_taken_in_opposite_orders_do_deadlock():
    """The negative control: this server notices a deadlock, and the counter above would show it."""
    event = factories.event()
    rows = [factories.quota(event, 1).pk, factories.quota(event, 1).pk]
    before = deadlocks()

    there, back = (
        spawn("-m", "tests.concurrency.verbs", "opposite", *map(str, pair)) for pair in (rows, list(reversed(rows)))
    )
    outputs = [outcome(there), outcome(back)]

    assert sorted(output.split()[-1] for output in outputs) == ["deadlock", "fine"]
    assert deadlocks() == before + 1
