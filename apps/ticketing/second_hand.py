"""Where pages lead to tickets that people who have them sell: asked of whoever keeps a market (`extensions`)."""

from __future__ import annotations

from apps.events.models import Event
from apps.ticketing.extensions import markets


def url(event: Event) -> str:
    """The page of what is for sale second hand to this event; empty where there is no market."""
    return next((market.url(event) for market in markets), "")


def url_if_any(event: Event) -> str:
    """That page where something is for sale there now, else empty."""
    return next((market.url(event) for market in markets if market.has_any(event)), "")
