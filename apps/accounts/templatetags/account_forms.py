"""`{% form_field form.email %}`: a field of any Django form as the house draws it, with hint and error tied to it."""

from __future__ import annotations

from typing import Any

from django import template
from django.forms import BoundField

register = template.Library()
TICKED = ("checkbox", "radio")


@register.inclusion_tag("accounts/field.html")
def form_field(field: BoundField) -> dict[str, Any]:
    """Label, control, hint and error. Django's own attributes say which hint and error belong to the control."""
    widget = field.field.widget
    widget.attrs.pop("placeholder", None)  # allauth repeats the label there
    kind = getattr(widget, "input_type", "text")
    shape = "check__input" if kind in TICKED else "field__input"
    return {
        "field": field,
        "kind": "list" if kind == "radio" else kind,
        "control": field.as_widget(attrs={"class": shape}),
        "optional": not field.field.required,
    }
