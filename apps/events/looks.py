"""What stands around every page: theme, accent and the links at its foot."""

from __future__ import annotations

import re
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
from apps.events import accent, page_cache
from apps.events.models import Organisation, PlainPage
from apps.events.translated import active_language

GROUND = re.compile(r"--color-(?:canvas|surface):\s*(#[0-9A-Fa-f]{6})")


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


def faint_accent(organisation: Organisation) -> float | None:
    """The contrast that the organisation's accent reaches on the grounds of its theme, where that is too little to read
    (below 4.5 in light or dark); None when all is well or it has no colour of its own."""
    if not organisation.accent_colour:
        return None
    shades = accent.derive(organisation.accent_colour)
    lowest = accent.READABLE
    for ground in grounds(look_of(organisation, "").theme):
        is_light = accent.contrast(accent.BLACK, ground) > accent.contrast(accent.WHITE, ground)
        shade = shades.light if is_light else shades.dark
        lowest = min(lowest, accent.contrast(shade.accent, ground))
    return lowest if lowest < accent.READABLE else None


@lru_cache(maxsize=32)
def grounds(theme: str) -> frozenset[str]:
    """The colours on which a theme sets text: its canvas and surface, in light and in dark."""
    folders = dict(entry for entry in settings.STATICFILES_DIRS if isinstance(entry, tuple))
    return frozenset(GROUND.findall((Path(folders[f"themes/{theme}"]) / "theme.css").read_text(encoding="utf-8")))


def footer_links() -> list[dict[str, Any]]:
    """The site's plain pages that are shown in menus, in the reader's language. At most half a second old; asked of the
    database once a minute."""
    return kept_links(active_language())


def _footer_links(language: str) -> list[dict[str, Any]]:
    key = f"{page_cache.generation()}:footer:{language}"
    links = cache.get(key)
    if links is None:
        links = _read_footer_links()
        cache.set(key, links, page_cache.SECONDS)
    return links


kept_links: Kept[str, list[dict[str, Any]]] = Kept(_footer_links, seconds=page_cache.LOOK_SECONDS)


def _read_footer_links() -> list[dict[str, Any]]:
    site = Site.objects.select_related("root_page").filter(is_default_site=True).first()
    if site is None:
        return []
    home: Page = site.root_page.localized
    pages = PlainPage.objects.child_of(home).live().in_menu().public()
    return [{"url": page.url, "label": page.title} for page in pages]
