"""PostgreSQL and Redis of our own: from the machine and from the wheels, closed to others, never left behind."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psycopg2
import pytest
import redis
from embedded import EmbeddedError, places, postgres, processes, redis_server, services
from embedded.postgres import other_user
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.embedded.conftest import copy_wheel, folders, gone, running


@pytest.fixture(params=["machine", "wheels"])
def origin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, open_folder: Path) -> str:
    """Both places the programs may come from. A machine that lacks one finds the wheel's on its PATH instead."""
    if request.param == "wheels":
        monkeypatch.setenv("FOYER_EMBEDDED", "wheels")
        return "wheels"
    on_path = open_folder / "bin"
    on_path.mkdir()
    if redis_server.find() == redis_server.find(force_wheel=True):
        (on_path / "redis-server").symlink_to(redis_server.find(force_wheel=True))
    if postgres.find().is_wheel:
        (on_path / "postgres").symlink_to(copy_wheel(open_folder) / "postgres")
    monkeypatch.setenv("PATH", f"{on_path}{os.pathsep}{os.environ['PATH']}")
    return "machine"


def one(url: str, question: str) -> object:
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchone()[0]


def do(url: str, *statements: str) -> None:
    with contextlib.closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def test_start_gives_a_durable_swedish_speaking_database_and_a_redis_that_the_next_start_finds_again(
    fresh_purpose: str, origin: str
) -> None:
    with services.start(fresh_purpose) as own:
        assert own.postgres and own.redis
        assert own.postgres.programs.is_wheel == (origin == "wheels")
        assert (own.redis.program == redis_server.find(force_wheel=True)) == (origin == "wheels")

        settings = {
            name: one(own.database_url, f"SHOW {name}")
            for name in (
                "fsync",
                "synchronous_commit",
                "server_encoding",
                "listen_addresses",
                "unix_socket_directories",
            )
        }
        assert settings == {
            "fsync": "on",
            "synchronous_commit": "on",
            "server_encoding": "UTF8",
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
        }
        assert int(str(one(own.database_url, "SHOW server_version_num"))) >= 150000
        assert one(own.database_url, "SELECT upper('överlämning åäé')") == "ÖVERLÄMNING ÅÄÉ"
        assert one(own.database_url, "SELECT to_tsvector('swedish', 'Biljetterna') @@ to_tsquery('swedish', 'biljett')")

        with redis.Redis.from_url(own.redis_url) as client:
            assert client.config_get("appendonly") == {"appendonly": "yes"}
            assert client.config_get("bind") == {"bind": "127.0.0.1"}
            client.set("kept", "hej")
        do(own.database_url, "CREATE TABLE kept (word text)", "INSERT INTO kept VALUES ('hej')")
        lies_where_its_user_may_be_and_nobody_else(own)
        first = own.database_url, own.redis_url
    assert running(fresh_purpose) == []

    with services.start(fresh_purpose) as own:
        assert (own.database_url, own.redis_url) == first
        assert one(own.database_url, "SELECT word FROM kept") == "hej"
        with redis.Redis.from_url(own.redis_url) as client:
            assert client.get("kept") == b"hej"


def lies_where_its_user_may_be_and_nobody_else(own: services.Services) -> None:
    assert own.postgres
    data = own.postgres.data.stat()
    if os.geteuid() == 0:
        assert own.postgres.home == places.outside(own.purpose)
        assert data.st_uid == other_user().uid
        home = own.postgres.home.stat()
        assert (home.st_uid, home.st_gid, home.st_mode & 0o777) == (0, other_user().gid, 0o710)
    else:
        assert own.postgres.home == folders(own.purpose)[0] / "postgres"
        assert data.st_uid == os.geteuid()
    assert data.st_mode & 0o077 == 0


def test_another_user_without_the_password_is_refused(purpose: str) -> None:
    with services.start(purpose) as own:
        assert own.postgres and own.redis
        for password in (None, "", "guess"):
            with pytest.raises(psycopg2.OperationalError, match="password"):
                psycopg2.connect(
                    host="127.0.0.1",
                    port=own.postgres.port,
                    user="foyer",
                    dbname="foyer",
                    password=password,
                    passfile="/",
                )
            stranger = redis.Redis(port=own.redis.port, password=password, retry=Retry(NoBackoff(), 0))
            with pytest.raises(redis.AuthenticationError), stranger:
                stranger.ping()


def test_secrets_stay_the_same_and_are_readable_by_their_owner_only(purpose: str) -> None:
    with services.start(purpose) as own:
        first = own.secrets
        path = own.folder / "secrets.json"
        assert path.stat().st_mode & 0o777 == 0o600
        assert own.folder.stat().st_mode & 0o777 == 0o700
        lines = running(purpose)
        assert lines
        assert not [line for line in lines for secret in first.values() if secret in line]

    with services.start(purpose) as own:
        assert own.secrets == first


def test_removed_secrets_mean_a_fresh_start(purpose: str) -> None:
    with services.start(purpose) as own:
        do(own.database_url, "DROP TABLE IF EXISTS kept", "CREATE TABLE kept (word text)")
        secrets = own.folder / "secrets.json"
    secrets.unlink()

    with services.start(purpose) as own:
        assert one(own.database_url, "SELECT to_regclass('kept')") is None


def test_urls_of_the_environment_win(purpose: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with services.start(purpose) as given:
        monkeypatch.setenv("DATABASE_URL", given.database_url)
        monkeypatch.setenv("REDIS_URL", given.redis_url)
        another = f"try-{uuid.uuid4().hex[:10]}"
        with services.start(another) as own:
            assert (own.postgres, own.redis) == (None, None)
            assert (own.database_url, own.redis_url) == (given.database_url, given.redis_url)
            assert running(another) == []
        places.discard(another)


@pytest.mark.parametrize(
    ("name", "url", "sentence"),
    [
        ("DATABASE_URL", "postgres://foyer:hemlig@127.0.0.1:1/foyer", "DATABASE_URL is set, but PostgreSQL"),
        ("REDIS_URL", "redis://:hemlig@127.0.0.1:1/0", "REDIS_URL is set, but Redis"),
        ("REDIS_URL", "gopher://127.0.0.1", "REDIS_URL is set, but Redis"),
        ("FOYER_EMBEDDED", "wheel", "FOYER_EMBEDDED may be"),
    ],
)
def test_a_wrong_environment_is_one_sentence_without_the_password(
    purpose: str, monkeypatch: pytest.MonkeyPatch, name: str, url: str, sentence: str
) -> None:
    monkeypatch.setenv(name, url)

    with pytest.raises(EmbeddedError) as refused:
        services.start(purpose)

    assert str(refused.value).startswith(sentence)
    assert "hemlig" not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert running(purpose) == []


def test_one_purpose_is_held_by_one_process_unless_several_are_wanted(purpose: str) -> None:
    with services.start(purpose) as first:
        with pytest.raises(EmbeddedError, match=f"is running already .process {os.getpid()}."):
            services.start(purpose)
        with services.start(purpose, several=True) as second:
            assert second.purpose == f"{purpose}-2"
            assert second.database_url != first.database_url
            assert one(first.database_url, "SELECT 1") == one(second.database_url, "SELECT 1") == 1
    places.discard(f"{purpose}-2")


def test_a_busy_port_is_passed_over(purpose: str) -> None:
    wanted = [next(places.ports(purpose, service)) for service in ("postgres", "redis")]
    taken = [socket.create_server(("127.0.0.1", port)) for port in wanted]
    try:
        with services.start(purpose) as own:
            assert own.postgres and own.redis
            assert {own.postgres.port, own.redis.port}.isdisjoint(wanted)
    finally:
        for server in taken:
            server.close()


def test_a_port_taken_in_the_last_moment_is_passed_over(purpose: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [next(places.ports(purpose, service)) for service in ("postgres", "redis")]
    taken = [socket.create_server(("127.0.0.1", port)) for port in wanted]
    monkeypatch.setattr(places, "is_free", lambda port, host="127.0.0.1": True)
    try:
        with services.start(purpose) as own:
            assert own.postgres and own.redis
            assert {own.postgres.port, own.redis.port}.isdisjoint(wanted)
    finally:
        for server in taken:
            server.close()


def test_a_server_whose_port_was_taken_meanwhile_says_so_and_keeps_it(purpose: str) -> None:
    with services.start(purpose) as own:
        assert own.postgres and own.redis
        url = own.database_url
        for server in (own.postgres, own.redis):
            server.stop()
            with (
                socket.create_server(("127.0.0.1", server.port)),
                pytest.raises(EmbeddedError, match="cannot start: its port"),
            ):
                server.start()
            server.start()
        assert own.database_url == url
        assert one(url, "SELECT 1") == 1


def test_a_killed_server_comes_back_with_what_was_committed(purpose: str) -> None:
    with services.start(purpose) as own:
        assert own.postgres and own.redis
        url = own.database_url
        do(url, "DROP TABLE IF EXISTS kept", "CREATE TABLE kept (word text)", "INSERT INTO kept VALUES ('hej')")

        own.postgres.kill()
        own.redis.kill()
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(url)
        own.postgres.start()
        own.redis.start()

        assert own.database_url == url
        assert one(url, "SELECT word FROM kept") == "hej"


def test_servers_started_by_a_thread_outlive_it(purpose: str) -> None:
    with services.start(purpose) as own:
        assert own.postgres
        thread = threading.Thread(target=own.postgres.restart)
        thread.start()
        thread.join()
        time.sleep(0.5)

        assert one(own.database_url, "SELECT 1") == 1


def test_a_pid_file_that_names_a_stranger_is_removed_and_the_stranger_left_alone(purpose: str) -> None:
    with services.start(purpose) as own:
        assert own.postgres
        pid_file = own.postgres.data / "postmaster.pid"
    user = other_user().as_arguments() if os.geteuid() == 0 else {}
    stranger = subprocess.Popen(["sleep", "60"], cwd="/", **user)
    try:
        pid_file.write_text(f"{stranger.pid}\n{pid_file.parent}\n1\n5432\n\n127.0.0.1\n\nready\n")
        with services.start(purpose) as own:
            assert one(own.database_url, "SELECT 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_servers_left_running_are_stopped_and_their_rows_kept(purpose: str) -> None:
    with services.start(purpose) as own:
        assert own.postgres and own.redis
        do(
            own.database_url,
            "DROP TABLE IF EXISTS kept",
            "CREATE TABLE kept (word text)",
            "INSERT INTO kept VALUES ('hej')",
        )
        programs, data, user, port = own.postgres.programs, own.postgres.data, own.postgres.user, own.postgres.port
        redis_program, redis_home, redis_port = own.redis.program, own.redis.home, own.redis.port
    # Started by nobody in particular, as if a launcher had gone and left them.
    left = [
        subprocess.Popen(
            [programs.folder / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", ""],
            cwd="/",
            stderr=subprocess.DEVNULL,
            **(user.as_arguments() if user else {}),
        ),
        subprocess.Popen(
            [redis_program, "--port", str(redis_port), "--dir", redis_home, "--pidfile", redis_home / "redis.pid"],
            cwd=redis_home,
            stdout=subprocess.DEVNULL,
        ),
    ]
    try:
        assert processes.wait_until(lambda: not places.is_free(port) and not places.is_free(redis_port), 20)
        assert processes.wait_until(lambda: (redis_home / "redis.pid").exists(), 20)

        with services.start(purpose) as own:
            assert one(own.database_url, "SELECT word FROM kept") == "hej"
            assert [process.wait(10) for process in left] == [0, 0]
    finally:
        for process in left:
            process.kill()
            process.wait()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_nothing_outlives_a_launcher_that_is_ended(
    purpose: str, launch: Callable[..., subprocess.Popen[str]], number: signal.Signals
) -> None:
    launcher = launch("-m", "embedded", "run", "--for", purpose, "--", sys.executable, "-c", HANG, folders(purpose)[0])
    assert launcher.stdout and launcher.stdout.readline() == "ready\n"
    assert len(running(purpose)) >= 4  # PostgreSQL and its own children, Redis, the command

    os.kill(launcher.pid, number)
    if number == signal.SIGINT:  # a terminal sends it to both
        os.kill(int(next(line for line in children_of(launcher.pid))), number)

    assert gone(purpose)
    launcher.wait(15)


HANG = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
print("ready", flush=True)
time.sleep(600)
# """


def children_of(pid: int) -> list[str]:
    """The processes a launcher started in its own session: the command, not the servers."""
    own = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[3]
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            if Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[3] == own:
                found.append(child)
    return found


@pytest.mark.parametrize(
    ("command", "code"),
    [(["true"], 0), (["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], 137), (["no-such-program"], 1)],
    ids=["success", "exit code", "signal", "missing"],
)
def test_run_returns_the_exit_code_of_its_command(
    purpose: str, launch: Callable[..., subprocess.Popen[str]], command: list[str], code: int
) -> None:
    launcher = launch("-m", "embedded", "run", "--for", purpose, "--", *command)
    _, said = launcher.communicate(timeout=60)

    assert launcher.returncode == code
    assert said == ("no-such-program cannot be run: No such file or directory.\n" if code == 1 else "")


def test_run_hands_its_services_to_the_command(purpose: str, launch: Callable[..., subprocess.Popen[str]]) -> None:
    look = (
        "import os, psycopg2, redis\n"
        "psycopg2.connect(os.environ['DATABASE_URL']).close()\n"
        "redis.Redis.from_url(os.environ['REDIS_URL']).ping()\n"
        "print(len(os.environ['SECRET_KEY']), os.environ['FOYER_KEYS'][:3], os.environ['FOYER_VAR'])"
    )
    launcher = launch("-m", "embedded", "run", "--for", purpose, "--", sys.executable, "-c", look)
    said, _ = launcher.communicate(timeout=60)

    assert said == f"64 k1: {folders(purpose)[0]}\n"


def test_programs_below_a_closed_folder_still_run(
    fresh_purpose: str, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = open_folder / "closed"
    programs = postgres.Programs(copy_wheel(closed), 18, True)
    closed.chmod(0o700)
    monkeypatch.setattr(postgres, "find", lambda *, force_wheel=False: programs)

    with services.start(fresh_purpose) as own:
        assert own.postgres
        assert int(str(one(own.database_url, "SHOW server_version_num"))) >= 180000
        is_copy = own.postgres.programs.folder.is_relative_to(own.postgres.home)
        assert is_copy == (os.geteuid() == 0)
        modified = [path.stat().st_mode & 0o777 for path in (closed, open_folder)]
        assert modified == [0o700, 0o755]

    with services.start(fresh_purpose) as own:  # the copy is used again
        assert one(own.database_url, "SELECT 1") == 1


def test_a_folder_somebody_else_put_in_our_place_is_refused(
    fresh_purpose: str, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (open_folder / "trap").symlink_to("/etc")
    monkeypatch.setattr(postgres.Postgres, "_place", lambda self, folder: open_folder / "trap")

    with pytest.raises(EmbeddedError, match="belongs to somebody else"):
        services.start(fresh_purpose)


def test_missing_programs_are_named(purpose: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_on_this_machine", list)
    monkeypatch.setattr(postgres, "_in_the_wheel", list)

    with pytest.raises(EmbeddedError, match="install the package postgresql .15 or newer. or set DATABASE_URL"):
        services.start(purpose)


def test_site_is_no_package() -> None:
    assert not (places.CHECKOUT / "site" / "__init__.py").exists()
    import site

    assert not Path(str(site.__file__)).is_relative_to(places.CHECKOUT / "site")
