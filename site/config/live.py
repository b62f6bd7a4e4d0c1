"""The live process: streams to each waiting buyer how the queue moves and what became of their order (SSE).

A small HTTP server of its own, without Django and without a database: `python -m config.live --port 8001`. A stream is
a socket and a few facts; what is told to thousands is written down once and handed to their sockets, which costs little
more than the system's own sending (docs/decisions/0008). It listens to Redis once per process and hands each message to
the streams it concerns. It holds no truth: while Redis is away the streams stay open, and the order page asks the site
instead. When it is told to stop it ends all streams at once; browsers come back to the next process.

    GET /live/<pass>?seen=<state>&at=<second>&sale=<number>    text/event-stream: events `progress` and `result`
                                                 (see queue.js) and `sale` (sale.js); without an order that alone
    GET /livez                                   200 while the process lives
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import random
import re
import resource
import signal
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from apps.ticketing import live_tokens

log = logging.getLogger("config.live")

HEARTBEAT_SECONDS = 15.0
HEAD_SECONDS = 10.0  # a request that is not there by then is none
HEAD_BYTES = 8192
BACKLOG = 4096
WELCOME_SECONDS = 0.02
# So much may wait in our memory for a slow browser before it is told only results, and so much before it is let go.
SLOW_BYTES, LOST_BYTES = 16 * 1024, 64 * 1024
PROGRESS_EVERY_SECONDS = 1.0
# A sale that stands still is told again and again; so often it goes out, as a sign of life and to mend what was lost.
SALE_AGAIN_SECONDS = 8.0
UNIX_TIME = re.compile(r"[0-9]{1,12}")
# An event and no comment: the page's script must hear that the line is alive, or it would begin to ask.
STILL_HERE = b"event: still\ndata: \n\n"
STREAMS_PER_ORDER = 8
STREAMS_PER_PROCESS = 20_000
# A state kept from longer before the page was made is old news, whatever it says.
CLOCKS_DIFFER_SECONDS = 30


@dataclass(eq=False, slots=True)
class Stream:
    """One open page, told through `push`. A slow one is told the newest of everything when it has caught up, and every
    result."""

    order: uuid.UUID
    event: uuid.UUID
    seen: str
    made_at: int
    sale_number: int = 0  # the last change of the sale that the page knows of
    hears_progress: bool = True
    push: Callable[[bytes], None] = lambda news: None
    end: Callable[[], None] = lambda: None
    until: float = float("inf")  # Unix time at which its pass expires
    told_at: float = 0.0
    is_slow: bool = False
    progress: bytes = b""
    sale: bytes = b""
    results: list[bytes] = field(default_factory=list)

    def tell_progress(self, news: bytes) -> None:
        if self.hears_progress:
            if self.is_slow:
                self.progress = news
            else:
                self._tell(news)

    def tell_sale(self, news: bytes, number: int) -> None:
        """Tell what holds for the sale; the newest wins, and what the page knows better is not told."""
        if number >= self.sale_number:
            self.sale_number = number
            if self.is_slow:
                self.sale = news
            else:
                self._tell(news)

    def tell_result(self, state: str) -> None:
        """Tell the result, unless it is what the page shows or was told last."""
        if state == self.seen:
            return
        self.seen = state
        news = as_event("result", json.dumps({"order": str(self.order), "state": state}))
        if self.is_slow:
            self.results.append(news)
        else:
            self._tell(news)

    def catch_up(self) -> None:
        """Tell what had to wait."""
        self.is_slow = False
        waited = b"".join([self.progress, self.sale, *self.results])
        self.progress, self.sale, self.results = b"", b"", []
        if waited:
            self._tell(waited)

    def _tell(self, news: bytes) -> None:
        self.told_at = time.monotonic()
        self.push(news)


def as_event(name: str, text: str) -> bytes:
    """A server-sent event."""
    return f"event: {name}\ndata: {text}\n\n".encode()


class Hub:
    """The streams of this process and its one subscription. Messages fan out in memory."""

    def __init__(self, redis_url: str) -> None:
        self.redis_url = redis_url
        self.streams: set[Stream] = set()
        self.by_order: dict[uuid.UUID, set[Stream]] = {}
        self.by_event: dict[uuid.UUID, set[Stream]] = {}
        self.progress: dict[uuid.UUID, dict[str, Any]] = {}
        self.progress_told_at: dict[uuid.UUID, float] = {}
        self.progress_due: dict[uuid.UUID, asyncio.TimerHandle] = {}
        self.sale_told: dict[uuid.UUID, tuple[str, float]] = {}
        self.is_connected = False
        self.newcomers: list[Stream] = []
        self.welcoming: set[asyncio.Task[None]] = set()
        self._client = self._new_client()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self.streams)

    def start(self) -> None:
        """Begin to listen; safe to repeat."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._listen_forever())

    async def stop(self) -> None:
        """End every stream and let go of Redis."""
        for stream in list(self.streams):
            stream.end()
        tasks = {*self.welcoming, *([self._task] if self._task else [])}
        while tasks := {task for task in tasks if not task.done()}:
            for task in tasks:
                task.cancel()
            # Again when it did not help: a wait inside that ends at this very moment takes the first for its own.
            await asyncio.wait(tasks, timeout=0.5)
        await self._client.aclose()

    def begin(self, stream: Stream) -> None:
        """Let `stream` hear from now on, and in a moment what may have come while its page was on its way."""
        self.streams.add(stream)
        self.by_order.setdefault(stream.order, set()).add(stream)
        self.by_event.setdefault(stream.event, set()).add(stream)
        if not self.newcomers:  # those who come at the same moment are told by one question to Redis
            asyncio.get_running_loop().call_later(WELCOME_SECONDS, self._welcome)
        self.newcomers.append(stream)

    def _welcome(self) -> None:
        streams, self.newcomers = self.newcomers, []
        if self.is_connected:
            task = asyncio.get_running_loop().create_task(self._tell_kept(streams))
            self.welcoming.add(task)
            task.add_done_callback(self.welcoming.discard)

    def remove(self, stream: Stream) -> None:
        self.streams.discard(stream)
        for index, key in ((self.by_order, stream.order), (self.by_event, stream.event)):
            streams = index.get(key, set())
            streams.discard(stream)
            if not streams:
                index.pop(key, None)
        if stream.event not in self.by_event:
            self.progress.pop(stream.event, None)
            self.progress_told_at.pop(stream.event, None)
            self.sale_told.pop(stream.event, None)
            timer = self.progress_due.pop(stream.event, None)
            if timer is not None:
                timer.cancel()

    def hear(self, event: uuid.UUID, message: Mapping[str, Any]) -> None:
        """Hand one message to whom it concerns. Progress goes out once a second per event, the newest wins."""
        for order, state in message.get("results", ()):
            for stream in tuple(self.by_order.get(uuid.UUID(order), ())):
                stream.tell_result(state)
        if "sale" in message and event in self.by_event:
            self._hear_sale(event, message["sale"])
        if "progress" in message and event in self.by_event:
            # A message may hold a part of the facts: what it leaves out is as it was told before.
            self.progress[event] = {**self.progress.get(event, {}), **message["progress"]}
            if event not in self.progress_due:
                loop = asyncio.get_running_loop()
                since = loop.time() - self.progress_told_at.get(event, -PROGRESS_EVERY_SECONDS)
                self.progress_due[event] = loop.call_later(
                    max(0.0, PROGRESS_EVERY_SECONDS - since), self._broadcast, event
                )

    def _hear_sale(self, event: uuid.UUID, sale: Mapping[str, Any]) -> None:
        text, now = json.dumps(sale), asyncio.get_running_loop().time()
        before, told_at = self.sale_told.get(event, ("", 0.0))
        if text == before and now - told_at < SALE_AGAIN_SECONDS:
            return
        self.sale_told[event] = (text, now)
        news, number = as_event("sale", text), int(sale["number"])
        for stream in tuple(self.by_event.get(event, ())):
            stream.tell_sale(news, number)

    def _broadcast(self, event: uuid.UUID) -> None:
        self.progress_due.pop(event, None)
        self.progress_told_at[event] = asyncio.get_running_loop().time()
        news = as_event("progress", json.dumps(self.progress[event]))
        for stream in tuple(self.by_event.get(event, ())):
            stream.tell_progress(news)

    def look_after(self) -> None:
        """Give a sign of life to who heard nothing for a while, and end the streams whose pass expired."""
        silent_since, now = time.monotonic() - HEARTBEAT_SECONDS, time.time()
        for stream in list(self.streams):
            if now >= stream.until:
                stream.end()
            elif stream.told_at <= silent_since and not stream.is_slow:
                stream.told_at = time.monotonic()
                stream.push(STILL_HERE)

    def _new_client(self) -> redis.asyncio.Redis:
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            self.redis_url,
            socket_connect_timeout=1.0,
            max_connections=8,
            timeout=1,
            decode_responses=True,
            retry=Retry(NoBackoff(), 1),  # a connection that died in the pool is replaced at once
        )
        return redis.asyncio.Redis.from_pool(pool)

    async def _tell_kept(self, streams: Iterable[Stream]) -> None:
        for chunk in _chunks(list(streams), 500):
            events = sorted({stream.event for stream in chunk})
            names = [f"live:result:{stream.order}" for stream in chunk] + [f"live:sale:{event}" for event in events]
            try:
                async with asyncio.timeout(1.0):
                    kept = await self._client.mget(names)
            except (RedisError, OSError, TimeoutError) as error:
                log.info("kept results not read: %s", type(error).__name__)
                return
            sales = dict(zip(events, kept[len(chunk) :], strict=True))
            for stream, text in zip(chunk, kept, strict=False):
                sale = sales[stream.event]
                number = int(json.loads(sale)["number"]) if sale else 0
                if number > stream.sale_number:
                    stream.tell_sale(as_event("sale", str(sale)), number)
                state, _, told_at = str(text or "").partition(" ")
                if state and int(told_at) >= stream.made_at - CLOCKS_DIFFER_SECONDS:
                    stream.tell_result(state)

    async def _listen_forever(self) -> None:
        pause = 0.2
        while True:
            try:
                await self._listen()
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("Redis is away (%s); trying again in %.1f s", type(error).__name__, pause)
            finally:
                was_connected, self.is_connected = self.is_connected, False
            pause = 0.2 if was_connected else min(5.0, pause * 2)
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))

    async def _listen(self) -> None:
        async with self._client.pubsub() as pubsub:
            async with asyncio.timeout(2.0):
                await pubsub.psubscribe("live:*")
            self.is_connected = True
            await self._tell_kept(list(self.streams))
            quiet_since = time.monotonic()
            while True:
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=5.0)
                if message is None or message["type"] != "pmessage":
                    if time.monotonic() - quiet_since > HEARTBEAT_SECONDS:
                        quiet_since = time.monotonic()
                        async with asyncio.timeout(2.0):
                            await self._client.ping()  # a silent line may be a dead one
                    continue
                quiet_since = time.monotonic()
                self._read(message["channel"], message["data"])

    def _read(self, channel: str, data: str) -> None:
        try:
            self.hear(uuid.UUID(channel.removeprefix("live:")), json.loads(data))
        except (ValueError, TypeError, AttributeError) as error:
            log.warning("a message on %s could not be read: %s", channel, error)


class Server:
    """Answers requests. `secret` signs the passes; only pages of `site_origin` may read a stream."""

    def __init__(self, *, redis_url: str, secret: str, site_origin: str) -> None:
        self.hub = Hub(redis_url)
        self.secret = secret
        self.site_origin = site_origin
        self.connections = 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Server:
        """Built from REDIS_URL, SITE_URL and LIVE_SECRET or SECRET_KEY. Raises SystemExit with a sentence."""
        try:
            secret = live_tokens.secret_from(environment)
            redis_url = environment["REDIS_URL"]
        except KeyError as error:
            raise SystemExit(f"The live process needs {error.args[0]} in its environment.") from error
        site = urlsplit(environment.get("SITE_URL", "http://localhost:8000"))
        return cls(redis_url=redis_url, secret=secret, site_origin=f"{site.scheme}://{site.netloc}")

    async def serve(self, host: str, port: int) -> None:
        """Answer until SIGTERM or SIGINT. Raises OSError when the port cannot be had."""
        loop, told_to_stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, told_to_stop.set)
        listening = await loop.create_server(lambda: Connection(self), host, port, backlog=BACKLOG)
        self.hub.start()
        while not told_to_stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(told_to_stop.wait(), 1)
            self.hub.look_after()
        listening.close()
        await self.hub.stop()

    def answer(self, connection: Connection, method: str, target: str, origin: str) -> None:
        """Answer one request: a stream, or a sentence."""
        address = urlsplit(target)
        if method not in ("GET", "HEAD"):
            connection.say(405, "Only GET.", ["Allow: GET"])
        elif address.path == "/livez":
            connection.say(200, "alive")
        elif address.path.startswith("/live/"):
            self._stream(connection, method, unquote(address.path.removeprefix("/live/")), address.query, origin)
        else:
            connection.say(404, "Nothing here.")

    def _stream(self, connection: Connection, method: str, token: str, query: str, origin: str) -> None:
        cors = ["Vary: Origin"]
        if origin == self.site_origin:
            cors.append(f"Access-Control-Allow-Origin: {origin}")
        try:
            facts = live_tokens.read(token, secret=self.secret, at=time.time())
        except live_tokens.Expired:
            return connection.say(410, "This pass has expired. Load the order page again.", cors)
        except live_tokens.Forged:
            return connection.say(403, "This pass is not valid.", cors)
        has_order = facts.order != live_tokens.NO_ORDER
        if has_order and len(self.hub.by_order.get(facts.order, ())) >= STREAMS_PER_ORDER:
            return connection.say(429, "This order is open in too many places.", cors)
        if len(self.hub) >= STREAMS_PER_PROCESS:
            return connection.say(503, "Too many streams.", [*cors, "Retry-After: 60"])
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        stream = Stream(
            order=facts.order,
            event=facts.event,
            seen=asked.get("seen", ""),
            made_at=_number(asked.get("at", "")),
            sale_number=_number(asked.get("sale", "")),
            hears_progress=has_order,
            until=facts.expires_at,
        )
        return connection.open(stream, cors, is_wanted=method == "GET")


class Connection(asyncio.Protocol):
    """One connection and its one request: a sentence and the end, or a stream until somebody ends it."""

    __slots__ = ("impatience", "read", "server", "stream", "transport")

    def __init__(self, server: Server) -> None:
        self.server = server
        self.transport: asyncio.Transport | None = None
        self.stream: Stream | None = None
        self.read = b""
        self.impatience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.connections += 1
        if self.server.connections > STREAMS_PER_PROCESS * 1.1:
            transport.abort()
        self.impatience = asyncio.get_running_loop().call_later(HEAD_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        if self.stream is not None or self.impatience is None:
            return  # nothing that follows the request is read
        self.read += data
        head, is_whole, _rest = self.read.partition(b"\r\n\r\n")
        if len(head) > HEAD_BYTES:
            self._understood()
            self.say(431, "Too long.")
        elif is_whole:
            self._understood()
            self._answer(head.decode("latin-1").split("\r\n"))

    def _understood(self) -> None:
        assert self.impatience is not None
        self.impatience.cancel()
        self.impatience, self.read = None, b""

    def _answer(self, lines: list[str]) -> None:
        parts = lines[0].split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            return self.say(400, "This is not HTTP.")
        origins = [line.partition(":")[2].strip() for line in lines[1:] if line[:7].lower() == "origin:"]
        try:
            self.server.answer(self, parts[0], parts[1], origins[0] if origins else "")
        except ValueError:  # an address that is none
            self.say(400, "This is no address.")

    def pause_writing(self) -> None:
        if self.stream is not None:
            self.stream.is_slow = True

    def resume_writing(self) -> None:
        if self.stream is not None:
            self.stream.catch_up()

    def connection_lost(self, error: Exception | None) -> None:
        self.server.connections -= 1
        if self.impatience is not None:
            self.impatience.cancel()
        if self.stream is not None:
            self.server.hub.remove(self.stream)
            self.stream = None

    def say(self, status: int, text: str, headers: Iterable[str] = ()) -> None:
        """Answer with a sentence and end."""
        plain = ("Content-Type: text/plain; charset=utf-8", "Cache-Control: no-store", f"Content-Length: {len(text)}")
        self._send(_head(status, [*headers, *plain]) + text.encode())
        self._end()

    def open(self, stream: Stream, headers: Iterable[str], *, is_wanted: bool) -> None:
        """Begin a stream; only its head where no more `is_wanted`."""
        told = [
            *headers,
            "Content-Type: text/event-stream; charset=utf-8",
            "Cache-Control: no-store, no-transform",
            "X-Accel-Buffering: no",
            "X-Content-Type-Options: nosniff",
        ]
        # Each browser waits a time of its own before it comes back, or a restart would bring all of them at once.
        self._send(_head(200, told) + f"retry: {random.randint(2000, 6000)}\n\n".encode())
        if not is_wanted or self.transport is None:
            self._end()
            return
        self.transport.set_write_buffer_limits(high=SLOW_BYTES)
        stream.push, stream.end, stream.told_at = self._send, self._end, time.monotonic()
        self.stream = stream
        self.server.hub.begin(stream)

    def _send(self, data: bytes) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        self.transport.write(data)
        if self.transport.get_write_buffer_size() > LOST_BYTES:
            self.transport.abort()

    def _end(self) -> None:
        if self.transport is not None:
            self.transport.close()


REASONS = {
    200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 410: "Gone",
    429: "Too Many Requests", 431: "Request Header Fields Too Large", 503: "Service Unavailable",
}  # fmt: skip


def _head(status: int, headers: Iterable[str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {REASONS[status]}", *headers, "Connection: close", "", ""]
    return "\r\n".join(lines).encode()


def _number(text: str) -> int:
    return int(text) if UNIX_TIME.fullmatch(text) else 0


def _chunks(items: list[Stream], size: int) -> Iterable[list[Stream]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def allow_many_streams() -> None:
    """Let this process have as many connections as the machine allows it: each is an open file."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    """Serve until told to stop."""
    told = argparse.ArgumentParser(prog="python -m config.live", description="Streams to waiting buyers.")
    told.add_argument("--host", default="127.0.0.1")
    told.add_argument("--port", type=int, default=8001)
    options = told.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    allow_many_streams()
    asyncio.run(Server.from_environment(os.environ).serve(options.host, options.port))


if __name__ == "__main__":
    main()
