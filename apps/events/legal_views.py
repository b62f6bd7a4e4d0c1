"""The legal texts as visitors read them: as they stand now, and each earlier version at its own address."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import override
from django.views.decorators.http import require_safe

from apps.events import legal, page_cache
from apps.events.models import LegalKind, LegalVersion, Organisation
from apps.events.translated import LANGUAGES, active_language


@page_cache.kept
@require_safe
def legal_text(request: HttpRequest, kind: str, organisation: str = "", number: str = "") -> HttpResponse:
    """One text: of an organisation or of the house, as it stands now or as it stood in version `number`."""
    whose = get_object_or_404(Organisation, slug=organisation) if organisation else None
    newest = legal.standing(whose, kind)
    version = newest if not number else get_object_or_404(legal.versions(whose, kind), number=int(number))
    response = render(request, "events/legal_text.html", context_of(whose, version, newest, is_dated=bool(number)))
    return page_cache.mark(response)


def context_of(
    whose: Organisation | None, version: LegalVersion, newest: LegalVersion, *, is_dated: bool = False
) -> dict[str, Any]:
    """What the page of a text shows. `is_dated`: it was asked for by its number."""
    slug = whose.slug if whose else ""
    with override(LANGUAGES[1 - LANGUAGES.index(active_language())]):
        language_url = legal.address(slug, version.kind, version.number if is_dated else None)
    return {
        "organisation": whose,
        "kind": LegalKind(version.kind),
        "version": version,
        "wording": legal.Wording(version.text_sv, version.text_en),
        "is_old": version.number != newest.number,
        "is_dated": is_dated,
        "standing_url": legal.address(slug, version.kind),
        "versions": [
            (row, legal.address(slug, row.kind, row.number)) for row in legal.versions(whose, version.kind)[:50]
        ],
        "language_url": language_url,
    }
