"""What the rows about selling share: an event that is sold, its orders by the ten thousand, and the work they cost."""

from __future__ import annotations

import http.client
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import psutil

if TYPE_CHECKING:
    from apps.events.models import Event
    from apps.ticketing.models import Choice, TicketType

MOST_PER_PERSON = 2


@dataclass(frozen=True)
class Shop:
    """An event with one type: a choice that must be made, a limit per person, and one quota."""

    event: Event
    kind: TicketType
    beverage: Choice


def open_shop(*, places: int, event: Event | None = None, **values: Any) -> Shop:
    """A type with so many places, of `event` or of an event of its own."""
    from tests import factories

    event = event or factories.event()
    kind = factories.ticket_type(
        event, factories.quota(event, places), name_en="Dinner", max_per_person=MOST_PER_PERSON, **values
    )
    return Shop(event, kind, factories.choice(factories.variation(kind), name_en="Cider", delta_minor=500))


# Every second order wants two tickets; each buyer has ordered once, and each ticket comes with a choice.
_ORDERS = """
WITH placed AS (
    INSERT INTO ticketing_order (public_id, organisation_id, event_id, currency, reference, secret, idempotency_key,
        buyer_key, email, name, locale, terms_version, tokens, channel, fewer_is_fine, state, reason, rank, queued_at,
        decided_at, reserved_until, paid_at, was_extended, tries, total_minor, request_id)
    SELECT gen_random_uuid(), %(organisation)s, %(event)s, 'SEK',
        upper(right(md5('r' || rank), 8)), md5('s' || rank) || md5('t' || rank),
        'bench-' || rank, encode(sha256(('b' || rank)::bytea), 'hex'), 'buyer' || rank || '@example.org', '', 'sv', '',
        '[]', 'web', false, %(state)s, '', rank, foyer_now(),
        CASE WHEN %(state)s <> 'queued' THEN foyer_now() - interval '1 day' END,
        CASE WHEN %(state)s IN ('reserved', 'offered') THEN foyer_now() + interval '1 day' END,
        CASE WHEN %(state)s IN ('paid', 'refunded') THEN foyer_now() END, false, 0, 0, ''
    FROM (SELECT nextval('ticketing_rank') AS rank FROM generate_series(1, %(count)s)) AS ranks
    ON CONFLICT (reference) DO NOTHING
    RETURNING id, rank
), wanted AS (
    INSERT INTO ticketing_orderline (public_id, order_id, position, ticket_type_id, fulfilment, subject, is_wanted,
        is_held, list_minor, price_minor, vat_percent, vat_minor, guest_name)
    SELECT gen_random_uuid(), id, place, %(kind)s, 'issue', '', true, false, 0, 0, 0, 0, ''
    FROM placed CROSS JOIN generate_series(0, (rank %% 2)::int) AS place
    RETURNING id
), chosen AS (
    INSERT INTO ticketing_linechoice (line_id, choice_id, quantity, delta_minor)
    SELECT id, %(choice)s, 1, %(delta)s FROM wanted
)
SELECT count(*) FROM placed
"""


def fill(shop: Shop, count: int, *, state: str = "queued") -> int:
    """Write about `count` orders of one or two tickets as `ordering.place` would have, in `state` and holding nothing.

    How many there are: a reference that exists already is left out.
    """
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            _ORDERS,
            {
                "organisation": shop.event.organisation_id,
                "event": shop.event.pk,
                "kind": shop.kind.pk,
                "choice": shop.beverage.pk,
                "delta": shop.beverage.delta_minor,
                "state": state,
                "count": count,
            },
        )
        return cursor.fetchone()[0]


def settle_down() -> None:
    """Leave the tables as autovacuum would, and the log written out, so that filling them costs the row nothing.

    It never comes to a table that is empty: who counted its rows would know that all ways through them are equally
    short.
    """
    from django.db import connection

    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT EXISTS (SELECT FROM "{table}")')
            if cursor.fetchone()[0]:
                cursor.execute(f'VACUUM ANALYZE "{table}"')
        cursor.execute("CHECKPOINT")


class Guest:
    """A browser of one guest at a time, as far as the site can tell: one kept connection, forms read before they are
    sent, redirects left alone."""

    def __init__(self, site_url: str, shop: Shop) -> None:
        from django.urls import reverse
        from django.utils.translation import override

        parts = urlsplit(site_url)
        self.origin = site_url
        self.connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        with override("en"):
            self.form_address = reverse("ticketing:form", args=[shop.event.public_id])
        variation = shop.beverage.variation
        self.wish = {
            f"type-{shop.kind.public_id}": "1",
            f"choice-{shop.kind.public_id}-1-{variation.public_id}": str(shop.beverage.public_id),
            "fewer_is_fine": "1",
        }

    def get(self, address: str, **headers: str) -> tuple[http.client.HTTPResponse, str]:
        """The page at an address of the site, which must be there."""
        return self._ask("GET", address, b"", headers, expected=200)

    def choose(self, email: str) -> Wish:
        """Load the form and fill it in; nothing is sent yet."""
        response, page = self.get(self.form_address, **{"HX-Request": "true"})
        cookie = "; ".join(value.split(";")[0] for value in response.headers.get_all("Set-Cookie") or [])
        hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page))
        assert {"csrfmiddlewaretoken", "idempotency_key"} <= hidden.keys(), page
        return Wish(urlencode({**hidden, **self.wish, "email": email}).encode(), cookie)

    def send(self, wish: Wish) -> str:
        """Send the form: the address of the order, which waits in the queue."""
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": wish.cookie,
            "Origin": self.origin,
        }
        response, _page = self._ask("POST", self.form_address, wish.form, headers, expected=303)
        return response.headers["Location"]

    def _ask(
        self, method: str, address: str, body: bytes, headers: dict[str, str], *, expected: int
    ) -> tuple[http.client.HTTPResponse, str]:
        self.connection.request(method, address, body, headers)
        response = self.connection.getresponse()
        page = response.read().decode()
        assert response.status == expected, f"{method} {address}: {response.status} {page[:2000]}"
        return response, page


@dataclass(frozen=True)
class Wish:
    """A form filled in: what is posted, with the cookie it came with."""

    form: bytes
    cookie: str


def wait_until_decided(address: str, *, seconds: float = 10, every_seconds: float = 0.0005) -> None:
    """Look at an order until the queue has decided it. AssertionError when that takes longer than `seconds`."""
    from django.db import connection

    reference = address.rstrip("/").rsplit("/", 2)[1]
    deadline = time.monotonic() + seconds
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT state FROM ticketing_order WHERE reference = %s", [reference])
            if cursor.fetchone()[0] != "queued":
                return
            assert time.monotonic() < deadline, f"{address} is not decided after {seconds} s"
            time.sleep(every_seconds)


class Work:
    """CPU used by this process and the PostgreSQL process that serves it, between the ends of a `with measured()`."""

    seconds = 0.0


@contextmanager
def on_one_core() -> Iterator[None]:
    """Keep this process and its PostgreSQL connection on the same core."""
    backend = _backend()
    usual, usual_backend = os.sched_getaffinity(0), backend.cpu_affinity()
    core = max(usual)
    os.sched_setaffinity(0, {core})
    backend.cpu_affinity([core])
    try:
        yield
    finally:
        os.sched_setaffinity(0, usual)
        backend.cpu_affinity(usual_backend)


@contextmanager
def measured() -> Iterator[Work]:
    """The CPU used by this process and its PostgreSQL connection until the end of the block."""
    work, processes = Work(), (psutil.Process(), _backend())
    begun = [process.cpu_times() for process in processes]
    yield work
    ended = [process.cpu_times() for process in processes]
    work.seconds = sum(b.user + b.system - a.user - a.system for a, b in zip(begun, ended, strict=True))


def _backend() -> psutil.Process:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return psutil.Process(cursor.fetchone()[0])
