"""The house a row measures: an embedded PostgreSQL and Redis, and Foyer's own processes as the demo starts them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import embedded
import psutil
from embedded import demo, migrated, places
from embedded.postgres import DATABASE
from embedded.supervisor import Child, Supervisor

from bench import floor

READY_SECONDS = 60
# The demo's one niced worker does mails and documents; here they are two, so that a row can start the second later.
PROCESSES = ("mailbox", "site", "live", "worker-purchases", "worker-default", "worker-documents", "cron")
DONE_SECONDS = 600


class House:
    """What a row gets. `environment` is for processes; this process itself has Django set up on the same database."""

    def __init__(self, services: embedded.Services) -> None:
        self.services = services
        self.ports = dict(zip(demo.PORTS, free_ports(len(demo.PORTS)), strict=True))
        self.environment = demo.environment(services, self.ports)
        self._supervisor: Supervisor | None = None

    @property
    def site_url(self) -> str:
        return self.environment["SITE_URL"]

    @property
    def live_url(self) -> str:
        return self.environment["LIVE_URL"]

    def prepare(self) -> None:
        """Make the database that every row starts from a copy of."""
        self._template = migrated.database(self.services.database_url, self.environment)

    def empty(self) -> None:
        """Throw away what the last row left: database, Redis, files."""
        from django.db import connections

        from apps.ticketing import credentials, kept_rows, sale_control

        connections.close_all()
        for forget in (credentials.forget_keys, kept_rows.forget, sale_control.forget):
            forget()
        with migrated.connected(migrated.url_of(self.services.database_url, "postgres")) as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {self._template}")
        if self.services.redis:
            self.services.redis.empty()

    def manage(self, *arguments: str, **environment: str) -> str:
        """Run `manage.py` and return what it printed. Raises CalledProcessError."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=places.CHECKOUT,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout

    @contextmanager
    def running(self, *names: str) -> Iterator[None]:
        """Foyer's processes of these names (see PROCESSES), ready to be used; stopped at the end of the block."""
        unknown = set(names) - set(PROCESSES)
        if unknown:
            raise ValueError(f"no such process: {', '.join(sorted(unknown))}")
        supervisor = Supervisor(
            logs=self.services.folder / "logs", environment=self.environment, folder=places.CHECKOUT, tell=print
        )
        self._supervisor = supervisor
        try:
            for name in names:
                self.start(name)
            if "site" in names:
                _wait_for(f"{self.site_url}/livez")
            if "live" in names:
                _wait_for(f"{self.live_url}/livez")
            yield
        finally:
            supervisor.stop(seconds=3)
            self._supervisor = None

    def start(self, name: str) -> None:
        """Start one more process, inside `running`, and wait for a worker's first sign of life."""
        assert self._supervisor is not None
        beats = name.startswith(("worker", "cron"))
        before = self._beats() if beats else 0
        self._supervisor.start(next(child for child in self._children() if child.name == name))
        if beats:
            deadline = time.monotonic() + READY_SECONDS
            while self._beats() <= before:
                assert time.monotonic() < deadline, (
                    f"{name} shows no sign of life; its log is in {self.services.folder}"
                )
                time.sleep(0.1)

    def _beats(self) -> int:
        from apps.ticketing.models import Heartbeat

        return Heartbeat.objects.exclude(role="periodic").count()

    def _children(self) -> Iterator[Child]:
        for child in demo.children(self.services, self.ports):
            if child.name != "worker-default":
                yield child
                continue
            *command, default, documents = child.command
            yield replace(child, command=[*command, default])
            yield replace(child, name="worker-documents", command=[*command, documents])

    def wait_until_done(self) -> None:
        """Wait until the outbox has nothing left that is due. Raises AssertionError after ten minutes."""
        from apps.ticketing import clock
        from apps.ticketing.models import Effect

        busy = Effect.objects.filter(state__in=["due", "leased", "unknown"], due_at__lte=clock.Now())
        deadline = time.monotonic() + DONE_SECONDS
        while left := busy.count():
            assert time.monotonic() < deadline, f"{left} effects are still to be carried out"
            time.sleep(0.5)

    def wait_until_decided(self) -> None:
        """Wait until no order is queued. Raises AssertionError after ten minutes."""
        from apps.ticketing.models import Order

        deadline = time.monotonic() + DONE_SECONDS
        while left := Order.objects.filter(state="queued", rank__isnull=False).count():
            assert time.monotonic() < deadline, f"{left} orders are still queued"
            time.sleep(0.2)

    def cpu_by_process(self) -> dict[str, float]:
        """User and system CPU in seconds that each running process has used, its children's included."""
        assert self._supervisor is not None
        used = {child.name: _cpu_of_tree(child.process.pid) for child in self._supervisor.children if child.process}
        for name, server in (("postgres", self.services.postgres), ("redis", self.services.redis)):
            used[name] = _cpu_of_tree(server.process.pid) if server and server.process else 0.0
        return used

    def memory_of(self, name: str) -> int:
        """Bytes in memory (RSS) of a running process and its children."""
        assert self._supervisor is not None
        child = next(child for child in self._supervisor.children if child.name == name)
        assert child.process is not None
        process = psutil.Process(child.process.pid)
        return sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))

    def cpu_seconds(self, *names: str) -> float:
        """User and system CPU that the running processes of these names have used, their children's included; of all
        of them, PostgreSQL and Redis too, when none is named."""
        return sum(seconds for name, seconds in self.cpu_by_process().items() if not names or name in names)

    def floor(self, *, connections: int) -> floor.Floor:
        """What the bare database does, now, while nothing else of ours runs."""
        with migrated.connected(migrated.url_of(self.services.database_url, "postgres")) as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [floor.DATABASE])
            if not cursor.fetchone():
                cursor.execute(f"CREATE DATABASE {floor.DATABASE}")
        assert self.services.postgres is not None, "the floor needs a PostgreSQL of our own"
        pgbench = self.services.postgres.programs.folder / "pgbench"
        script = self.services.folder / "floor.sql"
        return floor.measure(
            migrated.url_of(self.services.database_url, floor.DATABASE), pgbench, script, connections=connections
        )


def free_ports(count: int) -> Sequence[int]:
    """Ports nobody listens on now."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def set_up_django(environment: dict[str, str]) -> None:
    """Make this process one of the house: rows make their data with the models."""
    os.environ.update(environment, LOG_LEVEL="WARNING")
    for folder in (places.CHECKOUT, places.CHECKOUT / "site"):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    import django

    django.setup()


def _cpu_of_tree(pid: int) -> float:
    try:
        process = psutil.Process(pid)
        times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    except psutil.NoSuchProcess:
        return 0.0
    ended = process.cpu_times()
    return sum(one.user + one.system for one in times) + ended.children_user + ended.children_system


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            with opener.open(address, timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def folder_of(services: embedded.Services) -> Path:
    """Where a row may leave files that nobody keeps."""
    folder = services.folder / "bench"
    folder.mkdir(exist_ok=True)
    return folder
