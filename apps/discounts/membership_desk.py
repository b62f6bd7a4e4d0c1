"""The desk "Memberships": whom an organisation counts as members, who knows them, and the lists it uploads."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import transaction
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin import messages
from wagtail.admin.panels import FieldPanel, FieldRowPanel, ObjectList
from wagtail.admin.ui.tables import Column
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from apps.discounts import asking, member_lists
from apps.discounts.desk import csv_file
from apps.discounts.extensions import Verdict, membership_sources
from apps.discounts.models import Discount, MemberBody, MemberListDraft
from apps.discounts.my_pages import WORDS
from apps.discounts.sources import is_at_door, is_set_up, key_help, read_key
from apps.discounts.sources.near import UploadedList
from apps.events import wording
from apps.events.desk import (
    AddressesByPublicId,
    DeskCreateView,
    DeskEditView,
    DeskIndexView,
    OrganisationForm,
    OrganisationViewSet,
    rows_for,
)
from apps.events.stale import OneAtATime, OpenedForm
from apps.ticketing import clock

BAD_ROWS_SHOWN = 50


class MemberBodyForm(OpenedForm, OrganisationForm):
    """What the members are called, who knows them and what is asked for there."""

    source = forms.ChoiceField(label=gettext_lazy("Who knows the members"), widget=forms.RadioSelect)
    source_key = forms.CharField(
        label=gettext_lazy("What is asked for"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("Depends on who is asked; see above. An uploaded list needs nothing here."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [source for source in membership_sources if is_set_up(source) or source.slug == self.instance.source]
        self.fields["source"].choices = [(source.slug, _described(source)) for source in offered]  # type: ignore[attr-defined]
        if self.instance.source == UploadedList.slug:
            self.initial["source_key"] = ""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not (cleaned.get("name_sv") or cleaned.get("name_en")):
            self.add_error("name_sv", _("Write a name in one language at least."))
        slug = cleaned.get("source")
        if slug and is_at_door(slug) and self._is_waited_for():
            self.add_error(
                "source",
                _(
                    "Tickets for members, or prices that are paid back once a membership is known, depend on this one,"
                    " and the door never tells before. Change those first."
                ),
            )
        if slug == UploadedList.slug:
            cleaned["source_key"] = self.instance.public_id.hex
        elif slug:
            try:
                cleaned["source_key"] = read_key(slug, cleaned.get("source_key") or "")
            except forms.ValidationError as error:
                self.add_error("source_key", error)
        return cleaned

    def _is_waited_for(self) -> bool:
        """Whether something is sold, or paid back, only once it is known who is a member."""
        if self.instance.pk is None:
            return False
        paid_back = self.instance.discounts.filter(when_unknown=Discount.WhenUnknown.FULL)
        return paid_back.exists() or self.instance.audiences.exists()


def _described(source: Any) -> str:
    help_text = str(key_help(source))
    return f"{source.label}. {help_text}" if help_text else str(source.label)


def source_label(body: MemberBody) -> str:
    slug = body.source
    return str(membership_sources.get(slug).label) if slug in membership_sources else slug


def _key(body: MemberBody) -> str:
    if body.source != UploadedList.slug:
        return body.source_key
    found = getattr(body, "member_list", None)
    if found is None:
        return _("No list yet")
    return _("%(size)s members, uploaded %(when)s") % {
        "size": found.size,
        "when": wording.write_moment(found.uploaded_at),
    }


class MemberBodyIndexView(DeskIndexView):
    page_title = gettext_lazy("Memberships")

    def get_base_queryset(self) -> Any:
        counts = Q(memberships__verdict=Verdict.YES, memberships__good_until__gt=clock.now())
        rows = super().get_base_queryset().select_related("organisation", "member_list")
        return rows.annotate(known=Count("memberships", filter=counts)).order_by("organisation", "pk")


class _AskedAnew:
    """A body that was saved may know other members than before."""

    form: Any

    def save_instance(self) -> MemberBody:
        with transaction.atomic():
            stored = MemberBody.objects.filter(pk=self.form.instance.pk)
            was = stored.values_list("source", "source_key").first()
            body: MemberBody = super().save_instance()  # type: ignore[misc]
            is_another = was is not None and was != (body.source, body.source_key)
            asking.changed_for_all(body, is_another=is_another)
        return body


class MemberBodyCreateView(_AskedAnew, DeskCreateView):
    page_title = gettext_lazy("New membership")


class MemberBodyEditView(OneAtATime, _AskedAnew, DeskEditView):
    template_name = "discounts/admin/member_body_edit.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        body: MemberBody = self.object
        return super().get_context_data(
            has_list=body.source == UploadedList.slug,
            list=getattr(body, "member_list", None),
            is_door=is_at_door(body.source),
            **kwargs,
        )


class OfOneBody(AddressesByPublicId, WagtailAdminTemplateMixin, TemplateView):
    """A page about one body of those the user may change."""

    model = MemberBody
    header_icon = "group"

    @cached_property
    def body(self) -> MemberBody:
        rows = rows_for(self.request.user, MemberBody, "change").select_related("organisation", "member_list")
        return get_object_or_404(rows, public_id=self.kwargs["pk"])

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        assert self.body  # there, and theirs, before anything else is said
        return super().dispatch(request, *args, **kwargs)

    @property
    def back(self) -> str:
        return reverse("member_body_desk:edit", args=[self.body.public_id])

    def get_page_subtitle(self) -> str:
        return self.body.name

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("member_body_desk:index"), "label": _("Memberships")},
            {"url": self.back, "label": self.body.name},
            {"url": "", "label": str(self.page_title)},
        ]


class ListForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,text/csv,text/plain"}),
        help_text=gettext_lazy(
            "One member in each row, with an e-mail address or a LiU ID in some column. All else is passed over:"
            " leave personal identity numbers out."
        ),
    )


class MemberListView(OfOneBody):
    """Reads a list and shows what it would change. Nothing counts before it is confirmed."""

    template_name = "discounts/admin/member_list.html"
    page_title = gettext_lazy("Member list")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if self.body.source != UploadedList.slug:
            messages.warning(request, _("These members are not known by a list."))
            return HttpResponseRedirect(self.back)
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        form = ListForm(request.POST, request.FILES)
        if not form.is_valid():
            return self.show(form, status=422)
        try:
            read = member_lists.read(form.cleaned_data["file"].read(member_lists.MOST_BYTES + 1))
        except member_lists.Unreadable as problem:
            form.add_error("file", str(problem))
            return self.show(form, status=422)
        draft = member_lists.draft(self.body, read, by=request.user)
        return self.show(
            ListForm(),
            draft=draft,
            read=read,
            difference=member_lists.difference(draft),
            bad=read.bad[:BAD_ROWS_SHOWN],
            more_bad=max(0, len(read.bad) - BAD_ROWS_SHOWN),
        )

    def show(self, form: forms.Form, *, status: int = 200, **context: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form, **context), status=status)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        own = {"body": self.body, "list": getattr(self.body, "member_list", None)}
        return {"form": ListForm(), **own, **super().get_context_data(**kwargs)}


class BadRowsView(OfOneBody):
    """All rows of the list that was shown that count for nobody, as CSV, until it is confirmed or another is read."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        draft = get_object_or_404(MemberListDraft, body=self.body, public_id=self.kwargs["draft"])
        rows = [[row.number, str(row.why)] for row in member_lists.bad_rows(draft)]
        return csv_file(f"rows-{self.body.public_id}", [[_("Line"), _("Why")], *rows])


class MemberListConfirmView(OfOneBody):
    """Lets the list that was shown count."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        drafts = MemberListDraft.objects.filter(body=self.body, public_id=self.kwargs["draft"])
        draft = drafts.first()
        kept = member_lists.confirm(draft, by=request.user) if draft is not None else None
        if kept is None:
            messages.warning(request, _("That list is gone: another one was read since. Nothing was changed."))
        else:
            messages.success(request, _("The list counts now, with %(size)s members.") % {"size": kept.size})
        return HttpResponseRedirect(self.back)


class TryView(OfOneBody):
    """Asks the source about whoever is signed in, here and now, and says what came of it. Stores it as well."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        user: Any = request.user
        told = asking.answers([self.body], asking.persons([user.pk])[0])
        asking.store(user.pk, told, {self.body.pk: self.body})
        verdict = told.verdicts[self.body.pk]
        if told.some_are_silent:
            messages.error(request, _("It does not answer now. Nothing else is wrong: it is asked again later."))
        elif verdict == Verdict.UNKNOWN:
            messages.warning(request, _("It cannot know you: your account lacks what it goes by, such as a LiU login."))
        else:
            words = {"who": user.get_full_name(), "verdict": str(WORDS[verdict][0]).lower()}
            messages.success(request, _("It answers. About %(who)s it says: %(verdict)s.") % words)
        return HttpResponseRedirect(self.back)


class MemberBodyDesk(OrganisationViewSet):
    model = MemberBody
    name = "member_body_desk"
    url_prefix = "memberships"
    icon = "group"
    menu_label = gettext_lazy("Memberships")
    menu_order = 155
    views = ("index", "index_results", "add", "edit", "delete")
    index_view_class = MemberBodyIndexView
    add_view_class = MemberBodyCreateView
    edit_view_class = MemberBodyEditView
    edit_template_name = MemberBodyEditView.template_name
    protected_sentence = gettext_lazy("This membership cannot be deleted: prices or tickets for members depend on it.")
    list_display = [
        "__str__",
        Column("source", label=gettext_lazy("Who knows the members"), accessor=source_label),
        Column("source_key", label=gettext_lazy("What is asked for"), accessor=_key),
        Column("known", label=gettext_lazy("Members known now"), accessor="known"),
    ]
    edit_handler = ObjectList(
        [
            FieldPanel("organisation"),
            FieldRowPanel([FieldPanel("name_sv"), FieldPanel("name_en")]),
            FieldPanel("source"),
            FieldPanel("source_key"),
        ],
        base_form_class=MemberBodyForm,
    )

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            *super().get_urlpatterns(),
            path("<uuid:pk>/list/", MemberListView.as_view(), name="list"),
            path("<uuid:pk>/list/<uuid:draft>/rows.csv", BadRowsView.as_view(), name="list_bad_rows"),
            path("<uuid:pk>/list/<uuid:draft>/", MemberListConfirmView.as_view(), name="list_confirm"),
            path("<uuid:pk>/try/", TryView.as_view(), name="try"),
        ]
