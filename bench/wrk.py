"""One address under load by wrk, which costs a fraction of what it measures: from Debian's packages, for the bench."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """Answers a second, milliseconds of the median and the slowest hundredth, and answers that were no success."""

    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int


def program() -> str:
    """Where wrk is; as root it is fetched when it is missing. Raises AssertionError with a sentence."""
    found = shutil.which("wrk")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "wrk"]):
            subprocess.run(command, capture_output=True, check=False)
        found = shutil.which("wrk")
    assert found is not None, "this row needs wrk, and it is not there: install it with `apt-get install wrk`"
    return found


def measure(address: str, *, connections: int, seconds: int, headers: tuple[str, ...] = ()) -> Load:
    """Ask for one address without a pause. Raises CalledProcessError."""
    said = subprocess.run(
        [
            *(program(), "--latency", "--threads", "1", "--connections", str(connections)),
            *("--duration", f"{seconds}s", "--timeout", "10s"),
            *(part for header in headers for part in ("--header", header)),
            address,
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert rate is not None, said
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    lost = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    errors = (int(wrong[1]) if wrong else 0) + (sum(map(int, lost.groups())) if lost else 0)
    return Load(float(rate[1]), _ms(said, "50"), _ms(said, "99"), errors)


def _ms(said: str, percent: str) -> float:
    found = re.search(rf"\s{percent}%\s+([\d.]+)(us|ms|s)\b", said)
    assert found is not None, said
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]
