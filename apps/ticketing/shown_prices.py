"""The price a buyer was shown is the most that is charged: what a form has shown, and whether a price has risen since.

Twice a buyer may be overtaken by a price. Between the form and its POST: the form carries the prices it shows, and one
that has risen since is refused with a sentence and the new price. Between the POST and the decision, which may lie an
hour apart in a long queue: each line remembers what its form showed (`OrderLine.seen_minor`), the checkout says both
sums, and nothing is paid before the buyer has pressed the button that names the higher one. A price that has fallen is
simply lower.

Directive 2011/83/EU art. 6(1)(e) and 27, in Sweden lag (2005:59) ch. 2 § 2: the total price is told before the
purchase, and nobody pays for more than was agreed. Next: ordering.place, then checkout.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from apps.ticketing.catalogue import TypeFacts
from apps.ticketing.models import OrderLine

EDITION = re.compile(r"([0-9a-f]{12})((?:\.-?[0-9]{1,10}){2,500})")


def edition(facts: TypeFacts, price_minor: int | None = None) -> str:
    """What a buyer is shown of a type: a fingerprint of its currency and choices, its list price, the price of whoever
    looks (in minor units; the list price when nobody says), and what each choice costs. What the form carries."""
    kinds = [f"{variation.kind}:{choice.public_id}" for variation in facts.variations for choice in variation.choices]
    print_of_kinds = hashlib.sha256("|".join([facts.currency, *kinds]).encode()).hexdigest()[:12]
    own = facts.price_minor if price_minor is None else price_minor
    return ".".join([print_of_kinds, *map(str, [facts.price_minor, own, *_deltas(facts)])])


def is_overtaken(facts: TypeFacts, shown: str) -> bool:
    """Whether a type has another currency or other choices than when `shown` was its edition, or something of it costs
    more now."""
    found = EDITION.fullmatch(shown)
    if found is None or found[1] != edition(facts).partition(".")[0]:
        return True
    price, _own, *deltas = _numbers(found[2])
    now = [facts.price_minor, *_deltas(facts)]
    return len(now) != len(deltas) + 1 or any(new > old for new, old in zip(now, [price, *deltas], strict=True))


def own_price(shown: str) -> int | None:
    """The price of the type, in minor units, that a form of this edition showed to whoever looked."""
    found = EDITION.fullmatch(shown)
    return max(0, _numbers(found[2])[1]) if found else None


@dataclass(frozen=True)
class Risen:
    """An order that costs more now than its form said, in minor units."""

    seen_minor: int
    total_minor: int


def risen(lines: Iterable[OrderLine]) -> Risen | None:
    """Whether these lines, whose prices are frozen, cost more than the buyer was shown. None also where nothing was
    remembered: an order of another channel, or from before this was kept."""
    held = [line for line in lines if line.is_held]
    if not held or any(line.seen_minor is None for line in held):
        return None
    seen, total = sum(line.seen_minor or 0 for line in held), sum(line.price_minor for line in held)
    return Risen(seen, total) if total > seen else None


def has_agreed(pressed: str, total_minor: int, *, is_risen: bool) -> bool:
    """Whether the sum on the button that was pressed covers what would be charged. A page that names none agrees only
    to what the form had shown."""
    if not pressed:
        return not is_risen
    return pressed.isascii() and pressed.isdigit() and len(pressed) <= 12 and int(pressed) >= total_minor


def _deltas(facts: TypeFacts) -> Iterator[int]:
    return (choice.delta_minor for variation in facts.variations for choice in variation.choices)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(".")[1:]]
