"""What whoever orders as a guest passes before the queue: no machine by the thousand, and no person without end.

The ticket form asks it, and every other form that places an order, such as that of a ticket sold again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.events.models import Event
from apps.ticketing import addresses, challenges, code_views, limits, ordering
from apps.ticketing.forms import Wish
from apps.ticketing.models import Order

__all__ = ["Passage", "Wish", "asks_proof", "issue", "judge"]


@dataclass(frozen=True)
class Passage:
    """How somebody came through. `page` is to be shown first, where there is one: it asks for a code that was mailed.
    `is_proven`: they have shown that the address is theirs."""

    page: HttpResponse | None = None
    is_proven: bool = False

    def note(self, order: Order) -> None:
        """The order's address is its buyer's, where that was proved."""
        if self.is_proven:
            addresses.confirm(order)


def asks_proof(event: Event, person: Any) -> bool:
    """Whether a guest of this event solves a challenge, or proves their address, to be served."""
    return bool(event.challenges_guests) and person is None


def issue(event: Event, key: str, person: Any) -> challenges.Challenge | None:
    """The challenge for a form with this idempotency key; None for whoever needs none."""
    return challenges.issue(event, key) if asks_proof(event, person) else None


def judge(request: HttpRequest, event: Event, wish: Wish, person: Any, *, address: str = "") -> Passage:
    """Let a posted form pass: what is wrong stands in the wish's errors then, and nothing was counted for a form that
    had errors before. `address` is where the form is, if it is not the event's own. One round trip to Redis."""
    is_proven = False
    if not wish.errors and asks_proof(event, person):
        if request.POST.get("proof") == "code":
            page = code_views.answer(request, event, wish, address=address)
            if page is not None:
                return Passage(page)
            is_proven = True
        else:
            wish.meet_challenge(event, request.POST)
    if not wish.errors:
        browser = limits.browser_of(request) if person is None else ""
        wish.wait(limits.seconds_to_wait(event, ordering.buyer_key(person, wish.email), browser=browser))
    return Passage(is_proven=is_proven)
