"""Which files an order has, and where they lie: privately, and under a name made from all that they show.

An edit to the event, a new holder or a new template therefore gives another name, and a file that is there is a file
that is right. What is there and belongs to no such name any more is thrown away when the order's files are next made.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.accounts.ids import new_public_id
from apps.events.accent import derive
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.documents import facts, posters, renderer, rendering, themes
from apps.ticketing.documents.facts import Booklet, Sheet
from apps.ticketing.models import Order, Ticket
from apps.ticketing.states import OrderState

log = logging.getLogger(__name__)

MOST_TICKETS = 60  # in one file; an order with more has several
PART = ".part"  # ends the name of a file that is being written
PART_MINUTES = 10  # after which nobody writes it any more
BEGINS, ENDS = b"%PDF-", b"%%EOF"
TOLD_LETTERS = 80  # of the event's title in a file's name


@dataclass(frozen=True)
class File:
    """One PDF of an order: `name` in the storage, `filename` for people, and what it takes to make it."""

    order: Order
    name: str
    filename: str
    sheets: Sequence[Sheet]
    job: rendering.Job
    poster: posters.Poster
    spare: rendering.Job | None = None  # by our templates, where the theme brings its own and they may fail


def files_of(order: Order) -> list[File]:
    """The files an order's buyer gets: one, or one for each ticket where the event wants that. Reads, makes nothing.

    Empty when no ticket of the order is good any more. Constant queries.
    """
    with override(order.locale):
        booklet = facts.read(order)
        return _files(booklet)


def file_of(ticket: Ticket) -> File | None:
    """The file of one ticket by itself; None when the ticket shows no code any more. `ticket.line.order` is read."""
    order = ticket.line.order
    with override(order.locale):
        booklet = facts.read(order)
        sheets = facts.of_ticket(booklet, ticket)
        return _file(booklet, sheets) if sheets else None


def names_of(order: Order) -> set[str]:
    """The names of every file of an order that is right today, made or not."""
    with override(order.locale):
        booklet = facts.read(order)
        singles = (_file(booklet, [sheet]) for sheet in booklet.sheets)
        return {file.name for file in (*_files(booklet), *singles)}


def _files(booklet: Booklet) -> list[File]:
    each = 1 if booklet.order.event.one_file_per_ticket else MOST_TICKETS
    sheets = [sheet for sheet in booklet.sheets if not sheet.ticket.line.is_given_away]  # the new holder's own business
    return [_file(booklet, sheets[start : start + each]) for start in range(0, len(sheets), each)]


def _file(booklet: Booklet, sheets: Sequence[Sheet]) -> File:
    order, evening, theme = booklet.order, booklet.evening, booklet.theme
    title = _("Tickets to %(event)s") if len(sheets) > 1 else _("Ticket to %(event)s")
    title = title % {"event": evening.title}
    context = {
        "language": order.locale,
        "title": title,
        "seller": facts.clean(order.organisation.seller_name),
        "site": site_name(),
        "evening": evening,
        "sheets": sheets,
    }
    colours = {"paper": theme.paper, "poster": evening.poster, "accent": _accent(order, theme.paper.ink)}
    html, css = themes.write(theme, context, colours)
    job = rendering.Job(html=html, css=css, poster=evening.poster.svg, codes={sheet.qr: sheet.code for sheet in sheets})
    spare = None
    if theme.brings_templates:
        html, css = themes.write(themes.plain(theme), context, colours)
        spare = replace(job, html=html, css=css)
    name = _name(order, job, evening.poster)
    return File(order, name, _filename(title, order, sheets), sheets, job, evening.poster, spare)


def _accent(order: Order, without: str) -> str:
    brand = order.event.organisation.accent_colour
    return derive(brand).light.accent if brand else without


def _name(order: Order, job: rendering.Job, poster: posters.Poster) -> str:
    shown = json.dumps([_version(), job.html, job.css, job.poster, poster.key, sorted(job.codes.items())])
    return f"{folder_of(order.public_id)}/{hashlib.sha256(shown.encode()).hexdigest()[:40]}.pdf"


@lru_cache(maxsize=1)
def _version() -> str:
    """Stands for the program that makes the files and the library it makes them with."""
    return f"{renderer.VERSION}:{version('weasyprint')}"


def _filename(title: str, order: Order, sheets: Sequence[Sheet]) -> str:
    """What the file is called for people: `Ticket to Lucia dinner K7M2Q ABC-123.pdf`, in letters of any script."""
    which = "" if len(sheets) > 1 else f" {sheets[0].ticket.short_code}"
    told = "".join(letter for letter in title if letter not in '\\/:*?"<>|')[:TOLD_LETTERS].strip(" .")
    return f"{told} {order.reference}{which}.pdf"


def ascii_name(filename: str) -> str:
    """The same in plain letters, for whoever cannot read others."""
    stem = filename.removesuffix(".pdf")
    return f"{slugify(stem) or 'tickets'}.pdf"


def site_name() -> str:
    """The site's address as one says it aloud."""
    return urlsplit(settings.SITE_URL).netloc


# --- Where they lie ----------------------------------------------------------------------------------------------


def storage() -> Storage:
    return storages["documents"]


def folder_of(order: UUID) -> str:
    """The folder of an order's files, by its public id."""
    return order.hex


def read(name: str) -> bytes | None:
    """A file, if it is there and whole: one that was cut off in the writing counts as lost."""
    try:
        with storage().open(name, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("the file %s cannot be read: %s", name, type(error).__name__)
        return None
    return content if content.startswith(BEGINS) and content.rstrip().endswith(ENDS) else None


def ensure(file: File) -> bytes:
    """The content of a file, made and kept when it was not there. In a worker only. Raises NotMade.

    A poster's photo that cannot be read keeps nobody from their tickets: its spare is shown.
    """
    found = read(file.name)
    if found is not None:
        return found
    photo = posters.read_photo(file.poster)
    shown = file.job.poster if photo or file.poster.photo is None else file.poster.spare
    made = _rendered(file, poster=shown, photo=photo)
    try:
        _keep(file.name, made)
    except OSError as error:
        raise rendering.NotMade(f"The PDF could not be kept: {error.strerror or type(error).__name__}.") from error
    return made


def _rendered(file: File, **shown: Any) -> bytes:
    """By the theme's templates; by ours where those give no file, so that a theme keeps nobody from their tickets."""
    try:
        return rendering.render(replace(file.job, **shown))
    except rendering.OutOfBounds:
        raise  # it cost enough
    except rendering.NotMade as error:
        if file.spare is None or file.spare == file.job:
            raise
        log.error("a theme's templates gave no PDF of order %s: %s Ours did.", file.order.reference, error.reason)
        return rendering.render(replace(file.spare, **shown))


def _keep(name: str, content: bytes) -> None:
    """Put a file into its place whole, over one that lies there: whoever makes the same at the same time puts the same
    there, and nobody ever reads half of it."""
    crashpoint("document.rendered")
    place = storage()
    part = place.save(f"{name.removesuffix('.pdf')}.{new_public_id().hex}{PART}", ContentFile(content))
    try:
        os.replace(place.path(part), place.path(name))
    except OSError:
        place.delete(part)
        raise
    crashpoint("document.written")


def forget(order: UUID, *, but: Iterable[str] = ()) -> int:
    """Throw away the files of an order (by its public id), except those named. Returns how many went."""
    there = names_there(order)
    kept = set(but)
    gone = there - kept - ({name for name in there if _is_being_written(name)} if kept else set())
    for name in gone:
        storage().delete(name)
    if gone and gone == there:
        _drop_folder(storage(), folder_of(order))
    return len(gone)


def tidy(order: Order, right: Sequence[File]) -> None:
    """Throw away the files of an order that are not right any more: what they showed has changed, or has ended.

    `right` are files known to be right, to spare the work of finding all of them where no other lies there.
    """
    if not names_there(order.public_id) <= {file.name for file in right}:
        forget(order.public_id, but=names_of(order) if order.state == OrderState.PAID else ())


def _is_being_written(name: str) -> bool:
    if not name.endswith(PART):
        return False
    try:
        written_at = storage().get_modified_time(name)
    except FileNotFoundError:  # it is in its place by now
        return True
    return timezone.now() - written_at < timedelta(minutes=PART_MINUTES)


def names_there(order: UUID) -> set[str]:
    """The names of the files that lie there for an order."""
    folder = folder_of(order)
    try:
        _folders, names = storage().listdir(folder)
    except FileNotFoundError:
        return set()
    return {f"{folder}/{name}" for name in names}


def _drop_folder(place: Storage, folder: str) -> None:
    try:
        place.delete(folder)
    except OSError as error:  # another process is just putting a file into it
        log.info("the folder %s stays: %s", folder, type(error).__name__)
