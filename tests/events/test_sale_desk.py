"""The organiser's desk for a whole sale: who may, what is asked, what is kept, and two editors at once."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from apps.events.models import Event
from apps.ticketing import clock, sale_control
from apps.ticketing.models import SaleChange
from tests import factories
from tests.tenancy.world import World

pytestmark = pytest.mark.django_db

WORDS = {"say_sv": "Banken är nere.", "say_en": "The bank is down."}


@pytest.fixture
def desk(ours: World, client: Client) -> Client:
    client.force_login(ours.editor)
    return client


def address(event: Event, verb: str) -> str:
    return f"{reverse('sale_desk:add')}?event={event.public_id}&do={verb}"


def event_address(event: Event) -> str:
    return reverse("event_desk:edit", args=[event.public_id])


def kinds(event: Event) -> list[str]:
    return list(event.sale_changes.values_list("kind", flat=True))


def test_editor_pauses_goes_on_moves_and_ends(desk: Client, ours: World) -> None:
    opens_at = (clock.now() + timedelta(hours=1)).astimezone(ours.event.zone).strftime("%Y-%m-%d %H:%M")

    for seen, (verb, more) in enumerate(
        [("pause", WORDS), ("resume", {}), ("move", {**WORDS, "opens_at": opens_at}), ("end", WORDS), ("resume", {})]
    ):
        assert desk.get(address(ours.event, verb)).status_code == 200
        response = desk.post(address(ours.event, verb), {"seen": str(seen), "say_sv": "", "say_en": "", **more})
        assert (response.status_code, response["Location"]) == (302, event_address(ours.event))

    rows = list(ours.event.sale_changes.values_list("kind", "say_sv", "actor"))
    assert rows == [
        ("paused", "Banken är nere.", ours.editor.pk),
        ("resumed", "", ours.editor.pk),
        ("moved", "Banken är nere.", ours.editor.pk),
        ("ended", "Banken är nere.", ours.editor.pk),
        ("resumed", "", ours.editor.pk),
    ]


def test_words_are_proposed_in_both_languages(desk: Client, ours: World) -> None:
    html = desk.get(address(ours.event, "pause")).content.decode()

    assert "Vi pausar försäljningen en stund. Din plats är kvar." in html
    assert "We pause the sale for a while. Your place is kept." in html


def test_history_stands_on_the_event_with_who_and_words(desk: Client, ours: World) -> None:
    sale_control.pause(ours.event, **WORDS, actor=ours.editor)

    html = desk.get(event_address(ours.event)).content.decode()

    for words in (*WORDS.values(), str(ours.editor), address(ours.event, "resume").replace("&", "&amp;")):
        assert words in html


def test_two_editors_at_once_one_is_told(desk: Client, ours: World) -> None:
    desk.get(address(ours.event, "end"))
    sale_control.pause(ours.event, **WORDS)

    response = desk.post(address(ours.event, "end"), {"seen": "0", **WORDS}, follow=True)

    assert kinds(ours.event) == ["paused"]
    assert "Någon annan har ändrat försäljningen" in response.content.decode() or (
        "Somebody else has changed this sale" in response.content.decode()
    )


@pytest.mark.parametrize(
    ("verb", "data", "field"),
    [
        ("pause", {"say_sv": "", "say_en": ""}, "say_sv"),
        ("pause", {"say_sv": "x" * 201, "say_en": ""}, "say_sv"),
        ("move", WORDS, "opens_at"),
        ("move", {**WORDS, "opens_at": "2001-01-01 12:00"}, "opens_at"),
        ("move", {**WORDS, "opens_at": "soon"}, "opens_at"),
    ],
    ids=["no words", "too many words", "no time", "a time past", "no time at all"],
)
def test_form_that_cannot_be_is_refused_beside_its_field(
    desk: Client, ours: World, verb: str, data: dict[str, str], field: str
) -> None:
    response = desk.post(address(ours.event, verb), {"seen": "0", **data})

    assert (response.status_code, list(response.context["form"].errors)) == (200, [field])
    assert kinds(ours.event) == []


@pytest.mark.parametrize("seen", ["", "x", "-1", "99999999999999999999"])
def test_form_without_a_good_number_changes_nothing(desk: Client, ours: World, seen: str) -> None:
    response = desk.post(address(ours.event, "pause"), {"seen": seen, **WORDS})

    assert response.status_code in (200, 302)
    assert kinds(ours.event) == []


def test_what_cannot_be_done_now_is_said(desk: Client, ours: World) -> None:
    shown = desk.get(address(ours.event, "resume"), follow=True)
    posted = desk.post(address(ours.event, "resume"), {"seen": "0", **WORDS})

    assert shown.redirect_chain == [(event_address(ours.event), 302)]
    assert (posted.status_code, kinds(ours.event)) == (200, [])
    assert posted.context["form"].errors


@pytest.mark.parametrize("who", ["treasurer", "door", "stranger"])
def test_nobody_else_may(client: Client, ours: World, theirs: World, who: str) -> None:
    client.force_login(theirs.editor if who == "stranger" else getattr(ours, who))

    response = client.post(address(ours.event, "pause"), {"seen": "0", **WORDS})

    assert response.status_code in (302, 403, 404)
    assert not SaleChange.objects.exists()
    if who == "treasurer":
        assert "do=pause" not in client.get(event_address(ours.event)).content.decode()


def test_operator_may_and_a_form_needs_its_token(ours: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.user(is_superuser=True, is_staff=True))

    refused = client.post(address(ours.event, "pause"), {"seen": "0", **WORDS})
    assert (refused.status_code, kinds(ours.event)) == (403, [])

    found = re.search(
        'name="csrfmiddlewaretoken" value="([^"]+)"', client.get(address(ours.event, "pause")).content.decode()
    )
    assert found is not None
    client.post(address(ours.event, "pause"), {"seen": "0", **WORDS, "csrfmiddlewaretoken": found[1]})
    assert kinds(ours.event) == ["paused"]
