"""One PostgreSQL and one Redis for a purpose, wherever they come from.

For each of the two: the environment's address wins (`DATABASE_URL`, `REDIS_URL`), else a program of the machine is
started, else one out of the installed wheels. `FOYER_EMBEDDED=wheels` skips the machine's.
"""

import atexit
import os
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from embedded import keys, places
from embedded.errors import EmbeddedError
from embedded.postgres import OLDEST_MAJOR, Postgres
from embedded.redis_server import Redis

MOST_AT_ONCE = 9


@dataclass
class Services:
    """What `start` returns: two addresses, and the servers behind them where they are ours (None where not)."""

    purpose: str
    folder: Path
    secrets: dict[str, str]
    _lock: places.Lock
    postgres: Postgres | None = None
    redis: Redis | None = None
    _started_by: int = field(default_factory=os.getpid)

    @property
    def database_url(self) -> str:
        return self.postgres.url if self.postgres else os.environ["DATABASE_URL"]

    @property
    def redis_url(self) -> str:
        return self.redis.url if self.redis else os.environ["REDIS_URL"]

    def environment(self) -> dict[str, str]:
        """The addresses and secrets for whatever runs on these services; a secret the environment holds stays."""
        own = {name: self.secrets[name] for name in ("SECRET_KEY", "FOYER_KEYS", "SANDBOX_SECRET")}
        return {
            **{name: os.environ.get(name) or value for name, value in own.items()},
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "FOYER_VAR": str(self.folder),
        }

    def stop(self) -> None:
        """Stop what we started: Redis, then PostgreSQL. Safe to repeat; a forked copy of the process stops nothing."""
        if os.getpid() != self._started_by:
            return
        atexit.unregister(self.stop)
        try:
            if self.redis:
                self.redis.stop()
        finally:
            if self.postgres:
                self.postgres.stop()
            self._lock.release()

    def __enter__(self) -> "Services":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(purpose: str, *, several: bool = False) -> Services:
    """Start the services of this purpose, or find those the environment names, and wait until they answer.

    Each purpose of a checkout has its own data, ports and secrets, and one process at a time holds it. With `several` a
    second process gets a set of its own ("test-2"). Everything ends with the calling process, even by `kill -9`.
    Raises EmbeddedError, one sentence for the person at the terminal; then nothing is left running.
    """
    name, folder, lock = _hold(purpose, several=several)
    services = Services(name, folder, {}, lock)
    atexit.register(services.stop)
    try:
        force_wheel = _only_wheels()
        services.secrets = keys.secrets_of(folder)
        if os.environ.get("DATABASE_URL"):
            _check_database(os.environ["DATABASE_URL"])
        else:
            password = services.secrets["POSTGRES_PASSWORD"]
            services.postgres = Postgres(name, folder=folder, password=password, force_wheel=force_wheel)
            services.postgres.start()
        if os.environ.get("REDIS_URL"):
            _check_redis(os.environ["REDIS_URL"])
        else:
            password = services.secrets["REDIS_PASSWORD"]
            services.redis = Redis(name, folder=folder, password=password, force_wheel=force_wheel)
            services.redis.start()
    except OSError as error:
        services.stop()
        raise EmbeddedError(f"PostgreSQL and Redis cannot start: {error}.") from error
    except BaseException:
        services.stop()
        raise
    return services


def _hold(purpose: str, *, several: bool) -> tuple[str, Path, places.Lock]:
    for number in range(1, MOST_AT_ONCE + 1 if several else 2):
        name = purpose if number == 1 else f"{purpose}-{number}"
        folder = places.make_private(places.CHECKOUT / "var" / name)
        lock = places.Lock(folder)
        if lock.take():
            return name, folder, lock
    raise EmbeddedError(places.runs_already(purpose, lock))


def _only_wheels() -> bool:
    choice = os.environ.get("FOYER_EMBEDDED", "")
    if choice not in ("", "wheels"):
        raise EmbeddedError(f'FOYER_EMBEDDED may be "wheels" or empty, not "{choice}".')
    return choice == "wheels"


def _check_database(url: str) -> None:
    try:
        connection = psycopg2.connect(url, connect_timeout=5)
    except (psycopg2.OperationalError, psycopg2.ProgrammingError) as error:
        reason = (str(error).strip().splitlines() or ["no answer"])[0]
        raise EmbeddedError(f"DATABASE_URL is set, but PostgreSQL does not let us in there: {reason}") from error
    major = connection.server_version // 10000
    connection.close()
    if major < OLDEST_MAJOR:
        raise EmbeddedError(f"DATABASE_URL names a PostgreSQL {major}; Foyer needs {OLDEST_MAJOR} or newer.")


def _check_redis(url: str) -> None:
    try:
        with redis.Redis.from_url(url, socket_timeout=5, retry=Retry(NoBackoff(), 0)) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise EmbeddedError(f"REDIS_URL is set, but Redis does not answer there: {error}") from error
