"""What a visitor sees of an event before opening it: standing, price, poster and the order of things."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from apps.events import finding, listing
from apps.events.extensions import Offer, Problem, offerings
from apps.events.models import Event, Organisation, OrganisationPage
from apps.ticketing import clock
from apps.ticketing.models import TicketType
from apps.ticketing.offers import TicketOffers
from tests import factories
from tests.tenancy.world import World, page_of

DAY = timedelta(days=1)


def offer(**values: Any) -> Offer:
    values = {"name": "T", "price_minor": 10_000, "currency": "SEK", "availability": "InStock", "url": "", **values}
    return Offer(**{"opens_at": None, "closes_at": None, **values})


@pytest.mark.parametrize(
    ("offers", "price"),
    [
        pytest.param([], "", id="nothing"),
        pytest.param([offer(price_minor=0)], "Free", id="free"),
        pytest.param([offer(price_minor=25_000)], "SEK 250", id="one-price"),
        pytest.param([offer(price_minor=24_000, may_cost_more=True)], "from SEK 240", id="choices"),
        pytest.param([offer(), offer(price_minor=20_000)], "from SEK 100", id="two-prices"),
        pytest.param([offer(price_minor=0), offer()], "SEK 100", id="free-helper-beside"),
        pytest.param([offer(availability="SoldOut"), offer(price_minor=20_000)], "SEK 200", id="cheap-gone"),
        pytest.param([offer(availability="SoldOut")], "SEK 100", id="all-gone"),
    ],
)
def test_price_says_the_least_that_most_pay(offers: list[Offer], price: str) -> None:
    assert listing.price_of(offers).replace("\u00a0", " ") == price


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("offers", "word", "level", "is_open"),
    [
        pytest.param([offer()], "On sale", "success", True, id="on-sale"),
        pytest.param([offer(price_minor=0)], "Sign-up open", "success", True, id="free"),
        pytest.param([offer(availability="LimitedAvailability")], "Few left", "warning", True, id="few"),
        pytest.param([offer(availability="SoldOut")], "Sold out", "danger", False, id="sold-out"),
        pytest.param([offer(availability="SoldOut"), offer()], "On sale", "success", True, id="one-type-gone"),
        pytest.param([offer(availability="Discontinued")], "Sale closed", "neutral", False, id="closed"),
        pytest.param(
            [offer(availability="PreOrder", opens_at=datetime.fromisoformat("2026-12-01T11:00:00+00:00"))],
            "Opens Tue 1 Dec 12:00",
            "info",
            False,
            id="not-open",
        ),
    ],
)
def test_standing_says_it_in_a_word(offers: list[Offer], word: str, level: str, is_open: bool) -> None:
    event = factories.event()
    standing = listing.standing_of(event, offers, event.starts_at - DAY)
    over = listing.standing_of(event, offers, event.ends_at)

    assert standing is not None and over is not None
    assert (standing.word.replace("\u00a0", " "), standing.level, standing.is_open) == (word, level, is_open)
    assert (over.word, over.is_open) == ("Over", False)


@pytest.mark.parametrize(
    ("title", "size"),
    [
        pytest.param("Luciasittning 2026", "", id="short"),
        pytest.param("Turneringsfinal", "long", id="fifteen-letters"),
        pytest.param("Överlämningsgasque", "long", id="eighteen-letters"),
        pytest.param("Överlämningsgasquerna", "longest", id="twenty-one-letters"),
        pytest.param("Över\u00adlämnings\u00adgasquerna", "", id="soft-hyphens"),
    ],
)
def test_title_is_set_by_its_longest_word(title: str, size: str) -> None:
    assert listing.title_size(title) == size


# --- What ticketing offers -----------------------------------------------------------------------------------------


def availability(event: Event, at: datetime | None = None) -> list[tuple[str, int, bool]]:
    offers = TicketOffers().offers([event], at or clock.now()).get(event.pk, [])
    return [(found.availability, found.price_minor, found.may_cost_more) for found in offers]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "quota", "expected"),
    [
        pytest.param({}, {"size": 100}, "InStock", id="plenty"),
        pytest.param({}, {"size": 100, "taken": 70}, "LimitedAvailability", id="few"),
        pytest.param({}, {"size": 40}, "InStock", id="small-but-untouched"),
        pytest.param({}, {"size": 600, "taken": 549}, "InStock", id="fifty-one-left"),
        pytest.param({}, {"size": 100, "taken": 100}, "SoldOut", id="gone"),
        pytest.param({}, {"size": 100, "taken": 90, "set_aside": 10}, "SoldOut", id="rest-set-aside"),
        pytest.param({"sale_opens_at": DAY}, {"size": 100}, "PreOrder", id="not-open"),
        pytest.param({"sale_closes_at": -DAY}, {"size": 100}, "Discontinued", id="closed"),
    ],
)
def test_availability_of_a_type(values: dict[str, Any], quota: dict[str, int], expected: str) -> None:
    at = clock.now()
    event = factories.event()
    factories.ticket_type(event, factories.quota(event, **quota), **{name: at + when for name, when in values.items()})

    assert availability(event, at) == [(expected, 25_000, False)]


@pytest.mark.django_db
def test_offer_is_priced_by_the_cheapest_mandatory_answers() -> None:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event))
    drink = factories.variation(kind)
    factories.choice(drink, delta_minor=0)
    factories.choice(drink, delta_minor=-1_000)
    factories.choice(drink, delta_minor=-9_000, is_published=False)
    snaps = factories.variation(kind, kind="many")
    factories.choice(snaps, delta_minor=-5_000)

    assert availability(event) == [("InStock", 24_000, True)]


@pytest.mark.django_db
def test_type_is_sold_out_when_a_mandatory_question_cannot_be_answered() -> None:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 100))
    food = factories.variation(kind)
    fish = factories.choice(food, factories.quota(event, 0))
    assert availability(event)[0][0] == "SoldOut"

    fish.quotas.set([factories.quota(event, 5)])

    assert availability(event)[0][0] == "InStock"


@pytest.mark.django_db
def test_strangers_are_offered_only_what_everybody_may_see() -> None:
    event = factories.event()
    quota = factories.quota(event)
    factories.ticket_type(event, quota, is_published=False)
    for visibility in ("link", "members", "after"):
        factories.ticket_type(event, quota, visibility=TicketType.Visibility(visibility))

    assert availability(event) == []


@pytest.mark.django_db
def test_offers_cost_the_same_queries_for_one_and_three_events() -> None:
    events = [factories.event() for _number in range(3)]
    for event in events:
        for _number in range(2):
            kind = factories.ticket_type(event, factories.quota(event), factories.quota(event))
            factories.choice(factories.variation(kind), factories.quota(event))
    at = clock.now()

    with CaptureQueriesContext(connection) as one:
        TicketOffers().offers(events[:1], at)
    with CaptureQueriesContext(connection) as three:
        TicketOffers().offers(events, at)

    assert (len(one), len(three)) == (5, 5)


@pytest.mark.django_db
def test_a_second_offering_is_asked_too(ours: World) -> None:
    class Raffle:
        slug = "raffle"

        def offers(self, events: Any, at: datetime) -> dict[int, list[Offer]]:
            return {event.pk: [offer(name="Raffle")] for event in events}

        def publish_problems(self, event: Event, public_at: datetime) -> list[Problem]:
            return []

    with offerings.temporarily(Raffle()):
        found = listing.offers_of([ours.event], clock.now())

    assert sorted(each.name for each in found[ours.event.pk]) == ["Raffle", "Ticket Lyktan"]


# --- Lists ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_list_has_each_event_once_in_the_readers_language_and_leaves_out_what_is_over(ours: World) -> None:
    at = clock.now()
    over = factories.event(organisation=ours.organisation, starts_at=at - 2 * DAY)
    draft = factories.event(organisation=ours.organisation)
    page_of(over, ours.root)
    page_of(draft, ours.root, publish=False)
    english = OrganisationPage.objects.get(organisation=ours.organisation, locale__language_code="en")
    page_of(ours.event, english, title="Party", slug="party")

    def listed() -> list[str]:
        return [page.title for page in listing.pages_of(finding.events(finding.Asked(), at))]

    with override("sv"):
        assert listed() == ["Fest Lyktan"]
    with override("en"):
        assert listed() == ["Party"]


@pytest.mark.django_db
@pytest.mark.parametrize("motif", ["", "star", "lucia", "gone"])
def test_poster_is_the_one_the_hero_block_names(ours: World, motif: str) -> None:
    hero = {"type": "hero", "value": {"kicker": "", "motif": motif, "photo": None}, "id": "h"}
    page = page_of(ours.event, ours.root, slug="hero", body=[hero])

    poster = listing.posters_of([page])[page.pk]

    assert poster.is_cut_paper is (motif != "lucia")
    assert ("lucia-poster.svg" in poster.html) is (motif == "lucia")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("theme", "colour", "ground"),
    [
        ("default", "", "#1B1033"),
        ("exchange", "", "#001B29"),
        ("exchange", "#0B3D91", "#0B3D91"),
        ("gone", "", "#1B1033"),
    ],
)
def test_drawn_poster_stands_on_the_colour_else_on_the_night_of_the_theme(
    ours: World, client: Client, theme: str, colour: str, ground: str
) -> None:
    Organisation.objects.filter(pk=ours.organisation.pk).update(theme=theme, accent_colour=colour)
    page = page_of(ours.event, ours.root, slug="drawn")

    for address in (page.get_url(), ours.root.get_url()):  # on the event's page and its organisation's own
        shown = client.get(address, headers={"cookie": "sessionid=none"}).content.decode()  # not a kept page
        assert f'<path d="M0 0h300v400H0z" fill="{ground}"/>' in shown.partition("</header>")[2], address
        assert "site-header--brand" in shown


@pytest.mark.django_db
def test_photos_are_read_in_a_constant_number_of_queries(ours: World) -> None:
    hero = {"type": "hero", "value": {"kicker": "", "motif": "", "photo": ours.image.pk}, "id": "h"}
    pages = [page_of(ours.event, ours.root, slug=f"p{number}", body=[hero]) for number in range(3)]
    listing.posters_of(pages)  # renders the photo

    with CaptureQueriesContext(connection) as one:
        listing.posters_of(pages[:1])
    with CaptureQueriesContext(connection) as three:
        found = listing.posters_of(pages)

    assert (len(one), len(three)) == (2, 2)
    assert all(poster.is_photo and "<img" in poster.html for poster in found.values())


@pytest.mark.django_db
def test_ticket_block_stands_where_the_organiser_put_it_and_holds_no_form(ours: World, client: Client) -> None:
    body = [
        {"type": "text", "value": "<p>First</p>", "id": "1"},
        {"type": "tickets", "value": {"heading": "Buy here", "event": None}, "id": "2"},
        {"type": "text", "value": "<p>Second</p>", "id": "3"},
    ]
    page = page_of(ours.event, ours.root, slug="sells", body=body)

    content = client.get(page.url).content.decode()

    address = f"/sv/events/{ours.event.public_id}/tickets/"
    assert content.index("First") < content.index("Buy here") < content.index("Second")
    assert f'hx-get="{address}"' in content and f'href="{address}"' in content
    assert 'method="post"' not in content
