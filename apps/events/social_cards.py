"""The picture that a link to a page shows where it is shared: the poster, and beside it the title in the display face.

It is drawn when somebody first asks for it, at an address that names what it shows, and kept for a day. A page with a
photo needs none: the photo itself is shown.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.cache import cache
from django.utils.translation import gettext as _
from django.utils.translation import override
from PIL import Image, ImageDraw, ImageFont
from wagtail.models import Page

from apps.accounts.plain_text import one_line
from apps.events import pictures, wording
from apps.events.blocks import DRAWINGS
from apps.events.listing import hero_of
from apps.events.looks import poster_ground
from apps.events.models import EventPage, HomePage, OrganisationPage
from apps.events.posters import HEIGHT as POSTER_HEIGHT
from apps.events.posters import NIGHT, SAFFRON, palette_from, poster_svg
from apps.events.posters import WIDTH as POSTER_WIDTH

WIDTH, HEIGHT = 1200, 630
VERSION = 1  # of the drawing: a new one makes new addresses
KEPT_SECONDS = 24 * 60 * 60
MARGIN = 64
POSTER = HEIGHT * POSTER_WIDTH // POSTER_HEIGHT  # as wide as it is when it is as high as the card
ROOM = WIDTH - POSTER - MARGIN - 24
SIZES = range(132, 43, -4)
MOST_LINES, MOST_HIGH = 4, 300
DRAWING = (0.0, 0.0, 800.0, 725.0)  # the part of a drawn hero that is shown, under the end of the title
FACES = {"display": "bricolage-grotesque-800-condensed", "text": "schibsted-grotesk-400-700"}
# The characters of the `latin` files (static/foyer/fonts/README.md); `latin-ext` has those of the other ranges.
LATIN = [*range(0x20, 0x7F), *range(0xA0, 0x100), *range(0x2010, 0x2016), *range(0x2018, 0x201F), 0x2022, 0x2026]
LATIN += [0x2009, 0x202F, 0x2032, 0x2033, 0x20AC, *range(0x2190, 0x2194), 0x2212, 0x2264, 0x2265]
LATIN_EXT = [*range(0x100, 0x2BB), *range(0x1E00, 0x1F00)]
MARK = (
    '<svg viewBox="0 0 24 30"><path d="M0 30V12a12 12 0 0 1 24 0v18h-5V12.5a7 7 0 0 0-14 0V30z" fill="{door}"/>'
    '<path d="M12 12c3.6 4.6 4.6 7.6 0 13-4.6-5.4-3.6-8.4 0-13z" fill="{flame}"/></svg>'
)

Font = ImageFont.FreeTypeFont


@dataclass(frozen=True)
class Card:
    """All that a picture shows."""

    title: str
    above: str
    below: str
    brand: str
    poster: str  # the public id it is drawn for
    motif: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr((VERSION, settings.WAGTAIL_SITE_NAME, astuple(self))).encode()).hexdigest()[:16]


def card_of(page: Page) -> Card | None:
    """What the picture of a page shows, in the page's language; None for one that needs none."""
    with override(page.locale.language_code):
        if isinstance(page, EventPage):
            event, hero = page.event, hero_of(page)
            if hero.get("photo"):
                return None
            below = [wording.write_moment(event.starts_at, event.time_zone), event.venue]
            return Card(
                title=page.title,
                above=event.organisation.name,
                below=" · ".join(part for part in below if part),
                brand=poster_ground(event.organisation),
                poster=str(event.public_id),
                motif=hero.get("motif") or "",
            )
        if isinstance(page, OrganisationPage):
            brand = poster_ground(page.organisation)
            return Card(page.title, _("Events and tickets"), "", brand, str(page.organisation.public_id), "")
        if isinstance(page, HomePage):
            return Card(_("What is on"), _("Events and tickets"), "", NIGHT, "house", "arches")
    return None


def picture(card: Card) -> bytes:
    """The card as PNG, drawn now if nobody asked for it today."""
    key = f"social-card:{card.digest}"
    content = cache.get(key)
    if content is None:
        content = _draw(card)
        cache.set(key, content, KEPT_SECONDS)
    return content


def _draw(card: Card) -> bytes:
    is_drawing = card.motif in DRAWINGS
    palette = palette_from(NIGHT if is_drawing else card.brand)
    if is_drawing:
        svg, window = _drawing(DRAWINGS[card.motif][1]), DRAWING
    else:
        svg, window = poster_svg(card.poster, palette, card.motif or None), (0.0, 0.0, POSTER_WIDTH, POSTER_HEIGHT)
    canvas = Image.new("RGB", (WIDTH, HEIGHT), palette.ground)
    wide = round(HEIGHT * window[2] / window[3])
    poster = Image.open(io.BytesIO(pictures.draw(svg, palette.ground, window, wide, drift=False)))
    canvas.paste(poster.convert("RGB"), (WIDTH - wide, 0))
    _write(ImageDraw.Draw(canvas), card, palette.on_ground)
    _sign(canvas, palette.ground, palette.on_ground)
    file = io.BytesIO()
    canvas.quantize(pictures.COLOURS * 2, method=Image.Quantize.FASTOCTREE).save(file, "PNG", optimize=True)
    return file.getvalue()


def _write(draw: ImageDraw.ImageDraw, card: Card, ink: str) -> None:
    _line(draw, (MARGIN, 66), card.above, "text", 30, ink, weight=700)
    size, lines = _set(one_line(card.title.replace("\u00ad", "")))
    y = 124.0
    for line in lines:
        _line(draw, (MARGIN, y), line, "display", size, ink)
        y += size * 1.0
    _line(draw, (MARGIN, y + 30), card.below, "text", 31, ink)


def _sign(canvas: Image.Image, ground: str, ink: str) -> None:
    """The house's mark and name at the foot."""
    flame = SAFFRON if ground == NIGHT else ink
    mark = pictures.draw(MARK.format(door=ink, flame=flame), ground, (0.0, 0.0, 24.0, 30.0), 32, drift=False)
    canvas.paste(Image.open(io.BytesIO(mark)).convert("RGB"), (MARGIN, HEIGHT - MARGIN - 40))
    _line(ImageDraw.Draw(canvas), (MARGIN + 44, HEIGHT - MARGIN - 40), settings.WAGTAIL_SITE_NAME, "display", 34, ink)


def _set(title: str) -> tuple[int, list[str]]:
    """The largest size in which the title fits, and its lines; two lines rather than three; cut where none fits."""
    fitting: list[tuple[int, list[str]]] = []
    for size in SIZES:
        lines = _wrapped(title, size)
        fits = all(_width(line, "display", size) <= ROOM for line in lines)
        if fits and len(lines) * size <= MOST_HIGH and len(lines) <= MOST_LINES:
            fitting.append((size, lines))
    if not fitting:
        lines = _wrapped(title, SIZES[-1])[:MOST_LINES]
        return SIZES[-1], [_cut(line, "display", SIZES[-1]) for line in lines]
    largest = fitting[0]
    two = next((each for each in fitting if len(each[1]) == 2 and each[0] > largest[0] * 0.7), largest)
    return two if len(largest[1]) == 3 else largest


def _wrapped(title: str, size: int) -> list[str]:
    lines: list[str] = []
    for word in title.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width(longer, "display", size) <= ROOM:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _cut(line: str, face: str, size: int) -> str:
    while len(line) > 1 and _width(line, face, size) > ROOM:
        line = line[:-2].rstrip() + "…"
    return line


# --- Letters -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=128)
def _font(face: str, subset: str, size: int, weight: int) -> Font:
    path = finders.find(f"foyer/fonts/{FACES[face]}-{subset}.woff2")
    assert isinstance(path, str), face
    font = ImageFont.truetype(path, size)
    if face == "text":
        font.set_variation_by_axes([weight])
    return font


def _runs(text: str, face: str, size: int, weight: int) -> Iterator[tuple[str, Font]]:
    """Text in pieces that one file can write. What no file of ours can is left out."""

    def subset(letter: str) -> str:
        return "latin" if ord(letter) in LATIN else "latin-ext" if ord(letter) in LATIN_EXT else ""

    for name, letters in groupby(text, key=subset):
        if name:
            yield "".join(letters), _font(face, name, size, weight)


def _width(text: str, face: str, size: int, weight: int = 400) -> float:
    return sum(font.getlength(part) for part, font in _runs(text, face, size, weight))


def _line(
    draw: ImageDraw.ImageDraw, at: Sequence[float], text: str, face: str, size: int, ink: str, *, weight: int = 400
) -> None:
    x, y = at
    for part, font in _runs(_cut(text, face, size), face, size, weight):
        draw.text((x, y + size), part, fill=ink, font=font, anchor="ls")
        x += font.getlength(part)


@lru_cache(maxsize=8)
def _drawing(name: str) -> str:
    found = finders.find(name)
    assert isinstance(found, str), name
    return Path(found).read_text(encoding="utf-8")
