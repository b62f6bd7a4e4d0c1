"""The id under which one request can be followed through orders, audit, outbox, jobs and logs."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("request_id", default="")


def new_request_id() -> str:
    return secrets.token_hex(8)


def current_request_id() -> str:
    """The id of the request or job being served, or an empty string outside of any."""
    return _current.get()


@contextmanager
def request_id(value: str) -> Iterator[str]:
    """Serve under `value` for the length of a with-block; jobs use it to go on under the id of their cause."""
    token = _current.set(value)
    try:
        yield value
    finally:
        _current.reset(token)
