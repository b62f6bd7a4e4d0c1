"""How the sale of one event moves: what waiting buyers are told. Kept as a count, since counting would take longer with
every order.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

RATE_SECONDS = 10
# Holds are counted up to here: beyond it nobody's odds change, and counting them all would take ever longer.
HELD_COUNTED = 10_000

_NOTE = """
INSERT INTO ticketing_queuepace AS pace (event_id, decided, marks)
VALUES (%(event)s, %(decided)s, jsonb_build_array(jsonb_build_array(extract(epoch FROM foyer_now())::bigint, 0)))
ON CONFLICT (event_id) DO UPDATE SET decided = pace.decided + excluded.decided, marks = (
        SELECT coalesce(jsonb_agg(mark ORDER BY mark->0), '[]') FROM jsonb_array_elements(pace.marks) AS mark
        WHERE (mark->>0)::bigint BETWEEN (excluded.marks->0->>0)::bigint - %(seconds)s
            AND (excluded.marks->0->>0)::bigint - 1
    ) || coalesce(
        (SELECT jsonb_build_array(mark) FROM jsonb_array_elements(pace.marks) AS mark
            WHERE mark->0 = excluded.marks->0->0),
        jsonb_build_array(jsonb_build_array(excluded.marks->0->0, pace.decided))
    )
"""

_READ = """
SELECT coalesce(pace.decided, 0),
    coalesce(pace.decided - (
        SELECT min((mark->>1)::bigint) FROM jsonb_array_elements(pace.marks) AS mark
        WHERE (mark->>0)::bigint > extract(epoch FROM foyer_now())::bigint - %(seconds)s
    ), 0),
    (SELECT count(*) FROM (
        SELECT FROM ticketing_order WHERE event_id = %(event)s AND state IN ('reserved', 'offered') LIMIT %(most)s
    ) AS held)
FROM (SELECT %(event)s::bigint AS id) AS wanted LEFT JOIN ticketing_queuepace pace ON pace.event_id = wanted.id
"""


@dataclass(frozen=True)
class Progress:
    """How a sale moves: orders decided so far, per second lately, and orders that hold places unpaid (at most 10,000
    of them are counted)."""

    decided: int
    rate: float
    held: int


def note(event_id: int, decided: int) -> None:
    """Count orders of the queue that were decided just now. In their transaction; locks the event's one row.

    A mark remembers, for each of the last ten seconds, how many had been decided before it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, {"event": event_id, "decided": decided, "seconds": RATE_SECONDS})


def of(event_id: int) -> Progress:
    """How the sale of one event moves. One query, whose cost does not grow with the orders."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, {"event": event_id, "seconds": RATE_SECONDS, "most": HELD_COUNTED})
        decided, lately, held = cursor.fetchone()
    return Progress(decided=decided, rate=lately / RATE_SECONDS, held=held)
