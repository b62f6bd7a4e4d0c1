"""What a person pays: a table of cases, each with its whole breakdown, and what holds for any discounts at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.discounts import granting
from apps.discounts.facts import DiscountFacts, EventDiscounts
from apps.ticketing import clock, ordering, pricing
from apps.ticketing.context import Chosen, ContextLine, PurchaseContext
from tests import factories
from tests.discounts import builders
from tests.discounts.pricing_cases import CASES, Case


def test_there_are_many_cases() -> None:
    assert len(CASES) >= 60
    assert len({case.id for case in CASES}) == len(CASES)


@pytest.mark.django_db
@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_price_is(case: Case) -> None:
    event, lines = _evening(case)
    person = None
    bodies = {name: builders.body(event.organisation, name) for name in ("LinTek", "StuFF")}
    if case.is_of is not None:
        person = factories.user(email=case.email)
        builders.member(*(bodies[name] for name in case.is_of), user=person)
        builders.member(*(bodies[name] for name in case.perhaps_of), verdict="unknown", user=person)
        builders.member(
            *(body for name, body in bodies.items() if name not in case.is_of + case.perhaps_of),
            verdict="no",
            user=person,
        )
    kinds = {kind.name_en: kind for kind in event.ticket_types.all()}
    at = clock.now()
    for wanted in case.discounts:
        _discount(event, wanted, kinds, bodies, at)

    context = PurchaseContext(
        event_id=event.pk,
        currency="SEK",
        at=at + timedelta(hours=case.hours),
        buyer_key=ordering.buyer_key(person, case.email),
        user_id=person.pk if person else None,
        email=case.email,
        tokens=case.tokens,
        lines=lines,
    )
    quote = pricing.quote(context)

    told = tuple(
        (tuple((named.label_en, named.amount_minor // 100) for named in line.adjustments), line.price_minor // 100)
        for line in quote.lines
    )
    assert told == case.gets
    assert any(named.is_provisional for line in quote.lines for named in line.adjustments) == case.provisional


def _evening(case: Case) -> tuple[Any, tuple[ContextLine, ...]]:
    event = factories.event()
    places = factories.quota(event, 1_000)
    prices = {"dinner": 25_000, "party": 10_000, "seminar": 0}
    kinds = {
        name: factories.ticket_type(event, places, name_en=name, price_minor=minor) for name, minor in prices.items()
    }
    drinks = factories.variation(kinds["dinner"], kind="many")
    deltas = {"beer": 4_000, "no food": -6_000}
    choices = {name: factories.choice(drinks, name_en=name, delta_minor=minor) for name, minor in deltas.items()}
    lines = tuple(
        ContextLine(
            key=key,
            ticket_type_id=kinds[name].pk,
            price_minor=prices[name],
            vat_percent=Decimal(25),
            choices=tuple(Chosen(choices[each].pk, 1, deltas[each]) for each in picked),
        )
        for key, (name, picked) in enumerate(case.lines)
    )
    return event, lines


def _discount(event: Any, wanted: dict[str, Any], kinds: dict[str, Any], bodies: dict[str, Any], at: datetime) -> None:
    values = dict(wanted)
    name = values.pop("name")
    for moment, column in (("since", "opens_at"), ("until", "closes_at")):
        if moment in values:
            values[column] = at + timedelta(hours=values.pop(moment))
    values["types"] = [kinds[each] for each in values.pop("types", ())]
    values["bodies"] = [bodies[each] for each in values.pop("bodies", ())]
    builders.discount(event, name_sv=name, name_en=name, **values)


# --- Whatever the discounts ------------------------------------------------------------------------------------------

AT = datetime(2026, 12, 1, 12, tzinfo=UTC)
KINDS = ("less", "percent", "price", "more", "percent_more")


@st.composite
def discounts(draw: st.DrawFn) -> EventDiscounts:
    def one(number: int) -> DiscountFacts:
        kind = draw(st.sampled_from(KINDS))
        return DiscountFacts(
            id=number,
            name_sv=f"R{number}",
            name_en=f"D{number}",
            kind=kind,
            amount_minor=draw(st.integers(0, 50_000)),
            percent=draw(st.decimals(0, 100, places=2)),
            covers_choices=draw(st.booleans()),
            is_added=kind.endswith("more") or draw(st.booleans()),
            type_ids=draw(st.sampled_from([frozenset(), frozenset({1}), frozenset({1, 2})])),
            bodies=(),
            gives_when_unknown=False,
            needs_code=False,
            needs_list=False,
            min_quantity=draw(st.sampled_from([None, None, 2])),
            opens_at=None,
            closes_at=None,
            max_per_person=draw(st.sampled_from([None, None, 1, 2])),
            size=draw(st.sampled_from([None, None, 0, 1, 3])),
            bearer=draw(st.sampled_from(["organiser", "sponsor:a", "sponsor:b"])),
        )

    return EventDiscounts(tuple(one(number) for number in range(1, 1 + draw(st.integers(0, 5)))))


@st.composite
def orders(draw: st.DrawFn) -> list[PurchaseContext]:
    key = 0
    made = []
    for order in range(draw(st.integers(1, 4))):
        lines = []
        for _ in range(draw(st.integers(1, 4))):
            key += 1
            delta = draw(st.integers(-30_000, 30_000))
            chosen = (Chosen(1, draw(st.integers(1, 3)), delta),) if draw(st.booleans()) else ()
            lines.append(ContextLine(key, draw(st.integers(1, 3)), draw(st.integers(0, 40_000)), Decimal(25), chosen))
        buyer = draw(st.sampled_from("ab"))
        made.append(PurchaseContext(1, "SEK", AT, buyer_key=buyer, order_id=order + 1, lines=tuple(lines)))
    return made


@given(discounts(), orders())
def test_list_price_and_adjustments_are_the_price_and_no_limit_is_passed(
    offered: EventDiscounts, contexts: list[PurchaseContext]
) -> None:
    known = granting.Known()
    given_out: dict[int, int] = {}
    by_person: dict[tuple[int, str], int] = {}
    for context in contexts:
        served = granting.serve(context, offered, known)
        for line in context.lines:
            price = line.list_minor
            granted = served.granted.get(line.key, ())
            for each in granted:
                price += each.amount_minor
                assert price >= 0
                given_out[each.discount_id] = given_out.get(each.discount_id, 0) + 1
                person = (each.discount_id, context.buyer_key)
                by_person[person] = by_person.get(person, 0) + 1
            quoted, applied = pricing._apply(line.list_minor, granted)
            assert quoted == price == line.list_minor + sum(each.amount_minor for each in applied)
            assert applied == granted
            assert len({each.discount_id for each in granted}) == len(granted)
    for discount in offered.discounts:
        assert discount.size is None or given_out.get(discount.id, 0) <= discount.size
        if discount.max_per_person is not None:
            most = max((n for (pk, _person), n in by_person.items() if pk == discount.id), default=0)
            assert most <= discount.max_per_person


@given(discounts(), st.integers(0, 40_000))
def test_no_competing_discount_would_have_been_better(offered: EventDiscounts, price: int) -> None:
    line = ContextLine(1, 1, price, Decimal(25))
    context = PurchaseContext(1, "SEK", AT, buyer_key="a", order_id=1, lines=(line,))

    served = granting.serve(context, offered, granting.Known())

    competing = [finding for finding in served.findings.get(1, ()) if not finding.discount.is_added]
    best = [finding.amount_minor for finding in competing if finding.outcome == granting.Outcome.GIVEN]
    beaten = [finding.amount_minor for finding in competing if finding.outcome == granting.Outcome.BEATEN]
    assert len(best) <= 1
    assert not beaten or min(beaten) >= best[0]
