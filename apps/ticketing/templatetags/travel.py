"""What the editor's preview panel offers for a look at an event page at another moment, or as somebody else."""

from __future__ import annotations

from typing import Any

from django import template

from apps.events.models import EventPage
from apps.ticketing import preview

register = template.Library()


@register.simple_tag
def travels(page: Any) -> dict[str, Any] | None:
    """`moments` and `persons` to choose from; None for what is no event page."""
    if not isinstance(page, EventPage):
        return None
    return {
        "moments": preview.moments(page.event) if page.event_id else [],
        "persons": preview.persons(page.event_id or 0),
    }
