"""The organiser's desk for waiting lists: the rule, who stands where, what each was offered and why one was passed, and
the button that takes somebody off, with a reason they read."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_filters import ChoiceFilter, ModelChoiceFilter
from wagtail.admin import messages
from wagtail.admin.panels import FieldPanel, HelpPanel, ObjectList
from wagtail.admin.ui.tables import Column, TitleColumn

from apps.accounts.plain_text import one_line
from apps.events import tenancy
from apps.events.desk import (
    BelowEvent,
    DeskEditView,
    DeskIndexView,
    DeskInspectView,
    MomentColumn,
    OnePerEventCreateView,
    OrganisationFilterSet,
    OrganisationForm,
    OrganisationViewSet,
)
from apps.events.models import Event
from apps.resale import waiting, waiting_line
from apps.resale.models import WaitingEntry, WaitingRule
from apps.resale.waiting_states import EntryState
from apps.ticketing import reasons

LONGEST_NOTE = 300


class WaitingRuleView(BelowEvent):
    """Saves the rule of an event's list. Offers that were made keep their time."""

    def get_success_message(self, instance: Any) -> str:
        return sentence(self.event, instance)


class WaitingRuleCreateView(WaitingRuleView, OnePerEventCreateView):
    pass


class WaitingRuleEditView(WaitingRuleView, DeskEditView):
    pass


class WaitingRuleDesk(OrganisationViewSet):
    model = WaitingRule
    name = "waiting_rule_desk"
    url_prefix = "waiting-rules"
    icon = "list-ol"
    views = ("add", "edit")
    add_view_class = WaitingRuleCreateView
    edit_view_class = WaitingRuleEditView
    edit_handler = ObjectList(
        [
            HelpPanel(
                gettext_lazy(
                    "Once tickets are sold out, people join a list. What comes back, and what people sell, is offered"
                    " to them one after the other before everybody sees it."
                )
            ),
            FieldPanel("is_open"),
            FieldPanel("answer_hours"),
            FieldPanel("sells_after"),
        ],
        base_form_class=OrganisationForm,
    )


def sentence(event: Event, rule: WaitingRule) -> str:
    """The rule in a sentence of the active language."""
    if not rule.is_open:
        return _("Nobody joins the waiting list. Who stands on it is served as before.")
    words = {"hours": rule.answer_hours}
    return _("Whoever is offered a ticket has up to %(hours)d hours to answer; the clock rests from 22 to 8.") % words


class WaitingSection:
    """Our answer to `events.event_sections`: the rule, and how many stand on the list."""

    slug = "waiting"
    heading = gettext_lazy("Waiting list")

    def render(self, request: HttpRequest, event: Event) -> str:
        may_change = tenancy.has_role(request.user, event.organisation, tenancy.Role.EDITOR)
        rows = WaitingEntry.objects.filter(event=event)
        context = {
            "sentence": sentence(event, waiting_line.rule_of(event)),
            "waiting": rows.filter(state=EntryState.WAITING).count(),
            "served": rows.filter(state=EntryState.SERVED).count(),
            "rule_url": f"{reverse('waiting_rule_desk:add')}?event={event.public_id}" if may_change else "",
            "entries_url": f"{reverse('waiting_desk:index')}?event={event.pk}",
        }
        return render_to_string("resale/admin/event_waiting.html", context, request)


class WaitingFilterSet(OrganisationFilterSet):
    event = ModelChoiceFilter(queryset=Event.objects.all(), label=gettext_lazy("Event"))
    state = ChoiceFilter(choices=EntryState.choices, label=gettext_lazy("State"))

    class Meta:
        model = WaitingEntry
        fields = ["event", "state"]


class WaitingIndexView(DeskIndexView):
    """In the order of service."""

    def get_base_queryset(self) -> Any:
        told = super().get_base_queryset().select_related("event").prefetch_related("types")
        return told.order_by("event_id", "rank", "pk")


class WaitingInspectView(DeskInspectView):
    """One entry, what it was offered, why it was passed; POST takes it off the list."""

    template_name = "resale/admin/waiting_inspect.html"
    page_title = gettext_lazy("On the waiting list")

    def get_fields(self) -> list[str]:
        return []

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        entry: WaitingEntry = self.object
        offers = entry.offers.select_related("ticket_type", "order").prefetch_related("listings__listing")
        return {
            **context,
            "entry": entry,
            "kinds": ", ".join(kind.name for kind in entry.types.all()),
            "place": waiting.ahead(entry) + 1 if entry.state == EntryState.WAITING else None,
            "offers": [(offer, reasons.sentence(offer.reason) if offer.reason else "") for offer in offers],
            "skips": [(skip, reasons.sentence(skip.reason)) for skip in entry.skips.select_related("ticket_type")],
            "why": reasons.sentence(entry.reason) if entry.reason else "",
            "may_remove": entry.is_on_list,
            "longest": LONGEST_NOTE,
        }

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        entry = self.object
        note = one_line(request.POST.get("note", ""))[:LONGEST_NOTE]
        if not note:
            messages.error(request, _("Write why: the person reads it. Nothing was changed."))
        elif waiting.remove(entry, note=note, actor=request.user):
            messages.success(request, _("They are off the list and are told why by mail."))
        else:
            messages.error(request, _("They stood on the list no more, so nothing was changed."))
        return HttpResponseRedirect(reverse("waiting_desk:inspect", args=[entry.public_id]))


def _entry_url(entry: WaitingEntry) -> str:
    return reverse("waiting_desk:inspect", args=[entry.public_id])


def _kinds(entry: WaitingEntry) -> str:
    return ", ".join(kind.name for kind in entry.types.all())


def _number(entry: WaitingEntry) -> str:
    words = str(entry.quantity) if not entry.got else f"{entry.got}/{entry.quantity}"
    return f"{words} ({_('together')})" if entry.all_or_nothing else words


class WaitingDesk(OrganisationViewSet):
    model = WaitingEntry
    name = "waiting_desk"
    url_prefix = "waiting-list"
    icon = "list-ol"
    menu_label = gettext_lazy("Waiting list")
    menu_order = 161
    add_to_admin_menu = True
    views = ("index", "index_results", "inspect")
    index_view_class = WaitingIndexView
    inspect_view_class = WaitingInspectView
    inspect_view_enabled = True
    inspect_template_name = WaitingInspectView.template_name
    list_display = [
        TitleColumn("email", label=gettext_lazy("E-mail"), accessor="email", get_url=_entry_url),
        Column("event", label=gettext_lazy("Event"), accessor="event"),
        Column("types", label=gettext_lazy("Tickets"), accessor=_kinds),
        Column("quantity", label=gettext_lazy("Number"), accessor=_number),
        Column("state", label=gettext_lazy("State"), accessor="get_state_display"),
        MomentColumn("joined_at", label=gettext_lazy("Joined"), sort_key="joined_at"),
    ]
    list_export = [
        *("public_id", "event", "email", "quantity", "got", "all_or_nothing", "rank", "state", "reason", "note"),
        *("joined_at", "ended_at"),
    ]
    search_fields = ["email"]
    search_backend_name = None
    filterset_class = WaitingFilterSet
