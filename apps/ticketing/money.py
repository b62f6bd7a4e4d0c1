"""Money: whole minor units and a currency. All arithmetic and all rounding of Foyer happen here.

Prices include VAT. The part of an amount that is VAT at r percent is amount * r / (100 + r), rounded half to even to
the minor unit per line, as a Swedish receipt shows it (Mervärdesskattelag 2023:200, chapter 17).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

# ISO 4217 exponents of the currencies we sell in.
EXPONENTS = {"SEK": 2, "EUR": 2}


class CurrencyMismatch(Exception):
    """Two currencies met in one sum."""


@dataclass(frozen=True, order=False)
class Money:
    """An amount in minor units (öre, cent) of one currency. Never a float."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"Money takes whole minor units, not {self.minor!r}.")
        if self.currency not in EXPONENTS:
            raise ValueError(f"Foyer does not sell in {self.currency!r}.")

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency}")

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __mul__(self, times: int) -> Money:
        if type(times) is not int:
            raise TypeError("Multiply money by a whole number; use `percent` for shares.")
        return Money(self.minor * times, self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.minor < other.minor

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.minor <= other.minor

    def __bool__(self) -> bool:
        return self.minor != 0

    @property
    def major(self) -> Decimal:
        """The amount in kronor or euro, exact."""
        return Decimal(self.minor).scaleb(-EXPONENTS[self.currency])

    def percent(self, percent: Decimal) -> Money:
        """`percent` of this amount, rounded half to even."""
        return Money(_round(Decimal(self.minor) * percent / 100), self.currency)

    def vat(self, rate_percent: Decimal) -> Money:
        """The VAT inside this amount at `rate_percent`."""
        return Money(vat_inside(self.minor, rate_percent), self.currency)

    @classmethod
    def zero(cls, currency: str) -> Money:
        return cls(0, currency)

    @classmethod
    def total(cls, amounts: Iterable[Money], currency: str) -> Money:
        return sum(amounts, cls.zero(currency))


def _round(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


@lru_cache(maxsize=4096)
def vat_inside(gross_minor: int, rate_percent: Decimal) -> int:
    """The VAT inside a gross amount, both in minor units."""
    return _round(Decimal(gross_minor) * rate_percent / (100 + rate_percent))


def vat_parts(lines: Iterable[tuple[int, Decimal]]) -> dict[Decimal, tuple[int, int]]:
    """{rate: (gross, vat)} in minor units from lines of (gross, rate), rates ascending.

    VAT is rounded per line and then summed, so that the receipt, the ledger and each line agree to the öre.
    """
    parts: dict[Decimal, tuple[int, int]] = {}
    for gross, rate in lines:
        had_gross, had_vat = parts.get(rate, (0, 0))
        parts[rate] = (had_gross + gross, had_vat + vat_inside(gross, rate))
    return dict(sorted(parts.items()))
