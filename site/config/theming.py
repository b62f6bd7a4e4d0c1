"""Templates in the clothes of an organisation's theme.

A page knows its organisation when it is rendered, not when its template is looked up. So a template looks at what it is
rendered with: where the organisation of the context wears a theme with templates of its own, the same name is looked up
again in an engine that has these before ours, and all that it extends and includes with it. Whatever goes wrong there,
be it a typing error or a missing file, is logged, and the visitor gets our template.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from django.template import engines
from django.template.backends.django import DjangoTemplates, Template

logger = logging.getLogger(__name__)


class ThemedTemplates(DjangoTemplates):
    """Django's own templates, dressed by the theme of the context's `organisation` or by its `theme`."""

    def __init__(self, params: dict[str, Any]) -> None:
        self._params = copy.deepcopy(params)
        self._dressed: dict[str, DjangoTemplates] = {}
        super().__init__(params)

    def get_template(self, template_name: str) -> ThemedTemplate:
        found = super().get_template(template_name)
        return ThemedTemplate(found.template, self)

    def dressed(self, slug: str) -> DjangoTemplates | None:
        """The templates of a theme before ours; None for a theme that brings none."""
        theme = settings.THEMES.get(slug)
        if theme is None or theme.templates is None:
            return None
        if slug not in self._dressed:
            params = copy.deepcopy(self._params)
            params |= {"NAME": f"theme-{slug}", "DIRS": [theme.templates, *params["DIRS"]]}
            self._dressed[slug] = DjangoTemplates(params)
        return self._dressed[slug]


class ThemedTemplate(Template):
    """One of our templates, or a theme's in its place, which is decided when it is rendered."""

    backend: ThemedTemplates

    def render(self, context: Any = None, request: HttpRequest | None = None) -> Any:
        theirs = self.backend.dressed(_theme_of(context))
        if theirs is not None and self.template.name:
            try:
                return theirs.get_template(self.template.name).render(context, request)
            except Exception:
                logger.exception("the theme %s cannot show %s", _theme_of(context), self.template.name)
        return super().render(context, request)


def _theme_of(context: Mapping[str, Any] | None) -> str:
    organisation = context.get("organisation") if context else None
    return getattr(organisation, "theme", None) or str((context or {}).get("theme") or "")


def template_problems() -> dict[str, str]:
    """What is wrong with the templates of themes, {theme: sentence}. Ours are shown in place of one that fails."""
    problems = {}
    for slug, theme in settings.THEMES.items():
        theirs = cast(ThemedTemplates, engines["django"]).dressed(slug)
        if theirs is None or theme.templates is None:
            continue
        for file in sorted(theme.templates.rglob("*.html")):
            name = file.relative_to(theme.templates).as_posix()
            try:
                theirs.get_template(name)
            except Exception as error:
                problems[slug] = f"Its {name} cannot be read: {error}."
                break
    return problems
