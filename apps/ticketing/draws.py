"""The draw: who enters in the organiser's window is ranked at random, so that the fastest finger wins nothing.

The house commits to a secret seed by showing its SHA-256 before the first entry, and publishes the seed after. An
entry's place is where HMAC-SHA256(seed, public id) sorts it, so that anybody can compute every rank again, without
our code: static/ticketing/check_draw.py, linked from the draw's page. What fixes the entries is the database's time at
their INSERT.

    window open: orders are queued without a rank    drawn: entries ranked, then whoever came between close and draw
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.events.models import Event
from apps.ticketing import bell, catalogue, clock
from apps.ticketing.models import Draw, Order

log = logging.getLogger(__name__)

# An order is written by one statement, which takes its time from the clock and commits at once. Whoever is still on the
# way at the close has this long to arrive.
GRACE_SECONDS = 3


class AlreadyEntered(Exception):
    """Somebody has entered: the draw cannot be moved or removed any more."""


class AlreadyHeld(Exception):
    """The draw was held: whoever came since bought first come, first served, and another draw would pass them by."""


def set_up(event: Event, closes_at: datetime) -> Draw:
    """Make the event's draw, or move it while nobody has entered. Raises AlreadyEntered or AlreadyHeld. Locks the draw.

    A new seed each time: the hash on the page is the commitment for this window and no other. Whoever buys within the
    second in which other processes still keep the old catalogue is served as before.
    """
    seed = secrets.token_bytes(32)
    with transaction.atomic():
        draw = Draw.objects.select_for_update().filter(event=event).first() or Draw(event=event)
        if draw.pk and draw.orders.exists():
            raise AlreadyEntered
        if draw.drawn_at is not None:
            raise AlreadyHeld
        draw.closes_at, draw.seed, draw.seed_hash = closes_at, seed.hex(), commitment(seed)
        draw.save()
    catalogue.forget()
    return draw


def remove(draw: Draw) -> None:
    """Go back to first come, first served. Raises AlreadyEntered. Locks the draw."""
    with transaction.atomic():
        locked = Draw.objects.select_for_update().get(pk=draw.pk)
        if locked.orders.exists():
            raise AlreadyEntered
        locked.delete()
    catalogue.forget()


def commitment(seed: bytes) -> str:
    """What is shown before the draw: the SHA-256 of the seed, in hex."""
    return hashlib.sha256(seed).hexdigest()


def in_drawn_order(seed: bytes, entries: Iterable[UUID]) -> list[UUID]:
    """The entries by rank: sorted by HMAC-SHA256 of the seed over the entry as it is written, with hyphens."""
    return sorted(entries, key=lambda entry: hmac.digest(seed, str(entry).encode(), "sha256"))


def hold_due() -> list[int]:
    """Hold every draw whose window is over, and rank whoever came after; the events that may be served now.

    Run every two seconds by the sweeper. Safe in several processes at once: each draw is held once.
    """
    at = clock.now()
    due = Draw.objects.filter(drawn_at__isnull=True, closes_at__lte=at - timedelta(seconds=GRACE_SECONDS))
    late = Draw.objects.filter(drawn_at__isnull=False, orders__rank__isnull=True).distinct()
    served = []
    for draw in [*due.defer("seed"), *late.defer("seed")]:
        try:
            if hold(draw):
                served.append(draw.event_id)
                bell.ring(draw.event_id)
        except Exception:  # its entries wait until an operator has mended it; everybody else's sale goes on
            log.exception("the draw of event %s cannot be held", draw.event_id)
    return served


def hold(draw: Draw) -> bool:
    """Rank the entries of a draw, once, then everybody without a rank who came later, in the order they came.

    False when its window is not over. Locks the draw, then its orders by id. Entries that were given up keep their
    place in the list, so that the published list is the whole list. Next: queue.drain.
    """
    with transaction.atomic():
        locked = Draw.objects.select_for_update().get(pk=draw.pk)
        at = clock.now()
        if at < locked.closes_at:
            return False
        if locked.drawn_at is None:
            entries = dict(_unranked(locked, before=locked.closes_at).values_list("public_id", "pk"))
            drawn = in_drawn_order(bytes.fromhex(locked.seed), entries)
            _rank([entries[public_id] for public_id in drawn], is_drawn=True)
            locked.drawn_at, locked.entries = at, len(drawn)
            locked.save(update_fields=["drawn_at", "entries"])
            log.info("the draw of event %s ranked %s entries", locked.event_id, len(drawn))
        _rank(list(_unranked(locked).values_list("pk", flat=True)), is_drawn=False)
    catalogue.forget()
    return True


def published(draw: Draw) -> dict[str, Any]:
    """What everybody may read: before the draw the commitment and the window, after it the seed and every entry.

    Entries are opaque: the public id of an order says nothing about its buyer. One query.
    """
    facts: dict[str, Any] = {
        "format": "foyer-draw-1",
        "event": str(draw.event.public_id),
        "closes_at": draw.closes_at.isoformat(),
        "seed_sha256": draw.seed_hash,
        "drawn_at": draw.drawn_at.isoformat() if draw.drawn_at else None,
    }
    if draw.drawn_at is not None:
        drawn = draw.orders.filter(draw_rank__isnull=False).order_by("draw_rank")
        facts["number"] = draw.entries
        facts["seed"] = draw.seed
        facts["entries"] = [
            {"rank": rank, "entry": str(public_id)} for rank, public_id in drawn.values_list("draw_rank", "public_id")
        ]
    return facts


def _unranked(draw: Draw, *, before: datetime | None = None) -> Any:
    orders = Order.objects.filter(draw=draw, rank__isnull=True).order_by("queued_at", "pk")
    return orders.filter(queued_at__lt=before) if before else orders


def _rank(ids: list[int], *, is_drawn: bool) -> None:
    """Give these orders the next ranks of the queue, in this order. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH ranks AS (SELECT row_number() OVER (ORDER BY n) AS place, n FROM ("
            " SELECT nextval('ticketing_rank') AS n FROM generate_series(1, cardinality(%s::bigint[]))) AS taken)"
            " UPDATE ticketing_order o SET rank = ranks.n, draw_rank = CASE WHEN %s THEN ranks.place END"
            " FROM unnest(%s::bigint[]) WITH ORDINALITY AS wanted(id, place) JOIN ranks USING (place)"
            " WHERE o.id = wanted.id",
            [ids, is_drawn, ids],
        )
