"""Who comes first where two meet. A sleep is no order of things on a busy machine; one that waits for the other is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

LONGEST_SECONDS = 60
Wait = Callable[[], object]


def straight_away() -> None:
    """No wait."""


def pause(seconds: float) -> Wait:
    """A wait of so long; none where it is below zero."""
    return lambda: time.sleep(max(seconds, 0))


def end_of(monkeypatch: pytest.MonkeyPatch, module: Any, verb: str) -> Wait:
    """A wait for the end of the next call of `module.verb`, however it ends."""
    ended = threading.Event()
    original = getattr(module, verb)

    def then_tell(*rest: Any, **named: Any) -> Any:
        try:
            return original(*rest, **named)
        finally:
            ended.set()

    monkeypatch.setattr(module, verb, then_tell)
    return lambda: ended.wait(LONGEST_SECONDS)
