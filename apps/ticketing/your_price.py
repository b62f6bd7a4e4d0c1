"""What the tickets chosen in the form cost this person, line by line and with the reasons, before they are ordered.

Asked while one chooses where one ticket's price depends on the others (a group, a limit, a code), and by a form that
is loaded again. What it shows counts as seen: nobody pays more without being asked (`shown_prices`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from apps.events.translated import pick, repeated
from apps.ticketing import pricing
from apps.ticketing.catalogue import Catalogue, TypeFacts
from apps.ticketing.context import Chosen, ContextLine, PurchaseContext
from apps.ticketing.extensions import Why
from apps.ticketing.ordering import WantedTicket


@dataclass(frozen=True)
class Row:
    """One line of the sum, in minor units. `tickets` is on how many of several tickets a change lies."""

    name: str
    amount_minor: int
    tickets: int = 0


@dataclass(frozen=True)
class YourPrice:
    """Rows and changes add up to the total. `seen` is what each ticket costs without its choices, by the name of its
    field in the form."""

    rows: tuple[Row, ...]
    changes: tuple[Row, ...]
    whys: tuple[Why, ...]
    total_minor: int
    seen: tuple[tuple[str, int], ...]


def of(
    facts: Catalogue, context: PurchaseContext, tickets: Sequence[WantedTicket], places: Sequence[tuple[TypeFacts, int]]
) -> YourPrice:
    """The price of `tickets`, the n-th of which is `places[n]` in the form (its type and its number)."""
    lines = [_line(facts, key, ticket) for key, ticket in enumerate(tickets)]
    quote = pricing.quote(replace(context, lines=tuple(line for line in lines if line is not None)), explains=True)
    rows: dict[tuple[int, int], list[int]] = defaultdict(list)
    names: dict[tuple[int, int], str] = {}
    changes: dict[str, list[int]] = defaultdict(list)
    floor, seen = 0, []
    for priced in quote.lines:
        line = priced.line
        kind, number = places[line.key]
        rows[kind.id, 0].append(line.price_minor)
        names[kind.id, 0] = kind.name
        for chosen in line.choices:
            choice = kind.choice(chosen.choice_id)
            if choice is not None and chosen.delta_minor:
                rows[kind.id, choice.id] += [chosen.delta_minor] * chosen.quantity
                names[kind.id, choice.id] = choice.name
        extra = sum(chosen.delta_minor * chosen.quantity for chosen in line.choices)
        floor += priced.list_minor - line.price_minor - extra
        for named in priced.adjustments:
            changes[pick(named.label_sv, named.label_en)].append(named.amount_minor)
        seen.append((f"seen-{kind.public_id}-{number}", max(0, priced.price_minor - extra)))
    whys = Counter(why for priced in quote.lines for why in priced.whys if not why.gives)
    told = [Row(repeated(names[key], len(amounts)), sum(amounts)) for key, amounts in rows.items()]
    if floor:
        told.append(Row(_("Never below zero"), floor))
    several = len(quote.lines) > 1
    return YourPrice(
        rows=tuple(told),
        changes=tuple(Row(label, sum(amounts), len(amounts) if several else 0) for label, amounts in changes.items()),
        whys=tuple(whys),
        total_minor=quote.total_minor,
        seen=tuple(seen),
    )


def _line(facts: Catalogue, key: int, ticket: WantedTicket) -> ContextLine | None:
    kind = facts.type(ticket.ticket_type_id)
    if kind is None:
        return None
    return ContextLine(
        key=key,
        ticket_type_id=kind.id,
        price_minor=kind.price_minor,
        vat_percent=kind.vat_percent,
        vat_split=kind.vat_split,
        choices=tuple(
            Chosen(choice_id, quantity, choice.delta_minor)
            for choice_id, quantity in ticket.choices
            if (choice := kind.choice(choice_id)) is not None
        ),
    )
