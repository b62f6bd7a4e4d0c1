"""The line of an event's waiting list: its lock, its rule, who stands in it, who may have what, and who was passed.

What both kinds of offers need: tickets that people sell (`waiting_offers`) and places of the event (`waiting_places`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import connection

from apps.accounts.kept import Kept
from apps.events.models import Event
from apps.resale.models import WaitingEntry, WaitingOffer, WaitingRule, WaitingSkip
from apps.resale.waiting_states import LIVE, ON_LIST, EntryState
from apps.ticketing import catalogue, reservations
from apps.ticketing.catalogue import TypeFacts
from apps.ticketing.context import ContextLine, PurchaseContext
from apps.ticketing.extensions import purchase_gates
from apps.ticketing.models import TicketType
from apps.ticketing.models.orders import LIST

LOCK_SPACE = 0x464C  # first half of the two-part advisory lock key: "the waiting list of event n"


def lock(event_id: int) -> None:
    """Hold an event's list until the transaction ends. After quotas, and before nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_SPACE, event_id])


def rule_of(event: Event) -> WaitingRule:
    """The event's rule; the defaults, unsaved, where it made none. One query, none with `waiting_rule` fetched."""
    try:
        return event.waiting_rule
    except WaitingRule.DoesNotExist:
        return WaitingRule(event=event)


def closes_at(event: Event) -> datetime:
    """When the list is over: nobody is offered anything once doors open."""
    return event.doors_at or event.starts_at


def is_open(event: Event, at: datetime) -> bool:
    """Whether one may join the list at this moment."""
    return rule_of(event).is_open and event.cancelled_at is None and at < closes_at(event)


def _is_kept(event_id: int) -> bool:
    return not WaitingRule.objects.filter(event_id=event_id, is_open=False).exists()


# The same rule for pages that thousands look at, at most a second old.
keeps_list: Kept[int, bool] = Kept(_is_kept, seconds=1.0)


def is_awaited(event_id: int) -> bool:
    """Whether anybody stands on the list of an event. One query."""
    return WaitingEntry.objects.filter(event_id=event_id, state=EntryState.WAITING).exists()


def entries_of(event_id: int) -> list[WaitingEntry]:
    """Everybody on the list, in the order of service, with the kinds of ticket they would take."""
    rows = WaitingEntry.objects.filter(event_id=event_id, state__in=ON_LIST)
    return list(rows.prefetch_related("types").order_by("rank", "pk"))


def busy_entries(event_id: int) -> set[int]:
    """Those with an offer to answer or to pay."""
    live = WaitingOffer.objects.filter(entry__event_id=event_id, state__in=LIVE)
    return set(live.values_list("entry_id", flat=True))


def context_of(
    entry: WaitingEntry, kinds: Sequence[TypeFacts], facts: catalogue.Catalogue, at: datetime
) -> PurchaseContext:
    """Who buys when this person takes these tickets from the list, and what, before choices they have yet to make."""
    return PurchaseContext(
        event_id=entry.event_id,
        currency=facts.currency,
        at=at,
        buyer_key=entry.buyer_key,
        user_id=entry.user_id,
        email=entry.email,
        locale=entry.locale,
        channel=LIST,
        lines=tuple(
            ContextLine(key, kind.id, kind.price_minor, kind.vat_percent, vat_split=kind.vat_split)
            for key, kind in enumerate(kinds)
        ),
    )


def may_have(entry: WaitingEntry, kinds: Sequence[TypeFacts], facts: catalogue.Catalogue, at: datetime) -> bool:
    """Whether limits and gates let this person have these tickets now. The queue asks again when they accept."""
    if facts.sign_in_required and entry.user_id is None:
        return False
    if not _gates_allow(context_of(entry, kinds, facts, at), kinds, at):
        return False
    return not reservations.why_too_many(facts, entry.buyer_key, Counter(kind.id for kind in kinds))


def _gates_allow(context: PurchaseContext, kinds: Sequence[TypeFacts], at: datetime) -> bool:
    allowed: set[int] = set()
    for gate in purchase_gates:
        answers = gate.prepare([context], at)
        opinions = [(line.key, gate.opinion(context, line, answers)) for line in context.lines]
        if any(opinion.allows is False for _key, opinion in opinions):
            return False
        allowed |= {key for key, opinion in opinions if opinion.allows}
    members = TicketType.Visibility.MEMBERS
    return all(key in allowed for key, kind in enumerate(kinds) if kind.visibility == members)


def note_skips(skipped: Mapping[int, str], ticket_type_id: int, at: datetime) -> None:
    """Remember why a place of this kind went past somebody: {entry id: reason}."""
    rows = [
        WaitingSkip(entry_id=pk, ticket_type_id=ticket_type_id, reason=reason, at=at)
        for pk, reason in sorted(skipped.items())
    ]
    WaitingSkip.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["entry", "ticket_type", "reason"], update_fields=["at"]
    )
