"""A migrated, empty database to copy from: migrating takes half a minute, copying takes a fraction of a second.

A server of its own cannot copy from another server's database. For those the first one is written down as SQL, which
`python -m embedded.migrated` reads into the database that DATABASE_URL names; that takes a second or two.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import psycopg2.extensions

from embedded import places, postgres

# What the migrated database depends on: our migrations, and the packages that bring theirs.
MADE_FROM = ("apps/*/migrations/*.py", "requirements/dev.txt", "site/config/settings.py")
PREFIX = "migrated_"


def database(server_url: str, environment: Mapping[str, str]) -> str:
    """The name of a database on that server that all migrations have passed, made when there is none of this state yet;
    older ones are dropped. Nobody may stay connected to it. Raises CalledProcessError."""
    name = PREFIX + _state()
    with connected(url_of(server_url, "postgres")) as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [PREFIX])
        known = {row[0] for row in cursor.fetchall()}
        if name in known:
            return name
        for old in known:
            cursor.execute(f"DROP DATABASE IF EXISTS {old}")
        unfinished = f"un{name}"
        cursor.execute(f"DROP DATABASE IF EXISTS {unfinished}")
        cursor.execute(f"CREATE DATABASE {unfinished} TEMPLATE template0")
        url = url_of(server_url, unfinished)
        if written().exists():
            fill(url)
        else:
            subprocess.run(
                [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"],
                cwd=places.CHECKOUT,
                env={**environment, "DATABASE_URL": url},
                check=True,
            )
            _write(url)
        cursor.execute(f"ALTER DATABASE {unfinished} RENAME TO {name}")
    return name


def written() -> Path:
    """Where the migrated database of this state is written down, once one was made."""
    return places.CHECKOUT / "var" / f"{PREFIX}{_state()}.sql"


def fill(url: str) -> None:
    """Bring an empty database to where all migrations lead, from what is written. Raises CalledProcessError."""
    how = ("--quiet", "--no-psqlrc", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null")
    subprocess.run([postgres.find().folder / "psql", *how, f"--file={written()}", url], check=True)


def _write(url: str) -> None:
    """Write the database down for the next server. That of one newer than our `pg_dump` is made anew each time."""
    kept = written()
    kept.parent.mkdir(exist_ok=True)
    unfinished = kept.with_suffix(f".{os.getpid()}")
    dump = [str(postgres.find().folder / "pg_dump"), "--no-owner", "--no-privileges", f"--file={unfinished}", url]
    if subprocess.run(dump, stderr=subprocess.DEVNULL).returncode == 0:
        for old in kept.parent.glob(f"{PREFIX}*.sql"):
            old.unlink(missing_ok=True)
        unfinished.rename(kept)


def url_of(server_url: str, name: str) -> str:
    """The address of another database on the same server."""
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


@contextmanager
def connected(url: str) -> Iterator[psycopg2.extensions.cursor]:
    """A cursor outside of any transaction."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def _state() -> str:
    digest = hashlib.sha256()
    for pattern in MADE_FROM:
        for path in sorted(places.CHECKOUT.glob(pattern)):
            digest.update(f"{path.relative_to(places.CHECKOUT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


if __name__ == "__main__":
    fill(os.environ["DATABASE_URL"])
