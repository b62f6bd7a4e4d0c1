"""What a person pays, case by case: the discounts of an evening, who buys what and when, and the whole breakdown.

The evening: a dinner at 250 kr, a party at 100 kr and a free seminar; with the dinner one may choose beer (+40 kr) or
say no to food (−60 kr). LinTek and StuFF are member bodies. Amounts in kronor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Rows = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Case:
    """`lines` are (ticket, choices); `gets` is, for each of them, (its adjustments by name, what is paid)."""

    id: str
    discounts: tuple[dict[str, Any], ...]
    gets: tuple[tuple[Rows, int], ...]
    lines: tuple[tuple[str, tuple[str, ...]], ...] = (("dinner", ()),)
    is_of: tuple[str, ...] | None = None  # the bodies the buyer is a member of; None: a guest
    perhaps_of: tuple[str, ...] = ()
    email: str = "buyer@example.org"
    tokens: tuple[str, ...] = ()
    hours: int = 0  # from now
    provisional: bool = field(default=False)


def less(name: str, kronor: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": "less", "amount_minor": kronor * 100, **more}


def percent(name: str, share: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": "percent", "percent": Decimal(share), **more}


def price(name: str, kronor: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": "price", "amount_minor": kronor * 100, **more}


def more(name: str, kronor: int, **other: Any) -> dict[str, Any]:
    return {"name": name, "kind": "more", "amount_minor": kronor * 100, "stacking": "added", **other}


def percent_more(name: str, share: str, **other: Any) -> dict[str, Any]:
    return {"name": name, "kind": "percent_more", "percent": Decimal(share), "stacking": "added", **other}


ADDED = {"stacking": "added"}
ALL = {"covers_choices": True}
LINTEK = {"bodies": ("LinTek",)}
EITHER = {"bodies": ("LinTek", "StuFF")}
FREE, FULL = ((), 0), ((), 250)
DINNER, PARTY, SEMINAR = ("dinner", ()), ("party", ()), ("seminar", ())
BEER, NO_FOOD, BOTH = ("dinner", ("beer",)), ("dinner", ("no food",)), ("dinner", ("beer", "no food"))


def one(name: str, change: int, paid: int) -> tuple[tuple[Rows, int], ...]:
    return ((((name, change),), paid),)


FREED = one("A", -250, 0)

CASES = [
    # What a discount does
    Case("no discount", (), (FULL,)),
    Case("an amount less", (less("A", 50),), one("A", -50, 200)),
    Case("an amount above the price is cut to it", (less("A", 300),), one("A", -250, 0)),
    Case("ten per cent", (percent("A", "10"),), one("A", -25, 225)),
    Case("a hundred per cent", (percent("A", "100"),), one("A", -250, 0)),
    Case("no per cent is no discount", (percent("A", "0"),), (FULL,)),
    Case("a fixed price", (price("A", 180),), one("A", -70, 180)),
    Case("a fixed price of nothing", (price("A", 0),), one("A", -250, 0)),
    Case("a fixed price above the list price changes nothing", (price("A", 300),), (FULL,)),
    Case("a surcharge", (more("A", 20),), one("A", 20, 270)),
    Case("a surcharge in per cent", (percent_more("A", "20"),), one("A", 50, 300)),
    Case("a free ticket stays free", (less("A", 50),), (FREE,), lines=(SEMINAR,)),
    Case("a surcharge on a free ticket", (more("A", 20),), one("A", 20, 20), lines=(SEMINAR,)),
    # Which tickets
    Case("of its own type", (less("A", 50, types=("dinner",)),), one("A", -50, 200)),
    Case("of another type", (less("A", 50, types=("party",)),), (FULL,)),
    Case("of one of its types", (less("A", 50, types=("party", "dinner")),), one("A", -50, 200)),
    Case(
        "each ticket of the order",
        (percent("A", "50"),),
        (((("A", -125),), 125), ((("A", -50),), 50)),
        lines=(DINNER, PARTY),
    ),
    Case("switched off", (less("A", 50, is_active=False),), (FULL,)),
    # What is chosen with the ticket
    Case("a choice is paid in full", (percent("A", "50"),), one("A", -125, 165), lines=(BEER,)),
    Case("a choice is covered when so said", (percent("A", "50", **ALL),), one("A", -145, 145), lines=(BEER,)),
    Case("a fixed price leaves the choice on top", (price("A", 100),), one("A", -150, 140), lines=(BEER,)),
    Case("a fixed price with all that is chosen", (price("A", 100, **ALL),), one("A", -190, 100), lines=(BEER,)),
    Case("a choice that lowers the price is the better one", (price("A", 200),), (((), 190),), lines=(NO_FOOD,)),
    Case("both choices, half price", (percent("A", "50"),), one("A", -115, 115), lines=(BOTH,)),
    Case("free with all that is chosen", (percent("A", "100", **ALL),), one("A", -290, 0), lines=(BEER,)),
    # Members
    Case("a member", (less("A", 50, **LINTEK),), one("A", -50, 200), is_of=("LinTek",)),
    Case("a guest is none", (less("A", 50, **LINTEK),), (FULL,)),
    Case("no member", (less("A", 50, **LINTEK),), (FULL,), is_of=()),
    Case("a member of another body", (less("A", 50, **LINTEK),), (FULL,), is_of=("StuFF",)),
    Case("a member of one of two", (less("A", 50, **EITHER),), one("A", -50, 200), is_of=("StuFF",)),
    Case("a member of both has it once", (less("A", 50, **EITHER),), one("A", -50, 200), is_of=("LinTek", "StuFF")),
    Case("perhaps a member pays in full", (less("A", 50, **LINTEK),), (FULL,), is_of=(), perhaps_of=("LinTek",)),
    Case(
        "perhaps a member, checked at the door",
        (less("A", 50, when_unknown="member", **LINTEK),),
        one("A", -50, 200),
        is_of=(),
        perhaps_of=("LinTek",),
        provisional=True,
    ),
    Case(
        "a yes outweighs a perhaps",
        (less("A", 50, when_unknown="member", **EITHER),),
        one("A", -50, 200),
        is_of=("StuFF",),
        perhaps_of=("LinTek",),
    ),
    Case("a guest is not perhaps a member", (less("A", 50, when_unknown="member", **LINTEK),), (FULL,)),
    # Codes
    Case("no code typed", (less("A", 50, codes={"LUCIA": None}),), (FULL,)),
    Case("the code", (less("A", 50, codes={"LUCIA": None}),), one("A", -50, 200), tokens=("code:LUCIA",)),
    Case("the code in small letters", (less("A", 50, codes={"LUCIA": 5}),), one("A", -50, 200), tokens=("code:lucia",)),
    Case("the code with spaces", (less("A", 50, codes={"LUCIA": 5}),), one("A", -50, 200), tokens=("code:lu cia ",)),
    Case("another code", (less("A", 50, codes={"LUCIA": 5}),), (FULL,), tokens=("code:LUCIO",)),
    Case("a word that is no code", (less("A", 50, codes={"LUCIA": 5}),), (FULL,), tokens=("link:LUCIA", "LUCIA")),
    Case(
        "a code for one ticket, on the first of two alike",
        (less("A", 50, codes={"LUCIA": 1}),),
        (((("A", -50),), 200), FULL),
        lines=(DINNER, DINNER),
        tokens=("code:LUCIA",),
    ),
    Case(
        "a code for one ticket, on the dearest",
        (percent("A", "50", codes={"LUCIA": 1}),),
        (((), 100), ((("A", -125),), 125)),
        lines=(PARTY, DINNER),
        tokens=("code:LUCIA",),
    ),
    Case(
        "two codes of one discount, one ticket each",
        (less("A", 50, codes={"LUCIA": 1, "STAFFAN": 1}),),
        (((("A", -50),), 200), ((("A", -50),), 200), FULL),
        lines=(DINNER, DINNER, DINNER),
        tokens=("code:LUCIA", "code:STAFFAN"),
    ),
    Case(
        "a code and a membership are both asked for",
        (less("A", 50, codes={"LUCIA": None}, **LINTEK),),
        (FULL,),
        tokens=("code:LUCIA",),
        is_of=("StuFF",),
    ),
    Case("a used-up code", (less("A", 50, codes={"LUCIA": 0}),), (FULL,), tokens=("code:LUCIA",)),
    # Personal lists
    Case("on the list", (price("A", 0, listed=("buyer@example.org",)),), one("A", -250, 0), is_of=()),
    Case(
        "on the list, written otherwise", (price("A", 0, listed=("Buyer+x@Example.org",)),), one("A", -250, 0), is_of=()
    ),
    Case("not on the list", (price("A", 0, listed=("other@example.org",)),), (FULL,), is_of=()),
    Case("a guest with a listed address must sign in", (price("A", 0, listed=("buyer@example.org",)),), (FULL,)),
    # Groups
    Case("too few for the group", (less("A", 30, min_quantity=3),), (FULL, FULL), lines=(DINNER, DINNER)),
    Case("a group", (less("A", 30, min_quantity=3),), (((("A", -30),), 220),) * 3, lines=(DINNER,) * 3),
    Case(
        "a group counts its own tickets only",
        (less("A", 30, min_quantity=3, types=("dinner",)),),
        (FULL, FULL, ((), 100)),
        lines=(DINNER, DINNER, PARTY),
    ),
    # Time
    Case("an early bird in time", (less("A", 50, until=2),), one("A", -50, 200)),
    Case("an early bird too late", (less("A", 50, until=2),), (FULL,), hours=3),
    Case("the closing second is out", (less("A", 50, until=2),), (FULL,), hours=2),
    Case("before it begins", (less("A", 50, since=2),), (FULL,), hours=1),
    Case("the opening second is in", (less("A", 50, since=2),), one("A", -50, 200), hours=2),
    Case("a late fee", (more("A", 50, since=2),), one("A", 50, 300), hours=4),
    # Limits
    Case("the first two tickets", (less("A", 50, size=2),), (((("A", -50),), 200),) * 2 + (FULL,), lines=(DINNER,) * 3),
    Case("none of the first are left", (less("A", 50, size=0),), (FULL,)),
    Case("one per person", (less("A", 50, max_per_person=1),), (((("A", -50),), 200), FULL), lines=(DINNER, DINNER)),
    # Several
    Case("the best one applies", (less("A", 50), percent("B", "30")), one("B", -75, 175)),
    Case("of two alike the first in the list", (less("A", 50), percent("B", "20")), one("A", -50, 200)),
    Case("the best one that is open to this person", (less("A", 50), price("B", 0, **LINTEK)), one("A", -50, 200)),
    Case(
        "the next best when the best is used up",
        (price("A", 0, size=1), less("B", 50)),
        (((("A", -250),), 0), ((("B", -50),), 200)),
        lines=(DINNER, DINNER),
    ),
    Case(
        "one is added to the best",
        (less("A", 50), percent("B", "10", **ADDED)),
        (((("A", -50), ("B", -20)), 180),),
    ),
    Case(
        "added ones in the order of the list",
        (less("A", 50, **ADDED), percent("B", "10", **ADDED)),
        (((("A", -50), ("B", -20)), 180),),
    ),
    Case(
        "added ones in the other order",
        (percent("A", "10", **ADDED), less("B", 50, **ADDED)),
        (((("A", -25), ("B", -50)), 175),),
    ),
    Case(
        "the best comes before what is added, wherever it stands",
        (percent("A", "10", **ADDED), less("B", 50)),
        (((("B", -50), ("A", -20)), 180),),
    ),
    Case(
        "what is added is cut at nothing",
        (less("A", 200), less("B", 100, **ADDED)),
        (((("A", -200), ("B", -50)), 0),),
    ),
    Case(
        "nothing is added to nothing",
        (price("A", 0), percent("B", "50", **ADDED)),
        one("A", -250, 0),
    ),
    Case(
        "a fixed price, added, is an upper bound",
        (less("A", 20), price("B", 150, **ADDED)),
        (((("A", -20), ("B", -80)), 150),),
    ),
    Case(
        "a discount and a surcharge",
        (less("A", 50), more("B", 30)),
        (((("A", -50), ("B", 30)), 230),),
    ),
    Case(
        "a surcharge in per cent is of what is left",
        (less("A", 50), percent_more("B", "10")),
        (((("A", -50), ("B", 20)), 220),),
    ),
    Case(
        "an added one with choices, after one without",
        (less("A", 50), percent("B", "50", **ADDED, **ALL)),
        (((("A", -50), ("B", -120)), 120),),
        lines=(BEER,),
    ),
]
