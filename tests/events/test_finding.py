"""The list of events: who finds what by word, time and organisation, and what it costs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from apps.events import finding
from apps.events.models import Event, OrganisationPage
from apps.events.models.pages import OWN_ADDRESSES
from apps.ticketing import clock
from tests import factories
from tests.tenancy.world import World, page_of

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
SESSION = f"{settings.SESSION_COOKIE_NAME}=none"
TITLE = re.compile(r'<h3 class="event-card__title[^>]*><a [^>]*>([^<]*)</a>')


def titles(client: Client, query: str, language: str = "sv") -> list[str]:
    response = client.get(f"/{language}/events/{query}")
    assert response.status_code == 200
    return TITLE.findall(response.content.decode())


def told(world: World, title: str, *, days: float = 30, text: str = "", **values: Any) -> Event:
    """An event of `world` with a page, so many days from now."""
    event = factories.event(
        organisation=world.organisation,
        title_sv=title,
        title_en="",
        starts_at=values.pop("starts_at", clock.now() + days * DAY),
        **values,
    )
    page_of(event, world.root, body=[{"type": "text", "value": f"<p>{text}</p>", "id": "t"}])
    return event


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("?q=sittning", ["Luciasittning"], id="part of a word"),
        pytest.param("?q=LUCIA", ["Luciasittning"], id="capitals"),
        pytest.param("?q=osterlanghuset", ["Luciasittning"], id="venue without accents"),
        pytest.param("?q=%C3%96STERL%C3%85NGHUSET", ["Luciasittning"], id="venue in capitals with accents"),
        pytest.param("?q=ostersjo", ["Luciasittning"], id="text without accents"),
        pytest.param("?q=orsted", ["Luciasittning"], id="a letter that is no accent"),
        pytest.param("?q=lyktan", ["Fest Lyktan", "Luciasittning"], id="organisation"),
        pytest.param("?q=lucia+lyktan", ["Luciasittning"], id="two words in two places"),
        pytest.param("?q=lucia+sexsidan", [], id="two words that do not meet"),
        pytest.param("?q=party+sexsidan", ["Fest Sexsidan"], id="title in the other language"),
        pytest.param("?q=strong", [], id="not the markup"),
        pytest.param("?q=%25", [], id="no pattern"),
        pytest.param("?q=a%1bb%7f", [], id="control characters"),
        pytest.param("?by=sexsidan-society", ["Fest Sexsidan"], id="by an organisation"),
        pytest.param("?by=nobody", [], id="by nobody"),
        pytest.param("?when=week", ["Luciasittning"], id="within a week"),
        pytest.param("?when=month", ["Fest Lyktan", "Fest Sexsidan", "Luciasittning"], id="within a month"),
        pytest.param("?when=2001-13", ["Fest Lyktan", "Fest Sexsidan", "Luciasittning"], id="no month"),
        pytest.param("?when=2099-12", [], id="a month to come"),
        pytest.param("?page=7", ["Fest Lyktan", "Fest Sexsidan", "Luciasittning"], id="beyond the last page"),
        pytest.param("?show=past", [], id="nothing is over"),
    ],
)
def test_events_are_found(ours: World, theirs: World, client: Client, query: str, found: list[str]) -> None:
    told(ours, "Luciasittning", days=2, venue="Österlånghuset", text="Vid <strong>Östersjön</strong> med Ørsted")

    assert sorted(titles(client, query)) == found


def test_list_is_in_order_and_past_events_have_their_own(ours: World, client: Client) -> None:
    Event.objects.filter(pk=ours.event.pk).update(starts_at=clock.now() + DAY)
    for title, days in (("Sen", 60), ("Ny", 10), ("Gammal", -60), ("Nyss", -2), ("Pågår", -0.1)):
        told(ours, title, days=days)
    draft = told(ours, "Utkast", days=5)
    draft.pages.update(live=False)

    coming, past = titles(client, ""), titles(client, "?show=past")

    assert coming == ["Pågår", "Fest Lyktan", "Ny", "Sen"]
    assert past == ["Nyss", "Gammal"]


def test_months_are_those_with_events_by_the_clock_of_the_house(ours: World, client: Client) -> None:
    last = datetime(2031, 12, 31, 22, 59, tzinfo=UTC)  # a minute before the new year in Sweden
    told(ours, "December", starts_at=last)
    told(ours, "Januari", starts_at=last + timedelta(minutes=1))

    assert titles(client, "?when=2031-12") == ["December"]
    assert titles(client, "?when=2032-01") == ["Januari"]
    content = client.get("/en/events/").content.decode()
    assert re.findall(r'<option value="(203\d-\d\d)">([^<]*)<', content) == [
        ("2031-12", "December 2031"),
        ("2032-01", "January 2032"),
    ]
    assert ">December 2031</h2>" in content


def test_event_told_in_one_language_is_listed_in_the_other_with_its_language_named(ours: World, client: Client) -> None:
    content = client.get("/en/events/?q=lyktan").content.decode()

    assert f'<a href="{ours.page.url}" lang="sv" hreflang="sv">Fest Lyktan</a>' in content


def test_list_is_turned_over_and_keeps_what_was_asked(ours: World, client: Client) -> None:
    for number in range(finding.PER_PAGE + 1):
        told(ours, f"Kväll {number:02}", days=number)

    first, second = (client.get(f"/sv/events/?q=kv%C3%A4ll{more}").content.decode() for more in ("", "&page=2"))

    assert TITLE.findall(first) + TITLE.findall(second) == [f"Kväll {n:02}" for n in range(finding.PER_PAGE + 1)]
    assert 'href="/sv/events/?q=kv%C3%A4ll&amp;page=2"' in first and "1–24 av 25" in first
    assert 'rel="prev" href="/sv/events/?q=kv%C3%A4ll"' in second and 'rel="next"' not in second
    assert 'hreflang="en"' in second and 'href="/en/events/?q=kv%C3%A4ll&amp;page=2"' in second


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("?q=&by=&when=", ""),
        ("?show=past&q=&by=x&when=week", "?show=past&by=x"),
        ("?q=&when=month&other=", "?when=month"),
        ("?q=+&by=", ""),
    ],
)
def test_form_leads_to_a_short_address(client: Client, sent: str, kept: str) -> None:
    response = client.get(f"/sv/events/{sent}")

    assert (response.status_code, response["Location"]) == (302, f"/sv/events/{kept}")


def test_list_is_kept_for_those_who_search_no_word(ours: World, client: Client) -> None:
    for query, is_kept in (("", True), ("?by=lyktan-society&utm_source=poster", True), ("?q=lyktan", False)):
        client.get(f"/sv/events/{query}")

        with CaptureQueriesContext(connection) as queries:
            response = client.get(f"/sv/events/{query}")

        assert (len(queries) == 0, response["Cache-Control"].startswith("public")) == (is_kept, is_kept), query
        assert dict(response.cookies) == {} and "Cookie" not in response.get("Vary", "")
        assert "csrfmiddlewaretoken" not in response.content.decode()


# For somebody who is not given the kept page, in a process that is warm.
QUERIES = {"/sv/": 21, "/sv/events/": 16, "/sv/events/?show=past": 11, "/sv/events/?q=kväll": 17, "root": 23}


@pytest.mark.parametrize("address", QUERIES)
def test_a_long_list_costs_as_many_queries_as_a_short_one(ours: World, client: Client, address: str) -> None:
    english = OrganisationPage.objects.get(organisation=ours.organisation, locale__language_code="en")

    def tell_everything(number: int) -> None:
        for days in (-2 - number, 2 + number):
            event = told(ours, "Kväll", days=days)
            page_of(event, english, title="Evening", slug=f"e{event.pk}")
            kind = factories.ticket_type(event, factories.quota(event))
            factories.choice(factories.variation(kind), factories.quota(event))

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            # A cookie keeps the answer from being a kept one.
            assert client.get(ours.root.url if address == "root" else address, headers={"cookie": SESSION}).status_code
        return len(queries)

    Event.objects.filter(pk=ours.event.pk).update(starts_at=clock.now() - DAY)
    tell_everything(0)
    cost()  # what a process learns once
    one = cost()
    for number in range(1, 30):
        tell_everything(number)

    assert (one, cost()) == (QUERIES[address], QUERIES[address])


def test_page_is_found_by_what_it_and_its_event_say_now(ours: World, client: Client) -> None:
    ours.page.title, ours.page.body = "Ny", "[]"  # type: ignore[assignment]
    ours.page.save_revision().publish()
    ours.event.title_sv, ours.event.venue = "Fest", "Domkyrkan"
    ours.event.save()
    type(ours.organisation).objects.update(name="Ånglok")

    found = {word: titles(client, f"?q={word}") for word in ("ny", "domkyrkan", "anglok", "valkommen", "lokal")}

    assert found == {"ny": ["Ny"], "domkyrkan": ["Ny"], "anglok": ["Ny"], "valkommen": [], "lokal": []}


@pytest.mark.parametrize("query", ["?when=2026-02", "?show=past&by=a", "?q=b", ""])
def test_address_says_what_was_asked(query: str) -> None:
    assert finding.read(RequestFactory().get(f"/sv/events/{query}")).query() == query


@pytest.mark.parametrize("slug", sorted(OWN_ADDRESSES))
def test_no_association_is_called_as_an_address_of_the_site(ours: World, slug: str) -> None:
    page = OrganisationPage.objects.get(pk=ours.root.pk)
    page.clean()
    page.slug = slug

    with pytest.raises(ValidationError, match="address of the site"):
        page.clean()
