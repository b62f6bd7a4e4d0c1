"""What a theme brings to paper: its own templates before ours, and its colours for ink on white.

A theme's `theme.toml` may hold a table `[paper]` with any of the colours below; its folder `templates/` may hold
`ticketing/pdf/tickets.html`, `ticket.html` or `tickets.css`, which then replace ours for the organisations that chose
the theme, and for no others. Templates that fail are passed over: the ticket is then printed by ours.
"""

from __future__ import annotations

import logging
import tomllib
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template.backends.django import DjangoTemplates

from apps.events.accent import normal

log = logging.getLogger(__name__)

PDF = "ticketing/pdf"


@dataclass(frozen=True)
class Paper:
    """A theme's colours on white paper, and of the night a drawn poster stands on. Each as `#RRGGBB`."""

    ink: str = "#1F1330"
    muted: str = "#5B5070"
    line: str = "#DAD2E0"
    outline: str = "#82768F"
    night: str = "#1B1033"
    on_night: str = "#FFFFFF"


@dataclass(frozen=True)
class Theme:
    """A theme as documents see it."""

    slug: str
    paper: Paper
    templates: DjangoTemplates = field(compare=False)
    brings_templates: bool = False


@lru_cache(maxsize=32)
def theme_of(slug: str) -> Theme:
    """The theme of this name, or the default one when it is gone. Read once per process. Raises NotAColour."""
    folders = {
        entry[0].removeprefix("themes/"): Path(entry[1])
        for entry in settings.STATICFILES_DIRS
        if isinstance(entry, tuple) and entry[0].startswith("themes/")
    }
    folder = folders.get(slug) or folders["default"]
    facts = tomllib.loads((folder / "theme.toml").read_text(encoding="utf-8"))
    known = {one.name for one in fields(Paper)}
    paper = Paper(**{name: normal(colour) for name, colour in facts.get("paper", {}).items() if name in known})
    templates = DjangoTemplates(
        {"NAME": f"paper-{slug}", "DIRS": [folder / "templates"], "APP_DIRS": True, "OPTIONS": {}}
    )
    return Theme(slug, paper, templates, brings_templates=(folder / "templates" / PDF).is_dir())


@lru_cache(maxsize=1)
def _ours() -> DjangoTemplates:
    return DjangoTemplates({"NAME": "paper-ours", "DIRS": [], "APP_DIRS": True, "OPTIONS": {}})


def plain(theme: Theme) -> Theme:
    """The theme in its colours, by our templates."""
    return replace(theme, templates=_ours(), brings_templates=False)


def write(theme: Theme, context: dict[str, Any], colours: dict[str, Any]) -> tuple[str, str]:
    """The pages as HTML and CSS, by the theme's templates. Where those cannot be read or shown, that is logged, and the
    pages are written by ours."""
    try:
        return (
            str(theme.templates.get_template(f"{PDF}/tickets.html").render(context)).strip(),
            str(theme.templates.get_template(f"{PDF}/tickets.css").render(colours)),
        )
    except Exception:
        if not theme.brings_templates:
            raise
        log.exception("the theme %s cannot write a PDF ticket; ours is made", theme.slug)
        return write(plain(theme), context, colours)
