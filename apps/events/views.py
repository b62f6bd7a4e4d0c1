"""What events serve beside pages: the style sheet of an organisation's accent."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.events import accent

A_DAY = 24 * 60 * 60
A_YEAR = 365 * A_DAY


@lru_cache(maxsize=256)
def _stylesheet(colour: str, slug: str) -> str:
    theme = settings.THEMES[slug]
    return accent.stylesheet(accent.derive(f"#{colour}", theme.grounds("light"), theme.grounds("dark")), theme.rules)


def accent_css(request: HttpRequest, colour: str) -> HttpResponse:
    """The colours derived from one brand colour, `0b3d91`, on a theme's grounds, `0b3d91-exchange`. The address says
    all but the theme's own values, which change with a release: kept for a day."""
    brand, _hyphen, theme = colour.partition("-")
    worn = theme if theme in settings.THEMES else "default"
    response = HttpResponse(_stylesheet(brand.upper(), worn), content_type="text/css; charset=utf-8")
    kept = f"{A_YEAR}, immutable" if worn == "default" else A_DAY
    response["Cache-Control"] = f"public, max-age={kept}"
    return response
