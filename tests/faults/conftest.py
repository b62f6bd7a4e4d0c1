"""The house that is broken: one for each module of tests, with servers of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import embedded
import pytest

from tests.faults.house import House


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[House]:
    # It breaks its servers, so it never borrows those that the environment names.
    named = {name: os.environ.pop(name, None) for name in ("DATABASE_URL", "REDIS_URL")}
    try:
        own = embedded.start("faults", several=True)
    finally:
        os.environ.update({name: value for name, value in named.items() if value})
    with own:
        made = House(own, tmp_path_factory.mktemp("faults"))
        try:
            made.start()
            with django_db_blocker.unblock():
                yield made
        finally:
            made.stop()
