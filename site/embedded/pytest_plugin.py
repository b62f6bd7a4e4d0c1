"""Gives a pytest run its PostgreSQL and Redis before Django's settings are read, unless the environment names them.

Named in pyproject.toml (`-p embedded.pytest_plugin`). Under pytest-xdist the controller starts the servers, its workers
inherit their addresses; each worker then has a database (pytest-django) and a numbered Redis database of its own. All
databases are copies of one that is migrated once and kept for the next run.
"""

import gc
import os
import re
from collections.abc import Generator

import pytest

import embedded
from embedded import migrated

MADE_UP = {
    "FOYER_ENV": "test",
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "SITE_URL": "http://localhost:8000",
    "LIVE_URL": "http://localhost:8001",
    "EMAIL_URL": "smtp://127.0.0.1:1025",
    "FOYER_MAILBOX_URL": "http://localhost:8025",
    "ALLOWED_HOSTS": "localhost,127.0.0.1",
}
gc.set_threshold(50_000, 20, 20)  # before Django is loaded, as in manage.py
HELD = pytest.StashKey[embedded.Services]()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """Runs around the hook of pytest-django that reads the settings. Raises UsageError with one sentence."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        os.environ["REDIS_URL"] = _redis_of_worker(os.environ["REDIS_URL"], worker)
    else:
        try:
            services = embedded.start("test", several=True)
        except embedded.EmbeddedError as error:
            raise pytest.UsageError(str(error)) from error
        early_config.stash[HELD] = services
        early_config.add_cleanup(services.stop)
        if services.redis:
            services.redis.empty()
        os.environ.update(services.environment())
        for name, value in MADE_UP.items():
            os.environ.setdefault(name, value)
        os.environ["FOYER_TEST_TEMPLATE"] = migrated.database(services.database_url, dict(os.environ))
    return (yield)


@pytest.fixture(scope="session")
def services(pytestconfig: pytest.Config) -> embedded.Services:
    """The servers under this run. A test that stops one starts its own: `with embedded.start("faults") as own:`."""
    return pytestconfig.stash[HELD]


def _redis_of_worker(url: str, worker: str) -> str:
    """The same Redis, database 1 for worker gw0 and so on; Redis has sixteen."""
    number = 1 + int(worker.removeprefix("gw")) % 15
    return re.sub(r"/\d+$", f"/{number}", url) if re.search(r":\d+/\d+$", url) else f"{url.rstrip('/')}/{number}"
