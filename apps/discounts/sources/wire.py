"""One question to a registry over HTTP, with everything bounded: two seconds in all, a small answer, no redirects.

A hard deadline is what libraries lack: theirs begin anew with each byte that trickles in. Here a timer closes the
socket.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from apps.discounts.extensions import Silent

SECONDS = 2.0
MOST_BYTES = 256 * 1024


@dataclass(frozen=True)
class Answer:
    """What came back: any status but a redirect."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def ask(
    url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Answer:
    """The answer to one request. Raises Silent: no answer in time, too large a one, a redirect, or no HTTP at all."""
    where = urlsplit(url)
    if where.scheme not in ("http", "https") or not where.hostname:
        raise Silent("its address is none")
    path = where.path + (f"?{where.query}" if where.query else "")
    if where.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            where.hostname, where.port, timeout=SECONDS, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=SECONDS)
    is_late = threading.Event()

    def hang_up() -> None:
        is_late.set()
        if connection.sock is not None:
            with suppress(OSError):  # it is closed already
                connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(SECONDS, hang_up)
    timer.daemon = True
    timer.start()
    try:
        connection.request(method, path or "/", body, {"User-Agent": "Foyer", **(headers or {})})
        response = connection.getresponse()
        told = response.read(MOST_BYTES + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        # The error's own words may quote what was sent or answered.
        raise Silent("no answer in time" if is_late.is_set() else f"no answer: {type(error).__name__}") from None
    finally:
        timer.cancel()
        connection.close()
    if is_late.is_set():
        raise Silent("no answer in time")
    if len(told) > MOST_BYTES:
        raise Silent("its answer is too large")
    if 300 <= response.status < 400:
        raise Silent(f"it leads elsewhere ({response.status}), where our key does not go")
    return Answer(response.status, told, {name.lower(): value for name, value in response.getheaders()})
