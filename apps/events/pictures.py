"""Our own posters as pictures of dots, for mail programs, which show no SVG.

Knows what `posters` and the drawings in `static/foyer/art` are made of and no more: filled paths, circles and rounded
rectangles, opacity, moved, turned and scaled groups, and lines dashed into dots. Never given anybody else's SVG.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from xml.etree import ElementTree

from PIL import Image, ImageColor, ImageDraw

SMOOTH = 2  # each dot is drawn as so many by so many, and made smaller again
COLOURS = 128
STEP = math.pi / 24  # of an arc
_TOKEN = re.compile(r"([MmLlHhVvCcQqTtAaZz])|(-?(?:\d+\.\d*|\.\d+|\d+)(?:e-?\d+)?)")
_TURN = re.compile(r"(translate|rotate|scale)\(([^)]*)\)")
_TAKES = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "Q": 4, "T": 2, "A": 7, "Z": 0}

Point = tuple[float, float]
Shape = list[list[Point]]


@dataclass(frozen=True)
class Matrix:
    """Where a point of a group comes to lie: x' = ax + cy + e, y' = bx + dy + f."""

    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 1.0
    e: float = 0.0
    f: float = 0.0

    def of(self, point: Point) -> Point:
        x, y = point
        return self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f

    def then(self, inner: Matrix) -> Matrix:
        a, b = inner.a, inner.b
        e, f = self.of((inner.e, inner.f))
        return Matrix(
            self.a * a + self.c * b,
            self.b * a + self.d * b,
            self.a * inner.c + self.c * inner.d,
            self.b * inner.c + self.d * inner.d,
            e,
            f,
        )

    @property
    def size(self) -> float:
        return math.hypot(self.a, self.b)


@lru_cache(maxsize=64)
def draw(svg: str, ground: str, window: tuple[float, float, float, float], width: int, drift: bool = True) -> bytes:
    """The part `window` (left, top, width, height, in the SVG's own measure) on `ground` as PNG, `width` dots wide.

    With `drift` the lower edge is a slow curve under which the picture is clear, so that it stands on whatever ground
    the reader has.
    """
    left, top, wide, high = window
    scale = width * SMOOTH / wide
    size = (width * SMOOTH, round(high * scale))
    canvas = Image.new("RGB", size, ground)
    _draw(canvas, ElementTree.fromstring(svg), Matrix(scale, 0, 0, scale, -left * scale, -top * scale), "#000000", 1.0)
    if drift:
        canvas.putalpha(_above_the_drift(size))
    smooth = canvas.resize((width, size[1] // SMOOTH), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    smooth.quantize(COLOURS, method=Image.Quantize.FASTOCTREE).save(file, "PNG", optimize=True)
    return file.getvalue()


def _above_the_drift(size: tuple[int, int]) -> Image.Image:
    width, height = size
    edge = [(x, height * (0.965 + 0.022 * math.sin(2.1 * math.pi * x / width + 0.9))) for x in range(0, width + 8, 8)]
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).polygon([(0, 0), (width, 0), *reversed(edge)], fill=255)
    return mask


def _draw(canvas: Image.Image, element: ElementTree.Element, matrix: Matrix, fill: str, opacity: float) -> None:
    matrix = _moved(matrix, element.get("transform", ""))
    fill = element.get("fill", fill)
    opacity *= float(element.get("opacity", "1"))
    name = element.tag.rpartition("}")[2]
    shape = [[matrix.of(point) for point in line] for line in _outline(name, element)]
    if shape and fill != "none":
        _paint(canvas, shape, fill, opacity)
    stroke = element.get("stroke")
    if shape and stroke and stroke != "none":
        width = float(element.get("stroke-width", "1")) * matrix.size
        dashes = [float(part) * matrix.size for part in element.get("stroke-dasharray", "").split()]
        for line in shape:
            _trace(canvas, line, stroke, opacity, width, sum(dashes))
    for child in element:
        _draw(canvas, child, matrix, fill, opacity)


def _moved(matrix: Matrix, written: str) -> Matrix:
    for kind, values in _TURN.findall(written):
        numbers = [float(number) for number in re.split(r"[\s,]+", values.strip())]
        if kind == "translate":
            matrix = matrix.then(Matrix(e=numbers[0], f=numbers[1] if len(numbers) > 1 else 0.0))
        elif kind == "scale":
            matrix = matrix.then(Matrix(a=numbers[0], d=numbers[-1]))
        else:
            turn = math.radians(numbers[0])
            matrix = matrix.then(Matrix(math.cos(turn), math.sin(turn), -math.sin(turn), math.cos(turn)))
    return matrix


def _outline(name: str, element: ElementTree.Element) -> Shape:
    def number(key: str) -> float:
        return float(element.get(key, "0"))

    if name == "path":
        return list(_lines(element.get("d", "")))
    if name == "circle":
        return [_ring(number("cx"), number("cy"), number("r"))]
    if name == "rect":
        return [_rounded(number("x"), number("y"), number("width"), number("height"), number("rx"))]
    return []


def _ring(x: float, y: float, r: float, begin: float = 0.0, turn: float = 2 * math.pi) -> list[Point]:
    steps = max(2, math.ceil(abs(turn) / STEP))
    return [
        (x + r * math.cos(begin + turn * at / steps), y + r * math.sin(begin + turn * at / steps))
        for at in range(steps + 1)
    ]


def _rounded(x: float, y: float, width: float, height: float, r: float) -> list[Point]:
    quarter = math.pi / 2
    r = min(r, width / 2, height / 2)
    return [
        *_ring(x + r, y + r, r, 2 * quarter, quarter),
        *_ring(x + width - r, y + r, r, 3 * quarter, quarter),
        *_ring(x + width - r, y + height - r, r, 0, quarter),
        *_ring(x + r, y + height - r, r, quarter, quarter),
    ]


def _steps(written: str) -> Iterator[tuple[str, list[float]]]:
    """The commands of a path, each with its numbers; one that is repeated without its letter has it again."""
    letter, numbers = "", list[float]()
    for command, number in _TOKEN.findall(written):
        if command:
            letter, numbers = command, []
        else:
            numbers.append(float(number))
        if len(numbers) == _TAKES[letter.upper()]:
            yield letter, numbers
            letter, numbers = {"M": "L", "m": "l"}.get(letter, letter), []


def _lines(written: str) -> Iterator[list[Point]]:
    """A path as lines of straight pieces."""
    line: list[Point] = []
    x = y = 0.0
    hint: Point | None = None  # the last control point, which a `t` mirrors
    for letter, numbers in _steps(written):
        kind, is_relative = letter.upper(), letter.islower()
        dx, dy = (x, y) if is_relative else (0.0, 0.0)
        if kind == "Z":
            if line:
                yield line
                x, y = line[0]
                line = [(x, y)]
            continue
        if kind == "M":
            if len(line) > 1:
                yield line
            x, y = dx + numbers[0], dy + numbers[1]
            line, hint = [(x, y)], None
            continue
        if kind == "H":
            end = (dx + numbers[0], y)
        elif kind == "V":
            end = (x, dy + numbers[0])
        else:
            end = (dx + numbers[-2], dy + numbers[-1])
        control: list[Point] = []
        if kind == "C":
            control = [(dx + numbers[0], dy + numbers[1]), (dx + numbers[2], dy + numbers[3])]
        elif kind == "Q":
            control = [(dx + numbers[0], dy + numbers[1])]
        elif kind == "T":
            control = [(2 * x - hint[0], 2 * y - hint[1]) if hint else (x, y)]
        if kind == "A":
            line += _arc((x, y), end, numbers[0], bool(numbers[3]), bool(numbers[4]))
        else:
            line += _curve([(x, y), *control, end]) if control else [end]
        hint = control[-1] if control else None
        x, y = end
    if len(line) > 1:
        yield line


def _curve(points: list[Point]) -> list[Point]:
    """A Bézier curve of any degree (de Casteljau)."""
    found = []
    for at in range(1, 17):
        part, left = at / 16, points
        while len(left) > 1:
            left = [
                (one[0] + (two[0] - one[0]) * part, one[1] + (two[1] - one[1]) * part)
                for one, two in zip(left, left[1:], strict=False)
            ]
        found.append(left[0])
    return found


def _arc(begin: Point, end: Point, r: float, is_large: bool, is_sweep: bool) -> list[Point]:
    """A circle's arc, as SVG 2 (9.5.1) finds its centre."""
    half_x, half_y = (end[0] - begin[0]) / 2, (end[1] - begin[1]) / 2
    half = math.hypot(half_x, half_y)
    if not half:
        return [end]
    r = max(r, half)
    away = math.sqrt(max(0.0, r * r - half * half)) / half * (1 if is_large == is_sweep else -1)
    x, y = begin[0] + half_x + half_y * away, begin[1] + half_y - half_x * away
    first = math.atan2(begin[1] - y, begin[0] - x)
    turn = (math.atan2(end[1] - y, end[0] - x) - first) % (2 * math.pi)
    return _ring(x, y, r, first, turn if is_sweep else turn - 2 * math.pi)[1:]


def _paint(canvas: Image.Image, shape: Shape, colour: str, opacity: float) -> None:
    points = [point for line in shape for point in line]
    left = max(0, math.floor(min(x for x, _y in points)))
    top = max(0, math.floor(min(y for _x, y in points)))
    right = min(canvas.width, math.ceil(max(x for x, _y in points)) + 1)
    bottom = min(canvas.height, math.ceil(max(y for _x, y in points)) + 1)
    if right <= left or bottom <= top:
        return
    mask = Image.new("L", (right - left, bottom - top), 0)
    brush = ImageDraw.Draw(mask)
    for line in shape:
        if len(line) > 2:
            brush.polygon([(x - left, y - top) for x, y in line], fill=round(255 * opacity))
    canvas.paste(ImageColor.getrgb(colour), (left, top), mask)


def _trace(canvas: Image.Image, line: list[Point], colour: str, opacity: float, width: float, gap: float) -> None:
    """A line as a row of dots: side by side, or `gap` apart."""
    apart, walked = gap or width / 6, 0.0
    for (x, y), (to_x, to_y) in zip(line, line[1:], strict=False):
        length = math.hypot(to_x - x, to_y - y)
        while length and walked <= length:
            part = walked / length
            _paint(canvas, [_ring(x + (to_x - x) * part, y + (to_y - y) * part, width / 2)], colour, opacity)
            walked += apart
        walked -= length
