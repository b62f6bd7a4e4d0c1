"""A bank's file of what has come in, read as banks write them: Swedish and English headings, semicolons, commas or
tabs, decimal comma or point, with or without a BOM, UTF-8, UTF-16 or Latin-1, lines of words above the table.

An amount that could be read in two ways is not read: a sentence says which row and why. Nothing here knows orders.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext as _

MOST_BYTES = 1_000_000
MOST_ROWS = 5_000
MOST_MINOR = 2**31 - 1  # as much as the books hold of one payment
_HEADINGS_WITHIN = 25

# Headings as banks write them, in small letters. Of several that fit the first named here counts.
DATES = (
    *("bokföringsdag", "bokföringsdatum", "bokförd", "bokförd datum", "bokfört datum", "bokföringsdag/datum"),
    *("reskontradatum", "datum", "transaktionsdag", "transaktionsdatum", "transaktionsdag/datum", "valutadatum"),
    *("valutadag", "betalningsdag", "booking date", "booked", "date", "transaction date", "value date"),
)
AMOUNTS = ("belopp", "insättning/uttag", "insättningar", "insättning", "insatt", "amount", "credit")
CURRENCIES = ("valuta", "currency")
ONLY_IN = ("insättningar", "insättning", "insatt", "credit")  # empty beside money that went out

_SPACES = re.compile(r"[\s\u00a0\u202f\u2009']+")
_NUMBER = re.compile(r"([+\-−]?)([0-9]{1,3}(?:([.,])[0-9]{3}(?:\3[0-9]{3})*)|[0-9]{1,9})(?:([.,])([0-9]{1,2}))?")
_DAYS = ("%Y-%m-%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%Y/%m/%d", "%y%m%d", "%d-%m-%Y")


class Unreadable(Exception):
    """The file as a whole cannot be read; `str()` is a sentence for whoever sent it. Nothing was done."""


@dataclass(frozen=True)
class Row:
    """One row of money that came in. `number` is its line in the file. `text` is everything else in it, for finding
    a reference; `problem` a sentence where the row cannot be read."""

    number: int
    text: str
    on: date | None = None
    amount_minor: int = 0
    currency: str = ""
    fingerprint: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Read:
    """What a file says. `outgoing` rows of money that went out were passed over."""

    rows: tuple[Row, ...]
    outgoing: int


def read(content: bytes) -> Read:
    """The rows of a bank's file. Raises Unreadable."""
    if len(content) > MOST_BYTES:
        raise Unreadable(_("The file is larger than 1 MB. Nothing was done. Export a shorter time from the bank."))
    if content.startswith((b"PK", b"\xd0\xcf\x11\xe0")):
        raise Unreadable(_("This is an Excel file. Nothing was done. Save it as CSV, or export CSV from the bank."))
    if content.startswith(b"%PDF"):
        raise Unreadable(_("This is a PDF. Nothing was done. Export CSV from the bank."))
    lines = _cells(_decoded(content))
    found = _headings(lines)
    if found is None:
        raise Unreadable(
            _("No column for date and amount was found. Nothing was done. The first line must name the columns, such"
              " as Bokföringsdag;Belopp;Text.")
        )  # fmt: skip
    start, on, amount, currency = found
    is_only_in = _bare_heading(lines[start][1][amount]) in ONLY_IN
    rows: list[Row] = []
    outgoing = 0
    seen: Counter[str] = Counter()
    for number, cells in lines[start + 1 :]:
        if not any(cells):
            continue
        if is_only_in and len(cells) > amount and not cells[amount]:
            outgoing += 1
            continue
        row = _row(number, cells, on, amount, currency, seen)
        if row is None:
            outgoing += 1
        else:
            rows.append(row)
        if len(rows) > MOST_ROWS:
            raise Unreadable(_("The file has more than 5,000 rows. Nothing was done. Export a shorter time."))
    if not rows and not outgoing:
        raise Unreadable(_("The file has headings and no rows. Nothing was done. Look what you exported."))
    return Read(tuple(rows), outgoing)


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings: tuple[str, ...] = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "cp1252", "latin-1")
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise Unreadable(_("This is no text file. Nothing was done. Export CSV from the bank."))


def _cells(text: str) -> list[tuple[int, list[str]]]:
    """(line, cells) of the file, divided by whatever sign divides most of its first lines."""
    head = text.splitlines()[:_HEADINGS_WITHIN]
    sign = max(";,\t", key=lambda sign: (max((line.count(sign) for line in head), default=0), sign == ";"))
    try:
        rows = list(_rows(text, sign, csv.QUOTE_MINIMAL))
        if any("\n" in cell or "\r" in cell for _line, cells in rows for cell in cells):
            rows = list(_rows(text, sign, csv.QUOTE_NONE))  # a lone quotation mark would swallow the rows behind it
        return rows
    except csv.Error as error:
        raise Unreadable(
            _("The file breaks off in the middle of a cell. Nothing was done. Export it from the bank once more.")
        ) from error


def _rows(text: str, sign: str, quoting: Any) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign, quoting=quoting)
    for cells in reader:
        yield reader.line_num, [cell.strip() for cell in cells]


def _headings(lines: Sequence[tuple[int, list[str]]]) -> tuple[int, int, int, int | None] | None:
    """(index of the line with the headings, columns of date, amount and currency)."""
    for index, (_number, cells) in enumerate(lines[:_HEADINGS_WITHIN]):
        names = [_bare_heading(cell) for cell in cells]
        on, amount = _column(names, DATES), _column(names, AMOUNTS)
        if on is not None and amount is not None:
            return index, on, amount, _column(names, CURRENCIES)
    return None


def _column(names: Sequence[str], known: Sequence[str]) -> int | None:
    return next((names.index(name) for name in known if name in names), None)


def _bare_heading(cell: str) -> str:
    return re.sub(r"\s*\((sek|kr|eur)\)$", "", cell.strip(' "*').lower())


def _row(number: int, cells: list[str], on: int, amount: int, currency: int | None, seen: Counter[str]) -> Row | None:
    """One row; None for money that went out."""
    text = " · ".join(cell for column, cell in enumerate(cells) if cell and column not in (on, amount))
    money = _amount(cells[amount]) if len(cells) > amount else None
    day = _day(cells[on]) if len(cells) > on else None
    if money is not None and money <= 0:
        return None
    if money is None:
        written = cells[amount] if len(cells) > amount else ""
        problem = _("“%(text)s” is no amount that can be read in one way only.") % {"text": written[:40]}
        return Row(number, text, problem=problem)
    if day is None:
        written = cells[on] if len(cells) > on else ""
        return Row(number, text, amount_minor=money, problem=_("“%(text)s” is no date.") % {"text": written[:40]})
    whole = "\x1f".join(cells)
    seen[whole] += 1
    fingerprint = hashlib.sha256(f"{whole}\x1f{seen[whole]}".encode()).hexdigest()
    said = cells[currency].upper() if currency is not None and len(cells) > currency else ""
    return Row(number, text, day, money, said, fingerprint)


def _amount(text: str) -> int | None:
    """Minor units; None for what is no amount, or could be two. `1.234` may be one or a thousand, so it is none."""
    bare = _SPACES.sub("", text)
    bare = re.sub(r"(?i)^(sek|eur|kr)|(sek|eur|kr)$", "", bare)
    found = _NUMBER.fullmatch(bare)
    if found is None:
        return None
    sign, whole, thousands, point, decimals = found.groups()
    if thousands and (point == thousands or not point):
        return None
    digits = re.sub("[.,]", "", whole)
    minor = int(digits) * 100 + int((decimals or "").ljust(2, "0") or 0)
    if minor > MOST_MINOR:
        return None
    return -minor if sign in ("-", "−") else minor


def _day(text: str) -> date | None:
    for form in _DAYS:
        try:
            return datetime.strptime(text.split(" ")[0], form).date()
        except ValueError:
            continue
    return None


def references(text: str, *, digits: int) -> Iterator[str]:
    """Runs of so many digits that stand alone in a row's text, also written in groups: "123 456 789"."""
    for run in re.findall(r"(?<![0-9])[0-9](?:[ \u00a0-]?[0-9])*(?![0-9])", text):
        bare = re.sub(r"[^0-9]", "", run)
        if len(bare) == digits:
            yield bare
    for word in re.findall(r"(?<![0-9])[0-9]+(?![0-9])", text):
        if len(word) == digits:
            yield word
