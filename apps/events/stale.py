"""Two editors in one form: whoever saves second is told what the first has changed, and loses nothing they wrote.

The form carries what it showed, signed. When the row is another one by then, saving is refused once, with each
difference in words; the form that comes back carries the row as it is now, so that saving again means it. Rows that are
edited in the same form, such as a ticket's choices, are part of what it showed; where one is deleted the form is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.core import signing
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.formats import localize
from django.utils.translation import gettext as _

SALT = "events.form"
OPENED = "opened"  # the name of what a form carries
OF_ROW = ":"  # in the name of what a form shows of another row: kind:key, and kind:key:field


def sign(says: Mapping[str, str]) -> str:
    """What a form showed, to be carried by it."""
    return signing.dumps(dict(says), salt=SALT)


def say_changes(opened: str, now: Mapping[str, str], labels: Mapping[str, Any]) -> str:
    """What is another by now than the form showed that carried `opened`, in a sentence; empty where nothing is."""
    before = _read(opened)
    if before is None:
        return ""  # a form of another kind, or none: nothing to compare with
    differ = [(labels[name], before.get(name, ""), says) for name, says in now.items() if _differs(name, before, now)]
    gone = _gone(before, now)
    differ += [(labels[name.partition(OF_ROW)[0]], before[name], "") for name in gone]
    changes = [
        _("%(what)s: from “%(before)s” to “%(now)s”") % {"what": what, "before": was, "now": says}
        for what, was, says in differ
    ]
    told = _(
        "Somebody else has changed this since you opened it: %(changes)s. Nothing was saved, and what you wrote is"
        " still here. Save again to have it your way."
    )
    if gone:
        told = _(
            "Somebody else has changed this since you opened it: %(changes)s. Nothing was saved. Something that you"
            " were shown is deleted, so open it anew and write what you would change."
        )
    return told % {"changes": "; ".join(changes)} if changes else ""


def _read(opened: str) -> dict[str, str] | None:
    try:
        return dict(signing.loads(opened, salt=SALT))
    except signing.BadSignature:
        return None


def _differs(name: str, before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """A row of another kind is told once: as new by its name, and of one that was there what it says."""
    depth = name.count(OF_ROW)
    if depth == 1:
        return name not in before
    is_new_row = depth == 2 and name.rpartition(OF_ROW)[0] not in before
    return not is_new_row and before.get(name, "") != now[name]


def _gone(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The rows that a form showed and that are deleted by now."""
    return [name for name in before if name.count(OF_ROW) == 1 and name not in now]


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
        """{name of a field of the form: what it says} of what lies beside the stored row. With `rows_shown`."""
        return {}

    def labels(self) -> dict[str, Any]:
        """{name: what it is called} of all that is shown, with `labels_of_rows` and what each kind of row is called."""
        meta = self.instance._meta
        labels = {field.name: field.verbose_name for field in (*meta.concrete_fields, *meta.many_to_many)}
        besides = [name for name in self.shown_now if name not in labels and name in self.fields]
        return labels | {name: self.fields[name].label for name in besides}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()  # type: ignore[misc]
        opened = cleaned.get(OPENED, "")
        told = say_changes(opened, self.shown_now, self.labels())
        if told:
            self.add_error(None, told)  # type: ignore[attr-defined]
        if told and not _gone(_read(opened) or {}, self.shown_now):
            self.data = self.data.copy()
            self.data[self.add_prefix(OPENED)] = sign(self.shown_now)  # type: ignore[attr-defined]
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


def rows_shown(rows: Iterable[models.Model], form: type[forms.ModelForm]) -> dict[str, str]:
    """{name: what it says} of rows that are edited in the same form, each by `form`."""
    says: dict[str, str] = {}
    for row in rows:
        says[_name_of(row)] = str(row)
        for field in _fields(row, form):
            says[f"{_name_of(row)}{OF_ROW}{field.name}"] = _say(row, field)
    return says


def labels_of_rows(rows: Iterable[models.Model], form: type[forms.ModelForm]) -> dict[str, Any]:
    """{name: what it is called} of the same."""
    kind = form._meta.model._meta
    labels: dict[str, Any] = {str(kind.model_name): kind.verbose_name}
    for row in rows:
        labels[_name_of(row)] = kind.verbose_name
        for field in _fields(row, form):
            labels[f"{_name_of(row)}{OF_ROW}{field.name}"] = f"{row}, {form.base_fields[field.name].label}"  # type: ignore[attr-defined]
    return labels


def _name_of(row: models.Model) -> str:
    return f"{row._meta.model_name}{OF_ROW}{row.pk}"


def _fields(row: models.Model, form: type[forms.ModelForm]) -> list[Any]:
    return [row._meta.get_field(name) for name in form.base_fields]  # type: ignore[attr-defined]


def _say(row: Any, field: Any) -> str:
    if isinstance(field, models.ManyToManyField):
        return ", ".join(str(each) for each in sorted(getattr(row, field.name).all(), key=lambda each: each.pk))
    if field.choices:
        return str(getattr(row, f"get_{field.name}_display")())
    value = getattr(row, field.name)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if field.name.endswith("_minor"):
        return str(localize(value / 100)) if value % 100 else str(value // 100)
    return "" if value is None else str(localize(value))
