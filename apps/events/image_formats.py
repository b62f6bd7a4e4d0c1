"""The one way in which a picture stands in running text: as wide as the text, in the widths of `photos`."""

from __future__ import annotations

from typing import Any

from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from wagtail.images.formats import Format, register_image_format, unregister_image_format
from wagtail.images.rich_text import ImageEmbedHandler

from apps.events import photos


class TextPicture(Format):
    """A picture as wide as the text around it. In the editor it is Wagtail's own."""

    def image_to_html(self, image: Any, alt_text: str, extra_attributes: dict[str, Any] | None = None) -> str:
        if extra_attributes:
            return super().image_to_html(image, alt_text, extra_attributes)
        html = photos.picture(image, "text", alt=alt_text)
        return format_html('<div class="figure">{}</div>', html) if html else ""


class TextPictures(ImageEmbedHandler):
    """All pictures of a text, read in two queries."""

    @classmethod
    def get_many(cls, attrs_list: list[dict[str, Any]]) -> list[Any]:
        images = super().get_many(attrs_list)
        photos.prepare(images, "text")
        return images


for name in ("fullwidth", "left", "right"):
    unregister_image_format(name)
register_image_format(TextPicture("fullwidth", _("As wide as the text"), "", "width-800"))
