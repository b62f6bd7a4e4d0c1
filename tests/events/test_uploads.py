"""What is uploaded as a picture: evil files are refused with a sentence or kept as a harmless picture of themselves."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image
from wagtail.images import get_image_model

from tests.tenancy.world import World

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = b"<script>alert(1)</script>"
MEGABYTES = 300
TOO_LARGE = "This picture has too many pixels. Make it smaller (2560 pixels are enough) and send it again."
BROKEN = "This file is no picture, or it was cut off on its way. Save the picture anew and send it again."


def drawn(kind: str, size: tuple[int, int] = (40, 30), mode: str = "RGB", **how: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, "#A5124B").save(file, kind, **how)
    return file.getvalue()


def flat_png(width: int, height: int) -> bytes:
    """A black picture of one bit for each pixel: a kilobyte that unpacks to a million."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(9)
    row = b"\0" * (1 + (width + 7) // 8)
    packed = b"".join(packer.compress(row * 500) for _ in range(height // 500)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def located() -> bytes:
    """A photo that says where it was taken, and lies on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    exif[0x010E] = "<script>alert(1)</script>"
    return drawn("JPEG", exif=exif)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "svg": ("a.svg", lambda: SVG, BROKEN),
    "svg-named-png": ("a.png", lambda: SVG, BROKEN),
    "page": ("a.jpg", lambda: b"<!doctype html>" + SCRIPT, BROKEN),
    "cut-off": ("a.jpg", lambda: drawn("JPEG", (400, 300))[:700], BROKEN),
    "cut-off-png": ("a.png", lambda: flat_png(2000, 2000)[:-400], BROKEN),
    "gif": ("a.gif", lambda: drawn("GIF"), BROKEN),
    "tiff-named-jpg": ("a.jpg", lambda: drawn("TIFF"), BROKEN),
    "bomb": ("a.png", lambda: flat_png(12_000, 12_000), TOO_LARGE),
    "thirty-thousand": ("a.png", lambda: flat_png(30_000, 30_000), TOO_LARGE),
    "lying-head": ("a.png", lambda: flat_png(2000, 2000).replace(struct.pack(">II", 2000, 2000), b"\x7f" * 8), BROKEN),
    "large-file": ("a.jpg", lambda: drawn("JPEG") + b"\0" * (15 << 20), "This file is too big"),
}  # fmt: skip
KEPT: dict[str, tuple[str, Callable[[], bytes], str, tuple[int, int]]] = {
    "page-behind-a-photo": ("a.jpg", lambda: drawn("JPEG") + SCRIPT, "JPEG", (40, 30)),
    "page-in-a-comment": ("a.jpg", lambda: drawn("JPEG", comment=SCRIPT), "JPEG", (40, 30)),
    "place-and-side": ("a.jpg", located, "JPEG", (30, 40)),
    "wrong-name": ("a.jpg", lambda: drawn("PNG"), "PNG", (40, 30)),
    "name-of-a-page": ("a.html", lambda: drawn("JPEG"), "JPEG", (40, 30)),
    "avif": ("a.avif", lambda: drawn("AVIF"), "WEBP", (40, 30)),
    "clear": ("a.png", lambda: drawn("PNG", mode="RGBA"), "PNG", (40, 30)),
    "inks": ("a.jpg", lambda: drawn("JPEG", mode="CMYK"), "JPEG", (40, 30)),
    "strip": ("a.png", lambda: flat_png(30_000, 500), "PNG", (2560, 43)),
    "large-photo": ("a.jpg", lambda: drawn("JPEG", (6000, 4000)), "JPEG", (2560, 1707)),
}


def send(client: Client, name: str, content: bytes, description: str = "A wall") -> Any:
    data = {"title": "Wall", "description": description, "file": SimpleUploadedFile(name, content), "tags": ""}
    return client.post(reverse("wagtailimages:add"), data)


@pytest.fixture
def editor(ours: World, client: Client) -> Client:
    client.force_login(ours.editor)
    return client


def kept() -> list[Any]:
    return list(get_image_model().objects.filter(title="Wall"))


@pytest.mark.django_db
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_picture_or_too_much_is_refused_with_a_sentence(editor: Client, name: str) -> None:
    file, content, sentence = REFUSED[name]

    response = send(editor, file, content())

    assert response.status_code == 200
    (said,) = response.context["form"].errors["file"]
    assert said.startswith(sentence)
    assert kept() == []


@pytest.mark.django_db
@pytest.mark.parametrize("name", KEPT)
def test_picture_is_kept_as_what_we_painted_from_it(editor: Client, settings: LazySettings, name: str) -> None:
    file, content, kind, size = KEPT[name]

    assert send(editor, file, content()).status_code == 302

    (image,) = kept()
    stored = Path(image.file.path).read_bytes()
    picture = Image.open(io.BytesIO(stored))
    assert (picture.format, picture.size, (image.width, image.height)) == (kind, size, size)
    assert (dict(picture.getexif()), b"script" in stored, image.file_size) == ({}, False, len(stored))
    sent = editor.get(image.file.url)
    assert (sent["Content-Type"], sent["X-Content-Type-Options"]) == ("image/" + kind.lower(), "nosniff")
    assert "default-src 'none'" in sent["Content-Security-Policy"]


@pytest.mark.django_db
def test_picture_must_say_what_it_shows(editor: Client) -> None:
    response = send(editor, "a.png", drawn("PNG"), description="")

    assert (list(response.context["form"].errors), kept()) == (["description"], [])


@pytest.mark.django_db
def test_pictures_sent_together_wait_for_their_descriptions_and_are_painted_too(editor: Client) -> None:
    sent = {"title": "Wall", "files[]": SimpleUploadedFile("a.jpg", drawn("JPEG") + SCRIPT)}
    answer = json.loads(editor.post(reverse("wagtailimages:add_multiple"), sent).content)

    assert (answer["success"], kept()) == (True, [])
    place = answer["uploaded_file_id"]
    address = reverse("wagtailimages:create_multiple_from_uploaded_image", args=[place])
    field = f"uploaded-image-{place}"
    for described, is_kept in (("", False), ("A wall", True)):
        data = {f"{field}-title": "Wall", f"{field}-description": described, f"{field}-tags": ""}
        assert json.loads(editor.post(address, data).content)["success"] is is_kept
        assert len(kept()) == is_kept
    (image,) = kept()
    assert b"script" not in Path(image.file.path).read_bytes()


@pytest.mark.django_db
def test_picture_from_before_is_edited_without_being_sent_again(editor: Client, ours: World) -> None:
    address = reverse("wagtailimages:edit", args=[ours.image.pk])
    before = ours.image.file.name

    editor.post(address, {"title": "Wall", "description": "A wall", "tags": ""})

    (image,) = kept()
    assert (image.description, image.file.name) == ("A wall", before)


CHILD = """
import sys
import django
django.setup()
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from apps.events.uploads import PictureField
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        sent = SimpleUploadedFile(name, file.read())
    try:
        PictureField().clean(sent)
        print("kept")
    except ValidationError:
        print("refused")
with open("/proc/self/status") as status:
    (most,) = [line.split()[1] for line in status if line.startswith("VmHWM")]
print(int(most) // 1024)
"""


def test_no_picture_takes_a_process_more_memory_than_it_may(tmp_path: Path) -> None:
    """The evil ones, and the largest that are taken of each kind, one after the other in a process of its own."""
    files = {
        "bomb.png": (flat_png(12_000, 12_000), "refused"),
        "thirty-thousand.png": (flat_png(30_000, 30_000), "refused"),
        "photo.jpg": (drawn("JPEG", (9400, 6300)), "kept"),
        "square.jpg": (drawn("JPEG", (4090, 4090)), "kept"),
        "in-passes.jpg": (drawn("JPEG", (3990, 2990), progressive=True, subsampling=0), "kept"),
        "in-more-passes.jpg": (drawn("JPEG", (4300, 3000), progressive=True), "refused"),
        "plain.png": (drawn("PNG", (4900, 3400)), "kept"),
        "clear.png": (drawn("PNG", (3800, 2600), "RGBA"), "kept"),
        "clear.webp": (drawn("WEBP", (2900, 2050), "RGBA"), "kept"),
        "clear.avif": (drawn("AVIF", (3800, 2600), "RGBA", speed=10), "kept"),
    }
    for name, (content, _verdict) in files.items():
        (tmp_path / name).write_bytes(content)

    child = subprocess.run(
        [sys.executable, "-c", CHILD, *(str(tmp_path / name) for name in files)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'site'}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    *verdicts, megabytes = child.stdout.split()
    assert dict(zip(files, verdicts, strict=True)) == {name: verdict for name, (_content, verdict) in files.items()}
    assert int(megabytes) < MEGABYTES
