"""Two editors in one form: whoever saves second is told what the first has changed, and loses nothing they wrote.

The form carries what it showed, signed. When the row is another one by then, saving is refused once, with each
difference in words; the form that comes back carries the row as it is now, so that saving again means it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core import signing
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.formats import localize
from django.utils.translation import gettext as _

SALT = "events.form"
OPENED = "opened"  # the name of what a form carries


def sign(says: Mapping[str, str]) -> str:
    """What a form showed, to be carried by it."""
    return signing.dumps(dict(says), salt=SALT)


def say_changes(opened: str, now: Mapping[str, str], labels: Mapping[str, Any]) -> str:
    """What is another by now than the form showed that carried `opened`, in a sentence; empty where nothing is."""
    try:
        before = signing.loads(opened, salt=SALT)
    except signing.BadSignature:
        return ""  # a form of another kind, or none: nothing to compare with
    changes = [
        _("%(what)s: from “%(before)s” to “%(now)s”")
        % {"what": labels[name], "before": before.get(name, ""), "now": says}
        for name, says in now.items()
        if before.get(name, "") != says
    ]
    told = _(
        "Somebody else has changed this since you opened it: %(changes)s. Nothing was saved, and what you wrote is"
        " still here. Save again to have it your way."
    )
    return told % {"changes": "; ".join(changes)} if changes else ""


class OpenedForm:
    """A model form that knows what it showed when it was opened. Mix in before the form's base."""

    instance: Any
    fields: Any
    data: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.shown_now = {**shown(self.instance), **self.shown_besides()} if self.instance.pk else {}
        self.fields[OPENED] = forms.CharField(required=False, widget=forms.HiddenInput, initial=sign(self.shown_now))

    def shown_besides(self) -> dict[str, str]:
        """{name of a field of the form: what it says} of what lies beside the stored row."""
        return {}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()  # type: ignore[misc]
        meta = self.instance._meta
        labels = {field.name: field.verbose_name for field in (*meta.concrete_fields, *meta.many_to_many)}
        labels |= {name: self.fields[name].label for name in self.shown_besides()}
        told = say_changes(cleaned.get(OPENED, ""), self.shown_now, labels)
        if told:
            self.data = self.data.copy()
            self.data[self.add_prefix(OPENED)] = sign(self.shown_now)  # type: ignore[attr-defined]
            self.add_error(None, told)  # type: ignore[attr-defined]
        return cleaned


class OneAtATime:
    """An edit view whose row is locked while a form is judged and saved, so that of two editors the second is told."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            self.lock(self.get_object())  # type: ignore[attr-defined]
            return super().post(request, *args, **kwargs)  # type: ignore[misc,no-any-return]

    def lock(self, row: Any) -> None:
        """Lock `row`, and what its form writes besides."""
        type(row)._default_manager.select_for_update(no_key=True).get(pk=row.pk)


def shown(row: models.Model) -> dict[str, str]:
    """{name of a field: what it says} of a stored row, as it is now."""
    fresh = type(row)._default_manager.get(pk=row.pk)
    return {
        field.name: _say(fresh, field)
        for field in (*row._meta.concrete_fields, *row._meta.many_to_many)
        if field.editable and not field.primary_key
    }


def _say(row: Any, field: Any) -> str:
    if isinstance(field, models.ManyToManyField):
        return ", ".join(str(each) for each in getattr(row, field.name).order_by("pk"))
    if field.choices:
        return str(getattr(row, f"get_{field.name}_display")())
    value = getattr(row, field.name)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if field.name.endswith("_minor"):
        return str(localize(value / 100)) if value % 100 else str(value // 100)
    return "" if value is None else str(localize(value))
