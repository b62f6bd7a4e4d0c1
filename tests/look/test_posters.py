"""The cut-paper posters: small, few colours, always the same for the same event."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.events.accent import contrast
from apps.events.posters import MOTIFS, motif_of, palette_from, poster_svg

BRANDS = ("#C01F3F", "#16437A", "#D9480F", "#FFC145", "#1B1033", "#FFFFFF", "#000000", "#7A7A7A")
COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06X}")


@pytest.mark.parametrize("motif", MOTIFS)
@pytest.mark.parametrize("brand", BRANDS)
def test_poster_is_small_and_well_formed(motif: str, brand: str) -> None:
    for event in range(40):
        drawn = poster_svg(f"event-{event}", palette_from(brand), motif)

        assert len(drawn.encode()) <= 2048
        assert len(set(re.findall(r"#[0-9A-F]{6}", drawn))) <= 5
        assert ElementTree.fromstring(drawn).attrib["aria-hidden"] == "true"
        assert "style=" not in drawn and "var(" not in drawn


def test_poster_is_the_same_every_time() -> None:
    palette = palette_from("#16437A")

    assert poster_svg("k7m2q", palette) == poster_svg("k7m2q", palette)
    assert poster_svg("k7m2q", palette) == poster_svg("k7m2q", palette, motif_of("k7m2q"))


def test_poster_of_another_event_differs() -> None:
    palette = palette_from("#16437A")

    drawn = {poster_svg(f"event-{number}", palette, "bars") for number in range(50)}

    assert len(drawn) == 50


def test_poster_with_an_unknown_motif_falls_back() -> None:
    palette = palette_from("#16437A")

    assert poster_svg("k7m2q", palette, "fireworks") == poster_svg("k7m2q", palette)


def test_motifs_share_the_events_among_them() -> None:
    picked = Counter(motif_of(f"event-{number}") for number in range(700))

    assert set(picked) == set(MOTIFS)
    assert min(picked.values()) > 60


@given(COLOURS)
@settings(max_examples=300, deadline=None)
def test_palette_leaves_a_title_that_can_be_read(brand: str) -> None:
    palette = palette_from(brand)

    assert palette.ground == brand
    assert contrast(palette.on_ground, palette.ground) >= 4.0
    assert palette.takes_light_title == (palette.on_ground == "#FFFFFF")
