"""The colours: every theme names the same ones, both ways into a mode agree, and every pair can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from apps.events.accent import contrast

ROOT = Path(__file__).resolve().parents[2]

# Text needs 4.5, the edge of a control and the focus ring 3.
TEXT_PAIRS = (
    ("ink", "canvas"), ("ink", "surface"), ("ink", "sunken"),
    ("muted", "canvas"), ("muted", "surface"), ("muted", "sunken"),
    ("accent", "canvas"), ("accent", "surface"), ("on-accent", "accent"),
    ("accent-ink", "accent-soft"), ("ink", "accent-soft"), ("on-glow", "glow"),
    ("success", "surface"), ("success", "success-soft"), ("warning", "surface"), ("warning", "warning-soft"),
    ("danger", "surface"), ("danger", "danger-soft"), ("info", "surface"), ("info", "info-soft"),
    ("ink", "success-soft"), ("ink", "warning-soft"), ("ink", "danger-soft"), ("ink", "info-soft"),
    ("on-night", "night"), ("night-muted", "night"), ("glow", "night"),
)  # fmt: skip
EDGE_PAIRS = (("outline", "canvas"), ("outline", "surface"), ("focus", "canvas"), ("focus", "surface"))

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


def rules(theme: str) -> list[tuple[str, dict[str, str]]]:
    """Every rule of a theme with its colours, in the order of the file."""
    css = (ROOT / "themes" / theme / "theme.css").read_text(encoding="utf-8")
    css = re.sub(r"/\*.*?\*/|@media[^{]*{", "", css, flags=re.DOTALL)
    return [
        (selector.strip(), dict(re.findall(r"--color-([\w-]+): (#[0-9A-F]{6});", body)))
        for selector, body in re.findall(r"([^{}]+){([^{}]*)}", css)
    ]


def palette(theme: str, mode: str) -> dict[str, str]:
    """The colours in force: the first rule, and over it the one that names the mode."""
    (_base, born), *others = rules(theme)
    return born | next((colours for selector, colours in others if selector.endswith(f'[data-mode="{mode}"]')), {})


@pytest.mark.parametrize(("theme", "mode"), COLUMNS)
def test_every_pair_reaches_its_contrast(theme: str, mode: str) -> None:
    colours = palette(theme, mode)

    too_low = {
        (one, other): round(contrast(colours[one], colours[other]), 2)
        for pairs, needed in ((TEXT_PAIRS, 4.5), (EDGE_PAIRS, 3.0))
        for one, other in pairs
        if contrast(colours[one], colours[other]) < needed
    }

    assert too_low == {}


@pytest.mark.parametrize(("at", "theme", "mode"), [(at, *column) for at, column in enumerate(COLUMNS)])
def test_pairs_measure_what_the_table_says(at: int, theme: str, mode: str) -> None:
    colours = palette(theme, mode)

    measured = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in MEASURED}

    assert measured == pytest.approx({pair: row[at] for pair, row in MEASURED.items()}, abs=0.011)


@pytest.mark.parametrize("theme", ["default", "exchange"])
def test_device_and_visitor_get_the_same_colours(theme: str) -> None:
    first, by_device, by_visitor = (colours for _selector, colours in rules(theme))

    assert by_device == by_visitor
    assert set(by_device) < set(first)


def test_themes_name_the_same_colours() -> None:
    named = {theme: set(rules(theme)[0][1]) for theme in ("default", "exchange")}

    assert named["default"] == named["exchange"]
    assert len(named["default"]) == 28


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
