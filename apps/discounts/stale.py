"""Two editors in one form: whoever saves second is told what the first has changed, and loses nothing they wrote.

The form carries what it showed, signed. When the row is another one by then, saving is refused once, with each
difference in words; the form that comes back carries the row as it is now, so that saving again means it.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.core import signing
from django.db import models
from django.utils.formats import localize
from django.utils.translation import gettext as _

SALT = "discounts.form"


class OpenedForm:
    """A model form that knows what it showed when it was opened. Mix in before the form's base."""

    opened_name = "opened"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.shown_now = shown(self.instance) if self.instance.pk else {}  # type: ignore[attr-defined]
        self.fields[self.opened_name] = forms.CharField(  # type: ignore[attr-defined]
            required=False, widget=forms.HiddenInput, initial=signing.dumps(self.shown_now, salt=SALT)
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()  # type: ignore[misc]
        changes = self._changed_meanwhile(cleaned.get(self.opened_name, ""))
        if changes:
            self.data = self.data.copy()  # type: ignore[has-type]
            self.data[self.add_prefix(self.opened_name)] = signing.dumps(self.shown_now, salt=SALT)  # type: ignore[attr-defined]
            self.add_error(  # type: ignore[attr-defined]
                None,
                _(
                    "Somebody else has changed this since you opened it: %(changes)s. Nothing was saved, and what you"
                    " wrote is still here. Save again to have it your way."
                )
                % {"changes": "; ".join(changes)},
            )
        return cleaned

    def _changed_meanwhile(self, opened: str) -> list[str]:
        if not self.shown_now:
            return []
        try:
            before = signing.loads(opened, salt=SALT)
        except signing.BadSignature:
            return []  # a form of another kind, or none: nothing to compare with
        meta = self.instance._meta  # type: ignore[attr-defined]
        return [
            _("%(what)s: from “%(before)s” to “%(now)s”")
            % {"what": meta.get_field(name).verbose_name, "before": before.get(name, ""), "now": now}
            for name, now in self.shown_now.items()
            if before.get(name, "") != now
        ]


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
