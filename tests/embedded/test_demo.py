"""The sentences of a demo that cannot start or be joined; one that can is met in tests/journeys/test_journey.py."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded import EmbeddedError, beside, demo, places

from tests.demo_house import free_ports


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of a checkout as says these sentences: the demo of the one we stand in may be running."""
    shutil.copytree(places.CHECKOUT / "site" / "embedded", tmp_path / "site" / "embedded")
    return tmp_path


@pytest.fixture
def held(checkout: Path) -> Iterator[Path]:
    """The demo's folder, held as by a demo that runs."""
    lock = places.Lock(places.make_private(checkout / "var" / "demo"))
    assert lock.take()
    yield checkout / "var" / "demo"
    lock.release()


def run(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout / "site"), **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("name", list(demo.PORTS))
def test_a_busy_port_is_one_sentence_that_names_what_to_set(
    name: str, monkeypatch: pytest.MonkeyPatch, checkout: Path
) -> None:
    for each, port in zip(demo.PORTS, free_ports(len(demo.PORTS)), strict=True):
        monkeypatch.setenv(each, str(port))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = run(checkout, "-m", "embedded.demo", **{name: str(port)})

    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        rf"Port {port} for .+ is taken by another program; choose another: make demo {name}=\d+\n", done.stderr
    )


def test_a_second_demo_says_that_the_first_one_runs_and_not_that_its_ports_are_taken(
    checkout: Path, held: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = run(checkout, "-m", "embedded.demo", PORT=str(server.getsockname()[1]))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"The demo of this checkout is running already (process {os.getpid()}); stop it first.\n"


def test_a_command_without_a_demo_is_one_sentence(checkout: Path) -> None:
    done = run(checkout, "-m", "embedded", "manage", "doctor")

    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{beside.NOT_RUNNING}\n")


def test_a_command_waits_for_a_demo_that_is_not_ready(checkout: Path, held: Path) -> None:
    left_behind = {"process": "1", "python": sys.executable, "variables": {}}

    for note in (None, left_behind):
        if note:
            (held / "beside.json").write_text(json.dumps(note))
        done = run(checkout, "-m", "embedded", "manage", "doctor")
        assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{beside.STILL_STARTING}\n")


def test_a_command_gets_the_demos_environment_and_its_exit_code_is_ours(checkout: Path, held: Path) -> None:
    (checkout / "manage.py").write_text("import os, sys; print(sys.argv[1:], os.environ); sys.exit(7)")

    with beside.open_to_commands(held, {"ONLY": "this"}):
        mode = (held / "beside.json").stat().st_mode & 0o777
        done = run(checkout, "-m", "embedded", "manage", "sale", "--say", "two words", LEFT="outside")

    assert mode == 0o600
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout.startswith("['sale', '--say', 'two words'] environ({")
    assert "'ONLY': 'this'" in done.stdout
    assert "LEFT" not in done.stdout
    assert not (held / "beside.json").exists()


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL", "REDIS_URL"])
def test_a_missing_variable_is_one_sentence(name: str) -> None:
    needed = {"SECRET_KEY": "a key", "DATABASE_URL": "postgres://", "REDIS_URL": "redis://"}
    environment = {"PATH": os.environ["PATH"], **{each: value for each, value in needed.items() if each != name}}
    command = [sys.executable, str(places.CHECKOUT / "manage.py"), "doctor"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Set the {name} environment variable. Beside the running demo: make manage ARGS='...'\n"


@pytest.mark.parametrize(
    ("ports", "sentence"),
    [
        ({"PORT": "http"}, "PORT is 'http', which is not a port number."),
        ({"PORT": "70000"}, "PORT is '70000', which is not a port number."),
        ({"PORT": "20201", "MAIL_PORT": "20201"}, "Port 20201 is wanted twice; choose another for the mailbox:"),
    ],
)
def test_a_wrong_port_is_one_sentence(ports: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for each, port in zip(demo.PORTS, free_ports(len(demo.PORTS)), strict=True):
        monkeypatch.setenv(each, str(port))
    for name, value in ports.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(EmbeddedError) as refused:
        demo.choose_ports()

    assert str(refused.value).startswith(sentence)
