"""The block: it tells visitors of the offer, and an event whose published page has it sells by it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import get_language
from wagtail import blocks

WORDS = {
    "sv": "På tisdagar är varannan biljett gratis.",
    "en": "On Tuesdays every second ticket is free.",
}


class TwoForOneBlock(blocks.StructBlock):
    """One sentence, in the words of the organiser or in ours."""

    text = blocks.CharBlock(
        required=False, max_length=160, help_text="Empty: “On Tuesdays every second ticket is free.”"
    )
    most_free = blocks.IntegerBlock(
        required=False, min_value=1, label="Most free tickets in one order", help_text="Empty: any number."
    )

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        context = super().get_context(value, parent_context=parent_context)
        context["text"] = value.get("text") or WORDS["en" if (get_language() or "").startswith("en") else "sv"]
        return context

    class Meta:
        icon = "tag"
        label = "2 for 1 on Tuesdays"
        description = "Tells of the offer. While it stands on a published page, orders placed on Tuesdays have it."
        template = "two_for_one_tuesdays/block.html"
        preview_template = "events/blocks/preview.html"
        preview_value = {"text": "", "most_free": None}
        max_per_page = 1
