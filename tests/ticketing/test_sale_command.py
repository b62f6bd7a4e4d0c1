"""`manage.py sale`: the same verbs for an operator, and sentences for what cannot be."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.events.models import Event
from apps.ticketing import clock
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def event() -> Event:
    event = factories.event(title_sv="Vinterbalen", title_en="The Winter Ball")
    factories.ticket_type(event, factories.quota(event))
    return event


def run(*words: str) -> str:
    out = StringIO()
    call_command("sale", *words, stdout=out)
    return out.getvalue()


def test_operator_pauses_resumes_moves_and_ends(event: Event) -> None:
    opens_at = (clock.now() + timedelta(days=1)).astimezone(event.zone).replace(second=0, microsecond=0)

    assert "paused" in run("pause", "winter", "--say", "Vi felsöker.", "--say-en", "We look into it.")
    run("resume", str(event.public_id))
    assert "moved, opens" in run("move", "vinterbal", "--say", "I morgon.", "--at", opens_at.strftime("%Y-%m-%d %H:%M"))
    run("end", str(event.public_id), "--say", "Slut.")
    assert "ended" in run("show", "Vinterbalen")

    assert list(event.sale_changes.values_list("kind", "say_sv", "say_en", "opens_at", "actor")) == [
        ("paused", "Vi felsöker.", "We look into it.", None, None),
        ("resumed", "", "", None, None),
        ("moved", "I morgon.", "", opens_at, None),
        ("ended", "Slut.", "", None, None),
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["pause", "winter"], "Say in a sentence"),
        (["pause", "winter", "--say", "x" * 201], "at most 200"),
        (["pause", "nothing", "--say", "x"], "No coming event"),
        (["resume", "winter"], "The sale is not paused."),
        (["move", "winter", "--say", "x"], "say when it opens"),
        (["move", "winter", "--say", "x", "--at", "2001-01-01 12:00"], "Choose a time to come."),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(event: Event, words: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run(*words)

    assert not event.sale_changes.exists()


def test_a_name_of_two_events_is_asked_about(event: Event) -> None:
    other = factories.event(title_sv="Vinterbalen igen")

    with pytest.raises(CommandError, match=str(other.public_id)):
        run("pause", "vinter", "--say", "x")
