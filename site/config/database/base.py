"""A connection that a page took over from the last one is looked at, not asked.

Django asks each before its first statement (`SELECT 1`), which is one question of the five that a page of a rush has.
A server that ended a connection, or was killed, says so on the wire: so a wire on which nothing waits is well. Where
something does, and within a transaction, Django asks as ever. A wire that was cut without a word is found out by
neither: a question would wait for its answer just as long as the first statement does.
"""

from __future__ import annotations

import select
from typing import Any

from django.db.backends.postgresql import base
from psycopg2.extensions import TRANSACTION_STATUS_IDLE


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's wrapper of a PostgreSQL connection."""

    connection: Any

    def is_usable(self) -> bool:
        """Whether the connection may be used for another page."""
        if self.connection is None or self.connection.closed:
            return False
        is_at_rest = self.connection.info.transaction_status == TRANSACTION_STATUS_IDLE
        return (is_at_rest and not _something_waits(self.connection.fileno())) or super().is_usable()


def _something_waits(wire: int) -> bool:
    poll = select.poll()
    poll.register(wire, select.POLLIN | select.POLLPRI | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))
