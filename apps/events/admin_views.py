"""The organiser's desk for the facts: events and the organisation. Sections of other apps stand below an event."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.panels import FieldPanel, FieldRowPanel, MultiFieldPanel, ObjectList
from wagtail.admin.views.pages.create import CreateView
from wagtail.admin.views.pages.listing import ExplorableIndexView, GenericPageFilterSet
from wagtail.admin.viewsets.pages import PageViewSet
from wagtail.models import Page, PageLogEntry

from apps.events import approval, gaps, held_back, publishing, tenancy
from apps.events.desk import (
    DeskCreateView,
    DeskEditView,
    DeskIndexView,
    MomentColumn,
    OrganisationChooserViewSet,
    OrganisationForm,
    OrganisationViewSet,
    as_uuid,
)
from apps.events.extensions import event_sections, fact_guards
from apps.events.looks import themes
from apps.events.models import Event, EventPage, HomePage, Organisation, OrganisationPage
from apps.events.panels import AccentPanel
from apps.events.tenancy import Role
from apps.events.translated import LANGUAGES, active_language

# --- Events --------------------------------------------------------------------------------------------------------


class EventForm(OrganisationForm):
    """The facts of an event, but for those that are bound (`fact_guards`)."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        changed = {name for name in self.changed_data if name in cleaned and self._is_other(name, cleaned[name])}
        if self.instance.pk and changed:
            for guard in fact_guards:
                for name, sentence in guard.refusals(self.instance, changed).items():
                    self.add_error(name, sentence)
        return cleaned

    def _is_other(self, name: str, value: Any) -> bool:
        """Whether it differs by what the form can say: moments to the minute."""
        was = getattr(self.instance, name, None)
        if isinstance(was, datetime) and isinstance(value, datetime):
            return was.replace(second=0, microsecond=0) != value.replace(second=0, microsecond=0)
        return bool(was != value)


EVENT_PANELS = ObjectList(
    [
        FieldPanel("organisation"),
        MultiFieldPanel(
            [FieldRowPanel([FieldPanel("title_sv"), FieldPanel("title_en")])],
            heading=gettext_lazy("What is it called?"),
            help_text=gettext_lazy("One language is enough to begin with; the other is shown until both are there."),
        ),
        MultiFieldPanel(
            [
                FieldRowPanel([FieldPanel("starts_at"), FieldPanel("ends_at")]),
                FieldRowPanel([FieldPanel("doors_at"), FieldPanel("time_zone")]),
            ],
            heading=gettext_lazy("When?"),
        ),
        MultiFieldPanel(
            [FieldRowPanel([FieldPanel("venue"), FieldPanel("venue_address")])], heading=gettext_lazy("Where?")
        ),
        MultiFieldPanel(
            [
                FieldPanel("max_per_person"),
                FieldPanel("sign_in_required"),
                FieldPanel("challenges_guests"),
                FieldPanel("currency"),
            ],
            heading=gettext_lazy("Who may buy?"),
        ),
        FieldPanel("one_file_per_ticket", heading=gettext_lazy("Each ticket is a PDF of its own")),
    ],
    base_form_class=EventForm,
)


class EventCreateView(DeskCreateView):
    def get_success_message(self, instance: Event) -> str:
        return _("“%(title)s” is created. Next: say how many places there are and what the tickets cost.") % {
            "title": instance
        }


class EventEditView(DeskEditView):
    """The facts, and below them what other apps keep for the event and the pages that tell it."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        rendered = ((section.heading, section.render(self.request, self.object)) for section in event_sections)
        context["sections"] = [(heading, html) for heading, html in rendered if html]
        context["pages"] = pages_for_desk(self.request, self.object)
        context["problems"] = publishing.problems_on_desk(self.object)
        context["held_back"] = list(held_back.pages(EventPage.objects.filter(event=self.object)))
        if tenancy.has_role(self.request.user, self.object.organisation, Role.EDITOR):
            context["lacks"] = gaps.of(self.object)
        return context


def pages_for_desk(request: HttpRequest, event: Event) -> list[dict[str, Any]]:
    """For each language: the event's page, or where to make it."""
    if not tenancy.has_role(request.user, event.organisation, Role.EDITOR):
        return []
    told = {page.locale_id: page for page in EventPage.objects.filter(event=event).select_related("locale")}
    rows = []
    for root in OrganisationPage.objects.filter(organisation=event.organisation).select_related("locale"):
        page = told.get(root.locale_id)
        if page is not None:
            address = reverse("wagtailadmin_pages:edit", args=[page.pk])
        else:
            address = reverse("wagtailadmin_pages:add", args=["events", "eventpage", root.pk])
            address += f"?event={event.public_id}"
        rows.append({"language": root.locale.get_display_name(), "page": page, "url": address})
    return rows


class EventIndexView(DeskIndexView):
    default_ordering = "-starts_at"
    add_item_label = gettext_lazy("New event")

    def get_add_url(self) -> str | None:
        """Where the house begins events, for those who may; the plain form of the facts where it names no place."""
        plain = super().get_add_url()
        return reverse(settings.EVENTS_BEGIN_AT) if plain and settings.EVENTS_BEGIN_AT else plain

    def get_base_queryset(self) -> Any:
        return super().get_base_queryset().select_related("organisation")


class EventDesk(OrganisationViewSet):
    """Events of the user's organisations, the latest first."""

    model = Event
    name = "event_desk"
    url_prefix = "events"
    icon = "date"
    menu_label = gettext_lazy("Events")
    menu_order = 100
    index_view_class = EventIndexView
    add_view_class = EventCreateView
    edit_view_class = EventEditView
    edit_template_name = "events/admin/event_edit.html"
    list_display = [
        "__str__",
        MomentColumn("starts_at", label=gettext_lazy("Starts"), sort_key="starts_at"),
        "organisation",
    ]
    search_fields = ["title_sv", "title_en", "venue"]
    search_backend_name = None
    edit_handler = EVENT_PANELS
    protected_sentence = gettext_lazy(
        "This event cannot be deleted: it has pages, ticket types or orders. Delete the pages and the ticket types that"
        " nobody has bought first; an event with orders stays."
    )


class EventChooserViewSet(OrganisationChooserViewSet):
    model = Event
    name = "event_chooser"
    url_prefix = "choose-event"
    icon = "date"
    choose_one_text = gettext_lazy("Choose an event")
    choose_another_text = gettext_lazy("Choose another event")
    edit_item_text = gettext_lazy("Edit this event")


event_chooser = EventChooserViewSet()

# --- Organisations -------------------------------------------------------------------------------------------------


class OwnOrganisationForm(OrganisationForm):
    """Who the organisation is towards buyers, and how its pages look. Only a superuser founds one."""

    theme = forms.ChoiceField(label=gettext_lazy("Theme"))
    needs_approval = forms.BooleanField(
        required=False,
        label=gettext_lazy("A board member approves pages before they are published"),
        help_text=gettext_lazy("It holds once somebody below approves. Until then editors publish alone."),
    )
    board = forms.ModelMultipleChoiceField(
        get_user_model().objects.none(),
        required=False,
        label=gettext_lazy("Who approves"),
        help_text=gettext_lazy("Editors of the organisation. Once somebody is chosen, only they change this."),
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        language = active_language()
        self.fields["theme"].choices = [(slug, titles.get(language, slug)) for slug, titles in themes().items()]
        if self.instance.pk:
            self.fields["slug"].disabled = True  # addresses and groups are named by it
        self.fields["needs_approval"].initial = approval.is_wanted(self.instance)
        self.fields["board"].queryset = approval.candidates(self.instance)
        seated = approval.candidates(self.instance).filter(pk__in=approval.members(self.instance).values("pk"))
        self.fields["board"].initial = [person.pk for person in seated]  # others are there by the site's hand
        if not approval.may_seat(self.for_user, self.instance):
            self.fields["needs_approval"].disabled = self.fields["board"].disabled = True

    def save(self, commit: bool = True) -> Organisation:
        if not commit:
            return super().save(commit=commit)
        is_new = self.instance.pk is None
        organisation = super().save(commit=not is_new)
        if is_new:
            tenancy.equip(organisation, HomePage.objects.get(locale__language_code=LANGUAGES[0]))
        if approval.may_seat(self.for_user, organisation):
            approval.want(organisation, self.cleaned_data["needs_approval"])
            approval.seat(organisation, self.cleaned_data["board"])
        return organisation


class OrganisationCreateView(DeskCreateView):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_superuser:
            tenancy.ensure_site()  # a fresh house has none yet; outside the transaction that saves the organisation
        return super().dispatch(request, *args, **kwargs)


class OrganisationDesk(OrganisationViewSet):
    """The user's organisations; for a superuser all of them, and new ones."""

    model = Organisation
    name = "organisation_desk"
    url_prefix = "organisations"
    icon = "group"
    menu_label = gettext_lazy("Organisations")
    menu_order = 900
    list_display = ["name", "legal_name", "organisation_number"]
    search_fields = ["name", "legal_name"]
    search_backend_name = None
    views = ("index", "index_results", "add", "edit")
    add_view_class = OrganisationCreateView
    edit_handler = ObjectList(
        [
            FieldRowPanel([FieldPanel("name"), FieldPanel("slug")]),
            MultiFieldPanel(
                [
                    FieldRowPanel([FieldPanel("legal_name"), FieldPanel("organisation_number")]),
                    FieldRowPanel([FieldPanel("email"), FieldPanel("vat_number")]),
                    FieldPanel("is_outside_vat"),
                    FieldPanel("address"),
                ],
                heading=gettext_lazy("The party that buyers make their contract with"),
            ),
            MultiFieldPanel(
                [FieldRowPanel([FieldPanel("theme"), FieldPanel("accent_colour")]), AccentPanel()],
                heading=gettext_lazy("Look"),
            ),
            MultiFieldPanel([FieldPanel("needs_approval"), FieldPanel("board")], heading=gettext_lazy("Approval")),
        ],
        base_form_class=OwnOrganisationForm,
    )


class OrganisationPolicy(tenancy.OrganisationPermissionPolicy):
    """Editors and treasurers keep their own organisation's facts; founding one takes a superuser."""

    def _roles(self, actions: Any) -> tuple[Role, ...]:
        return super()._roles([action for action in actions if action not in ("add", "delete")])


# --- Wagtail's page list -------------------------------------------------------------------------------------------


class OwnPageFilterSet(GenericPageFilterSet):
    """Filters of the page list that name no people or sites but those of the user's own trees."""

    @cached_property
    def form(self) -> forms.Form:
        form = super().form
        user = self.request.user
        if not user.is_superuser:
            own = Page.objects.filter(pk__in=tenancy.pages_of(user).values("pk"))
            for name in ("owner", "edited_by"):
                people = form.fields[name].queryset
                form.fields[name].queryset = people.filter(pk__in=_people_of(own))
            form.fields["site"].queryset = form.fields["site"].queryset.none()
        return form


def _people_of(pages: Any) -> Any:
    editors = PageLogEntry.objects.filter(page__in=pages).values("user_id")
    return get_user_model().objects.filter(Q(pk__in=pages.values("owner_id")) | Q(pk__in=editors)).values("pk")


class OwnPageIndexView(ExplorableIndexView):
    base_filterset_class = OwnPageFilterSet


class PageCreateView(CreateView):
    """Wagtail's own; a page that is made from an event's desk (`?event=`) begins with that event."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if self.page_class is EventPage and (wanted := as_uuid(request.GET.get("event", ""))):
            self.page.event = tenancy.scope(Event.objects.filter(public_id=wanted), request.user, Role.EDITOR).first()
        return super().get(request)


class OwnPageViewSet(PageViewSet):
    """Wagtail's page list with filters that stay within the walls; all else is Wagtail's own."""

    model = Page
    add_view_class = PageCreateView
    index_view_class = OwnPageIndexView
    filterset_class = OwnPageFilterSet
