"""Posters as pictures of dots: the right shapes in the right places, and clear below the drift."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.staticfiles import finders
from django.test import Client
from PIL import Image

from apps.events import pictures, posters
from tests.tenancy import world

RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 128, 0)


def drawn(inside: str, *, view: str = "0 0 100 100", width: int = 100, drift: bool = False) -> Image.Image:
    left, top, wide, high = (float(number) for number in view.split())
    svg = f'<svg xmlns="http://www.w3.org/2000/svg">{inside}</svg>'
    return Image.open(io.BytesIO(pictures.draw(svg, "#FF0000", (left, top, wide, high), width, drift))).convert("RGBA")


def dot(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    found = image.getpixel((x, y))
    assert isinstance(found, tuple)
    return found


def colours(image: Image.Image, *points: tuple[int, int]) -> list[tuple[int, int, int]]:
    """The named colour nearest to that of each point: a palette of 128 is a shade off."""
    seen = [dot(image, *point)[:3] for point in points]
    return [min((RED, BLUE, GREEN), key=lambda named: math.dist(named, colour)) for colour in seen]


@pytest.mark.parametrize(
    ("shape", "inside", "outside"),
    [
        ('<path d="M10 10h80v80H10z" fill="#00F"/>', (50, 50), (5, 50)),
        ('<path d="M10 10 90 10 90 90 10 90z" fill="#00F"/>', (85, 85), (95, 95)),
        ('<path d="m10 10 80 0 0 80-80 0z" fill="#00F"/>', (15, 85), (5, 95)),
        ('<path d="M10 50a40 40 0 0 1 80 0z" fill="#00F"/>', (50, 15), (50, 60)),
        ('<path d="M10 50a40 40 0 0 0 80 0z" fill="#00F"/>', (50, 85), (50, 40)),
        ('<path d="M10 90C10 10 90 10 90 90z" fill="#00F"/>', (50, 40), (50, 20)),
        ('<path d="M10 90q40-120 80 0z" fill="#00F"/>', (50, 40), (50, 20)),
        ('<path d="M0 50Q25 0 50 50T100 50z" fill="#00F"/>', (75, 60), (75, 40)),
        ('<circle cx="50" cy="50" r="20" fill="#00F"/>', (50, 33), (50, 25)),
        ('<rect x="10" y="10" width="80" height="80" rx="20" fill="#00F"/>', (50, 12), (12, 12)),
        ('<g transform="translate(50 50) rotate(45)"><rect x="-20" y="-20" width="40" height="40" fill="#00F"/></g>',
         (50, 26), (33, 33)),
        ('<g fill="#00F" transform="scale(2)"><rect x="5" y="5" width="20" height="20"/></g>', (45, 45), (55, 55)),
    ],
    ids=["path", "repeated", "relative", "arc over", "arc under", "cubic", "quadratic", "smooth", "circle", "rounded",
         "turned", "scaled"],
)  # fmt: skip
def test_shape_lies_where_it_should(shape, inside, outside):
    assert colours(drawn(shape), inside, outside) == [BLUE, RED]


def test_later_shapes_lie_above_and_some_are_seen_through():
    image = drawn(
        '<rect x="0" y="0" width="100" height="50" fill="#00F"/>'
        '<rect x="0" y="0" width="50" height="100" fill="#008000"/>'
        '<rect x="60" y="60" width="40" height="40" fill="#00F" opacity=".5"/>'
    )

    assert colours(image, (25, 25), (75, 25)) == [GREEN, BLUE]
    red, _green, blue, _alpha = dot(image, 80, 80)
    assert abs(red - blue) < 8


def test_dashed_line_is_a_row_of_dots():
    image = drawn('<path d="M0 50H100" fill="none" stroke="#00F" stroke-width="8" stroke-dasharray="0 25"/>')

    assert colours(image, (25, 50), (37, 50), (50, 50)) == [BLUE, RED, BLUE]


def test_window_shows_its_part_only():
    shape = '<rect x="40" y="40" width="10" height="10" fill="#00F"/>'

    image = drawn(shape, view="40 40 20 10", width=40)

    assert image.size == (40, 20)
    assert colours(image, (10, 10), (30, 10)) == [BLUE, RED]


def test_picture_is_clear_below_the_drift():
    image = drawn("", drift=True)

    assert max(dot(image, x, 99)[3] for x in (0, 50, 99)) < 5
    assert min(dot(image, x, 90)[3] for x in (0, 50, 99)) > 250


@pytest.mark.parametrize("motif", posters.MOTIFS)
def test_every_motif_can_be_drawn_and_is_small(motif):
    palette = posters.palette_from("#A5124B")

    made = pictures.draw(posters.poster_svg("an event", palette, motif), palette.ground, (0, 175, 300, 150), 1200)

    image = Image.open(io.BytesIO(made))
    assert image.size == (1200, 600)
    assert len(image.convert("RGB").getcolors(100_000)) > 10
    assert len(made) < 40_000


@pytest.mark.parametrize("name", ["lucia-hero.svg", "lucia-poster.svg"])
def test_every_drawing_can_be_drawn(name):
    svg = Path(finders.find(f"foyer/art/{name}")).read_text()

    made = pictures.draw(svg, "#1B1033", (0, 275, 800, 400), 1200)

    assert len(Image.open(io.BytesIO(made)).convert("RGB").getcolors(100_000)) > 20
    assert len(made) < 60_000


@pytest.mark.django_db
def test_a_picture_of_an_organiser_is_sent_without_a_proxy_and_a_document_only_by_its_view(
    client: Client, settings: LazySettings
) -> None:
    picture = world.picture("A photo")
    document = Path(settings.MEDIA_ROOT) / "documents" / "minutes.txt"
    document.parent.mkdir(parents=True, exist_ok=True)
    document.write_text("for members")

    addresses = [picture.file.url, picture.get_rendition("width-10").url, "/media/documents/minutes.txt"]

    assert [client.get(address).status_code for address in addresses] == [200, 200, 404]
