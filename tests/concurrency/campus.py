"""A campus and its site: two processes of it, with LiU standing at a provider of ours, and who signs in there."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from embedded import processes

from tests.concurrency.test_slow_phones import answers
from tests.demo_house import free_ports
from tests.processes import ROOT, environment

MINUTE = 60.0
LANDED = "/my/"


@contextmanager
def site(log: Path, provider: str) -> Iterator[str]:
    """The site on the test's database, in two processes, with LiU standing at `provider`; its address."""
    (port,) = free_ports(1)
    web = ["-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--no-ws"]
    web += ["--workers", "2", "--blocking-threads", "2048", "--workers-kill-timeout", "1", "config.wsgi:application"]
    address = f"http://127.0.0.1:{port}"
    variables = environment(
        FOYER_ENV="demo",
        SITE_URL=address,
        ALLOWED_HOSTS="127.0.0.1",
        LOG_LEVEL="ERROR",
        LIU_CLIENT_ID="campus",
        LIU_CLIENT_SECRET="of the test",
        LIU_URL=provider,
    )
    server = processes.spawn([sys.executable, *web], log=log, environment=variables, folder=ROOT)
    try:
        assert processes.wait_until(lambda: answers(port, 1), 60), processes.tail(log)
        yield address
    finally:
        processes.end(server, (signal.SIGTERM, 3))


class Browser(requests.Session):
    """One person's. They look at the sign-in page first, as everybody does."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.trust_env = False
        page = self.get(f"{address}/accounts/login/", timeout=MINUTE)
        self.token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]  # type: ignore[index]

    def submit(self, path: str, **values: str) -> requests.Response:
        sent = {"csrfmiddlewaretoken": self.token, **values}
        return self.post(f"{self.address}{path}", sent, allow_redirects=False, timeout=MINUTE)


def by_provider(address: str, number: int) -> str:
    """Where student number so and so lands, or the status of what refused them."""
    browser = Browser(address)
    begun = browser.submit("/accounts/liu/login/")
    if begun.status_code != 200:
        return str(begun.status_code)
    there = begun.headers["Refresh"].removeprefix("0; url=")
    back = browser.post(there, {"person": f"student-{number}"}, allow_redirects=False, timeout=MINUTE)
    answer = browser.get(back.headers["Location"], allow_redirects=False, timeout=MINUTE)
    return answer.headers.get("Location", str(answer.status_code))
