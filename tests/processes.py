"""Other processes on the test's own database: real workers and real buyers for races, outages and browsers."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from django.db import connection

ROOT = Path(__file__).resolve().parents[1]


def url_of_test_database() -> str:
    """The address of the database that this test runs on."""
    facts = connection.settings_dict
    host, port = facts["HOST"], facts["PORT"]
    return f"postgres://{quote(facts['USER'])}:{quote(facts['PASSWORD'])}@{host}:{port}/{facts['NAME']}"


def environment(**values: str) -> dict[str, str]:
    """What a process needs to work beside the test."""
    paths = os.pathsep.join([str(ROOT / "site"), str(ROOT)])
    return {**os.environ, "DATABASE_URL": url_of_test_database(), "PYTHONPATH": paths, "FOYER_TEST_DB": "", **values}


def spawn(*arguments: str, **values: str) -> subprocess.Popen[str]:
    """Start `python <arguments>` beside the test. The caller ends it: see `ended`."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(**values),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def outcome(process: subprocess.Popen[str], seconds: float = 60) -> str:
    """Wait for a process and return what it printed. Raises AssertionError with its output when it failed."""
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        raise AssertionError(f"{process.args!r} took more than {seconds} s:\n{output}") from None
    assert process.returncode == 0, f"{process.args!r} ended with {process.returncode}:\n{output}"
    return output


@contextmanager
def running(*arguments: str, **values: str):
    """A process for the length of a with-block, killed at its end if it still runs."""
    process = spawn(*arguments, **values)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
