"""The time, by the database's clock alone, so that every process agrees on when a sale opens or a hold ends.

The database function `foyer_now()` (made by a migration) is `clock_timestamp()`: it moves on inside a transaction, so
that a batch which waited for a lock does not judge by the time at which it began to wait. Tests replace the function
in their own database to move the clock of all processes at once (tests/clock.py); production never does.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import DateTimeField, Func

from apps.accounts.prepared import Statement

CREATE_SQL = (
    "CREATE OR REPLACE FUNCTION foyer_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()'"
)
DROP_SQL = "DROP FUNCTION IF EXISTS foyer_now()"
_NOW = Statement("now", (), "SELECT foyer_now()")


class Now(Func):
    """The database's time inside a query or an update."""

    function = "foyer_now"
    template = "%(function)s()"
    output_field = DateTimeField()


def now() -> datetime:
    """The aware time at the database. One round trip; ask once per decision and pass it on as `at`."""
    ((at,),) = _NOW.run()
    return at
