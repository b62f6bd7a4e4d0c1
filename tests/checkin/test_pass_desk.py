"""The organiser gives gate passes away, sees what became of them, and takes them back."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from apps.checkin import passes
from apps.checkin.models import GatePass
from apps.events import tenancy
from apps.ticketing import clock
from tests import factories, mould
from tests.checkin.conftest import Evening, new_evening
from tests.clock import clock_moved
from tests.tenancy.world import member


@pytest.fixture
def evening(db: None) -> Evening:
    organisation = mould.cast(tenancy.create_organisation, "Lyktan", slug="lyktan")
    return new_evening(organisation=organisation)


@pytest.fixture
def desk(evening: Evening, client: Client) -> Client:
    client.force_login(member(evening.organisation, tenancy.Role.EDITOR, locale="en"))
    return client


def add(evening: Evening) -> str:
    return f"{reverse('gate_pass_desk:add')}?event={evening.event.public_id}"


def event_page(evening: Evening) -> str:
    return reverse("event_desk:edit", args=[evening.event.public_id])


def form(evening: Evening, **values: str) -> dict[str, str]:
    until = passes.default_end(evening.event)
    return {"holder_name": "Robin", "gate": "Entrance B", "expires_at": f"{until:%Y-%m-%d %H:%M}", **values}


def test_new_pass_shows_its_link_once(evening: Evening, desk: Client) -> None:
    answer = desk.post(add(evening), form(evening))

    page = answer.content.decode()
    made = GatePass.objects.get()
    (link,) = re.findall(r'value="(http://testserver/door/pass/[\w-]+/)"', page)
    secret = link.split("/")[-2]
    assert (answer.status_code, "no-store" in answer.headers["Cache-Control"]) == (200, True)
    assert (made.holder_name, made.gate, made.created_by) == ("Robin", "Entrance B", answer.wsgi_request.user)
    assert (made.secret_hash, len(secret) >= 32) == (passes.hash_of(secret), True)
    assert 'class="qr"' in page
    assert secret not in desk.get(event_page(evening)).content.decode()


def test_pass_is_valid_for_two_hours_after_the_end_unless_said_otherwise(evening: Evening, desk: Client) -> None:
    page = desk.get(add(evening)).content.decode()

    ends = evening.event.ends_at + timedelta(hours=2)
    assert passes.default_end(evening.event) == ends
    assert f"{ends.astimezone(evening.event.zone):%Y-%m-%d %H:%M}" in page


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        pytest.param({"expires_at": "2020-01-01 00:00"}, "This time has passed", id="past"),
        pytest.param({"expires_at": "2099-01-01 00:00"}, "7 days after the event", id="far"),
        pytest.param({"expires_at": "soon"}, "Enter a valid date", id="no time"),
        pytest.param({"holder_name": "  "}, "This field is required", id="nobody"),
        pytest.param({"holder_name": "x" * 61}, "at most 60", id="long"),
    ],
)
def test_pass_that_makes_no_sense_is_refused_with_a_sentence(
    evening: Evening, desk: Client, values: dict[str, str], sentence: str
) -> None:
    desk.cookies["language"] = "en"

    answer = desk.post(add(evening), form(evening, **values))

    assert (answer.status_code, GatePass.objects.count()) == (200, 0)
    assert sentence in answer.content.decode()


def test_event_page_tells_what_became_of_each_pass(evening: Evening, desk: Client) -> None:
    passes.give(evening.event, holder_name="Fresh", by=None)
    twice, _ = passes.give(evening.event, holder_name="Twice", by=None, may_let_in_anyway=True)
    back, _ = passes.give(evening.event, holder_name="Back", by=None)
    passes.give(evening.event, holder_name="Over", by=None, expires_at=clock.now())
    passes.note_opening(twice)
    passes.note_opening(twice)
    passes.revoke(back)

    page = desk.get(event_page(evening)).content.decode()

    rows = {name: row for row in page.split("<tr>") for name in ("Fresh", "Twice", "Back", "Over") if name in row}
    take_back = {name for name in rows if "/admin/gate-passes/delete/" in rows[name]}
    assert take_back == {"Fresh", "Twice"}
    assert [name for name, row in rows.items() if "2 " in row and "<strong>" in row] == ["Twice"]


def test_taking_a_pass_back_closes_the_door_and_keeps_the_row(evening: Evening, desk: Client) -> None:
    held, _ = passes.give(evening.event, holder_name="Robin", by=None)
    address = reverse("gate_pass_desk:delete", args=[held.public_id])

    asked = desk.get(address)
    held.refresh_from_db()
    before = held.revoked_at
    done = desk.post(address)

    held.refresh_from_db()
    assert (asked.status_code, before, done.status_code, done["Location"]) == (200, None, 302, event_page(evening))
    assert held.revoked_at is not None
    first = held.revoked_at
    with clock_moved(timedelta(minutes=1)):
        desk.post(address)
    held.refresh_from_db()
    assert held.revoked_at == first


def test_others_neither_see_nor_take_back(evening: Evening, client: Client) -> None:
    held, _ = passes.give(evening.event, holder_name="Robin Roslund", by=None)
    another = tenancy.create_organisation("Sexsidan", slug="sexsidan")
    treasurer = member(evening.organisation, tenancy.Role.TREASURER)

    for person in (member(another, tenancy.Role.EDITOR), treasurer):
        client.force_login(person)
        client.post(reverse("gate_pass_desk:delete", args=[held.public_id]))
        client.post(add(evening), form(evening))
        assert "Roslund" not in client.get(event_page(evening)).content.decode()

    held.refresh_from_db()
    assert (held.revoked_at, GatePass.objects.count()) == (None, 1)


@pytest.mark.parametrize("number", [1, 3])
def test_section_asks_the_same_number_of_questions(
    evening: Evening, desk: Client, number: int, django_assert_num_queries
) -> None:
    from apps.checkin.admin_views import DoorSection

    for index in range(number):
        passes.give(evening.event, holder_name=f"Volunteer {index}", by=None)
    request = desk.get(event_page(evening)).wsgi_request

    with django_assert_num_queries(2):  # the time, the passes
        DoorSection().render(request, evening.event)


def test_event_that_has_only_passes_can_be_deleted(evening: Evening, desk: Client) -> None:
    event = factories.event(organisation=evening.organisation)
    passes.give(event, holder_name="Robin", by=None)

    event.delete()

    assert GatePass.objects.count() == 0
