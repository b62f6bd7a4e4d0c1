"""The database that all tests' databases are copies of."""

from __future__ import annotations

import os
import re

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


CAST = re.compile(r"::[a-z ]+(\[\])?|[()]")  # what is read from SQL has its casts elsewhere, and means the same
SCHEMA = """
SELECT format('%s.%s %s %s', table_name, column_name, data_type, is_nullable) FROM information_schema.columns
WHERE table_schema = 'public'
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT format('%s: %s', conrelid::regclass, pg_get_constraintdef(oid)) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT format('migrated: %s.%s', app, name) FROM django_migrations
UNION ALL SELECT format('type: %s.%s', app_label, model) FROM django_content_type
UNION ALL SELECT format('may: %s', codename) FROM auth_permission
"""


def test_what_is_written_down_makes_the_same_database_on_another_server() -> None:
    """As the houses of other tests begin: whole, with the rules that the database itself keeps."""
    server, name = os.environ["DATABASE_URL"], "filled_by_a_test"
    with migrated.connected(migrated.url_of(server, "postgres")) as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            migrated.fill(migrated.url_of(server, name))
            said = [said_by(migrated.url_of(server, one)) for one in (os.environ["FOYER_TEST_TEMPLATE"], name)]
        finally:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")

    assert said[0] == said[1]
    assert any("CREATE TRIGGER" in line for line in said[0])


def said_by(url: str) -> list[str]:
    with migrated.connected(url) as cursor:
        cursor.execute(SCHEMA)
        return sorted(CAST.sub("", row[0]) for row in cursor.fetchall())
