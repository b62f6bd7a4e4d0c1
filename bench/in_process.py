"""A buyer's browser whose requests go to the site in this very process, so that what each costs can be counted."""

from __future__ import annotations

import cProfile
import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psycopg2.extensions

from bench.browser import COOKIE, Answer, Failed
from bench.house import House


@dataclass(frozen=True)
class Cost:
    """What one request took: statements asked, transactions that wrote, CPU. Calls in Python are counted, or else it is
    timed, since counting takes time."""

    calls: float
    statements: float
    commits: float
    site_ms: float
    database_ms: float


class Tab:
    """One visitor, whose browser keeps cookies. `answer` is the last page."""

    def __init__(self, house: House, *, is_counted: bool) -> None:
        self.origin, self.is_counted = house.site_url, is_counted
        self.cookies: dict[str, str] = {}
        self.answer = Answer(0, b"", b"")

    def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> Cost:
        return self._ask("GET", path, b"", headers or {}, 200)

    def post(self, path: str, values: Mapping[str, str], *, status: int) -> Cost:
        """Send a form as a browser does."""
        headers = {"Origin": self.origin, "Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, urlencode(values).encode(), headers, status)

    def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str], status: int) -> Cost:
        from config.wsgi import django_application

        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {"Host": urlsplit(self.origin).netloc, "Accept-Language": "en", **headers}
        environ = _environ(method, path, body, {**sent, "Cookie": cookies} if cookies else sent)
        self.answer, cost = _measured(lambda: _answer(django_application, environ), is_counted=self.is_counted)
        if self.answer.status != status:
            raise Failed(f"{method} {path}: {self.answer.status} {self.answer.body[:2000].decode()}")
        for name, value in COOKIE.findall(self.answer.head):
            self.cookies[name.decode()] = value.decode()
        return cost


def _environ(method: str, path: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    parts = urlsplit(path)
    given = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    given["CONTENT_TYPE"] = given.pop("HTTP_CONTENT_TYPE", "")
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": parts.path,
        "QUERY_STRING": parts.query,
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        **given,
    }


def _answer(app: Callable[..., Any], environ: dict[str, Any]) -> Answer:
    head: list[Any] = []
    response = app(environ, lambda *given: head.extend(given))
    body = b"".join(response)
    response.close()
    lines = "".join(f"\r\n{name}: {value}" for name, value in head[1])
    return Answer(int(head[0][:3]), f"HTTP/1.1 {head[0]}{lines}".encode(), body)


def _measured(request: Callable[[], Answer], *, is_counted: bool) -> tuple[Answer, Cost]:
    """The answer to a request and what it cost."""
    from django.db import connection

    connection.ensure_connection()
    server = connection.connection
    server.cursor_factory = Counted
    written = _writing_transactions(server)
    Counted.statements = 0
    profile = cProfile.Profile()
    database, site = _cpu_ms_of(server.info.backend_pid), time.thread_time()
    answer = profile.runcall(request) if is_counted else request()
    site = (time.thread_time() - site) * 1000
    database, statements = _cpu_ms_of(server.info.backend_pid) - database, Counted.statements
    return answer, Cost(
        calls=sum(entry.callcount for entry in profile.getstats()),
        statements=statements,
        commits=_writing_transactions(server) - written - 1,  # the question is one of them
        site_ms=site,
        database_ms=database,
    )


class Counted(psycopg2.extensions.cursor):
    """A cursor that counts what is asked."""

    statements = 0

    def execute(self, *args: Any) -> None:
        Counted.statements += 1
        super().execute(*args)


def _writing_transactions(server: Any) -> int:
    """How many transactions have written so far, this question's among them: such a one has a number of its own."""
    with server.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        return int(cursor.fetchone()[0])


def _cpu_ms_of(pid: int) -> float:
    """CPU that a process has used so far, to the microsecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1_000_000
