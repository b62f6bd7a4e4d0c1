"""What the tests of the embedded services share: throw-away purposes, and a look at what really runs."""

import contextlib
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from embedded import places, postgres, processes


@pytest.fixture(autouse=True)
def own_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests start services of their own, whatever the run itself stands on."""
    for name in ("DATABASE_URL", "REDIS_URL", "FOYER_EMBEDDED", "FOYER_VAR", "MAKELEVEL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def fresh_purpose() -> Iterator[str]:
    """A purpose nobody else has. Afterwards nothing of it may run, and what it kept is removed."""
    name = f"try-{uuid.uuid4().hex[:10]}"
    yield name
    left = running(name)
    places.discard(name)
    assert left == []


@pytest.fixture(scope="module")
def module_purpose() -> Iterator[str]:
    name = f"try-{uuid.uuid4().hex[:10]}"
    yield name
    places.discard(name)


@pytest.fixture
def purpose(module_purpose: str) -> Iterator[str]:
    """A purpose the tests of a module use one after the other, which spares making its data each time."""
    yield module_purpose
    assert running(module_purpose) == []


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """An empty folder that every user can enter, unlike pytest's own."""
    folder = Path("/var/tmp") / f"foyer-test-{uuid.uuid4().hex[:10]}"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def folders(purpose: str) -> list[Path]:
    return [places.CHECKOUT / "var" / purpose, places.outside(purpose)]


def running(purpose: str) -> list[str]:
    """The command lines of all processes that work in the folders of a purpose or were given them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or belongs to somebody else
            if int(process.name) == os.getpid():
                continue
            where = Path(os.readlink(process / "cwd"))
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if line and any(where.is_relative_to(folder) or f"{folder}/" in line for folder in folders(purpose)):
                found.append(line)
    return found


def gone(purpose: str, seconds: float = 15) -> bool:
    """Whether everything of this purpose has ended, waiting for it a while."""
    return processes.wait_until(lambda: not running(purpose), seconds, pause=0.1)


def wheel_programs() -> Path:
    """The folder with the wheel's `initdb` and `postgres`."""
    return postgres.find(force_wheel=True).folder


def copy_wheel(folder: Path) -> Path:
    """Copy the wheel's PostgreSQL below `folder` and return the folder of its programs."""
    programs = wheel_programs()
    package = programs.parents[1]
    target = folder / package.name / programs.parent.name
    shutil.copytree(programs.parent, target, ignore=shutil.ignore_patterns("include", "*.a"))
    shutil.copytree(package.with_name(f"{package.name}.libs"), folder / f"{package.name}.libs")
    return target / "bin"


@pytest.fixture
def launch() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `python ARGUMENTS...` with captured output; whatever still runs afterwards is ended."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
            cwd=places.CHECKOUT,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
