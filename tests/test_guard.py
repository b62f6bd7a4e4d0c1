"""The guard itself: it must notice what it is there for, and nothing else."""

from __future__ import annotations

import socket

import pytest
from django.db import transaction

from tests.guard import NetworkInTransaction


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


@pytest.mark.django_db
def test_guard_refuses_a_connection_inside_a_transaction(listener):
    with transaction.atomic(), pytest.raises(NetworkInTransaction):
        socket.create_connection(listener)


@pytest.mark.django_db(transaction=True)
def test_guard_refuses_a_message_inside_a_transaction_on_a_connection_opened_before(listener):
    with socket.create_connection(listener) as connection:
        connection.sendall(b"before")

        with transaction.atomic(), pytest.raises(NetworkInTransaction):
            connection.sendall(b"inside")


@pytest.mark.django_db
def test_guard_allows_the_network_outside_transactions_of_the_code(listener):
    with socket.create_connection(listener) as connection:
        assert connection.getpeername() == listener
