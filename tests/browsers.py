"""Debian's Chromium for the tests, as the small program without windows.

The whole browser draws its own toolbars anew for every window, which takes it six times as long as opening our page.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import Browser, BrowserType

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
