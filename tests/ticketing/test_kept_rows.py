"""What every page of an order shows is read twice a second; an edit is seen at once by the process that makes it."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts import kept
from apps.events.models import Event
from apps.ticketing import clock, kept_rows
from apps.ticketing.models import RefundRule
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("kept_for_long")]


def test_rows_are_read_once_with_what_is_not_published_too() -> None:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event), is_published=False)
    choice = factories.choice(factories.variation(kind), is_published=False)
    kept_rows.of(event.pk)

    with CaptureQueriesContext(connection) as queries:
        rows = kept_rows.of(event.pk)
        organisation = rows.event.organisation
        asked = rows.choices[choice.pk].variation

    assert (len(queries), rows.event, organisation) == (0, event, event.organisation)
    assert (rows.types, asked.ticket_type_id) == ({kind.pk: kind}, kind.pk)


def test_edit_is_seen_at_once() -> None:
    event = factories.event(venue="Kårhuset")
    kind = factories.ticket_type(event, factories.quota(event), name_en="Dinner")
    assert kept_rows.event(event.public_id).venue == "Kårhuset"
    assert kept_rows.of(event.pk).types[kind.pk].name_en == "Dinner"

    event.venue = "Domkyrkan"
    event.save()
    kind.name_en = "Supper"
    kind.save()

    assert kept_rows.event(event.public_id).venue == "Domkyrkan"
    assert kept_rows.of(event.pk).types[kind.pk].name_en == "Supper"


def test_what_is_not_there_is_not_kept() -> None:
    with pytest.raises(Event.DoesNotExist):
        kept_rows.event(uuid.uuid4())
    with pytest.raises(Event.DoesNotExist):
        kept_rows.of(0)


def test_memory_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_KEPT", 2)

    for _ in range(5):
        kept_rows.event(factories.event().public_id)

    assert [len(rows._kept) <= 2 for rows in kept_rows.ALL] == [True, True]


def test_half_a_second_later_one_question_tells_that_all_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    event = factories.event()
    factories.ticket_type(event, factories.quota(event))
    rows = kept_rows.of(event.pk)
    monkeypatch.setattr(kept_rows._rows, "seconds", 0.0)
    kept_rows._rows.forget()
    rows = kept_rows.of(event.pk)

    with CaptureQueriesContext(connection) as queries:
        again = kept_rows.of(event.pk)

    assert (len(queries), again is rows) == (1, True)


@pytest.mark.parametrize("table", ["event", "organisation", "kind", "question", "choice", "rule", "quota"])
def test_half_a_second_later_a_change_of_any_row_is_seen(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_rows._rows, "seconds", 0.0)
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event))
    choice = factories.choice(factories.variation(kind))
    rows = {
        "event": event,
        "organisation": event.organisation,
        "kind": kind,
        "question": choice.variation,
        "choice": choice,
    }
    before = kept_rows.of(event.pk)

    if table == "quota":
        kind.quotas.add(factories.quota(event))
    elif table == "rule":
        RefundRule.objects.create(event=event, at=clock.now(), hours_before=24)
    else:  # behind our back: no signal says so
        row = rows[table]
        type(row)._default_manager.filter(pk=row.pk).update(id=row.pk)
    after = kept_rows.of(event.pk)

    assert after is not before
    assert len(after.refund_rules) == (table == "rule")
    assert len(after.types[kind.pk].quotas.all()) == (2 if table == "quota" else 1)


def test_one_thread_reads_and_the_others_wait_for_it() -> None:
    began, may_end = threading.Event(), threading.Event()
    asked: list[str] = []

    def read(key: str) -> str:
        asked.append(key)
        began.set()
        assert may_end.wait(5)
        return key.upper()

    rows = kept.Kept(read, seconds=60.0)
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(rows, "a") for _ in range(3)]
        assert began.wait(5)
        may_end.set()

        assert [answer.result() for answer in answers] == ["A", "A", "A"]
    assert asked == ["a"]


def test_what_another_process_made_a_moment_ago_is_found() -> None:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event))
    choice = factories.choice(factories.variation(kind))
    kept_rows.of(event.pk)
    with connection.cursor() as cursor:  # behind our back: no signal says so
        cursor.execute("UPDATE ticketing_choice SET id = id + 1000 WHERE id = %s", [choice.pk])

    assert choice.pk in kept_rows.of(event.pk).choices
    assert kept_rows.of(event.pk, types=[kind.pk], choices=[choice.pk + 1000]).choices.keys() == {choice.pk + 1000}
