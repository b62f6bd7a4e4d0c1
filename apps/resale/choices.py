"""What was chosen with a ticket that is sold again: what of it goes along, and whether it is still what a buyer saw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from apps.accounts.prepared import Statement
from apps.ticketing import changes

Pieces = Mapping[int, int]  # {choice: how many}


def going_along(line_ids: Iterable[int]) -> Mapping[int, Pieces]:
    """{line of a ticket: what goes with it}. Not what its owner chose for their health alone, with no place or money to
    it. One query."""
    return _pieces((line, choice, quantity) for line, choice, quantity, goes in _CHOSEN.run(list(line_ids)) if goes)


def changed(sold: Mapping[int, int]) -> set[int]:
    """Of {buyer's line: line of the ticket it buys} those buyers' whose ticket has other choices than they saw, or will
    have once they are paid. Two queries."""
    if not sold:
        return set()
    rows = _CHOSEN.run([*sold, *sold.values()])
    wanted = _pieces((line, choice, quantity) for line, choice, quantity, _goes in rows)
    now = _pieces((line, choice, quantity) for line, choice, quantity, goes in rows if goes)
    for_money = changes.which_changed_for_money(sold.values())
    return {line for line, of in sold.items() if of in for_money or wanted.get(line, {}) != now.get(of, {})}


# Every choice of some lines, and whether it goes along when the ticket is sold again.
_CHOSEN = Statement(
    "resale_choices",
    ("bigint[]",),
    """
SELECT chosen.line_id, chosen.choice_id, chosen.quantity, NOT (
    choice.is_sensitive AND chosen.delta_minor = 0
    AND NOT EXISTS (SELECT FROM ticketing_choice_quotas drawn WHERE drawn.choice_id = choice.id)
) FROM ticketing_linechoice chosen JOIN ticketing_choice choice ON choice.id = chosen.choice_id
WHERE chosen.line_id = ANY($1) ORDER BY chosen.id
""",
)


def _pieces(rows: Iterable[tuple[int, int, int]]) -> Mapping[int, Pieces]:
    found: dict[int, dict[int, int]] = defaultdict(dict)
    for line_id, choice_id, quantity in rows:
        found[line_id][choice_id] = quantity
    return found
