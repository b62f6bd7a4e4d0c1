"""What events ask of whoever sells or admits: the offers of an event, for its page, its structured data and its publish
guard; and what to show an organiser beside an event.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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


@dataclass(frozen=True)
class Problem:
    """Why a page should not be published yet: a plain sentence that says what contradicts what, and the address in the
    administration where it is mended."""

    sentence: str
    url: str = ""


class Offering(Protocol):
    """What an app offers for events.

    Called when an event page (also for its structured data) or list is rendered; not called by the purchase queue.
    """

    slug: str

    def offers(self, events: Sequence[Event], at: datetime) -> dict[int, list[Offer]]:
        """Offers by event id at the moment `at`, in a constant number of queries. Reads only."""

    def publish_problems(self, event: Event, public_at: datetime) -> Sequence[Problem]:
        """Why a page about `event` should not become public at `public_at`; empty when all is well. Reads only.

        Called when an editor opens the page or the event's desk, and when the page is published or scheduled. Not
        called when a draft is saved, nor for events that are over.
        """


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


class FactGuard(Protocol):
    """Binds facts of an event that others rely on by now, such as what was promised to buyers.

    Called when an editor saves an existing event's form with other facts than before. Not called while an event is
    created, nor when an app changes facts by its own verbs.
    """

    slug: str

    def refusals(self, event: Event, changed: Collection[str]) -> Mapping[str, str]:
        """{field: why it may not be another}, for fields among `changed`; `event` is as it was. A sentence may be safe
        HTML with a link to where it is done instead. Reads only."""


@dataclass(frozen=True)
class Gap:
    """A text that is there in one language and not in the other."""

    language: str  # the one that lacks: sv or en
    what: str  # as the desk calls it: "Dinner: description in English"
    url: str  # where to mend it in the administration


class TranslatedTexts(Protocol):
    """Tells which of an app's texts about an event are there in one language alone.

    Called when an editor of the organisation opens the event in the administration. Not called on public pages, where
    a missing text is shown in the other language.
    """

    slug: str

    def gaps(self, event: Event) -> list[Gap]:
        """The gaps in the order of the desk, in a constant number of queries. Reads only."""


@dataclass(frozen=True)
class SiteWay:
    """A way in the head of every public page, beside "Events". `route` is the name of its address."""

    slug: str
    label: str | Promise
    route: str


offerings: Registry[Offering] = Registry("events.offerings")
event_sections: Registry[EventSection] = Registry("events.event_sections")
fact_guards: Registry[FactGuard] = Registry("events.fact_guards")
translated_texts: Registry[TranslatedTexts] = Registry("events.translated_texts")
site_ways: Registry[SiteWay] = Registry("events.site_ways")
