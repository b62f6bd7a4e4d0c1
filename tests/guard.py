"""No network call inside a transaction: it would keep locks while it waits, and what it caused cannot be rolled back.

While a test runs, a connection or a message by socket from a thread that has a transaction open raises. PostgreSQL's
library opens its sockets below Python and is not seen here; a transaction that the test itself is wrapped in does not
count. `tests/test_guard.py` proves that the guard would notice.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections


class NetworkInTransaction(BaseException):
    """Not an Exception: nobody's broad `except` shall swallow it."""


def is_in_transaction() -> bool:
    """Whether this thread has a transaction of the code under test open."""
    return any(
        not getattr(block, "_from_testcase", False)
        for connection in connections.all(initialized_only=True)
        for block in connection.atomic_blocks
    )


def _refuse(sock: socket.socket, what: str) -> None:
    if sock.family in (socket.AF_INET, socket.AF_INET6) and is_in_transaction():
        raise NetworkInTransaction(f"{what} inside a transaction: write an outbox row instead.")


@pytest.fixture(autouse=True)
def no_network_in_transactions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Guards every test."""
    connect, sendall = socket.socket.connect, socket.socket.sendall

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _refuse(self, f"A connection to {address}")
        connect(self, address)

    def guarded_sendall(self: socket.socket, *args: Any) -> None:
        _refuse(self, "A message")
        sendall(self, *args)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "sendall", guarded_sendall)
    yield
