"""Who gets what: plain data in, decisions out. No database, no clock; `reservations` reads and writes around it.

An order is decided whole, by rank: refused when no rule allows it, reserved when all of it fits, offered a part when
its buyer would take fewer, else left waiting. Smaller orders behind one that does not fit may pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from apps.ticketing import reasons
from apps.ticketing.catalogue import Catalogue
from apps.ticketing.context import ContextLine
from apps.ticketing.extensions import Share
from apps.ticketing.states import OrderState

NOTHING: Mapping[int, int] = {}  # what a person has who has no ticket yet


@dataclass(frozen=True)
class Wish:
    """One order as the decision sees it. `denials` maps line keys to the reason of a gate or a fulfilment."""

    order_id: int
    buyer_key: str
    is_signed_in: bool
    fewer_is_fine: bool
    lines: tuple[ContextLine, ...]
    denials: Mapping[int, str] = field(default_factory=dict)
    allowed: frozenset[int] = frozenset()  # line keys that a gate allowed
    without_stock: Set[int] = frozenset()  # line keys that draw on no quota (a resale)
    once_taken: Mapping[int, str] = field(default_factory=dict)  # line key -> why, once another has what it names
    shares: tuple[Share, ...] = ()  # what its tokens are worth
    token_refusal: str = ""  # why a token of its is worth nothing; empty when none is


@dataclass(frozen=True)
class Decision:
    """What becomes of one order: the state, the reason, and the line keys that are held."""

    order_id: int
    state: OrderState
    reason: str = ""
    held: tuple[int, ...] = ()
    shares: Mapping[int, Share] = field(default_factory=dict)  # of held lines: the share each takes from
    kept_places: Mapping[str, Mapping[int, int]] = field(default_factory=dict)  # {share: {quota id: kept for it}}


@dataclass
class Room:
    """What is left and what each person already holds, as it changes while a batch is decided.

    `taken` and `kept_taken` count what this batch took of each share, by its name; the first also by person. `named` is
    what lines of it got that is there once: a ticket somebody sells.
    """

    left: dict[int, int]  # places by quota id that everybody may buy
    owned: dict[str, Counter[int]]  # buyer key -> {ticket type id: tickets held or bought}
    taken: Counter[str] = field(default_factory=Counter)
    taken_by: Counter[tuple[str, str]] = field(default_factory=Counter)  # {(share, buyer key): tickets}
    kept_taken: dict[str, Counter[int]] = field(default_factory=dict)  # {share: {quota id: places}}
    paid: dict[str, Counter[int]] = field(default_factory=dict)  # of them those that are paid: hosts of guest tickets
    named: set[tuple[str, str]] = field(default_factory=set)  # (fulfilment, subject)

    def demand(self, catalogue: Catalogue, line: ContextLine) -> dict[int, int]:
        """Places by quota that one line takes: one for its type's quotas, one per piece for its choices'."""
        facts = catalogue.type(line.ticket_type_id)
        if facts is None:
            return {}
        wanted = dict.fromkeys(facts.quota_ids, 1)
        for chosen in line.choices:
            choice = facts.choice(chosen.choice_id)
            for quota_id in choice.quota_ids if choice else ():
                wanted[quota_id] = wanted.get(quota_id, 0) + chosen.quantity
        return wanted

    def fits(self, wanted: Mapping[int, int]) -> bool:
        return all(self.left.get(quota_id, 0) >= count for quota_id, count in wanted.items())

    def has_given(self, line: ContextLine) -> bool:
        """Whether an order before this one got what the line names."""
        return (line.fulfilment, line.subject) in self.named

    def take(self, wanted: Mapping[int, int]) -> None:
        for quota_id, count in wanted.items():
            self.left[quota_id] -= count


def decide(catalogue: Catalogue, room: Room, wish: Wish) -> Decision:
    """Decide one order and take what it gets out of `room`. Call by rank."""
    refusal = _refusal(catalogue, room, wish)
    if refusal:
        return Decision(wish.order_id, OrderState.REJECTED, refusal)

    demands = {line.key: {} if line.key in wish.without_stock else room.demand(catalogue, line) for line in wish.lines}
    shared, lacking = _share_out(catalogue, room, wish) if wish.shares else ({}, {})
    kept = _take_kept(catalogue, room, wish, shared, demands) if shared else {}
    whole = _together(demands.values())
    if not lacking and room.fits(whole):
        return _held(room, wish, OrderState.RESERVED, "", [line.key for line in wish.lines], whole, shared, kept)
    if wish.fewer_is_fine:
        lines = tuple(line for line in wish.lines if line.key not in lacking)
        part = _part_that_fits(catalogue, room, replace(wish, lines=lines), demands)
        if part:
            taken = _together(demands[key] for key in part)
            return _held(room, wish, OrderState.OFFERED, reasons.PARTIAL, part, taken, shared, kept)
    if lacking and (not wish.fewer_is_fine or len(lacking) == len(wish.lines)):
        return Decision(wish.order_id, OrderState.REJECTED, next(iter(lacking.values())))
    return Decision(wish.order_id, OrderState.WAITING, reasons.SOLD_OUT)


def _share_out(catalogue: Catalogue, room: Room, wish: Wish) -> tuple[dict[int, Share], dict[int, str]]:
    """({line key: the share it takes from}, {line key: why it cannot be had}) of the lines that a token opens.

    A ticket that everybody may buy is never lacking: with the share used up, it is bought like anybody's.
    """
    taken: Counter[str] = Counter()
    shared: dict[int, Share] = {}
    lacking: dict[int, str] = {}
    for line in wish.lines:
        covering = [share for share in wish.shares if line.ticket_type_id in share.ticket_type_ids]
        if line.key in wish.without_stock or not covering:
            continue
        why = ""
        for share in covering:
            gone = room.taken[share.name] + taken[share.name]
            own = room.taken_by[share.name, wish.buyer_key] + taken[share.name]
            if gone >= share.left:
                why = why or (share.too_few if share.left > room.taken[share.name] else share.used_up)
            elif share.left_for_buyer is not None and own >= share.left_for_buyer:
                why = share.per_person
            else:
                shared[line.key] = share
                taken[share.name] += 1
                break
        else:
            if not _is_open(catalogue, room, wish, line):
                lacking[line.key] = why or reasons.NOT_ON_SALE
    return shared, lacking


def _take_kept(
    catalogue: Catalogue, room: Room, wish: Wish, shared: Mapping[int, Share], demands: dict[int, dict[int, int]]
) -> dict[int, list[int]]:
    """{line key: quotas of whose places one that was kept for its share is taken}; `demands` are left with the rest."""
    gone = {name: Counter(places) for name, places in room.kept_taken.items()}
    kept: dict[int, list[int]] = {}
    for line in wish.lines:
        share, facts = shared.get(line.key), catalogue.type(line.ticket_type_id)
        if share is None or facts is None:
            continue
        own = gone.setdefault(share.name, Counter())
        for quota_id in facts.quota_ids:
            if own[quota_id] < share.set_aside.get(quota_id, 0):
                own[quota_id] += 1
                kept.setdefault(line.key, []).append(quota_id)
                demands[line.key][quota_id] -= 1
    return kept


def _together(demands: Iterable[Mapping[int, int]]) -> dict[int, int]:
    whole: dict[int, int] = {}
    for demand in demands:
        for quota_id, count in demand.items():
            whole[quota_id] = whole.get(quota_id, 0) + count
    return whole


def _held(
    room: Room,
    wish: Wish,
    state: OrderState,
    reason: str,
    keys: Sequence[int],
    demand: Mapping[int, int],
    shared: Mapping[int, Share],
    kept: Mapping[int, Sequence[int]],
) -> Decision:
    room.take(demand)
    shares = {key: shared[key] for key in keys if key in shared}
    places: dict[str, Counter[int]] = {}
    for key, share in shares.items():
        room.taken[share.name] += 1
        room.taken_by[share.name, wish.buyer_key] += 1
        places.setdefault(share.name, Counter()).update(kept.get(key, ()))
    for name, counts in places.items():
        room.kept_taken.setdefault(name, Counter()).update(counts)
    owned = room.owned.setdefault(wish.buyer_key, Counter())
    for line in wish.lines:
        if line.key in keys:
            owned[line.ticket_type_id] += 1
            if line.key in wish.once_taken:
                room.named.add((line.fulfilment, line.subject))
    return Decision(wish.order_id, state, reason, tuple(keys), shares, places)


def _part_that_fits(
    catalogue: Catalogue, room: Room, wish: Wish, demands: Mapping[int, Mapping[int, int]]
) -> list[int]:
    taken: dict[int, int] = {}
    part = []
    for line in wish.lines:
        with_it = _together((taken, demands[line.key]))
        if room.fits(with_it):
            taken = with_it
            part.append(line)
    counts = Counter(line.ticket_type_id for line in part)
    enough = {
        type_id
        for type_id, count in counts.items()
        if (facts := catalogue.type(type_id)) is not None and count >= facts.min_per_order
    }
    part = _without_surplus_guests(catalogue, room, wish, [line for line in part if line.ticket_type_id in enough])
    return [line.key for line in part]


def _without_surplus_guests(catalogue: Catalogue, room: Room, wish: Wish, part: list[ContextLine]) -> list[ContextLine]:
    """A part whose guest tickets keep their hosts: those for whom no host is left are left out, and with them the rest
    of their type where a minimum cannot be kept."""
    owned, paid = room.owned.get(wish.buyer_key, NOTHING), room.paid.get(wish.buyer_key, NOTHING)
    while (kind := _first_surplus(catalogue, owned, paid, Counter(line.ticket_type_id for line in part))) is not None:
        of_kind = [line for line in part if line.ticket_type_id == kind]
        facts = catalogue.type(kind)
        fewest = facts.min_per_order if facts is not None else 0
        gone = of_kind[-1:] if len(of_kind) > max(1, fewest) else of_kind
        part = [line for line in part if line not in gone]
    return part


def _first_surplus(
    catalogue: Catalogue, owned: Mapping[int, int], paid: Mapping[int, int], wanted: Mapping[int, int]
) -> int | None:
    """The first guest type of which there would be more tickets than their hosts allow; None where all have one.

    Hosts are those of the same order, and those paid for before: what is merely held in another order may lapse.
    """
    for type_id, count in wanted.items():
        facts = catalogue.type(type_id)
        if facts is None or facts.guests_of_id is None:
            continue
        hosts = paid.get(facts.guests_of_id, 0) + wanted.get(facts.guests_of_id, 0)
        if owned.get(type_id, 0) + count > facts.guests_per_ticket * hosts:
            return type_id
    return None


def _refusal(catalogue: Catalogue, room: Room, wish: Wish) -> str:
    if catalogue.sign_in_required and not wish.is_signed_in:
        return reasons.SIGN_IN_REQUIRED
    own = Counter((line.fulfilment, line.subject) for line in wish.lines)
    for line in wish.lines:
        facts = catalogue.type(line.ticket_type_id)
        if facts is None or (not facts.quota_ids and line.key not in wish.without_stock):
            return reasons.NOT_ON_SALE  # a type without a quota has no places to sell
        if line.sells is None and any(facts.choice(chosen.choice_id) is None for chosen in line.choices):
            return reasons.CHOICE_GONE
        if line.key in wish.denials:
            return wish.denials[line.key]
        if line.key in wish.once_taken and (room.has_given(line) or own[line.fulfilment, line.subject] > 1):
            return wish.once_taken[line.key]
        is_offered = line.sells is not None and facts.visibility != "members"  # its owner offers it, hidden or not
        is_shared = bool(wish.shares) and any(line.ticket_type_id in share.ticket_type_ids for share in wish.shares)
        if not (is_offered or is_shared or _is_open(catalogue, room, wish, line)):
            return wish.token_refusal or reasons.NOT_ON_SALE
    if not catalogue.has_limits:
        return ""
    wanted: dict[int, int] = {}
    for line in wish.lines:
        wanted[line.ticket_type_id] = wanted.get(line.ticket_type_id, 0) + 1
    owned, paid = room.owned.get(wish.buyer_key, NOTHING), room.paid.get(wish.buyer_key, NOTHING)
    return limit_refusal(catalogue, owned, wanted, paid=paid)


def _is_open(catalogue: Catalogue, room: Room, wish: Wish, line: ContextLine) -> bool:
    """Whether this buyer may have the type of a line without any token."""
    return line.key in wish.allowed or _is_visible(catalogue, room, line.ticket_type_id)


def _is_visible(catalogue: Catalogue, room: Room, type_id: int) -> bool:
    facts = catalogue.type(type_id)
    return facts is not None and catalogue.shows(facts, room.left)


def limit_refusal(
    catalogue: Catalogue, owned: Mapping[int, int], wanted: Mapping[int, int], *, paid: Mapping[int, int] = NOTHING
) -> str:
    """Why one person may not have `wanted` beside what they own, both {ticket type id: number}; empty when they may.
    `paid` is what of it they have paid for: guest tickets need such a host, or one in the same order."""
    limit = catalogue.max_per_person
    if limit is not None and sum(owned.values()) + sum(wanted.values()) > limit:
        return reasons.LIMIT_PER_PERSON
    for type_id, count in wanted.items():
        facts = catalogue.type(type_id)
        if facts is None:
            continue
        if facts.max_per_person is not None and owned.get(type_id, 0) + count > facts.max_per_person:
            return reasons.LIMIT_PER_PERSON
        if facts.conflicts and any(owned.get(other) or wanted.get(other) for other in facts.conflicts):
            return reasons.CONFLICTING_TYPES
    if _first_surplus(catalogue, owned, paid, wanted) is not None:
        return reasons.TOO_MANY_GUESTS
    return ""
