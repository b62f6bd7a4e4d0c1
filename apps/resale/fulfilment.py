"""A ticket that somebody has, sold to somebody else: an ordinary order whose lines name listings.

Held while its buyer pays (15 minutes, no more), let go when they do not, and swapped when they have. The door moves the
same row, so exactly one of them wins: a ticket that was let in is not sold, and one that is held is not let in.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db.models import Prefetch

from apps.accounts.prepared import Rows
from apps.resale import choices, hosts, mails, reasons, rules, waiting_reasons
from apps.resale.models import Listing, OfferedListing
from apps.resale.states import ListingState
from apps.ticketing import answers, clock, guest_tickets, holders, refunds, reservations, tickets
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.models import LineChoice, Order, OrderLine, Ticket
from apps.ticketing.states import TicketState
from apps.ticketing.transitions import move_many


class Resale:
    """Our answer to `ticketing.fulfilments` and `SellsAgain`. A line's `subject` is its listing's public id."""

    slug = "resale"
    takes_stock = False
    once_taken = reasons.LISTING_TAKEN

    def tickets_of(self, subjects: Sequence[str]) -> Mapping[str, Ticket]:
        rows = (
            Ticket.objects.filter(listings__public_id__in=_ids(subjects))
            .select_related("line")
            .prefetch_related(
                "line__adjustments",
                "listings",
                Prefetch("line__choices", LineChoice.objects.order_by("pk")),
            )
            .distinct()
        )
        return {str(listing.public_id): ticket for ticket in rows for listing in ticket.listings.all()}

    def refusals(self, lines: Sequence[OrderLine]) -> Mapping[int, str]:
        """Locks tickets, then listings, by id: the door lets none of them in before the batch is decided."""
        listings = self._locked([line.subject for line in lines])
        orders = Order.objects.in_bulk({line.order_id for line in lines})
        at = clock.now()
        asked = {line.pk: listings[line.subject].ticket.line_id for line in lines if line.subject in listings}
        changed = choices.changed(asked)
        sellers = {listing.ticket.owner_id for listing in listings.values()}
        proved = holders.proved_by({*sellers, *(order.user_id for order in orders.values())})
        said: dict[int, str] = {}
        asked_for: dict[int, Listing] = {}
        for line in lines:
            listing = listings.get(line.subject)
            why = _refusal(listing, orders[line.order_id], proved, at)
            said[line.pk] = why or (reasons.LISTING_CHANGED if line.pk in changed else "")
            if listing is not None and not said[line.pk]:
                asked_for[line.pk] = listing
        needed = _needed(list(dict.fromkeys(asked_for.values())))
        said |= {pk: reasons.LISTING_GONE for pk, listing in asked_for.items() if listing.pk in needed}
        return {pk: reason for pk, reason in said.items() if reason}

    def reserve(self, lines: Sequence[OrderLine]) -> None:
        """Hold each line's listing and its ticket, which `refusals` locked."""
        lines_by_subject = {line.subject: line.pk for line in lines}
        listings = Listing.objects.filter(public_id__in=_ids(lines_by_subject)).select_related("ticket__line")
        tickets.hold(sorted(listing.ticket_id for listing in listings), reason=self.slug)
        lines_of = {listing.pk: lines_by_subject[str(listing.public_id)] for listing in listings}
        move_many(Listing, lines_of, ListingState.OPEN, ListingState.HELD, each={"held_by": lines_of}, audit=True)
        mails.reserved(listings)

    def buyers_of(self, ticket_ids: Sequence[int]) -> Mapping[int, Order]:
        held = Listing.objects.filter(ticket__in=ticket_ids, state=ListingState.HELD)
        rows = held.select_related("held_by__order__event")
        return {row.ticket_id: row.held_by.order for row in rows if row.held_by is not None}

    def missing(self, lines: Sequence[OrderLine]) -> str:
        """Locks the sellers' orders and those of what was paid more, then the tickets: what is left of their prices
        cannot fall before `fulfil`, nor their choices change."""
        told = _locked_for(lines)
        good = sum(row.ticket.state == TicketState.HELD and _is_as_listed(row) for row in told)
        changed = choices.changed({row.held_by_id: row.ticket.line_id for row in told if row.held_by_id is not None})
        sellers = hosts.sellers_of(told)
        # By what they have got while this was paid for: guests that were for sale besides may stay theirs.
        is_needed = any(sellers.need(row) and _is_needed_since(row) for row in told)
        return "" if good == len(lines) and not changed and not is_needed else reasons.LISTING_GONE

    def fulfil(self, lines: Sequence[OrderLine]) -> Sequence[Ticket]:
        """Swap: the old ticket is superseded, the new one issued, the seller's money owed, and what was paid more by
        those it was given to, all or nothing. Locks the sellers' orders, which are older than the buyer's, those of
        such differences, then tickets and listings by id."""
        sold = {listing.held_by_id: listing for listing in _locked_for(lines)}
        superseded = set(tickets.supersede([row.ticket_id for row in sold.values()], reason=self.slug))
        for line in lines:
            listing = sold.get(line.pk)
            if listing is None or listing.ticket_id not in superseded:
                raise Lost(str(line.public_id))  # `missing` held it: a mistake of ours, and nothing is done
            old = listing.ticket.line
            reservations.hand_over(old, line)
            answers.carry_over(old, line)
            refunds.repay_seller(
                old.order,
                old,
                owed_minor=listing.payout_minor,
                fee_minor=listing.fee_minor,
                fact=str(listing.public_id),
            )
            refunds.order_all(refunds.differences_of(old), reason=reasons.DIFFERENCE_RESOLD)
        ids = [listing.pk for listing in sold.values()]
        move_many(Listing, ids, ListingState.HELD, ListingState.SOLD, sold_at=clock.now())
        issued = tickets.issue(lines)
        mails.sold(sold.values())
        for ticket in issued:
            mails.ask_anew(ticket)
        crashpoint("resale.swapped")
        return issued

    def release(self, lines: Sequence[OrderLine]) -> None:
        """Put what was held back on sale. Locks tickets, then listings, by id."""
        held = {
            listing.pk: listing.ticket_id
            for listing in Listing.objects.filter(held_by__in=lines, state=ListingState.HELD)
        }
        tickets.let_go(held.values(), reason=self.slug)
        move_many(Listing, held, ListingState.HELD, ListingState.OPEN, held_by=None)

    def _locked(self, subjects: Sequence[str]) -> dict[str, Listing]:
        ids = _ids(subjects)
        of_tickets = Listing.objects.filter(public_id__in=ids).values("ticket")
        list(Ticket.objects.select_for_update().filter(pk__in=of_tickets).order_by("pk").values_list("pk"))
        rows = Listing.objects.select_for_update(of=("self",), no_key=True).filter(public_id__in=ids)
        live = OfferedListing.objects.filter(is_live=True).select_related("offer")
        told = rows.select_related("ticket__line__order", "event__resale_rule").prefetch_related(
            Prefetch("offered", live)
        )
        told = told.order_by("pk")
        return {str(listing.public_id): listing for listing in told}


class Lost(Exception):
    """A ticket that was held for its buyer is not any more. Nothing is done."""


_SELLERS = Rows(
    "resale_sellers_locked",
    Order,
    ("bigint[]",),
    "WHERE r.id IN (SELECT l.order_id FROM resale_listing s JOIN ticketing_ticket t ON t.id = s.ticket_id"
    " JOIN ticketing_orderline l ON l.id = t.line_id WHERE s.held_by_id = ANY($1)) ORDER BY r.id FOR NO KEY UPDATE",
)
_SOLD = Rows(
    "resale_sold_lines",
    OrderLine,
    ("bigint[]",),
    "WHERE r.id IN (SELECT t.line_id FROM resale_listing s JOIN ticketing_ticket t ON t.id = s.ticket_id"
    " WHERE s.held_by_id = ANY($1)) ORDER BY r.id",
)
_TICKETS = Rows(
    "resale_tickets_locked",
    Ticket,
    ("bigint[]",),
    "WHERE r.id IN (SELECT s.ticket_id FROM resale_listing s WHERE s.held_by_id = ANY($1)) ORDER BY r.id FOR UPDATE",
)
_HELD = Rows("resale_held", Listing, ("bigint[]",), "WHERE r.held_by_id = ANY($1) AND r.state = 'held' ORDER BY r.id")


def _locked_for(lines: Sequence[OrderLine]) -> list[Listing]:
    """The listings that these lines hold, by id, with ticket, its line and the seller's order fetched along as they
    are once they are locked: the sellers' orders, which are older than their buyers', those by which more was paid for
    their tickets, then the tickets. Five queries for any number of them."""
    ids = [line.pk for line in lines]
    orders = {order.pk: order for order in _SELLERS.all(ids)}
    sold = {line.pk: line for line in _SOLD.all(ids)}
    refunds.lock_changes(sold)
    held = {ticket.pk: ticket for ticket in _TICKETS.all(ids)}
    found = _HELD.all(ids)
    for listing in found:
        listing.ticket = held[listing.ticket_id]
        listing.ticket.line = sold[listing.ticket.line_id]
        listing.ticket.line.order = orders[listing.ticket.line.order_id]
    return found


def _is_as_listed(listing: Listing) -> bool:
    """Whether what is left of the seller's price is what it was when they listed it. Where a part has gone back since,
    what they would give up is another sum, so that they list it anew."""
    return listing.ticket.line.kept_minor == listing.paid_minor


def _is_needed_since(listing: Listing) -> bool:
    order = listing.held_by.order if listing.held_by is not None else None
    return order is None or order.decided_at is None or guest_tickets.got_since(listing.ticket, order.decided_at)


def _needed(listings: Sequence[Listing]) -> set[int]:
    """The ids of those that guest tickets need, which their sellers have got since; somebody in this batch may get each
    of the others. At most two queries for any number of them."""
    sellers, going = hosts.sellers_of(listings), list[Listing]()
    for listing in listings:
        if not sellers.need(listing, going):
            going.append(listing)
    return {listing.pk for listing in listings} - {listing.pk for listing in going}


def _ids(subjects: Iterable[str]) -> list[uuid.UUID]:
    found = []
    for subject in set(subjects):
        try:
            found.append(uuid.UUID(subject))
        except ValueError:
            continue
    return found


def _refusal(listing: Listing | None, order: Order, proved: holders.Proved, at: datetime) -> str:
    """Why this order cannot have this listing; empty when it can. `proved` is of sellers and buyers."""
    if listing is None or listing.event_id != order.event_id:
        return reasons.LISTING_GONE
    if listing.state in (ListingState.HELD, ListingState.SOLD):
        return reasons.LISTING_TAKEN
    is_good = listing.state == ListingState.OPEN and listing.ticket.state == TicketState.VALID
    if not is_good or not _is_as_listed(listing):
        return reasons.LISTING_GONE
    if holders.is_holder(listing.ticket, key=order.buyer_key, email=order.email, user_id=order.user_id, proved=proved):
        return reasons.OWN_LISTING
    if any(offered.offer.order_id != order.pk for offered in listing.offered.all()):
        return waiting_reasons.ONLY_LISTED
    return reasons.RESALE_OVER if rules.is_over(listing.event, rules.of(listing.event), at) else ""
