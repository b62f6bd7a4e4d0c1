"""What the tests of PDF tickets share: a paid order with everything on it, and eyes for the files."""

from __future__ import annotations

import re
import subprocess
import zlib
from pathlib import Path
from typing import Any

from apps.ticketing import queue
from apps.ticketing.models import Order, Ticket, TicketType
from apps.ticketing.payments import settle
from tests import factories

EVENT = {
    "title_sv": "Luciasittning 2026",
    "title_en": "Lucia dinner 2026",
    "venue": "Kårhuset Fyren",
    "venue_address": "Campusvägen 1, Linköping",
}


def dinner(**values: Any) -> TicketType:
    """A type with a choice, an age and a check of identity, to an event of a seller with all its facts."""
    organisation = factories.organisation(
        name=values.pop("by", "Lyktan"),
        legal_name="Festföreningen Lyktan",
        organisation_number="802999-0000",
        address="Campusvägen 3\n580 00 Linköping",
        email="kassor@lyktan.example",
        theme=values.pop("theme", "default"),
        accent_colour=values.pop("accent_colour", ""),
    )
    event = factories.event(organisation=organisation, **{**EVENT, **values})
    kind = factories.ticket_type(
        event,
        factories.quota(event, 100),
        name_sv="Sittning med sexa",
        name_en="Dinner and party",
        price_minor=28_500,
        vat_percent=12,
        max_per_order=50,
        minimum_age=18,
        needs_id=True,
    )
    factories.choice(factories.variation(kind, name_sv="Dryck", name_en="Beverage"), name_sv="Öl", name_en="Beer")
    return kind


def paid(kind: TicketType, number: int = 1, *, name: str = "Alva Exempelsson", locale: str = "en") -> Order:
    """An order of this type, with its first choice, paid by a notice of the provider."""
    choice = kind.variations.get().choices.get()
    order = factories.order(kind.event, factories.wanted(kind, number, (choice, 1)), locale=locale)
    queue.drain(kind.event_id)
    Order.objects.filter(pk=order.pk).update(name=name)
    order.refresh_from_db()
    due = factories.payment(order)
    settle.settle(factories.notice(due), provider=due.provider)
    order.refresh_from_db()
    return order


def tickets_of(order: Order) -> list[Ticket]:
    return list(Ticket.objects.filter(line__order=order).order_by("line__position", "pk"))


def text_of(pdf: bytes, folder: Path) -> str:
    """The words of a PDF as pdftotext finds them, in single spaces."""
    path = folder / "read.pdf"
    path.write_bytes(pdf)
    told = subprocess.run(["pdftotext", path, "-"], capture_output=True, check=True, timeout=60).stdout.decode()
    return " ".join(told.split())


def codes_of(pdf: bytes, folder: Path) -> list[str]:
    """The codes that zbarimg reads from each page, as printed at 150 dots per inch."""
    path = folder / "scanned.pdf"
    path.write_bytes(pdf)
    subprocess.run(["pdftoppm", "-r", "150", "-gray", "-png", path, folder / "page"], check=True, timeout=120)
    found = []
    for page in sorted(folder.glob("page*.png")):
        asked = ["zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", page]
        found += subprocess.run(asked, capture_output=True, timeout=60).stdout.decode().split("\n")[:-1]
        page.unlink()
    return found


def objects_of(pdf: bytes) -> str:
    """Everything that stands in a PDF's objects, unpacked, in Latin-1."""
    found = [pdf]
    for match in re.finditer(rb"stream\r?\n(.*?)\nendstream", pdf, re.DOTALL):
        try:
            # Whatever the line ends with: a checksum whose last byte is a line's end too must not hide the stream.
            found.append(zlib.decompressobj().decompress(match[1]))
        except zlib.error:
            continue
    return b"\n".join(found).decode("latin-1")


def page_of(words: str, *, style: str = "") -> str:
    """A page of a theme's own making."""
    return f'<html lang="en"><head><title>Test</title>{style}</head><body>{words}</body></html>'


__all__ = ["codes_of", "dinner", "objects_of", "page_of", "paid", "text_of", "tickets_of"]
