"""The organiser's desk for the door: the passes of an event, a new one with its QR code, and taking one back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.panels import FieldPanel, FieldRowPanel, ObjectList

from apps.accounts.plain_text import one_line
from apps.checkin import passes
from apps.checkin.models import GatePass
from apps.events import tenancy
from apps.events.desk import BelowEvent, BelowEventDeleteView, DeskCreateView, OrganisationForm, OrganisationViewSet
from apps.events.models import Event
from apps.ticketing import clock, credentials

LONGEST_AFTER = timedelta(days=7)  # the event: a pass is for an evening, not for ever


class DoorSection:
    """The EventSection of the door: who has a pass to it."""

    slug = "door"
    heading = gettext_lazy("The door")

    def render(self, request: HttpRequest, event: Event) -> SafeString | str:
        if not tenancy.has_role(request.user, event.organisation, tenancy.Role.EDITOR):
            return ""
        now = clock.now()
        rows = [(gate_pass, gate_pass.state_at(now).value) for gate_pass in GatePass.objects.filter(event=event)]
        return render_to_string("checkin/admin/event_door.html", {"event": event, "passes": rows}, request)


class GatePassForm(OrganisationForm):
    """Who gets the pass, where they stand and until when. The event is settled beforehand."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["expires_at"] = passes.default_end(self.instance.event)

    def clean_holder_name(self) -> str:
        return one_line(self.cleaned_data["holder_name"])

    def clean_gate(self) -> str:
        return one_line(self.cleaned_data["gate"])

    def clean_expires_at(self) -> Any:
        expires_at, event = self.cleaned_data["expires_at"], self.instance.event
        if expires_at <= clock.now():
            raise ValidationError(_("This time has passed: choose a later one."))
        if expires_at > event.ends_at + LONGEST_AFTER:
            raise ValidationError(_("A pass may be valid until 7 days after the event at the latest."))
        return expires_at


class GatePassCreateView(BelowEvent, DeskCreateView):
    """The answer to the form is the one page that shows the link: it is stored nowhere, and cannot be shown again."""

    page_title = gettext_lazy("New gate pass")

    def form_valid(self, form: Any) -> HttpResponse:
        facts = {name: form.cleaned_data[name] for name in ("holder_name", "gate", "expires_at", "may_let_in_anyway")}
        gate_pass, secret = passes.give(self.event, by=self.request.user, **facts)
        link = self.request.build_absolute_uri(reverse("checkin:pass", args=[secret]))
        context = {
            "page_title": _("Gate pass"),
            "header_icon": "key",
            "breadcrumbs_items": [*self.get_breadcrumbs_items()[:-1], {"url": "", "label": str(gate_pass)}],
            "gate_pass": gate_pass,
            "event": self.event,
            "event_url": self.get_event_url(),
            "link": link,
            "qr": credentials.qr_svg(link, title=_("Link of the gate pass")),
        }
        return render(self.request, "checkin/admin/gate_pass_made.html", context)


class GatePassRevokeView(BelowEventDeleteView):
    """Takes a pass back. Its row stays: scans name who let a guest in."""

    page_title = gettext_lazy("Take back")
    template_name = "checkin/admin/gate_pass_revoke.html"
    success_message = gettext_lazy("The pass of %(object)s is taken back; it opens the door no more.")

    def delete_action(self) -> None:
        passes.revoke(self.object)


class GatePassDesk(OrganisationViewSet):
    model = GatePass
    name = "gate_pass_desk"
    url_prefix = "gate-passes"
    icon = "key"
    views = ("add", "delete")
    add_view_class = GatePassCreateView
    delete_view_class = GatePassRevokeView
    delete_template_name = GatePassRevokeView.template_name
    edit_handler = ObjectList(
        [
            FieldRowPanel([FieldPanel("holder_name"), FieldPanel("gate")]),
            FieldPanel("expires_at"),
            FieldPanel("may_let_in_anyway"),
        ],
        base_form_class=GatePassForm,
    )
