"""Wagtail's editor of running text, with one repair: what it cannot read is an empty text and never an error page."""

from __future__ import annotations

from typing import Any

from wagtail.admin.rich_text import DraftailRichTextArea

# What its converter raises for a value that no editor sends: an empty one, another kind of JSON, blocks that are none.
UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError)


class RichTextArea(DraftailRichTextArea):
    """Named in WAGTAILADMIN_RICH_TEXT_EDITORS: the editor of every text, in forms and in blocks."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> str | None:
        try:
            return super().value_from_datadict(data, files, name)
        except UNREADABLE:
            return ""
