"""Two associations with everything an organiser can own."""

from __future__ import annotations

import pytest
from django.conf import LazySettings

from tests import mould
from tests.tenancy.world import World, make_world


@pytest.fixture
def ours(db: None, settings: LazySettings, tmp_path) -> World:
    settings.MEDIA_ROOT = str(tmp_path / "media")
    return mould.cast(make_world, "Lyktan")


@pytest.fixture
def theirs(ours: World) -> World:
    return mould.cast(make_world, "Sexsidan")
