"""The whole house in processes of its own, on servers of its own, behind cables: everything in it may be broken.

What dies is started again at once, as whoever runs the house would do it (`make demo`, systemd, Kubernetes).
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import embedded
import environ
import redis
from django.db import connections
from django.db.utils import load_backend
from embedded import demo, migrated, places, processes
from embedded.postgres import DATABASE
from embedded.supervisor import Supervisor

from apps.ticketing.models import Heartbeat
from tests.clock import move_clock
from tests.demo_house import free_ports
from tests.faults.proxy import Cable

READY_SECONDS = 120
MOST_PASSED = timedelta(minutes=4, seconds=50)
# Two of those that share work, so that whatever they could do twice has its chance.
NAMES = ("mailbox", "site", "live", "worker-purchases", "worker-purchases-2", "worker-default", "cron", "cron-2")


class House:
    """Site, live, workers, cron, mailbox, PostgreSQL and Redis. `crash_folder` arms crashpoints: see `arm`."""

    def __init__(self, services: embedded.Services, folder: Path) -> None:
        assert services.postgres is not None and services.redis is not None
        self.services, self.postgres, self.redis = services, services.postgres, services.redis
        self.crash_folder = folder / "crash"
        self.crash_folder.mkdir()
        self.cables = {"postgres": Cable(self.postgres.port), "redis": Cable(self.redis.port)}
        ports = dict(zip(demo.PORTS, free_ports(len(demo.PORTS)), strict=True))
        self.port = ports["PORT"]
        self.environment = {
            **demo.environment(services, ports),
            "SITE_URL": f"http://localhost:{self.port}",
            "LIVE_URL": f"http://localhost:{ports['LIVE_PORT']}",
            "EMAIL_URL": f"smtp://127.0.0.1:{ports['SMTP_PORT']}",
            "DATABASE_URL": _moved(services.database_url, self.cables["postgres"].port),
            "REDIS_URL": _moved(services.redis_url, self.cables["redis"].port),
            "FOYER_CRASH_FOLDER": str(self.crash_folder),
            "FOYER_TEST_DB": "",
            "LOG_LEVEL": "WARNING",
        }
        self.supervisor = Supervisor(
            logs=services.folder / "logs",
            environment=self.environment,
            folder=places.CHECKOUT,
            tell=lambda sentence: None,
        )
        self.mail = folder / "mail"
        self.died: Counter[str] = Counter()  # by itself: not killed by a test
        self._killed: set[int] = set()
        self._passed = self._may_pass = timedelta()
        self._all = {child.name: child for child in demo.children(services, ports)}
        for name in ("worker-purchases", "cron"):
            self._all[f"{name}-2"] = replace(self._all[name], name=f"{name}-2", deaths=[])
        mailbox = self._all["mailbox"]
        mailbox.command = [
            str(self.mail) if str(part) == str(services.folder / "mail") else part for part in mailbox.command
        ]
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def start(self) -> None:
        """Make a new database, start everybody, and wait for the site."""
        template = migrated.database(self.services.database_url, self.environment)
        with migrated.connected(migrated.url_of(self.services.database_url, "postgres")) as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {template}")
        self.redis.empty()
        for name in NAMES:
            self.supervisor.start(self._all[name])
        self._keeper.start()
        assert processes.wait_until(self.is_ready, READY_SECONDS, pause=0.1), self.log("site")

    def stop(self) -> None:
        self._over.set()
        if self._keeper.is_alive():
            self._keeper.join()
        for child in self._all.values():
            if child.process is not None:
                with suppress(ProcessLookupError):
                    os.killpg(child.process.pid, signal.SIGKILL)
                processes.end(child.process)
        for cable in self.cables.values():
            cable.stop()

    def _keep(self) -> None:
        """Start again whoever died."""
        while not self._over.wait(0.05):
            with self._lock:
                for child in self._all.values():
                    if child.process is not None and processes.has_ended(child.process):
                        if child.process.pid not in self._killed:
                            self.died[child.name] += 1
                        processes.end(child.process)
                        self.supervisor.start(child)

    def is_ready(self) -> bool:
        """Whether the site answers and has its database."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with suppress(OSError), opener.open(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
            return answer.status == 200
        return False

    def is_whole(self) -> bool:
        """Whether everybody who was started again is at work: workers and cron have given a sign of life. Inside
        `database`."""
        names = Heartbeat.objects.exclude(role="periodic").values_list("name", flat=True)
        beating = {int(name.rpartition(":")[2]) for name in names}
        working = [child.process for name, child in self._all.items() if name.startswith(("worker", "cron"))]
        return self.is_ready() and all(process is not None and process.pid in beating for process in working)

    def log(self, name: str) -> str:
        """The last words of one of the processes."""
        return (self.supervisor.logs / f"{name}.log").read_text(errors="replace")[-6000:]

    # --- What may happen ----------------------------------------------------------------------------------------

    def kill(self, name: str) -> None:
        """SIGKILL for a process and its children, as by a power cut or the kernel that needs memory."""
        with self._lock:
            process = self._all[name].process
            if process is not None and not processes.has_ended(process):
                self._killed.add(process.pid)
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def break_redis(self, how: str, chance: random.Random) -> None:
        """`kill` (up to a second of writes is lost), `restart`, `flush`, or `hang up` on every client."""
        if how in ("kill", "restart"):
            self.redis.kill() if how == "kill" else self.redis.stop()
            time.sleep(chance.uniform(0, 1))
            self.redis.start()
            return
        with redis.Redis.from_url(self.services.redis_url) as client:
            client.flushall() if how == "flush" else client.execute_command("CLIENT", "KILL", "TYPE", "normal")

    def break_postgres(self, how: str, chance: random.Random) -> None:
        """`kill` or `restart`, and away for up to a second."""
        self.postgres.kill() if how == "kill" else self.postgres.stop()
        time.sleep(chance.uniform(0, 1))
        self.postgres.start()

    def arm(self, point: str) -> None:
        """The next process that reaches this crashpoint dies there."""
        (self.crash_folder / point).touch()

    def disarm(self) -> set[str]:
        """The crashpoints nobody reached since they were armed."""
        left = {file.name for file in self.crash_folder.iterdir()}
        for name in left:
            (self.crash_folder / name).unlink(missing_ok=True)
        return left

    def let_time_pass(self, passed: timedelta) -> None:
        """Move everybody's clock on, by the database; in one rush less than any offer lasts. Never back: whoever notes
        when something was done last would wait until then."""
        if self._passed + passed <= self._may_pass:
            self._passed += passed
            move_clock(self._passed)

    def begin_rush(self) -> None:
        """Let the clock be moved on once more."""
        self._may_pass = self._passed + MOST_PASSED

    @contextmanager
    def database(self) -> Iterator[None]:
        """For the length of a with-block Django's models read and write the house's own database, past the cables."""
        named = environ.Env.db_url_config(self.services.database_url)
        own = connections["default"]
        backend = load_backend("django.db.backends.postgresql")
        facts = {**connections.settings["default"], **named, "CONN_MAX_AGE": 0}
        connections["default"] = backend.DatabaseWrapper(facts, "default")
        try:
            yield
        finally:
            connections["default"].close()
            connections["default"] = own


def _moved(url: str, port: int) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}"))


def child_names() -> tuple[str, ...]:
    """Those a test may kill: everybody but the mailbox, which stands for the world outside."""
    return tuple(name for name in NAMES if name != "mailbox")
