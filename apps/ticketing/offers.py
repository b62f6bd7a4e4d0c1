"""What ticketing offers for events: a price and an availability per ticket type, for cards, pages and publish guard.

Only what everybody may know: published types that are shown to everybody. Five queries for any number of events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q

from apps.events.extensions import Offer, Problem
from apps.events.models import Event
from apps.ticketing import publish_guard
from apps.ticketing.models import Choice, Quota, SaleChange, TicketType, Variation

FEW = 50  # the number left is worth a word from here, when it is also at most a third of all


class TicketOffers:
    """The Offering of ticketing; registered when the app is ready."""

    slug = "tickets"

    def offers(self, events: Sequence[Event], at: datetime) -> dict[int, list[Offer]]:
        by_id = {event.pk: event for event in events}
        changes = SaleChange.objects.filter(event__in=by_id, until__isnull=True)
        standing = dict(changes.values_list("event_id", "kind"))
        types = list(
            TicketType.objects.filter(_is_for_all(), event__in=by_id, is_published=True).order_by(
                "event_id", "position", "pk"
            )
        )
        quotas = _quotas_of(types)
        mandatory = _mandatory_choices(types)
        choice_quotas = _choice_quotas(
            choice for choices in mandatory.values() for group in choices for choice in group
        )
        found: dict[int, list[Offer]] = defaultdict(list)
        for kind in types:
            event = by_id[kind.event_id]
            found[kind.event_id].append(
                Offer(
                    name=kind.name,
                    price_minor=_lowest(kind, mandatory[kind.pk]),
                    currency=event.currency,
                    availability=_availability(
                        standing.get(kind.event_id, ""),
                        kind,
                        event,
                        quotas[kind.pk],
                        mandatory[kind.pk],
                        choice_quotas,
                        at,
                    ),
                    opens_at=kind.sale_opens_at,
                    closes_at=kind.sale_closes_at,
                    url="",
                    may_cost_more=_differ(mandatory[kind.pk]),
                )
            )
        return dict(found)

    def publish_problems(self, event: Event, public_at: datetime) -> list[Problem]:
        return publish_guard.problems(event, public_at)


def _is_for_all() -> Q:
    """Types that strangers see: public ones, and those that have come up since another was sold out."""
    come_up = Q(visibility=TicketType.Visibility.AFTER, came_up_at__isnull=False)
    return Q(visibility=TicketType.Visibility.PUBLIC) | come_up


def _quotas_of(types: Iterable[TicketType]) -> dict[int, list[Quota]]:
    rows = TicketType.quotas.through.objects.filter(tickettype__in=[kind.pk for kind in types]).select_related("quota")
    found: dict[int, list[Quota]] = defaultdict(list)
    for row in rows:
        found[row.tickettype_id].append(row.quota)
    return found


def _mandatory_choices(types: Iterable[TicketType]) -> dict[int, list[list[Choice]]]:
    """{type id: one list of published choices per mandatory variation}"""
    rows = Choice.objects.filter(
        variation__ticket_type__in=[kind.pk for kind in types], variation__kind=Variation.Kind.ONE, is_published=True
    ).select_related("variation")
    by_variation: dict[tuple[int, int], list[Choice]] = defaultdict(list)
    for choice in rows:
        by_variation[choice.variation.ticket_type_id, choice.variation_id].append(choice)
    found: dict[int, list[list[Choice]]] = defaultdict(list)
    for (type_id, _variation_id), choices in sorted(by_variation.items()):
        found[type_id].append(choices)
    return found


def _choice_quotas(choices: Iterable[Choice]) -> dict[int, list[Quota]]:
    rows = Choice.quotas.through.objects.filter(choice__in=[choice.pk for choice in choices]).select_related("quota")
    found: dict[int, list[Quota]] = defaultdict(list)
    for row in rows:
        found[row.choice_id].append(row.quota)
    return found


def _lowest(kind: TicketType, mandatory: Sequence[Sequence[Choice]]) -> int:
    """The least this type can cost: its price with the cheapest answer to each question that must be answered."""
    return max(0, kind.price_minor + sum(min(choice.delta_minor for choice in group) for group in mandatory))


def _differ(mandatory: Sequence[Sequence[Choice]]) -> bool:
    return any(len({choice.delta_minor for choice in group}) > 1 for group in mandatory)


def _availability(
    standing: str,
    kind: TicketType,
    event: Event,
    quotas: Sequence[Quota],
    mandatory: Sequence[Sequence[Choice]],
    choice_quotas: Mapping[int, Sequence[Quota]],
    at: datetime,
) -> str:
    if (
        standing == SaleChange.Kind.ENDED
        or event.ends_at <= at
        or (kind.sale_closes_at is not None and kind.sale_closes_at <= at)
    ):
        return "Discontinued"
    if kind.sale_opens_at is not None and at < kind.sale_opens_at:
        return "PreOrder"
    can_be_answered = all(
        any(all(quota.left > 0 for quota in choice_quotas.get(choice.pk, ())) for choice in group)
        for group in mandatory
    )
    left = min((quota.left for quota in quotas), default=0)
    if left <= 0 or not can_be_answered:
        return "SoldOut"
    if standing == SaleChange.Kind.PAUSED:
        return "OutOfStock"  # for now
    tightest: Any = min(quotas, key=lambda quota: quota.left)
    return "LimitedAvailability" if left <= FEW and left * 3 <= tightest.size else "InStock"
