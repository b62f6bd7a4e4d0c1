"""The organiser's desk for discounts: the list below each event with every rule as a sentence, codes, sponsors with
what they owe, and what a person would pay. All within the user's organisations."""

from __future__ import annotations

import csv
import io
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.generic import TemplateView, View
from wagtail.admin import messages
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, FieldRowPanel, HelpPanel, MultiFieldPanel, ObjectList
from wagtail.admin.ui.tables import Column
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from apps.discounts import codes, facts, past_terms, person_price, rules, sentences, sponsor_report
from apps.discounts.models import Allowance, Code, Discount, DiscountUse, ListedPerson, MemberBody, Sponsor
from apps.discounts.sources import is_at_door
from apps.events import tenancy
from apps.events.desk import (
    AddressesByPublicId,
    BelowEvent,
    BelowEventDeleteView,
    DeskCreateView,
    DeskDeleteView,
    DeskEditView,
    DeskIndexView,
    OrganisationForm,
    OrganisationViewSet,
    rows_for,
)
from apps.events.models import Event
from apps.events.stale import OneAtATime, OpenedForm
from apps.events.wording import write_money
from apps.ticketing.models import Adjustment, TicketType
from apps.ticketing.price_field import PriceField

MOST_SHOWN = 500
NAME_NEEDED = gettext_lazy("Give it a name in at least one language.")


# --- Below an event --------------------------------------------------------------------------------------------------


class DiscountsSection:
    """The EventSection of discounts: what each does, in words, and how often it was used."""

    slug = "discounts"
    heading = gettext_lazy("Discounts")

    def render(self, request: HttpRequest, event: Event) -> SafeString:
        return render_to_string(
            "discounts/admin/event_discounts.html",
            {
                "event": event,
                "rows": rows_of(event),
                "has_types": TicketType.objects.filter(event=event).exists(),
                "may_change": tenancy.has_role(request.user, event.organisation, tenancy.Role.EDITOR),
            },
            request,
        )


def rows_of(event: Event) -> list[dict[str, Any]]:
    """Each discount of the event, its sentence, and what was given. Six queries for any number."""
    discounts = (
        Discount.objects.filter(event=event)
        .select_related("event", "sponsor", "allowance")
        .prefetch_related("ticket_types", "bodies")
        .annotate(code_count=Count("codes", distinct=True), listed_count=Count("listed", distinct=True))
    )
    given = dict(
        DiscountUse.objects.filter(discount__event=event, is_live=True)
        .order_by()
        .values_list("discount")
        .annotate(minor=Sum("amount_minor"))
    )
    names = {kind.pk: kind.name for kind in TicketType.objects.filter(event=event)}
    return [
        {
            "discount": row,
            "sentence": sentences.rule(facts_of(row), event.currency, names),
            "used": used(row.allowance.taken, row.allowance.size),
            "given": write_money(-given.get(row.pk, 0), event.currency),
        }
        for row in discounts
    ]


def facts_of(row: Discount) -> facts.DiscountFacts:
    bodies = sorted(row.bodies.all(), key=lambda body: body.pk)
    return facts.facts_of(
        row,
        frozenset(kind.pk for kind in row.ticket_types.all()),
        tuple(facts.body_of(body) for body in bodies),
    )


def used(taken: int, size: int | None) -> str:
    """ "3" or "3 of 50"."""
    return str(taken) if size is None else _("%(taken)s of %(size)s") % {"taken": taken, "size": size}


# --- One discount ----------------------------------------------------------------------------------------------------


class DiscountForm(OpenedForm, OrganisationForm):
    """What a discount does and for whom. What the chosen kind has no use for is left out, whatever stood there."""

    amount_minor = PriceField(
        label=gettext_lazy("Amount"),
        required=False,
        help_text=gettext_lazy("Such as 50; for a fixed price, the price."),
    )
    max_tickets = forms.IntegerField(
        label=gettext_lazy("Most tickets in all"),
        required=False,
        min_value=0,
        max_value=1_000_000,
        help_text=gettext_lazy("“The first 50 tickets”. Empty: any number."),
    )
    listed_emails = forms.CharField(
        label=gettext_lazy("Add people to its list"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy("E-mail addresses, one per line. Only a keyed hash of each is kept."),
    )

    unlisted_emails = forms.CharField(
        label=gettext_lazy("Take people off its list"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("E-mail addresses, one per line. Orders placed before keep their price."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        event = self.instance.event
        self.fields["ticket_types"].queryset = TicketType.objects.filter(event=event)
        self.fields["bodies"].queryset = MemberBody.objects.filter(organisation=event.organisation_id)
        self.fields["sponsor"].queryset = Sponsor.objects.filter(organisation=event.organisation_id)
        self.fields["percent"].required = False
        self.allowance = Allowance.objects.filter(discount=self.instance.pk).first() if self.instance.pk else None
        if self.allowance is not None:
            self.initial["max_tickets"] = self.allowance.size
        else:
            self.initial["position"] = Discount.objects.filter(event=event).count() + 1
        listed = ListedPerson.objects.filter(discount=self.instance.pk).count() if self.instance.pk else 0
        if listed:
            self.fields["listed_emails"].help_text = ngettext(
                "%(number)d address is on the list. Write more, one per line.",
                "%(number)d addresses are on the list. Write more, one per line.",
                listed,
            ) % {"number": listed}
        else:
            del self.fields["unlisted_emails"]

    def shown_besides(self) -> dict[str, str]:
        size = Allowance.objects.filter(discount=self.instance.pk).values_list("size", flat=True).first()
        return {"max_tickets": "" if size is None else str(size)}

    def clean_listed_emails(self) -> list[str]:
        return addresses_in(self.cleaned_data["listed_emails"])

    def clean_unlisted_emails(self) -> list[str]:
        emails = addresses_in(self.cleaned_data["unlisted_emails"])
        keys = {rules.person_key(email): email for email in emails}
        listed = ListedPerson.objects.filter(discount=self.instance.pk, email_key__in=keys)
        for key in keys.keys() - set(listed.values_list("email_key", flat=True)):
            raise ValidationError(_("“%(email)s” is not on the list."), params={"email": keys[key]})
        return emails

    def clean_max_tickets(self) -> int | None:
        size = self.cleaned_data["max_tickets"]
        if size is not None and self.allowance is not None and self.allowance.taken > size:
            raise ValidationError(
                _("%(taken)s tickets have it already. Write at least that many, or switch it off."),
                params={"taken": self.allowance.taken},
            )
        return size

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not cleaned.get("name_sv") and not cleaned.get("name_en"):
            self.add_error("name_sv", NAME_NEEDED)
        kind = cleaned.get("kind")
        by_percent = kind in (Discount.Kind.PERCENT, Discount.Kind.PERCENT_MORE)
        if by_percent and not cleaned.get("percent") and "percent" not in self.errors:
            self.add_error("percent", _("Say how many per cent."))
        by_amount = kind in (Discount.Kind.LESS, Discount.Kind.MORE)
        if by_amount and not cleaned.get("amount_minor") and "amount_minor" not in self.errors:
            self.add_error("amount_minor", _("Say how much."))
        for unused in ("amount_minor",) if by_percent else ("percent",):
            self.errors.pop(unused, None)
            cleaned[unused] = 0
        cleaned["amount_minor"] = cleaned.get("amount_minor") or 0
        if kind in (Discount.Kind.MORE, Discount.Kind.PERCENT_MORE):
            cleaned["stacking"] = Discount.Stacking.ADDED  # a surcharge does not compete
        at_door = [body.name for body in cleaned.get("bodies") or () if is_at_door(body.source)]
        if at_door and cleaned.get("when_unknown") == Discount.WhenUnknown.FULL:
            self.add_error(
                "when_unknown",
                _(
                    "Only the door knows who is a member of %(bodies)s, so nothing would ever be paid back. Choose the"
                    " member price, checked at the door."
                )
                % {"bodies": ", ".join(at_door)},
            )
        opens, closes = cleaned.get("opens_at"), cleaned.get("closes_at")
        if opens and closes and closes <= opens:
            self.add_error("closes_at", _("It must end after it begins."))
        return cleaned

    class Meta(WagtailAdminModelForm.Meta):
        widgets = {"ticket_types": forms.CheckboxSelectMultiple, "bodies": forms.CheckboxSelectMultiple}


def addresses_in(text: str) -> list[str]:
    """The addresses written in a form, one per line. Raises ValidationError."""
    emails = [line.strip() for line in text.splitlines() if line.strip()]
    for email in emails:
        try:
            validate_email(email)
        except ValidationError as error:
            raise ValidationError(_("“%(email)s” is no e-mail address."), params={"email": email}) from error
    return emails


class SavesDiscount(BelowEvent):
    """Saves a discount with its limit and its list."""

    form: Any

    @transaction.atomic
    def save_instance(self) -> Discount:
        was = past_terms.terms_of(self.form.instance.pk) if self.form.instance.pk else None
        super().save_instance()  # type: ignore[misc]
        saved: Discount = self.form.instance
        if was is not None:
            past_terms.remember(saved.pk, was)
        size = self.form.cleaned_data["max_tickets"]
        Allowance.objects.filter(pk=saved.pk).exclude(size=size).update(size=size)
        gone = [rules.person_key(email) for email in self.form.cleaned_data.get("unlisted_emails", ())]
        ListedPerson.objects.filter(discount=saved, email_key__in=gone).delete()
        ListedPerson.objects.bulk_create(
            (
                ListedPerson(discount=saved, email_key=rules.person_key(email))
                for email in self.form.cleaned_data["listed_emails"]
            ),
            ignore_conflicts=True,
        )
        facts.forget()
        return saved


class DiscountCreateView(SavesDiscount, DeskCreateView):
    def get_success_message(self, instance: Discount) -> str:
        if instance.needs_code:
            return _("“%(name)s” is created. Next: make its codes.") % {"name": instance}
        return _("“%(name)s” is created.") % {"name": instance}

    def get_success_url(self) -> str:
        if self.object.needs_code:
            return reverse("discount_desk:codes", args=[self.object.public_id])
        return self.get_event_url()


class DiscountEditView(OneAtATime, SavesDiscount, DeskEditView):
    def lock(self, row: Discount) -> None:
        """With its counter, so that nobody takes a ticket between the look at the limit and its change."""
        super().lock(row)
        Allowance.objects.select_for_update(no_key=True).get(pk=row.pk)

    def get_success_message(self) -> str:
        return _("“%(name)s” is saved. Orders placed before keep their price.") % {"name": self.object}


class DiscountIndexView(DeskIndexView):
    def get_base_queryset(self) -> Any:
        return super().get_base_queryset().select_related("event", "allowance", "sponsor")


class DiscountDesk(OrganisationViewSet):
    model = Discount
    name = "discount_desk"
    url_prefix = "discounts"
    icon = "tag"
    menu_label = gettext_lazy("All discounts")
    index_view_class = DiscountIndexView
    add_view_class = DiscountCreateView
    edit_view_class = DiscountEditView
    delete_view_class = BelowEventDeleteView
    protected_sentence = gettext_lazy("Somebody has bought with this discount, so it stays. Switch it off instead.")
    list_display = [
        "name",
        Column("event", label=gettext_lazy("Event"), accessor="event"),
        Column("is_active", label=gettext_lazy("Switched on"), accessor=lambda row: _("yes") if row.is_active else "–"),
        Column(
            "used",
            label=gettext_lazy("Used on tickets"),
            accessor=lambda row: used(row.allowance.taken, row.allowance.size),
        ),
        Column("sponsor", label=gettext_lazy("Paid by"), accessor=lambda row: row.sponsor or "–"),
    ]
    search_fields = ["name_sv", "name_en"]
    search_backend_name = None
    edit_handler = ObjectList(
        [
            MultiFieldPanel(
                [
                    FieldRowPanel([FieldPanel("name_sv"), FieldPanel("name_en")]),
                    FieldRowPanel([FieldPanel("kind"), FieldPanel("amount_minor"), FieldPanel("percent")]),
                    FieldPanel("ticket_types"),
                    FieldPanel("covers_choices"),
                    FieldPanel("sponsor"),
                    FieldPanel("is_active"),
                ],
                heading=gettext_lazy("What it does"),
            ),
            MultiFieldPanel(
                [
                    HelpPanel(gettext_lazy("All that is set here must be true. What is empty asks nothing.")),
                    FieldPanel("bodies"),
                    FieldPanel("when_unknown"),
                    FieldPanel("needs_code"),
                    FieldPanel("needs_list"),
                    FieldPanel("listed_emails"),
                    FieldPanel("unlisted_emails"),
                    FieldPanel("min_quantity"),
                    FieldRowPanel([FieldPanel("opens_at"), FieldPanel("closes_at")]),
                ],
                heading=gettext_lazy("For whom and when"),
            ),
            MultiFieldPanel(
                [
                    FieldRowPanel([FieldPanel("max_tickets"), FieldPanel("max_per_person")]),
                    FieldRowPanel([FieldPanel("stacking"), FieldPanel("position")]),
                ],
                heading=gettext_lazy("How often, and with which others"),
            ),
        ],
        base_form_class=DiscountForm,
    )

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            *super().get_urlpatterns(),
            path("codes/<uuid:pk>/", CodesView.as_view(), name="codes"),
            path("codes/<uuid:pk>/codes.csv", CodesFileView.as_view(), name="codes_file"),
            path("price/<uuid:pk>/", PersonPriceView.as_view(), name="person_price"),
        ]


# --- Codes -----------------------------------------------------------------------------------------------------------


class OfDiscount(AddressesByPublicId):
    """A page of one discount, for the editors of its organisation."""

    @cached_property
    def discount(self) -> Discount:
        rows = rows_for(self.request.user, Discount, "change").select_related("event", "event__organisation")
        return get_object_or_404(rows, public_id=self.kwargs["pk"])


class NewCodesForm(forms.Form):
    """Codes to make: written down, or so many drawn by chance."""

    texts = forms.CharField(
        label=gettext_lazy("Codes, one per line"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Such as LUCIA26. Empty: codes are drawn by chance."),
    )
    number = forms.IntegerField(
        label=gettext_lazy("or so many, drawn by chance"), required=False, min_value=1, max_value=codes.MOST_AT_ONCE
    )
    begin = forms.CharField(label=gettext_lazy("which begin with"), required=False, max_length=20)
    size = forms.IntegerField(
        label=gettext_lazy("Tickets per code"),
        required=False,
        min_value=1,
        max_value=100_000,
        help_text=gettext_lazy("Empty: any number."),
    )
    note = forms.CharField(label=gettext_lazy("Note"), required=False, max_length=120)

    def clean_begin(self) -> str:
        return codes.normalise(self.cleaned_data["begin"])

    def clean_texts(self) -> list[str]:
        texts = [codes.normalise(line) for line in self.cleaned_data["texts"].splitlines() if line.strip()]
        wrong = next((text for text in texts if not codes.is_code(text)), None)
        if wrong is not None:
            raise ValidationError(_("“%(code)s” is no code: 3 to 40 letters and figures."), params={"code": wrong})
        if len(texts) > codes.MOST_AT_ONCE:
            raise ValidationError(_("At most %(most)s at once."), params={"most": codes.MOST_AT_ONCE})
        return texts

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("texts") and not cleaned.get("number") and not self.errors:
            self.add_error("texts", _("Write codes, or say how many to draw."))
        return cleaned

    @property
    def wanted(self) -> list[str]:
        cleaned = self.cleaned_data
        return cleaned["texts"] or codes.draw(cleaned["number"], prefix=cleaned["begin"])


class CodesView(OfDiscount, WagtailAdminTemplateMixin, TemplateView):
    """A discount's codes with their use; makes more, and switches one off or on."""

    template_name = "discounts/admin/codes.html"
    page_title = gettext_lazy("Codes")
    header_icon = "key"
    form: NewCodesForm | None = None

    def get_page_subtitle(self) -> str:
        return str(self.discount)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        event = self.discount.event
        return [
            *self.breadcrumbs_items,
            {"url": reverse("event_desk:edit", args=[event.public_id]), "label": str(event)},
            {"url": reverse("discount_desk:edit", args=[self.discount.public_id]), "label": str(self.discount)},
            {"url": "", "label": str(self.page_title)},
        ]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        here = HttpResponseRedirect(reverse("discount_desk:codes", args=[self.discount.public_id]))
        if "switch" in request.POST:
            self._switch(request.POST["switch"], is_active=request.POST.get("to") == "on")
            return here
        self.form = NewCodesForm(request.POST)
        if self.form.is_valid():
            cleaned = self.form.cleaned_data
            try:
                made = codes.make(self.discount, self.form.wanted, size=cleaned["size"], note=cleaned["note"])
            except codes.Taken as taken:
                self.form.add_error(
                    "texts", _("Taken already at this event: %(codes)s.") % {"codes": ", ".join(taken.texts[:10])}
                )
            else:
                messages.success(
                    request,
                    ngettext("%(number)d code is made.", "%(number)d codes are made.", len(made))
                    % {"number": len(made)},
                )
                return here
        return self.render_to_response(self.get_context_data(), status=422)

    def _switch(self, text: str, *, is_active: bool) -> None:
        changed = Code.objects.filter(discount=self.discount, text=text).update(is_active=is_active)
        said = _("%(code)s can be used again.") if is_active else _("%(code)s can be used no more.")
        if changed:
            messages.success(self.request, said % {"code": text})
        else:
            messages.error(self.request, _("There is no such code any more. Nothing was changed."))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = Code.objects.filter(discount=self.discount)
        return {
            **super().get_context_data(**kwargs),
            "discount": self.discount,
            "form": self.form or NewCodesForm(),
            "codes": [(code, used(code.taken, code.size)) for code in rows.order_by("-pk")[:MOST_SHOWN]],
            "number": rows.count(),
            "most_shown": MOST_SHOWN,
        }


def csv_file(name: str, rows: list[list[Any]]) -> HttpResponse:
    """A CSV file (UTF-8 with a mark, so that Excel reads å, ä and ö). A text that a spreadsheet would take for a
    formula is written as text."""
    file = io.StringIO()
    csv.writer(file).writerows(
        [f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell for cell in row]
        for row in rows
    )
    response = HttpResponse("\ufeff" + file.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response["Cache-Control"] = "private, no-store"
    return response


class CodesFileView(OfDiscount, View):
    """Every code of a discount as CSV."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        rows: list[list[Any]] = [["code", "note", "tickets", "used", "switched_on"]]
        rows += [
            [code.text, code.note, "" if code.size is None else code.size, code.taken, int(code.is_active)]
            for code in Code.objects.filter(discount=self.discount)
        ]
        return csv_file(f"codes-{self.discount.public_id}", rows)


# --- What would this person pay? -------------------------------------------------------------------------------------


class PersonPriceView(AddressesByPublicId, WagtailAdminTemplateMixin, TemplateView):
    """What an account, or somebody made up, would pay at a moment: by the same rules and words as the page."""

    template_name = "discounts/admin/person_price.html"
    page_title = gettext_lazy("What would this person pay?")
    header_icon = "help"

    @cached_property
    def event(self) -> Event:
        rows = rows_for(self.request.user, Event, "change").select_related("organisation")
        return get_object_or_404(rows, public_id=self.kwargs["pk"])

    def get_page_subtitle(self) -> str:
        return str(self.event)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("event_desk:edit", args=[self.event.public_id]), "label": str(self.event)},
            {"url": "", "label": str(self.page_title)},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        asked = "number" in self.request.GET
        form = person_price.PersonForm(self.request.GET if asked else None, event=self.event)
        return {
            **super().get_context_data(**kwargs),
            "event": self.event,
            "form": form,
            "told": person_price.tell(self.event, form) if asked and form.is_valid() else None,
        }


# --- Sponsors --------------------------------------------------------------------------------------------------------


class SponsorForm(OpenedForm, OrganisationForm):
    pass


class SponsorEditView(OneAtATime, DeskEditView):
    pass


class SponsorDeleteView(DeskDeleteView):
    def form_valid(self, form: Any) -> HttpResponse:
        if Adjustment.objects.filter(bearer=self.object.bearer).exists():
            messages.error(self.request, _("This sponsor has paid for tickets, so it stays."))
            return HttpResponseRedirect(self.get_edit_url() or self.get_success_url())
        return super().form_valid(form)


class SponsorDesk(OrganisationViewSet):
    model = Sponsor
    name = "sponsor_desk"
    url_prefix = "sponsors"
    icon = "user"
    menu_label = gettext_lazy("Sponsors")
    edit_view_class = SponsorEditView
    delete_view_class = SponsorDeleteView
    protected_sentence = gettext_lazy("This sponsor pays for a discount, so it stays.")
    list_display = ["name", Column("organisation", label=gettext_lazy("Organisation"), accessor="organisation")]
    search_fields = ["name"]
    search_backend_name = None
    edit_handler = ObjectList(
        [
            FieldPanel("organisation"),
            FieldPanel("name"),
            FieldRowPanel([FieldPanel("email"), FieldPanel("reference")]),
        ],
        base_form_class=SponsorForm,
    )

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            *super().get_urlpatterns(),
            path("report/", SponsorReportView.as_view(), name="report"),
            path("report/sponsors.csv", SponsorReportFileView.as_view(), name="report_file"),
        ]


class ForReport(AddressesByPublicId):
    """Open to editors and treasurers, about the events of their organisations."""

    @cached_property
    def report(self) -> list[sponsor_report.EventReport]:
        events = tenancy.scope(Event.objects.all(), self.request.user, tenancy.Role.EDITOR, tenancy.Role.TREASURER)
        return sponsor_report.of_events(events)


class SponsorReportView(ForReport, WagtailAdminTemplateMixin, TemplateView):
    """Event by event: what tickets cost by the list, what buyers paid, and who stands for the difference."""

    template_name = "discounts/admin/sponsor_report.html"
    page_title = gettext_lazy("Who pays for discounts")
    header_icon = "doc-full"
    any_permission_required = ["view"]

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("sponsor_desk:index"), "label": str(SponsorDesk.menu_label)},
            {"url": "", "label": str(self.page_title)},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "events": self.report}


class SponsorReportFileView(ForReport, View):
    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return csv_file("sponsors", sponsor_report.as_rows(self.report))
