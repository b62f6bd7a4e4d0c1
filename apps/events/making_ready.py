"""What a page needs when it is public, made by a worker as soon as it is published: its pictures in every width.

Without it the first visitor would wait for them (`photos` makes what lacks, one file for each picture). Pictures of a
plugin's blocks are made when they are first shown.
"""

from __future__ import annotations

import logging
from typing import Any

import django_rq
from django.db import transaction
from redis.exceptions import RedisError
from wagtail.blocks.stream_block import StreamValue
from wagtail.images import get_image_model

from apps.events import photos, sharing
from apps.events.models import EventPage

log = logging.getLogger(__name__)

# Where the house's blocks show their pictures. In a gallery the first stands across, in `GALLERY_FIRST`.
PLACES = {
    "hero": ("hero", "card"),
    "programme": ("act",),
    "gallery": ("gallery",),
    "partners": ("logo",),
    "text": ("text",),
}
GALLERY_FIRST = "gallery-wide"


def ask(instance: EventPage, **_more: Any) -> None:
    """Have a worker make what a page that was just published needs, after commit. A receiver of `page_published`. When
    nobody can be asked, the page's first visitors do."""
    page_id = instance.pk
    if any(places_of(instance.body)):
        transaction.on_commit(lambda: _enqueue(page_id))


def _enqueue(page_id: int) -> None:
    try:
        queue = django_rq.get_queue("default")
        queue.enqueue(make, page_id, result_ttl=0, failure_ttl=photos.KEEP_FAILED_SECONDS)
    except (RedisError, OSError) as error:
        log.warning("nobody could be asked to make the pictures of page %s: %s", page_id, type(error).__name__)


def make(page_id: int) -> None:
    """Make the pictures of a page, the topmost first. What workers run; safe to repeat."""
    page = EventPage.objects.filter(pk=page_id).first()
    if page is None:
        return
    for image_id, place in places_of(page.body):
        photos.make(image_id, place)
    sharing.image_of(page)


def places_of(body: StreamValue) -> list[tuple[Any, str]]:
    """(id, place) of every picture that the house's own blocks show."""
    found: list[tuple[Any, str]] = []
    galleries: set[str] = set()
    for model, image_id, path, content_path in body.stream_block.extract_references(body):
        if model is not get_image_model():
            continue
        kind, block_id = path.partition(".")[0], content_path.partition(".")[0]
        is_first = kind == "gallery" and block_id not in galleries
        galleries.add(block_id)
        found += [(image_id, place) for place in ((GALLERY_FIRST,) if is_first else PLACES.get(kind, ()))]
    return found
