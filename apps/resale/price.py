"""What a seller gives up of the price, as an adjustment of the new owner's.

A ticket that is sold again costs what it cost new, with what depends on its buyer said anew by the other rules. Who
asks for less than they paid gives up the difference: they get so much less, and whoever buys pays so much less. It
comes first of all rules, so that a discount is cut to what is left of the price, and never what a seller agreed to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from apps.resale.models import Listing
from apps.resale.states import ON_OFFER
from apps.ticketing.context import ContextLine, PurchaseContext
from apps.ticketing.extensions import SELLER, NamedAdjustment
from apps.ticketing.models import Ticket


class SellersPrice:
    """Our answer to `ticketing.price_rules`."""

    slug = "resale"

    def prepare(self, contexts: Sequence[PurchaseContext], at: datetime) -> Any:
        return None

    def adjustments(self, context: PurchaseContext, line: ContextLine, answers: Any) -> Sequence[NamedAdjustment]:
        return ()  # a new ticket was nobody's before

    def claim(self, order_lines: Mapping[int, Sequence[NamedAdjustment]]) -> None:
        """Nothing is limited."""

    def release(self, order_line_ids: Sequence[int]) -> None:
        """Nothing is limited."""

    def reprice(self, ticket: Ticket, context: PurchaseContext, answers: Any) -> Sequence[NamedAdjustment]:
        """What earlier sellers gave up stays given up, and what this one does comes to it."""
        wanted = [NamedAdjustment.of(row) for row in ticket.line.adjustments.all() if row.source == self.slug]
        listing = _sold_by(ticket, context)
        if listing is not None and listing.given_up_minor:
            wanted.append(
                NamedAdjustment(
                    *(self.slug, "Sänkt av säljaren", "Lowered by the seller"),
                    -listing.given_up_minor,
                    f"{SELLER}{listing.public_id}",
                )
            )
        return wanted


def _sold_by(ticket: Ticket, context: PurchaseContext) -> Listing | None:
    """The listing that a line names, also once somebody else has bought it; else that which sells the ticket now."""
    named = {line.subject for line in context.lines}
    return next((row for row in ticket.listings.all() if str(row.public_id) in named), None) or on_offer(ticket)


def on_offer(ticket: Ticket) -> Listing | None:
    """The listing that sells this ticket now, of those that were fetched along with it."""
    return next((listing for listing in ticket.listings.all() if listing.state in ON_OFFER), None)
