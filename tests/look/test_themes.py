"""The colours: every theme names the same ones, both ways into a mode agree, every pair can be read, and a theme that
does otherwise is told so in a sentence."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from apps.events import themes
from apps.events.accent import contrast

ROOT = Path(__file__).resolve().parents[2]

# What LOOK measured: default light, default dark, exchange dark, exchange light.
MEASURED = {
    ("ink", "canvas"): (16.12, 16.88, 12.21, 15.92),
    ("ink", "surface"): (17.59, 15.15, 15.61, 17.66),
    ("ink", "sunken"): (14.57, 17.61, 13.86, 14.26),
    ("muted", "canvas"): (6.81, 9.02, 7.89, 6.66),
    ("muted", "surface"): (7.43, 8.10, 10.08, 7.39),
    ("muted", "sunken"): (6.16, 9.41, 8.95, 5.96),
    ("accent", "canvas"): (6.90, 8.56, 8.74, 12.46),
    ("accent", "surface"): (7.53, 7.68, 11.16, 13.82),
    ("on-accent", "accent"): (7.53, 8.05, 11.16, 12.21),
    ("accent-ink", "accent-soft"): (7.82, 8.66, 9.23, 11.29),
    ("ink", "accent-soft"): (14.49, 13.21, 11.08, 14.43),
    ("on-glow", "glow"): (10.86, 10.86, 11.16, 11.16),
    ("success", "surface"): (6.94, 10.14, 11.12, 7.25),
    ("success", "success-soft"): (5.91, 7.26, 7.42, 6.09),
    ("warning", "surface"): (7.49, 11.33, 12.41, 7.70),
    ("warning", "warning-soft"): (6.59, 8.67, 8.82, 6.78),
    ("danger", "surface"): (6.79, 8.62, 9.39, 6.99),
    ("danger", "danger-soft"): (5.67, 7.25, 7.36, 5.80),
    ("info", "surface"): (7.67, 9.78, 11.25, 7.70),
    ("info", "info-soft"): (6.49, 7.61, 6.89, 6.48),
    ("outline", "canvas"): (3.90, 4.88, 4.59, 3.15),
    ("outline", "surface"): (4.25, 4.38, 5.87, 3.50),
    ("focus", "canvas"): (7.29, 11.67, 8.74, 6.19),
    ("focus", "surface"): (7.95, 10.47, 11.16, 6.86),
}
COLUMNS = (("default", "light"), ("default", "dark"), ("exchange", "dark"), ("exchange", "light"))


@pytest.mark.parametrize(("at", "theme", "mode"), [(at, *column) for at, column in enumerate(COLUMNS)])
def test_pairs_measure_what_the_table_says(at: int, theme: str, mode: str) -> None:
    colours = themes.read(ROOT / "themes" / theme).palettes[mode]

    measured = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in MEASURED}

    assert measured == pytest.approx({pair: row[at] for pair, row in MEASURED.items()}, abs=0.011)


MIDSUMMER = ROOT / "docs/examples/midsummer-theme/src/midsummer"


def test_themes_name_the_same_colours() -> None:
    read = [themes.read(folder) for folder in (ROOT / "themes/default", ROOT / "themes/exchange", MIDSUMMER)]

    assert [theme.slug for theme in read] == ["default", "exchange", "midsummer"]
    assert {len(theme.palettes[mode]) for theme in read for mode in themes.MODES} == {28}


# What somebody did to a theme: the file, what stood there, what stands there now, and what they are told.
BROKEN = {
    "no_toml": ("theme.toml", None, "", "theme.toml is missing or is no text in UTF-8."),
    "no_css": ("theme.css", None, "", "theme.css is missing or is no text in UTF-8."),
    "bad_toml": (
        "theme.toml", 'name = "', "name = ", "theme.toml cannot be read: Invalid value (at line 2, column 8).",
    ),
    "no_name": (
        "theme.toml", '"midsummer"', '"Mid Summer"',
        'theme.toml needs a name of small letters, digits and hyphens, such as name = "midsummer".',
    ),
    "one_language": (
        "theme.toml", "en =", "de =", 'theme.toml needs a title in both languages: title = { sv = "…", en = "…" }.',
    ),
    "bad_paper": (
        "theme.toml", '"#14261B"', '"black"',
        "theme.toml has a colour under [paper] that is not written as #RRGGBB.",
    ),
    "missing": ("theme.css", "  --color-muted: #4A5F51;\n", "", "theme.css lacks muted in light."),
    "no_hex": ("theme.css", "#4A5F51", "gray", "theme.css writes --color-muted as GRAY; write it as #RRGGBB."),
    "too_low": ("theme.css", "#4A5F51", "#7A8F81", "muted on canvas reaches 3.22:1 in light; it needs 4.5:1."),
    "edge": ("theme.css", "#6C8A75", "#A6BFAE", "outline on canvas reaches 1.83:1 in light; it needs 3:1."),
    "more_than_colours": (
        "theme.css", "  color-scheme: light;", "  color-scheme: light; font-size: 9px;",
        "theme.css sets font-size; a theme sets custom properties and color-scheme only.",
    ),
    "a_component": (
        "theme.css", "/* Light", ".button { --color-ink: #000000; }\n/* Light",
        'theme.css has a rule for .button; a theme writes :root[data-theme="midsummer"], by mode if need be.',
    ),
    "an_import": ("theme.css", "/* Light", '@import "x.css";\n/* Light', 'theme.css has a rule for @import "x.css"; '
        ':root[data-theme="midsummer"]; a theme writes :root[data-theme="midsummer"], by mode if need be.'),
    "no_choice": (
        "theme.css", '[data-mode="dark"]', '[data-mode="night"]',
        "theme.css does not give a visitor who chooses dark the same dark colours everywhere.",
    ),
    "mixed": (
        "theme.css", "    --color-info: #92CBF7;", "    --color-info: #92CBF8;",
        "theme.css mixes its modes for a visitor who has chosen none, on a dark device.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_theme_says_what_to_mend(name: str, tmp_path: Path) -> None:
    file, old, new, sentence = BROKEN[name]
    folder = Path(shutil.copytree(MIDSUMMER, tmp_path / "midsummer"))
    if old is None:
        (folder / file).unlink()
    else:
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(themes.Broken) as broken:
        themes.read(folder)

    assert str(broken.value) == sentence


DOOR = {
    "admitted": ("#0B6B3A", "#FFFFFF", 6.61),
    "look": ("#FFC400", "#1F1330", 11.01),
    "stop": ("#B00020", "#FFFFFF", 7.33),
}
PANELS = {"admitted": 9.18, "look": 8.74, "stop": 10.11}


@pytest.mark.parametrize("verdict", DOOR)
def test_door_verdict_can_be_read(verdict: str) -> None:
    css = (ROOT / "site/static/foyer/css/door.css").read_text(encoding="utf-8")
    ground, ink, ratio = DOOR[verdict]
    rule = re.search(rf"\.door--{verdict} {{([^}}]*)}}", css)
    assert rule is not None
    values = dict(re.findall(r"--door-(\w+): (#\w{6});", rule[1]))

    assert values["ground"] == ground
    assert contrast(ground, ink) == pytest.approx(ratio, abs=0.01)
    assert contrast(values["panel"], ink) == pytest.approx(PANELS[verdict], abs=0.75)
