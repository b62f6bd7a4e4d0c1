"""A real server whose Redis is gone: every page and every POST still answers within a second."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from apps.ticketing import queue
from tests import factories, processes

GONE = [
    pytest.param("redis://127.0.0.1:1/0", id="connection-refused"),
    pytest.param("redis://10.255.255.1:6379/0", id="packets-swallowed"),
]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def site(redis_url: str) -> Iterator[str]:
    """The site on granian, one process, on the test's database."""
    port = free_port()
    arguments = ["-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--no-ws",
                 "--blocking-threads", "2", "--workers-kill-timeout", "3", "config.wsgi:application"]  # fmt: skip
    environment = processes.environment(REDIS_URL=redis_url, SITE_URL=f"http://localhost:{port}")
    server = subprocess.Popen(
        [sys.executable, *arguments], cwd=processes.ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(1200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://localhost:{port}"
    finally:
        server.terminate()  # granian ends its worker, too
        server.wait(timeout=20)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        return None


class Browser:
    """Cookies, a form's token, and how long each answer took."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.took: dict[str, float] = {}
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(), NoRedirect(), urllib.request.ProxyHandler({})
        )

    def ask(self, name: str, path: str, data: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Status, body and Location."""
        body = urllib.parse.urlencode(data).encode() if data is not None else None
        begun = time.monotonic()
        try:
            with self.opener.open(urllib.request.Request(self.base + path, data=body), timeout=30) as answer:
                found = answer.status, answer.read().decode(), answer.headers.get("Location", "")
        except urllib.error.HTTPError as refusal:
            found = refusal.code, refusal.read().decode(), refusal.headers.get("Location", "")
        self.took[name] = time.monotonic() - begun
        return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("url", GONE)
def test_every_page_and_post_answers_within_a_second(url: str) -> None:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 5), price_minor=0)
    form = f"/en/events/{event.public_id}/tickets/"

    with site(url) as base:
        browser = Browser(base)
        browser.ask("warming up", form)  # reads code and templates, as at the start of any process
        statuses = {}
        for round_trip in ("first", "second"):
            time.sleep(2.5)  # the breakers close again
            statuses[f"{round_trip} form"], page, _ = browser.ask(f"{round_trip} form", form)
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
            assert token is not None
            data = {
                "csrfmiddlewaretoken": token[1],
                "idempotency_key": uuid.uuid4().hex,
                "email": f"{round_trip}@example.org",
                f"type-{kind.public_id}": "1",
            }
            statuses[f"{round_trip} post"], _, order = browser.ask(f"{round_trip} post", form, data)
            statuses[f"{round_trip} order"], _, _ = browser.ask(f"{round_trip} order", order)
            statuses[f"{round_trip} status"], _, _ = browser.ask(f"{round_trip} status", order + "status/")
            queue.drain(event.pk)
            statuses[f"{round_trip} reserved"], _, _ = browser.ask(f"{round_trip} reserved", order)
            paying = {"name": "Robin", "terms": "on"}
            statuses[f"{round_trip} pay"], _, _ = browser.ask(f"{round_trip} pay", order + "pay/", paying)
            statuses[f"{round_trip} paid"], page, _ = browser.ask(f"{round_trip} paid", order)
            ticket = re.search(r'href="(/en/tickets/[^"]+)"', page)
            assert ticket is not None
            statuses[f"{round_trip} ticket"], _, _ = browser.ask(f"{round_trip} ticket", ticket[1])
            statuses[f"{round_trip} sign-in"], _, _ = browser.ask(f"{round_trip} sign-in", "/accounts/login/")
            statuses[f"{round_trip} nothing here"], _, _ = browser.ask(f"{round_trip} nothing here", "/en/nowhere/")

    expected = {"post": 303, "pay": 303, "nothing here": 404}
    assert {
        name: status for name, status in statuses.items() if status != expected.get(name.split(" ", 1)[1], 200)
    } == {}
    del browser.took["warming up"]
    assert {name: round(seconds, 2) for name, seconds in browser.took.items() if seconds > 1} == {}
