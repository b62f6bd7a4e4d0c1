"""The poster at the top of a PDF ticket: the one of the event's page, on the whole width of the paper.

A drawing, the event's cut paper or a photo stands at the right; the left is plain, because the title stands there in
text. All of it is one SVG, 210 x 128 like the millimetres it covers, which ends in the drift the page stands on.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from django.contrib.staticfiles import finders
from PIL.Image import DecompressionBombError
from wagtail.images import get_image_model
from wagtail.images.models import SourceImageIOError

from apps.events.accent import on
from apps.events.blocks import DRAWINGS
from apps.events.listing import hero_of
from apps.events.looks import poster_ground
from apps.events.models import Event, EventPage
from apps.events.posters import palette_from, poster_svg
from apps.ticketing.documents.themes import Paper

log = logging.getLogger(__name__)

WIDTH, HEIGHT = 210, 128
ART_WIDTH = 96  # three to four, as the cut paper is
PHOTO_SPEC = "fill-840x1024-c60|format-jpeg|jpegquality-70"
CUT_PAPER = f'x="{WIDTH - ART_WIDTH}" y="0" width="{ART_WIDTH}" height="{HEIGHT}" overflow="visible"'
DRIFT = "M-2 125C35 121.5 70 121.2 110 123.8s64 1.7 102-1.2v7H-2z"


@dataclass(frozen=True)
class Poster:
    """`svg` may show `foyer:photo`, which is the image `photo`; `key` stands for that image and its focal point.

    `spare` is what stands there instead when the photo cannot be read: cut paper on the same ground.
    """

    svg: str
    ground: str
    ink: str
    photo: int | None = None
    key: str = ""
    spare: str = ""


def poster_of(event: Event, page: EventPage | None, paper: Paper) -> Poster:
    """The poster of `event` as `page` chose it. One query for a photo, none otherwise. `event.organisation` is read."""
    hero = hero_of(page) if page else {}
    photo = get_image_model().objects.filter(pk=hero["photo"]).first() if hero.get("photo") else None
    if photo is not None:
        place = f'x="{WIDTH - 105}" y="0" width="105" height="{HEIGHT}" preserveAspectRatio="xMidYMid slice"'
        key = f"{photo.pk}:{photo.file.name}:{photo.focal_point_x}:{photo.focal_point_y}"
        spare = _place(poster_svg(str(event.public_id), palette_from(paper.night)), CUT_PAPER)
        night = _on_night(f'<image href="foyer:photo" {place}/>', paper)
        return replace(night, photo=photo.pk, key=key, spare=_compose(paper.night, spare))
    motif = hero.get("motif") or ""
    if motif in DRAWINGS:
        place = f'x="{WIDTH - 118}" y="6" width="118" height="{HEIGHT - 4}"'
        return _on_night(_place(_drawing(DRAWINGS[motif][1]), place), paper)
    palette = palette_from(poster_ground(event.organisation))
    svg = _compose(palette.ground, _place(poster_svg(str(event.public_id), palette, motif or None), CUT_PAPER))
    ink = on(palette.ground)
    return Poster(svg, palette.ground, ink)


def read_photo(poster: Poster) -> bytes:
    """The poster's photo as JPEG, cut to size around its focal point; nothing for a drawn one, and for a photo that
    cannot be read. In a worker only."""
    return read_rendition(poster.photo, PHOTO_SPEC) if poster.photo is not None else b""


def read_rendition(image_id: int, spec: str) -> bytes:
    """An image cut to `spec`; nothing when it is gone, or its file is lost or no picture, which is logged."""
    image = get_image_model().objects.filter(pk=image_id).first()
    try:
        if image is not None:
            with image.get_rendition(spec).file.open("rb") as file:
                return file.read()
        log.warning("the photo %s of a poster is gone", image_id)
    except (OSError, SourceImageIOError, DecompressionBombError, SyntaxError, ValueError) as error:
        log.warning("the photo %s of a poster cannot be read: %s", image_id, type(error).__name__)
    return b""


def _on_night(art: str, paper: Paper) -> Poster:
    return Poster(_compose(paper.night, art), paper.night, paper.on_night)


def _compose(ground: str, art: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<path d="M0 0h{WIDTH}v{HEIGHT}H0z" fill="{ground}"/>{art}<path d="{DRIFT}" fill="#FFFFFF"/></svg>'
    )


def _place(svg: str, place: str) -> str:
    """A whole SVG as a part of another, at a place. Its opacity is its shapes' fill's: the same to see, and a fiftieth
    of the work for whoever draws it."""
    view, style = re.search(r'viewBox="[^"]*"', svg), re.search(r'preserveAspectRatio="[^"]*"', svg)
    inside = svg[svg.index(">") + 1 : svg.rindex("</svg>")]
    inside = re.sub(r'(<(?:circle|path|rect|ellipse)\b[^>]*?) opacity="', r'\1 fill-opacity="', inside)
    return f"<svg {place} {view[0] if view else ''} {style[0] if style else ''}>{inside}</svg>"


@lru_cache(maxsize=8)
def _drawing(name: str) -> str:
    found = finders.find(name)
    assert isinstance(found, str), name
    return Path(found).read_text(encoding="utf-8")
