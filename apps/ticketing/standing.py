"""How a sale stands, for everybody who waits for it: told while it moves, so that an open page stays true by itself.

The queue tells what it decides with each batch. What moves besides (holds that end, payments, people who leave) is
found by looking every two seconds at the events in which somebody waits, and told only when it changed.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db import connection

from apps.accounts.kept import Kept
from apps.ticketing import catalogue, live, progress
from apps.ticketing.models import Order, OrderLine

_WAITED_FOR = """
SELECT event.id, event.public_id FROM events_event event WHERE event.ends_at > foyer_now() AND EXISTS (
    SELECT 1 FROM ticketing_order o WHERE o.event_id = event.id AND o.state IN ('queued', 'waiting')
        AND o.rank IS NOT NULL)
ORDER BY event.id
"""
_HELD_BY_QUOTA = """
WITH held AS MATERIALIZED (
    SELECT l.id, l.ticket_type_id FROM ticketing_order o JOIN ticketing_orderline l ON l.order_id = o.id AND l.is_held
    WHERE o.event_id = %s AND o.state IN ('reserved', 'offered') AND l.fulfilment NOT IN ('change', 'difference')
)
SELECT q.public_id, sum(drawn.places) FROM (
    SELECT by_type.quota_id, 1 AS places FROM held
    JOIN ticketing_tickettype_quotas by_type ON by_type.tickettype_id = held.ticket_type_id
    UNION ALL
    SELECT by_choice.quota_id, c.quantity FROM held JOIN ticketing_linechoice c ON c.line_id = held.id
    JOIN ticketing_choice_quotas by_choice ON by_choice.choice_id = c.choice_id
) AS drawn JOIN ticketing_quota q ON q.id = drawn.quota_id
GROUP BY q.public_id
"""
_WAITING = "SELECT count(*) FROM ticketing_order WHERE event_id = %s AND state = 'waiting'"

_BY_QUOTA = ("quotas", "held_quotas")

# What this process told last of each event; a second cron tells the same once more, which changes nothing.
_told: dict[UUID, dict[str, Any]] = {}


def held_by_quota(event_id: int) -> dict[str, int]:
    """Places held and not paid yet by the public id of each quota: those that may come back."""
    with connection.cursor() as cursor:
        cursor.execute(_HELD_BY_QUOTA, [event_id])
        return {str(quota): held for quota, held in cursor.fetchall()}


def of(event_id: int) -> dict[str, Any]:
    """Everything an open page of one event needs: decided, rate, held (orders), quotas (left by public id),
    held_quotas (places), waiting (orders). Four queries. All quotas are in it, hidden ones too: told by `told_to`."""
    return {**asdict(progress.of(event_id)), **_room(event_id)}


# The same for pages, at most a second old: thousands may ask in one.
shown: Kept[int, dict[str, Any]] = Kept(of, seconds=1.0)


def told_to(order: Order) -> dict[str, Any]:
    """How the sale stands, as whoever has this order may know it: of the quotas that everybody sees, and of those that
    it draws on itself. One query more where some are hidden."""
    now, facts = shown(order.event_id), catalogue.load(order.event_id)
    names = facts.for_all_quotas
    if not now["quotas"].keys() <= names:
        names |= facts.quotas_of(set(OrderLine.objects.filter(order=order).values_list("ticket_type_id", flat=True)))
    return _only(now, names)


def _only(now: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    by_quota = {key: {quota: count for quota, count in now[key].items() if quota in names} for key in _BY_QUOTA}
    return {**now, **by_quota}


def _room(event_id: int) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [event_id])
        waiting = cursor.fetchone()[0]
    return {
        "quotas": live.left_by_quota(event_id),
        "held_quotas": held_by_quota(event_id),
        "waiting": waiting,
    }


def tell() -> int:
    """Tell the open pages of every event in which somebody waits how it stands, where that changed; how many events.

    Runs every two seconds. Reads only; never raises for Redis. Next: config.live hands it to the open streams.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WAITED_FOR)
        waited_for = cursor.fetchall()
    changed = 0
    for event_id, public_id in waited_for:
        room = _only(_room(event_id), catalogue.load(event_id).for_all_quotas)
        if _told.get(public_id) != room:
            _told[public_id] = room
            live.announce(public_id, [], {**asdict(progress.of(event_id)), **room})
            changed += 1
    for gone in _told.keys() - {public_id for _event_id, public_id in waited_for}:
        del _told[gone]
    return changed
