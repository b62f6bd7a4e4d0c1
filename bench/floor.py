"""The floor: what the bare PostgreSQL under us does with the smallest thing that could be called a sale.

One transaction takes one place from one hot row and writes one ticket, by pgbench, with the same settings (fsync on).
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2

SECONDS = 3
DATABASE = "floor"
SCHEMA = """
DROP TABLE IF EXISTS place, sold;
CREATE TABLE place (id int PRIMARY KEY, taken bigint NOT NULL);
CREATE TABLE sold (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
INSERT INTO place VALUES (1, 0);
"""
SALE = """BEGIN;
UPDATE place SET taken = taken + 1 WHERE id = 1;
INSERT INTO sold DEFAULT VALUES;
COMMIT;
"""


@dataclass(frozen=True)
class Floor:
    """Transactions per second over all connections, and how long one takes on average."""

    per_second: float
    ms: float


def measure(database_url: str, pgbench: Path, script: Path, *, connections: int) -> Floor:
    """Sell from one hot row for three seconds. Raises CalledProcessError with what pgbench said when it fails."""
    with psycopg2.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute(SCHEMA)
    connection.close()
    script.write_text(SALE)
    parts = urlsplit(database_url)
    done = subprocess.run(
        [
            *(pgbench, "--no-vacuum", "--file", script, "--time", str(SECONDS)),
            *("--client", str(connections), "--jobs", "1"),
            *("--host", str(parts.hostname), "--port", str(parts.port)),
            *("--username", str(parts.username), parts.path[1:]),
        ],
        env={"PGPASSWORD": parts.password or ""},
        capture_output=True,
        text=True,
        check=True,
    )
    found = dict(re.findall(r"(tps|latency average) = ([\d.]+)", done.stdout))
    return Floor(float(found["tps"]), float(found["latency average"]))
