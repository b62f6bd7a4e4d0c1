"""Where things lie and which ports they take.

Everything of one purpose ("demo", "test") lies below `var/<purpose>/` of the checkout. Folders outside it and ports are
derived from the checkout's real path and the purpose, so that demo and tests, and two checkouts, run side by side.
"""

import fcntl
import hashlib
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from embedded.errors import EmbeddedError

CHECKOUT = Path(__file__).resolve().parents[2]

# Below the range from which Linux takes ports for outgoing connections (32768 and up).
FIRST_PORT, PORT_COUNT, PORT_TRIES = 20000, 12000, 20


def key(purpose: str) -> str:
    """Ten characters that stand for this checkout and this purpose."""
    return hashlib.sha256(f"{CHECKOUT}\0{purpose}".encode()).hexdigest()[:10]


def outside(purpose: str) -> Path:
    """Root's own folder for PostgreSQL: unlike many a checkout, a place another user can be let into."""
    return Path("/var/tmp") / f"foyer-{key(purpose)}"


def make_private(folder: Path) -> Path:
    """Make a folder that only its owner enters. Raises EmbeddedError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise EmbeddedError(f"The folder {folder} cannot be made: {error.strerror}.") from error
    return folder


def ports(purpose: str, service: str) -> Iterator[int]:
    """Ports of 127.0.0.1 that are free now, the same ones first at every start. Another may still take one first."""
    first = int(hashlib.sha256(f"{key(purpose)}\0{service}".encode()).hexdigest(), 16)
    for step in range(PORT_TRIES):
        port = FIRST_PORT + (first + step) % PORT_COUNT
        if is_free(port):
            yield port


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def no_port(what: str, fixed: int) -> EmbeddedError:
    """The sentence for a server that found its port taken, or each of those it may take."""
    which = (
        f"its port {fixed} is"
        if fixed
        else f"{PORT_TRIES} ports between {FIRST_PORT} and {FIRST_PORT + PORT_COUNT} are"
    )
    return EmbeddedError(f"{what} cannot start: {which} taken by other programs.")


class Lock:
    """Holds `folder` for one process until it ends, however it ends: the kernel lets go, no file goes stale."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self._file: int | None = None

    def take(self) -> bool:
        """Take the lock and say so, or return False when another living process holds it."""
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EmbeddedError(f"The file {self.path} cannot be opened: {error.strerror}.") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file
        return True

    def is_held(self) -> bool:
        """Whether a living process holds the lock now. Raises EmbeddedError when we may not look."""
        try:
            file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise EmbeddedError(f"The file {self.path} cannot be opened: {error.strerror}.") from error
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def holder(self) -> str:
        """The process that holds the lock, for a sentence to a person."""
        try:
            return self.path.read_text().strip() or "unknown"
        except OSError:
            return "unknown"

    def release(self) -> None:
        """Let the next one in. Safe to repeat."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def runs_already(purpose: str, lock: Lock) -> str:
    return f"The {purpose} of this checkout is running already (process {lock.holder()}); stop it first."


def discard(purpose: str) -> None:
    """Remove all that this purpose keeps, outside the checkout too. Raises EmbeddedError while it runs."""
    folder = CHECKOUT / "var" / purpose
    if not folder.is_dir():
        return
    lock = Lock(folder)
    if not lock.take():
        raise EmbeddedError(runs_already(purpose, lock))
    try:
        shutil.rmtree(outside(purpose), ignore_errors=True)
        shutil.rmtree(folder)
    except OSError as error:
        raise EmbeddedError(f"{folder} cannot be removed: {error.strerror}.") from error
    finally:
        lock.release()
