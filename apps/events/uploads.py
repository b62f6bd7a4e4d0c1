"""What organisers upload as pictures: looked at before it is decoded, then painted anew.

A file says what it is and how large, and may lie; what is kept is what this module painted from it, no wider or higher
than `LONGEST`. So nothing of the sender's bytes is ever served (no page hidden behind a photo, no place where it was
taken), and whoever makes renditions later never meets a large picture. Nothing is decoded that would take more than
`MOST_BYTES`: while it receives a picture a process stays below 300 MB.
"""

from __future__ import annotations

import io
import warnings
from pathlib import PurePath
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageFile, ImageOps
from wagtail.images.fields import WagtailImageField
from wagtail.images.forms import BaseImageForm

LONGEST = 2560
DRAFT = 2048
# What decoding and painting take, measured: at most so many bytes in all, by bytes for each pixel of what was sent. A
# JPEG is decoded smaller than it is; one that is sent in passes is held whole meanwhile.
MOST_BYTES = 120_000_000
BYTES_PER_PIXEL = {"JPEG": 2, "JPEG in passes": 10, "PNG": 7, "PNG with alpha": 12, "WEBP": 20, "AVIF": 12}
MOST_PROFILE_BYTES = 64 * 1024
KEPT_AS = {"JPEG": ("JPEG", "jpg"), "PNG": ("PNG", "png"), "WEBP": ("WEBP", "webp"), "AVIF": ("WEBP", "webp")}
QUALITY = 90

TOO_LARGE = _("This picture has too many pixels. Make it smaller (%(longest)s pixels are enough) and send it again.")
BROKEN = _("This file is no picture, or it was cut off on its way. Save the picture anew and send it again.")


class PictureForm(BaseImageForm):
    """Wagtail's form of a picture, wherever one is uploaded or edited: it asks what the picture shows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "description" in self.fields:
            field = self.fields["description"]
            field.required = True
            field.help_text = _("What the picture shows, in a sentence, for those who cannot see it.")

        if "file" in self.fields:
            theirs = self.fields["file"]
            self.fields["file"] = PictureField(label=theirs.label, required=theirs.required, widget=theirs.widget)


class PictureField(WagtailImageField):
    """Wagtail's field, which decodes what it is given: so it is given what we painted."""

    def to_python(self, data: Any) -> Any:
        if isinstance(data, UploadedFile):
            self.check_image_file_size(data)
            receive(data)
        return super().to_python(data)


def read_whole_files_only() -> None:
    """Have Pillow refuse what was cut off on its way: WeasyPrint, where it is loaded, has it take that."""
    ImageFile.LOAD_TRUNCATED_IMAGES = False


def receive(file: UploadedFile) -> None:
    """Put the picture painted anew in the place of what was sent, in the same file: whichever way Wagtail takes it from
    here it takes this. Raises ValidationError for what cannot or should not be decoded."""
    file.seek(0)
    kind, painted = painted_anew(file)
    held: Any = file.file
    held.seek(0)
    held.truncate()
    held.write(painted)
    held.seek(0)
    name, suffix = KEPT_AS[kind]
    file.size = len(painted)
    file.content_type = f"image/{name.lower()}"
    file.name = f"{PurePath(file.name or 'picture').stem}.{suffix}"


def painted_anew(file: Any) -> tuple[str, bytes]:
    """The format of what was sent, and the picture painted from it. Raises ValidationError."""
    try:
        read_whole_files_only()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own bounds are lower
            with Image.open(file, formats=list(KEPT_AS)) as image:
                kind = str(image.format)
                if image.width * image.height * BYTES_PER_PIXEL[_sort_of(image)] > MOST_BYTES:
                    raise ValidationError(TOO_LARGE, params={"longest": LONGEST}, code="too_large")
                return kind, _painted(image, kind)
    except Image.DecompressionBombError as error:
        raise ValidationError(TOO_LARGE, params={"longest": LONGEST}, code="too_large") from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError) as error:  # what Pillow's readers raise
        raise ValidationError(BROKEN, code="broken") from error


def _sort_of(image: Image.Image) -> str:
    if image.format == "JPEG" and image.info.get("progressive"):
        return "JPEG in passes"
    return "PNG with alpha" if image.format == "PNG" and _has_alpha(image) else str(image.format)


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info


def _painted(image: Image.Image, kind: str) -> bytes:
    name, _suffix = KEPT_AS[kind]
    part = DRAFT / max(image.size)
    # A JPEG is decoded at the half, quarter or eighth that is still large enough.
    image.draft(None, (round(image.width * part), round(image.height * part)))
    profile = image.info.get("icc_profile") or b""
    mode = "RGBA" if _has_alpha(image) and name != "JPEG" else "L" if image.mode in ("1", "L") else "RGB"
    if image.mode == "CMYK":
        profile = b""  # it speaks of inks
    whole = image if image.mode == mode else image.convert(mode)
    whole.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS, reducing_gap=2.0)
    turned = ImageOps.exif_transpose(whole)
    # A copy without what was told of it: place, time, camera, comments.
    clean = Image.new(mode, turned.size)
    clean.paste(turned)
    kept = {"icc_profile": profile} if 0 < len(profile) <= MOST_PROFILE_BYTES else {}
    out = io.BytesIO()
    clean.save(out, name, **({"optimize": True} if name == "PNG" else {"quality": QUALITY}), **kept)
    return out.getvalue()
