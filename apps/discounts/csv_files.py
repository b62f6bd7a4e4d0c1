"""CSV files as people send them: whatever program wrote them, as text, and what parts their cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator


class NoText(Exception):
    """The file is no text: a spreadsheet, a PDF, or in letters that nobody can tell."""


def decode(content: bytes) -> str:
    """The text of a file in UTF-8, UTF-16 or Windows-1252. Raises NoText."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text and not text.startswith(("PK\x03", "%PDF")):
            return text
    raise NoText


def rows_of(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(number of the line it ends on, cells) of each row, whatever ends the lines. Raises NoText where it is
    none, as with a cell beyond measure."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        for cells in rows:
            yield rows.line_num, cells
    except csv.Error as error:
        raise NoText from error


def delimiter_of(text: str, *, lines: int = 20) -> str:
    """Comma, semicolon or tab: whichever stands most often in the first lines."""
    head = "\n".join(text.splitlines()[:lines])
    return max(";\t,", key=head.count)
