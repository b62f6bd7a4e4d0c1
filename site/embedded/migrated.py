"""A migrated, empty database to copy from: migrating takes many seconds, copying takes a fraction of one."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import psycopg2.extensions

from embedded import places

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
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"],
            cwd=places.CHECKOUT,
            env={**environment, "DATABASE_URL": url_of(server_url, unfinished)},
            check=True,
        )
        cursor.execute(f"ALTER DATABASE {unfinished} RENAME TO {name}")
    return name


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
