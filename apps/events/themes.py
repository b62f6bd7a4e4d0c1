"""A theme, read from its folder and judged before anybody wears it.

A theme is `theme.toml` (name, title), `theme.css` (custom properties for light and for dark) and, if it likes,
`templates/` whose files replace ours by path. `read` accepts one only when all of it holds: every colour is there in
each mode, and whatever is written on something can be read. One that does not is set aside with a sentence, and its
organisations wear the house's own theme meanwhile. Settings read this while they are being made: no Django here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.events.accent import READABLE, contrast

LANGUAGES = ("sv", "en")
MODES = ("light", "dark")
EDGE = 3.0
"""The contrast of a control's edge and of the focus ring (WCAG 2.2, AA)."""

# What is written on what, and what stands out from what: (front, ground, least contrast).
PAIRS = (
    *((front, ground, READABLE) for front in ("ink", "muted") for ground in ("canvas", "surface", "sunken")),
    *(("accent", ground, READABLE) for ground in ("canvas", "surface")),
    ("on-accent", "accent", READABLE), ("accent-ink", "accent-soft", READABLE), ("ink", "accent-soft", READABLE),
    ("on-glow", "glow", READABLE), ("glow", "night", READABLE),
    ("on-night", "night", READABLE), ("night-muted", "night", READABLE),
    *(
        pair
        for level in ("success", "warning", "danger", "info")
        for pair in (
            (level, "surface", READABLE), (level, f"{level}-soft", READABLE), ("ink", f"{level}-soft", READABLE),
        )
    ),
    *((front, ground, EDGE) for front in ("outline", "focus") for ground in ("canvas", "surface")),
)  # fmt: skip
COLOURS = tuple(sorted({name for front, ground, _least in PAIRS for name in (front, ground)} | {
    "line", "night-line", "flame", "flame-core",
}))  # fmt: skip

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_FONT_FACE = re.compile(r"@font-face\s*{[^{}]*}")
_MEDIA = re.compile(r"@media\s*\(prefers-color-scheme:\s*(light|dark)\)\s*{((?:[^{}]*{[^{}]*})*)\s*}")
_RULE = re.compile(r"([^{}]+){([^{}]*)}")
_DECLARATION = re.compile(r"([\w-]+)\s*:\s*([^;]+);")
_HEX = re.compile(r"#[0-9A-Fa-f]{6}")


class Broken(Exception):
    """The theme cannot be worn; the message says why, in a sentence."""


@dataclass(frozen=True)
class Rule:
    """One rule of `theme.css`: on which device (None for any), for which page, and what it sets."""

    device: str | None
    selector: str
    values: dict[str, str]

    def holds(self, slug: str, *, device: str, chosen: str | None) -> bool:
        """Whether it holds on a device for a visitor who chose `light`, `dark`, `auto` or nothing."""
        page = {"theme": slug, "mode": chosen}
        rest = self.selector.removeprefix(":root")
        wanted = re.findall(r'(:not\()?\[data-(theme|mode)="([\w-]+)"\]\)?', rest)
        return self.device in (None, device) and all((page[name] == value) != bool(no) for no, name, value in wanted)


@dataclass(frozen=True)
class Theme:
    """A theme that holds. `palettes` is {mode: {colour's name: `#RRGGBB`}}."""

    slug: str
    title: dict[str, str]  # by language
    folder: Path
    rules: tuple[Rule, ...]
    palettes: dict[str, dict[str, str]]

    @property
    def templates(self) -> Path | None:
        """Its own templates, if it has any."""
        folder = self.folder / "templates"
        return folder if folder.is_dir() else None

    def grounds(self, mode: str) -> tuple[str, str]:
        """What the accent must be read on."""
        return self.palettes[mode]["canvas"], self.palettes[mode]["surface"]


def read(folder: Path) -> Theme:
    """The theme in a folder. Raises Broken with what to mend."""
    facts = _facts(folder)
    slug, title = facts["name"], facts["title"]
    rules = tuple(_rules(_text(folder / "theme.css"), slug))
    palettes = {}
    for mode in MODES:
        seen = [_in_force(rules, slug, device=device, chosen=mode) for device in MODES]
        if seen[0] != seen[1] or seen[0].get("color-scheme") != mode:
            raise Broken(f"theme.css does not give a visitor who chooses {mode} the same {mode} colours everywhere.")
        palettes[mode] = _palette(seen[0], mode)
    for device in MODES:
        for chosen in (None, "auto"):
            values = _in_force(rules, slug, device=device, chosen=chosen)
            if _colours(values) != palettes.get(values.get("color-scheme", "")):
                raise Broken(f"theme.css mixes its modes for a visitor who has chosen none, on a {device} device.")
    return Theme(slug, title, folder, rules, palettes)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise Broken(f"{file.name} is missing or is no text in UTF-8.") from None


def _facts(folder: Path) -> dict[str, Any]:
    try:
        facts = tomllib.loads(_text(folder / "theme.toml"))
    except tomllib.TOMLDecodeError as error:
        raise Broken(f"theme.toml cannot be read: {error}.") from None
    name, title = facts.get("name"), facts.get("title")
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9-]{0,39}", name):
        raise Broken('theme.toml needs a name of small letters, digits and hyphens, such as name = "midsummer".')
    if not isinstance(title, dict) or not all(isinstance(title.get(language), str) for language in LANGUAGES):
        raise Broken('theme.toml needs a title in both languages: title = { sv = "…", en = "…" }.')
    paper = facts.get("paper", {})
    if not isinstance(paper, dict) or not all(isinstance(one, str) and _HEX.fullmatch(one) for one in paper.values()):
        raise Broken("theme.toml has a colour under [paper] that is not written as #RRGGBB.")
    return facts


def _rules(css: str, slug: str) -> Iterator[Rule]:
    css = _FONT_FACE.sub("", _COMMENT.sub("", css))
    parts = [(match.start(), match[1], match[2]) for match in _MEDIA.finditer(css)]
    rest = _MEDIA.sub(lambda match: " " * len(match[0]), css)
    if left := _RULE.sub("", rest).strip():
        raise Broken(f"theme.css has what a theme cannot bring: {' '.join(left.split())[:60]}.")
    found = [(match.start(2), None, match[0]) for match in _RULE.finditer(rest)]
    for _at, device, text in sorted([*parts, *found], key=lambda part: part[0]):
        for selector, body in _RULE.findall(text):
            yield _rule(device, " ".join(selector.split()), body, slug)


def _rule(device: str | None, selector: str, body: str, slug: str) -> Rule:
    if not re.fullmatch(r':root((:not\()?\[data-(theme|mode)="[\w-]+"\]\)?)*', selector):
        written = f':root[data-theme="{slug}"], by mode if need be'
        raise Broken(f"theme.css has a rule for {selector}; a theme writes {written}.")
    if not body.strip().endswith(";") and body.strip():
        body += ";"
    if left := _DECLARATION.sub("", body).strip():
        raise Broken(f"theme.css cannot be read at: {' '.join(left.split())[:60]}.")
    values = {name: value.strip() for name, value in _DECLARATION.findall(body)}
    strangers = [name for name in values if not name.startswith("--") and name != "color-scheme"]
    if strangers:
        raise Broken(f"theme.css sets {strangers[0]}; a theme sets custom properties and color-scheme only.")
    return Rule(device, selector, values)


def _in_force(rules: tuple[Rule, ...], slug: str, *, device: str, chosen: str | None) -> dict[str, str]:
    """The values that win: more attributes in the selector first, then the later rule."""
    holding = [rule for rule in rules if rule.holds(slug, device=device, chosen=chosen)]
    values: dict[str, str] = {}
    for rule in sorted(holding, key=lambda rule: rule.selector.count("[")):
        values |= rule.values
    return values


def _colours(values: dict[str, str]) -> dict[str, str]:
    return {name: values[f"--color-{name}"].upper() for name in COLOURS if f"--color-{name}" in values}


def _palette(values: dict[str, str], mode: str) -> dict[str, str]:
    colours = _colours(values)
    if missing := sorted(set(COLOURS) - set(colours)) or [name for name in ("--shadow-float",) if name not in values]:
        raise Broken(f"theme.css lacks {', '.join(missing)} in {mode}.")
    for name, value in colours.items():
        if not _HEX.fullmatch(value):
            raise Broken(f"theme.css writes --color-{name} as {value}; write it as #RRGGBB.")
    for front, ground, least in PAIRS:
        ratio = contrast(colours[front], colours[ground])
        if ratio < least:
            raise Broken(f"{front} on {ground} reaches {ratio:.2f}:1 in {mode}; it needs {least:g}:1.")
    return colours
