"""Who gets what, as plain data: tables of cases, and properties over thousands of random queues."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.ticketing import reasons
from apps.ticketing.allocation import Decision, Room, Wish, decide
from apps.ticketing.catalogue import Catalogue, ChoiceFacts, TypeFacts, VariationFacts
from apps.ticketing.context import Chosen, ContextLine
from apps.ticketing.extensions import Share
from apps.ticketing.states import OrderState

SOME_ID = uuid.UUID(int=1)


def kind(pk: int, *quotas: int, **values) -> TypeFacts:
    facts = {
        "id": pk, "public_id": SOME_ID, "name_sv": "A", "name_en": "A", "description_sv": "", "description_en": "",
        "price_minor": 100, "vat_percent": Decimal(25), "visibility": "public", "after_quota_ids": None,
        "opens_at": None, "closes_at": None, "min_per_order": 0, "max_per_order": 6, "max_per_person": None,
        "conflicts": frozenset(), "quota_ids": quotas, "variations": (), "needs_name": False,
    }  # fmt: skip
    return TypeFacts(**{**facts, **values})


def catalogue(*types: TypeFacts, **values) -> Catalogue:
    facts = {
        "event_id": 1, "event_public_id": SOME_ID, "organisation_id": 1, "currency": "SEK", "max_per_person": None,
        "sign_in_required": False, "ends_at": datetime(2030, 1, 1, tzinfo=UTC), "types": types,
    }  # fmt: skip
    return Catalogue(**{**facts, **values})


def wish(*type_ids: int, order_id: int = 1, **values) -> Wish:
    lines = tuple(
        ContextLine(key=order_id * 100 + n, ticket_type_id=type_id, price_minor=100, vat_percent=Decimal(25))
        for n, type_id in enumerate(type_ids)
    )
    return Wish(**{
        "order_id": order_id, "buyer_key": f"b{order_id}", "is_signed_in": True, "fewer_is_fine": True, "lines": lines,
        **values,
    })  # fmt: skip


def test_decide_reserves_when_all_fits():
    room = Room(left={7: 3}, owned={})

    decision = decide(catalogue(kind(1, 7)), room, wish(1, 1))

    assert decision == Decision(1, OrderState.RESERVED, "", (100, 101))
    assert room.left == {7: 1}
    assert room.owned == {"b1": Counter({1: 2})}


def test_decide_offers_the_part_that_fits_and_holds_it():
    room = Room(left={7: 2}, owned={})

    decision = decide(catalogue(kind(1, 7)), room, wish(1, 1, 1))

    assert decision == Decision(1, OrderState.OFFERED, reasons.PARTIAL, (100, 101))
    assert room.left == {7: 0}


def test_decide_leaves_waiting_whoever_wants_all_or_nothing():
    room = Room(left={7: 2}, owned={})

    decision = decide(catalogue(kind(1, 7)), room, wish(1, 1, 1, fewer_is_fine=False))

    assert decision == Decision(1, OrderState.WAITING, reasons.SOLD_OUT)
    assert room.left == {7: 2}


def test_decide_lets_a_smaller_order_pass_one_that_does_not_fit():
    facts, room = catalogue(kind(1, 7)), Room(left={7: 2}, owned={})

    states = [
        decide(facts, room, one).state
        for one in (wish(1, 1, 1, fewer_is_fine=False), wish(1, 1, order_id=2), wish(1, order_id=3))
    ]

    assert states == [OrderState.WAITING, OrderState.RESERVED, OrderState.WAITING]


def test_decide_counts_choices_against_their_own_quota():
    beer = ChoiceFacts(5, SOME_ID, "Öl", "Beer", 0, 3, (9,))
    facts = catalogue(kind(1, 7, variations=(VariationFacts(4, SOME_ID, "D", "D", "many", (beer,)),)))
    line = ContextLine(100, 1, 100, Decimal(25), choices=(Chosen(5, 3, 0),))
    room = Room(left={7: 5, 9: 2}, owned={})

    decision = decide(facts, room, wish(lines=(line,)))

    assert decision.state == OrderState.WAITING
    assert room.left == {7: 5, 9: 2}


def test_decide_drops_a_type_below_its_minimum_from_a_part():
    facts = catalogue(kind(1, 7, min_per_order=2), kind(2, 8))

    decision = decide(facts, Room(left={7: 1, 8: 1}, owned={}), wish(1, 1, 2))

    assert decision.held == (102,)


REFUSALS = {
    "unknown type": (catalogue(kind(1, 7)), {}, wish(2), reasons.NOT_ON_SALE),
    "a type without a quota": (catalogue(kind(1)), {}, wish(1), reasons.NOT_ON_SALE),
    "by link only": (catalogue(kind(1, 7, visibility="link")), {}, wish(1), reasons.NOT_ON_SALE),
    "after another that still sells": (
        catalogue(kind(1, 7, visibility="after", after_quota_ids=(7,)), kind(2, 7)), {}, wish(1), reasons.NOT_ON_SALE,
    ),
    "sign-in required": (
        catalogue(kind(1, 7), sign_in_required=True), {}, wish(1, is_signed_in=False), reasons.SIGN_IN_REQUIRED,
    ),
    "limit per type": (
        catalogue(kind(1, 7, max_per_person=2)), {"b1": Counter({1: 1})}, wish(1, 1), reasons.LIMIT_PER_PERSON,
    ),
    "limit per event": (
        catalogue(kind(1, 7), kind(2, 7), max_per_person=2), {"b1": Counter({2: 1})}, wish(1, 1),
        reasons.LIMIT_PER_PERSON,
    ),
    "conflict in one order": (
        catalogue(kind(1, 7, conflicts=frozenset({2})), kind(2, 7, conflicts=frozenset({1}))), {}, wish(1, 2),
        reasons.CONFLICTING_TYPES,
    ),
    "conflict over time": (
        catalogue(kind(1, 7, conflicts=frozenset({2})), kind(2, 7, conflicts=frozenset({1}))),
        {"b1": Counter({2: 1})}, wish(1), reasons.CONFLICTING_TYPES,
    ),
    "denied by a gate": (catalogue(kind(1, 7)), {}, wish(1, denials={100: "not_member"}), "not_member"),
}  # fmt: skip


@pytest.mark.parametrize(("facts", "owned", "one", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_decide_refuses(facts, owned, one, reason):
    room = Room(left={7: 5}, owned=owned)

    decision = decide(facts, room, one)

    assert decision == Decision(1, OrderState.REJECTED, reason)
    assert room.left == {7: 5}


def test_decide_allows_a_hidden_type_when_a_gate_does():
    facts = catalogue(kind(1, 7, visibility="link"))

    assert decide(facts, Room({7: 1}, {}), wish(1, allowed=frozenset({100}))).state == OrderState.RESERVED


def test_decide_opens_the_second_release_when_the_first_is_gone():
    facts = catalogue(kind(1, 7, visibility="after", after_quota_ids=(8,)), kind(2, 8))

    assert decide(facts, Room({7: 1, 8: 0}, {}), wish(1)).state == OrderState.RESERVED


WITH_GUESTS = catalogue(kind(1, 7), kind(2, 8, guests_of_id=1, guests_per_ticket=2))
GUESTS = {  # what one wants; what they hold or own; what of it is paid for; the reason
    "as many as their own allow": (wish(1, 2, 2), {}, {}, ""),
    "one too many in one order": (wish(1, 2, 2, 2), {}, {}, reasons.TOO_MANY_GUESTS),
    "guests alone": (wish(2), {}, {}, reasons.TOO_MANY_GUESTS),
    "of a ticket paid for before": (wish(2, 2), {1: 1}, {1: 1}, ""),
    "one too many over two orders": (wish(2), {1: 1, 2: 2}, {1: 1, 2: 2}, reasons.TOO_MANY_GUESTS),
    "of a ticket that may lapse": (wish(2), {1: 1}, {}, reasons.TOO_MANY_GUESTS),
    "one more of one's own makes room": (wish(1, 2), {1: 1, 2: 2}, {1: 1, 2: 2}, ""),
    "no guest is wanted": (wish(1), {2: 5}, {2: 5}, ""),
}


@pytest.mark.parametrize(("one", "owned", "paid", "reason"), GUESTS.values(), ids=GUESTS)
def test_decide_counts_guests_for_each_ticket_of_ones_own(one, owned, paid, reason):
    room = Room(left={7: 9, 8: 9}, owned={"b1": Counter(owned)}, paid={"b1": Counter(paid)})

    decision = decide(WITH_GUESTS, room, one)

    assert decision.reason == reason
    assert decision.state == (OrderState.REJECTED if reason else OrderState.RESERVED)


PARTS = {  # places of the host's and of the guests' quota; the keys offered of an order for hosts 100, 101, guests 102-
    "the guests of the host that is left": ({7: 1, 8: 9}, (100, 102, 103)),
    "no guest without a host": ({7: 0, 8: 9}, ()),
    "hosts without their guests": ({7: 2, 8: 0}, (100, 101)),
}


@pytest.mark.parametrize(("left", "held"), PARTS.values(), ids=PARTS)
def test_decide_offers_no_guest_without_a_host(left, held):
    assert decide(WITH_GUESTS, Room(left=dict(left), owned={}), wish(1, 1, 2, 2, 2)).held == held


@given(
    sizes=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    wanted=st.lists(st.integers(1, 2), min_size=1, max_size=8),
    owned=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_decide_never_holds_more_guests_than_hosts_allow(sizes, wanted, owned):
    hosts, guests = owned
    had = Counter({1: hosts, 2: min(guests, 2 * hosts)})
    room = Room(left={7: sizes[0], 8: sizes[1]}, owned={"b1": Counter(had)}, paid={"b1": Counter(had)})
    one = wish(*wanted)

    decision = decide(WITH_GUESTS, room, one)

    held = Counter(line.ticket_type_id for line in one.lines if line.key in decision.held)
    assert had[2] + held[2] <= 2 * (had[1] + held[1])


TWO_TYPES = catalogue(kind(1, 7), kind(2, 7, 8), kind(3, 8, max_per_person=2))


@given(
    sizes=st.tuples(st.integers(0, 12), st.integers(0, 12)),
    wishes=st.lists(
        st.tuples(st.lists(st.integers(1, 3), min_size=1, max_size=6), st.booleans(), st.integers(0, 4)), max_size=30
    ),
)
def test_decide_never_oversells_and_never_leaves_a_fitting_order_waiting(sizes, wishes):
    room = Room(left={7: sizes[0], 8: sizes[1]}, owned={})
    orders = [
        wish(*types, order_id=n, fewer_is_fine=fewer, buyer_key=f"b{person}")
        for n, (types, fewer, person) in enumerate(wishes, start=1)
    ]

    decisions = [decide(TWO_TYPES, room, one) for one in orders]

    taken: Counter[int] = Counter()
    for one, decision in zip(orders, decisions, strict=True):
        for line in one.lines:
            if line.key in decision.held:
                taken.update(TWO_TYPES.type(line.ticket_type_id).quota_ids)
        if decision.state == OrderState.WAITING:
            whole = sum((Counter(room.demand(TWO_TYPES, line)) for line in one.lines), Counter())
            assert not room.fits(whole)
    assert taken[7] <= sizes[0]
    assert taken[8] <= sizes[1]
    assert room.left == {7: sizes[0] - taken[7], 8: sizes[1] - taken[8]}
    assert all(owned[3] <= 2 for owned in room.owned.values())


# --- Shares: tickets kept for whoever shows a token -----------------------------------------------------------------


def share(left: int, *type_ids: int, key: int = 1, **values) -> Share:
    words = {"used_up": "used up", "too_few": "too few", "per_person": "one each"}
    return Share("links", key, "A", frozenset(type_ids), 9, left, **{**words, **values})


HIDDEN = catalogue(kind(1, 7, visibility="link"), kind(2, 7))
SHARES = {
    "opens-a-hidden-type": (wish(1, 1, shares=(share(2, 1),)), {7: 5}, ("reserved", "", 2), {7: 3}, {}),
    "makes-no-places": (
        wish(1, 1, shares=(share(2, 1),), fewer_is_fine=False), {7: 1}, ("waiting", "sold_out", 0), {7: 1}, {},
    ),
    "takes-what-is-kept": (
        wish(1, 1, shares=(share(2, 1, set_aside={7: 2}),)), {7: 0}, ("reserved", "", 2), {7: 0}, {"links:1": {7: 2}},
    ),
    "takes-the-rest-from-all": (
        wish(1, 1, shares=(share(2, 1, set_aside={7: 1}),)), {7: 1}, ("reserved", "", 2), {7: 0}, {"links:1": {7: 1}},
    ),
    "keeps-nothing-for-other-types": (
        wish(2, shares=(share(2, 1, set_aside={7: 2}),)), {7: 0}, ("waiting", "sold_out", 0), {7: 0}, {},
    ),
    "offers-what-is-left-of-it": (wish(1, 1, shares=(share(1, 1),)), {7: 5}, ("offered", "partial", 1), {7: 4}, {}),
    "has-too-few": (
        wish(1, 1, shares=(share(1, 1),), fewer_is_fine=False), {7: 5}, ("rejected", "too few", 0), {7: 5}, {},
    ),
    "is-used-up": (wish(1, shares=(share(0, 1),)), {7: 5}, ("rejected", "used up", 0), {7: 5}, {}),
    "is-one-each": (
        wish(1, 1, shares=(share(4, 1, left_for_buyer=1),), fewer_is_fine=False),
        {7: 5}, ("rejected", "one each", 0), {7: 5}, {},
    ),
    "used-up-beside-a-public-one": (wish(1, 2, shares=(share(0, 1),)), {7: 5}, ("offered", "partial", 1), {7: 4}, {}),
    "for-a-public-type-too": (
        wish(2, 2, 2, shares=(share(1, 2, set_aside={7: 1}),)),
        {7: 2}, ("reserved", "", 3), {7: 0}, {"links:1": {7: 1}},
    ),
    "token-that-is-worth-nothing": (wish(1, token_refusal="over"), {7: 5}, ("rejected", "over", 0), {7: 5}, {}),
}  # fmt: skip


@pytest.mark.parametrize(("one", "left", "expected", "after", "kept"), SHARES.values(), ids=SHARES)
def test_a_share(one: Wish, left: dict, expected: tuple, after: dict, kept: dict) -> None:
    room = Room(left=dict(left), owned={})

    decision = decide(HIDDEN, room, one)

    assert (decision.state, decision.reason, len(decision.held)) == expected
    assert room.left == after
    assert {name: dict(places) for name, places in decision.kept_places.items() if places} == kept


def test_a_share_is_used_up_within_one_batch() -> None:
    room = Room(left={7: 9}, owned={})
    kept = share(3, 1, set_aside={7: 3})

    states = [decide(HIDDEN, room, wish(1, 1, order_id=n, shares=(kept,))).state for n in (1, 2, 3)]

    assert states == ["reserved", "offered", "rejected"]
    assert (room.left, dict(room.taken), dict(room.kept_taken["links:1"])) == ({7: 9}, {"links:1": 3}, {7: 3})
