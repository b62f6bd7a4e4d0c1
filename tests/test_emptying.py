"""After a test that commits nothing is left of it, whatever guards the rows."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.db import connection

from apps.ticketing.models import Entry, Order
from tests import emptying, factories

pytestmark = pytest.mark.django_db(transaction=True)


def test_append_only_rows_go_and_what_migrate_wrote_stays():
    factories.paid_order()
    permissions = Permission.objects.count()
    assert Entry.objects.exists() and permissions

    emptied = emptying.empty("default")

    assert {"ticketing_order", "ticketing_entry", "events_event"} <= set(emptied)
    assert (Order.objects.count(), Entry.objects.count(), Permission.objects.count()) == (0, 0, permissions)
    assert emptying.empty("default") == []


def test_rows_are_guarded_again_afterwards():
    emptying.empty("default")

    with connection.cursor() as cursor:
        cursor.execute("SHOW session_replication_role")
        assert cursor.fetchone() == ("origin",)
