"""Pictures for Chromium's fake camera: an uncompressed film (y4m) of a QR code, drawn here without any tool."""

from __future__ import annotations

import subprocess
from bisect import bisect_left
from collections.abc import Callable, Iterable
from pathlib import Path

import segno

WIDTH, HEIGHT, PER_SECOND = 640, 480, 10
GROUND, PAPER, INK = 90, 235, 16  # luma: a dim room, white paper, black print
_colour = bytes([128]) * (WIDTH * HEIGHT // 2)  # none


def write(path: Path, scenes: Iterable[tuple[str, float]]) -> Path:
    """A film that shows each text as a QR code, or an empty room for "", for so many seconds; the camera repeats it.

    It takes the place of the old one at once: a camera that runs goes on with the film it began.
    """
    return write_pictures(path, ((_picture(text), seconds) for text, seconds in scenes))


def write_pictures(path: Path, scenes: Iterable[tuple[bytes, float]]) -> Path:
    """The same for pictures: WIDTH x HEIGHT bytes of grey each."""
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as film:
        film.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{PER_SECOND}:1 Ip A1:1 C420jpeg\n".encode())
        for picture, seconds in scenes:
            frame = b"FRAME\n" + picture + _colour
            for _number in range(max(1, round(seconds * PER_SECOND))):
                film.write(frame)
    return fresh.replace(path)


def of_paper(pgm: Path) -> bytes:
    """What a camera sees when the code on a sheet of paper (a PGM file) is held into the middle of the picture.

    The code is where zbarimg still reads it after what lies around it was cut away. Raises AssertionError without one.
    """
    magic, width, height, _white, pixels = pgm.read_bytes().split(maxsplit=4)
    assert magic == b"P5"
    across, down = int(width), int(height)
    rows = [pixels[y * across :][:across] for y in range(down)]

    def reads(top: int, bottom: int, left: int, right: int) -> bool:
        if bottom <= top or right <= left:
            return False
        part = pgm.with_suffix(".part.pgm")
        cut = b"".join(row[left:right] for row in rows[top:bottom])
        part.write_bytes(b"P5 %d %d 255\n" % (right - left, bottom - top) + cut)
        return subprocess.run(["zbarimg", "-q", part], capture_output=True).returncode == 0

    def first(size: int, question: Callable[[int], bool]) -> int:
        return bisect_left(range(size), True, key=question)

    assert reads(0, down, 0, across), "zbarimg finds no code on the page"
    bottom = first(down, lambda y: reads(0, y, 0, across))
    top = down - first(down, lambda y: reads(down - y, down, 0, across))
    right = first(across, lambda x: reads(top, bottom, 0, x))
    left = across - first(across, lambda x: reads(top, bottom, across - x, across))
    table = bytes([GROUND])
    around = [table * (across + 2 * WIDTH)] * HEIGHT
    wide = [*around, *(table * WIDTH + row + table * WIDTH for row in rows), *around]
    y, x = (top + bottom) // 2 + HEIGHT // 2, (left + right) // 2 + WIDTH // 2
    return b"".join(row[x : x + WIDTH] for row in wide[y : y + HEIGHT])


def _picture(text: str) -> bytes:
    rows = [bytearray([GROUND]) * WIDTH for _row in range(HEIGHT)]
    if text:
        modules = [list(row) for row in segno.make(text, error="m", micro=False).matrix_iter(scale=6, border=4)]
        left, top = (WIDTH - len(modules[0])) // 2, (HEIGHT - len(modules)) // 2
        for y, row in enumerate(modules):
            rows[top + y][left : left + len(row)] = bytes(INK if dark else PAPER for dark in row)
    return b"".join(bytes(row) for row in rows)


EMPTY = _picture("")
