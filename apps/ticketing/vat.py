"""VAT of a price that may be split between rates: a dinner at 12 % with a concert at 6 % in it, one ticket, one price.

A ticket type says how much of its list price belongs to another rate; the rest, and all that choices add, is taxed at
its own. What a line really costs is divided in the same proportion, when it is reserved and when a part of it is sent
back. Parts always add up to the amount, none is ever negative, and none grows while the whole shrinks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from apps.ticketing.money import vat_inside

# Rates of the Mervärdesskattelag (2023:200), chapter 9: the usual one, food and drink at a table, concerts and other
# culture, and what is exempt (chapter 10).
RATES = (Decimal(25), Decimal(12), Decimal(6), Decimal(0))

Split = tuple[
    tuple[Decimal, int], ...
]  # (rate, how much of the list price in minor units), besides the type's own rate


@dataclass(frozen=True)
class Part:
    """What of a price is taxed at one rate: its share of the list price, of the price, and the VAT in that."""

    rate: Decimal
    list_minor: int
    gross_minor: int
    vat_minor: int


def apportion(amount_minor: int, weights: Sequence[int]) -> list[int]:
    """Divide an amount in proportion to `weights`, in whole minor units that add up to it.

    By Sainte-Laguë: each share within one unit of the exact one where there are at most three, and none grows when the
    amount shrinks, so that refunds step by step never take from one rate to give to another. Without any weight all of
    it is the first share.
    """
    total = sum(weights)
    if not total:
        return [amount_minor, *(0 for _ in weights[1:])]
    shares = [(2 * weight * amount_minor + total) // (2 * total) for weight in weights]
    numbers = range(len(weights))
    while (lack := amount_minor - sum(shares)) > 0:
        shares[max(numbers, key=lambda n: (Fraction(weights[n], 2 * shares[n] + 1), -n))] += 1
    while lack < 0:
        held = [n for n in numbers if shares[n]]
        shares[min(held, key=lambda n: (Fraction(weights[n], 2 * shares[n] - 1), -n))] -= 1
        lack += 1
    return shares


def parts_of(price_minor: int, list_minor: int, rate: Decimal, split: Split) -> tuple[Part, ...]:
    """The parts of one line's price, the type's own rate first. `split` is kept in full even where choices make the
    list price smaller than it."""
    if not split:
        return (Part(rate, list_minor, price_minor, vat_inside(price_minor, rate)),)
    weights = [max(0, list_minor - sum(of_list for _rate, of_list in split)), *(of_list for _rate, of_list in split)]
    return _divided(price_minor, weights, [rate, *(other for other, _of_list in split)])


def reduced(parts: Sequence[Part], kept_minor: int) -> tuple[Part, ...]:
    """The parts of what is left of a line's price when the rest was sent back, in the proportion of its list price."""
    return _divided(kept_minor, [part.list_minor for part in parts], [part.rate for part in parts])


def _divided(amount_minor: int, weights: Sequence[int], rates: Sequence[Decimal]) -> tuple[Part, ...]:
    shares = apportion(amount_minor, weights)
    return tuple(
        Part(rate, weight, gross, vat_inside(gross, rate))
        for rate, weight, gross in zip(rates, weights, shares, strict=True)
    )


def per_rate(parts: Iterable[Part]) -> dict[Decimal, tuple[int, int]]:
    """{rate: (gross, VAT)} in minor units, rates ascending: each part is rounded, then all are summed, so that receipt,
    books and lines agree to the öre."""
    sums: dict[Decimal, tuple[int, int]] = {}
    for part in parts:
        gross, vat = sums.get(part.rate, (0, 0))
        sums[part.rate] = (gross + part.gross_minor, vat + part.vat_minor)
    return dict(sorted(sums.items()))


def frozen(parts: Sequence[Part]) -> list[list[Any]] | None:
    """What a line keeps of its parts, as JSON; None where there is but one, which its own columns tell."""
    if len(parts) < 2:
        return None
    return [[str(part.rate), part.list_minor, part.gross_minor, part.vat_minor] for part in parts]


def thawed(kept: Sequence[Sequence[Any]]) -> tuple[Part, ...]:
    """The parts that a line keeps."""
    return tuple(Part(Decimal(rate), of_list, gross, vat) for rate, of_list, gross, vat in kept)


def split_of(kept: Sequence[Sequence[Any]]) -> Split:
    """A ticket type's split from its JSON."""
    return tuple((Decimal(rate), int(of_list)) for rate, of_list in kept)
