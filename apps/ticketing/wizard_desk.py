"""The event wizard's screens: kind of event, facts, tickets, page. Every button of a step first writes down what was
typed, so that neither Back nor a closed browser loses anything; without JavaScript they are plain form buttons.
"""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.db import transaction
from django.forms import Media
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View
from laces.components import Component
from wagtail.admin import messages
from wagtail.admin.menu import MenuItem
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.viewsets.base import ViewSet
from wagtail.permissions import policy_registry
from wagtail.utils.decorators import xframe_options_sameorigin_override

from apps.events import going_public, tenancy, wording
from apps.events.desk import AddressesByPublicId, as_uuid, rows_for
from apps.events.models import EventPage, Organisation
from apps.events.tenancy import Role
from apps.events.translated import active_language
from apps.ticketing import clock, wizard, wizard_preview
from apps.ticketing.extensions import event_templates
from apps.ticketing.models import EventDraft
from apps.ticketing.wizard import STEP_NAMES, STEPS
from apps.ticketing.wizard_forms import MOST_ROWS, keep_fields, keep_tickets


class WizardView(AddressesByPublicId, PermissionCheckedMixin, WagtailAdminTemplateMixin, View):
    """What all steps share. Editors only; a draft of another organisation is not there."""

    model = EventDraft
    permission_required = "add"
    actions_needed = ("change",)
    header_icon = "date"
    step = ""

    @property
    def title(self) -> str:
        return str(STEP_NAMES[self.step])

    def get_page_title(self) -> str:
        return _("New event")

    def get_page_subtitle(self) -> str:
        return self.title

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("event_desk:index"), "label": _("Events")},
            {"url": "", "label": _("New event")},  # the steps stand below: their names would not fit a phone's
        ]

    @cached_property
    def draft(self) -> EventDraft:
        return self.get_object()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        place = STEPS.index(self.step)
        steps = [
            {"name": name, "label": STEP_NAMES[name], "number": number + 1, "is_done": number < place}
            for number, name in enumerate(STEPS)
        ]
        return super().get_context_data(step=self.step, steps=steps, number=place + 1, **kwargs)


def to(draft: EventDraft, step: str, *, judged: bool = False) -> HttpResponseRedirect:
    """On to a step, where what is missing is told if `judged`."""
    return HttpResponseRedirect(
        reverse(f"event_wizard:{step}", args=[draft.public_id]) + ("?missing" if judged else "")
    )


class OrganisationsForm(forms.Form):
    """Whose event it is; asked only of somebody who acts for several."""

    organisation = forms.ModelChoiceField(
        Organisation.objects.none(),
        label=gettext_lazy("Who arranges it?"),
        empty_label=None,
        to_field_name="public_id",
        error_messages={"invalid_choice": gettext_lazy("Choose one of your organisations.")},
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.own = tenancy.scope(Organisation.objects.all(), user, Role.EDITOR)
        self.fields["organisation"].queryset = self.own  # type: ignore[attr-defined]
        only = list(self.own[:2])
        self.only = only[0] if len(only) == 1 else None


class TemplateView(WizardView):
    """The first step. Its form brings the number of the draft to be, so that a second click begins no second one."""

    template_name = "ticketing/admin/wizard_template.html"
    step = "template"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._show(OrganisationsForm(user=request.user))

    def _show(self, form: OrganisationsForm) -> HttpResponse:
        begun = self.draft if "pk" in self.kwargs else None
        context = self.get_context_data(
            form=form,
            asks_organisation=form.only is None and begun is None,
            has_organisation=form.own.exists(),
            templates=list(event_templates),
            draft=begun,
            draft_id=begun.public_id if begun else uuid.uuid4(),
            unfinished=[] if begun else drafts_for(request=self.request),
        )
        return self.render_to_response(context)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        begun = self.draft if "pk" in kwargs else None
        template = request.POST.get("template", "")
        if template not in event_templates:
            messages.error(request, _("Choose what kind of event it is."))
            return HttpResponseRedirect(request.path)
        if begun is not None:
            draft = begun
        else:
            form = OrganisationsForm(request.POST, user=request.user)
            if form.only is None and not form.is_valid():
                return self._show(form)
            draft = self._begin(form.only or form.cleaned_data["organisation"])
        if draft.event is None:
            EventDraft.objects.filter(pk=draft.pk).update(template=template, touched_at=clock.now())
        return to(draft, "facts")

    def _begin(self, organisation: Organisation) -> EventDraft:
        number = as_uuid(self.request.POST.get("draft", "")) or uuid.uuid4()
        begun, _made = EventDraft.objects.get_or_create(
            public_id=number, defaults={"organisation": organisation, "touched_at": clock.now()}
        )
        return get_object_or_404(rows_for(self.request.user, EventDraft, "change"), pk=begun.pk)


class StepView(WizardView):
    """A step with fields. `go` says which button was pressed: next, keep (by itself), more, or the name of a step."""

    template_name = "ticketing/admin/wizard_step.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and self.user_has_permission("add") and self.draft.event is not None:
            return at_event(request, self.draft.event)  # made already: a second click, or the browser's Back
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        before = wizard.first_incomplete(self.draft, until=STEPS[STEPS.index(self.step) - 1])
        if before is not None:
            return to(self.draft, before, judged=True)
        return self._show(judged="missing" in request.GET)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        go = request.POST.get("go", "next")
        with transaction.atomic():
            draft = get_object_or_404(EventDraft.objects.select_for_update(), pk=self.draft.pk, event__isnull=True)
            wizard.keep(draft, self.step, self._typed(go))
            draft.touched_at = clock.now()
            draft.save(update_fields=["typed", "touched_at"])
        self.draft = draft
        if go == "keep":
            return HttpResponse(status=204)
        if go == "more":
            return HttpResponseRedirect(request.path + "#last-ticket")
        if go in STEPS:
            return to(draft, go)
        if not wizard.forms_of(draft, self.step, judged=True).is_valid():
            return self._show(judged=True)
        return self.go_on(go)

    def go_on(self, go: str) -> HttpResponse:
        return to(self.draft, STEPS[STEPS.index(self.step) + 1])

    def _typed(self, go: str) -> dict[str, str]:
        if self.step == "tickets":
            return keep_tickets(self.request.POST, one_more=go == "more")
        main = wizard.forms_of(self.draft, self.step, judged=False).main
        return keep_fields(self.request.POST, main.fields)

    def _show(self, *, judged: bool) -> HttpResponse:
        forms_here = wizard.forms_of(self.draft, self.step, judged=judged)
        is_right = forms_here.is_valid() if judged else True
        context = self.get_context_data(
            form=forms_here.main,
            rows=forms_here.rows,
            most_rows=MOST_ROWS,
            draft=self.draft,
            kept_days=wizard.KEPT_DAYS,
            template=wizard.template_of(self.draft),
            is_right=is_right,
            back=STEPS[STEPS.index(self.step) - 1],
        )
        return self.render_to_response(context)


class FactsView(StepView):
    step = "facts"


class TicketsView(StepView):
    step = "tickets"


class PageView(StepView):
    """The last step shows what will stand on the page, and makes it."""

    step = "page"
    template_name = "ticketing/admin/wizard_page.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        try:
            plan = wizard.plan_of(self.draft)
        except wizard.Incomplete:
            return context  # the invitation itself is too long: there is nothing to show yet
        names = {"sv": _("Swedish"), "en": _("English")}
        codes = sorted(wizard.languages_of(self.draft), key=lambda code: code != active_language())
        languages = [(code, names[code]) for code in codes]
        return {**context, "plan": plan, "languages": languages, "sold": _sold(plan)}

    def go_on(self, go: str) -> HttpResponse:
        if go not in ("publish", "draft"):
            return to(self.draft, "page")
        try:
            event = wizard.finish(self.draft.pk, self.request.user, publish=go == "publish")
        except wizard.Incomplete as lacking:
            return to(self.draft, lacking.step, judged=True)
        return at_event(self.request, event, wants=go)


@method_decorator(xframe_options_sameorigin_override, name="dispatch")
class PreviewView(WizardView):
    """The page as it will be, in one language, for the frame of the last step."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return HttpResponse(wizard_preview.render(self.draft, request, kwargs["language"]))
        except wizard.Incomplete as lacking:
            return to(self.draft, lacking.step, judged=True)


def _sold(plan: wizard.Plan) -> list[dict[str, Any]]:
    """The tickets as the last step lists them."""
    rows = plan.rows()
    return [
        {
            "name": row.name,
            "price": wording.write_money(row.price_minor, "SEK") if row.price_minor else _("Free"),
            "places": row.places or _("shared with %(name)s") % {"name": rows[0].name},
        }
        for row in rows
    ]


def at_event(request: HttpRequest, event: Any, wants: str = "") -> HttpResponseRedirect:
    """To the event's desk, and say what became of it."""
    if wants:
        pages = list(EventPage.objects.filter(event=event))
        outcome = going_public.outcome_of(pages)
        title = {"title": event}
        if outcome == going_public.Outcome.PUBLISHED:
            buttons = [messages.button(page.get_url(request), _("See the page")) for page in pages[:1] if page.url]
            messages.success(request, _("“%(title)s” is published.") % title, buttons=buttons)
        elif outcome == going_public.Outcome.SUBMITTED:
            messages.success(request, _("“%(title)s” is made. Its page is public once it is approved.") % title)
        elif wants == "publish":
            messages.warning(
                request, _("“%(title)s” is made, but its page is a draft: it could not be published.") % title
            )
        else:
            messages.success(
                request, _("“%(title)s” is saved as a draft. Publish its pages when you are ready.") % title
            )
    return HttpResponseRedirect(reverse("event_desk:edit", args=[event.public_id]))


class DiscardView(WizardView):
    """Throws a draft away, by a button beside it."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        EventDraft.objects.filter(pk=self.draft.pk, event__isnull=True).delete()
        messages.success(request, _("“%(title)s” is thrown away.") % {"title": self.draft})
        return HttpResponseRedirect(reverse("event_wizard:begin"))


def drafts_for(request: HttpRequest) -> list[EventDraft]:
    """The unfinished events that this person may go on with; a handful."""
    return list(wizard.unfinished(rows_for(request.user, EventDraft, "change")))[:8]


def is_for(request: HttpRequest) -> bool:
    """Whether this person can begin events."""
    return policy_registry.get_by_type(EventDraft).user_has_permission(request.user, "add")


class WizardMenuItem(MenuItem):
    def is_shown(self, request: HttpRequest) -> bool:
        return is_for(request)


class EventWizard(ViewSet):
    """The addresses of the wizard, and its place in the menu."""

    name = "event_wizard"
    url_prefix = "new-event"
    icon = "plus-inverse"
    menu_label = gettext_lazy("New event")
    menu_name = "new-event"
    menu_order = 90
    menu_item_class = WizardMenuItem
    add_to_admin_menu = True

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", self.construct_view(TemplateView), name="begin"),
            path("<uuid:pk>/kind/", self.construct_view(TemplateView), name="template"),
            path("<uuid:pk>/facts/", self.construct_view(FactsView), name="facts"),
            path("<uuid:pk>/tickets/", self.construct_view(TicketsView), name="tickets"),
            path("<uuid:pk>/page/", self.construct_view(PageView), name="page"),
            path("<uuid:pk>/preview/<str:language>/", self.construct_view(PreviewView), name="preview"),
            path("<uuid:pk>/discard/", self.construct_view(DiscardView), name="discard"),
        ]


class NewEventPanel(Component):
    """The dashboard's way to the wizard, and back into what is unfinished."""

    name = "new_event"
    template_name = "ticketing/admin/wizard_panel.html"
    order = 50

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def get_context_data(self, parent_context: Any) -> dict[str, Any]:
        return {"unfinished": drafts_for(self.request)}

    @property
    def media(self) -> Media:
        return Media(css={"all": ["ticketing/admin/wizard.css"]})
