"""Reading a posted ticket form: whatever is sent becomes tickets or a sentence beside its field, never an error."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.utils.translation import override

from apps.ticketing import forms, reasons
from apps.ticketing.catalogue import Catalogue, ChoiceFacts, TypeFacts, VariationFacts
from apps.ticketing.forms import CheckoutForm, edition, read_wish
from apps.ticketing.ordering import Problem, WantedTicket

BEER = ChoiceFacts(11, uuid.UUID(int=11), "Öl", "Beer", 0, 1, ())
JUICE = ChoiceFacts(12, uuid.UUID(int=12), "Saft", "Juice", -1000, 1, ())
SNAPS = ChoiceFacts(13, uuid.UUID(int=13), "Snaps", "Snaps", 2000, 3, ())
DRINK = VariationFacts(5, uuid.UUID(int=5), "Dryck", "Beverage", "one", (BEER, JUICE))
EXTRA = VariationFacts(6, uuid.UUID(int=6), "Tillval", "Extras", "many", (SNAPS,))


def kind(number: int, **values: object) -> TypeFacts:
    facts = {
        "id": number, "public_id": uuid.UUID(int=number), "name_sv": "Biljett", "name_en": "Ticket",
        "description_sv": "", "description_en": "", "price_minor": 25000, "vat_percent": Decimal(25),
        "visibility": "public", "after_quota_ids": None, "opens_at": None, "closes_at": None, "min_per_order": 0,
        "max_per_order": 4, "max_per_person": None, "conflicts": frozenset(), "quota_ids": (), "variations": (),
        "needs_name": False,
    }  # fmt: skip
    return TypeFacts(**{**facts, **values})  # type: ignore[arg-type]


DINNER = kind(1, variations=(DRINK, EXTRA))
PARTY = kind(2)
NAMED = kind(3, needs_name=True)
ENDS = datetime(2099, 1, 1, tzinfo=UTC)
CATALOGUE = Catalogue(1, uuid.UUID(int=99), 1, "SEK", None, False, ENDS, (DINNER, PARTY, NAMED))

D = f"type-{DINNER.public_id}"
P = f"type-{PARTY.public_id}"
N = f"type-{NAMED.public_id}"


def drink(number: int) -> str:
    return f"choice-{DINNER.public_id}-{number}-{DRINK.public_id}"


def snaps(number: int) -> str:
    return f"extra-{DINNER.public_id}-{number}-{SNAPS.public_id}"


def read(**values: str) -> forms.Wish:
    with override("en"):
        return read_wish(CATALOGUE, {"email": "a@example.org", "idempotency_key": "key-12345", **values})


def test_a_complete_form_becomes_tickets() -> None:
    wish = read(**{D: "2", drink(1): str(BEER.public_id), drink(2): str(JUICE.public_id), snaps(2): "2", P: "1"})

    assert wish.errors == {}
    assert wish.tickets == [
        WantedTicket(1, ((11, 1),)),
        WantedTicket(1, ((12, 1), (13, 2))),
        WantedTicket(2),
    ]
    assert wish.places == [(DINNER, 1), (DINNER, 2), (PARTY, 1)]


def with_default(*choices: ChoiceFacts) -> Catalogue:
    return replace(CATALOGUE, types=(replace(DINNER, variations=(replace(DRINK, choices=choices),)),))


def test_whoever_chooses_nothing_gets_the_default() -> None:
    catalogue = with_default(replace(BEER, is_default=True), JUICE)
    data = {"email": "a@example.org", "idempotency_key": "key-12345", D: "2", drink(2): str(JUICE.public_id)}

    wish = read_wish(catalogue, data)

    assert wish.errors == {}
    assert wish.tickets == [WantedTicket(1, ((11, 1),), defaults=frozenset({11})), WantedTicket(1, ((12, 1),))]


def test_a_default_that_costs_extra_is_none() -> None:
    """Nobody pays for what a form had ticked for them: directive 2011/83/EU art. 22."""
    catalogue = with_default(replace(BEER, is_default=True, delta_minor=500), JUICE)

    wish = read_wish(catalogue, {"email": "a@example.org", "idempotency_key": "key-12345", D: "1"})

    assert wish.codes == {reasons.CHOICE_MISSING}


def test_fewer_is_fine_only_when_ticked() -> None:
    assert [read(**{P: "1"}).fewer_is_fine, read(**{P: "1", "fewer_is_fine": "1"}).fewer_is_fine] == [False, True]


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        pytest.param({P: "-1"}, {P: "A number of tickets cannot be below 0."}, id="negative"),
        pytest.param({P: "\u22122"}, {P: "A number of tickets cannot be below 0."}, id="negative-by-a-real-minus"),
        pytest.param({P: "two"}, {P: "Write a whole number, such as 2."}, id="not-a-number"),
        pytest.param({P: "1.5"}, {P: "Write a whole number, such as 2."}, id="a-half"),
        pytest.param({P: "\u0663"}, {P: "Write a whole number, such as 2."}, id="digits-of-another-script"),
        pytest.param({P: "1e9"}, {P: "Write a whole number, such as 2."}, id="scientific"),
        pytest.param({P: "9" * 400}, {P: "That is more tickets than one order may hold."}, id="huge"),
        pytest.param({P: "5"}, {P: "At most 4 tickets of this kind per order."}, id="above-the-limit"),
        pytest.param({}, {"tickets": "Choose at least one ticket."}, id="nothing-chosen"),
        pytest.param({P: "0", D: ""}, {"tickets": "Choose at least one ticket."}, id="zero"),
        pytest.param({D: "1"}, {drink(1): "Choose beverage for ticket 1."}, id="choice-missing"),
        pytest.param(
            {D: "2", drink(1): str(BEER.public_id)}, {drink(2): "Choose beverage for ticket 2."}, id="second-missing"
        ),
        pytest.param(
            {D: "1", drink(1): str(SNAPS.public_id)},
            {drink(1): reasons.codes()[reasons.CHOICE_GONE]},
            id="choice-of-another-question",
        ),
        pytest.param(
            {D: "1", drink(1): "\x00"}, {drink(1): reasons.codes()[reasons.CHOICE_GONE]}, id="choice-nonsense"
        ),
        pytest.param(
            {D: "1", drink(1): str(BEER.public_id), snaps(1): "4"},
            {snaps(1): "At most 3 per ticket."},
            id="too-many-snaps",
        ),
        pytest.param(
            {D: "1", drink(1): str(BEER.public_id), snaps(1): "-4"},
            {snaps(1): "A number of tickets cannot be below 0."},
            id="negative-snaps",
        ),
        pytest.param(
            {N: "1"}, {f"guest-{NAMED.public_id}-1": "Write the name of the guest on ticket 1."}, id="no-guest"
        ),
        pytest.param(
            {N: "1", f"guest-{NAMED.public_id}-1": "x" * 121},
            {f"guest-{NAMED.public_id}-1": "Write at most 120 characters."},
            id="guest-too-long",
        ),
        pytest.param(
            {f"type-{uuid.UUID(int=77)}": "1"},
            {"tickets": reasons.codes()[reasons.NOT_ON_SALE]},
            id="foreign-type",
        ),
        pytest.param(
            {P: "1", "type-'; DROP TABLE": "1"}, {"tickets": reasons.codes()[reasons.NOT_ON_SALE]}, id="not-a-type"
        ),
        pytest.param(
            {P: "1", f"edition-{PARTY.public_id}": "000000000000"},
            {P: reasons.codes()[forms.STALE_FORM]},
            id="the-price-has-changed",
        ),
        pytest.param({P: "1", "email": ""}, {"email": "Write your e-mail address."}, id="no-email"),
        pytest.param(
            {P: "1", "email": "robin"}, {"email": "Write an e-mail address such as robin@example.org."}, id="bad-email"
        ),
        pytest.param(
            {P: "1", "email": "r" * 64 + "@" + "x" * 200 + ".org"},
            {"email": "Write an e-mail address such as robin@example.org."},
            id="email-too-long-to-store",
        ),
        pytest.param(
            {P: "1", "email": "a@example.org\x00"},
            {"email": "Write an e-mail address such as robin@example.org."},
            id="email-with-nul",
        ),
        pytest.param(
            {P: "1", "idempotency_key": "\x00" * 20},
            {"tickets": "The form is incomplete. Nothing was charged. Choose again and send."},
            id="key-with-nul",
        ),
        pytest.param(
            {P: "7", D: "x", "email": "robin"},
            {
                "email": "Write an e-mail address such as robin@example.org.",
                D: "Write a whole number, such as 2.",
                P: "At most 4 tickets of this kind per order.",
            },
            id="everything-at-once",
        ),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(values: dict[str, str], errors: dict[str, str]) -> None:
    with override("en"):
        assert read(**values).errors == {name: str(text) for name, text in errors.items()}


def test_a_guest_name_is_kept_as_one_line_without_control_characters() -> None:
    wish = read(**{N: "1", f"guest-{NAMED.public_id}-1": "  Kim\x00\n  Ek "})

    assert (wish.errors, wish.tickets[0].guest_name) == ({}, "Kim Ek")


def test_what_the_order_counter_finds_is_said_at_the_field_of_its_ticket() -> None:
    wish = read(**{P: "1", D: "1", drink(1): str(BEER.public_id)})
    position = wish.places.index((PARTY, 1))

    wish.add_problems([Problem(f"choice-{position}-{DRINK.public_id}", reasons.CHOICE_MISSING, "Choose.")])

    assert wish.errors == {f"choice-{PARTY.public_id}-1-{DRINK.public_id}": "Choose."}


@pytest.mark.parametrize(
    ("code", "status"), [(reasons.KEY_OF_ANOTHER, 409), (forms.STALE_FORM, 409), (reasons.CHOICE_MISSING, 422)]
)
def test_status_tells_a_form_overtaken_by_events_from_a_wrong_one(code: str, status: int) -> None:
    wish = read(**{P: "1"})

    wish.wrong("tickets", "No.", code)

    assert wish.status == status


def test_edition_changes_with_price_and_choices_only() -> None:
    from dataclasses import replace

    same = replace(DINNER, name_en="Another name", max_per_order=2)
    dearer = replace(DINNER, price_minor=26000)
    fewer = replace(DINNER, variations=(replace(DRINK, choices=(BEER,)), EXTRA))

    assert edition(same) == edition(DINNER)
    assert len({edition(DINNER), edition(dearer), edition(fewer)}) == 3


class Provider:
    def __init__(self, slug: str) -> None:
        self.slug = slug
        self.label = slug.title()


@pytest.mark.parametrize(
    ("data", "providers", "wrong"),
    [
        pytest.param({"name": "Robin", "terms": "on"}, ["card"], [], id="one-way-to-pay-needs-no-choice"),
        pytest.param({"name": "Robin", "terms": "on"}, [], [], id="free"),
        pytest.param({"name": "Robin", "terms": "on", "provider": "swish"}, ["card", "swish"], [], id="chosen"),
        pytest.param({"name": "Robin", "terms": "on"}, ["card", "swish"], ["provider"], id="not-chosen"),
        pytest.param(
            {"name": "Robin", "terms": "on", "provider": "cash"}, ["card", "swish"], ["provider"], id="foreign"
        ),
        pytest.param({"name": " \x07 ", "terms": "on"}, ["card"], ["name"], id="blank-name"),
        pytest.param({"name": "\x00", "terms": "on"}, ["card"], ["name"], id="nothing-but-a-nul"),
        pytest.param({"name": "R\x00", "terms": "on"}, ["card"], [], id="name-with-nul"),
        pytest.param({"name": "R" * 121, "terms": "on"}, ["card"], ["name"], id="name-too-long"),
        pytest.param({}, ["card"], ["name", "terms"], id="nothing"),
    ],
)
def test_checkout(data: dict[str, str], providers: list[str], wrong: list[str]) -> None:
    with override("en"):
        form = CheckoutForm(data, providers=[Provider(slug) for slug in providers])
        said = [str(text) for errors in form.errors.values() for text in errors]

    assert sorted(form.errors) == wrong
    assert all(text.endswith("Nothing has been charged.") for text in said)


def test_checkout_pays_with_the_only_provider_or_the_chosen_one() -> None:
    data = {"name": "Robin", "terms": "on"}
    only = CheckoutForm(data, providers=[Provider("card")])
    chosen = CheckoutForm({**data, "provider": "swish"}, providers=[Provider("card"), Provider("swish")])
    free = CheckoutForm(data)

    assert [form.is_valid() and form.chosen_provider for form in (only, chosen, free)] == ["card", "swish", ""]
