"""The strip of the event's poster on top of a mail, as a picture that travels with it: nothing is fetched from
elsewhere when the mail is opened, which would tell when and where it was read."""

from __future__ import annotations

from dataclasses import dataclass
from email.mime.image import MIMEImage
from functools import lru_cache
from pathlib import Path

from django.contrib.staticfiles import finders

from apps.events import pictures
from apps.events.blocks import DRAWINGS
from apps.events.listing import hero_of
from apps.events.looks import poster_ground
from apps.events.models import Event, EventPage
from apps.events.posters import MOTIFS, NIGHT, motif_of, palette_from, poster_svg
from apps.events.translated import active_language
from apps.ticketing.documents.posters import read_rendition

WIDTH = 1200  # twice as many dots as the mail is wide, for good screens
PHOTO = f"fill-{WIDTH}x{WIDTH // 2}-c60|format-jpeg|jpegquality-60"
# Which part of each motif shows what it is.
TOPS = {"arches": 235.0, "bars": 165.0, "quarters": 200.0, "dice": 190.0, "curtain": 210.0}
TOP = 175.0
DRAWING = (0.0, 275.0, 800.0, 400.0)
CONTENT_ID = "poster"


@dataclass(frozen=True)
class Strip:
    """`kind` is png or jpeg."""

    content: bytes
    kind: str

    @property
    def cid(self) -> str:
        return CONTENT_ID

    def as_part(self) -> MIMEImage:
        """The part of the message that the HTML points to."""
        part = MIMEImage(self.content, self.kind)
        part["Content-ID"] = f"<{CONTENT_ID}>"
        part["Content-Disposition"] = f'inline; filename="{CONTENT_ID}.{self.kind}"'
        return part


def strip_of(event: Event) -> Strip:
    """The strip of the poster that the event's page shows; cut paper for an event without one. Two queries at most."""
    pages = EventPage.objects.live().filter(event=event).select_related("locale").order_by("pk")
    page = min(pages, key=lambda page: page.locale.language_code != active_language(), default=None)
    hero = hero_of(page) if page else {}
    photo = read_rendition(hero["photo"], PHOTO) if hero.get("photo") else b""
    if photo:
        return Strip(photo, "jpeg")
    motif = hero.get("motif", "")
    if motif in DRAWINGS:
        return Strip(pictures.draw(_drawing(DRAWINGS[motif][1]), NIGHT, DRAWING, WIDTH), "png")
    palette = palette_from(poster_ground(event.organisation))
    motif = motif if motif in MOTIFS else motif_of(str(event.public_id))
    window = (0.0, TOPS.get(motif, TOP), 300.0, 150.0)
    return Strip(pictures.draw(poster_svg(str(event.public_id), palette, motif), palette.ground, window, WIDTH), "png")


@lru_cache(maxsize=8)
def _drawing(name: str) -> str:
    found = finders.find(name)
    assert isinstance(found, str), name
    return Path(found).read_text(encoding="utf-8")
