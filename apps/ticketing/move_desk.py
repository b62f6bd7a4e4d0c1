"""The desk for moving an event: the new day and place beside the old, until when buyers choose, and what they chose."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.viewsets.base import ViewSet
from wagtail.admin.widgets import AdminDateTimeInput

from apps.accounts.plain_text import one_line
from apps.events.desk import AddressesByPublicId
from apps.events.models import Event
from apps.ticketing import clock, moves
from apps.ticketing.mails import letters

PROPOSED_TIME = timedelta(days=7)  # to answer in


class MoveForm(forms.Form):
    """The new facts, in the event's time zone, and the words that go with them."""

    starts_at = forms.DateTimeField(label=gettext_lazy("Starts"), widget=AdminDateTimeInput)
    ends_at = forms.DateTimeField(label=gettext_lazy("Ends"), widget=AdminDateTimeInput)
    doors_at = forms.DateTimeField(label=gettext_lazy("Doors open"), widget=AdminDateTimeInput, required=False)
    venue = forms.CharField(label=gettext_lazy("Place"), max_length=120, required=False)
    venue_address = forms.CharField(label=gettext_lazy("Address of the place"), max_length=200, required=False)
    answer_by = forms.DateTimeField(
        label=gettext_lazy("Buyers may have their money back until"), widget=AdminDateTimeInput
    )
    say_sv = forms.CharField(label=gettext_lazy("Why, in Swedish"), max_length=200, required=False)
    say_en = forms.CharField(label=gettext_lazy("Why, in English"), max_length=200, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        return {name: one_line(value) if isinstance(value, str) else value for name, value in cleaned.items()}


class MoveView(AddressesByPublicId, PermissionCheckedMixin, WagtailAdminTemplateMixin, View):
    """One page: what buyers have chosen of a move in force, and the form for a new one."""

    model = Event
    template_name = "ticketing/admin/move.html"
    any_permission_required = ["change"]
    actions_needed = ("change",)
    header_icon = "date"

    @cached_property
    def event(self) -> Event:
        return self.get_object()

    def get_page_title(self) -> str:
        return _("Move the event")

    def get_page_subtitle(self) -> str:
        return str(self.event)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        event = {"url": reverse("event_desk:edit", args=[self.event.public_id]), "label": str(self.event)}
        return [*self.breadcrumbs_items, event, {"url": "", "label": _("Move the event")}]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        with timezone.override(self.event.zone if request.user.is_authenticated else None):
            response = super().dispatch(request, *args, **kwargs)
            return response.render() if hasattr(response, "render") else response

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        event = self.event
        proposed = min(clock.now() + PROPOSED_TIME, event.starts_at)
        initial = {name: getattr(event, name) for name in moves.FACTS}
        return self._show(MoveForm(initial={**initial, "answer_by": proposed.replace(second=0, microsecond=0)}))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = MoveForm(request.POST)
        if not form.is_valid():
            return self._show(form, status=400)
        given = form.cleaned_data
        try:
            moves.announce(
                self.event,
                by=request.user,
                answer_by=given["answer_by"],
                facts={name: given[name] for name in moves.FACTS},
                say_sv=given["say_sv"],
                say_en=given["say_en"],
            )
        except moves.CannotMove as refusal:
            form.add_error(refusal.field or None, refusal.sentence)
            return self._show(form, status=400)
        messages.success(request, _("The event is moved, and everybody with tickets gets a mail about it."))
        return HttpResponseRedirect(request.path)

    def _show(self, form: MoveForm, *, status: int = 200) -> HttpResponse:
        move = moves.of(self.event)
        context = {
            "event": self.event,
            "form": form,
            "move": move,
            "changes": letters.told_changes(self.event, move.was) if move else [],
            "counts": moves.counts(move) if move else None,
            "is_open": move is not None and clock.now() < move.answer_by,
            "holders": moves.holders(self.event).count(),
            "can_move": self.event.cancelled_at is None and self.event.ends_at > clock.now(),
        }
        response = self.render_to_response(self.get_context_data(**context))
        response.status_code = status
        return response


class MoveDesk(ViewSet):
    """The address of the desk."""

    name = "move_desk"
    url_prefix = "move"
    icon = "date"

    def get_urlpatterns(self) -> list[URLPattern]:
        return [path("<uuid:pk>/", self.construct_view(MoveView), name="event")]
