"""What a buyer's browser sends, without the browser: kept connections, cookies, forms as the page has them, streams.

Small on purpose, since its CPU is taken from the machine that is measured: no library, no parser of pages, one request
at a time per connection. Static files are not fetched; a proxy has them.
"""

from __future__ import annotations

import asyncio
import html
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

FORM = re.compile(rb"<form\b([^>]*)>(.*?)</form>", re.S)
FIELD = re.compile(rb"<(input|button)\b([^>]*)>")
ATTRIBUTE = re.compile(rb'([a-z-]+)(?:="([^"]*)")?')
COOKIE = re.compile(rb"(?im)^set-cookie: ([^=]+)=([^;\r]*)")
LOCATION = re.compile(rb"(?im)^location: (\S+)")
LENGTH = re.compile(rb"(?im)^content-length: (\d+)")
SECONDS = 30.0


class Failed(Exception):
    """A page answered otherwise than it should have, or not at all."""


@dataclass(frozen=True)
class Answer:
    status: int
    head: bytes
    body: bytes

    @property
    def location(self) -> str:
        """Where a redirect leads, without the host."""
        found = LOCATION.search(self.head)
        if found is None:
            raise Failed(f"{self.status} without a location")
        parts = urlsplit(found[1].decode())
        return f"{parts.path}?{parts.query}" if parts.query else parts.path


class Connection(asyncio.Protocol):
    """One kept connection. Answers must say their length, as all of Foyer's pages do."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.read = bytearray()
        self.answer: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.read += data
        end = self.read.find(b"\r\n\r\n")
        if end < 0 or self.answer is None or self.answer.done():
            return
        head = bytes(self.read[:end])
        length = LENGTH.search(head)
        if length is None:
            self._fail(Failed("an answer without a length"))
        elif len(self.read) >= end + 4 + int(length[1]):
            body = bytes(self.read[end + 4 :])
            self.read.clear()
            self.answer.set_result(Answer(int(head[9:12]), head, body))

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self._fail(Failed(f"the connection ended: {error}"))

    def _fail(self, error: Exception) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(error)

    async def send(self, request: bytes) -> Answer:
        assert self.transport is not None
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        async with asyncio.timeout(SECONDS):
            return await self.answer


@dataclass
class Log:
    """What all browsers of a rush lived through: seconds of each request by kind of page, and what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def slowest(self) -> float:
        return max((max(times) for times in self.seconds.values()), default=0.0)


class Browser:
    """One visitor: cookies and a connection to the site, made at the first request."""

    def __init__(self, site_url: str, log: Log) -> None:
        parts = urlsplit(site_url)
        self.host, self.port, self.origin = parts.hostname or "", parts.port or 80, site_url
        self.log = log
        self.cookies: dict[str, str] = {}
        self.connection: Connection | None = None

    async def get(self, path: str, kind: str, *, status: int = 200, headers: str = "") -> Answer:
        return await self._ask(kind, f"GET {path} HTTP/1.1\r\n{headers}", b"", status)

    async def post(self, path: str, kind: str, values: Mapping[str, str], *, status: int) -> Answer:
        """Send a form as a browser does."""
        body = urlencode(values).encode()
        head = f"POST {path} HTTP/1.1\r\nOrigin: {self.origin}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        return await self._ask(kind, f"{head}Content-Length: {len(body)}\r\n", body, status)

    async def _ask(self, kind: str, head: str, body: bytes, status: int) -> Answer:
        begun = time.monotonic()
        if self.connection is None or self.connection.transport is None:
            async with asyncio.timeout(SECONDS):
                _, self.connection = await asyncio.get_running_loop().create_connection(
                    Connection, "127.0.0.1", self.port
                )
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        own = f"Host: {self.host}:{self.port}\r\nAccept-Language: en\r\n" + (
            f"Cookie: {cookies}\r\n" if cookies else ""
        )
        answer = await self.connection.send(f"{head}{own}\r\n".encode() + body)
        self.log.seconds.setdefault(kind, []).append(time.monotonic() - begun)
        for name, value in COOKIE.findall(answer.head):
            self.cookies[name.decode()] = value.decode()
        if answer.status != status:
            raise Failed(f"{kind}: {answer.status} instead of {status}")
        return answer

    def close(self) -> None:
        if self.connection is not None and self.connection.transport is not None:
            self.connection.transport.close()


class Stream(asyncio.Protocol):
    """An open stream of server-sent events; each piece that arrives is handed to `heard`."""

    def __init__(self, request: bytes, heard: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        self.request, self.heard, self.lost = request, heard, lost
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.heard(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self.lost()

    def close(self) -> None:
        """Leave; that is no loss to be told of."""
        self.lost = lambda: None
        if self.transport is not None:
            self.transport.abort()


async def listen(address: str, heard: Callable[[bytes], None], lost: Callable[[], None]) -> Stream:
    """Open the stream at `address`."""
    parts = urlsplit(address)
    request = (
        f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: text/event-stream\r\n\r\n".encode()
    )
    async with asyncio.timeout(SECONDS):
        _, stream = await asyncio.get_running_loop().create_connection(
            lambda: Stream(request, heard, lost), "127.0.0.1", parts.port or 80
        )
    return stream


@dataclass(frozen=True)
class Form:
    """A form as the page has it: where it goes, what it would send untouched, what else can be ticked."""

    action: str
    values: dict[str, str]
    choices: dict[str, list[str]]


def form_in(page: bytes, *, asking: str) -> Form:
    """The form of a page that has a field of this name. Templates for script to copy are part of it. Raises Failed."""
    for found, body in FORM.findall(page):
        form = _read_form(_attributes(found).get("action", ""), body)
        if asking in form.values or asking in form.choices:
            return form
    raise Failed(f"no form asks for {asking}")


def _read_form(action: str, body: bytes) -> Form:
    values: dict[str, str] = {}
    choices: dict[str, list[str]] = {}
    for element, found in FIELD.findall(body):
        one = _attributes(found)
        name, kind = one.get("name", ""), one.get("type", "")
        if not name or "disabled" in one or element == b"button":
            continue
        if kind == "radio":
            choices.setdefault(name, []).append(one.get("value", ""))
        if kind not in ("radio", "checkbox") or "checked" in one:
            values[name] = one.get("value", "on" if kind == "checkbox" else "")
        elif kind == "checkbox":
            choices.setdefault(name, []).append(one.get("value", "on"))
    return Form(action, values, choices)


def _attributes(found: bytes) -> dict[str, str]:
    return {name.decode(): html.unescape(value.decode()) for name, value in ATTRIBUTE.findall(found)}


def attribute(page: bytes, name: str) -> str:
    """The value of the first attribute of that name. Raises Failed."""
    found = re.search(rb"\b%s=\"([^\"]*)\"" % name.encode(), page)
    if found is None:
        raise Failed(f"the page has no {name}")
    return html.unescape(found[1].decode())
