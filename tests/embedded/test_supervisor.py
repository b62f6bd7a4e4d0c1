"""Children are kept running, stopped in order, and never outlive us."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded import EmbeddedError, places, processes
from embedded.supervisor import DEATHS_ALLOWED, Child, Supervisor

NOTE_AND_WAIT = """
import os, signal, sys, time
name, notes = sys.argv[1], sys.argv[2]
def note(word):
    with open(notes, "a") as file:
        file.write(f"{name} {word}\\n")
def end(*_):
    time.sleep(float(sys.argv[3]))
    note("ended")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
note("started")
time.sleep(600)
"""


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, told: list[str]) -> Iterator[Supervisor]:
    made = Supervisor(logs=tmp_path / "logs", environment=os.environ, folder=tmp_path, tell=told.append)
    yield made
    made.stop(seconds=1)


def noting(tmp_path: Path, name: str, *, stage: int = 0, lasts: float = 0, nice: int = 0) -> Child:
    command = [sys.executable, "-c", NOTE_AND_WAIT, name, str(tmp_path / "notes"), str(lasts)]
    return Child(name, command, stage=stage, nice=nice)


def notes(tmp_path: Path) -> list[str]:
    path = tmp_path / "notes"
    return path.read_text().splitlines() if path.exists() else []


def test_children_stop_stage_by_stage(supervisor: Supervisor, tmp_path: Path) -> None:
    for name, stage, lasts in (("mailbox", 2, 0), ("worker", 1, 0.2), ("site", 0, 0.4)):
        supervisor.start(noting(tmp_path, name, stage=stage, lasts=lasts))
    assert processes.wait_until(lambda: len(notes(tmp_path)) == 3, 20)

    supervisor.stop(seconds=10)

    assert notes(tmp_path)[3:] == ["site ended", "worker ended", "mailbox ended"]


def test_a_child_that_will_not_stop_is_killed_with_its_own_children(supervisor: Supervisor, tmp_path: Path) -> None:
    stubborn = "trap '' TERM; sleep 600 & echo $! > child; while :; do sleep 1; done"
    supervisor.start(Child("stubborn", ["sh", "-c", stubborn]))
    assert processes.wait_until(lambda: (tmp_path / "child").exists() and bool((tmp_path / "child").read_text()), 20)
    grandchild = int((tmp_path / "child").read_text())

    begun = time.monotonic()
    supervisor.stop(seconds=0.5)

    assert time.monotonic() - begun < 5
    assert processes.wait_until(lambda: not is_alive(grandchild), 5)


def test_a_child_that_dies_starts_again(supervisor: Supervisor, tmp_path: Path, told: list[str]) -> None:
    child = noting(tmp_path, "worker")
    supervisor.start(child)
    assert processes.wait_until(lambda: notes(tmp_path) == ["worker started"], 20)
    assert child.process
    first = child.process.pid

    os.kill(first, signal.SIGKILL)
    assert processes.wait_until(lambda: look(supervisor) or notes(tmp_path) == ["worker started"] * 2, 20)

    assert child.process and child.process.pid != first
    assert told == [f"worker ended (by SIGKILL) and starts again in 0.5 s; log: {tmp_path / 'logs' / 'worker.log'}"]


def test_a_child_that_dies_again_and_again_is_given_up_with_what_it_said(
    supervisor: Supervisor, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embedded.supervisor.LONGEST_PAUSE_SECONDS", 0.01)
    supervisor.start(Child("worker", ["sh", "-c", "echo ImportError: no module named choir >&2; exit 3"]))

    with pytest.raises(EmbeddedError, match="worker failed: ImportError: no module named choir .log: .*worker.log."):
        processes.wait_until(lambda: look(supervisor), 30)

    assert len(told) == DEATHS_ALLOWED
    assert "ended (exit code 3)" in told[0]


def test_a_niced_child_is_nice(supervisor: Supervisor, tmp_path: Path) -> None:
    child = noting(tmp_path, "worker", nice=10)
    supervisor.start(child)

    assert child.process
    assert os.getpriority(os.PRIO_PROCESS, child.process.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 10


def test_run_waits_for_a_command_and_says_why_it_failed(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.run("good", ["sh", "-c", "sleep 0.2; echo done > made"], what="Making it")
    assert (tmp_path / "made").read_text() == "done\n"
    assert supervisor.children == []

    with pytest.raises(
        EmbeddedError, match=r"Making it failed: psycopg2.OperationalError: the database is away \(log:"
    ):
        supervisor.run(
            "bad", ["sh", "-c", "echo psycopg2.OperationalError: the database is away; exit 1"], what="Making it"
        )


def test_a_program_that_is_not_there_is_one_sentence(supervisor: Supervisor) -> None:
    with pytest.raises(EmbeddedError, match="Starting nothing failed: .*No such file or directory"):
        supervisor.start(Child("nothing", ["/no/such/program"]))


def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    program = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from embedded.supervisor import Child, Supervisor\n"
        "made = Supervisor(logs=Path('logs'), environment=os.environ, folder=Path('.'), tell=print)\n"
        "children = [Child('one', ['sleep', '600']), Child('two', ['sleep', '600'], death_signal=15)]\n"
        "for child in children: made.start(child)\n"
        "print(*[child.process.pid for child in children], flush=True)\n"
        "time.sleep(600)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(places.CHECKOUT / "site")}
    launcher = subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert launcher.stdout
    pids = [int(word) for word in launcher.stdout.readline().split()]
    assert [is_alive(pid) for pid in pids] == [True, True]

    launcher.kill()
    launcher.communicate()

    assert processes.wait_until(lambda: not any(map(is_alive, pids)), 5)


def look(supervisor: Supervisor) -> bool:
    supervisor.look()
    return False


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
