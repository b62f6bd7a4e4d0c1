"""Sessions in PostgreSQL, as Django keeps them, read by one plain statement: every scan at the door reads one, and
Django's own way of asking takes longer than the answer.
"""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.db import connections, router
from django.utils import timezone


class SessionStore(DatabaseSessionStore):
    """Django's database sessions, but for the reading."""

    def load(self) -> dict[str, Any]:
        """What is kept under this key; nothing, and no key any more, when it is unknown or has run out."""
        with connections[router.db_for_read(self.model)].cursor() as cursor:
            cursor.execute(
                "SELECT session_data FROM django_session WHERE session_key = %s AND expire_date > %s",
                [self.session_key, timezone.now()],
            )
            row = cursor.fetchone()
        if row is None:
            self._session_key = None
            return {}
        return self.decode(row[0])
