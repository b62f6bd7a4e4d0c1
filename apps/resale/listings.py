"""Putting a ticket up for sale, changing what is asked, taking it back: the owner's verbs, and what ends a listing.

Nothing here moves money. A ticket that is for sale is good at the door until somebody is buying it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.prepared import Rows
from apps.accounts.request_ids import current_request_id
from apps.resale import hosts, mails, offers, reasons, rules, waiting_offers
from apps.resale.models import Listing, ResaleRule
from apps.resale.states import ON_OFFER, ListingState
from apps.ticketing import changes, clock, giving, guest_tickets, ordering, tickets
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.models import AuditEntry, OrderLine, Ticket
from apps.ticketing.reasons import GIFT_BEING_SOLD
from apps.ticketing.retries import once_more
from apps.ticketing.states import OrderState, TicketState
from apps.ticketing.transitions import StaleState, move_many

log = logging.getLogger(__name__)

ENDED_AT_ONCE = 500
CHANGED_BY_DESK = "listing_changed_by_organiser"  # in the audit, with the prices in minor units


class CannotSell(Exception):
    """The ticket cannot be put up for sale, or not like that; nothing was changed. `sentence` says why."""

    def __init__(self, sentence: str | Promise) -> None:
        super().__init__(str(sentence))
        self.sentence = sentence


class Changed(Exception):
    """The listing is not what the form showed, as by another tab or because somebody is buying the ticket; nothing was
    changed. `listing` is it as it is now."""

    def __init__(self, listing: Listing) -> None:
        super().__init__(str(listing.public_id))
        self.listing = listing


NOT_RESELLABLE = _("Tickets of this kind are not sold back. Your ticket is as it was.")
CHOICES_CHANGED = _(
    "Its choices were changed for money since it was bought, so it cannot be sold here. "
    "Give it away, or ask the organiser."
)
IS_OVER = _("Tickets to this event change hands no more. Your ticket is as it was.")
NEED_IT = _(
    "Your guest tickets need this ticket. Put those up for sale first, or give them away. Your ticket is as it was."
)
LISTED_ALREADY = _("This ticket is for sale already. Change or withdraw it instead.")
ABOVE = _("A ticket is never sold for more than was paid for it. Nothing was changed. Ask for that, or less.")
NOT_FREE = _("Ask for more than nothing, or give the ticket away. Nothing was changed.")
AGREE_ANEW = _(
    "At this price something else comes back than you saw. Nothing was changed. Look at what comes back now, and press "
    "once more."
)
FEE_EATS_ALL = _("The fee would be all that comes back. Nothing was changed. Ask for more.")


@dataclass(frozen=True)
class Terms:
    """What a seller agrees to, in minor units: what they ask, what is kept of it, what comes back."""

    paid_minor: int
    asked_minor: int
    fee_minor: int

    @property
    def payout_minor(self) -> int:
        return self.asked_minor - self.fee_minor


def why_not(ticket: Ticket, rule: ResaleRule, at: datetime) -> str | Promise:
    """Why this ticket cannot be put up for sale now, as a sentence; empty when it can. One query with its type, line,
    order and event fetched along, and two more where it brings guests."""
    if not ticket.ticket_type.is_resellable:
        return NOT_RESELLABLE
    if rules.is_over(ticket.event, rule, at):
        return IS_OVER
    if ticket.state != TicketState.VALID:
        return tickets.WHY_NOT_VALID.get(ticket.state, NOT_RESELLABLE)
    if ticket.line.order.state != OrderState.PAID:
        return NOT_RESELLABLE
    if changes.changed_for_money().filter(pk=ticket.line_id).exists():
        return CHOICES_CHANGED
    return NEED_IT if guest_tickets.need(ticket, _also_for_sale(ticket)) else ""


def _also_for_sale(ticket: Ticket) -> list[OrderLine]:
    """The lines of other tickets of the same owner that somebody may buy at any moment, and of guest tickets that
    somebody is buying. A host that is being bought brings no guests already."""
    if not guest_tickets.brings_guests(ticket):
        return []
    leaving = Q(tickets__listings__state=ListingState.OPEN) | Q(
        tickets__listings__state=ListingState.HELD, ticket_type__guests_of=ticket.ticket_type_id
    )
    return list(guest_tickets.own_lines(ticket).filter(leaving))


def terms(ticket: Ticket, rule: ResaleRule, asked_minor: int) -> Terms:
    """What the seller of a ticket would agree to. Raises CannotSell for a price that is none for it."""
    paid = ticket.line.kept_minor
    if asked_minor > paid:
        raise CannotSell(ABOVE)
    if asked_minor < 0 or (asked_minor == 0 and paid):
        raise CannotSell(NOT_FREE)
    fee = rules.fee_minor(rule, asked_minor, ticket.line.order.currency)
    if asked_minor and fee == asked_minor:
        raise CannotSell(FEE_EATS_ALL)
    return Terms(paid, asked_minor, fee)


@once_more
def put_up(ticket: Ticket, *, asked_minor: int, agreed_payout_minor: int, is_private: bool = False) -> Listing:
    """Put a ticket up for sale at `asked_minor`; `agreed_payout_minor` is what its owner was told comes back.

    Raises CannotSell, also when something else would come back by now. Locks the ticket. Next: somebody buys it
    (fulfilment), the first on the waiting list who wants it before anybody else, or `withdraw`.
    """
    with transaction.atomic():
        ticket = _locked(ticket)
        at, rule = clock.now(), rules.of(ticket.event)
        if refusal := why_not(ticket, rule, at):
            raise CannotSell(refusal)
        if Listing.objects.filter(ticket=ticket, state__in=ON_OFFER).exists():
            raise CannotSell(LISTED_ALREADY)
        agreed = terms(ticket, rule, asked_minor)
        if agreed.payout_minor != agreed_payout_minor:
            raise CannotSell(AGREE_ANEW)
        try:
            listing = Listing.objects.create(
                ticket=ticket,
                event=ticket.event,
                paid_minor=agreed.paid_minor,
                asked_minor=agreed.asked_minor,
                fee_minor=agreed.fee_minor,
                currency=ticket.line.order.currency,
                is_private=is_private,
                listed_at=at,
            )
        except IntegrityError as error:  # two tabs at once
            raise CannotSell(LISTED_ALREADY) from error
        _price(listing, at)
        mails.listed(listing)
        transaction.on_commit(partial(crashpoint, "resale.listed"))
        giving.end([ticket.pk], reason=GIFT_BEING_SOLD)  # whoever sells it gives it to nobody
        waiting_offers.offer_listing(listing)
    return listing


@once_more
def change(
    listing: Listing,
    *,
    version: int,
    asked_minor: int,
    agreed_payout_minor: int,
    is_private: bool,
    actor: Any = None,
) -> Listing:
    """Ask another price, or offer it to others. `actor` is who does it for the owner, who is told by mail.

    Raises Changed when `version` is not the newest or somebody is buying it, and CannotSell, also when something else
    would come back. Locks the ticket, then the listing.
    """
    with transaction.atomic():
        ticket = _locked(listing.ticket)
        now = _now(listing)
        if now.version != version or now.state != ListingState.OPEN:
            raise Changed(now)
        rule = rules.of(ticket.event)
        if refusal := why_not(ticket, rule, clock.now()):
            raise CannotSell(refusal)
        agreed = terms(ticket, rule, asked_minor)
        if agreed.payout_minor != agreed_payout_minor:
            raise CannotSell(AGREE_ANEW)
        was_minor = now.asked_minor
        now.paid_minor, now.asked_minor, now.fee_minor = agreed.paid_minor, agreed.asked_minor, agreed.fee_minor
        was_private, now.is_private, now.version = now.is_private, is_private, now.version + 1
        now.save(update_fields=["paid_minor", "asked_minor", "fee_minor", "is_private", "version"])
        _price(now, clock.now())
        if actor is not None:
            _note(now, was_minor, was_private, actor)
            mails.changed(now)
        if is_private:
            waiting_offers.listing_ended(now)
        elif was_private:
            waiting_offers.offer_listing(now)
    return now


def _note(listing: Listing, was_minor: int, was_private: bool, actor: Any) -> None:
    """Keep in the audit who changed a sale that is not theirs, and from what to what."""
    was, now = (
        f"{minor} {listing.currency}{', by link' if is_private else ''}"
        for minor, is_private in ((was_minor, was_private), (listing.asked_minor, listing.is_private))
    )
    AuditEntry.objects.create(
        model=Listing._meta.label_lower,
        row_id=listing.pk,
        old=listing.state,
        new=listing.state,
        reason=f"{CHANGED_BY_DESK}: {was} -> {now}",
        actor=actor,
        request_id=current_request_id(),
        at=clock.now(),
    )


def _price(listing: Listing, at: datetime) -> None:
    """Keep what the ticket costs somebody without any discount of their own."""
    listing.price_minor = offers.prices([listing], at)[listing.pk]
    listing.save(update_fields=["price_minor"])


@once_more
def withdraw(listing: Listing, *, reason: str = reasons.BY_SELLER, actor: Any = None) -> Listing:
    """Take a ticket off sale; it is its owner's as before. Safe to repeat. Raises Changed while somebody is buying it,
    or when it is sold. Locks the listing."""
    with transaction.atomic():
        moved = move_many(Listing, [listing.pk], ListingState.OPEN, ListingState.WITHDRAWN, reason, actor=actor)
        now = Listing.objects.select_related("ticket__line__order", "event").get(pk=listing.pk)
        if moved:
            waiting_offers.listing_ended(now)
            mails.withdrawn(now)
    if not moved and now.state != ListingState.WITHDRAWN:
        raise Changed(now)
    return now


def take_back(listing: Listing, *, actor: Any) -> Listing:
    """Take a ticket off sale though somebody is buying it: their order is cancelled, and money that still comes goes
    back. For the organiser. Raises Changed when it is sold already."""
    with transaction.atomic():  # so that nobody else gets it in between
        held = Listing.objects.filter(pk=listing.pk, state=ListingState.HELD).select_related("held_by__order").first()
        if held is not None and held.held_by is not None:
            ordering.cancel(held.held_by.order, reason=reasons.TAKEN_BACK, actor=actor)
        return withdraw(listing, reason=reasons.BY_DESK, actor=actor)


def _locked(ticket: Ticket) -> Ticket:
    """The ticket as it is now, nobody else's until the transaction ends."""
    rows = Ticket.objects.select_for_update(of=("self",))
    return rows.select_related("ticket_type", "line__order", "event__resale_rule").get(pk=ticket.pk)


def _now(listing: Listing) -> Listing:
    return Listing.objects.select_for_update(of=("self",), no_key=True).select_related("ticket").get(pk=listing.pk)


# --- What ends a listing by itself ----------------------------------------------------------------------------------


def on_tickets_offered(sender: Any, ids: Sequence[int], **_facts: Any) -> None:
    """Whoever gives a ticket to somebody does not sell it."""
    _end(_OPEN.all(list(ids)), reasons.GIVEN)


def on_tickets_moved(sender: Any, ids: Sequence[int], new: str, **_facts: Any) -> None:
    """A ticket that was used, given away, refunded or disputed is not for sale any more."""
    if new in (TicketState.USED, TicketState.SUPERSEDED, TicketState.REVOKED, TicketState.BLOCKED):
        _end(_OPEN.all(list(ids)), reasons.TICKET_CHANGED)


# Every sale, admission and refund asks this; nearly always there is none.
_OPEN = Rows("listings_open", Listing, ("bigint[]",), "WHERE r.ticket_id = ANY($1) AND r.state = 'open' ORDER BY r.id")


def on_choices_changed(sender: Any, ids: Sequence[int], **_facts: Any) -> None:
    """Whoever changes a ticket's choices for money does not sell it meanwhile, nor after."""
    _end(_changed_for_money(Listing.objects.filter(ticket__in=ids)).order_by("pk"), reasons.CHOICES_CHANGED)


def _changed_for_money(listings: QuerySet[Listing]) -> QuerySet[Listing]:
    return listings.filter(state=ListingState.OPEN, ticket__line__in=changes.changed_for_money())


def sweep(at: datetime) -> int:
    """End the listings whose time is over or whose ticket is not good any more, at most 500 a call; how many. The
    signal of a moved ticket may be lost, this is not."""
    found = Listing.objects.filter(state=ListingState.OPEN)
    left_minor = F("ticket__line__price_minor") - F("ticket__line__given_back_minor")
    ended = (
        (found.exclude(ticket__state__in=[TicketState.VALID, TicketState.HELD]), reasons.TICKET_CHANGED),
        (_changed_for_money(found), reasons.CHOICES_CHANGED),
        (found.exclude(paid_minor=left_minor), reasons.PART_GIVEN_BACK),
        (hosts.needed(found), reasons.NEEDED),
        (rules.over(found, at), reasons.CLOSED),
    )
    return sum(_end(listings.order_by("pk")[:ENDED_AT_ONCE], reason) for listings, reason in ended)


def _end(listings: Iterable[Listing], reason: str) -> int:
    ended = 0
    for listing in listings:
        try:
            withdraw(listing, reason=reason)
            ended += 1
        except (Changed, StaleState):
            continue  # somebody began to buy it: what happens to the ticket decides
        except Exception as error:
            log.error("listing %s cannot be ended: %r", listing.public_id, error)
    return ended


def of_ticket(ticket: Ticket) -> Listing | None:
    """The ticket's newest listing, whatever became of it."""
    return Listing.objects.filter(ticket=ticket).order_by("-pk").first()
