"""Presale links: made, changed, revoked, and what they keep of an event's places.

Every verb locks the quotas of the event by id and then the links by id, in the house's order; `allotment` counts what
the queue takes under the same locks. `Quota.set_aside` is written by ticketing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, Sum

from apps.discounts.models import PresaleLink, PresaleStock
from apps.events.models import Event
from apps.ticketing import clock, reservations
from apps.ticketing.models import OrderLine, TicketType

SLUG = "presale"
TOKEN = "link:"


class ChangedMeanwhile(Exception):
    """Somebody else changed the link since this form was made. Nothing was saved; `link` is as it is now."""

    def __init__(self, link: PresaleLink) -> None:
        super().__init__(link.pk)
        self.link = link


class BelowUsed(Exception):
    """A link cannot be made good for fewer tickets than are held or sold through it. Nothing was saved."""

    def __init__(self, link: PresaleLink) -> None:
        super().__init__(link.pk)
        self.link = link


def line_name(link: PresaleLink) -> str:
    """What an order line remembers that was bought through this link."""
    return f"{SLUG}:{link.pk}"


def is_over(link: PresaleLink, at: datetime, *, event_ends_at: datetime | None = None) -> bool:
    """Whether nobody can begin to buy through it any more."""
    ends = [moment for moment in (link.closes_at, event_ends_at) if moment is not None]
    return link.revoked_at is not None or any(moment <= at for moment in ends)


def create(event: Event, *, types: Iterable[TicketType], **facts: Any) -> PresaleLink:
    """A new link with a secret of its own. Raises reservations.TooFewLeft when its places cannot be set aside; then
    there is no link."""
    with transaction.atomic():
        reservations.lock_quotas(event.pk)
        link = PresaleLink.objects.create(event=event, created_at=clock.now(), **facts)
        link.ticket_types.set(types)
        settle_stock([link])
    return link


def change(link: PresaleLink, *, seen: int, types: Iterable[TicketType], **facts: Any) -> PresaleLink:
    """Change what an editor may change, and keep as many places as that takes. `seen` is the edition they looked at.

    Raises ChangedMeanwhile, BelowUsed or reservations.TooFewLeft, having changed nothing.
    """
    with transaction.atomic():
        reservations.lock_quotas(link.event_id)
        now = PresaleLink.objects.select_for_update().get(pk=link.pk)
        if now.edition != seen or now.revoked_at is not None:
            raise ChangedMeanwhile(now)
        if facts.get("size", now.size) < now.used:
            raise BelowUsed(now)
        for name, value in facts.items():
            setattr(now, name, value)
        now.edition += 1
        now.save()
        now.ticket_types.set(types)
        settle_stock([now])
    return now


def revoke(link: PresaleLink) -> bool:
    """End a link at once; its places go back to everybody. What is held or sold through it stays. False when it was
    revoked before."""
    with transaction.atomic():
        reservations.lock_quotas(link.event_id)
        now = PresaleLink.objects.select_for_update().get(pk=link.pk)
        if now.revoked_at is not None:
            return False
        now.revoked_at = clock.now()
        now.edition += 1
        now.save(update_fields=["revoked_at", "edition"])
        settle_stock([now])
    return True


def return_lapsed(event_id: int, at: datetime) -> None:
    """Give back what links of an event keep that are over. Looks before it locks; then asks as often for one link as
    for a thousand."""
    if not _lapsed(at).filter(event_id=event_id).exists():
        return
    with transaction.atomic():
        reservations.lock_quotas(event_id)
        lapsed = _lapsed(at).filter(event_id=event_id).select_for_update(of=("self",)).order_by("pk")
        stock = PresaleStock.objects.filter(link__in=list(lapsed.values_list("pk", flat=True)), count__gt=0)
        sums = stock.order_by().values_list("quota").annotate(n=Sum("count"))
        returned = {quota_id: -count for quota_id, count in sums}
        if returned:
            stock.update(count=0)
            reservations.set_aside(event_id, returned, at)


def return_all_lapsed() -> None:
    """The same for every event; run by cron every few seconds."""
    at = clock.now()
    for event_id in sorted(set(_lapsed(at).values_list("event_id", flat=True))):
        return_lapsed(event_id, at)


def _lapsed(at: datetime) -> Any:
    over = (
        Q(closes_at__lte=at)
        | Q(revoked_at__isnull=False)
        | Q(event__ends_at__lte=at)
        | Q(event__cancelled_at__isnull=False)
    )
    keeping = PresaleStock.objects.filter(count__gt=0).values("link")
    return PresaleLink.objects.filter(over, pk__in=keeping)


def settle_stock(links: Iterable[PresaleLink]) -> None:
    """Keep for each link what it should keep now: `size` places of each quota its types draw on, less what was bought
    through it there; nothing for a link that is over, or that sets nothing aside.

    The quotas and the links are locked. All are of one event. Raises reservations.TooFewLeft.
    """
    at = clock.now()
    changes: Counter[int] = Counter()
    event_id = None
    for link in links:
        event_id = link.event_id
        wanted = _wanted_stock(link, at)
        rows = {row.quota_id: row for row in link.stock.all()}
        for quota_id in sorted({*wanted, *rows}):
            row = rows.get(quota_id) or PresaleStock(link=link, quota_id=quota_id)
            difference = wanted.get(quota_id, 0) - row.count
            if difference:
                changes[quota_id] += difference
                row.count += difference
                row.save()
    changes = Counter({quota_id: count for quota_id, count in changes.items() if count})
    if changes and event_id is not None:
        reservations.set_aside(event_id, changes, at)


def _wanted_stock(link: PresaleLink, at: datetime) -> dict[int, int]:
    event = link.event
    if not link.sets_aside or event.cancelled_at is not None or is_over(link, at, event_ends_at=event.ends_at):
        return {}
    through = TicketType.quotas.through.objects
    quotas = set(through.filter(tickettype__in=link.ticket_types.all()).values_list("quota_id", flat=True))
    bought = Counter(
        OrderLine.objects.filter(allotment=line_name(link), is_held=True).values_list("ticket_type__quotas", flat=True)
    )
    return {quota_id: max(0, link.size - bought[quota_id]) for quota_id in quotas}
