"""Moves the clock of every process on the test database, by replacing the database's `foyer_now()`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import connection

from apps.ticketing.clock import CREATE_SQL


def move_clock(offset: timedelta) -> None:
    """Let the database's time be `offset` away from the machine's. Undone by `reset_clock` or a rollback."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION foyer_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS"
            f" 'SELECT clock_timestamp() + interval ''{int(offset.total_seconds())} seconds'''"
        )


def reset_clock() -> None:
    with connection.cursor() as cursor:
        cursor.execute(CREATE_SQL)


@contextmanager
def clock_moved(offset: timedelta) -> Iterator[None]:
    """Time moved by `offset` for the length of a with-block."""
    move_clock(offset)
    try:
        yield
    finally:
        reset_clock()
