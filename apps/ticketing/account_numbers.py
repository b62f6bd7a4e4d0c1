"""Numbers that money is sent by: written as people write them, kept bare, and refused when their check digit is wrong.

A mistyped account number sends a stranger the money, so each is checked by its own rule: bankgiro and payment
references by the Luhn sum (Bankgirot's 10-modulus), IBAN by ISO 13616 (modulus 97), Swish numbers by their shape.
"""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

_APART = re.compile(r"[\s.\-–]+")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}")
_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?")
_SWISH = re.compile(r"123[0-9]{7}|07[0-9]{8}")


def check_digit(digits: str) -> str:
    """The digit that makes `digits` with it behind pass the Luhn sum."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def is_checked(digits: str) -> bool:
    """Whether the last of these digits is the check digit of those before it."""
    return len(digits) > 1 and digits.isascii() and digits.isdigit() and check_digit(digits[:-1]) == digits[-1]


def clean_bankgiro(text: str) -> str:
    """Seven or eight digits; empty stays empty. Raises ValidationError."""
    bare = ungrouped(text)
    if bare and not (len(bare) in (7, 8) and is_checked(bare)):
        raise ValidationError(_("This is not a bankgiro: it has 7 or 8 digits, such as 991-2346. Look again."))
    return bare


def clean_iban(text: str) -> str:
    """An IBAN of any country. Raises ValidationError."""
    bare = ungrouped(text).upper()
    if bare and not (_IBAN.fullmatch(bare) and _remainder(bare) == 1):
        raise ValidationError(_("This is not an IBAN: its check digits do not fit the rest. Look again."))
    return bare


def _remainder(iban: str) -> int:
    moved = iban[4:] + iban[:4]
    return int("".join(str(int(sign, 36)) for sign in moved)) % 97


def clean_bic(text: str) -> str:
    """Eight or eleven signs. Raises ValidationError."""
    bare = ungrouped(text).upper()
    if bare and not _BIC.fullmatch(bare):
        raise ValidationError(_("This is not a BIC: it has 8 or 11 signs, such as SWEDSESS. Look again."))
    return bare


def clean_swish(text: str) -> str:
    """An association's number (123 and seven digits) or somebody's mobile phone. Raises ValidationError."""
    bare = ungrouped(text)
    if bare.startswith("+46"):
        bare = "0" + bare[3:]
    if bare and not _SWISH.fullmatch(bare):
        raise ValidationError(
            _("This is not a Swish number: 123 and seven digits more, or a mobile phone. Look again.")
        )
    return bare


def ungrouped(text: str) -> str:
    """The number without what it is grouped by."""
    return _APART.sub("", text)


def write_bankgiro(digits: str) -> str:
    """As it stands on an invoice: 991-2346 or 5050-1055."""
    return f"{digits[:-4]}-{digits[-4:]}" if digits else ""


def write_iban(iban: str) -> str:
    """In groups of four."""
    return " ".join(iban[start : start + 4] for start in range(0, len(iban), 4))


def write_swish(digits: str) -> str:
    """123 456 78 90, or 070 123 45 67."""
    return f"{digits[:3]} {digits[3:6]} {digits[6:8]} {digits[8:]}" if digits else ""
