"""A poster for every event, cut from paper: flat shapes in the organisation's colours, no upload needed.

One of seven motifs is picked by a hash of the event's public id, so that the poster is the same on every page, in every
process and on the PDF; the hero block may name another. The top fifth is left plain: the title stands there. Pure
arithmetic and text: no Django here.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

from apps.events.accent import INK, PALE_FROM, READABLE, WHITE, contrast, from_oklch, normal, to_oklch

WIDTH, HEIGHT = 300, 400
SAFFRON = "#FFC145"
PAPER = "#FFF1D6"
NIGHT = "#1B1033"
GREY_BELOW = 0.03
VIOLET = 5.2
"""The hue a white or grey brand borrows its shapes from, in radians."""


@dataclass(frozen=True)
class Palette:
    """Five colours as `#RRGGBB`: the ground, a near and a far shade of it, a spark and a paper."""

    ground: str
    near: str
    far: str
    spark: str
    paper: str

    @property
    def on_ground(self) -> str:
        """What the title is written in: white or ink, whichever reads better (above 4 always; large type needs 3)."""
        return max((WHITE, INK), key=lambda colour: min(contrast(colour, self.ground), READABLE))

    @property
    def takes_light_title(self) -> bool:
        """Whether that is white (else ink), for the class of the title."""
        return self.on_ground == WHITE


@dataclass(frozen=True)
class Dealt:
    """What a motif may vary by: numbers drawn from the hash, the same for the same event."""

    digest: bytes

    def number(self, at: int, low: int, high: int) -> int:
        """The draw at a place, a whole number from low to high."""
        return low + self.digest[at % len(self.digest)] % (high - low + 1)


Motif = Callable[[Palette, Dealt], str]


def palette_from(brand: str) -> Palette:
    """The poster's five colours from the organisation's one. Raises NotAColour."""
    ground = normal(brand)
    lightness, chroma, hue = to_oklch(ground)
    if lightness >= PALE_FROM:
        # Darker shades of a pale colour are mud: its neighbours on the wheel carry the shapes instead.
        hue = hue if chroma >= GREY_BELOW else VIOLET
        near = from_oklch(0.66, 0.15, hue - 0.45)
        far = from_oklch(0.46, 0.13, hue - 1.1)
        return Palette(ground=ground, near=near, far=far, spark=from_oklch(0.60, 0.21, 0.52), paper=NIGHT)
    near = from_oklch(lightness + 0.16, min(chroma, 0.16), hue)
    far = from_oklch(lightness - 0.14 if lightness >= 0.34 else lightness + 0.30, min(chroma, 0.13), hue)
    spark = SAFFRON if contrast(SAFFRON, ground) >= 1.8 else NIGHT
    return Palette(ground=ground, near=near, far=far, spark=spark, paper=PAPER)


def motif_of(public_id: str) -> str:
    """The name of the motif an event gets when nobody chose one."""
    return MOTIFS[_digest(public_id)[0] % len(MOTIFS)]


def poster_svg(public_id: str, palette: Palette, motif: str | None = None) -> str:
    """The poster of an event as one SVG element, 3:4, at most five colours and 2 kB, decoration to a screen reader.

    Deterministic in its arguments. An unknown motif falls back to the event's own, so that a hero block outlives the
    removal of a motif.
    """
    draw = _DRAWN.get(motif or "", _DRAWN[motif_of(public_id)])
    shapes = draw(palette, Dealt(_digest(public_id)))
    ground = _path(f"M0 0h{WIDTH}v{HEIGHT}H0z", palette.ground)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="xMidYMid slice" '
        f'aria-hidden="true" focusable="false">{ground}{shapes}</svg>'
    )


def _digest(public_id: str) -> bytes:
    return hashlib.sha256(public_id.encode()).digest()


def _path(d: str, fill: str) -> str:
    return f'<path d="{d}" fill="{fill}"/>'


def _arches(palette: Palette, dealt: Dealt) -> str:
    """A lit doorway: arches within each other, a flame in the innermost."""
    middle = dealt.number(1, 132, 168)
    rings = [(114, palette.far), (84, palette.near), (54, palette.paper)]
    arches = [_path(f"M{middle - r} 400V{352 - r}a{r} {r} 0 0 1 {2 * r} 0v{48 + r}z", fill) for r, fill in rings]
    return "".join(arches) + _path(f"M{middle} 300c24 31 31 53 0 88c-31-35-24-57 0-88z", palette.spark)


def _bars(palette: Palette, dealt: Dealt) -> str:
    """Organ pipes: nine bars with round tops and a mouth each."""
    fills = (palette.near, palette.paper, palette.far)
    bars, mouths = [], []
    for at in range(9):
        left, top = 6 + at * 32.5, 132 + dealt.number(at + 1, 0, 13) * 11
        bars.append(
            _path(f"M{left:g} 400V{top}a14 14 0 0 1 28 0v{400 - top}z", fills[(at + dealt.number(0, 0, 2)) % 3])
        )
        mouths.append(f"M{left + 14:g} {top + 18}q10 10 0 20q-10-10 0-20z")
    return "".join(bars) + _path("".join(mouths), palette.ground)


def _star(palette: Palette, dealt: Dealt) -> str:
    """A paper star in a window: two layers of points and a round heart."""
    points = dealt.number(1, 7, 11)
    turn = dealt.number(2, 0, 20) / 100
    outer = _path(_burst(points, 128, 56, turn), palette.spark)
    inner = _path(_burst(points, 84, 42, turn + math.pi / points), palette.paper)
    return outer + inner + f'<circle cx="150" cy="250" r="26" fill="{palette.far}"/>'


def _burst(points: int, long: int, short: int, turn: float) -> str:
    corners = []
    for at in range(points * 2):
        angle = turn + at * math.pi / points - math.pi / 2
        reach = short if at % 2 else long
        corners.append(f"{150 + reach * math.cos(angle):.0f} {250 + reach * math.sin(angle):.0f}")
    return f"M{'L'.join(corners)}z"


def _quarters(palette: Palette, dealt: Dealt) -> str:
    """A dance floor: quarter circles, three by three, each turned its own way."""
    turns = ("M{x} {y}h100a100 100 0 0 1-100 100z", "M{r} {y}v100a100 100 0 0 1-100-100z",
             "M{r} {b}h-100a100 100 0 0 1 100-100z", "M{x} {b}v-100a100 100 0 0 1 100 100z")  # fmt: skip
    fills = (palette.spark, palette.near, palette.paper, palette.far)
    drawn = {fill: "" for fill in fills}
    for at in range(9):
        x, y = at % 3 * 100, 100 + at // 3 * 100
        shape = turns[dealt.number(at + 1, 0, 3)].format(x=x, y=y, r=x + 100, b=y + 100)
        drawn[fills[(at + dealt.number(at + 12, 0, 2)) % 4]] += shape
    return "".join(_path(d, fill) for fill, d in drawn.items() if d)


def _dice(palette: Palette, dealt: Dealt) -> str:
    """Three dice that have just landed."""
    throws = (
        (96, 292, 72, dealt.number(1, -18, -6), palette.far, palette.paper),
        (214, 214, 55, dealt.number(2, 8, 22), palette.spark, palette.ground),
        (230, 346, 46, dealt.number(3, 24, 38), palette.paper, palette.ground),
    )
    return "".join(
        f'<g transform="translate({x} {y}) rotate({turn})"><rect x="{-half}" y="{-half}" width="{2 * half}" '
        f'height="{2 * half}" rx="{half // 4}" fill="{face}"/>'
        f"{_path(_pips(dealt.number(at + 4, 1, 6), half), pip)}</g>"
        for at, (x, y, half, turn, face, pip) in enumerate(throws)
    )


def _pips(thrown: int, half: int) -> str:
    off, r = round(half * 0.52), round(half * 0.16)
    corners = [(-off, -off), (off, off), (off, -off), (-off, off), (-off, 0), (off, 0)]
    places = ([(0, 0)] if thrown % 2 else []) + corners[: thrown - thrown % 2]
    return "".join(f"M{x - r} {y}a{r} {r} 0 1 1 {2 * r} 0a{r} {r} 0 1 1-{2 * r} 0z" for x, y in places)


def _hills(palette: Palette, dealt: Dealt) -> str:
    """Two peaks under a low sun, with the tracks of somebody who went up."""
    sun, left, right = dealt.number(1, 190, 236), dealt.number(2, 92, 126), dealt.number(3, 214, 246)
    return (
        f'<circle cx="{sun}" cy="172" r="54" fill="{palette.spark}"/>'
        + _path(f"M-40 400L{left} 182L240 400z", palette.paper)
        + _path(f"M{left} 182L240 400H136L{left - 10} 300L{left + 14} 256z", palette.near)
        + _path(f"M104 400L{right} 236L372 400z", palette.paper)
        + _path(f"M{right} 236L372 400H258L{right - 16} 330z", palette.far)
        + f'<path d="M58 400q40-30 20-56t24-50 2-38" fill="none" stroke="{palette.spark}" stroke-width="7" '
        'stroke-linecap="round" stroke-dasharray="1 14"/>'
    )


def _curtain(palette: Palette, dealt: Dealt) -> str:
    """A stage: drapes drawn aside from a lit round, the boards below."""
    folds = dealt.number(1, 4, 6)
    width = 112 // folds
    near, far = "", ""
    for at in range(folds):
        left, right = at * width, WIDTH - (at + 1) * width
        fall = 400 - at * dealt.number(2, 4, 9)
        fold = "".join(f"M{x} 96h{width}V{fall}q-{width / 2:g} 16-{width} 0z" for x in (left, right))
        near, far = (near + fold, far) if at % 2 else (near, far + fold)
    return (
        f'<circle cx="150" cy="{dealt.number(3, 268, 292)}" r="{dealt.number(4, 78, 94)}" fill="{palette.paper}"/>'
        + _path("M0 372h300v28H0z", palette.spark)
        + _path(near, palette.near)
        + _path(far, palette.far)
    )


_DRAWN: dict[str, Motif] = {
    "arches": _arches,
    "bars": _bars,
    "star": _star,
    "quarters": _quarters,
    "dice": _dice,
    "hills": _hills,
    "curtain": _curtain,
}
MOTIFS: tuple[str, ...] = tuple(_DRAWN)
