"""The demo's pictures, drawn by the house itself: no photo of anybody's is needed to see what the pages can show."""

from __future__ import annotations

import io
import uuid
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.images import ImageFile
from wagtail.images import get_image_model

from apps.events import pictures
from apps.events.models import Organisation
from apps.events.posters import palette_from, poster_svg

NIGHT = "#1B1033"
FLAGS = ("#CE2059", "#FFC145", "#12664A")
Window = tuple[float, float, float, float]


@cache
def _lucia() -> str:
    return (settings.BASE_DIR / "site" / "static" / "foyer" / "art" / "lucia-hero.svg").read_text(encoding="utf-8")


def _motif(name: str, colour: str) -> str:
    return poster_svg(f"demo {name}", palette_from(colour), name)


def _svg(shapes: str) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg">{shapes}</svg>'


def _table() -> str:
    """A long table laid for a dinner: cloth, plates, candles and their light."""
    seats = [(70 + at * 110, 402 + at % 2 * 4) for at in range(7)]
    candles = [(125 + at * 137, 232 - (at % 2) * 22) for at in range(5)]
    lights = "".join(f'<circle cx="{x}" cy="{y}" r="120" fill="#FFC145" opacity=".10"/>' for x, y in candles)
    bunting = "".join(
        f'<path d="M{20 + at * 70} {64 + (at % 2) * 14}h44l-22 46z" fill="{FLAGS[at % 3]}"/>' for at in range(11)
    )
    tall = "".join(
        f'<rect x="{x - 8}" y="{y + 16}" width="16" height="{364 - y}" rx="3" fill="#F6F0FA"/>'
        f'<path d="M{x} {y - 30}c16 21 21 32 0 46c-21-14-16-25 0-46z" fill="#FFC145"/>'
        for x, y in candles
    )
    plates = "".join(
        f'<circle cx="{x}" cy="{y + 60}" r="44" fill="#FFFFFF"/><circle cx="{x}" cy="{y + 60}" r="28" fill="#EDE8F0"/>'
        f'<circle cx="{x}" cy="{y + 60}" r="9" fill="#CE2059"/>'
        for x, y in seats
    )
    cloth = '<path d="M-40 372H840L900 640H-100z" fill="#A5124B"/><path d="M-40 372H840l6 26H-46z" fill="#CE2059"/>'
    return _svg(f"{lights}{bunting}{cloth}{tall}{plates}")


def _logo(kind: str) -> str:
    drawn = {
        "norra": '<circle cx="100" cy="60" r="52" fill="#0B3D91"/><path d="M100 18l16 42h-32z" fill="#FFFFFF"/>'
        '<path d="M100 102l-16-42h32z" fill="#FFC145"/>',
        "trasten": '<path d="M52 40h84v34a42 42 0 0 1-84 0z" fill="#6B3A1E"/>'
        '<circle cx="142" cy="58" r="20" fill="#6B3A1E"/>'
        '<circle cx="142" cy="58" r="10" fill="#FFFFFF"/>'
        '<rect x="40" y="106" width="108" height="8" rx="4" fill="#6B3A1E"/>',
        "tryckeriet": '<rect x="30" y="20" width="40" height="80" rx="6" fill="#1F1330"/>'
        '<rect x="80" y="20" width="40" height="80" rx="6" fill="#A5124B"/>'
        '<rect x="130" y="20" width="40" height="80" rx="6" fill="#FFC145"/>',
    }
    return _svg(drawn[kind])


# name: (what it shows, drawing, ground, window, width)
DRAWN: dict[str, tuple[str, Any, str, Window, int]] = {
    "långbord": ("Ett långbord med ljus och vimplar", _table, NIGHT, (0, 0, 800, 600), 1200),
    "krona": ("Lucia med ljuskrona", _lucia, NIGHT, (250, 235, 300, 225), 800),
    "följe": ("Två i luciatåget med ljus i händerna", _lucia, NIGHT, (0, 400, 300, 225), 800),
    "stjärna": ("En pappersstjärna i ett fönster", lambda: _motif("star", NIGHT), NIGHT, (0, 138, 300, 225), 800),
    "scen": ("Scenen före föreställningen", lambda: _motif("curtain", "#A5124B"), "#A5124B", (0, 160, 300, 225), 800),
    "kör": ("Kören Istappen i vitt", _lucia, NIGHT, (585, 400, 190, 190), 288),
    "band": ("Orgelpipor", lambda: _motif("bars", "#0B3D91"), "#0B3D91", (0, 120, 280, 280), 288),
    "norra": ("Studentkåren Norras märke", lambda: _logo("norra"), "#FFFFFF", (0, 0, 200, 120), 480),
    "trasten": ("En kopp kaffe", lambda: _logo("trasten"), "#FFFFFF", (0, 0, 200, 120), 480),
    "tryckeriet": ("Tre tryckplåtar", lambda: _logo("tryckeriet"), "#FFFFFF", (0, 0, 200, 120), 480),
}  # fmt: skip


def picture_of(organisation: Organisation, name: str) -> Any:
    """The picture called `name` in the organisation's library, drawn when it is not there."""
    description, drawing, ground, window, width = DRAWN[name]
    image = get_image_model().objects.filter(title=f"Demo: {name}", collection=organisation.collection).first()
    if image is not None and Path(image.file.path).exists():
        return image
    drawn = pictures.draw(drawing(), ground, window, width, drift=False)
    file = ImageFile(io.BytesIO(drawn), name=f"{uuid.uuid5(uuid.NAMESPACE_DNS, name)}.png")
    if image is None:
        image = get_image_model()(title=f"Demo: {name}", description=description, collection=organisation.collection)
    else:
        image.renditions.all().delete()
    image.file = file
    image.file_size = len(drawn)
    image.save()
    return image
