"""Trouble that passes: a deadlock, a lock that was not to be had in time, a server that went away.

It is nobody's order's fault. A verb that meets it tries once more; the queue leaves its batch for the next ring.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, connection

from apps.accounts.prepared import is_out_of_date

P = ParamSpec("P")
T = TypeVar("T")

# SQLSTATE: serialization_failure, deadlock_detected, lock_not_available; classes 08 and 57P: the connection or server.
LOCK_NOT_AVAILABLE = "55P03"
ONCE_MORE = ("40001", "40P01", LOCK_NOT_AVAILABLE)
SERVER_GONE = ("08", "57P")


def _state(error: BaseException) -> str:
    return getattr(error.__cause__, "pgcode", None) or ""


def is_passing(error: BaseException) -> bool:
    """Whether this error says nothing about the rows in hand. A lost connection carries no SQLSTATE at all.

    Whoever asks once more on such a connection hears of an InterfaceError; an answer that was cut off in its middle is
    a DatabaseError of no kind.
    """
    state = _state(error)
    if is_out_of_date(error):
        return True
    if isinstance(error, OperationalError):
        return not state or state in ONCE_MORE or state.startswith(SERVER_GONE)
    if isinstance(error, InterfaceError):
        return connection.connection is None or bool(connection.connection.closed)
    return type(error) is DatabaseError and not state and "no message from the libpq" in str(error)


def is_held_elsewhere(error: BaseException) -> bool:
    """Whether a lock was not to be had in time."""
    return _state(error) == LOCK_NOT_AVAILABLE


def once_more(verb: Callable[P, T]) -> Callable[P, T]:
    """Run `verb`, a whole transaction, a second time when a deadlock, a lock's time-out or a prepared statement that is
    out of date ended the first.

    Inside somebody else's transaction there is nothing to repeat: the error goes to whoever began it.
    """

    @wraps(verb)
    def tried(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return verb(*arguments, **named)
        except DatabaseError as error:
            may_repeat = _state(error) in ONCE_MORE or is_out_of_date(error)
            if connection.in_atomic_block or not may_repeat:
                raise
            return verb(*arguments, **named)

    return tried
