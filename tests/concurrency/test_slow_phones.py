"""Phones that send half a form and then nothing: whoever comes after them is answered all the same."""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from embedded import processes

from tests.demo_house import free_ports
from tests.processes import ROOT, environment

pytestmark = pytest.mark.django_db(transaction=True)
WORKING_THREADS = 2
FORM = b"email=robin%40example.org"


@contextmanager
def site(log: Path, threads: int) -> Iterator[int]:
    """One site process with so many threads that bring requests; the port."""
    (port,) = free_ports(1)
    web = ["-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--no-ws"]
    web += ["--blocking-threads", str(threads), "--workers-kill-timeout", "1", "config.wsgi:application"]
    variables = environment(WEB_THREADS=str(WORKING_THREADS), ALLOWED_HOSTS="127.0.0.1", LOG_LEVEL="ERROR")
    server = processes.spawn([sys.executable, *web], log=log, environment=variables, folder=ROOT)
    try:
        assert processes.wait_until(lambda: answers(port, 1), 60), processes.tail(log)
        yield port
    finally:
        processes.end(server, (signal.SIGTERM, 3))


def answers(port: int, seconds: float) -> bool:
    """Whether the site says that it lives, within so many seconds."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as phone:
            phone.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return phone.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def half_a_form(port: int) -> socket.socket:
    phone = socket.create_connection(("127.0.0.1", port), timeout=20)
    head = f"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(FORM)}\r\n"
    phone.sendall(head.encode() + b"Content-Type: application/x-www-form-urlencoded\r\n\r\n" + FORM[:7])
    return phone


@pytest.mark.parametrize(("threads", "is_answered"), [(64, True), (WORKING_THREADS, False)], ids=["ours", "control"])
def test_half_a_form_keeps_nobody_waiting(tmp_path: Path, threads: int, is_answered: bool) -> None:
    with site(tmp_path / "log", threads) as port, ExitStack() as phones:
        slow = [phones.enter_context(half_a_form(port)) for _ in range(4 * WORKING_THREADS)]
        time.sleep(0.5)  # for the server to take them up

        assert answers(port, 3) is is_answered

        slow[0].sendall(FORM[7:])
        assert slow[0].recv(64).startswith(b"HTTP/1.1 403")  # the form was read: it lacks its token
        slow[1].close()
        slow[2].close()
        assert answers(port, 3) is is_answered
