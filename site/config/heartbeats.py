"""Signs of life of the processes without an address: workers and cron. In PostgreSQL; `manage.py doctor` reads them.

A process that ends properly takes its row away; one that was killed leaves a row that grows old.
"""

from __future__ import annotations

import os
import socket

from django.db import close_old_connections, connection

EVERY_SECONDS = 10
LOST_AFTER_SECONDS = 60


def own_name(what: str) -> str:
    """`what@host:pid`, for this process."""
    return f"{what}@{socket.gethostname()[:40]}:{os.getpid()}"


def beat(name: str, role: str) -> None:
    """Write down that `name` is alive, by the database's clock."""
    close_old_connections()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ticketing_heartbeat (name, role, beat_at) VALUES (%s, %s, foyer_now())"
            " ON CONFLICT (name) DO UPDATE SET beat_at = foyer_now(), role = excluded.role",
            [name, role],
        )


def end(name: str) -> None:
    """Take the row of a process away that ends as it should."""
    close_old_connections()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM ticketing_heartbeat WHERE name = %s", [name])
