"""What of an event is bound once something of it is sold: asked through the form of the event's facts. Day and place
are then moved (`moves`), so that everybody is told and may have their money back.
"""

from __future__ import annotations

from collections.abc import Collection

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from apps.events.models import Event
from apps.ticketing import moves
from apps.ticketing.models import Order

MOVED = ("starts_at", "ends_at", "venue", "venue_address")  # doors may open at another time


class SoldFacts:
    """The FactGuard of ticketing; registered when the app is ready."""

    slug = "tickets"

    def refusals(self, event: Event, changed: Collection[str]) -> dict[str, str]:
        return {**self._moved(event, changed), **self._currency(event, changed)}

    def _currency(self, event: Event, changed: Collection[str]) -> dict[str, str]:
        if "currency" not in changed or not Order.objects.filter(event=event).exists():
            return {}
        sentence = _(
            "Somebody has ordered in %(currency)s, and what they pay and get back is booked in it. It stays; for"
            " another currency make another event."
        )
        return {"currency": sentence % {"currency": event.currency}}

    def _moved(self, event: Event, changed: Collection[str]) -> dict[str, str]:
        """A place that was not said yet may be said."""
        names = [name for name in MOVED if name in changed and getattr(event, name)]
        if not names or not moves.holders(event).exists():
            return {}
        sentence = format_html(
            '{} <a href="{}">{}</a>',
            _("Tickets are sold for this day and place. Move the event instead: buyers are told, and asked."),
            reverse("move_desk:event", args=[event.public_id]),
            _("Move the event"),
        )
        return dict.fromkeys(names, sentence)
