"""Associations to tell events of, and files that go away with the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.test import Client
from django.utils.translation import override

from apps.events import page_cache
from tests import mould
from tests.tenancy.world import World, make_world


@pytest.fixture(autouse=True)
def own_files(settings: LazySettings, tmp_path: Path) -> None:
    """Uploaded files of a test go away with it."""
    settings.MEDIA_ROOT = str(tmp_path / "media")


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    """Sentences are compared in the language they are written in here."""
    with override("en"):
        yield


@pytest.fixture
def client() -> Client:
    """A browser that asks for English; an address with a language in it is answered in that one."""
    return Client(headers={"accept-language": "en"})


@pytest.fixture(autouse=True)
def fresh_pages() -> None:
    """No test is served a page that another one kept."""
    cache.delete(page_cache.GENERATION)


@pytest.fixture
def ours(db: None) -> World:
    return mould.cast(make_world, "Lyktan")


@pytest.fixture
def theirs(db: None) -> World:
    return mould.cast(make_world, "Sexsidan")
