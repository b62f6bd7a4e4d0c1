"""An event whose tickets cost members and those with a code less, and who buys them there, new or again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.discounts.models import MemberBody, Sponsor
from apps.resale import buying
from apps.resale.models import ResaleRule
from apps.ticketing import queue
from apps.ticketing.models import Order, Ticket, TicketType
from tests import factories
from tests.discounts import builders
from tests.resale import houses

NEW, MEMBERS, CODED, FEE = 25_000, 20_000, 15_000, 1_000


@dataclass
class Hall:
    """An event with a ticket of 250 kr: 200 for members, 150 with a code; 10 kr of a sale are kept."""

    kind: TicketType
    body: MemberBody
    sponsor: Sponsor | None

    def buyer(self, nature: str) -> dict[str, Any]:
        """What `ordering.place` is told of somebody of this nature."""
        if nature == "member":
            user = builders.member(self.body)
            return {"user": user, "email": user.email}
        return {"tokens": ["code:LUCIA"]} if nature == "coded" else {}

    def bought(self, nature: str) -> Ticket:
        order = factories.order(self.kind.event, factories.wanted(self.kind), **self.buyer(nature))
        queue.drain(self.kind.event_id)
        order.refresh_from_db()
        return houses.ticket_of(houses.pay(order))


def hall(
    *,
    price_minor: int = NEW,
    is_sponsored: bool = False,
    members_minor: int = MEMBERS,
    members: Mapping[str, Any] | None = None,
) -> Hall:
    """`members` are more conditions of the members' price, such as its limits."""
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 50), price_minor=price_minor, vat_percent=0)
    body = builders.body(event.organisation)
    sponsor = builders.sponsor(event.organisation) if is_sponsored else None
    less = {"bodies": [body], "amount_minor": NEW - members_minor, "sponsor": sponsor}
    builders.discount(event, **less, **(members or {}))
    builders.discount(event, codes={"LUCIA": None}, amount_minor=NEW - CODED, sponsor=sponsor)
    ResaleRule.objects.create(event=event, fee_minor=FEE)
    return Hall(kind, body, sponsor)


def resold(ticket: Ticket, buyer: dict[str, Any], asked_minor: int | None = None) -> Order:
    listing = houses.listed(ticket, asked_minor)
    facts = {"email": f"b{listing.pk}@example.org", **buyer, "idempotency_key": f"{listing.public_id}"}
    order = buying.buy([listing], **facts)
    queue.drain(order.event_id)
    order.refresh_from_db()
    return order
