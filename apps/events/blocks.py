"""The blocks that every event page may be composed of. Each has one job; facts come from the Event, not from here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.blocks.struct_block import StructBlockValidationError
from wagtail.images.blocks import ImageBlock, ImageChooserBlock

from apps.events import photos
from apps.events.posters import MOTIFS, NIGHT

TELL, FACTS, ACT = _("Tell"), _("Facts"), _("Act")
RICH_TEXT = ["h2", "h3", "bold", "italic", "ol", "ul", "link", "hr", "blockquote", "image"]
PREVIEW = "events/blocks/preview.html"
MOST_PICTURES, MOST_PARTNERS = 12, 24
MAP = "https://www.openstreetmap.org/search"

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


def own_heading(help_text: Any = "") -> blocks.CharBlock:
    return blocks.CharBlock(required=False, max_length=80, label=_("Heading"), default="", help_text=help_text)


def sample_event() -> Any:
    """An event that is nowhere: what the previews of blocks tell of."""
    from apps.events.models import Event, Organisation  # models take their blocks from here

    evening = (timezone.localtime() + timedelta(days=20)).replace(hour=18, minute=0, second=0, microsecond=0)
    return Event(
        organisation=Organisation(name="Festföreningen Lyktan", slug="lyktan"),
        title_sv="Luciasittning",
        title_en="Lucia dinner",
        starts_at=evening,
        ends_at=evening + timedelta(hours=8),
        doors_at=evening - timedelta(minutes=30),
        venue="Kårhuset Fyren",
        venue_address="Campusvägen 3, Linköping",
    )


class PictureBlock(ImageBlock):
    """A picture and what it shows here, or that it only decorates. Reads too, and side by side, what was stored without
    a word (a bare id) and none at all; what Wagtail reads is one or the other."""

    image = ImageChooserBlock(label=_("Picture"))

    def to_python(self, value: Any) -> Any:
        return super().to_python(self._described(value))

    def bulk_to_python(self, values: Iterable[Any]) -> list[Any]:
        return super().bulk_to_python([self._described(value) for value in values])

    def _described(self, value: Any) -> dict[str, Any]:
        return value if isinstance(value, dict) else {"image": value, "alt_text": "", "decorative": False}


class StoryBlock(blocks.StructBlock):
    """What the blocks of the house share: their preview is told of a sample event."""

    def get_preview_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        return {**super().get_preview_context(value, parent_context), "event": sample_event()}

    class Meta:
        preview_template = PREVIEW


def motif_choices() -> list[tuple[str, Any]]:
    motifs = [(name, MOTIF_NAMES.get(name, name)) for name in MOTIFS]
    return motifs + [(name, title) for name, (title, _hero, _card) in DRAWINGS.items()]


class HeroBlock(StoryBlock):
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
    photo = PictureBlock(required=False, label=_("Photo instead"))

    def get_preview_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        context = super().get_preview_context(value, parent_context)
        return {
            **context,
            "value": value,
            "poster": photos.picture(photos.sample(value["motif"] or "arches", colour=NIGHT), "hero"),
        }

    class Meta:
        icon = "image"
        group = TELL
        label = _("Hero")
        description = _("Chooses the poster at the top of the page. Wherever it stands, it shows at the top.")
        template = "events/blocks/hero.html"
        preview_template = "events/blocks/hero_preview.html"
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
        preview_template = PREVIEW
        preview_value = "<p>When the dark is deepest we light all we have. Three courses, songs and dancing.</p>"


class PracticalInfoBlock(StoryBlock):
    """Where and when, read from the event, and what else a guest should know."""

    heading = own_heading()
    age = blocks.IntegerBlock(
        required=False, min_value=1, max_value=99, label=_("Youngest age"), help_text=_("Empty: for all ages.")
    )
    map = blocks.URLBlock(
        required=False,
        max_length=500,
        label=_("Link to a map"),
        help_text=_("Empty: OpenStreetMap is asked for the event's address."),
    )
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
        help_text=_("Such as: Cloakroom · 20 kr, cards only"),
    )

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        context = super().get_context(value, parent_context=parent_context)
        event = context.get("event")
        place = (event.venue_address or event.venue) if event else ""
        context["map_url"] = value.get("map") or (f"{MAP}?{urlencode({'query': place})}" if place else "")
        return context

    class Meta:
        icon = "info-circle"
        group = FACTS
        label = _("Practical information")
        description = _("Date, doors, place with a map and age limit, and facts of your own.")
        template = "events/blocks/practical_info.html"
        preview_value = {
            "heading": "",
            "age": 18,
            "map": "",
            "notes": [{"title": _("Cloakroom"), "text": _("20 kr, cards only")}],
        }


class ProgrammeBlock(StoryBlock):
    """What happens when, or who plays: rows with a time, or without."""

    heading = own_heading(_("Empty: “Programme”."))
    rows = blocks.ListBlock(
        blocks.StructBlock(
            [
                ("time", blocks.TimeBlock(required=False, label=_("Time"))),
                ("title", blocks.CharBlock(max_length=120, label=_("What or who"))),
                ("text", blocks.CharBlock(required=False, max_length=240, label=_("More about it"))),
                ("picture", PictureBlock(required=False, label=_("Picture"))),
            ]
        ),
        label=_("Rows"),
    )

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        context = super().get_context(value, parent_context=parent_context)
        rows = list(value["rows"])
        photos.prepare([row.get("picture") for row in rows], "act")
        context["rows"] = [(row, photos.picture(row.get("picture"), "act")) for row in rows]
        context["has_times"] = any(row.get("time") for row in rows)
        return context

    class Meta:
        icon = "list-ul"
        group = TELL
        label = _("Programme")
        description = _("What happens when, or who plays, with a picture where there is one. One for each day.")
        template = "events/blocks/programme.html"

        @staticmethod
        def preview_value() -> dict[str, Any]:
            rows = [
                (time(17, 30), gettext("Doors open"), gettext("Mulled wine in the foyer"), None),
                (time(18, 0), gettext("Dinner begins"), gettext("We sit down together"), None),
                (time(20, 15), gettext("The Lucia procession"), gettext("The choir Istappen"), photos.sample("star")),
            ]
            return {
                "heading": "",
                "rows": [dict(zip(("time", "title", "text", "picture"), row, strict=True)) for row in rows],
            }


class GalleryBlock(StoryBlock):
    """Pictures side by side, the first across the whole width."""

    heading = own_heading(_("Empty: none."))
    pictures = blocks.ListBlock(
        blocks.StructBlock(
            [
                ("picture", PictureBlock(label=_("Picture"))),
                ("caption", blocks.CharBlock(required=False, max_length=160, label=_("Caption"))),
            ]
        ),
        max_num=MOST_PICTURES,
        label=_("Pictures"),
        help_text=_("At most 12. The first is the largest."),
    )

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        context = super().get_context(value, parent_context=parent_context)
        rows = [row for row in value["pictures"] if row.get("picture")]
        photos.prepare([row["picture"] for row in rows], "gallery", "gallery-wide")
        shown = [
            (photos.picture(row["picture"], "gallery" if at else "gallery-wide"), row.get("caption"))
            for at, row in enumerate(rows)
        ]
        context["pictures"] = [(html, caption) for html, caption in shown if html]
        return context

    class Meta:
        icon = "copy"
        group = TELL
        label = _("Gallery")
        description = _("Up to 12 pictures with captions.")
        template = "events/blocks/gallery.html"

        @staticmethod
        def preview_value() -> dict[str, Any]:
            motifs = [("arches", "#A5124B"), ("hills", "#0B3D91"), ("curtain", "#12664A")]
            pictures = [
                {
                    "picture": photos.sample(motif, colour=colour),
                    "caption": gettext("Posters of past years") if not at else "",
                }
                for at, (motif, colour) in enumerate(motifs)
            ]
            return {"heading": "", "pictures": pictures}


class PartnersBlock(StoryBlock):
    """Who makes it possible: logotypes that lead to their owners."""

    heading = own_heading(_("Empty: “With support from”."))
    partners = blocks.ListBlock(
        blocks.StructBlock(
            [
                ("name", blocks.CharBlock(max_length=80, label=_("Name"))),
                ("logo", ImageChooserBlock(required=False, label=_("Logotype"))),
                ("address", blocks.URLBlock(required=False, label=_("Web address"))),
            ]
        ),
        max_num=MOST_PARTNERS,
        label=_("Partners"),
    )

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        context = super().get_context(value, parent_context=parent_context)
        partners = list(value["partners"])
        photos.prepare([partner.get("logo") for partner in partners], "logo")
        # The name stands below the logotype: to a screen reader it need not be said twice.
        context["partners"] = [(partner, photos.picture(partner.get("logo"), "logo", alt="")) for partner in partners]
        return context

    class Meta:
        icon = "group"
        group = TELL
        label = _("Partners")
        description = _("Logotypes and names of those who support the event, leading to their sites.")
        template = "events/blocks/partners.html"

        @staticmethod
        def preview_value() -> dict[str, Any]:
            names = [("Studentkåren Norra", "arches"), ("Kafé Trasten", "star"), ("Tryckeriet", "bars")]
            return {
                "heading": "",
                "partners": [
                    {"name": name, "logo": photos.sample(motif), "address": "https://example.org/"}
                    for name, motif in names
                ],
            }


class CountdownBlock(StoryBlock):
    """The time left until the doors open or the event begins. The sale's opening has its own, in the ticket block."""

    until = blocks.ChoiceBlock(
        choices=[("doors", _("The doors open")), ("start", _("It begins"))],
        default="doors",
        label=_("Counts down to"),
        help_text=_("The time is the event's own. Without a time for the doors it is when the event begins."),
    )

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        context = super().get_context(value, parent_context=parent_context)
        event = context.get("event")
        if event is None:
            return context
        to_doors = value.get("until") == "doors" and event.doors_at is not None
        context["to_doors"] = to_doors
        context["until"] = event.doors_at if to_doors else event.starts_at
        context["due"] = gettext("The doors are open.") if to_doors else gettext("It has begun.")
        at = context.get("at") or timezone.now()
        context["is_due"], context["is_over"] = context["until"] <= at, event.ends_at <= at
        return context

    class Meta:
        icon = "time"
        group = FACTS
        label = _("Countdown")
        description = _("Days, hours, minutes and seconds until the doors open or the event begins.")
        template = "events/blocks/countdown.html"
        preview_value = {"until": "doors"}


class FaqBlock(StoryBlock):
    """Questions that open to their answers."""

    heading = own_heading()
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
        preview_value = {
            "heading": "",
            "questions": [{"question": _("What if I cannot come?"), "answer": "<p>Sell the ticket back here.</p>"}],
        }


class CallToActionBlock(StoryBlock):
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
        ("programme", ProgrammeBlock()),
        ("gallery", GalleryBlock()),
        ("partners", PartnersBlock()),
        ("practical_info", PracticalInfoBlock()),
        ("countdown", CountdownBlock()),
        ("faq", FaqBlock()),
        ("call_to_action", CallToActionBlock()),
    ]
