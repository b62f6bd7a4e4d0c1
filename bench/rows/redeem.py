"""How fast guests come in: real codes posted to the door by eight phones, each with its own pass and connection.

The event has 5,000 tickets, two thousand guests are inside when the clock starts. Each answer is read and must be "in".
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode, urlsplit
from uuid import UUID, uuid4

from bench.frame import Figure, Row
from bench.house import House

PHONES = 8
TICKETS = 5_000
INSIDE = 2_000
WARM_UP = 200
SCANS = 2_400
IN_ONE_ORDER = 2
FORM = "application/x-www-form-urlencoded"


class Phone:
    """One volunteer's browser: a kept connection, the session that a gate pass opened, and nothing else that costs."""

    def __init__(self, site_url: str, link: str) -> None:
        parts = urlsplit(site_url)
        self.host, self.origin = parts.netloc, site_url
        self.socket = socket.create_connection((parts.hostname, parts.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.cookies: dict[str, str] = {"language": "en"}
        self.token = ""
        status, _head, page = self.ask("GET", link)
        assert status == 200, page
        self.token = re.findall(rb'csrfmiddlewaretoken" value="(\w+)"', page)[0].decode()
        status, head, _page = self.ask("POST", link)
        assert status == 302, head
        self.door = re.findall(rb"(?im)^location: (\S+)", head)[0].decode()
        # Written beforehand: what the phones cost is not what is measured.
        self.head = self._head("POST", self.door).encode()

    def scan(self, code: str) -> bytes:
        """Post one code as htmx does; the head of the answer."""
        status, head, body = self._send(self.head, urlencode({"code": code, "scan": str(uuid4())}).encode())
        assert status == 200, body
        return head

    def ask(self, method: str, path: str) -> tuple[int, bytes, bytes]:
        """Ask for a page, or post an empty form: status, head and body of the answer."""
        status, head, body = self._send(self._head(method, path).encode(), b"")
        for name, value in re.findall(rb"(?im)^set-cookie: ([^=]+)=([^;]*)", head):
            self.cookies[name.decode()] = value.decode()
        return status, head, body

    def _head(self, method: str, path: str) -> str:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}", f"Origin: {self.origin}", f"Cookie: {cookies}"]
        lines += [f"Content-Type: {FORM}", f"X-CSRFToken: {self.token}", "HX-Request: true", "Content-Length: "]
        return "\r\n".join(lines)

    def _send(self, request: bytes, form: bytes) -> tuple[int, bytes, bytes]:
        self.socket.sendall(b"%s%d\r\n\r\n%s" % (request, len(form), form))
        read = self._receive()
        while b"\r\n\r\n" not in read:
            read += self._receive()
        head, _, body = read.partition(b"\r\n\r\n")
        at = head.lower().index(b"content-length:") + len(b"content-length:")
        length = int(head[at:].split(b"\r", 1)[0])
        while len(body) < length:
            body += self._receive()
        return int(head[9:12]), head, body

    def _receive(self) -> bytes:
        read = self.socket.recv(65536)
        assert read, "the site closed the connection"
        return read


def measure(house: House) -> Sequence[Figure]:
    """Guests a second and the slowest twentieth, at eight connections."""
    from apps.ticketing.models import Ticket

    event_id, links, codes = _fill()
    with house.running("site"):
        phones = [Phone(house.site_url, link) for link in links]
        _scan_all(phones, codes[:WARM_UP])
        cpu = house.cpu_seconds()
        begun = time.monotonic()
        took = _scan_all(phones, codes[WARM_UP:])
        seconds = time.monotonic() - begun
        cpu = house.cpu_seconds() - cpu
    inside = Ticket.objects.filter(event__public_id=event_id, state="used").count()
    assert inside == INSIDE + WARM_UP + SCANS, f"{inside} tickets are used"
    took.sort()
    return (
        Figure("guests let in at 8 connections", SCANS / seconds, "/s", at_least=300),
        Figure("p95 of the answers", took[int(len(took) * 0.95)] * 1000, "ms", at_most=50),
        Figure("answer in the middle (p50)", took[len(took) // 2] * 1000, "ms"),
        Figure("work for one guest, PostgreSQL's included", cpu / SCANS * 1000, "CPU ms"),
    )


def _scan_all(phones: Sequence[Phone], codes: Sequence[str]) -> list[float]:
    """Every code once, shared out among the phones; the seconds that each answer took."""

    def evening(number: int) -> Iterator[float]:
        for code in codes[number :: len(phones)]:
            begun = time.monotonic()
            head = phones[number].scan(code)
            yield time.monotonic() - begun
            assert b'"admitted"' in head, head

    with ThreadPoolExecutor(len(phones)) as pool:
        return [
            seconds
            for answers in pool.map(lambda number: list(evening(number)), range(len(phones)))
            for seconds in answers
        ]


def _fill() -> tuple[UUID, list[str], list[str]]:
    """An evening: the event's public id, the links of the passes, and the codes of those who are still outside."""
    from django.db import connection
    from django.urls import reverse

    from apps.checkin import passes, scans
    from apps.checkin.models import Scan
    from apps.ticketing import clock, credentials
    from apps.ticketing.models import LineChoice, Order, OrderLine, Ticket
    from tests import factories

    event = factories.event(starts_at=clock.now())
    kind = factories.ticket_type(event, factories.quota(event, TICKETS), name_en="Dinner")
    beverage = factories.choice(factories.variation(kind), name_en="Cider")
    now = clock.now()
    orders = Order.objects.bulk_create(
        Order(
            organisation=event.organisation,
            event=event,
            currency="SEK",
            idempotency_key=f"bench-{number}",
            buyer_key=f"bench-{number}",
            email=f"alva{number}@example.org",
            name=f"Alva Maria Ek{number}",
            state="paid",
            rank=number,
            queued_at=now,
            paid_at=now,
        )
        for number in range(TICKETS // IN_ONE_ORDER)
    )
    lines = OrderLine.objects.bulk_create(
        OrderLine(order=order, position=position, ticket_type=kind, is_held=True)
        for order in orders
        for position in range(IN_ONE_ORDER)
    )
    LineChoice.objects.bulk_create(LineChoice(line=line, choice=beverage) for line in lines)
    tickets = Ticket.objects.bulk_create(
        Ticket(
            event=event,
            ticket_type=kind,
            line=line,
            holder_name=line.order.name,
            holder_email=line.order.email,
            short_code=f"T{number:05}",
            issued_at=now,
            state="used" if number < INSIDE else "valid",
        )
        for number, line in enumerate(lines)
    )
    entrance = scans.entrance_of(event)
    given = [passes.give(event, holder_name=f"Volunteer {number}", by=None) for number in range(PHONES)]
    Scan.objects.bulk_create(
        Scan(checkin_list=entrance, ticket=ticket, at=now, gate_pass=given[0][0], outcome="admitted")
        for ticket in tickets[:INSIDE]
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    outside = tickets[INSIDE : INSIDE + WARM_UP + SCANS]
    return (
        event.public_id,
        [reverse("checkin:pass", args=[secret]) for _gate_pass, secret in given],
        [credentials.sign(ticket) for ticket in outside],
    )


ROW = Row(
    name="redeem",
    what="codes posted to the door of an event with 5,000 tickets, by eight phones with gate passes",
    measure=measure,
)
