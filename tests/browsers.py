"""Debian's Chromium for the tests, as the small program without windows.

The whole browser draws its own toolbars anew for every window, which takes it six times as long as opening our page.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import Browser, BrowserType, Playwright, sync_playwright

PROGRAM = "chromium-headless-shell"


def launch(chromium: BrowserType, *flags: str) -> Browser:
    """A browser that runs as root too and needs no shared memory; `flags` come on top."""
    program = shutil.which(PROGRAM)
    assert program, f"{PROGRAM} is missing; make test installs it, or names its package"
    return chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage", *flags])


def launch_with_camera(chromium: BrowserType, film: Path) -> Browser:
    """A browser whose camera shows the film of this file, opened anew whenever the camera is started."""
    return launch(
        chromium,
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
        "--auto-accept-camera-and-microphone-capture",
    )


_open: tuple[Playwright, Browser] | None = None


def kept() -> Browser:
    """The browser of this process, started when it is first asked for; each test has windows of its own in it."""
    global _open
    if _open is None:
        playwright = sync_playwright().start()
        _open = playwright, launch(playwright.chromium)
    return _open[1]


def close() -> None:
    """End it before a test that has no use for it: Playwright runs a loop in this thread, where others want theirs."""
    global _open
    if _open is not None:
        playwright, browser = _open
        _open = None
        browser.close()
        playwright.stop()
