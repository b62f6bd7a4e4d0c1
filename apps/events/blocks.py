"""The blocks that every event page may be composed of. Each has one job; facts come from the Event, not from here."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.blocks.struct_block import StructBlockValidationError
from wagtail.images.blocks import ImageChooserBlock

from apps.events.posters import MOTIFS

TELL, FACTS, ACT = _("Tell"), _("Facts"), _("Act")
RICH_TEXT = ["h2", "h3", "bold", "italic", "ol", "ul", "link", "hr", "blockquote"]

MOTIF_NAMES = {
    "arches": _("Arches"),
    "bars": _("Organ pipes"),
    "star": _("Star"),
    "quarters": _("Quarter circles"),
    "dice": _("Dice"),
    "hills": _("Hills"),
    "curtain": _("Curtain"),
}
# Drawn posters that are more than a motif: {name: (title, hero, card)} of static files.
DRAWINGS = {"lucia": (_("Lucia procession"), "foyer/art/lucia-hero.svg", "foyer/art/lucia-poster.svg")}


def motif_choices() -> list[tuple[str, Any]]:
    motifs = [(name, MOTIF_NAMES.get(name, name)) for name in MOTIFS]
    return motifs + [(name, title) for name, (title, _hero, _card) in DRAWINGS.items()]


class HeroBlock(blocks.StructBlock):
    """How the page's poster looks. Title, date and place are the event's own."""

    kicker = blocks.CharBlock(
        required=False, max_length=80, label=_("Line above the title"), help_text=_("Empty: the name of who invites.")
    )
    motif = blocks.ChoiceBlock(
        choices=motif_choices,
        required=False,
        label=_("Poster"),
        help_text=_("Empty: one that is drawn for this event alone."),
    )
    photo = ImageChooserBlock(required=False, label=_("Photo instead"))

    class Meta:
        icon = "image"
        group = TELL
        label = _("Hero")
        description = _("Chooses the poster at the top of the page. Wherever it stands, it shows at the top.")
        template = "events/blocks/hero.html"
        preview_template = "events/blocks/preview.html"
        preview_value = {"kicker": _("We invite you"), "motif": "star", "photo": None}
        max_per_page = 1


class TextBlock(blocks.RichTextBlock):
    """Running text with headings, lists and links."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(features=RICH_TEXT, **kwargs)

    class Meta:
        icon = "pilcrow"
        group = TELL
        label = _("Text")
        description = _("Running text with headings, lists and links.")
        template = "events/blocks/text.html"
        preview_template = "events/blocks/preview.html"
        preview_value = "<p>When the dark is deepest we light all we have. Three courses, songs and dancing.</p>"


class PracticalInfoBlock(blocks.StructBlock):
    """Where and when, read from the event, and what else a guest should know."""

    heading = blocks.CharBlock(required=False, max_length=80, label=_("Heading"), default="")
    notes = blocks.ListBlock(
        blocks.StructBlock(
            [
                ("title", blocks.CharBlock(max_length=80, label=_("In bold"))),
                ("text", blocks.CharBlock(required=False, max_length=200, label=_("Below"))),
            ]
        ),
        required=False,
        default=[],
        label=_("More facts"),
        help_text=_("Such as: 18 years · Bring identification"),
    )

    class Meta:
        icon = "info-circle"
        group = FACTS
        label = _("Practical information")
        description = _("Date, doors, place and address of the event, and facts of your own.")
        template = "events/blocks/practical_info.html"
        preview_template = "events/blocks/preview.html"
        preview_value = {"heading": "", "notes": [{"title": _("18 years"), "text": _("Bring identification")}]}


class FaqBlock(blocks.StructBlock):
    """Questions that open to their answers."""

    heading = blocks.CharBlock(required=False, max_length=80, label=_("Heading"), default="")
    questions = blocks.ListBlock(
        blocks.StructBlock(
            [
                ("question", blocks.CharBlock(max_length=160, label=_("Question"))),
                ("answer", blocks.RichTextBlock(features=["bold", "italic", "ul", "link"], label=_("Answer"))),
            ]
        ),
        label=_("Questions"),
    )

    class Meta:
        icon = "help"
        group = FACTS
        label = _("Questions and answers")
        description = _("Questions guests ask, each opening to its answer.")
        template = "events/blocks/faq.html"
        preview_template = "events/blocks/preview.html"
        preview_value = {
            "heading": "",
            "questions": [{"question": _("What if I cannot come?"), "answer": "<p>Sell the ticket back here.</p>"}],
        }


class CallToActionBlock(blocks.StructBlock):
    """One sentence and one button."""

    text = blocks.CharBlock(max_length=160, label=_("Sentence"))
    label = blocks.CharBlock(
        max_length=40, label=_("Text of the button"), help_text=_("Say the act: “Join the choir”.")
    )
    page = blocks.PageChooserBlock(required=False, label=_("Leads to a page"))
    address = blocks.URLBlock(required=False, label=_("Or to an address"))

    def clean(self, value: Any) -> Any:
        cleaned = super().clean(value)
        if bool(cleaned["page"]) == bool(cleaned["address"]):
            raise StructBlockValidationError({"page": ValidationError(_("Choose either a page or an address."))})
        return cleaned

    class Meta:
        icon = "pick"
        group = ACT
        label = _("Call to action")
        description = _("One sentence and one button.")
        template = "events/blocks/call_to_action.html"
        preview_template = "events/blocks/preview.html"
        preview_value = {
            "text": _("Do you want to help at the door?"),
            "label": _("Write to us"),
            "page": None,
            "address": "https://example.org/",
        }


def standard_blocks() -> list[tuple[str, blocks.Block]]:
    """What comes with the house."""
    return [
        ("hero", HeroBlock()),
        ("text", TextBlock()),
        ("practical_info", PracticalInfoBlock()),
        ("faq", FaqBlock()),
        ("call_to_action", CallToActionBlock()),
    ]
