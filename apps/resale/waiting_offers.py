"""Offering tickets to a waiting list: to whom, until when, and what becomes of it.

One order of service: by rank, and one offer at a time per person. A ticket that somebody sells is offered as it is put
up, in the same transaction, and goes on to the next until nobody is left who wants it; then everybody sees it. It is
`open` all the while and good at the door: only the order that is placed on accepting holds it. Places of the event
itself are `waiting_places`'.

Everything here happens under the list's own lock, one per event and the last of all locks, after quotas; so no two
offers of an event are ever made, answered or ended at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.resale import buying, rules, waiting_line, waiting_mails, waiting_places, waiting_time
from apps.resale import waiting_reasons as reasons
from apps.resale.models import Listing, OfferedListing, WaitingEntry, WaitingOffer
from apps.resale.states import ListingState
from apps.resale.waiting_states import LIVE, ON_LIST, EntryState, OfferState
from apps.ticketing import catalogue, clock, holders, ordering, reservations
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.models import Order
from apps.ticketing.models.orders import LIST
from apps.ticketing.retries import once_more
from apps.ticketing.states import OrderState, TicketState
from apps.ticketing.transitions import move_many

log = logging.getLogger(__name__)

ENDED_AT_ONCE = 500
SILENT_AFTER = 2  # offers in a row without an answer
DEAD = (OrderState.EXPIRED, OrderState.REJECTED, OrderState.CANCELLED)


class Over(Exception):
    """The offer was answered, taken back or let lapse before; nothing was changed. `offer` is it as it is now."""

    def __init__(self, offer: WaitingOffer) -> None:
        super().__init__(str(offer.public_id))
        self.offer = offer


# --- A ticket that somebody sells ----------------------------------------------------------------------------------


def offer_listing(listing: Listing) -> WaitingOffer | None:
    """Offer a ticket that is for sale to the first on the list who wants it and was not asked about it before; None
    when there is nobody, and then everybody may buy it.

    Inside the transaction that put it up or freed it, so that it is never seen in between. Locks the list. Next: the
    mail; `accept`, `decline` or `lapse_due`.
    """
    if not waiting_line.is_awaited(listing.event_id):
        return None
    waiting_line.lock(listing.event_id)
    at = clock.now()
    listing = _told().get(pk=listing.pk)
    if not _may_be_offered(listing, at):
        return None
    skipped: dict[int, str] = {}
    busy, asked = waiting_line.busy_entries(listing.event_id), _asked_about([listing.ticket_id])
    facts = catalogue.load(listing.event_id, fresh=True)
    offer = None
    entries = waiting_line.entries_of(listing.event_id)
    proved = holders.proved_by({listing.ticket.owner_id, *(entry.user_id for entry in entries)})
    for entry in entries:
        why = _why_not(entry, listing, busy, asked, proved)
        bundle = [] if why else _bundle(entry, listing, at)
        kinds = [kind for one in bundle if (kind := facts.type(one.ticket.ticket_type_id)) is not None]
        why = why or ("" if bundle else reasons.TOO_FEW)
        why = why or ("" if kinds and waiting_line.may_have(entry, kinds, facts, at) else reasons.NOT_ALLOWED)
        if not why:
            offer = _make(entry, bundle, at)
            break
        skipped[entry.pk] = why
    waiting_line.note_skips(skipped, listing.ticket.ticket_type_id, at)
    return offer


def _told() -> Any:
    return Listing.objects.select_related(
        "ticket__line__order", "event__organisation", "event__resale_rule", "event__waiting_rule"
    )


def _may_be_offered(listing: Listing, at: datetime) -> bool:
    is_good = listing.state == ListingState.OPEN and listing.ticket.state == TicketState.VALID
    is_free = not OfferedListing.objects.filter(listing=listing, is_live=True).exists()
    is_over = rules.is_over(listing.event, rules.of(listing.event), at)
    return is_good and is_free and not listing.is_private and not is_over


def _asked_about(ticket_ids: Sequence[int]) -> set[int]:
    """Those who were offered one of these tickets before, by whichever listing of it."""
    rows = OfferedListing.objects.filter(listing__ticket_id__in=ticket_ids)
    return set(rows.values_list("offer__entry_id", flat=True))


def _why_not(entry: WaitingEntry, listing: Listing, busy: set[int], asked: set[int], proved: holders.Proved) -> str:
    """Why a ticket goes past this person; empty when it does not."""
    if entry.state != EntryState.WAITING:
        return reasons.NOT_CONFIRMED
    if listing.ticket.ticket_type_id not in {kind.pk for kind in entry.types.all()}:
        return reasons.NOT_THIS_KIND
    if _is_own(entry, listing, proved):
        return reasons.OWN_TICKET
    if entry.pk in asked:
        return reasons.DECLINED_BEFORE
    return reasons.HAS_OFFER if entry.pk in busy else ""


def _is_own(entry: WaitingEntry, listing: Listing, proved: holders.Proved) -> bool:
    return holders.is_holder(
        listing.ticket, key=entry.buyer_key, email=entry.email, user_id=entry.user_id, proved=proved
    )


def _bundle(entry: WaitingEntry, listing: Listing, at: datetime) -> list[Listing]:
    """What is offered together: the ticket alone, or for who wants all or nothing as many as they want, with others
    that everybody may buy by now, the cheapest first. Empty when there are too few. Locks the others."""
    if not entry.all_or_nothing or entry.wanted <= 1:
        return [listing]
    types = [kind.pk for kind in entry.types.all()]
    free = _told().filter(
        event_id=listing.event_id,
        state=ListingState.OPEN,
        is_private=False,
        ticket__state=TicketState.VALID,
        ticket__ticket_type__in=types,
    )
    rows = free.exclude(pk=listing.pk).exclude(pk__in=OfferedListing.objects.filter(is_live=True).values("listing"))
    rows = rows.exclude(ticket__listings__offered__offer__entry=entry)
    free_now = list(rows.select_for_update(of=("self",), no_key=True, skip_locked=True).order_by("price_minor", "pk"))
    proved = holders.proved_by({entry.user_id, *(one.ticket.owner_id for one in free_now)})
    others = [
        one
        for one in free_now
        if not _is_own(entry, one, proved) and not rules.is_over(one.event, rules.of(one.event), at)
    ]
    bundle = [listing, *others[: entry.wanted - 1]]
    return bundle if len(bundle) == entry.wanted else []


def _make(entry: WaitingEntry, bundle: Sequence[Listing], at: datetime) -> WaitingOffer:
    event = bundle[0].event
    until = waiting_time.answer_until(
        at,
        hours=waiting_line.rule_of(event).answer_hours,
        closes_at=rules.closes_at(event, rules.of(event)),
        zone=event.zone,
    )
    offer = WaitingOffer.objects.create(entry=entry, quantity=len(bundle), offered_at=at, answer_until=until)
    OfferedListing.objects.bulk_create(OfferedListing(offer=offer, listing=listing) for listing in bundle)
    waiting_mails.offered(offer)
    crashpoint("waiting.offered")
    return offer


# --- What becomes of it --------------------------------------------------------------------------------------------


@once_more
def accept(offer: WaitingOffer, *, picks: Sequence[waiting_places.Pick] = ()) -> Order:
    """Place the order that takes what is offered: an ordinary one, decided in its turn, to be paid in 15 minutes.

    `picks` are the choices for each ticket of the event's own. Safe to repeat: the same order is returned. Raises Over,
    also when the time is up though nobody has noticed yet, and ordering.Refused. Locks the list. Next: queue.drain.
    """
    with transaction.atomic():
        waiting_line.lock(offer.entry.event_id)
        now = _read(offer)
        if now.order is not None and now.state in (OfferState.ACCEPTED, OfferState.BOUGHT):
            return now.order
        if now.state != OfferState.OPEN or now.answer_until <= clock.now():
            raise Over(now)
        order = _place(now, picks)
        move_many(WaitingOffer, [now.pk], OfferState.OPEN, OfferState.ACCEPTED, order=order.pk)
    return order


def _place(offer: WaitingOffer, picks: Sequence[waiting_places.Pick]) -> Order:
    entry = offer.entry
    common: dict[str, Any] = {
        "email": entry.email,
        "user": entry.user,
        "idempotency_key": f"waiting-{offer.public_id.hex}",
        "locale": entry.locale,
        "tokens": [waiting_places.token_of(offer)],
    }
    if offer.ticket_type_id is None:
        rows = Listing.objects.filter(offered__offer=offer).select_related("event", "ticket__line").order_by("pk")
        return buying.buy(list(rows), **common)
    wanted = waiting_places.wanted(offer, picks)
    return ordering.place(event=entry.event, tickets=wanted, fewer_is_fine=False, channel=LIST, **common)


@once_more
def decline(offer: WaitingOffer) -> None:
    """Let what is offered go to the next; it is not offered to this person again. Raises Over. Locks quotas for places
    of the event, then the list."""
    _end(offer, OfferState.DECLINED, reasons.DECLINED)


def lapse_due(at: datetime, *, event_id: int | None = None) -> int:
    """End the offers whose time is up; how many. Safe in several processes at once: who accepts and who ends an offer
    do so one after the other."""
    due = WaitingOffer.objects.filter(state=OfferState.OPEN, answer_until__lte=at)
    if event_id is not None:
        due = due.filter(entry__event_id=event_id)
    ended = 0
    for offer in due.select_related("entry").order_by("answer_until", "pk")[:ENDED_AT_ONCE]:
        try:
            _end(offer, OfferState.LAPSED, reasons.LAPSED)
            ended += 1
        except Over:
            continue
        except Exception as error:
            log.error("offer %s cannot be ended: %r", offer.public_id, error)
    return ended


def _end(offer: WaitingOffer, new: OfferState, reason: str) -> None:
    with transaction.atomic():
        if offer.ticket_type_id is not None:
            reservations.lock_quotas(offer.entry.event_id)
        waiting_line.lock(offer.entry.event_id)
        now = _read(offer)
        if now.state != OfferState.OPEN:
            raise Over(now)
        end(now, new, reason)


def end(offer: WaitingOffer, new: OfferState, reason: str) -> None:
    """End an offer that was read under the locks, and hand on what it held."""
    at = clock.now()
    if not move_many(WaitingOffer, [offer.pk], offer.state, new, reason, ended_at=at):
        return
    OfferedListing.objects.filter(offer=offer).update(is_live=False)
    waiting_places.give_up(offer, at)
    if new in (OfferState.LAPSED, OfferState.WITHDRAWN, OfferState.LOST) and offer.entry.is_on_list:
        waiting_mails.ended(offer)
    if new == OfferState.LAPSED:
        _end_silent(offer.entry, at)
    for listing in Listing.objects.filter(offered__offer=offer, state=ListingState.OPEN).order_by("pk"):
        offer_listing(listing)


def _end_silent(entry: WaitingEntry, at: datetime) -> None:
    """Whoever answers no offer makes everybody behind them wait: after two in a row they are off the list."""
    newest = entry.offers.exclude(state__in=LIVE).order_by("-pk").values_list("state", flat=True)[:SILENT_AFTER]
    if len(newest) == SILENT_AFTER and set(newest) == {OfferState.LAPSED}:
        on_list = [str(state) for state in ON_LIST]
        if move_many(WaitingEntry, [entry.pk], on_list, EntryState.LEFT, reasons.SILENT, ended_at=at):
            waiting_mails.off_the_list(entry)


def _read(offer: WaitingOffer) -> WaitingOffer:
    rows = WaitingOffer.objects.select_related("entry__event", "entry__user", "order", "ticket_type")
    return rows.get(pk=offer.pk)


def listing_ended(listing: Listing) -> None:
    """A ticket that was offered is not for sale any more, or by its link alone. In that transaction, which has locked
    the listing. An order that was placed for it already is refused in its turn."""
    held = WaitingOffer.objects.filter(listings__listing=listing, listings__is_live=True)
    if not held.exists():
        return
    # An offer whose order has ended may be passed on to the next person in this moment.
    waiting_line.lock(listing.event_id)
    for offer in held.filter(state=OfferState.OPEN).select_related("entry__event").order_by("pk"):
        end(offer, OfferState.WITHDRAWN, reasons.WITHDRAWN)


def settle(order_ids: Iterable[int]) -> None:
    """See what became of the orders that offers were accepted by: bought, or free for the next. Safe to repeat."""
    ended = [OrderState.PAID, OrderState.REFUNDED, *DEAD]
    rows = WaitingOffer.objects.filter(order__in=list(order_ids), order__state__in=ended)
    for offer in rows.filter(state__in=[OfferState.ACCEPTED, OfferState.LOST]).select_related("entry").order_by("pk"):
        _settle(offer)


@once_more
def _settle(offer: WaitingOffer) -> None:
    with transaction.atomic():
        if offer.ticket_type_id is not None:
            reservations.lock_quotas(offer.entry.event_id)
        waiting_line.lock(offer.entry.event_id)
        now = _read(offer)
        if now.order is None:
            return
        if now.order.state not in DEAD:
            move_many(WaitingOffer, [now.pk], [OfferState.ACCEPTED, OfferState.LOST], OfferState.BOUGHT)
            OfferedListing.objects.filter(offer=now).update(is_live=False)
            if now.ticket_type_id is not None:  # what an editor's other quotas have left of it
                waiting_places.give_up(now, clock.now())
        elif now.state == OfferState.ACCEPTED:
            end(now, OfferState.LOST, reasons.NOT_BOUGHT)


def unsettled() -> list[int]:
    """Ids of orders that decided an accepted offer nobody has looked at since."""
    over = WaitingOffer.objects.filter(
        state=OfferState.ACCEPTED, order__state__in=[OrderState.PAID, OrderState.REFUNDED, *DEAD]
    )
    return list(over.values_list("order_id", flat=True)[:ENDED_AT_ONCE])
