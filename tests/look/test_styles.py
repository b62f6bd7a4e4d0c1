"""What the style sheets, components and icons promise each other, read from the files."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.template import Context, Template, TemplateSyntaxError

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "site" / "static" / "foyer"
TEMPLATES = ROOT / "site" / "templates"
CSS = {file.name: file.read_text(encoding="utf-8") for file in sorted((STATIC / "css").glob("*.css"))}
THEMES = {file.parent.name: file.read_text(encoding="utf-8") for file in sorted(ROOT.glob("themes/*/theme.css"))}
OURS = [*sorted(TEMPLATES.glob("components/**/*.html")), *sorted(TEMPLATES.glob("styleguide/*.html"))]
ELSEWHERE = {"site.css", "queue-page.css", "door.css", "fonts-optional.css", "styleguide.css"}
"""The sums themselves, and what only the door, the queue page and the style guide link."""


def imported(name: str) -> list[str]:
    return re.findall(r'^@import "([\w-]+\.css)"', CSS[name], re.MULTILINE)


def without_comments(css: str) -> str:
    return re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)


def test_every_style_is_part_of_the_sites_once() -> None:
    names = imported("site.css")

    assert sorted(names) == sorted(set(CSS) - ELSEWHERE)
    assert names[:3] == ["tokens.css", "fonts.css", "base.css"]
    assert names[-1] == "print.css"


def test_queue_takes_only_what_it_needs() -> None:
    names = imported("queue-page.css")

    assert set(names) - set(CSS) == set()
    assert "fonts-optional.css" in names and "fonts.css" not in names


@pytest.mark.parametrize("name", [name for name in CSS if name not in ("tokens.css", "door.css", "print.css")])
def test_component_takes_every_colour_from_the_theme(name: str) -> None:
    written = re.findall(r"#[0-9A-Fa-f]{3,8}\b|\b(?:rgb|hsl|oklch)a?\(", without_comments(CSS[name]))

    assert written == []


@pytest.mark.parametrize("name", CSS)
def test_custom_property_used_is_defined(name: str) -> None:
    shared = CSS["tokens.css"] + THEMES["default"]
    used = re.findall(r"var\((--[\w-]+)\)", CSS[name])
    defined = set(re.findall(r"(--[\w-]+):", shared + CSS[name]))

    assert sorted(set(used) - defined) == []


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_template_has_nothing_inline(file: Path) -> None:
    text = file.read_text(encoding="utf-8")

    assert re.findall(r"\sstyle=|<style|\son(?:click|change|submit|input|load|error|focus)=", text) == []
    runs = [tag for tag in re.findall(r"<script[^>]*>", text) if 'type="application/ld+json"' not in tag]
    assert [tag for tag in runs if "src=" not in tag] == []


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_class_used_has_a_style(file: Path) -> None:
    text = re.sub(r"{%.*?%}|{{.*?}}", " ", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    used = {name for value in re.findall(r'class="([^"]*)"', text) for name in value.split()}
    styled = set(re.findall(r"\.([a-zA-Z][\w-]*)", "".join(CSS.values())))
    # Names without a rule of their own: the halves of "level--{{ level }}", and plain hooks.
    halves = {name for name in used if name.endswith("--")}

    assert sorted(used - styled - halves - {"split__main"}) == []


def test_icon_is_drawn_into_the_page_and_hidden_from_screen_readers() -> None:
    drawing = re.sub(r"</?svg[^>]*>", "", (STATIC / "icons" / "door.svg").read_text(encoding="utf-8")).strip()

    small, large = Template('{% icon "door" %}'), Template('{% icon "door" "alone" %}')

    assert small.render(Context()) == f'<svg class="icon" viewBox="0 0 256 256" aria-hidden="true">{drawing}</svg>'
    assert large.render(Context()).startswith('<svg class="icon icon--alone"')


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('{% icon "unicorn" %}', "There is no icon unicorn"),
        ('{% icon "door" "huge" %}', "one size of fact, alone, not huge"),
        ('{% icon "door" "fact" "alone" %}', "one size of fact, alone, not fact alone"),
        ('{% icon "../door" %}', "There is no icon ../door"),
        ("{% icon %}", "names its drawing"),
    ],
)
def test_icon_that_is_not_there_is_named_when_the_template_is_read(written: str, said: str) -> None:
    with pytest.raises(TemplateSyntaxError, match=re.escape(said)):
        Template(written)


def test_scripts_together_stay_below_60_kilobytes() -> None:
    packed = sum(len(gzip.compress(file.read_bytes(), 9)) for file in (STATIC / "js").glob("*.js"))

    assert packed < 60_000


def test_fonts_lie_beside_their_licences() -> None:
    sizes = {file.name: file.stat().st_size for file in (STATIC / "fonts").glob("*.woff2")}

    assert sizes["bricolage-grotesque-800-condensed-latin.woff2"] < 18_500
    assert sizes["schibsted-grotesk-400-700-latin.woff2"] < 35_500
    for family in ("bricolage-grotesque", "schibsted-grotesk"):
        assert "SIL Open Font License" in (STATIC / "fonts" / f"LICENSE-{family}").read_text(encoding="utf-8")
    assert set(re.findall(r"fonts/([\w-]+\.woff2)", CSS["fonts.css"])) == set(sizes)
    assert CSS["fonts.css"].count("font-display: swap") == 4
    assert CSS["fonts-optional.css"].count("font-display: optional") == 2
