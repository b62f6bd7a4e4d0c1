"""What ticketing asks of a waiting list: who takes places that come back, and what is kept for an accepted offer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db.models import F, Sum
from django.urls import reverse

from apps.events.models import Event
from apps.resale import waiting, waiting_line, waiting_offers, waiting_places
from apps.resale import waiting_reasons as reasons
from apps.resale.models import KeptPlaces, WaitingOffer
from apps.resale.waiting_places import SLUG
from apps.resale.waiting_states import OfferState
from apps.ticketing.context import PurchaseContext
from apps.ticketing.extensions import Holding, Kept, Share, Taken
from apps.ticketing.models import Order
from apps.ticketing.models.orders import LIST


class List:
    """Our answer to `ticketing.waiting_lists`."""

    slug = SLUG

    def is_awaited(self, event_id: int) -> bool:
        return waiting_line.is_awaited(event_id)

    def take(self, event_id: int, at: datetime) -> None:
        waiting_places.offer(event_id, at)

    def join_url(self, event: Event, at: datetime) -> str:
        return reverse("resale:wait", args=[event.public_id]) if _is_open(event, at) else ""

    def join_url_from(self, order: Order, at: datetime) -> str:
        may = waiting.got_no_place(order) and _is_open(order.event, at)
        return reverse("resale:wait_from", args=[order.reference, order.secret]) if may else ""


def _is_open(event: Event, at: datetime) -> bool:
    is_near = event.cancelled_at is None and at < waiting_line.closes_at(event)
    return is_near and waiting_line.keeps_list(event.pk)


class KeptForList:
    """Our answer to `ticketing.allotments`: an offer is a share, for the order that accepted it alone."""

    slug = SLUG

    def holdings(self, contexts: Sequence[PurchaseContext], at: datetime, *, lock: bool) -> Sequence[Holding]:
        orders = {context.order_id for context in contexts if context.channel == LIST and context.order_id}
        if not orders:
            return [Holding()] * len(contexts)
        if lock:
            for event_id in sorted({context.event_id for context in contexts}):
                waiting_line.lock(event_id)
        accepted = WaitingOffer.objects.filter(order__in=orders, state=OfferState.ACCEPTED)
        shares = {offer.order_id: _share(offer) for offer in accepted.prefetch_related("kept")}
        found = []
        for context in contexts:
            share = shares.get(context.order_id)
            lacks = context.channel == LIST and share is None
            found.append(Holding((share,) if share else (), (reasons.OFFER_OVER,) if lacks else ()))
        return found

    def locked(self, keys: Iterable[int], at: datetime) -> Mapping[int, Share]:
        rows = WaitingOffer.objects.filter(pk__in=list(keys)).select_for_update(of=("self",)).order_by("pk")
        return {offer.pk: _share(offer) for offer in rows.prefetch_related("kept")}

    def take(self, taken: Mapping[int, Taken]) -> None:
        for key, one in sorted(taken.items()):
            WaitingOffer.objects.filter(pk=key).update(used=F("used") + one.tickets)
            for quota_id, count in one.places.items():
                KeptPlaces.objects.filter(offer_id=key, quota_id=quota_id).update(count=F("count") - count)

    def give_back(self, given: Mapping[int, Taken], at: datetime) -> Mapping[int, int]:
        """Nothing is kept again: it goes to the next. Who did not pay in time is not asked about it once more."""
        passed: dict[int, set[int]] = {}
        for offer in WaitingOffer.objects.filter(pk__in=list(given)).select_related("order").order_by("pk"):
            WaitingOffer.objects.filter(pk=offer.pk).update(used=F("used") - given[offer.pk].tickets)
            if offer.order is not None and offer.order.paid_at is None:
                passed[offer.entry_id] = set(given[offer.pk].places)
        waiting_places.pass_by(passed)
        return {}

    def return_lapsed(self, event_id: int, at: datetime) -> None:
        waiting_offers.lapse_due(at, event_id=event_id)

    def kept(self, event_id: int | None = None) -> Kept:
        offers, places = WaitingOffer.objects.filter(used__gt=0), KeptPlaces.objects.filter(count__gt=0)
        if event_id is not None:
            offers = offers.filter(entry__event_id=event_id)
            places = places.filter(offer__entry__event_id=event_id)
        counted = places.order_by().values_list("quota_id").annotate(n=Sum("count"))
        return Kept(dict(counted), dict(offers.values_list("pk", "used")))

    def recount(self, event_id: int, taken: Mapping[int, int]) -> None:
        for pk, used in WaitingOffer.objects.filter(entry__event_id=event_id).order_by("pk").values_list("pk", "used"):
            if used != taken.get(pk, 0):
                WaitingOffer.objects.filter(pk=pk).update(used=taken.get(pk, 0))


def _share(offer: WaitingOffer) -> Share:
    assert offer.ticket_type_id is not None
    return Share(
        allotment=SLUG,
        key=offer.pk,
        label=SLUG,
        ticket_type_ids=frozenset([offer.ticket_type_id]),
        size=offer.quantity,
        left=max(0, offer.quantity - offer.used),
        set_aside={row.quota_id: row.count for row in offer.kept.all()},
        used_up=reasons.OFFER_OVER,
        too_few=reasons.OFFER_OVER,
        per_person=reasons.OFFER_OVER,
    )
