"""A full disk and a broken start: one sentence, nothing left running."""

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from embedded import places
from embedded.postgres import other_user

from tests.embedded.conftest import running

# Starts the services with all their folders below one place, as an embedded.start in a checkout there would.
STARTER = """
import resource, sys
from pathlib import Path
from embedded import EmbeddedError, places, services

place, limit = Path(sys.argv[1]), int(sys.argv[2])
places.CHECKOUT = place
places.outside = lambda purpose: place / "outside"
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    with services.start("full"):
        print("started")
except EmbeddedError as error:
    print(error)
    sys.exit(1)
"""


@pytest.fixture
def small_disk(open_folder: Path) -> Iterator[Callable[[int], Path | None]]:
    """Mount a disk of so many MB and return its folder; None for whoever may not mount."""
    place = open_folder / "disk"
    place.mkdir(mode=0o755)

    def mount(megabytes: int) -> Path | None:
        options = ["-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "foyer-test", str(place)]
        done = subprocess.run(["mount", *options], capture_output=True) if os.geteuid() == 0 else None
        return place if done and done.returncode == 0 else None

    yield mount
    if os.path.ismount(place):
        subprocess.run(["umount", str(place)], check=True)


def start_in(place: Path, limit: int = 0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(STARTER), str(place), str(limit)],
        capture_output=True,
        text=True,
        timeout=120,
    )


def working_in(place: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve().is_relative_to(place):
                found.append(process.name)
        except OSError:
            continue
    return found


def test_postgresql_on_a_full_disk_is_one_sentence(open_folder: Path, small_disk: Callable[[int], Path | None]) -> None:
    disk = small_disk(24)  # its data alone are larger

    done = start_in(disk) if disk else start_in(open_folder, limit=4_000_000)

    assert (done.returncode, done.stderr) == (1, "")
    assert re.match("(PostgreSQL's initdb|Copying PostgreSQL) failed: the disk is full where ", done.stdout)
    assert done.stdout.count("\n") == 1
    assert working_in(open_folder) == []

    if disk:  # with room made, the next start does what the first could not
        subprocess.run(["mount", "-o", "remount,size=400m", str(disk)], check=True)
        assert start_in(disk).stdout == "started\n"
    else:
        assert start_in(open_folder).stdout == "started\n"


def test_redis_on_a_full_disk_is_one_sentence(open_folder: Path, small_disk: Callable[[int], Path | None]) -> None:
    disk = small_disk(300)
    place = disk or open_folder
    assert start_in(place).stdout == "started\n"

    # Redis cannot write down what it holds: no room at all, or not where it must.
    redis_home = place / "var" / "full" / "redis"
    if disk:
        with open(disk / "filler", "wb") as filler, pytest.raises(OSError, match="No space left"):
            while True:
                filler.write(bytes(1_000_000))
        done = start_in(place)
        assert "the disk is full where" in done.stdout
    else:
        for kept in redis_home.iterdir():
            kept.unlink()
        redis_home.rmdir()
        redis_home.write_text("in the way")
        done = start_in(place)

    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.count("\n") == 1
    assert working_in(place) == []


def test_data_of_another_user_is_one_sentence(purpose: str, launch: Callable[..., subprocess.Popen[str]]) -> None:
    folder = places.CHECKOUT / "var" / purpose
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "secrets.json").write_text("{damaged")

    launcher = launch("-m", "embedded", "run", "--for", purpose, "--", "true")
    said, complaint = launcher.communicate(timeout=60)

    assert (launcher.returncode, said) == (1, "")
    assert complaint == f"{folder / 'secrets.json'} is damaged; remove {folder} to start afresh.\n"
    assert running(purpose) == []
    (folder / "secrets.json").unlink()


def test_root_never_runs_postgresql_itself() -> None:
    assert other_user().uid != 0
