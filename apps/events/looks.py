"""What stands around every page: theme, accent and the links at its foot."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.templatetags.static import static
from django.urls import reverse
from wagtail.models import Page, Site

from apps.accounts.kept import Kept
from apps.events import accent, legal, page_cache
from apps.events.models import Organisation, PlainPage
from apps.events.translated import active_language


@dataclass(frozen=True)
class Look:
    """A theme's slug and the address of the organisation's accent, empty when it has none."""

    theme: str
    accent_css: str


def look_of(organisation: Organisation | None, theme: str) -> Look:
    """The look of an organisation's pages, or of the house's own. A theme that is gone falls back to the default."""
    worn = worn_by(organisation, theme)
    colour = organisation.accent_colour if organisation else ""
    named = colour.lstrip("#").lower() + ("" if worn == "default" else f"-{worn}")
    return Look(theme=worn, accent_css=reverse("events:accent", args=[named]) if colour else "")


def worn_by(organisation: Organisation | None, theme: str = "") -> str:
    """The slug of the theme that is worn: the organisation's or the one named, and the default where it is gone."""
    wanted = organisation.theme if organisation else theme
    return wanted if wanted in settings.THEMES and _is_served(wanted) else "default"


def poster_ground(organisation: Organisation) -> str:
    """What the organisation's drawn posters stand on, wherever they are shown: its colour, else the night of its theme,
    which is also the ground of the page around it."""
    return organisation.accent_colour or settings.THEMES[worn_by(organisation)].palettes["light"]["night"]


@lru_cache(maxsize=64)
def _is_served(theme: str) -> bool:
    """Whether the theme's file is among those that are sent: not before `collectstatic` ran after its installation."""
    try:
        static(f"themes/{theme}/theme.css")
    except ValueError:
        return False
    return True


def themes() -> dict[str, dict[str, str]]:
    """{slug: {language: title}} of the themes that can be worn."""
    return {slug: theme.title for slug, theme in settings.THEMES.items()}


_derived = lru_cache(maxsize=256)(accent.derive)


def accent_of(colour: str, theme: str) -> accent.Accent:
    """What one brand colour becomes on the grounds of a theme. Raises NotAColour."""
    worn = settings.THEMES[theme]
    return _derived(accent.normal(colour), worn.grounds("light"), worn.grounds("dark"))


def faint_accent(organisation: Organisation) -> float | None:
    """The contrast that the organisation's accent reaches on the grounds of its theme, where that is too little to read
    (below 4.5 in light or dark); None when all is well or it has no colour of its own."""
    if not organisation.accent_colour:
        return None
    worn = worn_by(organisation)
    theme, shades = settings.THEMES[worn], accent_of(organisation.accent_colour, worn)
    reached = [accent.contrast(shades.light.accent, ground) for ground in theme.grounds("light")]
    reached += [accent.contrast(shades.dark.accent, ground) for ground in theme.grounds("dark")]
    return min(reached) if min(reached) < accent.READABLE else None


@dataclass(frozen=True)
class Sample:
    """What an organisation's colour becomes in one mode of its theme, and on what it lies."""

    mode: str  # light or dark
    canvas: str
    surface: str
    shade: accent.Shade
    is_moved: bool  # lighter or darker than the colour itself, which could not be read there


def samples(organisation: Organisation) -> list[Sample]:
    """For the eyes of whoever chooses the colour; none while there is none, or what is written is no colour."""
    try:
        colour = accent.normal(organisation.accent_colour)
    except accent.NotAColour:
        return []
    worn = worn_by(organisation)
    theme, derived = settings.THEMES[worn], accent_of(colour, worn)
    shades = {"light": derived.light, "dark": derived.dark}
    return [
        Sample(mode, *theme.grounds(mode), shade, is_moved=shade.accent != derived.brand)
        for mode, shade in shades.items()
    ]


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
