"""Who wants to buy what, when, and through which door: the plain facts that pricing, gates and templates judge by.

Nothing here has a clock or a database of its own. `at` is the moment judged by: the database's time for a real
purchase, any time in an editor's preview.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from apps.ticketing import vat


@dataclass(frozen=True)
class Chosen:
    """One choice made for one ticket: how many of it and what each adds (minor units, may be negative)."""

    choice_id: int
    quantity: int
    delta_minor: int


@dataclass(frozen=True)
class ContextLine:
    """One wanted ticket. `key` is the order line's id, or the position in a form not sent yet."""

    key: int
    ticket_type_id: int
    price_minor: int
    vat_percent: Decimal
    choices: tuple[Chosen, ...] = ()
    fulfilment: str = "issue"
    subject: str = ""
    vat_split: vat.Split = ()
    sells: Any = None  # the Ticket that a line of another owner's sells again; else none

    @cached_property
    def list_minor(self) -> int:
        """Type price plus what the choices add; never below zero."""
        return max(0, self.price_minor + sum(chosen.delta_minor * chosen.quantity for chosen in self.choices))


@dataclass(frozen=True)
class Anew:
    """An order is priced once more, after its price was frozen at `frozen_at`. `learned` is what was found out since,
    in words that its price rules understand (None: whatever it was): a rule gives what it gave, and more only where
    that follows from it."""

    frozen_at: datetime
    learned: frozenset[str] | None = None


@dataclass(frozen=True)
class PurchaseContext:
    """One buyer at one event. `tokens` are opaque words (codes, presale links) that only plugins understand."""

    event_id: int
    currency: str
    at: datetime
    buyer_key: str = ""
    user_id: int | None = None
    email: str = ""
    locale: str = "sv"
    tokens: tuple[str, ...] = ()
    channel: str = "web"  # web, api, desk
    preview: bool = False
    each_alone: bool = False  # the lines are what could be bought, one of each, and no order: each counts as if alone
    is_gift: bool = False  # a ticket is taken over as it was bought: no limited right is claimed for it
    pretends: tuple[str, ...] = ()  # what somebody made up is taken for; never of a person, never from a request
    order_id: int | None = None
    anew: Anew | None = None
    lines: tuple[ContextLine, ...] = field(default=())

    @property
    def sells_again(self) -> bool:
        """Whether it is about tickets that somebody has."""
        return any(line.sells is not None for line in self.lines)

    def with_lines(self, lines: tuple[ContextLine, ...]) -> PurchaseContext:
        return replace(self, lines=lines)
