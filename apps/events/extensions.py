"""What events ask of whoever sells or admits: the offers of an event, for its page, its structured data and its publish
guard; and what to show an organiser beside an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.http import HttpRequest
from django.utils.functional import Promise

from apps.accounts.registry import Registry
from apps.events.models import Event


@dataclass(frozen=True)
class Offer:
    """One thing that can be bought for an event, as a stranger may know it. Money in minor units."""

    name: str
    price_minor: int
    currency: str
    # schema.org ItemAvailability: InStock, LimitedAvailability, OutOfStock (paused), SoldOut, PreOrder, Discontinued
    availability: str
    opens_at: datetime | None
    closes_at: datetime | None
    url: str
    may_cost_more: bool = False  # `price_minor` is the least; what one chooses with it may add to that


class Offering(Protocol):
    """What an app offers for events.

    Called when an event page (also for its structured data) or list is rendered; not called by the purchase queue.
    """

    slug: str

    def offers(self, events: Sequence[Event], at: datetime) -> dict[int, list[Offer]]:
        """Offers by event id at the moment `at`, in a constant number of queries. Reads only."""

    def publish_problems(self, event: Event) -> list[str | Promise]:
        """Plain sentences that say why a page about `event` should not be published yet; empty when all is well.
        Not called yet: publishing does not ask."""


class EventSection(Protocol):
    """A section on an event's page in the administration: what another app keeps for that event.

    Called once when an organiser opens an existing event. Not called while one is created, nor on public pages.
    """

    slug: str

    @property
    def heading(self) -> str | Promise:
        """The words above the section; a plain attribute will do."""

    def render(self, request: HttpRequest, event: Event) -> str:
        """Safe HTML for the signed-in organiser, or an empty string to leave it out. Reads only."""


offerings: Registry[Offering] = Registry("events.offerings")
event_sections: Registry[EventSection] = Registry("events.event_sections")
