"""The ticket block in an editor's preview: at any moment, as somebody else, without effect, for its editors alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import override

from apps.events import travel
from apps.events.models import Event
from apps.ticketing import preview, sale_control
from apps.ticketing.extensions import preview_persons, price_rules, purchase_gates
from apps.ticketing.models import Order, Quota, TicketType
from tests import factories, mould
from tests.specimen_plugin import parts
from tests.tenancy.world import World, make_world, page_of

pytestmark = pytest.mark.django_db
OPENS = datetime.fromisoformat("2031-02-03T18:00:00+01:00")


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with override("en"):
        yield


@pytest.fixture
def ours() -> World:
    """An evening in the year 2031 whose sale opens on 3 February at 18 and closes a week later."""
    ours = mould.cast(make_world, "Lyktan")
    Event.objects.update(starts_at=OPENS + timedelta(days=30), ends_at=OPENS + timedelta(days=30, hours=5))
    TicketType.objects.update(sale_opens_at=OPENS, sale_closes_at=OPENS + timedelta(days=7))
    return ours


@pytest.fixture
def editor(ours: World) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(ours.editor)
    return client


def form_at(client: Client, ours: World, at: str = "", who: str = "", **more: str) -> BeautifulSoup:
    address = reverse("ticketing:form_preview", args=[ours.event.public_id])
    answer = client.get(address, {"at": at, "as": who, **more}, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return BeautifulSoup(answer.content, "html.parser")


def state_at(client: Client, ours: World, at: str = "", who: str = "") -> str:
    block = form_at(client, ours, at, who).select_one("[data-sale-state]")
    assert block is not None
    return str(block["data-sale-state"])


@pytest.mark.parametrize(
    ("at", "who", "state"),
    [
        ("2031-02-03T17:59", "", "not_open"),
        ("2031-02-03T18:00", "", "on_sale"),
        ("2031-02-03T18:00", "in_line", "queueing"),
        ("2031-02-03T17:59", "in_line", "not_open"),
        ("2031-02-10T17:59", "", "on_sale"),
        ("2031-02-10T18:00", "", "over"),
        ("2031-03-06T00:00", "", "over"),
        ("", "", "not_open"),
    ],
)
def test_block_is_in_the_state_of_that_moment(editor: Client, ours: World, at: str, who: str, state: str) -> None:
    assert state_at(editor, ours, at, who) == state


def test_sold_out_block_is_shown_with_the_places_of_now(editor: Client, ours: World) -> None:
    Quota.objects.update(taken=10)

    assert state_at(editor, ours, "2031-02-03T18:00") == "sold_out"
    assert state_at(editor, ours, "2031-02-03T18:00", "in_line") == "queueing"


def test_prices_and_gates_are_those_of_the_moment_and_person(editor: Client, ours: World) -> None:
    def prices(at: str, who: str = "") -> tuple[str, bool]:
        form = form_at(editor, ours, at, who)
        own = form.select_one(".type-row__own")
        assert own is not None
        return own.get_text(strip=True).replace("\u00a0", " "), "invited guests" in form.get_text()

    with (
        price_rules.temporarily(parts.EarlyBird()),
        purchase_gates.temporarily(parts.NoStrangers()),
        preview_persons.temporarily(parts.Stranger()),
    ):
        assert prices("2031-02-04T12:00") == ("SEK 230", False)
        assert prices("2031-02-04T12:00", "specimen_stranger") == ("SEK 230", True)
        Event.objects.update(starts_at=OPENS + timedelta(days=21))
        assert prices("2031-02-03T18:00") == ("SEK 230", False)
        assert prices("2031-02-04T18:00") == ("SEK 250", False)
        assert [slug for slug, _words in preview.persons(ours.event.pk)] == [
            "",
            "member",
            "presale",
            "specimen_stranger",
            "in_line",
        ]


def test_preview_says_what_it_shows(editor: Client, ours: World) -> None:
    def told(at: str, who: str = "") -> str:
        alert = form_at(editor, ours, at, who).select_one("[data-travel]")
        return alert.get_text(strip=True).replace("\u00a0", " ") if alert else ""

    assert told("") == ""
    assert told("2031-02-03T18:00") == "Mon 3 Feb 18:00, seen by: a guest. Places are counted as they are now."
    assert told("2031-02-03T18:00", "in_line").startswith("Mon 3 Feb 18:00, seen by: somebody in line.")
    assert told("", "nobody-knows") == ""
    for unreadable in (
        "yesterday",
        "0001-01-01T00:00",
        "9999-12-31T23:59",
        "2031-02-30T10:00",
        "½",
        "2031-02-03T18:00+25:00",
    ):
        assert told(unreadable) == f"“{unreadable}” is no day and time. This is how it looks now."


def test_preview_writes_nothing_sets_no_cookie_and_orders_nothing(editor: Client, ours: World) -> None:
    address = reverse("ticketing:form_preview", args=[ours.event.public_id]) + "?at=2031-02-03T18:00"
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = editor.cookies
    wanted = {f"type-{ours.kind.public_id}": "1", "email": "kim@example.org", "idempotency_key": "k" * 22}

    with CaptureQueriesContext(connection) as queries:
        shown = strict.get(address, headers={"HX-Request": "true"})
        sent = strict.post(address, wanted)

    assert (shown.status_code, sent.status_code) == (200, 200)
    assert (shown.cookies, sent.cookies) == ({}, {})
    assert "This is a preview. Nothing was ordered." in sent.content.decode()
    assert "csrfmiddlewaretoken" not in shown.content.decode()
    writes = re.compile(r"\b(INSERT|UPDATE|DELETE)\b|FOR UPDATE")
    assert [query["sql"] for query in queries if writes.search(query["sql"])] == []
    assert len(queries) > 10
    assert (Order.objects.count(), Quota.objects.get().taken) == (0, 0)
    action = BeautifulSoup(shown.content, "html.parser").select_one("form")
    assert action is not None
    assert str(action["action"]).startswith(address.partition("?")[0])


def test_preview_may_be_framed_by_the_editor_alone(editor: Client, ours: World) -> None:
    answer = editor.get(reverse("ticketing:form_preview", args=[ours.event.public_id]))

    policy = answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self';" in policy + ";"
    assert "'unsafe-inline'" not in policy
    assert answer["Cache-Control"].startswith("max-age=0, no-cache, no-store")


def test_clock_of_the_preview_is_the_moment_asked_for(editor: Client, ours: World) -> None:
    address = reverse("ticketing:form_preview", args=[ours.event.public_id])

    told = editor.get(address, {"at": "2031-02-03T17:59", "clock": "1"}).json()

    assert told == {"now": "2031-02-03T17:59:00+01:00", "opens": {}}


def test_stop_that_came_later_is_not_told(editor: Client, ours: World) -> None:
    sale_control.pause(ours.event, say_sv="Paus", say_en="A pause")

    def told(at: str) -> str:
        notice = form_at(editor, ours, at).select_one("[data-sale]")
        assert notice is not None
        return str(notice["data-state"])

    assert (told("2031-02-03T18:00"), told("2020-02-03T18:00")) == ("paused", "")


# --- The page around it --------------------------------------------------------------------------------------------


def previewed(client: Client, page: Any, mode: str) -> Any:
    return client.get(reverse("wagtailadmin_pages:view_draft", args=[page.pk]), {"mode": mode})


def test_page_is_previewed_at_the_moment_of_the_mode(editor: Client, ours: World) -> None:
    block = {"type": "tickets", "value": {"heading": "", "event": None}, "id": "t"}
    told = page_of(factories.event(organisation=ours.organisation), ours.root, slug="told", body=[block])
    type(told).objects.filter(pk=told.pk).update(event=ours.event)

    def shown(mode: str) -> tuple[str, str]:
        page = BeautifulSoup(previewed(editor, told, mode).content, "html.parser")
        chip, block = page.select_one(".ticket-block .chip"), page.select_one(".ticket-block")
        assert chip is not None and block is not None
        return chip.get_text(strip=True).replace("\u00a0", " "), str(block["hx-get"]).partition("?")[2]

    assert shown("") == ("Öppnar mån 3 feb 18.00", "at=&as=")
    assert shown("at=2031-02-04T18:00&as=in_line") == ("Till salu", "at=2031-02-04T18%3A00&as=in_line")
    assert shown("at=2031-04-01T18:00")[0] == "Över"
    assert shown("at=nonsense")[0] == "Öppnar mån 3 feb 18.00"
    assert previewed(editor, told, "at=2031-02-04T18:00").cookies == {}


def test_panel_offers_moments_and_persons(editor: Client, ours: World) -> None:
    page = BeautifulSoup(editor.get(reverse("wagtailadmin_pages:edit", args=[ours.page.pk])).content, "html.parser")

    moments = [(button.get_text(), button["data-travel-moment"]) for button in page.select("[data-travel-moment]")]
    assert moments == [
        ("Now", ""),
        ("Before the sale", "2031-02-03T17:59"),
        ("The sale opens", "2031-02-03T18:00"),
        ("The sale closes", "2031-02-10T18:00"),
        ("After the event", "2031-03-05T23:00"),
    ]
    persons = [option["value"] for option in page.select("[data-travel-as] option")]
    assert persons == ["", "member", "presale", "in_line"]


def test_travel_reads_what_it_writes() -> None:
    zone = OPENS.tzinfo
    assert zone is not None
    read = travel.read(QueryDict("at=2031-02-03T18:00&as=in_line"), zone)

    assert (read.at, read.person) == (OPENS, "in_line")
    assert travel.read(QueryDict(read.query), zone) == read
