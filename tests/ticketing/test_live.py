"""The live stream over a real Redis and a real server process: who hears what, and what happens when Redis is away."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from config import live as live_process_module
from config.live import Hub, Stream
from django.conf import settings

from apps.ticketing import live, live_tokens

ROOT = Path(__file__).resolve().parents[2]
SECRET = "a secret for tests"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def live_process(redis_url: str, *, site_url: str = "http://localhost:8000") -> Iterator[int]:
    """The live process, for the pages of `site_url`; yields its port."""
    port = free_port()
    environment = {
        **os.environ,
        "REDIS_URL": redis_url,
        "LIVE_SECRET": SECRET,
        "SITE_URL": site_url,
        "PYTHONPATH": f"{ROOT / 'site'}:{ROOT}",
        "DJANGO_SETTINGS_MODULE": "not.to.be.imported",
    }
    command = [sys.executable, "-m", "config.live", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, cwd=ROOT)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def test_the_live_process_imports_no_django() -> None:
    script = "import sys, config.live; print(sorted(name for name in sys.modules if name.startswith('django')))"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'site'}:{ROOT}"}

    found = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert found.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with live_process(settings.REDIS_URL) as port:
        yield port


def pass_for(order: uuid.UUID, event: uuid.UUID, *, seconds: int = 60, secret: str = SECRET) -> str:
    return live_tokens.make(order, event, expires_at=int(time.time()) + seconds, secret=secret)


class Listener:
    """One browser's stream: reads until it is told to stop."""

    def __init__(self, port: int, path: str, origin: str = "http://localhost:8000") -> None:
        self.port, self.path, self.origin = port, path, origin
        self.head = ""
        self.text = ""

    async def open(self) -> Listener:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        lines = [f"GET {self.path} HTTP/1.1", "Host: localhost", f"Origin: {self.origin}", "Connection: close", "", ""]
        self.writer.write("\r\n".join(lines).encode())
        await self.writer.drain()
        self.head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        return self

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    async def read(self, seconds: float, until: str = "") -> str:
        """What arrived within `seconds`, or up to the first line that holds `until`."""
        with_deadline = asyncio.get_running_loop().time() + seconds
        while not (until and until in self.text):
            left = with_deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            try:
                data = await asyncio.wait_for(self.reader.read(65536), left)
            except TimeoutError:
                break
            if not data:
                break
            self.text += data.decode()
        return self.text

    def results(self) -> list[dict[str, str]]:
        return [json.loads(found) for found in re.findall(r"event: result\ndata: (.*)\n", self.text)]

    def progress(self) -> list[dict[str, float]]:
        return [json.loads(found) for found in re.findall(r"event: progress\ndata: (.*)\n", self.text)]

    def close(self) -> None:
        self.writer.close()


async def opened(port: int, order: uuid.UUID, event: uuid.UUID, query: str = "") -> Listener:
    listener = await Listener(port, f"/live/{pass_for(order, event)}{query}").open()
    await listener.read(3, until="retry:")
    return listener


def test_200_streams_hear_their_own_result_once_and_the_progress_of_their_event(port: int) -> None:
    event, other_event = uuid.uuid4(), uuid.uuid4()
    orders = [uuid.uuid4() for _ in range(200)]

    async def scenario() -> tuple[list[Listener], Listener]:
        listeners = list(await asyncio.gather(*(opened(port, order, event, "?seen=queued") for order in orders)))
        stranger = await opened(port, uuid.uuid4(), other_event)
        results = [(order, "reserved") for order in orders]
        for start in (0, 100):
            live.announce(event, results[start : start + 100], {"decided": start + 100, "rate": 42.5, "held": 7})
        live.announce(event, results[:3])  # told twice by mistake
        await asyncio.gather(*(listener.read(2.5) for listener in [*listeners, stranger]))
        for listener in [*listeners, stranger]:
            listener.close()
        return listeners, stranger

    listeners, stranger = asyncio.run(scenario())

    assert [listener.results() for listener in listeners] == [
        [{"order": str(order), "state": "reserved"}] for order in orders
    ]
    assert {json.dumps(listener.progress()[-1]) for listener in listeners} == {
        '{"decided": 200, "rate": 42.5, "held": 7}'
    }
    assert (stranger.results(), stranger.progress()) == ([], [])


def test_progress_is_told_once_a_second_and_the_newest_wins(port: int) -> None:
    event = uuid.uuid4()

    async def scenario() -> Listener:
        listener = await opened(port, uuid.uuid4(), event)
        for decided in range(1, 13):
            live.announce(event, [], {"decided": decided, "rate": 1.0, "held": 0})
            await asyncio.sleep(0.1)
        await listener.read(1.5)
        listener.close()
        return listener

    told = [news["decided"] for news in asyncio.run(scenario()).progress()]

    assert told[-1] == 12
    assert 2 <= len(told) <= 3


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("?seen=queued&at={now}", ["reserved"], id="told-just-before-the-stream-opened"),
        pytest.param("?seen=reserved&at={now}", [], id="the-page-shows-it-already"),
        pytest.param("?seen=queued&at={later}", [], id="told-long-before-the-page-was-made"),
        pytest.param("?seen=queued&at=minus-one", ["reserved"], id="a-page-of-an-unknown-time"),
        pytest.param("?seen=queued&at=" + "9" * 13, ["reserved"], id="a-time-beyond-all-times"),
        pytest.param("?seen=queued&at=" + "9" * 5000, ["reserved"], id="a-number-too-long-to-read"),
    ],
)
def test_a_result_told_before_the_stream_opened_is_not_lost(port: int, query: str, expected: list[str]) -> None:
    event, order = uuid.uuid4(), uuid.uuid4()
    live.announce(event, [(order, "reserved")])
    now = int(time.time())
    time.sleep(0.5)  # the live process hears of every event; let it have heard this news before the stream opens

    async def scenario() -> Listener:
        listener = await opened(port, order, event, query.format(now=now, later=now + 600))
        await listener.read(0.5)
        listener.close()
        return listener

    assert [result["state"] for result in asyncio.run(scenario()).results()] == expected


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/live/" + "A" * 70, 403, id="forged"),
        pytest.param("/live/%C3%A5%C3%A4%C3%B6", 403, id="not-ascii"),
        pytest.param("/live/", 403, id="empty"),
        pytest.param("/live/" + pass_for(uuid.uuid4(), uuid.uuid4(), secret="another"), 403, id="another-secret"),
        pytest.param("/live/" + pass_for(uuid.uuid4(), uuid.uuid4(), seconds=-1), 410, id="expired"),
        pytest.param("/livez", 200, id="alive"),
        pytest.param("/", 404, id="elsewhere"),
    ],
)
def test_what_a_stranger_is_answered(port: int, path: str, status: int) -> None:
    assert asyncio.run(Listener(port, path).open()).status == status


def test_only_pages_of_the_site_may_read_a_stream(port: int) -> None:
    path = f"/live/{pass_for(uuid.uuid4(), uuid.uuid4())}"

    own = asyncio.run(Listener(port, path).open()).head.lower()
    foreign = asyncio.run(Listener(port, path, origin="http://evil.example").open()).head.lower()

    assert "access-control-allow-origin: http://localhost:8000" in own
    assert "access-control-allow-origin" not in foreign
    assert "vary: origin" in own and "vary: origin" in foreign
    assert "cache-control: no-store, no-transform" in own


def test_one_order_cannot_hold_streams_without_end(port: int) -> None:
    event, order = uuid.uuid4(), uuid.uuid4()

    async def scenario() -> list[int]:
        listeners = [await opened(port, order, event) for _ in range(8)]
        refused = await Listener(port, f"/live/{pass_for(order, event)}").open()
        listeners[0].close()
        await asyncio.sleep(0.5)
        again = await opened(port, order, event)
        return [refused.status, again.status]

    assert asyncio.run(scenario()) == [429, 200]


def test_streams_stay_open_while_redis_is_away_and_hear_again_when_it_is_back() -> None:
    """A relay in front of Redis is cut and mended: the stream lives on, and a result told meanwhile arrives."""
    event, order = uuid.uuid4(), uuid.uuid4()
    target = re.match(r"redis://(?::(?P<password>[^@]+)@)?(?P<host>[^:]+):(?P<port>\d+)", settings.REDIS_URL)
    assert target is not None
    relay_port = free_port()
    relayed = settings.REDIS_URL.replace(f":{target['port']}/", f":{relay_port}/")

    async def scenario(port: int) -> Listener:
        pipes: list[asyncio.StreamWriter] = []

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there_reader, there_writer = await asyncio.open_connection(target["host"], int(target["port"]))
            pipes.extend([writer, there_writer])

            async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
                try:
                    while data := await source.read(65536):
                        sink.write(data)
                except (ConnectionError, asyncio.CancelledError):
                    return
                finally:
                    sink.close()

            await asyncio.gather(copy(reader, there_writer), copy(there_reader, writer))

        listener = await opened(port, order, event)  # Redis is not there yet
        assert listener.status == 200
        server = await asyncio.start_server(relay, "127.0.0.1", relay_port)
        await asyncio.sleep(6)
        live.announce(event, [], {"decided": 1, "rate": 1.0, "held": 0})
        await listener.read(3, until="progress")
        server.close()
        for pipe in pipes:
            pipe.transport.abort()
        await asyncio.sleep(0.5)
        live.announce(event, [(order, "offered")])
        server = await asyncio.start_server(relay, "127.0.0.1", relay_port)
        await listener.read(8, until="offered")
        listener.close()
        server.close()
        for pipe in pipes:
            pipe.transport.abort()
        return listener

    with live_process(relayed) as port:
        listener = asyncio.run(scenario(port))

    assert [news["decided"] for news in listener.progress()] == [1]
    assert listener.results() == [{"order": str(order), "state": "offered"}]


def test_the_process_stops_at_once_with_streams_open() -> None:
    async def scenario(port: int) -> Listener:
        return await opened(port, uuid.uuid4(), uuid.uuid4())

    with live_process(settings.REDIS_URL) as port:
        listener = asyncio.run(scenario(port))
        begun = time.monotonic()

    assert listener.status == 200
    assert time.monotonic() - begun < 8


def test_stop_is_not_held_up_by_a_task_that_misses_its_first_cancellation() -> None:
    async def deaf() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(60)

    async def scenario() -> bool:
        hub = Hub(settings.REDIS_URL)
        hub._task = asyncio.create_task(deaf())
        await asyncio.sleep(0)
        await asyncio.wait_for(hub.stop(), 5)
        return hub._task.cancelled()

    assert asyncio.run(scenario())


def stream_to(sent: list[bytes], **values: Any) -> Stream:
    return Stream(order=uuid.uuid4(), event=uuid.uuid4(), seen="", made_at=0, push=sent.append, **values)


def test_a_sign_of_life_is_sent_when_there_is_no_news_and_an_expired_pass_ends_the_stream() -> None:
    sent: list[bytes] = []
    ended: list[str] = []

    async def scenario() -> None:
        hub = Hub(settings.REDIS_URL)
        quiet, busy = stream_to(sent), stream_to(sent, told_at=time.monotonic())
        old = stream_to(sent, until=time.time() - 1, end=lambda: ended.append("old"))
        for stream in (quiet, busy, old):
            hub.begin(stream)
        hub.look_after()
        hub.look_after()

    asyncio.run(scenario())

    assert (sent, ended) == ([live_process_module.STILL_HERE], ["old", "old"])


def test_a_slow_browser_is_told_the_newest_of_everything_and_every_result() -> None:
    sent: list[bytes] = []
    stream = stream_to(sent, is_slow=True)

    for number in range(3):
        stream.tell_progress(b"progress %d " % number)
        stream.tell_sale(b"sale %d " % number, number)
    stream.tell_result("offered")
    stream.tell_result("reserved")
    assert sent == []
    stream.catch_up()
    stream.tell_progress(b"progress 3")

    assert sent[0].startswith(b"progress 2 sale 2 event: result")
    assert [state in sent[0] for state in (b"offered", b"reserved")] == [True, True]
    assert sent[1:] == [b"progress 3"]


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"what is this\r\n\r\n", 400),
        (b"GET http://[::1 HTTP/1.1\r\n\r\n", 400),
        (b"POST /livez HTTP/1.1\r\n\r\n", 405),
        (b"GET /livez HTTP/1.1\r\nX: " + b"x" * 9000, 431),
        (b"HEAD /livez HTTP/1.0\r\n\r\n", 200),
    ],
    ids=["no HTTP", "no address", "a post", "too long", "a head"],
)
def test_a_request_that_is_none_is_answered_with_a_sentence(port: int, request_head: bytes, status: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as browser:
        browser.sendall(request_head)
        answer = b""
        while piece := browser.recv(65536):
            answer += piece

    assert int(answer.split()[1]) == status


def test_a_stream_is_forgotten_when_its_browser_leaves() -> None:
    async def scenario() -> tuple[int, int, dict[uuid.UUID, object]]:
        hub = Hub(settings.REDIS_URL)
        stream = stream_to([])
        hub.begin(stream)
        hub.hear(stream.event, {"progress": {"decided": 1}})
        before = len(hub)
        hub.remove(stream)
        return before, len(hub), {**hub.progress, **hub.progress_due}

    assert asyncio.run(scenario()) == (1, 0, {})


@pytest.mark.parametrize("message", ["no json", "[]", '{"results": [["no uuid", "paid"]]}', '{"results": 7}'])
def test_a_message_that_cannot_be_read_is_passed_over(message: str) -> None:
    hub = Hub(settings.REDIS_URL)

    hub._read(f"live:{uuid.uuid4()}", message)

    assert len(hub) == 0


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "redis://10.255.255.1:6379/0"], ids=["refused", "black-hole"])
def test_announce_forgives_a_redis_that_is_away(url: str, settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_rests_until", 0.0)
    settings.REDIS_URL = url  # type: ignore[attr-defined]
    begun = time.monotonic()

    for _ in range(20):
        live.announce(uuid.uuid4(), [(uuid.uuid4(), "reserved")], {"decided": 1, "rate": 0.0, "held": 0})

    assert time.monotonic() - begun < 1


def test_the_derived_secret_is_the_one_in_settings() -> None:
    derived = live_tokens.secret_from(
        {"SECRET_KEY": settings.SECRET_KEY, "LIVE_SECRET": os.environ.get("LIVE_SECRET", "")}
    )

    assert derived == settings.LIVE_SECRET


def test_a_pass_survives_its_journey_and_dies_on_time() -> None:
    order, event = uuid.uuid4(), uuid.uuid4()
    token = live_tokens.make(order, event, expires_at=1000, secret=SECRET)

    assert live_tokens.read(token, secret=SECRET, at=999.9) == live_tokens.Pass(order, event, 1000)
    with pytest.raises(live_tokens.Expired):
        live_tokens.read(token, secret=SECRET, at=1000)
    for index in range(len(token) - 1):
        other = "A" if token[index] != "A" else "B"
        with pytest.raises(live_tokens.Forged):
            live_tokens.read(token[:index] + other + token[index + 1 :], secret=SECRET, at=0)
