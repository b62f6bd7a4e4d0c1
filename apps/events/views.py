"""What events serve beside pages: the style sheet of an organisation's accent."""

from __future__ import annotations

from functools import lru_cache

from django.http import HttpRequest, HttpResponse

from apps.events import accent

A_YEAR = 365 * 24 * 60 * 60


@lru_cache(maxsize=256)
def _stylesheet(colour: str) -> str:
    return accent.stylesheet(accent.derive(f"#{colour}"))


def accent_css(request: HttpRequest, colour: str) -> HttpResponse:
    """The colours derived from one brand colour. The address names the colour, so the answer never changes."""
    response = HttpResponse(_stylesheet(colour.upper()), content_type="text/css; charset=utf-8")
    response["Cache-Control"] = f"public, max-age={A_YEAR}, immutable"
    return response
