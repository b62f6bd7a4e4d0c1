"""What the queue asks of presale links: what a buyer's links are worth, and the counting of what is taken through them.

A link opens its types for its holder, and keeps places of theirs where it sets them aside. It never adds places. Its
window is judged by when the buyer queued, so that waiting in line costs nobody their link; a revoked link is over at
once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import connection
from django.db.models import Count, Sum
from django.utils.translation import gettext_lazy as _

from apps.discounts import presale
from apps.discounts.models import PresaleLink, PresaleStock
from apps.discounts.models.presale import index_of
from apps.ticketing import reasons
from apps.ticketing.context import PurchaseContext
from apps.ticketing.extensions import Holding, Kept, Share, Taken
from apps.ticketing.models import OrderLine

UNKNOWN = reasons.register(
    "link_unknown",
    _("This link opens nothing here: maybe a part of it is missing. No money was taken. Ask whoever sent it for it."),
)
NOT_YET = reasons.register(
    "link_not_yet", _("This link cannot be used yet. No money was taken. Try it again once its time has come.")
)
OVER = reasons.register(
    "link_over", _("The time of this link is over. No money was taken. What everybody may buy is open to you too.")
)
REVOKED = reasons.register(
    "link_revoked", _("The organiser has revoked this link. No money was taken. Ask them if you did not expect it.")
)
USED_UP = reasons.register(
    "link_used_up",
    _("All tickets of this link are taken or held. No money was taken. If one is let go, the link works again."),
)
TOO_FEW = reasons.register(
    "link_too_few", _("This link has fewer tickets left than you asked for. No money was taken. Choose fewer.")
)
PER_PERSON = reasons.register(
    "link_per_person",
    _("This order would give one person more tickets than this link allows. No money was taken. Choose fewer."),
)


class PresaleLinks:
    """The Allotment of presale links; registered when the app is ready."""

    slug = presale.SLUG

    def holdings(self, contexts: Sequence[PurchaseContext], at: datetime, *, lock: bool) -> Sequence[Holding]:
        brought = [indexes_of(context) for context in contexts]
        wanted = {index for indexes in brought for index in indexes}
        if not wanted:
            return [Holding()] * len(contexts)
        rows = PresaleLink.objects.filter(secret_index__in=wanted).defer("secret").order_by("pk")
        links = list(rows.select_for_update(no_key=True) if lock else rows)
        types, stock = _types_of(links), _stock_of(links)
        owned = _owned([link for link in links if link.max_per_person], {context.buyer_key for context in contexts})
        by_index = {link.secret_index: link for link in links}
        found = []
        for context, indexes in zip(contexts, brought, strict=True):
            shares, refusals = [], []
            for index in indexes:
                link = by_index.get(index)
                reason = _why_not(link, context)
                if link is not None and not reason:
                    own = owned[link.pk, context.buyer_key] if link.max_per_person else 0
                    shares.append(_share(link, types[link.pk], stock[link.pk], own))
                    if not shares[-1].most:
                        reason = PER_PERSON if link.left else USED_UP
                if reason:
                    refusals.append(reason)
            found.append(Holding(tuple(shares), tuple(refusals)))
        return found

    def locked(self, keys: Iterable[int], at: datetime) -> Mapping[int, Share]:
        links = list(PresaleLink.objects.select_for_update(no_key=True).filter(pk__in=list(keys)).order_by("pk"))
        types, stock = _types_of(links), _stock_of(links)
        return {link.pk: _share(link, types[link.pk], stock[link.pk], 0) for link in links}

    def take(self, taken: Mapping[int, Taken]) -> None:
        _add_used({key: one.tickets for key, one in taken.items()})
        _add_stock({(key, quota_id): -n for key, one in taken.items() for quota_id, n in one.places.items()})

    def give_back(self, given: Mapping[int, Taken], at: datetime) -> Mapping[int, int]:
        rows = PresaleLink.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=list(given))
        links = list(rows.select_related("event").order_by("pk"))
        _add_used({link.pk: -given[link.pk].tickets for link in links})
        kept: Counter[int] = Counter()
        living = [
            link
            for link in links
            if link.sets_aside
            and link.event.cancelled_at is None
            and not presale.is_over(link, at, event_ends_at=link.event.ends_at)
        ]
        stock = _stock_of(living)
        again: dict[tuple[int, int], int] = {}
        for link in living:
            for quota_id, places in given[link.pk].places.items():
                # Never more than the link is good for. A quota is missing that its types did not draw on back then.
                count = min(places, link.size - stock[link.pk].get(quota_id, link.size))
                again[link.pk, quota_id] = count
                kept[quota_id] += count
        _add_stock(again)
        return dict(kept)

    def return_lapsed(self, event_id: int, at: datetime) -> None:
        presale.return_lapsed(event_id, at)

    def kept(self, event_id: int | None = None) -> Kept:
        links, stock = PresaleLink.objects.all(), PresaleStock.objects.all()
        if event_id is not None:
            links, stock = links.filter(event_id=event_id), stock.filter(link__event_id=event_id)
        places = stock.filter(count__gt=0).order_by().values_list("quota_id").annotate(n=Sum("count"))
        return Kept(dict(places), dict(links.filter(used__gt=0).values_list("pk", "used")))

    def recount(self, event_id: int, taken: Mapping[int, int]) -> None:
        links = list(PresaleLink.objects.select_for_update(no_key=True).filter(event_id=event_id).order_by("pk"))
        for link in links:
            if link.used != taken.get(link.pk, 0):
                PresaleLink.objects.filter(pk=link.pk).update(used=taken.get(link.pk, 0))
        for link in links:
            PresaleStock.objects.filter(link=link, count__gt=link.size).update(count=link.size)


def indexes_of(context: PurchaseContext) -> list[str]:
    """The keyed hashes of the links a buyer brings."""
    secrets = (token.removeprefix(presale.TOKEN) for token in context.tokens if token.startswith(presale.TOKEN))
    return list(dict.fromkeys(index_of(secret) for secret in secrets))


def _why_not(link: PresaleLink | None, context: PurchaseContext) -> str:
    """Why a link is worth nothing to this buyer, used up or not; empty when it is. One of another event is unknown."""
    if link is None or link.event_id != context.event_id:
        return UNKNOWN
    if link.revoked_at is not None:
        return REVOKED
    if link.opens_at is not None and context.at < link.opens_at:
        return NOT_YET
    return OVER if link.closes_at is not None and link.closes_at <= context.at else ""


def _share(link: PresaleLink, types: frozenset[int], stock: Mapping[int, int], own: int) -> Share:
    return Share(
        allotment=presale.SLUG,
        key=link.pk,
        label=link.label,
        ticket_type_ids=types,
        size=link.size,
        left=link.left,
        left_for_buyer=max(0, link.max_per_person - own) if link.max_per_person else None,
        set_aside=stock,
        used_up=USED_UP,
        too_few=TOO_FEW,
        per_person=PER_PERSON,
    )


def _types_of(links: Sequence[PresaleLink]) -> dict[int, frozenset[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    through = PresaleLink.ticket_types.through.objects.filter(presalelink__in=[link.pk for link in links])
    for link_id, type_id in through.values_list("presalelink_id", "tickettype_id"):
        found[link_id].add(type_id)
    return defaultdict(frozenset, {pk: frozenset(ids) for pk, ids in found.items()})


def _stock_of(links: Sequence[PresaleLink]) -> dict[int, dict[int, int]]:
    """{link id: {quota id: places kept}}; asked only where a link sets places aside."""
    found: dict[int, dict[int, int]] = defaultdict(dict)
    keeping = [link.pk for link in links if link.sets_aside]
    if keeping:
        rows = PresaleStock.objects.filter(link__in=keeping)
        for link_id, quota_id, count in rows.values_list("link_id", "quota_id", "count"):
            found[link_id][quota_id] = count
    return found


def _owned(links: Sequence[PresaleLink], buyer_keys: set[str]) -> Counter[tuple[int, str]]:
    """{(link id, buyer key): tickets held or bought through it}; asked only where a link has a limit per person."""
    owned: Counter[tuple[int, str]] = Counter()
    names = {presale.line_name(link): link.pk for link in links}
    if names:
        lines = OrderLine.objects.filter(allotment__in=names, is_held=True, order__buyer_key__in=buyer_keys - {""})
        for name, key, n in lines.order_by().values_list("allotment", "order__buyer_key").annotate(n=Count("pk")):
            owned[names[name], key] = n
    return owned


def _add_used(used: Mapping[int, int]) -> None:
    if used:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE discounts_presalelink t SET used = t.used + v.n FROM"
                " (SELECT unnest(%s::bigint[]) AS id, unnest(%s::int[]) AS n) AS v WHERE t.id = v.id",
                [list(used), list(used.values())],
            )


def _add_stock(counts: Mapping[tuple[int, int], int]) -> None:
    if counts:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE discounts_presalestock t SET count = t.count + v.n FROM (SELECT unnest(%s::bigint[]) AS link,"
                " unnest(%s::bigint[]) AS quota, unnest(%s::int[]) AS n) AS v"
                " WHERE t.link_id = v.link AND t.quota_id = v.quota",
                [[link for link, _quota in counts], [quota for _link, quota in counts], list(counts.values())],
            )
