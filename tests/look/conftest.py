"""A browser and the rendered sample pages, for the tests that look."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

RENDER = Path(__file__).with_name("render.py")


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every sample page, made by a process of its own (it brings its own settings)."""
    folder = tmp_path_factory.mktemp("look")
    subprocess.run([sys.executable, str(RENDER), str(folder)], check=True, stdout=subprocess.DEVNULL, timeout=120)
    return folder


@pytest.fixture(scope="module")
def browser(kept_browser: Browser) -> Browser:
    return kept_browser
