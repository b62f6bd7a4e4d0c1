"""Places of the event itself for those on its waiting list: what came back after the sale was sold out or over.

They are kept for an offer as a presale link keeps places (`Quota.set_aside`), so nobody else is sold them while it is
answered, and the order that accepts it takes them in the queue under the quotas' lock like any other. An offer that
ends gives them back: to whoever waits in line, then to the next on the list, then to everybody.

A place has no name, so that nobody is asked about the same one twice by counting: `arrivals` of a quota are its returns
less those that the list gave back itself. Who passed an offer is asked again once there are more arrivals than then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from apps.events.models import Event
from apps.resale import waiting_line, waiting_mails, waiting_time
from apps.resale import waiting_reasons as reasons
from apps.resale.models import Echo, KeptPlaces, WaitingEntry, WaitingOffer
from apps.resale.waiting_states import EntryState
from apps.ticketing import catalogue, ordering, reservations
from apps.ticketing.catalogue import Catalogue, TypeFacts
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.models import Quota

SLUG = "waiting"
TOKEN = "waiting:"


@dataclass(frozen=True)
class Pick:
    """What goes with one ticket: (choice id, quantity) pairs, and whose it is where the kind asks for a name."""

    choices: tuple[tuple[int, int], ...] = ()
    guest_name: str = ""


def token_of(offer: WaitingOffer) -> str:
    """What the order that accepts an offer carries."""
    return f"{TOKEN}{offer.public_id}"


def wanted(offer: WaitingOffer, picks: Sequence[Pick]) -> list[ordering.WantedTicket]:
    """The tickets of an offer as an order asks for them; those nothing is picked for go without choices."""
    assert offer.ticket_type_id is not None
    given = [*picks, *[Pick()] * offer.quantity][: offer.quantity]
    return [ordering.WantedTicket(offer.ticket_type_id, pick.choices, pick.guest_name) for pick in given]


# --- Whom to offer what --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Planned:
    entry: WaitingEntry
    kind: TypeFacts
    number: int


@dataclass(frozen=True)
class _Plan:
    offers: tuple[_Planned, ...]
    skipped: Mapping[int, Mapping[int, str]]  # {ticket type: {entry id: reason}}


def _plan(event: Event, at: datetime) -> _Plan:
    """What would be offered now, by rank. Reads only; sure when the quotas and the list are locked."""
    facts = catalogue.load(event.pk, fresh=True)
    if facts.is_cancelled or at >= waiting_line.closes_at(event):
        return _Plan((), {})
    left, arrivals = catalogue.stock(event.pk), _arrivals(event.pk)
    busy = waiting_line.busy_entries(event.pk)
    sells_after = waiting_line.rule_of(event).sells_after
    planned: list[_Planned] = []
    skipped: dict[int, dict[int, str]] = {}
    before: list[WaitingEntry] = []
    for entry in waiting_line.entries_of(event.pk):
        own = {row.pk for row in entry.types.all()}
        found = None
        for kind in facts.types:
            most = min(catalogue.left_of(kind, left), kind.max_per_order)
            if kind.id not in own or most < 1 or (kind.opens_at is not None and at < kind.opens_at):
                continue
            why = _why_not(entry, kind, most, busy, arrivals)
            why = why or ("" if sells_after or not _is_over(facts, kind, at) else reasons.NOT_SOLD)
            number = min(entry.wanted, most)
            if not why and not waiting_line.may_have(entry, [kind] * number, facts, at):
                why = reasons.NOT_ALLOWED
            if not why:
                found = _Planned(entry, kind, number)
                break
            skipped.setdefault(kind.id, {})[entry.pk] = why
        if found is None:
            before.append(entry)
            continue
        planned.append(found)
        for quota_id in found.kind.quota_ids:
            left[quota_id] -= found.number
        for passed in before:
            if found.kind.id not in {row.pk for row in passed.types.all()}:
                skipped.setdefault(found.kind.id, {})[passed.pk] = reasons.NOT_THIS_KIND
    return _Plan(tuple(planned), skipped)


def _is_over(facts: Catalogue, kind: TypeFacts, at: datetime) -> bool:
    return facts.is_ended or (kind.closes_at is not None and kind.closes_at <= at)


def _why_not(entry: WaitingEntry, kind: TypeFacts, most: int, busy: set[int], arrivals: Mapping[int, int]) -> str:
    if entry.state != EntryState.WAITING:
        return reasons.NOT_CONFIRMED
    if entry.pk in busy:
        return reasons.HAS_OFFER
    if any(entry.passed.get(str(pk), -1) >= arrivals.get(pk, 0) for pk in kind.quota_ids):
        return reasons.DECLINED_BEFORE
    needs = entry.wanted if entry.all_or_nothing else max(1, kind.min_per_order)
    return reasons.TOO_FEW if most < needs or min(entry.wanted, most) < kind.min_per_order else ""


def _arrivals(event_id: int) -> dict[int, int]:
    """{quota id: returns of places that did not come from the list itself}."""
    rows = Quota.objects.filter(event_id=event_id).values_list("pk", "returns", "echo__count")
    return {pk: returns - (echo or 0) for pk, returns, echo in rows}


def offer(event_id: int, at: datetime) -> None:
    """Keep what is left for those on the list whom it fits, by rank, and offer it to them. Under the event's lock, in
    a transaction; locks the quotas and the list. Next: the mail; `waiting_offers.accept`, `decline` or `lapse_due`."""
    reservations.lock_quotas(event_id)
    waiting_line.lock(event_id)
    event = Event.objects.select_related("waiting_rule", "organisation").get(pk=event_id)
    plan = _plan(event, at)
    hours = waiting_line.rule_of(event).answer_hours
    until = waiting_time.answer_until(at, hours=hours, closes_at=waiting_line.closes_at(event), zone=event.zone)
    changes: Counter[int] = Counter()
    for one in plan.offers:
        made = WaitingOffer.objects.create(
            entry=one.entry, ticket_type_id=one.kind.id, quantity=one.number, offered_at=at, answer_until=until
        )
        places = dict.fromkeys(one.kind.quota_ids, one.number)
        KeptPlaces.objects.bulk_create(KeptPlaces(offer=made, quota_id=pk, count=n) for pk, n in places.items())
        changes.update(places)
        waiting_mails.offered(made)
    if changes:
        reservations.set_aside(event_id, changes, at)
    for kind_id, skipped in sorted(plan.skipped.items()):
        waiting_line.note_skips(skipped, kind_id, at)
    crashpoint("waiting.kept")


def could_take(event_id: int, at: datetime) -> bool:
    """Whether something is left that somebody on the list would be offered: a look without locks."""
    event = Event.objects.select_related("waiting_rule").get(pk=event_id)
    return bool(_plan(event, at).offers)


def give_up(offer: WaitingOffer, at: datetime) -> None:
    """Give back the places that are still kept for an offer. The quotas and the list are locked."""
    rows = KeptPlaces.objects.filter(offer=offer, count__gt=0).order_by("quota_id")
    kept = dict(rows.values_list("quota_id", "count"))
    if not kept:
        return
    pass_by({offer.entry_id: kept})
    rows.update(count=0)
    reservations.set_aside(offer.entry.event_id, {pk: -count for pk, count in kept.items()}, at)


def pass_by(places: Mapping[int, Iterable[int]]) -> None:
    """What these people give back now, {entry id: quota ids}, is one return of each quota, and is not offered to them
    again. The quotas are locked."""
    echoed = sorted({quota_id for ids in places.values() for quota_id in ids})
    for entry in WaitingEntry.objects.filter(pk__in=list(places)).order_by("pk"):
        arrivals = _arrivals(entry.event_id)
        entry.passed |= {str(quota_id): arrivals.get(quota_id, 0) for quota_id in places[entry.pk]}
        entry.save(update_fields=["passed"])
    Echo.objects.bulk_create([Echo(quota_id=quota_id) for quota_id in echoed], ignore_conflicts=True)
    Echo.objects.filter(quota__in=echoed).update(count=F("count") + 1)
