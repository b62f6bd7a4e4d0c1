"""The static files as they are sent: a style with the files it imports in it, and our scripts and styles without the
comments that explain them and the spaces that set them in order.

Phones that open the same page in the same minute load what the page needs, in few requests, and not our words about it.
Only whole-line comments and indentation go, so that a file stays readable and its lines stay what they were.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import AppDirectoriesFinder, BaseFinder, FileSystemFinder
from django.core.files.storage import FileSystemStorage, Storage

OURS = ("foyer/", "ticketing/", "events/", "checkin/", "accounts/", "themes/")
_CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_JS_COMMENT = re.compile(r"^[ \t]*//.*\n?", re.MULTILINE)
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)
_EMPTY_LINES = re.compile(r"\n{2,}")
_IMPORT = re.compile(r'^@import "([\w-]+\.css)"( print)?;\n', re.MULTILINE)


def lean(name: str, text: str) -> str:
    """`text` of the script or style `name` without comments and indentation; anything else as it is. A script in which
    a text runs over several lines is left alone: there a line may look like a comment and be none."""
    if name.endswith(".css"):
        text = _CSS_COMMENT.sub("", text)
    elif name.endswith(".js") and not any(line.count("`") % 2 for line in text.splitlines()):
        text = _JS_COMMENT.sub("", text)
    else:
        return text
    return _EMPTY_LINES.sub("\n", _INDENT.sub("", text)).lstrip("\n")


def parts(file: Path) -> list[tuple[Path, bool]]:
    """The files beside a style that it imports, in order, and whether each is for paper alone."""
    found = _IMPORT.findall(file.read_text(encoding="utf-8")) if file.suffix == ".css" else []
    return [(file.with_name(name), bool(on_paper)) for name, on_paper in found]


def sent(file: Path) -> str:
    """The text of a script or style of ours as it is sent."""
    text = file.read_text(encoding="utf-8")
    for part, on_paper in parts(file):
        whole = part.read_text(encoding="utf-8")
        line = f'@import "{part.name}"{" print" if on_paper else ""};\n'
        text = text.replace(line, f"@media print {{\n{whole}}}\n" if on_paper else whole)
    return lean(file.name, text)


class LeanFinder(BaseFinder):
    """Finds our scripts and styles before Django's own finders do, as they are sent: made when they are asked for, and
    made anew when one of their sources has changed."""

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        self.sources = (FileSystemFinder(), AppDirectoriesFinder())
        self.made = FileSystemStorage(location=settings.VAR / "static")

    def check(self, **_kwargs: Any) -> list[Any]:
        return []  # the sources are Django's, and checked by themselves

    def find(self, path: str, find_all: bool = False, **_kwargs: Any) -> Any:
        source = self._source(path)
        if source is None:
            return []  # as Django's own say it, asked for one or for all
        found = str(self._make(path, source))
        return [found] if find_all else found

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, Storage]]:
        for finder in self.sources:
            for name, storage in finder.list(ignore_patterns):
                path = f"{storage.prefix}/{name}" if getattr(storage, "prefix", None) else name
                if self.find(path):
                    yield path, self.made

    def _source(self, path: str) -> Path | None:
        if not path.startswith(OURS) or not path.endswith((".js", ".css")):
            return None
        found = (finder.find(path) for finder in self.sources)
        return next((Path(str(one)) for one in found if one), None)

    def _make(self, path: str, source: Path) -> Path:
        target = Path(self.made.path(path))
        changed_at = max(os.stat(file).st_mtime_ns for file in (source, *(part for part, _on_paper in parts(source))))
        if not target.exists() or target.stat().st_mtime_ns != changed_at:
            target.parent.mkdir(parents=True, exist_ok=True)
            unfinished = target.with_name(f"{target.name}.{os.getpid()}-{threading.get_ident()}")
            unfinished.write_text(sent(source), encoding="utf-8")
            os.utime(unfinished, ns=(changed_at, changed_at))
            unfinished.replace(target)
        return target
