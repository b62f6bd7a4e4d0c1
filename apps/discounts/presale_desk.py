"""The organiser's desk for presale links: made one by one or from a list, changed, mailed, revoked, and who used them;
and for whom tickets for members only are."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View
from django_filters import ModelChoiceFilter
from wagtail.admin import messages
from wagtail.admin.panels import FieldPanel, FieldRowPanel, HelpPanel, ObjectList
from wagtail.admin.ui.tables import Column
from wagtail.admin.widgets import AdminDateTimeInput

from apps.accounts.plain_text import one_line
from apps.discounts import csv_files, presale, presale_lists, presale_mails
from apps.discounts.models import Audience, MemberBody, PresaleBatch, PresaleLink
from apps.discounts.models.presale import MOST_TICKETS
from apps.discounts.sources import is_at_door
from apps.events import stale, tenancy, wording
from apps.events.desk import (
    AddressesByPublicId,
    BelowEvent,
    BelowEventDeleteView,
    DeskCreateView,
    DeskEditView,
    DeskIndexView,
    DeskInspectView,
    MomentColumn,
    OrganisationFilterSet,
    OrganisationForm,
    OrganisationViewSet,
)
from apps.events.models import Event
from apps.ticketing import clock, reservations
from apps.ticketing.models import OrderLine, TicketType

NO_LIST = gettext_lazy("This is no text file. Save the list as CSV.")
SHOWN = 20  # links on the event's page; the rest stand in the list
FACTS = (
    "label",
    "email",
    "locale",
    "size",
    "max_per_person",
    "opens_at",
    "closes_at",
    "sets_aside",
    "admits_non_members",
)
OVER_WORDS = {
    "revoked": gettext_lazy("Revoked"),
    "over": gettext_lazy("Over"),
    "used_up": gettext_lazy("Used up"),
    "not_yet": gettext_lazy("Not yet good"),
    "good": gettext_lazy("Good"),
}


def state_of(link: PresaleLink, at: Any) -> str:
    """In which of the states of OVER_WORDS a link is."""
    if link.revoked_at is not None:
        return "revoked"
    if presale.is_over(link, at, event_ends_at=link.event.ends_at):
        return "over"
    if not link.left:
        return "used_up"
    return "not_yet" if link.opens_at is not None and at < link.opens_at else "good"


def say_too_few(error: reservations.TooFewLeft) -> str:
    return _("Only %(left)d places are left of “%(quota)s”. Set fewer aside, or raise that quota first.") % {
        "left": max(0, error.quota.left),
        "quota": error.quota.name,
    }


# --- The event's page ----------------------------------------------------------------------------------------------


class PresaleSection:
    """The EventSection of presale links and of tickets for members."""

    slug = "presale"
    heading = gettext_lazy("Presale links and members")

    def render(self, request: HttpRequest, event: Event) -> SafeString | str:
        if not tenancy.has_role(request.user, event.organisation, tenancy.Role.EDITOR):
            return ""
        at = clock.now()
        links = list(PresaleLink.objects.filter(event=event).order_by("-pk")[: SHOWN + 1])
        for link in links:
            link.event = event
        members = TicketType.objects.filter(event=event, visibility=TicketType.Visibility.MEMBERS)
        return render_to_string(
            "discounts/admin/event_presale.html",
            {
                "event": event,
                "links": [(link, OVER_WORDS[state_of(link, at)]) for link in links[:SHOWN]],
                "has_more": len(links) > SHOWN,
                "batches": PresaleBatch.objects.filter(event=event)[:3],
                "members": members.prefetch_related("audiences__body"),
                "has_bodies": MemberBody.objects.filter(organisation=event.organisation_id).exists(),
            },
            request,
        )


# --- One link ------------------------------------------------------------------------------------------------------


class LinkForm(OrganisationForm):
    """What an editor says of one link; `seen` is the edition they had before their eyes."""

    seen = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0, max_value=2_000_000_000)
    mails_it = forms.BooleanField(
        label=gettext_lazy("Mail the link now"), required=False, help_text=gettext_lazy("To the address above.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        settle_types(self, self.instance.event)
        for name in ("size", "max_per_person"):
            self.fields[name].validators += [MinValueValidator(1), MaxValueValidator(MOST_TICKETS)]
            self.fields[name].widget.attrs.update({"min": 1, "max": MOST_TICKETS})
        if self.instance.pk is not None:
            del self.fields["mails_it"]
            self.initial["seen"] = self.instance.edition

    def clean_label(self) -> str:
        return one_line(self.cleaned_data["label"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        check_window(self, cleaned, self.instance.event)
        if cleaned.get("mails_it") and not cleaned.get("email"):
            self.add_error("email", _("Write the address to which the link is mailed."))
        return cleaned

    def _post_clean(self) -> None:
        """Nothing is written onto the row in hand: `presale` reads and writes it under lock."""

    def facts(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in FACTS if name in self.cleaned_data}

    class Meta:
        widgets = {"ticket_types": forms.CheckboxSelectMultiple}


def settle_types(form: Any, event: Event) -> None:
    """Let a form offer the event's tickets, with whom each is shown to, and ask about members where there are tickets
    for them."""
    field = form.fields["ticket_types"]
    if not TicketType.objects.filter(event=event, visibility=TicketType.Visibility.MEMBERS).exists():
        form.fields.pop("admits_non_members", None)
    field.queryset = TicketType.objects.filter(event=event, is_published=True)
    field.label_from_instance = lambda kind: f"{kind.name} ({kind.get_visibility_display()})"
    field.error_messages["required"] = _("Choose which tickets the link opens.")


def check_window(form: Any, cleaned: dict[str, Any], event: Event) -> None:
    opens_at, closes_at = cleaned.get("opens_at"), cleaned.get("closes_at")
    if opens_at and closes_at and closes_at <= opens_at:
        form.add_error("closes_at", _("The link must end after it begins."))
    elif cleaned.get("sets_aside") and "closes_at" in cleaned and not closes_at:
        form.add_error("closes_at", _("Say until when the places are set aside."))
    elif closes_at and closes_at > event.ends_at:
        form.add_error("closes_at", _("Choose a time before the event is over."))


class LinkCreateView(BelowEvent, DeskCreateView):
    page_title = gettext_lazy("New presale link")

    def get_initial(self) -> dict[str, Any]:
        hidden = TicketType.objects.filter(event=self.event, visibility=TicketType.Visibility.LINK, is_published=True)
        return {**super().get_initial(), "ticket_types": list(hidden[:2]) if hidden.count() == 1 else []}

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            with transaction.atomic():
                link = presale.create(self.event, types=form.cleaned_data["ticket_types"], **form.facts())
                if form.cleaned_data["mails_it"]:
                    presale_mails.ask(link)
        except reservations.TooFewLeft as error:
            form.add_error("size", ValidationError(say_too_few(error)))
            self.produced_error_message = self.get_error_message()
            return self.form_invalid(form)
        messages.success(self.request, _("The link is made. Copy it from here, or mail it."))
        return HttpResponseRedirect(reverse("presale_desk:inspect", args=[link.public_id]))


class LinkEditView(BelowEvent, DeskEditView):
    def form_valid(self, form: Any) -> HttpResponse:
        try:
            presale.change(
                self.object,
                seen=form.cleaned_data.get("seen") or 0,
                types=form.cleaned_data["ticket_types"],
                **form.facts(),
            )
        except presale.ChangedMeanwhile as refusal:
            form.add_error(None, ValidationError(self.say_changed(form, refusal.link)))
        except presale.BelowUsed as refusal:
            least = _("%(used)d tickets are held or sold by this link, so it cannot be good for fewer.")
            form.add_error("size", ValidationError(least % {"used": refusal.link.used}))
        except reservations.TooFewLeft as error:
            form.add_error("size", ValidationError(say_too_few(error)))
        else:
            messages.success(self.request, _("“%(name)s” is saved.") % {"name": form.cleaned_data["label"]})
            return HttpResponseRedirect(self.get_success_url())
        self.produced_error_message = self.get_error_message()
        return self.form_invalid(form)

    def say_changed(self, form: Any, now: PresaleLink) -> str:
        """What somebody else has made of the link since this form was opened."""
        if now.revoked_at is not None:
            return _("Somebody has revoked this link since you opened it. Nothing was saved.")
        told = []
        for name, written in form.facts().items():
            value = getattr(now, name)
            if value != written:
                told.append(f"{form.fields[name].label}: {_write(value, now.event)}")
        types = list(now.ticket_types.order_by("pk"))
        if set(types) != set(form.cleaned_data["ticket_types"]):
            told.append(f"{form.fields['ticket_types'].label}: {', '.join(kind.name for kind in types)}")
        return _(
            "Somebody else saved this link since you opened it. Nothing of yours was saved. Now it says: %(what)s"
        ) % {"what": "; ".join(told) or _("what you wrote")}

    def get_success_url(self) -> str:
        return reverse("presale_desk:inspect", args=[self.object.public_id])


def _write(value: Any, event: Event) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return wording.write_moment(value, event.zone) if hasattr(value, "tzinfo") else str(value)


class LinkRevokeView(BelowEventDeleteView):
    """Ends a link. Its row stays: orders were bought through it."""

    page_title = gettext_lazy("Revoke")
    template_name = "discounts/admin/presale_revoke.html"
    success_message = gettext_lazy("The link for %(object)s is revoked: it opens nothing any more.")

    def delete_action(self) -> None:
        presale.revoke(self.object)


class LinkInspectView(BelowEvent, DeskInspectView):
    """One link: its address, what it is good for, and the orders that used it."""

    page_title = gettext_lazy("Presale link")
    template_name = "discounts/admin/presale_inspect.html"

    def get_fields(self) -> list[str]:
        return []

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        link: PresaleLink = self.object
        lines = OrderLine.objects.filter(allotment=presale.line_name(link)).select_related("order", "ticket_type")
        state = state_of(link, clock.now())
        return {
            **super().get_context_data(**kwargs),
            "link": link,
            "event": link.event,
            "event_url": self.get_event_url(),
            "state": OVER_WORDS[state],
            "is_alive": state in ("good", "used_up", "not_yet"),
            "address": presale_mails.address_of(link),
            "types": link.ticket_types.all(),
            "kept": sum(row.count for row in link.stock.all()),
            "lines": lines.order_by("-order__queued_at", "position")[:500],
        }


class LinkMailView(AddressesByPublicId, View):
    """Mails a link once more."""

    model = PresaleLink
    http_method_names = ["post"]
    actions_needed = ("change",)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.object = self.get_object()
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        link: PresaleLink = self.object
        if not link.email:
            messages.warning(request, _("This link has no address. Write one first."))
        elif state_of(link, clock.now()) in ("revoked", "over"):
            messages.warning(request, _("This link opens nothing any more, so it is not mailed."))
        else:
            with transaction.atomic():
                presale_mails.ask(link)
            messages.success(request, _("The link is on its way to %(email)s.") % {"email": link.email})
        return HttpResponseRedirect(reverse("presale_desk:inspect", args=[link.public_id]))


class LinkFilterSet(OrganisationFilterSet):
    event = ModelChoiceFilter(queryset=Event.objects.all(), label=gettext_lazy("Event"))

    class Meta:
        model = PresaleLink
        fields = ["event"]


class LinkIndexView(DeskIndexView):
    def get_base_queryset(self) -> Any:
        return super().get_base_queryset().select_related("event").annotate(at=clock.Now()).order_by("-pk")

    def get_edit_url(self, instance: Any = None) -> str | None:
        return self.get_inspect_url(instance)

    def get_add_url(self) -> str | None:
        return None  # a link is made on the page of its event


class PresaleDesk(OrganisationViewSet):
    model = PresaleLink
    name = "presale_desk"
    url_prefix = "presale-links"
    icon = "link"
    menu_label = gettext_lazy("Presale links")
    menu_order = 155
    add_to_admin_menu = True
    views = ("index", "index_results", "add", "edit", "delete", "inspect")
    index_view_class = LinkIndexView
    add_view_class = LinkCreateView
    edit_view_class = LinkEditView
    delete_view_class = LinkRevokeView
    delete_template_name = LinkRevokeView.template_name
    inspect_view_class = LinkInspectView
    inspect_view_enabled = True
    inspect_template_name = LinkInspectView.template_name
    filterset_class = LinkFilterSet
    search_fields = ["label", "email"]
    search_backend_name = None
    list_display = [
        "label",
        Column("event", label=gettext_lazy("Event"), accessor="event"),
        Column("used", label=gettext_lazy("Used"), accessor=lambda link: f"{link.used} / {link.size}"),
        Column("state", label=gettext_lazy("State"), accessor=lambda link: OVER_WORDS[state_of(link, link.at)]),
        MomentColumn("closes_at", label=gettext_lazy("Good until")),
        MomentColumn("mailed_at", label=gettext_lazy("Mailed")),
    ]
    edit_handler = ObjectList(
        [
            HelpPanel(
                gettext_lazy(
                    "Whoever has the link may buy these tickets, also those that nobody else sees. It can be used for"
                    " several orders until its tickets are taken. It never makes places: the quotas hold for it too."
                )
            ),
            FieldPanel("label"),
            FieldPanel("ticket_types"),
            FieldRowPanel([FieldPanel("size"), FieldPanel("max_per_person")]),
            FieldRowPanel([FieldPanel("opens_at"), FieldPanel("closes_at")]),
            FieldPanel("sets_aside"),
            FieldPanel("admits_non_members"),
            FieldRowPanel([FieldPanel("email"), FieldPanel("locale")]),
            FieldPanel("mails_it"),
        ],
        base_form_class=LinkForm,
    )

    def get_urlpatterns(self) -> list[URLPattern]:
        mail = path("inspect/<uuid:pk>/mail/", LinkMailView.as_view(), name="mail")
        return [*super().get_urlpatterns(), mail]


# --- Many links ----------------------------------------------------------------------------------------------------


class BatchForm(OrganisationForm):
    """A list, and what all its links have in common. `sure` comes from the page that has shown what will be made."""

    file = forms.FileField(
        label=gettext_lazy("The list as a file (CSV)"),
        required=False,
        help_text=gettext_lazy("Columns: e-mail, name, tickets. A first line may name them in any order."),
    )
    rows = forms.CharField(
        label=gettext_lazy("Or the list itself"),
        required=False,
        strip=False,
        max_length=200_000,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=gettext_lazy("One link a line, such as “robin@example.org, Robin, 2”."),
    )
    ticket_types = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Tickets"), queryset=TicketType.objects.none(), widget=forms.CheckboxSelectMultiple
    )
    size = forms.IntegerField(
        label=gettext_lazy("Tickets of each link"),
        min_value=1,
        max_value=MOST_TICKETS,
        initial=1,
        help_text=gettext_lazy("Where the list says no number."),
    )
    max_per_person = forms.IntegerField(
        label=gettext_lazy("Most per person"), min_value=1, max_value=MOST_TICKETS, required=False
    )
    opens_at = forms.DateTimeField(label=gettext_lazy("Good from"), required=False, widget=AdminDateTimeInput)
    closes_at = forms.DateTimeField(label=gettext_lazy("Good until"), required=False, widget=AdminDateTimeInput)
    sets_aside = forms.BooleanField(label=gettext_lazy("Places are set aside"), required=False)
    admits_non_members = forms.BooleanField(
        label=gettext_lazy("Opens tickets for members to others too"),
        required=False,
        help_text=PresaleLink._meta.get_field("admits_non_members").help_text,
    )
    locale = forms.ChoiceField(
        label=gettext_lazy("Language of the mail"), choices=[("sv", "svenska"), ("en", "English")], initial="sv"
    )
    sure = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        settle_types(self, self.instance.event)

    def clean_file(self) -> Any:
        given = self.cleaned_data["file"]
        if given is None:
            return None
        if given.size > 500_000:
            raise ValidationError(_("The file is larger than a list of links can be (500 kB)."))
        try:
            return csv_files.decode(given.read())
        except csv_files.NoText:
            raise ValidationError(NO_LIST) from None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        check_window(self, cleaned, self.instance.event)
        text = cleaned.get("file") or cleaned.get("rows") or ""
        if not text.strip() and "file" not in self.errors:
            self.add_error("rows", _("Choose a file, or write the list here."))
        cleaned["text"] = text
        if "size" in cleaned:
            try:
                self.read = presale_lists.read(text, tickets=cleaned["size"])
            except csv_files.NoText:
                self.add_error("file" if cleaned.get("file") else "rows", NO_LIST)
        return cleaned

    def terms(self) -> dict[str, Any]:
        names = ("max_per_person", "opens_at", "closes_at", "sets_aside", "admits_non_members", "locale")
        return {name: self.cleaned_data[name] for name in names if name in self.cleaned_data}


class BatchCreateView(BelowEvent, DeskCreateView):
    """First shows what a list would become, line by line; made is what that page's button confirms."""

    page_title = gettext_lazy("Links from a list")
    template_name = "discounts/admin/presale_batch_new.html"

    def form_valid(self, form: Any) -> HttpResponse:
        found = form.read
        if not form.cleaned_data["sure"] or not found.rows:
            text = form.cleaned_data["text"]
            form.data = form.data.copy()
            form.data["rows"] = text  # the list from a file, to be changed in the form below
            return self.render_to_response(
                self.get_context_data(form=form, found=found, text=text, carried=self.carried())
            )
        batch = presale_lists.begin(
            self.event,
            found.rows,
            types=form.cleaned_data["ticket_types"],
            is_mailed=form.cleaned_data["is_mailed"],
            by=self.request.user,
            **form.terms(),
        )
        return HttpResponseRedirect(reverse("presale_batch_desk:inspect", args=[batch.public_id]))

    def carried(self) -> list[tuple[str, str]]:
        """What was posted, for the page that asks whether it shall be done."""
        left_out = {"csrfmiddlewaretoken", "file", "rows", "sure"}
        return [(name, value) for name, values in self.request.POST.lists() if name not in left_out for value in values]


class BatchInspectView(BelowEvent, DeskInspectView):
    """How far a list has come. POST goes on with one that stands still."""

    page_title = gettext_lazy("Links from a list")
    template_name = "discounts/admin/presale_batch.html"
    http_method_names = ["get", "head", "post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.object = self.get_object()
        presale_lists.go_on(self.object)
        return HttpResponseRedirect(request.get_full_path())

    def get_fields(self) -> list[str]:
        return []

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        batch: PresaleBatch = self.object
        links = PresaleLink.objects.filter(batch=batch)
        return {
            **super().get_context_data(**kwargs),
            "batch": batch,
            "event": batch.event,
            "event_url": self.get_event_url(),
            "made": batch.number - len(batch.waiting),
            "mailed": links.exclude(mailed_at=None).count(),
            "to_mail": links.exclude(email="").count() if batch.is_mailed else 0,
            "refused": links.filter(is_refused=True),
            "links": links.order_by("pk")[:500],
        }


class PresaleBatchDesk(OrganisationViewSet):
    model = PresaleBatch
    name = "presale_batch_desk"
    url_prefix = "presale-lists"
    icon = "list-ul"
    views = ("add", "inspect")
    add_view_class = BatchCreateView
    create_template_name = BatchCreateView.template_name
    inspect_view_class = BatchInspectView
    inspect_view_enabled = True
    inspect_template_name = BatchInspectView.template_name
    edit_handler = ObjectList(
        [
            FieldPanel("file"),
            FieldPanel("rows"),
            FieldPanel("ticket_types"),
            FieldRowPanel([FieldPanel("size"), FieldPanel("max_per_person")]),
            FieldRowPanel([FieldPanel("opens_at"), FieldPanel("closes_at")]),
            FieldPanel("sets_aside"),
            FieldPanel("admits_non_members"),
            FieldRowPanel([FieldPanel("is_mailed"), FieldPanel("locale")]),
        ],
        base_form_class=BatchForm,
    )


# --- For members ---------------------------------------------------------------------------------------------------


class AudienceView(AddressesByPublicId, View):
    """Whose members may see and buy a ticket that is for members."""

    model = TicketType
    http_method_names = ["get", "head", "post"]
    actions_needed = ("change",)

    def get(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        return self._show(request, self.get_object())

    def post(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        kind: TicketType = self.get_object()
        bodies = self._bodies(kind)
        chosen = {body.pk for body in bodies if str(body.public_id) in request.POST.getlist("body")}
        with transaction.atomic():
            TicketType.objects.select_for_update(no_key=True).get(pk=kind.pk)  # of two editors, one at a time
            there = Audience.objects.filter(ticket_type=kind)
            labels = {"bodies": _("For whose members")}
            if told := stale.say_changes(request.POST.get(stale.OPENED, ""), self._says(kind), labels):
                messages.error(request, told)
                return self._show(request, kind, chosen)
            there.exclude(body__in=chosen).delete()
            missing = chosen - set(there.values_list("body_id", flat=True))
            Audience.objects.bulk_create(
                [Audience(ticket_type=kind, body_id=body) for body in sorted(missing)], ignore_conflicts=True
            )
        messages.success(request, _("“%(name)s” is saved.") % {"name": kind.name})
        return HttpResponseRedirect(reverse("event_desk:edit", args=[kind.event.public_id]))

    def _bodies(self, kind: TicketType) -> list[MemberBody]:
        """Of those whom the door alone knows, nobody could buy the ticket: they are not offered."""
        own = MemberBody.objects.filter(organisation=kind.event.organisation_id)
        return [body for body in own if not is_at_door(body.source)]

    def _there(self, kind: TicketType) -> list[MemberBody]:
        return list(MemberBody.objects.filter(audiences__ticket_type=kind))

    def _says(self, kind: TicketType) -> dict[str, str]:
        return {"bodies": ", ".join(body.name for body in self._there(kind))}

    def _show(self, request: HttpRequest, kind: TicketType, chosen: set[int] | None = None) -> HttpResponse:
        event_url = reverse("event_desk:edit", args=[kind.event.public_id])
        title = _("For whose members")
        return render(
            request,
            "discounts/admin/audience.html",
            {
                "page_title": title,
                "header_icon": "group",
                "breadcrumbs_items": [
                    {"url": reverse("wagtailadmin_home"), "label": _("Home")},
                    {"url": event_url, "label": str(kind.event)},
                    {"url": "", "label": title, "sublabel": kind.name},
                ],
                "kind": kind,
                "event_url": event_url,
                "bodies": self._bodies(kind),
                "chosen": {body.pk for body in self._there(kind)} if chosen is None else chosen,
                "opened": stale.sign(self._says(kind)),
            },
        )
