"""Having a PDF made by the renderer: a process beside this one, bounded in time and memory, that can reach nothing.

A worker keeps one renderer and gives it file after file, because starting one costs as much as ten files. One that
takes too long, dies or breaks its bounds is ended and replaced; what it was given is `NotMade`, and nothing else is
harmed.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.ticketing.documents import renderer

log = logging.getLogger(__name__)

PROGRAM = Path(renderer.__file__)
COMMAND = [sys.executable, "-I", str(PROGRAM)]
START_SECONDS = 30
RENDER_SECONDS = 60
CPU_SECONDS = 60
MEMORY_MB = 1024
HTML_BYTES = 2 * 1024 * 1024
PDF_BYTES = 24 * 1024 * 1024
FILES_EACH = 500  # then the renderer is replaced, so that no leak of a library grows
PACKAGES = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"


class NotMade(Exception):
    """A file could not be made; `reason` is a sentence for operators. The ticket page works without it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OutOfBounds(NotMade):
    """It took more time or memory than a file may. Doing the same again soon would only cost the same again."""


@dataclass(frozen=True)
class Job:
    """What one file is made of. `poster`: an SVG that may show `foyer:photo`; `codes`: {name: what it says}."""

    html: str
    css: str
    poster: str = ""
    photo: bytes = b""
    codes: Mapping[str, str] = field(default_factory=dict)


class Renderer:
    """One renderer process. Not to be used by two threads at once."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="foyer-documents-")  # its fonts, unpacked; mode 0700
        self.files = 0
        self.process = subprocess.Popen(
            [*COMMAND, str(MEMORY_MB)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": self._folder, "TMPDIR": self._folder},
            cwd=self._folder,
        )
        try:
            head, _body = self._answer(time.monotonic() + START_SECONDS)
            if "missing" in head:
                raise NotMade(f"PDF tickets need the Debian packages {PACKAGES} ({head['missing']}).")
        except BaseException:
            self.end()
            raise

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def render(self, job: Job, seconds: float) -> bytes:
        """The PDF of a job. Raises NotMade."""
        head = {
            "html": job.html,
            "css": job.css,
            "poster": job.poster,
            "codes": dict(job.codes),
            "cpu_seconds": CPU_SECONDS,
        }
        self.files += 1
        try:
            assert self.process.stdin
            renderer.write_message(self.process.stdin, head, job.photo)
        except OSError as error:
            raise NotMade("The renderer of PDF tickets is gone.") from error
        answer, pdf = self._answer(time.monotonic() + seconds)
        if "error" in answer:
            kind = OutOfBounds if answer["error"].startswith("MemoryError") else NotMade
            raise kind(f"The page could not be made into a PDF: {answer['error']}")
        for complaint in answer["complaints"]:
            log.warning("the template of PDF tickets: %s", complaint)
        return pdf

    def _answer(self, deadline: float) -> tuple[dict[str, Any], bytes]:
        """The next message, whole, before the deadline. Raises NotMade."""
        head_size, body_size = renderer.SIZES.unpack(self._read(renderer.SIZES.size, deadline))
        if head_size + body_size > PDF_BYTES:
            raise OutOfBounds("The PDF would be larger than any ticket.")
        head = json.loads(self._read(head_size, deadline))
        return head, self._read(body_size, deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        assert self.process.stdout
        descriptor, parts = self.process.stdout.fileno(), []
        while size:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise OutOfBounds("The PDF took too long to make.")
            part = os.read(descriptor, min(size, 1 << 20))
            if not part:
                raise OutOfBounds("The PDF took more time or memory than it may.")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def end(self) -> None:
        """Stop the process, whatever it is doing, and wait for it; its folder goes too."""
        if self.process.poll() is None:
            self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                try:
                    pipe.close()
                except OSError:  # what was still to be written cannot be any more
                    continue
        self.process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


_lock = threading.Lock()
_renderer: Renderer | None = None
_owner = 0


def render(job: Job, *, seconds: float = RENDER_SECONDS) -> bytes:
    """The PDF of a job, made by this process's renderer. Raises NotMade; OutOfBounds when it broke its bounds."""
    if len(job.html) > HTML_BYTES:
        raise OutOfBounds("The page of the PDF is longer than any order's tickets.")
    with _held() as held:
        return held.render(job, seconds)


@contextmanager
def _held() -> Iterator[Renderer]:
    """The renderer, for one file. Whatever goes wrong in between, a time-out of the job included, ends it."""
    global _renderer, _owner
    with _lock:
        if _renderer is not None and (_owner != os.getpid() or not _renderer.is_alive):
            _drop()
        try:
            if _renderer is None:
                _renderer, _owner = Renderer(), os.getpid()
            yield _renderer
        except BaseException:
            _drop()
            raise
        if _renderer.files >= FILES_EACH:
            _drop()


def _drop() -> None:
    global _renderer
    if _renderer is not None and _owner == os.getpid():  # after a fork it is the parent's
        _renderer.end()
    _renderer = None


def close() -> None:
    """End this process's renderer; the next file starts another."""
    with _lock:
        _drop()


atexit.register(close)


def problem() -> str:
    """Why no PDF can be made on this machine, in a sentence; empty when one can. Starts the renderer."""
    try:
        render(Job(html='<html lang="en"><head><title>.</title></head><body><p>Foyer</p></body></html>', css=""))
    except NotMade as error:
        return error.reason
    return ""
