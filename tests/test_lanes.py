"""Requests that wait for a thread: the most urgent first, nobody passed for long, no lane in the way of another."""

from __future__ import annotations

import io
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from config import lanes
from config.lanes import Lane, Lanes
from config.wsgi import LANES
from django.test import RequestFactory
from django.urls import reverse
from embedded.processes import wait_until


class Shop:
    """A WSGI application whose requests to `/held` stay until they are let go; it notes who began, and how many were
    worked on at a time."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.at_once = self.most = 0
        self.counted = threading.Lock()
        self.go = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self.counted:
            self.begun.append(environ["PATH_INFO"])
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        try:
            if "held" in environ["PATH_INFO"]:
                assert self.go.wait(20)
            time.sleep(0.001)  # as for a database
            if environ["PATH_INFO"] == "/broken":
                raise ValueError("broken")
            start_response("200 OK", [("X-Path", environ["PATH_INFO"])])
            return [environ["PATH_INFO"].encode()]
        finally:
            with self.counted:
                self.at_once -= 1


def lanes_of(shop: Shop, threads: int, *, paying_at_most: int | None = None) -> Lanes:
    def path(environ: dict[str, Any]) -> str:
        return environ["PATH_INFO"]

    every = (
        Lane("door", lambda environ: path(environ).startswith("/door"), threads),
        Lane("pages", lambda environ: not path(environ).startswith("/paying"), threads),
        Lane("paying", lambda environ: True, paying_at_most or threads),
    )
    return Lanes(shop, every, threads)


class Visitors:
    """Threads of a server, one for each request."""

    def __init__(self, app: Lanes) -> None:
        self.app = app
        self.threads = ThreadPoolExecutor(64)

    def ask(self, path: str) -> Future[tuple[str, str]]:
        """Send a request, and return once it waits or is begun. Its answer is the path in the head, and the body."""
        come = self._come()
        future = self.threads.submit(self._ask, path)
        assert wait_until(lambda: self._come() > come or future.done(), 20)
        return future

    def hold(self, shop: Shop) -> Future[tuple[str, str]]:
        """Send a request that keeps a thread until it is let go."""
        future = self.ask("/held")
        assert wait_until(lambda: "/held" in shop.begun, 20)
        return future

    def _come(self) -> int:
        return sum(len(lane.waiting) + lane.running for lane in self.app.lanes)

    def _ask(self, path: str) -> tuple[str, str]:
        heads: list[tuple[str, list[tuple[str, str]]]] = []
        body = self.app({"PATH_INFO": path}, lambda *head: heads.append(head))
        ((_status, headers),) = heads
        return dict(headers)["X-Path"], b"".join(body).decode()


@contextmanager
def let_go(shop: Shop) -> Iterator[None]:
    """Whatever fails, no thread stays behind."""
    try:
        yield
    finally:
        shop.go.set()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], None]]:
    """Moves the time by which lanes judge what is urgent."""
    now = [100.0]
    monkeypatch.setattr(lanes, "now", lambda: now[0])

    def go_on(seconds: float) -> None:
        now[0] += seconds

    yield go_on


def test_the_most_urgent_request_is_next(clock: Callable[[float], None]) -> None:
    shop = Shop()
    visitors = Visitors(lanes_of(shop, threads=1))
    with let_go(shop):
        asked = [visitors.hold(shop)]
        asked += [visitors.ask(path) for path in ("/paying/1", "/paying/2", "/page/1", "/door/1", "/page/2")]
        shop.go.set()
        answers = [future.result(20) for future in asked]

    assert shop.begun == ["/held", "/door/1", "/page/1", "/page/2", "/paying/1", "/paying/2"]
    assert [head == body for head, body in answers] == [True] * 6


def test_nobody_is_passed_for_long(clock: Callable[[float], None]) -> None:
    shop = Shop()
    visitors = Visitors(lanes_of(shop, threads=1))
    with let_go(shop):
        asked = [visitors.hold(shop), visitors.ask("/paying/1")]
        clock(lanes.LONG_SECONDS / 2)
        asked += [visitors.ask("/page/1"), visitors.ask("/paying/2"), visitors.ask("/page/2")]
        clock(lanes.LONG_SECONDS / 2)
        asked.append(visitors.ask("/door/1"))
        shop.go.set()
        for future in asked:
            future.result(20)

    assert shop.begun == ["/held", "/door/1", "/paying/1", "/page/1", "/page/2", "/paying/2"]


def test_of_those_who_have_waited_long_the_longest_goes_first_and_the_door_before_them(
    clock: Callable[[float], None],
) -> None:
    shop = Shop()
    visitors = Visitors(lanes_of(shop, threads=1))
    with let_go(shop):
        asked = [visitors.hold(shop)]
        for path in ("/paying/1", "/page/1", "/paying/2", "/door/1"):
            clock(0.1)
            asked.append(visitors.ask(path))
        clock(lanes.LONG_SECONDS)
        shop.go.set()
        for future in asked:
            future.result(20)

    assert shop.begun == ["/held", "/door/1", "/paying/1", "/page/1", "/paying/2"]


def test_a_full_lane_leaves_threads_to_the_others() -> None:
    shop = Shop()
    visitors = Visitors(lanes_of(shop, threads=3, paying_at_most=2))
    with let_go(shop):
        slow = [visitors.ask(f"/paying/held/{number}") for number in range(4)]
        assert visitors.ask("/page").result(20) == ("/page", "/page")
        begun = list(shop.begun)
        shop.go.set()
        for future in slow:
            future.result(20)

    assert begun == ["/paying/held/0", "/paying/held/1", "/page"]
    assert len(shop.begun) == 5


def test_without_that_bound_a_slow_bank_takes_every_thread() -> None:
    shop = Shop()
    visitors = Visitors(lanes_of(shop, threads=3))
    with let_go(shop):
        slow = [visitors.ask(f"/paying/held/{number}") for number in range(3)]
        assert wait_until(lambda: len(shop.begun) == 3, 20)
        page = visitors.ask("/page")
        with pytest.raises(TimeoutError):
            page.result(0.2)
        shop.go.set()
        for future in (*slow, page):
            future.result(20)

    assert shop.begun[3] == "/page"


def test_many_at_once_get_their_own_answer_by_a_few_threads() -> None:
    shop = Shop()
    app = lanes_of(shop, threads=4)
    visitors = Visitors(app)
    paths = [f"/{('door', 'paying', 'page')[number % 3]}/{number}" for number in range(600)]

    answers = list(visitors.threads.map(visitors._ask, paths))

    assert answers == [(path, path) for path in paths]
    assert 1 < shop.most <= 4
    assert app.begun == 4
    assert wait_until(lambda: [lane.running for lane in app.lanes] == [0, 0, 0], 20)


def test_what_breaks_breaks_where_it_was_asked_and_the_thread_goes_on() -> None:
    shop = Shop()
    visitors = Visitors(lanes_of(shop, threads=1))

    with pytest.raises(ValueError, match="broken"):
        visitors.ask("/broken").result(20)

    assert visitors.ask("/page").result(20) == ("/page", "/page")


def test_a_ready_answer_is_closed_by_the_thread_that_made_it() -> None:
    closed_by: list[str] = []

    class Answer(list[bytes]):
        streaming = False

        def close(self) -> None:
            closed_by.append(threading.current_thread().name)

    class File(Answer):
        streaming = True

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return (File if environ["PATH_INFO"] == "/file" else Answer)([b"words"])

    one = Lanes(app, [Lane("pages", lambda environ: True, 1)], 1)

    assert [list(one({"PATH_INFO": path}, lambda *head: None)) for path in ("/page", "/file")] == [[b"words"]] * 2
    assert closed_by == ["request-1"]


class Gone(io.BytesIO):
    """The body of a visitor whose phone went away."""

    def read(self, size: int | None = -1) -> bytes:
        raise OSError("gone")


@pytest.mark.parametrize(
    ("body", "length", "status"),
    [
        (io.BytesIO(b"name=Alva"), "9", "200 OK"),
        (io.BytesIO(b"name=Alva"), "", "200 OK"),
        (io.BytesIO(b"name=Al"), "9", "400 Bad Request"),
        (Gone(), "9", "400 Bad Request"),
        (Gone(), str(10**9), "200 OK"),  # a picture is read by who takes it
    ],
    ids=["whole", "without a length", "in part", "gone", "large"],
)
def test_a_form_is_acted_on_once_it_is_there(body: io.BytesIO, length: str, status: str) -> None:
    shop = Shop()
    environ: dict[str, Any] = {"PATH_INFO": "/page", "CONTENT_LENGTH": length, "wsgi.input": body}
    told: list[str] = []

    lanes_of(shop, threads=1)(environ, lambda status, headers: told.append(status))

    assert (told, shop.begun) == ([status], ["/page"] if status == "200 OK" else [])
    assert status != "200 OK" or not length or int(length) > 9 or environ["wsgi.input"].read() == b"name=Alva"


UUID = uuid.UUID(int=7)


@pytest.mark.parametrize(
    ("address", "lane"),
    [
        (lambda: reverse("checkin:door", args=[UUID]), "door"),
        (lambda: reverse("checkin:search", args=[UUID]), "door"),
        (lambda: reverse("readyz"), "door"),
        (lambda: reverse("ticketing:order_pay", args=["ABCDEFGH", "s" * 22]), "paying"),
        (lambda: reverse("ticketing:sandbox_pay", args=[UUID]), "paying"),
        (lambda: reverse("webhook", args=["sandbox"]), "paying"),
        (lambda: reverse("ticketing:order", args=["ABCDEFGH", "s" * 22]), "pages"),
        (lambda: reverse("ticketing:form", args=[UUID]), "ordering"),
        (lambda: "/sv/doors/", "pages"),
        (lambda: "/admin/", "pages"),
    ],
)
def test_each_address_has_its_lane(address: Callable[[], str], lane: str) -> None:
    environ = RequestFactory().get(address()).environ

    assert next(one.name for one in LANES if one.takes(environ)) == lane
