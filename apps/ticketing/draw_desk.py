"""The organiser's desk for the draw of an event: until when one enters, changed only while nobody has."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages
from wagtail.admin.panels import FieldPanel, ObjectList

from apps.events import wording
from apps.events.desk import DeskCreateView, DeskEditView, OrganisationForm, OrganisationViewSet
from apps.events.models import Event
from apps.ticketing import clock, draws
from apps.ticketing.admin_views import BelowEvent, BelowEventDeleteView
from apps.ticketing.models import Draw, Order, TicketType

HAS_ENTRIES = gettext_lazy("Somebody has entered already, so the draw stays as it was promised.")
WAS_HELD = gettext_lazy(
    "The draw has been held, and the sale goes on first come, first served. It cannot become a draw again."
)


class DrawForm(OrganisationForm):
    """Until when one may enter. `draws.set_up` writes it, with the seed that belongs to it."""

    def clean_closes_at(self) -> Any:
        closes_at, event = self.cleaned_data["closes_at"], self.instance.event
        if closes_at <= clock.now():
            self.add_error("closes_at", _("Choose a time to come."))
        elif (opens_at := _opens_at(event)) is not None and closes_at <= opens_at:
            moment = wording.write_moment(opens_at, event.zone)
            self.add_error("closes_at", _("Nobody can enter before the sale opens, %(moment)s.") % {"moment": moment})
        elif closes_at >= event.ends_at:
            self.add_error("closes_at", _("The draw must be held before the event is over."))
        elif self.instance.pk is None and Order.objects.filter(event=event).exists():
            self.add_error("closes_at", _("The sale has begun, first come, first served. It cannot become a draw now."))
        return closes_at


def _opens_at(event: Event) -> datetime | None:
    """When the first ticket goes on sale; none when one is on sale at once, or nothing is to be sold yet."""
    opens = TicketType.objects.filter(event=event, is_published=True).values_list("sale_opens_at", flat=True)
    known = [moment for moment in opens if moment is not None]
    return min(known) if known and len(known) == len(opens) else None


class SetsUpDraw(BelowEvent):
    """Saves through `draws.set_up`, and says so when somebody was faster."""

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            draws.set_up(self.event, form.cleaned_data["closes_at"])
        except (draws.AlreadyEntered, draws.AlreadyHeld) as refusal:
            form.add_error("closes_at", WAS_HELD if isinstance(refusal, draws.AlreadyHeld) else HAS_ENTRIES)
            self.produced_error_message = self.get_error_message()  # type: ignore[attr-defined]
            return self.form_invalid(form)  # type: ignore[attr-defined]
        messages.success(
            self.request, _("Whoever enters in time is ranked by chance. Tell them the time in your page.")
        )
        return HttpResponseRedirect(self.get_event_url())


class DrawCreateView(SetsUpDraw, DeskCreateView):
    pass


class DrawEditView(SetsUpDraw, DeskEditView):
    pass


class DrawDeleteView(BelowEventDeleteView):
    """Back to first come, first served, while nobody has entered."""

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            draws.remove(self.object)
        except draws.AlreadyEntered:
            messages.error(self.request, HAS_ENTRIES)
        else:
            messages.success(self.request, _("First come, first served again."))
        return HttpResponseRedirect(self.get_event_url())


class DrawDesk(OrganisationViewSet):
    model = Draw
    name = "draw_desk"
    url_prefix = "draws"
    icon = "repeat"
    views = ("add", "edit", "delete")
    add_view_class = DrawCreateView
    edit_view_class = DrawEditView
    delete_view_class = DrawDeleteView
    edit_handler = ObjectList([FieldPanel("closes_at")], base_form_class=DrawForm)
