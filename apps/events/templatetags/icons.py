"""`{% icon "door" %}`: one of the drawings in `foyer/icons`. Part of every template without being loaded, and put into
it when the template is read: a page of thirty icons costs no more than one without."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal

from django import template
from django.contrib.staticfiles import finders
from django.template.base import Parser, TextNode, Token

register = template.Library()

SIZES = ("fact", "alone")  # 24 and 28 px, where 20 px is too small


@register.tag
def icon(parser: Parser, token: Token) -> TextNode:
    """`{% icon "list" %}` or `{% icon "list" "alone" %}`: an inline picture in the colour of the text, hidden from
    screen readers. Raises TemplateSyntaxError when there is no such drawing or size."""
    name, *size = [part.strip("\"'") for part in token.split_contents()[1:]] or [""]
    if not name:
        raise template.TemplateSyntaxError("An icon names its drawing.")
    if len(size) > 1 or set(size) - set(SIZES):
        raise template.TemplateSyntaxError(f"An icon has one size of {', '.join(SIZES)}, not {' '.join(size)}.")
    return TextNode(picture(name, *size))


@cache
def picture(name: str, size: Literal["", "fact", "alone"] = "") -> str:
    """The drawing as HTML."""
    found = re.fullmatch(r"[a-z0-9-]+", name) and finders.find(f"foyer/icons/{name}.svg")
    if not found:
        raise template.TemplateSyntaxError(f"There is no icon {name} among the static files in foyer/icons.")
    drawing = re.sub(r"</?svg[^>]*>", "", Path(found).read_text(encoding="utf-8")).strip()
    look = f"icon icon--{size}" if size else "icon"
    return f'<svg class="{look}" viewBox="0 0 256 256" aria-hidden="true">{drawing}</svg>'
