"""What the tests of presale links share: a hidden ticket with a link to it, and the buyer's browser."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from apps.discounts import presale
from apps.discounts.models import PresaleLink
from apps.events.models import Event
from apps.ticketing import queue
from apps.ticketing.models import Order, TicketType
from tests import factories

HTMX = {"HX-Request": "true"}


def hidden_type(event: Event, size: int = 10, **values: Any) -> TicketType:
    """A ticket by link only, with places of its own."""
    return factories.ticket_type(
        event, factories.quota(event, size), **{"name_en": "Alumni", "visibility": "link", **values}
    )


def link(*types: TicketType, size: int = 5, **facts: Any) -> PresaleLink:
    return presale.create(types[0].event, types=types, **{"label": "The alumni", "size": size, **facts})


def token(made: PresaleLink) -> str:
    return presale.TOKEN + made.secret


def place(kind: TicketType, number: int, *links: PresaleLink, **values: Any) -> Order:
    """An order by these links, queued and not decided."""
    return factories.order(kind.event, factories.wanted(kind, number), tokens=[token(one) for one in links], **values)


def decided(*orders: Order) -> list[tuple[str, str]]:
    """(state, reason) of each once the queue is served."""
    queue.drain_all()
    for order in orders:
        order.refresh_from_db()
    return [(order.state, order.reason) for order in orders]


def buy(kind: TicketType, number: int, *links: PresaleLink, **values: Any) -> Order:
    """A decided order by these links."""
    order = place(kind, number, *links, **values)
    decided(order)
    return order


def stock(kind: TicketType) -> list[tuple[int, int, int]]:
    """(size, taken, set aside) of the quotas of a type."""
    return list(kind.quotas.order_by("pk").values_list("size", "taken", "set_aside"))


def form_of(event: Event, *links: PresaleLink) -> str:
    """The address of the ticket form, as somebody comes to it by these links."""
    with override("en"):
        address = reverse("ticketing:form", args=[event.public_id])
    return address + ("?" + "&".join(f"link={one.secret}" for one in links) if links else "")


def hidden_fields(html: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', html):
        found.setdefault(name, []).append(value)
    return found


def send(
    client: Client,
    kind: TicketType,
    number: int,
    *,
    tokens: list[str],
    email: str = "robin@example.org",
    to: Event | None = None,
) -> Any:
    """The form as a browser posts it, which never has the link in its address."""
    data = {
        "email": email,
        "idempotency_key": uuid.uuid4().hex,
        "fewer_is_fine": "1",
        f"type-{kind.public_id}": str(number),
        "token": tokens,
    }
    return client.post(form_of(to or kind.event), data)


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode())).replace("\xa0", " ")
