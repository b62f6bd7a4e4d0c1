"""The accent an organisation's one colour becomes on its pages.

The organiser enters a brand colour. Posters use it as it is; buttons, links and chosen rows need a shade that can be
read on Foyer's grounds in light and in dark. `derive` finds it in OKLCH, keeping the hue, so that the page still looks
like theirs. Called when the organisation is saved; the values are stored, and `stylesheet` writes the file that serves
them (pages carry no inline style). Pure arithmetic: no Django here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apps.events.themes import Rule

WHITE = "#FFFFFF"
BLACK = "#000000"
INK = "#1F1330"
"""The ink of `on-glow`: what is written on a colour too pale for white."""

LIGHT_GROUNDS = ("#F7F4F8", "#FFFFFF")
"""Canvas and surface of the default theme, light."""
DARK_GROUNDS = ("#150D21", "#221733")
"""Canvas and surface of the default theme, dark."""

READABLE = 4.5
"""The contrast every text needs (WCAG 2.2, AA)."""
CHROMA_CAP = 0.19
PALE_FROM = 0.72
"""From this OKLCH lightness a brand is a glow rather than an accent: a darkened yellow is mud."""


class NotAColour(ValueError):
    """Raised for anything but `#RRGGBB` or `#RGB`; `given` is what was written."""

    def __init__(self, given: str) -> None:
        super().__init__(f"{given!r} is not a colour such as #A5124B.")
        self.given = given


@dataclass(frozen=True)
class Shade:
    """The accent in one mode: every value as `#RRGGBB`."""

    accent: str
    on_accent: str
    accent_soft: str
    accent_ink: str
    glow: str | None = None
    on_glow: str | None = None


@dataclass(frozen=True)
class Accent:
    """What one brand colour gives: itself, what is written on it, and the accent for light and dark."""

    brand: str
    on_brand: str
    light: Shade
    dark: Shade


def derive(
    brand_hex: str, light_grounds: tuple[str, ...] = LIGHT_GROUNDS, dark_grounds: tuple[str, ...] = DARK_GROUNDS
) -> Accent:
    """Derive the accent of a brand colour on the grounds of a theme. Deterministic. Raises NotAColour."""
    brand = normal(brand_hex)
    lightness, chroma, hue = to_oklch(brand)

    if lightness >= PALE_FROM:
        light_accent, glow = INK, brand
    else:
        light_accent, glow = _until_readable(brand, light_grounds, step=-0.01), None
    dark_accent = _until_readable(brand, dark_grounds, step=0.01)

    light_soft = from_oklch(0.945, min(chroma, 0.035), hue)
    dark_soft = from_oklch(0.30, min(chroma, 0.07), hue)
    return Accent(
        brand=brand,
        on_brand=on(brand),
        light=Shade(
            accent=light_accent,
            on_accent=on(light_accent),
            accent_soft=light_soft,
            accent_ink=_until_readable(light_accent, (light_soft,), step=-0.01),
            glow=glow,
            on_glow=on(glow) if glow else None,
        ),
        dark=Shade(
            accent=dark_accent,
            on_accent=on(dark_accent),
            accent_soft=dark_soft,
            accent_ink=_until_readable(dark_accent, (dark_soft,), step=0.01),
            glow=glow,
            on_glow=on(glow) if glow else None,
        ),
    )


def stylesheet(accent: Accent, rules: Iterable[Rule]) -> str:
    """The custom properties of an accent as a style sheet, to be linked after the theme's whose `rules` these are: said
    wherever the theme says which mode it is in, so that the accent is light and dark where the theme is."""
    written = [_rule(":root", {"brand": accent.brand, "on-brand": accent.on_brand})]
    for rule in rules:
        mode = rule.values.get("color-scheme")
        if mode is None:
            continue
        text = _rule(rule.selector, _properties(accent.dark if mode == "dark" else accent.light))
        written.append(f"@media (prefers-color-scheme: {rule.device}) {{\n{text}\n}}" if rule.device else text)
    return "\n".join((*written, ""))


def on(ground: str) -> str:
    """What is written on a ground: white where it reaches 4.5, else ink; on the few greys where neither does, black."""
    return next((colour for colour in (WHITE, INK) if contrast(colour, ground) >= READABLE), BLACK)


def contrast(one: str, other: str) -> float:
    """The WCAG contrast ratio of two colours, 1 to 21, whichever is lighter."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def normal(colour: str) -> str:
    """A colour as `#RRGGBB` in capitals. Raises NotAColour."""
    match = re.fullmatch(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})", colour.strip())
    if match is None:
        raise NotAColour(colour)
    digits = match[1].upper()
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    return f"#{digits}"


def to_oklch(colour: str) -> tuple[float, float, float]:
    """Lightness 0-1, chroma, and hue in radians of a colour in OKLCH (Björn Ottosson's matrices)."""
    red, green, blue = _linear(colour)
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    lightness = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return lightness, math.hypot(a, b), math.atan2(b, a)


def from_oklch(lightness: float, chroma: float, hue: float) -> str:
    """The colour at an OKLCH point; where the screen cannot show it, the nearest with less chroma."""
    channels = _channels(lightness, chroma, hue)
    while chroma > 0 and not all(-0.0005 <= channel <= 1.0005 for channel in channels):
        chroma = max(0.0, chroma - 0.002)
        channels = _channels(lightness, chroma, hue)
    return "#" + "".join(f"{round(255 * _encoded(channel)):02X}" for channel in channels)


def _until_readable(colour: str, grounds: tuple[str, ...], *, step: float) -> str:
    """Move a colour's lightness by `step` until it can be read on all grounds; untouched if it already can."""
    lightness, chroma, hue = to_oklch(colour)
    chroma = min(chroma, CHROMA_CAP)
    found, last = colour, 1.0 if step > 0 else 0.0
    while lightness != last and min(contrast(found, ground) for ground in grounds) < READABLE:
        lightness = min(1.0, max(0.0, lightness + step))
        found = from_oklch(lightness, chroma, hue)
    return found


def _linear(colour: str) -> tuple[float, float, float]:
    digits = normal(colour)[1:]
    red, green, blue = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return _decoded(red), _decoded(green), _decoded(blue)


def _decoded(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _encoded(channel: float) -> float:
    channel = min(1.0, max(0.0, channel))
    return channel * 12.92 if channel <= 0.0031308 else 1.055 * channel ** (1 / 2.4) - 0.055


def _luminance(colour: str) -> float:
    red, green, blue = _linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _channels(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _properties(shade: Shade) -> dict[str, str]:
    properties = {
        "accent": shade.accent,
        "on-accent": shade.on_accent,
        "accent-soft": shade.accent_soft,
        "accent-ink": shade.accent_ink,
    }
    if shade.glow and shade.on_glow:
        properties |= {"glow": shade.glow, "on-glow": shade.on_glow}
    return properties


def _rule(selector: str, properties: dict[str, str]) -> str:
    body = "".join(f" --color-{name}: {value};" for name, value in properties.items())
    return f"{selector} {{{body} }}"
