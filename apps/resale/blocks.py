"""The block that shows the tickets people sell to the page's event.

On the page it is a placeholder with a plain link, as the ticket block is: the page is kept whole for everybody, and
htmx fetches what is for sale at this moment.
"""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from apps.events.models import Event
from apps.resale import market


class ResaleBlock(blocks.StructBlock):
    """Tickets to the page's event from people who cannot go. Next: `views.of_event`."""

    heading = blocks.CharBlock(
        required=False, max_length=60, label=_("Heading"), help_text=_("Empty: “Second hand”."), default=""
    )

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        context = super().get_context(value, parent_context=parent_context)
        event: Event | None = context.get("event")
        context["event"] = event
        if event is not None:
            context["fragment_url"] = reverse("resale:of_event", args=[event.public_id])
            context["market_url"] = reverse("resale:market") + market.Asked(event=event.public_id).query()
        return context

    class Meta:
        icon = "group"
        group = _("Act")
        label = _("Second hand")
        description = _("Shows the tickets that people who cannot go sell, with a way to buy them.")
        template = "resale/blocks/resale.html"
        preview_template = "resale/blocks/resale.html"
        preview_value = {"heading": ""}
