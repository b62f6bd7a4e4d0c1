"""The database that all tests' databases are copies of."""

from __future__ import annotations

import os

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from embedded import migrated


@pytest.mark.django_db
def test_a_run_works_on_a_copy_that_every_migration_has_passed() -> None:
    template = os.environ["FOYER_TEST_TEMPLATE"]

    executor = MigrationExecutor(connection)

    assert connection.settings_dict["TEST"]["TEMPLATE"] == template
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []
    with migrated.connected(migrated.url_of(os.environ["DATABASE_URL"], template)) as cursor:
        cursor.execute("SELECT count(*) FROM django_migrations")
        assert cursor.fetchone() == (len(executor.loader.applied_migrations),)


def test_a_database_that_is_there_is_not_made_again() -> None:
    template = os.environ["FOYER_TEST_TEMPLATE"]

    assert (
        migrated.database(os.environ["DATABASE_URL"], {}) == template
    )  # without PATH or settings nothing could be made
