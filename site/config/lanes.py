"""The order in which requests are worked on when more come than the machine can answer at once.

A few threads work; each request waits for one of them in a lane, and the lanes stand in the order of their urgency. So
a guest before the door and a buyer who does not know yet whether there is a ticket go before one who pays for a ticket
held for them. Nobody is passed for long: whoever has waited for `LONG_SECONDS` goes next, the longest of all first;
only the first lane goes before them. A lane may also be kept from taking every thread: a bank that does not answer
holds up who pays, and nobody else (a bulkhead).
"""

from __future__ import annotations

import io
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic as now
from typing import Any

FORM_BYTES = 64 * 1024
LONG_SECONDS = 2.0

Environ = dict[str, Any]
Application = Callable[..., Iterable[bytes]]


@dataclass
class Lane:
    """Requests that are equally urgent, the first to come the first to go. `takes` says whether one belongs here;
    `at_most` threads work for it at a time."""

    name: str
    takes: Callable[[Environ], bool]
    at_most: int
    waiting: deque[Job] = field(default_factory=deque)
    running: int = 0


class Job:
    """One request between the thread that brings it and the one that works on it."""

    def __init__(self, environ: Environ, lane: Lane) -> None:
        self.environ = environ
        self.lane = lane
        self.come_at = now()
        self.head: tuple[Any, ...] = ()
        self.answer: Iterable[bytes] = ()
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()


class Lanes:
    """A WSGI application that has `app` called in `threads` threads, the most urgent request first (`lanes` in order).

    The first lane that takes a request gets it; the last one must take all. The thread that brought the request waits,
    and costs nothing while it does, so the server may have one for each connection. A plain answer of Django's is
    closed by the thread that made it, whose database connection it used.

    A form of up to 64 KiB is read before it waits: a slow phone keeps nobody else waiting, and what arrives in part is
    answered with 400 and never acted on.
    """

    def __init__(self, app: Application, lanes: Sequence[Lane], threads: int) -> None:
        self.app = app
        self.lanes = lanes
        self.threads = threads
        self.begun = 0
        self.idle = 0
        self.change = threading.Condition()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not _has_all(environ):
            start_response("400 Bad Request", [("Content-Length", "0")])
            return []
        job = Job(environ, next(lane for lane in self.lanes if lane.takes(environ)))
        with self.change:
            job.lane.waiting.append(job)
            if self.idle:
                self.idle -= 1
                self.change.notify()
            elif self.begun < self.threads:
                self.begun += 1
                threading.Thread(target=self._work, name=f"request-{self.begun}", daemon=True).start()
        job.done.acquire()
        if job.error is not None:
            raise job.error
        start_response(*job.head)
        return job.answer

    def _work(self) -> None:
        job: Job | None = None
        while True:
            with self.change:
                if job is not None:
                    job.lane.running -= 1
                while (job := self._next()) is None:
                    self.idle += 1
                    self.change.wait()
            self._answer(job)
            job.done.release()

    def _next(self) -> Job | None:
        """Who is next, of the lanes that may have one more thread."""
        open_lanes = [lane for lane in self.lanes if lane.waiting and lane.running < lane.at_most]
        if not open_lanes:
            return None
        lane = open_lanes[0]
        if lane is not self.lanes[0]:
            longest = min(open_lanes, key=lambda lane: lane.waiting[0].come_at)
            lane = longest if now() - longest.waiting[0].come_at >= LONG_SECONDS else lane
        lane.running += 1
        return lane.waiting.popleft()

    def _answer(self, job: Job) -> None:
        def keep_head(*head: Any) -> None:
            job.head = head

        try:
            job.answer = self.app(job.environ, keep_head)
            if not getattr(job.answer, "streaming", True):
                job.answer.close()  # type: ignore[attr-defined]
        except BaseException as error:  # noqa: BLE001 - raised again where the request came from
            job.error = error


def _has_all(environ: Environ) -> bool:
    """Read a form, so that nobody waits for its sender any more. False when the sender went away before its end."""
    length = environ.get("CONTENT_LENGTH") or ""
    if not length.isdecimal() or not 0 < int(length) <= FORM_BYTES:
        return True
    try:
        body = environ["wsgi.input"].read(int(length))
    except OSError:
        return False
    environ["wsgi.input"] = io.BytesIO(body)
    return len(body) == int(length)
