"""Render the style guide and the sample pages as plain HTML, without the site, its database or its settings.

    .venv/bin/python tests/look/render.py var/look

Serve the repository's parts beside it (tests/look/serving.py) and look: every page in every theme and mode.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import django
import segno
from django.conf import settings
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.urls import path
from django.utils import translation
from django.utils.safestring import SafeString, mark_safe

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "site")]

from apps.events.posters import MOTIFS, Palette, palette_from, poster_svg  # noqa: E402

THEMES = ("default", "exchange")
MODES = ("light", "dark")
PAGES = {
    "index": "sv",
    "event": "sv",
    "home": "sv",
    "queue": "sv",
    "checkout": "sv",
    "order_reserved": "en",
    "order_paid": "sv",
    "ticket": "sv",
}
VERDICTS = ("", "camera", "admitted", "look", "stop")
WAYS = {
    "sv": ("Evenemang", "Andrahand", "Mina sidor", "Logga in", "Hjälp och kontakt", "Tillgänglighet", "Köpvillkor"),
    "en": ("Events", "Second hand", "My pages", "Sign in", "Help and contact", "Accessibility", "Terms of purchase"),
}
PRIVACY = {"sv": "Personuppgifter", "en": "Privacy"}

urlpatterns = [path("i18n/setlang/", lambda request: None, name="set_language")]  # type: ignore[arg-type,return-value]


def start() -> None:
    """Configure Django's templates alone: the components, static addresses and translations, no database."""
    settings.configure(
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": [ROOT / "site" / "templates"],
                "OPTIONS": {
                    "builtins": ["apps.events.templatetags.icons"],
                    "libraries": {"once": "config.once"},
                    "context_processors": ["django.template.context_processors.request"],
                    "string_if_invalid": "",
                },
            }
        ],
        INSTALLED_APPS=["django.contrib.staticfiles"],
        STATIC_URL="/static/",
        STATICFILES_DIRS=[ROOT / "site" / "static"],
        ROOT_URLCONF=__name__,
        LANGUAGE_CODE="en",
        LANGUAGES=[("sv", "Swedish"), ("en", "English")],
        LOCALE_PATHS=[ROOT / "site" / "locale"],
        USE_I18N=True,
        SECRET_KEY="only for looking",
    )
    django.setup()


def render_all(folder: Path) -> list[Path]:
    """Write every page in every theme and mode; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, language in PAGES.items():
        for theme in THEMES:
            for mode in MODES:
                file = folder / f"{name}-{theme}-{mode}.html"
                file.write_text(_page(name, language, theme=theme, mode=mode), encoding="utf-8")
                written.append(file)
    live = {"live_url": "/live?event=lucia", "poll_url": "/status", "fragment_url": "/part"}
    file = folder / "queue-live.html"
    file.write_text(_page("queue", "sv", theme="default", mode="light", **live), encoding="utf-8")
    written.append(file)
    with translation.override("sv"):
        for verdict in VERDICTS:
            file = folder / f"door-{verdict or 'start'}.html"
            file.write_text(render_to_string("styleguide/door.html", {"verdict": verdict}), encoding="utf-8")
            written.append(file)
    return written


def _page(name: str, language: str, *, theme: str, mode: str, **more: str) -> str:
    events, second_hand, mine, sign_in, *footer = WAYS[language]
    context: dict[str, Any] = {
        "lang": language,
        "theme": theme,
        "mode": mode,
        "nav": [
            {"url": "#", "label": events, "current": name == "home"},
            {"url": "#", "label": second_hand},
            {"url": "#", "label": mine, "current": name == "ticket"},
        ],
        "account": {"url": "#", "label": sign_in},
        "language_url": "#",
        "footer_links": [{"url": "#", "label": label} for label in (*footer, PRIVACY[language])],
        "qr": _qr(),
        "posters": {"lucia": mark_safe(poster_svg("lucia", palette_from("#1B1033"), "arches"))},
        "motifs": [
            {"name": name, "svg": _poster(name, palette)} for name, palette in zip(MOTIFS, _palettes(), strict=True)
        ],
        "december": _events()[:3],
        "january": _events()[3:],
        **more,
    }
    with translation.override(language):
        return render_to_string(f"styleguide/{name}.html", context, RequestFactory().get("/"))


def _palettes() -> list[Palette]:
    brands = ("#1B1033", "#16437A", "#D9480F", "#D9CBF2", "#FFC145", "#FFB199", "#C01F3F")
    return [palette_from(brand) for brand in brands]


def _poster(motif: str, palette: Palette) -> SafeString:
    return mark_safe(poster_svg(f"sample-{motif}", palette, motif))


def _qr() -> SafeString:
    code = segno.make("FOYER:SAMPLE:0123456789:ABCDEFGHIJKLMNOPQRSTUVWXYZ:0123456789:ABCDEFGHIJKL", error="m")
    return mark_safe(code.svg_inline(border=0, omitsize=True))


def _events() -> list[SimpleNamespace]:
    rows = (
        ("Spexpremiär: Den glömda garderoben", "lör 5 dec", "Spexlaget Kulissen", "warning", "Få kvar", "från 140 kr",
         "#C01F3F", "curtain"),
        ("Istappar och ackord", "ons 16 dec", "Vokalensemblen Istappen", "success", "Till salu", "80 kr",
         "#16437A", "bars"),
        ("Glöggmingel med stjärngossar", "fre 18 dec", "Festföreningen Lyktan", "success", "Anmälan öppen", "Gratis",
         "#D9480F", "star"),
        ("Vinterbalen", "lör 23 jan", "Balkommittén Kristallen", "info", "Öppnar 1 dec 12.00", "från 595 kr",
         "#0F4636", "arches"),
        ("Brädspelskväll med turneringsfinal", "fre 29 jan", "Spelklubben Sexsidan", "success", "Till salu", "30 kr",
         "#FFC145", "dice"),
        ("Fjällveckan", "lör 6 feb", "Skidgänget Plogen", "danger", "Slutsålt · väntelista", "från 2 890 kr",
         "#FFB199", "hills"),
        ("Halvtaktsbalen", "lör 13 feb", "Dansklubben Halvtakt", "success", "Till salu", "190 kr",
         "#D9CBF2", "quarters"),
    )  # fmt: skip
    return [
        SimpleNamespace(
            title=title,
            when=when,
            start="2026-12-05",
            by=by,
            level=level,
            state=state,
            price=price.replace(" kr", "\u00a0kr"),
            poster=mark_safe(poster_svg(title, palette_from(brand), motif)),
            takes_light_title=palette_from(brand).takes_light_title,
        )
        for title, when, by, level, state, price, brand, motif in rows
    ]


if __name__ == "__main__":
    start()
    for made in render_all(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "var" / "look")):
        print(made)
