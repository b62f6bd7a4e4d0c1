"""The forms of the event wizard. Each is bound to what the draft keeps, so that a step shows what was typed, right or
wrong, with the sentences beside it.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.forms.formsets import BaseFormSet, formset_factory
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.plain_text import one_line
from apps.events.models import Event
from apps.events.translated import LANGUAGES, active_language, pick
from apps.ticketing import clock
from apps.ticketing.admin_forms import NAME_NEEDED
from apps.ticketing.extensions import EventTemplate, TicketSketch
from apps.ticketing.models import TicketType
from apps.ticketing.price_field import PriceField

Typed = dict[str, str]
ROWS = "rows"
MOST_ROWS = 12
LONGEST = 5_000  # of what is kept of one field
MOST_PLACES = 100_000
# Where the event is, and so how its times are read, whatever zone the organiser's account is set to.
ZONE = zoneinfo.ZoneInfo(str(Event._meta.get_field("time_zone").default))


class MomentField(forms.DateTimeField):
    """A day and a time as the browser's own field sends them, or typed as 2026-12-12 18:00."""

    default_error_messages = {"invalid": _("Write the day and the time as in 2026-12-12 18:00.")}

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(widget=widget, **kwargs)

    def to_python(self, value: Any) -> datetime | None:
        with timezone.override(ZONE):
            moment = super().to_python(value)
        if moment is not None and abs(moment.year - timezone.now().year) > 10:
            raise forms.ValidationError(_("That is more than ten years away. Is the year right?"))
        return moment


class OneLineField(forms.CharField):
    """Words on one line, without what no eye sees."""

    def to_python(self, value: Any) -> str:
        return one_line(super().to_python(value) or "")


def _model_line(model: Any, name: str, **kwargs: Any) -> OneLineField:
    """As long as the model's column."""
    return OneLineField(max_length=model._meta.get_field(name).max_length, **kwargs)


class FactsForm(forms.Form):
    """What happens, when and where."""

    title_sv = _model_line(Event, "title_sv", label=_("Title in Swedish"), required=False)
    title_en = _model_line(
        Event,
        "title_en",
        label=_("Title in English"),
        required=False,
        help_text=_("A page is made in each language that has a title."),
    )
    starts_at = MomentField(label=_("Starts"), error_messages={"required": _("Say when it starts.")})
    ends_at = MomentField(label=_("Ends"), required=False)
    venue = _model_line(
        Event, "venue", label=_("Venue"), error_messages={"required": _("Say where it is, or “To be announced”.")}
    )
    venue_address = _model_line(Event, "venue_address", label=_("Address of the venue"), required=False)
    doors_at = MomentField(label=_("Doors open"), required=False, help_text=_("Empty: nothing is said about it."))

    def __init__(self, *args: Any, template: EventTemplate, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.template = template
        self.fields["ends_at"].help_text = gettext("Empty: %(hours)s hours after it starts.") % {
            "hours": template.hours
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("title_sv") and not cleaned.get("title_en") and not self.errors.keys() & {"title_sv"}:
            self.add_error("title_sv", _("Give the event a title in at least one language."))
        starts = cleaned.get("starts_at")
        if starts is None:
            return cleaned
        ends, doors = cleaned.get("ends_at"), cleaned.get("doors_at")
        if ends is not None and ends <= starts:
            self.add_error("ends_at", _("The event must end after it starts."))
        elif starts <= clock.now():
            self.add_error("starts_at", _("That time has passed. Is the year right?"))
        if doors is not None and not starts - timedelta(days=1) <= doors <= starts:
            self.add_error("doors_at", _("Doors open before the event starts, at most a day before."))
        if "ends_at" not in self.errors:
            cleaned["ends_at"] = ends or starts + timedelta(hours=self.template.hours)
        return cleaned


class SaleForm(forms.Form):
    """What holds for all tickets of the event."""

    sale_opens_at = MomentField(
        label=_("The sale opens"), required=False, help_text=_("Empty: as soon as the page is published.")
    )
    minimum_age = forms.IntegerField(
        label=_("Minimum age"),
        required=False,
        min_value=1,
        max_value=99,
        help_text=_("The door asks to see an identity card. Empty: everybody may come."),
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )
    vat_percent = forms.DecimalField(
        label=_("VAT in percent"),
        min_value=0,
        max_value=50,
        max_digits=4,
        decimal_places=2,
        help_text=_("It is included in the prices. Most student associations pay none; your treasurer knows."),
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        error_messages={"required": _("Write 0 if you pay no VAT.")},
        localize=True,
    )
    questions = forms.MultipleChoiceField(
        label=_("Every guest chooses"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, template: EventTemplate, starts_at: datetime | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.starts_at = starts_at
        if not template.questions:
            del self.fields["questions"]
            return
        language = active_language()
        self.fields["questions"].choices = [  # type: ignore[attr-defined]
            (
                question.key,
                f"{question.name[language]}: {', '.join(answer[language] for answer in question.answers)}",
            )
            for question in template.questions
        ]
        self.fields["questions"].help_text = _("Answers and what they add to the price can be changed afterwards.")

    def clean_sale_opens_at(self) -> datetime | None:
        opens_at = self.cleaned_data["sale_opens_at"]
        if opens_at is not None and self.starts_at is not None and opens_at >= self.starts_at:
            raise forms.ValidationError(_("The sale must open before the event starts."))
        return opens_at


class TicketRow(forms.Form):
    """One kind of ticket. `key` names the template's sketch that it came from, if any."""

    key = forms.SlugField(required=False, max_length=60, widget=forms.HiddenInput)
    name_sv = _model_line(TicketType, "name_sv", label=_("Name in Swedish"), required=False)
    name_en = _model_line(TicketType, "name_en", label=_("Name in English"), required=False)
    price_minor = PriceField(label=_("Price"), required=False)
    places = forms.IntegerField(
        label=_("Places"),
        required=False,
        min_value=1,
        max_value=MOST_PLACES,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "size": 6}),
    )

    @property
    def title(self) -> str:
        """What is written in its name, in the organiser's language if it can be."""
        return pick(self["name_sv"].value() or "", self["name_en"].value() or "")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("name_sv") and not cleaned.get("name_en") and "name_sv" not in self.errors:
            self.add_error("name_sv", NAME_NEEDED)
        return cleaned


class TicketRows(BaseFormSet):
    """The tickets in the order of the page. The first says price and places; others may leave them out."""

    template: EventTemplate

    def __init__(self, *args: Any, template: EventTemplate, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.template = template

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return {**super().get_form_kwargs(index), "use_required_attribute": False, "empty_permitted": False}

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        price, places = form.fields["price_minor"], form.fields["places"]
        if index == 0:
            price.help_text = _("VAT included. 0 for a free ticket.")
            price.required = places.required = True
            price.error_messages["required"] = _("Say what it costs; 0 for a free ticket.")
            places.error_messages["required"] = _("Say how many there are; nothing can be sold before.")
        else:
            price.help_text = _("Empty: as the first ticket.")
            places.help_text = _("Empty: shared with the first ticket.")

    def clean(self) -> None:
        if not any(self.kept()):
            raise forms.ValidationError(_("Add at least one ticket; one that is free costs 0."))

    def kept(self) -> Iterator[Any]:
        return (form for form in self.forms if not self._should_delete_form(form))  # type: ignore[attr-defined]


def sketch_of(template: EventTemplate, key: str) -> TicketSketch | None:
    return next((sketch for sketch in template.tickets if sketch.key == key), None)


TicketRowSet: Any = formset_factory(  # its class takes a template
    TicketRow,
    formset=TicketRows,
    extra=0,
    min_num=0,
    max_num=MOST_ROWS,
    absolute_max=MOST_ROWS + 1,
    validate_max=True,
    can_delete=True,
)


class PageForm(forms.Form):
    """The invitation in each language that has a title. All else of the page is the template's, changed afterwards."""

    def __init__(self, *args: Any, languages: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = {"sv": _("Invitation in Swedish"), "en": _("Invitation in English")}
        for language in languages:
            self.fields[f"text_{language}"] = forms.CharField(
                label=labels[language],
                required=False,
                max_length=LONGEST,
                help_text=_("An empty line begins a new paragraph."),
                widget=forms.Textarea(attrs={"rows": 6, "lang": language}),
            )


# --- What a draft proposes before anything was typed -----------------------------------------------------------------


def proposed_tickets(template: EventTemplate) -> Typed:
    """The second step as it is first shown."""
    typed = {
        "vat_percent": str(template.vat_percent),
        "minimum_age": str(template.minimum_age or ""),
        "questions": ",".join(question.key for question in template.questions),
    }
    price = PriceField()
    for place, sketch in enumerate(template.tickets):
        typed |= {
            f"{ROWS}-{place}-key": sketch.key,
            f"{ROWS}-{place}-name_sv": sketch.name.sv,
            f"{ROWS}-{place}-name_en": sketch.name.en,
            f"{ROWS}-{place}-price_minor": ""
            if sketch.price_minor is None
            else str(price.prepare_value(sketch.price_minor)),
            f"{ROWS}-{place}-places": "" if sketch.places is None else str(sketch.places),
        }
    return typed | _counted(len(template.tickets))


def proposed_page(template: EventTemplate) -> Typed:
    return {f"text_{language}": template.text[language] for language in LANGUAGES}


# --- From a request to what is kept ----------------------------------------------------------------------------------


def _counted(rows: int) -> Typed:
    return {f"{ROWS}-TOTAL_FORMS": str(rows), f"{ROWS}-INITIAL_FORMS": "0"}


ROW_FIELDS = tuple(TicketRow.base_fields)


def keep_fields(posted: Mapping[str, str], names: Any) -> Typed:
    """Of what was posted, the fields of these names."""
    return {name: posted.get(name, "")[:LONGEST] for name in names}


def keep_tickets(posted: Any, *, one_more: bool = False) -> Typed:
    """The ticket step: removed rows go, the others are numbered anew; with `one_more` an empty one comes last."""
    typed = keep_fields(posted, [name for name in SaleForm.base_fields if name != "questions"])
    typed["questions"] = ",".join(posted.getlist("questions"))[:LONGEST]
    number = 0
    for place in range(_number_in(posted.get(f"{ROWS}-TOTAL_FORMS", ""))):
        if posted.get(f"{ROWS}-{place}-DELETE"):
            continue
        typed |= {f"{ROWS}-{number}-{name}": posted.get(f"{ROWS}-{place}-{name}", "")[:LONGEST] for name in ROW_FIELDS}
        number += 1
    return typed | _counted(min(number + one_more, MOST_ROWS + 1))


def _number_in(text: str) -> int:
    """How many rows a form says it has, up to one more than are allowed."""
    return min(int(text), MOST_ROWS + 1) if text.isascii() and text.isdigit() and len(text) < 5 else 0


def as_posted(typed: Typed) -> dict[str, Any]:
    """What a form is bound to, or begins with: as a browser would send it."""
    return {**typed, "questions": [key for key in typed.get("questions", "").split(",") if key]}


def rows_of(typed: Typed) -> list[Typed]:
    """The tickets of the second step, each by itself."""
    count = _number_in(typed.get(f"{ROWS}-TOTAL_FORMS", ""))
    return [{name: typed.get(f"{ROWS}-{place}-{name}", "") for name in ROW_FIELDS} for place in range(count)]
