"""Organisers' pictures on public pages: each in a few widths as AVIF and WebP, so that a phone loads what it shows.

`PLACES` names where a picture may stand; nothing else decides how large it is made. A list of pictures is read in two
queries, however long it is. They are made when a page is published (`making_ready`); what is not made yet never keeps
a visitor waiting for more than one file: the page shows one WebP, a worker makes the rest and the page is told anew. A
picture that cannot be read is left out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import django_rq
from django.core.cache import cache
from django.db.models import Prefetch, prefetch_related_objects
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from PIL import Image as PillowImage
from redis.exceptions import RedisError
from wagtail.images import get_image_model
from wagtail.images.models import Filter, SourceImageIOError

from apps.events import page_cache
from apps.events.posters import palette_from, poster_svg
from apps.events.uploads import read_whole_files_only

log = logging.getLogger(__name__)

FORMATS = ("avif", "webp")  # in the order in which browsers are asked; every one that we support reads WebP
RING_SECONDS = 60
KEEP_FAILED_SECONDS = 3600
# Gone from the store, or no picture after all.
UNREADABLE = (SourceImageIOError, OSError, ValueError, SyntaxError, PillowImage.DecompressionBombError)


@dataclass(frozen=True)
class Place:
    """Where a picture stands: the widths it is made in, how wide it is shown, and its shape.

    `ratio` (width, height) cuts around the focal point; without it the whole picture is shown, no higher than `height`
    of the smallest width when that is given.
    """

    widths: tuple[int, ...]
    sizes: str = ""
    ratio: tuple[int, int] | None = None
    height: int = 0

    def specs(self, image: Any) -> dict[str, list[str]]:
        """Wagtail's filters by format, from the narrowest; none that would only repeat the picture's own width."""
        across = image.width
        if self.ratio:
            across = min(across, image.height * self.ratio[0] // self.ratio[1])
        widths = [self.widths[0], *(width for less, width in pairwise(self.widths) if less < across)]
        return {kind: [f"{self._cut(width)}|format-{kind}" for width in widths] for kind in FORMATS}

    def _cut(self, width: int) -> str:
        if self.ratio:
            return f"fill-{width}x{width * self.ratio[1] // self.ratio[0]}-c60"
        if self.height:
            return f"max-{width}x{width * self.height // self.widths[0]}"
        return f"width-{width}"


PLACES = {
    "hero": Place((480, 800, 1200), "(min-width: 960px) 50vw, 100vw", ratio=(4, 3)),
    "card": Place((180, 320, 640), "(min-width: 768px) 20rem, 5.5rem", ratio=(3, 4)),
    "gallery": Place((360, 720, 1200), "(min-width: 960px) 22rem, 50vw", ratio=(4, 3)),
    "gallery-wide": Place((480, 800, 1200), "(min-width: 960px) 44rem, 100vw", ratio=(4, 3)),
    "act": Place((96, 192, 288), "6rem", ratio=(1, 1)),
    "logo": Place((220, 440), height=96),
    "text": Place((480, 800, 1200), "(min-width: 768px) 38rem, 100vw"),
}


# --- Reading -------------------------------------------------------------------------------------------------------


def read(ids: Iterable[Any], place: str) -> dict[int, Any]:
    """The pictures by id, ready to be shown at `place`; those that are gone are missing. Two queries."""
    images = list(get_image_model().objects.filter(pk__in=set(ids)))
    prepare(images, place)
    return {image.pk: image for image in images}


def prepare(images: Iterable[Any], *places: str) -> None:
    """Read what is made of `images` for `places`. One query; none for no images."""
    rows = list({id(image): image for image in images if image is not None and image.pk}.values())
    wanted = {
        spec for image in rows for place in places for specs in PLACES[place].specs(image).values() for spec in specs
    }
    for image in rows:
        vars(image).pop("prefetched_renditions", None)
    if wanted:
        made = get_image_model().get_rendition_model().objects.filter(filter_spec__in=wanted)
        prefetch_related_objects(rows, Prefetch("renditions", queryset=made, to_attr="prefetched_renditions"))


# --- Showing -------------------------------------------------------------------------------------------------------


def picture(image: Any, place: str, *, alt: str | None = None, eager: bool = False) -> SafeString:
    """`<picture>` of an image, or nothing for one that is missing or cannot be read.

    `alt` is the image's own description unless given; empty for one that only decorates. `eager` for what is seen
    first: it is loaded before the rest, everything else when it comes near.
    """
    if image is None:
        return mark_safe("")
    if getattr(image, "drawing", None):
        return mark_safe(image.drawing)
    made = _made(image, place)
    if not made.get("webp"):
        return mark_safe("")
    sizes = PLACES[place].sizes or f"{made['webp'][0].width}px"
    middle = made["webp"][len(made["webp"]) // 2]
    sources = format_html_join(
        "", '<source type="image/{}" srcset="{}" sizes="{}">',
        [(kind, _srcset(made[kind]), sizes) for kind in FORMATS[:-1] if made.get(kind)],
    )  # fmt: skip
    loading = mark_safe('fetchpriority="high"' if eager else 'loading="lazy" decoding="async"')
    return format_html(
        '<picture>{}<img src="{}" srcset="{}" sizes="{}" alt="{}" width="{}" height="{}" {}></picture>',
        sources, middle.url, _srcset(made["webp"]), sizes, describe(image) if alt is None else alt,
        middle.width, middle.height, loading,
    )  # fmt: skip


def describe(image: Any) -> str:
    """What a screen reader says: what the block says of the picture here, else its description in the library."""
    if getattr(image, "decorative", False):
        return ""
    return getattr(image, "contextual_alt_text", None) or image.description


def _srcset(renditions: Sequence[Any]) -> str:
    return ", ".join(f"{rendition.url} {rendition.width}w" for rendition in renditions)


def _made(image: Any, place: str) -> dict[str, list[Any]]:
    """What is made of an image for a place, by format, each width once. When something lacks, the worker is asked; when
    all lacks, one WebP is made here and now."""
    if not hasattr(image, "prefetched_renditions"):
        prepare([image], place)
    specs = PLACES[place].specs(image)
    there = image.find_existing_renditions(*(Filter(spec) for of_kind in specs.values() for spec in of_kind))
    by_spec = {filter.spec: rendition for filter, rendition in there.items()}
    if len(by_spec) < sum(map(len, specs.values())):
        _ask_for(image, place)
    if not any(spec in by_spec for spec in specs["webp"]):
        spec = specs["webp"][len(specs["webp"]) // 2]
        rendition = make_one(image, spec)
        if rendition is None:
            return {}
        by_spec[spec] = rendition
    return {
        kind: list({by_spec[spec].width: by_spec[spec] for spec in of_kind if spec in by_spec}.values())
        for kind, of_kind in specs.items()
    }


# --- Making --------------------------------------------------------------------------------------------------------


def make(image_id: int, place: str) -> None:
    """Make all that a place asks of an image, one after the other. What workers run; safe to repeat."""
    image = get_image_model().objects.filter(pk=image_id).first()
    if image is None:
        return
    prepare([image], place)
    for specs in PLACES[place].specs(image).values():
        for spec in specs:
            if make_one(image, spec) is None:
                return
    page_cache.begin_anew()


def make_one(image: Any, spec: str) -> Any | None:
    """The rendition, made if it is not there; None for a picture that is gone or cannot be read."""
    read_whole_files_only()
    try:
        return image.get_rendition(spec)
    except UNREADABLE as error:
        log.warning("the picture %s cannot be read: %s", image.pk, type(error).__name__)
        return None


def _ask_for(image: Any, place: str) -> None:
    """Have a worker make the rest: asked once a minute at most. Without Redis the page asks again when it is made."""
    try:
        if cache.add(f"photos:{image.pk}:{place}", 1, RING_SECONDS):
            queue = django_rq.get_queue("default")
            queue.enqueue(make, image.pk, place, result_ttl=0, failure_ttl=KEEP_FAILED_SECONDS)
    except (RedisError, OSError) as error:
        log.warning("nobody could be asked to make pictures: %s", type(error).__name__)


# --- Samples -------------------------------------------------------------------------------------------------------


def sample(motif: str, title: str = "", colour: str = "#A5124B") -> Any:
    """A picture that is in no library: a poster of ours, for the previews of blocks."""
    image = get_image_model()(title=title or motif, width=600, height=800)
    image.drawing = poster_svg(motif, palette_from(colour), motif)
    return image
