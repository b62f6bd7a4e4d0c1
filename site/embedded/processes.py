"""Starting programs that never outlive us, and stopping them.

Linux sends a child the signal it asked for (PR_SET_PDEATHSIG) when the *thread* that made it ends, so one thread makes
them all and lives as long as this process. That covers `kill -9` too, which no clean-up code survives.
"""

import contextlib
import ctypes
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)
_work: queue.SimpleQueue[tuple[Callable[[], Any], Future]] = queue.SimpleQueue()
_maker: tuple[int, threading.Thread] | None = None
_maker_lock = threading.Lock()


@dataclass(frozen=True)
class User:
    """Another user a program runs as when root starts it."""

    name: str
    uid: int
    gid: int

    def as_arguments(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def die_with_parent(death_signal: int, parent: int) -> None:
    """Ask the kernel to send this process `death_signal` when `parent` ends. Ends at once when it already has."""
    _libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str],
    folder: Path,
    death_signal: int = signal.SIGTERM,
    user: User | None = None,
    stdin: bytes | None = None,
    nice: int = 0,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own (Ctrl-C does not reach it), its output appended to `log`.

    It receives `death_signal` when this process dies. Raises OSError when it cannot be started.
    """
    parent = os.getpid()

    def prepare() -> None:  # runs in the child, after it changed its user: changing it would forget the death signal
        if nice:
            os.nice(nice)
        die_with_parent(death_signal, parent)

    def make() -> subprocess.Popen[bytes]:
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as output:
            return subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environment),
                cwd=folder,
                start_new_session=True,
                preexec_fn=prepare,
                **(user.as_arguments() if user else {}),
            )

    process: subprocess.Popen[bytes] = _by_maker(make)
    if stdin is not None:
        _feed(process.stdin, stdin)
    return process


def _feed(pipe: IO[bytes] | None, text: bytes) -> None:
    assert pipe is not None
    with contextlib.suppress(BrokenPipeError):  # a program that is gone already says why in its log
        pipe.write(text)
        pipe.close()


def _by_maker(make: Callable[[], Any]) -> Any:
    global _maker
    with _maker_lock:
        if _maker is None or _maker[0] != os.getpid():  # a forked copy of this process has none of its threads
            thread = threading.Thread(target=_make_forever, name="embedded-maker", daemon=True)
            thread.start()
            _maker = (os.getpid(), thread)
    future: Future = Future()
    _work.put((make, future))
    return future.result()


def _make_forever() -> None:
    while True:
        make, future = _work.get()
        try:
            future.set_result(make())
        except BaseException as error:
            future.set_exception(error)


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process is gone. Leaves it uncollected: until then nobody else gets its number, nor its group's."""
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def wait_until(condition: Callable[[], bool], seconds: float, pause: float = 0.02) -> bool:
    """Look again and again until `condition` holds; False when `seconds` have passed without."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def end(process: subprocess.Popen[bytes], *steps: tuple[int, float]) -> int:
    """Send each (signal, seconds to wait) until the process is gone, then SIGKILL what is left of its group.

    Returns its exit code, negative for a signal. Safe to repeat.
    """
    for number, seconds in steps:
        if has_ended(process):
            break
        process.send_signal(number)
        wait_until(lambda: has_ended(process), seconds)
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
    return process.returncode or 0


def pid_in(pid_file: Path) -> int:
    """The process number at the head of a pid file, 0 when there is none."""
    try:
        return int(pid_file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0


def end_left_behind(pid_file: Path, folder: Path, *signals: int) -> None:
    """End a server that a killed launcher left in `folder`, and remove its `pid_file`.

    Only a process that really works in `folder` is touched: after a restart of the machine the number may be anybody's.
    The caller holds the lock of the purpose, so nobody living uses that server.
    """
    pid = pid_in(pid_file)
    for number in (*signals, signal.SIGKILL):
        if pid <= 1 or not _works_in(pid, folder):
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        wait_until(lambda: not _works_in(pid, folder), 10)
    pid_file.unlink(missing_ok=True)


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return os.path.realpath(f"/proc/{pid}/cwd") == os.path.realpath(folder)
    except OSError:
        return False


def tail(log: Path, start: int = 0, limit: int = 20_000) -> str:
    """The text of a log from byte `start`, its last `limit` bytes at most."""
    try:
        with open(log, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start, size - limit))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
