"""Connections that pages take over: one that the server ended is found out without a question."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.db.backends.postgresql.base import DatabaseWrapper

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What Django was told each time it asked a connection."""
    answers: list[bool] = []
    usual = DatabaseWrapper.is_usable

    def counted(wrapper: DatabaseWrapper) -> bool:
        answers.append(usual(wrapper))
        return answers[-1]

    monkeypatch.setattr(DatabaseWrapper, "is_usable", counted)
    return answers


def test_a_living_connection_is_usable_and_is_not_asked(asked: list[bool]) -> None:
    connection.ensure_connection()

    assert connection.is_usable()
    assert asked == []


def test_a_connection_that_the_server_ended_is_found_out() -> None:
    connection.ensure_connection()
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
        until = time.monotonic() + 5
        while connection.is_usable() and time.monotonic() < until:
            time.sleep(0.01)

        assert not connection.is_usable()
    finally:
        other.close()
        connection.close()


def test_a_connection_with_a_notice_on_the_wire_is_asked_and_kept(asked: list[bool]) -> None:
    other = connection.copy()
    try:
        with connection.cursor() as cursor:
            cursor.execute("LISTEN foyer_test")
        with other.cursor() as cursor:
            cursor.execute("NOTIFY foyer_test")
        until = time.monotonic() + 5
        while not asked and time.monotonic() < until:
            assert connection.is_usable()

        assert asked == [True]
    finally:
        other.close()
        connection.close()


def test_a_closed_connection_is_not_usable() -> None:
    connection.ensure_connection()
    connection.connection.close()

    assert not connection.is_usable()
    connection.close()
    assert not connection.is_usable()


def test_the_house_uses_it() -> None:
    assert type(connections["default"]).__module__ == "config.database.base"


def test_a_connection_within_a_broken_transaction_is_not_usable() -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        with suppress(DatabaseError):
            cursor.execute("SELECT nothing_like_it")
        assert not connection.is_usable()
        cursor.execute("SELECT 1")

    assert connection.is_usable()
