"""What a page's head tells search engines and whatever shows a link: read as they read it."""

from __future__ import annotations

import io
import json
import re
from datetime import timedelta
from html import unescape
from typing import Any
from xml.etree import ElementTree

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils.timezone import localtime
from PIL import Image

from apps.events import social_cards
from apps.events.models import Event, EventPage, OrganisationPage
from apps.ticketing import clock
from tests import factories
from tests.tenancy.world import World, page_of, sell

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
EVIL = "</script><script>alert('1')</script><!-- \u2028 \"&amp;' -->"


def head_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, address
    return response.content.decode().partition("</head>")[0]


def meta(head: str) -> dict[str, str]:
    found = re.findall(r'<meta (?:name|property)="([^"]*)" content="([^"]*)">', head)
    assert len(dict(found)) == len(found)
    return {name: unescape(value) for name, value in found}


def things(head: str) -> dict[str, Any]:
    """The page's data by type."""
    (written,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', head, re.S)
    data = json.loads(written)
    assert data["@context"] == "https://schema.org"
    return {thing["@type"]: thing for thing in data["@graph"]}


def in_english(world: World) -> EventPage:
    root = OrganisationPage.objects.get(organisation=world.organisation, locale__language_code="en")
    return page_of(world.event, root, title="Party", slug="party", translation_key=world.page.translation_key)


def test_event_tells_machines_what_can_be_bought(ours: World, client: Client) -> None:
    opens = clock.now() + DAY
    factories.ticket_type(
        ours.event, factories.quota(ours.event), name_sv="Sen", price_minor=12_345, sale_opens_at=opens, position=1
    )
    Event.objects.filter(pk=ours.event.pk).update(venue_address="Gatan 1", doors_at=ours.event.starts_at)

    found = things(head_of(client, ours.page.url))

    event, trail = found["Event"], found["BreadcrumbList"]
    start = localtime(ours.event.starts_at, ours.event.zone)
    url = ours.page.full_url
    assert {name: event[name] for name in ("name", "startDate", "doorTime", "inLanguage", "eventStatus", "url")} == {
        "name": "Fest Lyktan",
        "startDate": start.isoformat(timespec="seconds"),
        "doorTime": start.isoformat(timespec="seconds"),
        "inLanguage": "sv",
        "eventStatus": "https://schema.org/EventScheduled",
        "url": url,
    }
    assert event["location"] == {
        "@type": "Place",
        "name": "Lokal Lyktan",
        "address": {"@type": "PostalAddress", "streetAddress": "Gatan 1"},
    }
    assert event["organizer"] == {"@type": "Organization", "name": "Föreningen Lyktan", "url": ours.root.full_url}
    assert event["offers"] == [
        {
            "@type": "Offer",
            "name": "Biljett Lyktan",
            "price": "250.00",
            "priceCurrency": "SEK",
            "availability": "https://schema.org/InStock",
            "url": url,
        },
        {
            "@type": "Offer",
            "name": "Sen",
            "price": "123.45",
            "priceCurrency": "SEK",
            "availability": "https://schema.org/PreOrder",
            "validFrom": opens.isoformat(),
            "url": url,
        },
    ]
    assert [step["name"] for step in trail["itemListElement"]] == ["Evenemang", "Föreningen Lyktan", "Fest Lyktan"]
    assert trail["itemListElement"][0]["item"].endswith("/sv/events/")


def test_organisation_tells_machines_who_it_is(ours: World, client: Client) -> None:
    found = things(head_of(client, ours.root.url))["Organization"]

    assert (found["name"], found["url"]) == ("Föreningen Lyktan", ours.root.full_url)


def test_evil_words_are_only_text(ours: World, client: Client) -> None:
    page = page_of(
        ours.event,
        ours.root,
        title=EVIL,
        slug="evil",
        search_description=EVIL,
        body=[{"type": "text", "value": "<p>x</p>", "id": "t"}],
    )
    Event.objects.filter(pk=ours.event.pk).update(venue=EVIL)

    head = head_of(client, page.url)

    assert things(head)["Event"]["name"] == EVIL == things(head)["Event"]["location"]["name"]
    assert meta(head)["og:title"] == EVIL == meta(head)["description"]
    assert "<script>alert" not in head and "<!--" not in head


@pytest.mark.parametrize("name", ["home", "list", "past", "page 2", "organisation", "event"])
def test_page_is_found_and_shown_as_a_card(ours: World, client: Client, name: str, settings: LazySettings) -> None:
    in_english(ours)
    address = {
        "home": "/sv/",
        "list": "/sv/events/",
        "past": "/sv/events/?show=past",
        "page 2": "/sv/events/?when=month",
        "organisation": ours.root.url,
        "event": ours.page.url,
    }[name]

    head = head_of(client, address)

    said, home = meta(head), settings.SITE_URL
    assert "robots" not in said and 20 <= len(said["description"]) <= 160
    assert said["description"] == said["og:description"] and said["twitter:card"] == "summary_large_image"
    (canonical,) = re.findall(r'<link rel="canonical" href="([^"]*)">', head)
    assert unescape(canonical) == said["og:url"] == home + address
    others = dict(re.findall(r'<link rel="alternate" hreflang="([^"]*)" href="([^"]*)">', head))
    assert sorted(others) == ["en", "sv"] and others["sv"] == canonical
    assert client.get(others["en"].removeprefix(home)).status_code == 200
    picture = client.get(said["og:image"].removeprefix(home))
    assert (picture["Content-Type"], picture["Cache-Control"]) == ("image/png", "public, max-age=31536000, immutable")
    shown = Image.open(io.BytesIO(picture.content))
    assert shown.size == (1200, 630) and len(picture.content) < 100_000 and len(shown.convert("RGB").getcolors()) > 5


def test_photo_is_shown_itself(ours: World, client: Client) -> None:
    hero = {"type": "hero", "value": {"kicker": "", "motif": "", "photo": ours.image.pk}, "id": "h"}
    page = page_of(ours.event, ours.root, slug="photo", body=[hero])

    said = meta(head_of(client, page.url))

    assert said["og:image"].endswith(".jpg") and "/media/images/" in said["og:image"]
    assert client.get(f"/cards/{page.pk}-{'0' * 16}.png").status_code == 404


def test_card_follows_the_page_and_shows_nothing_that_is_not_public(ours: World, client: Client) -> None:
    before = meta(head_of(client, ours.page.url))["og:image"]
    ours.page.title = "Ny"
    ours.page.save()
    after = social_cards.card_of(EventPage.objects.get(pk=ours.page.pk))

    assert after is not None and after.digest not in before
    former = client.get("/cards" + before.partition("/cards")[2])
    assert (former.status_code, former["Location"]) == (302, f"/cards/{ours.page.pk}-{after.digest}.png")
    ours.page.unpublish()
    assert client.get(former["Location"]).status_code == 404


@pytest.mark.parametrize(
    "title",
    [
        pytest.param("", id="empty"),
        pytest.param("Å" * 120, id="one long word"),
        pytest.param("Överlämningsgasque " * 6, id="many long words"),
        pytest.param("Łódź Ĳssel 🎉 新年 \u202e \u00adx", id="letters of no face of ours"),
    ],
)
def test_any_title_can_be_drawn(db: None, title: str) -> None:
    card = social_cards.Card(title, "Föreningen", "lör 12 dec 18.00", "#FFD400", "id", "dice")

    assert Image.open(io.BytesIO(social_cards.picture(card))).size == (1200, 630)


def test_what_is_private_or_searched_is_not_indexed(ours: World, client: Client) -> None:
    order = sell(ours)
    for address in (
        "/sv/events/?q=fest",
        f"/sv/events/{ours.event.public_id}/tickets/",
        f"/sv/orders/{order.reference}/{order.secret}/",
        "/accounts/login/",
        "/accounts/signup/",
    ):
        assert "noindex" in meta(head_of(client, address))["robots"], address


def test_sitemap_has_every_public_page_in_its_languages_and_nothing_else(
    ours: World, client: Client, settings: LazySettings, django_assert_max_num_queries: Any
) -> None:
    english = in_english(ours)
    draft = page_of(factories.event(organisation=ours.organisation), ours.root, publish=False)
    client.get("/sv/")

    with django_assert_max_num_queries(4):
        response = client.get("/sitemap.xml")

    assert response["Content-Type"] == "application/xml" and response["ETag"]
    urls = {url.findtext("{*}loc") or "": url for url in ElementTree.fromstring(response.content)}
    home = settings.SITE_URL
    assert {f"{home}/sv/", f"{home}/en/events/", ours.root.full_url, ours.page.full_url, english.full_url} <= set(urls)
    assert draft.full_url not in urls and not [url for url in urls if "/orders/" in url or "/tickets/" in url]
    versions = {link.get("hreflang"): link.get("href") for link in urls[ours.page.full_url].findall("{*}link")}
    assert versions == {"sv": ours.page.full_url, "en": english.full_url}


def test_robots_are_led_to_the_sitemap(client: Client, settings: LazySettings) -> None:
    lines = client.get("/robots.txt").content.decode().splitlines()

    assert f"Sitemap: {settings.SITE_URL}/sitemap.xml" in lines and "Disallow: /admin/" in lines
    assert "Disallow: /" not in lines
