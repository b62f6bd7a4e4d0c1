"""Empties the database after a test that commits.

Django truncates every table and makes all permissions anew, which takes seconds where a test took milliseconds. Here
only tables that have rows are emptied, and what `migrate` writes for every model (content types, permissions) stays.
Append-only tables and foreign keys are no obstacle: the role that owns the tests' server is replica for that moment.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from django.core.signals import request_finished, request_started
from django.db import connections, transaction
from django.test import TransactionTestCase

LONGEST_PAGE_SECONDS = 2.0
STAYS = frozenset({"django_content_type", "auth_permission"})


def tables(connection: Any) -> list[str]:
    """The tables of all models but those that stay."""
    found = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return sorted(set(found) - STAYS)


def empty(alias: str) -> list[str]:
    """Delete all rows of one database but those that stay; the names of the tables that had any."""
    connection = connections[alias]
    found = tables(connection)
    looks = (f"SELECT '{table}' WHERE EXISTS (SELECT FROM \"{table}\")" for table in found)
    names = ", ".join(f'"{table}"' for table in found)
    with transaction.atomic(using=alias), connection.cursor() as cursor:
        # As TRUNCATE does: waits for whoever is still writing, a page's last request or a process of the test.
        cursor.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
        cursor.execute(" UNION ALL ".join(looks))
        full = [name for (name,) in cursor.fetchall()]
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table in full:
            cursor.execute(f'DELETE FROM "{table}"')
    return full


_under_way: set[int] = set()  # threads of the live server in which a page is being made


def _begin(**_: Any) -> None:
    if threading.current_thread() is not threading.main_thread():
        _under_way.add(threading.get_ident())


def _finish(**_: Any) -> None:
    _under_way.discard(threading.get_ident())


def _let_pages_finish() -> None:
    """Wait for pages whose browser has gone: what they write after the emptying would be there in the next test."""
    until = time.monotonic() + LONGEST_PAGE_SECONDS
    while _under_way and time.monotonic() < until:
        time.sleep(0.005)
    _under_way.clear()  # a page that broke never says that it is finished


def _empty_all(case: Any) -> None:
    _let_pages_finish()
    for alias in case._databases_names(include_mirrors=False):
        empty(alias)


def replace_flush() -> None:
    """Let every test that commits leave an empty database this way instead of Django's."""
    request_started.connect(_begin, dispatch_uid="emptying")
    request_finished.connect(_finish, dispatch_uid="emptying")
    TransactionTestCase._fixture_teardown = _empty_all  # type: ignore[attr-defined]
