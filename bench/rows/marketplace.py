"""The marketplace with ten thousand tickets for sale, rendered anew for each visitor."""

from __future__ import annotations

from collections.abc import Sequence

from bench import reselling
from bench.frame import Figure, Row
from bench.house import House
from bench.rows import event_list

LISTINGS = 10_000


def pages() -> Sequence[tuple[str, str, int | None]]:
    """What is asked for: name, address, and the most milliseconds (p95)."""
    from apps.events.models import Event

    event = Event.objects.get(title_sv="Kväll 7")
    return (
        ("the marketplace", "/sv/resale/", 100),
        ("a page in its middle", "/sv/resale/?page=208", 100),
        ("its last page", "/sv/resale/?page=417", 100),
        ("dearest first", "/sv/resale/?sort=-price", 100),
        ("soonest first", "/sv/resale/?sort=date", 100),
        ("by a range of prices", "/sv/resale/?from=150&to=200", 100),
        ("by an event", f"/sv/resale/?event={event.public_id}", 100),
        ("a word", "/sv/resale/?q=kvall+glogg", 100),
    )


def measure(house: House) -> Sequence[Figure]:
    """The time to the whole answer, one visitor at a time."""
    from django.db import connection

    from apps.ticketing import clock
    from apps.ticketing.models import TicketType

    event_list.prepare()
    coming = TicketType.objects.filter(event__starts_at__gt=clock.now()).select_related("event").order_by("pk")
    reselling.put_up(list(coming), LISTINGS)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return event_list.time_pages(house, pages())


ROW = Row(
    name="marketplace",
    what=f"the marketplace with {LISTINGS:,} tickets for sale, by price, date, event and word",
    measure=measure,
    floor_connections=1,
)
