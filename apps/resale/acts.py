"""What a ticket's holder reads of resale on the ticket's own page, and a person on My pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.models import User
from apps.events.wording import write_day, write_money
from apps.resale import listings, owners, rules, seller_money
from apps.resale.models import Listing
from apps.resale.states import ON_OFFER, ListingState
from apps.ticketing.extensions import Act
from apps.ticketing.models import Ticket
from apps.ticketing.states import TicketState

SHOWN = 20


class SellAct:
    """Our answer to `ticketing.ticket_acts`: sell the ticket, see how it goes, or what became of it."""

    slug = "resale"

    def acts(self, ticket: Ticket, at: datetime) -> Sequence[Act]:
        address = reverse("resale:sell", args=[ticket.public_id, ticket.secret])
        listing = listings.of_ticket(ticket)
        if ticket.state == TicketState.SUPERSEDED:
            return [_sold(ticket, listing, listing.sold_at, address)] if listing and listing.sold_at else []
        if listing is not None and listing.state in ON_OFFER:
            price = write_money(listing.asked_minor, listing.currency)
            if listing.state == ListingState.HELD:
                return [Act(_("See the sale"), address, "tag", _("For sale for %(price)s.") % {"price": price})]
            says = _("For sale for %(price)s. It lets you in until somebody begins to buy it.") % {"price": price}
            return [Act(_("Change or withdraw the sale"), address, "tag", says)]
        if listings.why_not(ticket, rules.of(ticket.event), at):
            return []
        says = _("Cannot come? Sell it here, and get your money back.")
        if not ticket.is_payers:
            says = _("Cannot come? Sell it here, and the money goes back to whoever paid for it.")
        return [Act(_("Sell the ticket"), address, "tag", says)]


def _sold(ticket: Ticket, listing: Listing, sold_at: datetime, address: str) -> Act:
    day = write_day(sold_at, ticket.event.zone)
    money = seller_money.told_to_payer(ticket, listing)
    if money is not None:
        says = _("You sold it on %(day)s.") % {"day": day} + f" {money.sentence}"
    elif listing.payout_minor:
        back = write_money(listing.payout_minor, listing.currency)
        says = _("You sold it on %(day)s. %(back)s is for whoever paid for it.") % {"day": day, "back": back}
    else:
        says = _("It went to somebody else on %(day)s.") % {"day": day}
    return Act(_("What became of the sale"), address, "tag", says)


class ListingsPanel:
    """Our answer to `accounts.my_page_panels`: what one sells, and what became of it."""

    slug = "listings"
    heading = gettext_lazy("Tickets I sell")

    def render(self, request: HttpRequest, user: User) -> str:
        rows = (
            Listing.objects.filter(owners.are_of(user))
            .exclude(state=ListingState.WITHDRAWN)
            .select_related("ticket__ticket_type", "event")
            .order_by("-pk")[:SHOWN]
        )
        return render_to_string("resale/my_listings.html", {"listings": list(rows)}, request) if rows else ""
