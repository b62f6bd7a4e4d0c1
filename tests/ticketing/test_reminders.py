"""Reminders of an opening: promised to whoever asks, sent once whatever crashes, and forgotten."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.conf import LazySettings
from django.core import mail
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils.translation import override
from icalendar import Calendar

from apps.accounts.models import User
from apps.ticketing import clock, event_face, invariants, outbox, reminders
from apps.ticketing.models import Effect, Reminder, TicketType
from apps.ticketing.personal_data import TicketingData
from tests import factories
from tests.clock import clock_moved
from tests.faults.test_crashes import in_own_process

pytestmark = pytest.mark.django_db
OPENS_IN = timedelta(hours=5)
# In the middle of the half hour in which the mail goes out.
DUE = OPENS_IN - timedelta(minutes=20)


@pytest.fixture(autouse=True)
def fresh_faces() -> None:
    event_face.forget()


@pytest.fixture
def kind() -> TicketType:
    event = factories.event(title_en="Lucia dinner", title_sv="Luciasittning")
    return factories.ticket_type(event, factories.quota(event), sale_opens_at=clock.now() + OPENS_IN)


def address(name: str, event: Any, language: str = "en") -> str:
    with override(language):
        return reverse(f"ticketing:{name}", args=[event.public_id])


def move(kind: TicketType, by: timedelta) -> None:
    assert kind.sale_opens_at is not None
    kind.sale_opens_at += by
    kind.save()


def ask(kind: TicketType, email: str = "robin@example.org", locale: str = "en") -> Reminder:
    reminders.remind(kind.event, email, locale=locale)
    return Reminder.objects.latest("pk")


def work() -> None:
    """What cron and a worker do now."""
    reminders.sweep()
    outbox.run_all(kinds=[reminders.KIND])


def test_a_reminder_is_promised_on_the_page_and_comes_half_an_hour_before(client: Client, kind: TicketType) -> None:
    page = address("remind", kind.event)
    assert not client.get(page).cookies

    answer = client.post(page, {"email": " Robin@Example.org "}).content.decode()
    assert "We write to you" in answer and "Robin@Example.org" in answer
    client.post(page, {"email": "robin+again@example.org"})
    work()
    assert mail.outbox == []
    with clock_moved(DUE):
        work()
        work()

    (letter,) = mail.outbox
    reminder = Reminder.objects.get()
    assert letter.to == ["Robin@Example.org"]
    assert letter.subject == "Tickets to Lucia dinner soon"
    assert address("form", kind.event) in letter.body
    assert letter.extra_headers["List-Unsubscribe"] == f"<{reminders.withdraw_url(reminder)}>".replace("/sv/", "/en/")
    assert (reminder.email, reminder.sent_at is None) == ("", False)
    assert invariants.check() == []


def test_a_reminder_speaks_the_language_it_was_asked_in(client: Client, kind: TicketType) -> None:
    client.post(address("remind", kind.event, "sv"), {"email": "robin@example.org"})
    with clock_moved(DUE):
        work()

    (letter,) = mail.outbox
    assert letter.subject == "Snart biljetter till Luciasittning"
    assert "Försäljningen öppnar" in letter.body and "/sv/" in letter.body


def test_an_opening_that_is_moved_moves_its_reminders(kind: TicketType) -> None:
    ask(kind)
    with clock_moved(DUE):
        reminders.sweep()  # asked for, and then moved before the worker comes
    move(kind, timedelta(hours=2))

    with clock_moved(DUE):
        outbox.run_all(kinds=[reminders.KIND])
        work()
        assert mail.outbox == []
    with clock_moved(DUE + timedelta(hours=2)):
        work()
        assert len(mail.outbox) == 1
    move(kind, timedelta(hours=2))
    with clock_moved(DUE + timedelta(hours=4)):
        work()
    assert len(mail.outbox) == 1  # told once, however often it moves


def test_an_opening_moved_back_to_where_it_was_is_told(kind: TicketType) -> None:
    ask(kind)
    there = kind.sale_opens_at
    assert there is not None
    with clock_moved(DUE):
        for moved_to in (there + timedelta(hours=2), there):
            reminders.sweep()
            TicketType.objects.filter(pk=kind.pk).update(sale_opens_at=moved_to)
            outbox.run_all(kinds=[reminders.KIND])
        work()

    assert len(mail.outbox) == 1


@pytest.mark.parametrize("how", ["page", "mail program"])
def test_a_reminder_can_be_called_off(client: Client, kind: TicketType, how: str) -> None:
    reminder = ask(kind)
    with override("en"):
        link = reverse("ticketing:reminder", args=[reminder.public_id, reminder.secret])
    assert "Call the reminder off?" in client.get(link).content.decode()

    sent = {"List-Unsubscribe": "One-Click"} if how == "mail program" else {}
    strict = Client(enforce_csrf_checks=True)
    assert "No reminder" in strict.post(link, sent).content.decode()

    assert Reminder.objects.count() == 0
    assert "No reminder" in client.get(link).content.decode()
    with clock_moved(DUE):
        work()
    assert mail.outbox == []


@pytest.mark.parametrize(
    ("email", "sentence"),
    [
        pytest.param("", "Write your e-mail address.", id="empty"),
        pytest.param("robin", "Write an e-mail address such as robin@example.org.", id="no-address"),
        pytest.param("r" * 300 + "@example.org", "Write an e-mail address such as robin@example.org.", id="too-long"),
        pytest.param("a@b.example\nBcc: c@d.example", "Write an e-mail address", id="two-lines"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(client: Client, kind: TicketType, email: str, sentence: str) -> None:
    response = client.post(address("remind", kind.event), {"email": email})

    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert Reminder.objects.count() == 0


@pytest.mark.parametrize("opens_in", [None, timedelta(hours=-1), timedelta(minutes=1)])
def test_there_is_nothing_to_remind_of(client: Client, kind: TicketType, opens_in: timedelta | None) -> None:
    kind.sale_opens_at = clock.now() + opens_in if opens_in else None
    kind.save()

    response = client.post(address("remind", kind.event), {"email": "robin@example.org"})

    assert "There is nothing to remind you of" in response.content.decode()
    assert Reminder.objects.count() == 0
    expected = 200 if opens_in == timedelta(minutes=1) else 404
    assert client.get(address("opening_ics", kind.event)).status_code == expected


def test_the_calendar_entry_rings_before_the_opening(client: Client, kind: TicketType, settings: LazySettings) -> None:
    response = client.get(address("opening_ics", kind.event))

    (entry,) = Calendar.from_ical(response.content).events
    (alarm,) = entry.walk("VALARM")
    assert kind.sale_opens_at.replace(microsecond=0) == entry.DTSTART
    assert entry.DTSTART.tzinfo.key == kind.event.time_zone
    assert entry["URL"] == settings.SITE_URL + address("form", kind.event)
    assert (alarm["TRIGGER"].dt, alarm["ACTION"]) == (timedelta(minutes=-10), "DISPLAY")
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    assert not response.cookies


def test_old_reminders_are_forgotten_and_a_person_finds_and_erases_theirs(kind: TicketType) -> None:
    user: User = factories.user(email="robin@example.org")
    EmailAddress.objects.create(user=user, email="robin@example.org", verified=True, primary=True)
    ask(kind, "Robin@example.org")
    ask(kind, "kim@example.org")

    assert [row["email"] for row in TicketingData().export(user)["reminders"]] == ["Robin@example.org"]
    TicketingData().erase(user)
    assert list(Reminder.objects.values_list("email", flat=True)) == ["kim@example.org"]
    assert reminders.forget_old() == 0
    with clock_moved(OPENS_IN + timedelta(hours=25)):
        assert reminders.forget_old() == 1


# --- Crashes and races ---------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("crash_at", ["effect.leased", "mail.handed_over", "effect.carried_out"])
def test_a_worker_killed_at_any_point_leaves_one_mail(
    kind: TicketType, settings: LazySettings, tmp_path: Path, crash_at: str
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    ask(kind)

    with clock_moved(DUE):
        assert in_own_process(work, crash_at) == signal.SIGKILL
    with clock_moved(DUE + timedelta(seconds=outbox.handlers.get(reminders.KIND).lease_seconds + 1)):
        outbox.sweep()
        assert in_own_process(work) == 0

    names = [re.findall(r"Message-ID: (.*)", file.read_text()) for file in tmp_path.iterdir()]
    assert len({name for found in names for name in found}) == 1
    assert Reminder.objects.get().email == ""


def sweep_while_another_is_at_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sweep stops in the middle of its transaction until another one has been and gone."""
    inside, release, errors = threading.Event(), threading.Event(), []
    add_many = outbox.add_many

    def slow(*arguments: Any, **how: Any) -> Any:
        if threading.current_thread() is first:
            inside.set()
            release.wait(20)
        return add_many(*arguments, **how)

    def run() -> None:
        try:
            reminders.sweep()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    monkeypatch.setattr(outbox, "add_many", slow)
    first = threading.Thread(target=run)
    second = threading.Thread(target=run)
    first.start()
    assert inside.wait(20)
    second.start()
    second.join(2)
    release.set()
    first.join(20)
    second.join(20)
    assert errors == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("guarded", "asked"), [(True, 1), (False, 2)], ids=["locked", "control: without the lock"])
def test_two_crons_ask_for_one_mail(
    kind: TicketType, monkeypatch: pytest.MonkeyPatch, guarded: bool, asked: int
) -> None:
    ask(kind)
    if not guarded:
        unlocked: Callable[..., Any] = lambda self, **how: self  # noqa: E731
        monkeypatch.setattr("django.db.models.query.QuerySet.select_for_update", unlocked)

    with clock_moved(DUE):
        sweep_while_another_is_at_it(monkeypatch)

    assert Effect.objects.filter(kind=reminders.KIND).count() == asked
