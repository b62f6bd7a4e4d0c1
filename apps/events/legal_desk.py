"""The desk on which an organisation writes its terms and notices, sees them as its buyers will, and makes a version.

A superuser finds the house's own here too. There is nothing to add or delete: each organisation has its three texts,
and an empty one says what the house says.
"""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import strip_tags
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.panels import FieldPanel, HelpPanel, ObjectList
from wagtail.admin.ui.tables import Column

from apps.events import legal
from apps.events.desk import DeskEditView, DeskIndexView, OrganisationForm, OrganisationViewSet
from apps.events.legal_views import context_of
from apps.events.models import LegalText, LegalVersion
from apps.events.translated import LANGUAGES


class LegalTextForm(OrganisationForm):
    """Begins with what holds now, so that one changes a word and need not write a page. Left as the house has it, or
    emptied, it goes on following the house."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not (self.instance.text_sv or self.instance.text_en):
            above = legal.inherited(self.instance.organisation, self.instance.kind)
            self.initial |= {"text_sv": above.sv, "text_en": above.en}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for name in ("text_sv", "text_en"):
            if unknown := legal.unknown_placeholders(cleaned.get(name) or ""):
                sentence = _("Nothing can be filled in for %(unknown)s. What can: %(known)s.")
                self.add_error(name, sentence % {"unknown": _braces(unknown), "known": _braces(legal.PLACEHOLDERS)})
            if not strip_tags(cleaned.get(name) or "").strip():
                cleaned[name] = ""  # an emptied editor sends an empty paragraph
        above = legal.inherited(self.instance.organisation, self.instance.kind)
        if _bare(cleaned.get("text_sv")) == _bare(above.sv) and _bare(cleaned.get("text_en")) == _bare(above.en):
            cleaned |= {"text_sv": "", "text_en": ""}
        return cleaned


def _bare(html: str | None) -> str:
    """What is told, without what an editor's browser adds or leaves out between the words."""
    return " ".join(re.sub(r"<(/?\w+)[^>]*>", r" <\1> ", html or "").split())


def _braces(names: Any) -> str:
    return ", ".join(f"{{{name}}}" for name in names)


class WhoseColumn(Column):
    def get_value(self, instance: LegalText) -> Any:
        return instance.organisation or _("The house")


class WordsColumn(Column):
    """Whose words hold, and in which version."""

    def get_value(self, instance: LegalText) -> str:
        if instance.text_sv or instance.text_en:
            missing = [code for code in LANGUAGES if not getattr(instance, f"text_{code}")]
            words = _("Own words, Swedish missing") if missing == ["sv"] else _("Own words")
            return _("Own words, English missing") if missing == ["en"] else words
        return _("As the house has it") if instance.organisation else _("The start text")


class LegalIndexView(DeskIndexView):
    def get_base_queryset(self) -> Any:
        return super().get_base_queryset().select_related("organisation")


class LegalEditView(DeskEditView):
    """Saving makes the next version at once. “Show as buyers see it” shows what is in the form and keeps nothing."""

    template_name = "events/admin/legal_edit.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "show" in request.POST:
            self.object = self.get_object()
            form = self.get_form()
            if form.is_valid():
                return self._as_buyers_see_it(form.instance)
            return self.form_invalid(form)
        return super().post(request, *args, **kwargs)

    def _as_buyers_see_it(self, row: LegalText) -> HttpResponse:
        ours = legal.Wording(row.text_sv, row.text_en)
        ours = ours if ours.sv or ours.en else legal.inherited(row.organisation, row.kind)
        told = legal.filled(ours, row.organisation)
        newest = legal.standing(row.organisation, row.kind)
        shown = LegalVersion(kind=row.kind, number=newest.number, text_sv=told.sv, text_en=told.en)
        shown.shown_from = newest.shown_from
        if (shown.text_sv, shown.text_en) != (newest.text_sv, newest.text_en):
            shown.number = newest.number + 1
        context = context_of(row.organisation, shown, shown) | {"is_draft": True, "versions": []}
        return render(self.request, "events/legal_text.html", context)

    def save_instance(self) -> LegalText:
        row = super().save_instance()
        legal.standing(row.organisation, row.kind)
        return row

    def get_success_message(self) -> str:
        version = legal.standing(self.object.organisation, self.object.kind)
        return _("“%(text)s” is now version %(number)s. Earlier orders keep theirs.") % {
            "text": self.object,
            "number": version.number,
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        slug = self.object.organisation.slug if self.object.organisation else ""
        context["standing"] = legal.standing(self.object.organisation, self.object.kind)
        context["standing_url"] = legal.address(slug, self.object.kind)
        context["versions"] = [
            (row, legal.address(slug, row.kind, row.number))
            for row in legal.versions(self.object.organisation, self.object.kind)[:50]
        ]
        return context


class LegalDesk(OrganisationViewSet):
    """The texts of the user's organisations; for a superuser those of the house too."""

    model = LegalText
    name = "legal_desk"
    url_prefix = "legal-texts"
    icon = "doc-full"
    menu_label = gettext_lazy("Terms and notices")
    menu_order = 890
    index_view_class = LegalIndexView
    edit_view_class = LegalEditView
    edit_template_name = "events/admin/legal_edit.html"
    views = ("index", "index_results", "edit")
    list_display = [
        "__str__",
        WhoseColumn("organisation", label=gettext_lazy("Organisation")),
        WordsColumn("words", label=gettext_lazy("Whose words")),
    ]
    edit_handler = ObjectList(
        [
            HelpPanel(
                gettext_lazy(
                    "What stands in braces is filled in from the facts of the organisation: {seller},"
                    " {organisation_number}, {address}, {email}, {vat_number} and {site}. A paragraph or list item"
                    " about a fact that is not known is left out. Emptied in both languages, the text is the house's."
                )
            ),
            FieldPanel("text_sv"),
            FieldPanel("text_en"),
        ],
        base_form_class=LegalTextForm,
    )
