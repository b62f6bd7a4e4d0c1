"""Prices as organisers type them, in kronor or euro, and as they are stored, in minor units."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from apps.ticketing.models.catalogue import HIGHEST_PRICE_MINOR
from apps.ticketing.money import EXPONENTS

HIGHEST_SUM_MINOR = 2_000_000_000  # 20 million kr: what a whole order may cost, and the database can hold
DIGITS = EXPONENTS["SEK"]
TYPED = re.compile(r"^([+-]?)([0-9]{1,9})(?:[.,]([0-9]+))?$")
NOISE = re.compile(r"[\s\u00a0\u202f]|kr\.?$|sek|eur|€|:-$|,-$", re.IGNORECASE)


class PriceField(forms.CharField):
    """ "250" or "249,50" becomes 25000 or 24950. With `signed`, "-10" and "+10" are taken as well. At most one ticket's
    price, unless `highest_minor` says that it is a sum (HIGHEST_SUM_MINOR)."""

    default_error_messages = {
        "invalid": _("Write the amount in figures, such as 250 or 249,50."),
        "decimals": _("Write at most two decimals, such as 249,50."),
        "negative": _("A price cannot be below zero. Write 0 for a free ticket."),
        "highest": _("This is more than %(highest)s. Is it a typing error?"),
    }

    def __init__(self, *, signed: bool = False, highest_minor: int = HIGHEST_PRICE_MINOR, **kwargs: Any) -> None:
        self.signed, self.highest_minor = signed, highest_minor
        kwargs.setdefault("widget", forms.TextInput(attrs={"inputmode": "text" if signed else "decimal", "size": 8}))
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> int | None:  # type: ignore[override]
        text = NOISE.sub("", super().to_python(value) or "").replace("\u2212", "-")
        if not text:
            return None
        match = TYPED.match(text)
        if match is None:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        sign, whole, decimals = match.groups()
        if len(decimals or "") > DIGITS:
            raise ValidationError(self.error_messages["decimals"], code="decimals")
        minor = int(whole) * 10**DIGITS + int((decimals or "").ljust(DIGITS, "0"))
        if minor > self.highest_minor:
            highest = f"{self.highest_minor // 10**DIGITS:,}".replace(",", "\u00a0")
            raise ValidationError(self.error_messages["highest"], code="highest", params={"highest": highest})
        minor = -minor if sign == "-" else minor
        if minor < 0 and not self.signed:
            raise ValidationError(self.error_messages["negative"], code="negative")
        return minor

    def run_validators(self, value: Any) -> None:
        """CharField's validators read text; ours have read the amount already."""

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, int):
            return value
        whole, fraction = divmod(abs(value), 10**DIGITS)
        sign = "\u2212" if value < 0 else ""
        return f"{sign}{whole}" + (f",{fraction:0{DIGITS}d}" if fraction else "")

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return (self.to_python(data) or 0) != (initial or 0)
        except ValidationError:
            return True
