"""How amounts, days and times are written: one place for pages, mails and PDFs (LOOK 2).

Swedish `1 234,50 kr`, `−60 kr`, `lör 12 dec`, `18.00`; English `SEK 1,234.50`, `−SEK 60`, `Sat 12 Dec`, `18:00`.
Spaces inside an amount never break, minus is U+2212, whole amounts carry no decimals. Nothing here knows ticketing:
amounts come as minor units with a currency, or as any object that has `.minor` and `.currency`.
"""

from __future__ import annotations

from datetime import date, datetime, time, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.translation import gettext as _

from apps.events.translated import active_language

NO_BREAK = "\u00a0"
MINUS = "\u2212"
EXPONENT = 2  # of every currency that Foyer sells in
SIGNS = {"SEK": "kr", "EUR": "€"}


def write_money(minor: int, currency: str) -> str:
    """An amount in minor units as the reader's language writes it."""
    whole, fraction = divmod(abs(minor), 10**EXPONENT)
    decimals = f"{fraction:0{EXPONENT}d}" if fraction else ""
    sign = MINUS if minor < 0 else ""
    if active_language() == "en":
        digits = f"{whole:,}" + (f".{decimals}" if decimals else "")
        return f"{sign}{currency}{NO_BREAK}{digits}"
    digits = f"{whole:,}".replace(",", NO_BREAK) + (f",{decimals}" if decimals else "")
    return f"{sign}{digits}{NO_BREAK}{SIGNS.get(currency, currency)}"


def write_delta(minor: int, currency: str) -> str:
    """What a choice adds to a price: with its sign, or "included" when it adds nothing."""
    if minor == 0:
        return _("included")
    return ("+" if minor > 0 else "") + write_money(minor, currency)


def in_zone(value: datetime | date, zone: tzinfo | str | None = None) -> datetime | date:
    """An aware time in `zone` (a zone, its name, or the active one). A date without time is returned as it is."""
    if not isinstance(value, datetime):
        return value
    return timezone.localtime(value, ZoneInfo(zone) if isinstance(zone, str) and zone else zone or None)


def write_day(value: datetime | date, zone: Any = None) -> str:
    """`lör 12 dec` or `Sat 12 Dec`."""
    text = date_format(in_zone(value, zone), "D j M").replace(".", "")
    return text if active_language() == "en" else text.lower()  # Swedish writes days and months small


def write_long_day(value: datetime | date, zone: Any = None) -> str:
    """`Lördag 12 december` or `Saturday 12 December`; it opens a line."""
    text = date_format(in_zone(value, zone), "l j F")
    return text[:1].upper() + text[1:]


def write_full_day(value: datetime | date, zone: Any = None) -> str:
    """`lördag 12 december` or `Saturday 12 December`, inside a sentence."""
    return date_format(in_zone(value, zone), "l j F")


def write_month(value: datetime | date, now: datetime | date) -> str:
    """`December`, as a heading; with its year when that is not the present one."""
    text = date_format(value, "F" if value.year == now.year else "F Y")
    return text[:1].upper() + text[1:]


def write_full_date(value: datetime | date, zone: Any = None) -> str:
    """`12 december 2026` or `12 December 2026`: a day that may lie years back."""
    return date_format(in_zone(value, zone), "j F Y")


def write_clock_time(value: datetime, zone: Any = None) -> str:
    """`18.00` or `18:00`; 24 hours in both languages."""
    return date_format(in_zone(value, zone), "H:i" if active_language() == "en" else "H.i")


def write_time_of_day(value: time) -> str:
    """A time on the wall, of no day and no zone: `18.00` or `18:00`."""
    return time_format(value, "H:i" if active_language() == "en" else "H.i")


def write_clock_seconds(value: datetime, zone: Any = None) -> str:
    """`18.00.05` or `18:00:05`: a moment that people wait for by the second."""
    return date_format(in_zone(value, zone), "H:i:s" if active_language() == "en" else "H.i.s")


def write_moment(value: datetime, zone: Any = None) -> str:
    """Day and time: `lör 12 dec 18.00` or `Sat 12 Dec 18:00`. The parts do not break apart."""
    return f"{write_day(value, zone)} {write_clock_time(value, zone)}".replace(" ", NO_BREAK)
