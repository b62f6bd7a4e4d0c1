"""The organiser's forms for the catalogue: a ticket type with its questions and their priced answers, and a quota."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.db import transaction
from django.forms.models import BaseInlineFormSet, inlineformset_factory
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminModelForm

from apps.events.desk import OrganisationForm
from apps.events.stale import OpenedForm, labels_of_rows, rows_shown
from apps.ticketing.models import Answer, Choice, LineChoice, Question, Quota, TicketType, Variation
from apps.ticketing.price_field import PriceField
from apps.ticketing.vat_form import SplitsVat

NAME_NEEDED = _("Give it a name in at least one language.")


def _needs_a_name(form: forms.ModelForm) -> None:
    if not form.cleaned_data.get("name_sv") and not form.cleaned_data.get("name_en"):
        form.add_error("name_sv", NAME_NEEDED)


HELD_QUOTAS = _("Tickets are sold or held already, so the places they count against cannot be changed.")


def is_held(kind: TicketType) -> bool:
    """Whether tickets of this type count against its quotas now."""
    return kind.lines.filter(is_held=True).exists()


class TicketTypeForm(OpenedForm, SplitsVat, OrganisationForm):
    """What one kind of ticket is called, what it costs and which places it takes. The event is settled beforehand."""

    price_minor = PriceField(label=_("Price"), help_text=_("VAT included. 0 for a free ticket."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        event = self.instance.event
        self.show_split()
        self.fields["quotas"].queryset = Quota.objects.filter(event=event)
        self.fields["quotas"].required = True
        self.fields["quotas"].error_messages["required"] = _("Choose which places it takes; without, none can be sold.")
        if self.instance.pk is not None and is_held(self.instance):
            self.fields["quotas"].disabled = True
            self.fields["quotas"].help_text = HELD_QUOTAS
        for name in ("change_hours", "guests_per_ticket"):
            self.fields[name].required = False
        if self.instance.pk is None:
            only = list(self.fields["quotas"].queryset[:2])
            self.initial["quotas"] = only if len(only) == 1 else []
        others = TicketType.objects.filter(event=event).exclude(pk=self.instance.pk)
        for name in ("conflicts_with", "after_type", "guests_of"):
            self.fields[name].queryset = others
            if not others.exists():
                del self.fields[name]

    def shown_besides(self) -> dict[str, str]:
        split = {"vat_split": "; ".join(self.say_split())}
        return split | {name: says for rows, form in self._rows for name, says in rows_shown(rows, form).items()}

    def labels(self) -> dict[str, Any]:
        of_rows = {name: label for rows, form in self._rows for name, label in labels_of_rows(rows, form).items()}
        return {**super().labels(), "price_minor": self.fields["price_minor"].label, **of_rows}

    @cached_property
    def _rows(self) -> list[tuple[list[Any], type[forms.ModelForm]]]:
        """The choices and questions as they are stored, each with its form."""
        variations = list(Variation.objects.filter(ticket_type=self.instance.pk).prefetch_related("choices__quotas"))
        choices = [choice for variation in variations for choice in variation.choices.all()]
        questions = list(Question.objects.filter(ticket_type=self.instance.pk))
        return [(variations, VariationForm), (choices, ChoiceForm), (questions, QuestionForm)]

    def clean_change_hours(self) -> int:
        """Left empty, it stays as it was."""
        hours = self.cleaned_data.get("change_hours")
        return self.instance.change_hours if hours is None else hours

    def clean_guests_per_ticket(self) -> int:
        """Left empty, it stays as it was."""
        return self.cleaned_data.get("guests_per_ticket") or self.instance.guests_per_ticket

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        _needs_a_name(self)
        opens, closes = cleaned.get("sale_opens_at"), cleaned.get("sale_closes_at")
        if opens and closes and closes <= opens:
            self.add_error("sale_closes_at", _("The sale must close after it opens."))
        fewest, most = cleaned.get("min_per_order"), cleaned.get("max_per_order")
        if fewest is not None and most is not None and fewest > most:
            self.add_error("min_per_order", _("The fewest per order cannot be more than the most."))
        if cleaned.get("visibility") == TicketType.Visibility.AFTER and not cleaned.get("after_type"):
            self.add_error("visibility", _("Choose also after which ticket it is shown."))
        if cleaned.get("guests_of") and cleaned["guests_of"].guests_of_id:
            self.add_error("guests_of", _("That is a guest ticket itself. Choose the ticket that brings the guests."))
        self.clean_split(cleaned)
        return cleaned

    class Meta(WagtailAdminModelForm.Meta):
        widgets = {
            "quotas": forms.CheckboxSelectMultiple,
            "conflicts_with": forms.CheckboxSelectMultiple,
        }


class ChoiceForm(forms.ModelForm):
    """One answer and what it adds to the price."""

    delta_minor = PriceField(
        label=_("Adds to the price"), required=False, signed=True, help_text=_("Such as 140 or −10. Empty: included.")
    )

    class Meta:
        model = Choice
        fields = [
            *("name_sv", "name_en", "delta_minor", "is_default", "max_quantity", "is_published", "is_sensitive"),
            "quotas",
        ]
        widgets = {"quotas": forms.CheckboxSelectMultiple}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        _needs_a_name(self)
        if "delta_minor" in cleaned and cleaned["delta_minor"] is None:
            cleaned["delta_minor"] = 0
        if cleaned.get("is_default") and cleaned.get("delta_minor", 0) > 0:
            self.add_error(
                "is_default",
                _("What costs extra cannot be preselected: by law nobody pays for what a form ticked for them."),
            )
        return cleaned


class BoughtStay(BaseInlineFormSet):
    """Rows that somebody has bought cannot be deleted, and the form says so."""

    def bought(self, forms_to_delete: list[Any]) -> Iterator[str]:
        raise NotImplementedError

    def clean(self) -> None:
        super().clean()
        names = sorted(set(self.bought([form for form in self.deleted_forms if form.instance.pk])))
        if names:
            raise forms.ValidationError(
                _("Already bought, so it cannot be deleted: %(names)s. Untick “published” instead."),
                params={"names": ", ".join(names)},
            )


class ChoiceFormSet(BoughtStay):
    def __init__(self, *args: Any, quotas: Any, **kwargs: Any) -> None:
        self.quotas = quotas
        super().__init__(*args, **kwargs)

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.fields["quotas"].queryset = self.quotas
        if not self.quotas:
            del form.fields["quotas"]
        elif form.instance.pk in self._held_ids:
            form.fields["quotas"].disabled = True
            form.fields["quotas"].help_text = HELD_QUOTAS

    @cached_property
    def _held_ids(self) -> frozenset[int]:
        if not self.instance.pk:
            return frozenset()
        held = LineChoice.objects.filter(choice__variation=self.instance, line__is_held=True)
        return frozenset(held.values_list("choice_id", flat=True))

    def bought(self, forms_to_delete: list[Any]) -> Iterator[str]:
        ids = [form.instance.pk for form in forms_to_delete]
        for line_choice in LineChoice.objects.filter(choice__in=ids).select_related("choice"):
            yield line_choice.choice.name


ChoiceInlines = inlineformset_factory(
    Variation, Choice, form=ChoiceForm, formset=ChoiceFormSet, extra=0, can_delete=True, min_num=0
)


class VariationForm(forms.ModelForm):
    """One question and its answers (`choices`, a formset that VariationFormSet attaches)."""

    choices: Any

    class Meta:
        model = Variation
        fields = ["name_sv", "name_en", "kind", "ask_again_on_resale"]

    def has_changed(self) -> bool:
        """A new question counts as soon as it has an answer."""
        return super().has_changed() or (not self.instance.pk and self.choices.has_changed())

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        _needs_a_name(self)
        return cleaned


class VariationFormSet(BoughtStay):
    """The questions of a ticket type, each with the formset of its answers."""

    def __init__(self, *args: Any, quotas: Any, **kwargs: Any) -> None:
        self.quotas = quotas
        super().__init__(*args, **kwargs)

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.choices = ChoiceInlines(
            data=form.data if form.is_bound else None,
            instance=form.instance,
            prefix=f"{form.prefix}-choices",
            quotas=self.quotas,
        )

    def bought(self, forms_to_delete: list[Any]) -> Iterator[str]:
        ids = [form.instance.pk for form in forms_to_delete]
        rows = LineChoice.objects.filter(choice__variation__in=ids).select_related("choice__variation")
        for line_choice in rows:
            yield line_choice.choice.variation.name

    def _kept_forms(self) -> list[Any]:
        is_deleted = self._should_delete_form  # type: ignore[attr-defined]  # Django has it, the stubs do not
        return [form for form in self.forms if not (self.can_delete and is_deleted(form))]

    def is_valid(self) -> bool:
        valid = super().is_valid()
        return all([form.choices.is_valid() for form in self._kept_forms()]) and valid

    def clean(self) -> None:
        super().clean()
        for form in self._kept_forms():
            if not form.has_changed() and not form.instance.pk:
                continue
            answers = [
                choice
                for choice in form.choices.forms
                if (choice.has_changed() or choice.instance.pk) and not form.choices._should_delete_form(choice)
            ]
            if form.cleaned_data.get("kind") == Variation.Kind.ONE and not answers:
                form.add_error("kind", _("Add at least one answer: buyers must choose one."))
            preselected = [choice for choice in answers if choice.cleaned_data.get("is_default")]
            if len(preselected) > 1:
                preselected[1].add_error("is_default", _("Only one answer can be preselected."))
            if preselected and form.cleaned_data.get("kind") == Variation.Kind.MANY:
                preselected[0].add_error("is_default", _("Only where one must be chosen is one preselected."))

    @transaction.atomic
    def save(self, commit: bool = True) -> Any:
        for form in self.deleted_forms:
            if form.instance.pk:
                form.instance.choices.all().delete()
        saved = super().save(commit=commit)
        for place, form in enumerate(self._kept_forms()):
            if form.instance.pk is None:
                continue
            Variation.objects.filter(pk=form.instance.pk).update(position=place)
            form.choices.instance = form.instance
            form.choices.save()
            for number, choice in enumerate(form.choices.forms):
                if choice.instance.pk:
                    Choice.objects.filter(pk=choice.instance.pk).update(position=number)
        return saved


VariationInlines = inlineformset_factory(
    TicketType, Variation, form=VariationForm, formset=VariationFormSet, extra=0, can_delete=True
)


class QuestionForm(forms.ModelForm):
    """A free question. What guests eat is private whatever is ticked."""

    class Meta:
        model = Question
        fields = [
            *("text_sv", "text_en", "kind", "is_required", "is_asked_before_paying", "is_sensitive"),
            *("ask_again_on_resale", "is_published"),
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("text_sv") and not cleaned.get("text_en"):
            self.add_error("text_sv", _("Write the question in at least one language."))
        if cleaned.get("kind") == Question.Kind.DIET:
            cleaned["is_sensitive"] = True
        return cleaned


class QuestionFormSet(BoughtStay):
    """The free questions of a ticket type, in their order. One that somebody has answered stays."""

    def bought(self, forms_to_delete: list[Any]) -> Iterator[str]:
        ids = [form.instance.pk for form in forms_to_delete]
        for answer in Answer.objects.filter(question__in=ids).select_related("question"):
            yield answer.question.text

    @transaction.atomic
    def save(self, commit: bool = True) -> Any:
        saved = super().save(commit=commit)
        is_deleted = self._should_delete_form  # type: ignore[attr-defined]  # Django has it, the stubs do not
        kept = [form for form in self.forms if form.instance.pk and not is_deleted(form)]
        for place, form in enumerate(kept):
            Question.objects.filter(pk=form.instance.pk).update(position=place)
        return saved


QuestionInlines = inlineformset_factory(
    TicketType, Question, form=QuestionForm, formset=QuestionFormSet, extra=0, can_delete=True
)


class QuotaForm(OrganisationForm):
    """A number of places. Its size is changed by `reservations.resize`, never by saving the row (see QuotaEditView)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        quota = self.instance
        if quota.pk:
            self.fields["size"].help_text = _(
                "%(taken)s are sold or held now. May be raised or lowered, also while the sale runs."
            ) % {"taken": quota.taken + quota.set_aside}
