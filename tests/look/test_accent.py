"""The accent of an organisation: the vectors of the look, and promises for any colour at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.events.accent import (
    DARK_GROUNDS,
    INK,
    LIGHT_GROUNDS,
    NotAColour,
    contrast,
    derive,
    from_oklch,
    normal,
    on,
    stylesheet,
    to_oklch,
)
from apps.events.themes import read

ROOT = Path(__file__).resolve().parents[2]
THEMES = {slug: read(ROOT / "themes" / slug) for slug in ("default", "exchange")}
COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06X}")


@pytest.mark.parametrize(
    ("brand", "light", "dark"),
    [
        ("#0B3D91", "#0B3D91", "#4F83DD"),
        ("#E4572E", "#CB3F10", "#E4572E"),
        ("#FF2D95", "#C63477", "#FF2D95"),
        ("#FFD400", INK, "#FFD400"),
    ],
)
def test_derive_matches_the_vectors(brand: str, light: str, dark: str) -> None:
    accent = derive(brand)

    assert (accent.light.accent, accent.dark.accent) == (light, dark)


def test_derive_measures_what_the_look_measured() -> None:
    accent = derive("#0B3D91")

    assert contrast(accent.light.accent, "#FFFFFF") == pytest.approx(10.04, abs=0.01)
    assert min(contrast(accent.dark.accent, ground) for ground in DARK_GROUNDS) == pytest.approx(4.54, abs=0.01)


def test_derive_makes_a_pale_brand_the_glow() -> None:
    accent = derive("#FFD400")

    assert (accent.light.glow, accent.light.on_glow) == ("#FFD400", INK)
    assert derive("#A5124B").light.glow is None


@given(COLOURS)
@settings(max_examples=300, deadline=None)
def test_derive_can_be_read_whatever_the_brand(brand: str) -> None:
    accent = derive(brand)

    for shade, grounds in ((accent.light, LIGHT_GROUNDS), (accent.dark, DARK_GROUNDS)):
        assert min(contrast(shade.accent, ground) for ground in grounds) >= 4.5
        assert contrast(shade.on_accent, shade.accent) >= 4.5
        assert contrast(shade.accent_ink, shade.accent_soft) >= 4.5
    assert contrast(accent.on_brand, accent.brand) >= 4.5


@given(COLOURS)
@settings(max_examples=200, deadline=None)
def test_oklch_there_and_back_is_the_same_colour(colour: str) -> None:
    assert from_oklch(*to_oklch(colour)) == colour


@pytest.mark.parametrize(("given_", "meant"), [("a5124b", "#A5124B"), (" #fc4 ", "#FFCC44"), ("#1b1033", "#1B1033")])
def test_normal_reads_what_people_write(given_: str, meant: str) -> None:
    assert normal(given_) == meant


@pytest.mark.parametrize("given_", ["", "red", "#12", "#12345", "url(x)", "#GGGGGG", "#FFFFFF;}"])
def test_derive_refuses_what_is_no_colour(given_: str) -> None:
    with pytest.raises(NotAColour) as refused:
        derive(given_)

    assert refused.value.given == given_


def test_on_takes_black_where_neither_white_nor_ink_reaches() -> None:
    assert (on("#0B3D91"), on("#FFD400"), on("#7A7A7A")) == ("#FFFFFF", INK, "#000000")


@given(COLOURS, st.sampled_from(["default", "exchange"]))
@settings(max_examples=100, deadline=None)
def test_derive_can_be_read_in_every_theme(colour: str, slug: str) -> None:
    theme = THEMES[slug]

    accent = derive(colour, theme.grounds("light"), theme.grounds("dark"))

    for shade, mode in ((accent.light, "light"), (accent.dark, "dark")):
        assert min(contrast(shade.accent, ground) for ground in theme.grounds(mode)) >= 4.5
        assert contrast(shade.on_accent, shade.accent) >= 4.5
        assert contrast(theme.palettes[mode]["ink"], shade.accent_soft) >= 4.5


def test_stylesheet_says_each_mode_both_ways() -> None:
    css = stylesheet(derive("#FFD400"), THEMES["default"].rules)

    assert css.count("--color-accent: #FFD400;") == 2
    assert css.count(f"--color-accent: {INK};") == 1
    assert "--color-brand: #FFD400;" in css and "--color-glow: #FFD400;" in css
    assert css.count("{") == css.count("}") == 5


def test_stylesheet_is_dark_where_the_theme_is() -> None:
    """Exchange is dark by birth: an accent for light there would be dark on dark."""
    theme = THEMES["exchange"]
    accent = derive("#0B3D91", theme.grounds("light"), theme.grounds("dark"))

    css = stylesheet(accent, theme.rules)

    rules = re.findall(r"(:root[^{]*) {.*?--color-accent: (#\w+);", css)
    light, dark = accent.light.accent, accent.dark.accent
    born = ':root[data-theme="exchange"]'
    assert rules == [(born, dark), (f'{born}[data-mode="auto"]', light), (f'{born}[data-mode="light"]', light)]
    assert contrast(dark, "#003049") >= 4.5
