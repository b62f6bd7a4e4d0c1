"""A copy of the checkout with the demo in it: everything `make demo` starts, on ports and data of its own."""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from embedded import demo, migrated, places, processes

# On a slow machine with other work to do; alone, a first start takes a tenth of this and a second one less.
READY_WITHIN_SECONDS = 300
MIGRATED = (sys.executable, "-m", "embedded.migrated")


def free_ports(count: int) -> list[int]:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return found


@dataclass
class House:
    """A copy of the checkout, and the demo in it."""

    root: Path
    environment: dict[str, str]
    process: subprocess.Popen[str] | None = None
    said: list[str] = field(default_factory=list)

    def start(self, **environment: str) -> None:
        """Start the demo and read along until it is ready."""
        self.said = []
        self.process = process = subprocess.Popen(
            [sys.executable, "-m", "embedded.demo"],
            cwd=self.root,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, args=(process,), daemon=True).start()
        assert processes.wait_until(
            lambda: "Ready after" in self.text or process.poll() is not None, READY_WITHIN_SECONDS, pause=0.1
        ), self.text
        assert "Ready after" in self.text, self.text

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        for line in process.stdout:
            self.said.append(line)

    @property
    def text(self) -> str:
        return "".join(self.said)

    def get(self, name: str, path: str) -> tuple[int, str]:
        address = f"http://localhost:{self.environment[name]}{path}"
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=20) as answer:
            return answer.status, answer.read().decode(errors="replace")

    def log(self, name: str) -> str:
        """The last words of one of the demo's processes, for whoever asks why nothing came."""
        return (self.root / "var/demo/logs" / f"{name}.log").read_text()[-4000:]

    def running(self) -> list[str]:
        """Every process that belongs to this copy."""
        outside = [str(self.root), self._outside]
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                where = os.readlink(process / "cwd")
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if line and any(where.startswith(place) or f"{place}/" in line for place in outside):
                found.append(line)
        return found

    def manage(self, *arguments: str) -> str:
        """What `manage.py` prints when it runs beside the demo."""
        done = self.run([sys.executable, "-m", "embedded", "manage", *arguments])
        return done.stdout + done.stderr

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """A command of the person who started the demo, from a second terminal."""
        return subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=120)

    @property
    def _outside(self) -> str:
        key = hashlib.sha256(f"{self.root}\0demo".encode()).hexdigest()[:10]
        return str(places.outside("demo").with_name(f"foyer-{key}"))

    def remove(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert processes.wait_until(lambda: not self.running(), 20), self.running()
        shutil.rmtree(self._outside, ignore_errors=True)


def copy_house(root: Path) -> House:
    """Copy what the demo is made of into `root` and choose free ports for it. Nothing is started yet; its database has
    the tables that this run's own migration led to, since migrating anew for each house takes half a minute."""
    root.mkdir()
    for name in (*demo.PREPARED_FROM, "Makefile", "requirements"):
        source, target = places.CHECKOUT / name, root / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            target.parent.mkdir(exist_ok=True)
            shutil.copy2(source, target)
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment |= dict(zip(demo.PORTS, map(str, free_ports(len(demo.PORTS))), strict=True))
    places_of_code = (root / "site", root, places.CHECKOUT)  # the last for our tests, which the demo does not have
    environment["PYTHONPATH"] = os.pathsep.join(map(str, places_of_code))
    house = House(root, environment)
    if migrated.written().exists():
        (root / "var").mkdir()
        shutil.copy2(migrated.written(), root / "var")
        filled = house.run([sys.executable, "-m", "embedded", "run", "--for", "demo", "--", *MIGRATED])
        assert filled.returncode == 0, filled.stdout + filled.stderr
    return house
