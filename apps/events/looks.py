"""What stands around every page: theme, accent and the links at its foot."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.urls import reverse
from wagtail.models import Page, Site

from apps.accounts.kept import Kept
from apps.events import legal, page_cache
from apps.events.models import Organisation, PlainPage
from apps.events.translated import active_language


@dataclass(frozen=True)
class Look:
    """A theme's slug and the address of the organisation's accent, empty when it has none."""

    theme: str
    accent_css: str


def look_of(organisation: Organisation | None, theme: str) -> Look:
    """The look of an organisation's pages, or of the house's own. A theme that is gone falls back to the default."""
    wanted = organisation.theme if organisation else theme
    colour = organisation.accent_colour if organisation else ""
    return Look(
        theme=wanted if wanted in themes() else "default",
        accent_css=reverse("events:accent", args=[colour.lstrip("#").lower()]) if colour else "",
    )


@lru_cache(maxsize=1)
def themes() -> dict[str, dict[str, str]]:
    """{slug: {language: title}} of the installed themes, read from the folders that settings serve under `themes/`."""
    found = {}
    for entry in settings.STATICFILES_DIRS:
        if isinstance(entry, tuple) and entry[0].startswith("themes/"):
            facts = tomllib.loads((Path(entry[1]) / "theme.toml").read_text(encoding="utf-8"))
            found[entry[0].removeprefix("themes/")] = facts["title"]
    return found


def footer_links(organisation: Organisation | None = None) -> list[dict[str, Any]]:
    """The site's plain pages that are shown in menus, in the reader's language, and the terms and notices: of the
    organisation whose page it is, else of the house. At most half a second old; asked of the database once a minute."""
    return kept_links((active_language(), organisation.slug if organisation is not None else ""))


def _footer_links(whose: tuple[str, str]) -> list[dict[str, Any]]:
    language, slug = whose
    key = f"{page_cache.generation()}:footer:{language}"
    links = cache.get(key)
    if links is None:
        links = _read_footer_links()
        cache.set(key, links, page_cache.SECONDS)
    texts = [{"url": legal.address(slug, kind), "label": str(kind.label)} for kind in legal.KINDS_AT_THE_FOOT]
    return [*links, *texts]


kept_links: Kept[tuple[str, str], list[dict[str, Any]]] = Kept(_footer_links, seconds=page_cache.LOOK_SECONDS)


def _read_footer_links() -> list[dict[str, Any]]:
    site = Site.objects.select_related("root_page").filter(is_default_site=True).first()
    if site is None:
        return []
    home: Page = site.root_page.localized
    pages = PlainPage.objects.child_of(home).live().in_menu().public()
    return [{"url": page.url, "label": page.title} for page in pages]
