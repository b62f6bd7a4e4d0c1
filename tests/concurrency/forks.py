"""The same code in several processes at once: forks of the test, each with database connections of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from django.db import connections


@contextmanager
def forked(verbs: Sequence[Callable[[], Any]]) -> Iterator[list[Future]]:
    """Run each verb (a function of a module, or a partial of one) in a process of its own; a future for each result.

    A fork starts in a hundredth of the time that a new Python with Django needs. Waits for all of them at the end.
    """
    connections.close_all()  # a child must not share our connection
    with ProcessPoolExecutor(len(verbs), mp_context=get_context("fork")) as pool:
        yield [pool.submit(verb) for verb in verbs]


def on_connections_of_its_own(verb: Callable[[], Any]) -> Any:
    """Run `verb` in a thread or fork and close what it opened."""
    try:
        return verb()
    finally:
        connections.close_all()
