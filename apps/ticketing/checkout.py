"""The buyer's word before the payment: who they are, and that they accept the terms as they stand now."""

from __future__ import annotations

from dataclasses import dataclass

from apps.accounts.prepared import Statement
from apps.events import legal
from apps.events.models import Event, LegalKind, LegalVersion
from apps.events.translated import active_language
from apps.ticketing.models import Order
from apps.ticketing.states import OrderState


def terms_of(event: Event) -> LegalVersion:
    """The seller's terms of purchase as they stand now. `event.organisation` is read."""
    return legal.standing(event.organisation, LegalKind.TERMS)


def shown_terms(event: Event) -> LegalVersion:
    """The same for pages, at most half a second old. What is accepted is read now."""
    return legal.shown((event.organisation_id, LegalKind.TERMS))


@dataclass(frozen=True)
class Accepted:
    """Which version of the seller's terms a buyer accepted, and where it is read, word for word."""

    number: int
    url: str


def accepted_terms(order: Order) -> Accepted | None:
    """What the buyer accepted; None before that. Asks no database. `order.organisation` is read."""
    number = order.terms_version.partition(":")[0]
    if not number.isdecimal() or number == "0":
        return None
    return Accepted(int(number), legal.address(order.organisation.slug, LegalKind.TERMS, int(number)))


def version(terms: LegalVersion) -> str:
    """As an order keeps it: the number of the version, and the language it was read in."""
    return f"{terms.number}:{active_language()}"


_NOTE = Statement(
    "order_note",
    ("bigint", "text", "text", "text"),
    "UPDATE ticketing_order SET name = $2, terms_version = $3 WHERE id = $1 AND state = $4 RETURNING id",
)


def accept(order: Order, *, name: str, terms: LegalVersion) -> None:
    """Note who buys and which terms were accepted, while the order is held. Next: payments.start."""
    _note(order, name, version(terms))


def keep(order: Order, *, name: str, terms: LegalVersion, accepted: bool) -> None:
    """Note what the buyer has written so far, so that it stands there when they come back to pay."""
    _note(order, name, version(terms) if accepted else "")


def has_accepted(order: Order, terms: LegalVersion) -> bool:
    """Whether the buyer has accepted the terms as they stand now."""
    return order.terms_version.partition(":")[0] == str(terms.number)


def _note(order: Order, name: str, version: str) -> None:
    _NOTE.run(order.pk, name, version, str(OrderState.RESERVED))
    order.name, order.terms_version = name, version
