"""Thousands hold the form before the sale opens and send it in the second after: real site processes, a real worker."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest
from django.urls import reverse
from django.utils.translation import override
from embedded import processes

from apps.ticketing import clock, invariants, reasons
from apps.ticketing.models import Choice, Order, OrderLine, TicketType
from tests import factories
from tests.demo_house import free_ports
from tests.processes import ROOT, environment

pytestmark = pytest.mark.django_db(transaction=True)
LOADING_AT_ONCE = 32
# What we promise are the answers; how soon they come is measured where nothing else runs (bench).
PATIENCE_SECONDS = 900


@contextmanager
def site(application: str, log: Path) -> Iterator[int]:
    """Two site processes and a worker on the test's database; the port."""
    (port,) = free_ports(1)
    web = ["-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers", "2"]
    web += ["--blocking-threads", "2048", "--no-ws", "--backlog", "8192", "--backpressure", "4096"]
    web += ["--workers-kill-timeout", "2", application]
    worker = ["manage.py", "rqworker", "purchases", "--worker-class", "config.worker.FoyerWorker"]
    started = [
        processes.spawn(
            [sys.executable, *command],
            log=log,
            environment=environment(FOYER_ENV="demo", LOG_LEVEL="ERROR"),
            folder=ROOT,
        )
        for command in (web, worker)
    ]
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        deadline = time.monotonic() + 60
        while True:
            try:
                with opener.open(f"http://127.0.0.1:{port}/livez", timeout=5):
                    break
            except OSError:
                assert time.monotonic() < deadline, processes.tail(log)
                time.sleep(0.1)
        yield port
    finally:
        for process in started:
            processes.end(process, (signal.SIGTERM, 5))


@dataclass
class Rush:
    """What the crowd was answered. Times in seconds after the opening, by the machine's clock."""

    accepted: list[float] = field(default_factory=list)
    told_too_early: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass
class Buyer:
    """One open page: the fields of its form, and its cookie."""

    number: int
    fields: dict[str, str] = field(default_factory=dict)
    cookie: str = ""


async def ask(port: int, path: str, *, cookie: str = "", form: dict[str, str] | None = None) -> tuple[int, str, str]:
    """(status, head, body) of one request over a connection of its own, as a phone that woke up makes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        body = urlencode(form) if form else ""
        head = [f"{'POST' if form else 'GET'} {path} HTTP/1.1", f"Host: localhost:{port}", "Connection: close"]
        head += [f"Cookie: {cookie}"] if cookie else []
        if form:
            head += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
        writer.write(("\r\n".join(head) + "\r\n\r\n" + body).encode())
        answer = (await reader.read(-1)).decode(errors="replace")
    finally:
        writer.close()
    top, _, rest = answer.partition("\r\n\r\n")
    return int(top.split(" ", 2)[1]), top, rest


def found(pattern: str, text: str) -> re.Match[str]:
    match = re.search(pattern, text)
    assert match is not None, pattern
    return match


async def open_page(port: int, path: str, buyer: Buyer, turn: asyncio.Semaphore) -> None:
    async with turn:
        status, head, page = await ask(port, path)
    assert status == 200, status
    buyer.cookie = found(r"(?i)set-cookie:\s*(csrftoken=[^;]+)", head)[1]
    for name in ("csrfmiddlewaretoken", "idempotency_key"):
        buyer.fields[name] = found(rf'name="{name}" value="([^"]+)"', page)[1]
    edition = found(r'name="(edition-[^"]+)" value="([^"]+)"', page)
    kind = edition[1].removeprefix("edition-")
    choice = found(rf'name="choice-{kind}-__n__-([^"]+)" value="([^"]+)"', page)
    buyer.fields |= {
        edition[1]: unescape(edition[2]),
        f"type-{kind}": "1",
        f"choice-{kind}-1-{choice[1]}": choice[2],
        "email": f"buyer{buyer.number}@example.org",
        "fewer_is_fine": "1",
    }


async def send(port: int, path: str, buyer: Buyer, at: float, opens: float, rush: Rush) -> None:
    """Send the form at the moment `at`, and once more after the opening when it was too early."""
    await asyncio.sleep(max(0.0, at - time.time()))
    status, _head, page = await ask(port, path, cookie=buyer.cookie, form=buyer.fields)
    if status == 422 and reasons.sentence(reasons.NOT_YET_ON_SALE) in unescape(page):
        if at >= opens:
            rush.wrong.append("sent after the opening and called too early")
        rush.told_too_early += 1
        if f'value="{buyer.fields["idempotency_key"]}"' not in page or " checked" not in page:
            rush.wrong.append("an early form lost its key or its choices")
        await asyncio.sleep(max(0.0, opens + 0.05 - time.time()))
        status, _head, page = await ask(port, path, cookie=buyer.cookie, form=buyer.fields)
    if status == 303:
        rush.accepted.append(time.time() - opens)
    else:
        rush.wrong.append(f"{status} {page[:80]}")


async def crowd(port: int, kind: TicketType, path: str, number: int, chance: Random) -> Rush:
    rush = Rush()
    buyers = [Buyer(n) for n in range(number)]
    turn = asyncio.Semaphore(LOADING_AT_ONCE)
    await asyncio.gather(*(open_page(port, path, buyer, turn) for buyer in buyers))
    early = buyers[: max(1, number // 50)]
    # Long before, which also shows each site process a form; those buyers come again with all others.
    for status, _head, _page in [await ask(port, path, cookie=one.cookie, form=one.fields) for one in early]:
        if status != 422:
            rush.wrong.append(f"{status} an hour too early")
    opens_at = await asyncio.to_thread(open_in, kind, timedelta(seconds=2.5))
    opens = opens_at.timestamp()
    moments = [opens - chance.uniform(0.3, 0.8) for _ in early]
    moments += [opens + chance.uniform(0.0, 1.0) for _ in range(number - len(early))]
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(
            *(send(port, path, buyer, at, opens, rush) for buyer, at in zip(buyers, moments, strict=True))
        )
    return rush


def open_in(kind: TicketType, time_left: timedelta) -> datetime:
    """Move the opening to so soon from now; the site's processes know it a second later."""
    from django.db import connections

    opens_at = datetime.now(UTC) + time_left
    TicketType.objects.filter(pk=kind.pk).update(sale_opens_at=opens_at)
    connections.close_all()
    return opens_at


def rush_at(application: str, number: int, chance: Random, log: Path) -> tuple[Rush, TicketType, list[str]]:
    """Let a crowd meet the opening of a sale with places for a third of it: the answers, and what is wrong."""
    event = factories.event()
    kind = factories.ticket_type(
        event, factories.quota(event, number // 3), sale_opens_at=clock.now() + timedelta(hours=1)
    )
    drink: Any = factories.variation(kind)
    choice: Choice = factories.choice(drink, name_en="Beer")
    with override("en"):
        path = reverse("ticketing:form", args=[event.public_id])
        with site(application, log) as port:
            rush = asyncio.run(crowd(port, kind, path, number, chance))
            deadline = time.monotonic() + PATIENCE_SECONDS
            while Order.objects.filter(state="queued").exists() and time.monotonic() < deadline:
                time.sleep(0.1)
    kind.refresh_from_db()
    wrong = rush.wrong + [
        f"{words}: {count}"
        for words, count in (
            ("placed before the opening", Order.objects.filter(queued_at__lt=kind.sale_opens_at).count()),
            ("not placed", number - Order.objects.count()),
            ("not decided", Order.objects.filter(state="queued").count()),
            ("held or missing beyond what there is", OrderLine.objects.filter(is_held=True).count() - number // 3),
            ("without the choice made", OrderLine.objects.exclude(choices__choice=choice).count()),
            ("promises broken", len(invariants.check())),
        )
        if count
    ]
    return rush, kind, wrong


@pytest.mark.proof(
    "opening-second",
    what="Whoever holds the form at the opening is judged by the database's clock: none early, none refused wrongly",
    full=5_000,
    small=50,
)
def test_whoever_holds_the_form_at_the_opening_is_judged_by_the_databases_clock(proof: Any, tmp_path: Path) -> None:
    rush, kind, wrong = rush_at("config.wsgi:application", proof.n, proof.random, tmp_path / "log")

    assert wrong == []
    assert len(rush.accepted) == proof.n
    times = sorted(rush.accepted)
    decided = Order.objects.order_by("-decided_at").values_list("decided_at", flat=True)[0]
    assert decided is not None and kind.sale_opens_at is not None
    proof.record(
        told_too_early=rush.told_too_early,
        accepted_median_s=round(times[len(times) // 2], 2),
        accepted_p99_s=round(times[int(len(times) * 0.99) - 1], 2),
        accepted_last_s=round(times[-1], 2),
        decided_last_s=round((decided - kind.sale_opens_at).total_seconds(), 2),
    )


def test_without_the_guard_some_come_in_early(tmp_path: Path) -> None:
    _rush, _kind, wrong = rush_at("tests.concurrency.careless_site:application", 12, Random(3), tmp_path / "log")

    assert [words for words in wrong if words.startswith("placed before the opening")] != []
