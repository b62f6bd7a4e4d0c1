"""The block that sells: it only points to an event. The form itself comes from an address of its own, uncached, so that
a page full of blocks can be kept whole for everybody.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from apps.events.admin_views import event_chooser
from apps.events.extensions import Problem
from apps.events.models import Event
from apps.events.travel import Travel
from apps.ticketing import clock, preview, publish_guard, sale_control, sale_notice, tokens

EventChooserBlock = event_chooser.get_block_class(name="EventChooserBlock", module_path="apps.ticketing.blocks")


def _notice(event: Event) -> sale_notice.Notice:
    """For whoever has no JavaScript. Read anew: the page is kept for a minute, once a change has had it made again."""
    return sale_notice.of(event, sale_control.state_of(event.pk), clock.now(), where="block")


def _form_url(event: Event, request: Any) -> str:
    """Where the form comes from: in an editor's preview from one that sells nothing (preview)."""
    if getattr(request, "is_preview", False):
        return preview.address(event, getattr(request, "travel", Travel()))
    brought = tokens.of_address(request.GET) if request is not None else ()
    return reverse("ticketing:form", args=[event.public_id]) + tokens.query_of(brought)


class TicketBlock(blocks.StructBlock):
    """The tickets of the page's event, or of another event of the same organisation.

    On the page it is a placeholder with a plain link; htmx fetches the form in its place. Next: `views.tickets`, or in
    an editor's preview `preview.tickets`, which creates no order.
    """

    heading = blocks.CharBlock(
        required=False, max_length=60, label=_("Heading"), help_text=_("Empty: “Tickets”."), default=""
    )
    event = EventChooserBlock(
        required=False, label=_("Another event"), help_text=_("Empty: the event that this page is about.")
    )

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        context = super().get_context(value, parent_context=parent_context)
        event: Event | None = value.get("event") or context.get("event")
        context["event"] = event
        context["notice"] = _notice(event) if event else None
        context["form_url"] = _form_url(event, context.get("request")) if event else ""
        return context

    def publish_problems(self, value: Any, event: Event, public_at: datetime) -> list[Problem]:
        """What speaks against publishing a page with this block, beyond what the page's own event says (events.
        publishing)."""
        other: Event | None = value.get("event")
        found = publish_guard.nothing_to_sell(other or event)
        return found + publish_guard.problems(other, public_at) if other else found

    class Meta:
        icon = "tag"
        group = _("Act")
        label = _("Tickets")
        description = _("Sells the event's tickets on the page. Wide screens show the first one beside the story.")
        template = "ticketing/blocks/ticket_block.html"
        preview_template = "ticketing/blocks/ticket_block_preview.html"
        preview_value = {"heading": "", "event": None}
        stands_beside = True  # on wide screens (events.listing)
