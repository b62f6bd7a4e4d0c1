"""The one lock per event, first of all locks: under it the queue decides, and a sale is paused, moved or ended.

Kept until the transaction ends. Whoever waited for it must read again what it read before: a statement that takes the
lock sees the rows as they were when it began to wait.
"""

from __future__ import annotations

from django.db import connection

# First half of the two-part advisory lock key: "the queue of event n".
LOCK_SPACE = 0x464F


def take(event_id: int) -> None:
    """Lock the queue of one event until the end of the transaction. Waits for a batch that is being decided."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_SPACE, event_id])
