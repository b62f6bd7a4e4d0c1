"""Where pages of what is sold out, and of orders that got no place, lead to a waiting list; asked of whoever keeps one
(`extensions.waiting_lists`)."""

from __future__ import annotations

from datetime import datetime

from apps.events.models import Event
from apps.ticketing.extensions import waiting_lists
from apps.ticketing.models import Order


def join_url(event: Event, at: datetime) -> str:
    """Where one joins the list of this event; empty where there is none."""
    return next((url for one in waiting_lists if (url := one.join_url(event, at))), "")


def join_url_from(order: Order, at: datetime) -> str:
    """Where the buyer of this order takes its rank to the list; empty where they cannot."""
    return next((url for one in waiting_lists if (url := one.join_url_from(order, at))), "")
