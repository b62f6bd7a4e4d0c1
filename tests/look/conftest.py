"""A browser and the rendered sample pages, for the tests that look."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests import browsers

RENDER = Path(__file__).with_name("render.py")


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every sample page, made by a process of its own (it brings its own settings)."""
    folder = tmp_path_factory.mktemp("look")
    subprocess.run([sys.executable, str(RENDER), str(folder)], check=True, stdout=subprocess.DEVNULL, timeout=120)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium for one module: closed before others use the database, for Playwright runs a loop in this thread."""
    with sync_playwright() as playwright:
        chromium = browsers.launch(playwright.chromium)
        yield chromium
        chromium.close()
