"""Finding orders again by the address they were bought with: for a person's own pages, and by a mail to that address.

Whoever asks on the public page is told the same whatever is known of the address, in the same time: what is written
down is one row, and a worker looks, later. The answer goes to the address alone. It is written to at most once in ten
minutes and five times a day, counted in PostgreSQL; where somebody asks from is counted too, so high that a campus
behind one address never meets it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.db import connection, transaction

from apps.accounts.keyring import blind_index, normalise_email
from apps.ticketing import clock, ordering, outbox
from apps.ticketing.models import Effect, Order, Ticket
from apps.ticketing.states import TicketState

KIND = "mail.find"
EVERY_SECONDS = 600
A_DAY = 5
MOST_LISTED = 40
STILL_FOUND = timedelta(days=90)  # after the event; as long as the people of an order are known
KEPT = (TicketState.VALID, TicketState.HELD, TicketState.USED, TicketState.BLOCKED)
ASKED_FROM_ONE_PLACE, WITHIN_SECONDS = 600, 3600

_BY_EVENT = """
SELECT o.id FROM events_event event JOIN ticketing_order o ON o.event_id = event.id
WHERE event.ends_at > %s AND lower(o.email) = lower(%s) AND o.channel NOT IN ('change', 'gift')
ORDER BY event.starts_at DESC, o.id DESC LIMIT %s
"""
_GUESTS = """
SELECT o.id FROM events_event event JOIN ticketing_order o ON o.event_id = event.id AND o.buyer_key = ANY(%s)
WHERE o.user_id IS NULL AND lower(o.email) = ANY(%s)
"""


def seconds_to_wait(place: str) -> int:
    """Count one more question from this network address; 0 while it may ask, else in how many seconds it may again.
    Nobody waits while Redis is away."""
    counter: Any = cache  # the house's own: config.cache
    count, left = counter.tally(f"find:{blind_index('place', place)}", WITHIN_SECONDS)
    return max(left, 1) if count > ASKED_FROM_ONE_PLACE else 0


def ask(email: str, *, locale: str) -> None:
    """Have the links of everything bought under `email` mailed there. One INSERT, whatever is known of the address.
    Next: mails.found_letter."""
    number = int(clock.now().timestamp()) // EVERY_SECONDS
    with transaction.atomic():
        outbox.add(KIND, key=f"{_key(email)}{number}", payload={"to": email, "locale": locale})


def is_asked_too_often(effect: Effect, email: str) -> bool:
    """Whether this address was written to often enough today. One query, by the beginning of the effects' key."""
    lately = effect.created_at - timedelta(days=1)
    earlier = Effect.objects.filter(key__startswith=_key(email), pk__lt=effect.pk, created_at__gt=lately)
    return earlier.count() >= A_DAY


def _key(email: str) -> str:
    return f"{KIND}:{blind_index('find', normalise_email(email))[:40]}:"


def orders_of_address(email: str) -> list[Order]:
    """The orders bought under exactly this address to events that are not long over, the latest event first."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_EVENT, [clock.now() - STILL_FOUND, email, MOST_LISTED])
        ids = [pk for (pk,) in cursor.fetchall()]
    found = Order.objects.select_related("event__organisation").in_bulk(ids)
    return [found[pk] for pk in ids]


def tickets_of_address(email: str) -> list[Ticket]:
    """The tickets that somebody gave to exactly this address and that are good still, of events that are not over. One
    query."""
    given = Ticket.objects.filter(line__owner_key=ordering.buyer_key(None, email), holder_email__iexact=email)
    to_come = given.filter(state__in=KEPT, event__ends_at__gt=clock.now())
    return list(
        to_come.select_related("event__organisation", "ticket_type").order_by("event__starts_at", "pk")[:MOST_LISTED]
    )


def guest_orders(emails: Sequence[str]) -> list[int]:
    """The orders that were bought without an account under one of these addresses, in lower case and proved by whoever
    is shown them. One query, none without an address."""
    if not emails:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_GUESTS, [buyer_keys(emails), list(emails)])
        return [pk for (pk,) in cursor.fetchall()]


def buyer_keys(emails: Iterable[str]) -> list[str]:
    """The keys under which people without an account at these addresses are counted."""
    return sorted({ordering.buyer_key(None, email) for email in emails})
