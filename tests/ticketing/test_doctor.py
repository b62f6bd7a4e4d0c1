"""The doctor: finds what is wrong, says it plainly with a remedy, and shows no secret."""

from __future__ import annotations

import os
import stat
from datetime import timedelta
from io import StringIO

import pytest
from config import doctor
from config.doctor import FAIL, OK, WARN
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import connection
from embedded.mailbox import Mailbox

from apps.ticketing import clock, credentials, documents, outbox
from apps.ticketing.models import Effect, Heartbeat, SigningKey
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def healthy(tmp_path, settings):
    """A house in which nothing is wrong."""
    at = clock.now()
    for name, role in (("purchases@a:1", "worker"), ("default+documents@a:2", "worker"), ("cron@a:3", "cron")):
        Heartbeat.objects.create(name=name, role=role, beat_at=at)
    credentials.rotate()
    settings.MEDIA_ROOT = str(tmp_path / "media")
    with Mailbox(tmp_path / "mail") as box:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.smtp_port
        yield


def levels() -> dict[str, str]:
    return {finding.subject: finding.level for finding in doctor.examine()}


def findings(level: str) -> list[doctor.Finding]:
    return [finding for finding in doctor.examine() if finding.level == level]


def test_all_is_well(healthy):
    assert levels() == {
        "database": OK,
        "migrations": OK,
        "Redis": OK,
        "worker for purchases": OK,
        "worker for default": OK,
        "worker for documents": OK,
        "cron": OK,
        "mail": OK,
        "clock": OK,
        "keys": OK,
        "payments": OK,
        "register: kobra": OK,
        "register: sesam": OK,
        "logins": OK,
        "storage for pictures": OK,
        "storage for exports": OK,
        "storage for PDF tickets": OK,
        "PDF tickets": OK,
        "outbox": OK,
        "promises": OK,
    }


def test_command_prints_a_line_each_and_exits_with_one_when_something_fails(healthy):
    out = StringIO()
    call_command("doctor", stdout=out, no_color=True)
    assert out.getvalue().count("\n") == 20

    Heartbeat.objects.filter(role="cron").delete()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", stdout=out, no_color=True)

    assert ended.value.code == 1
    assert "FAIL  cron: It is not running" in out.getvalue()


def stop_worker(**_):
    Heartbeat.objects.filter(name__startswith="purchases").update(beat_at=clock.now() - timedelta(seconds=61))


def no_worker(**_):
    Heartbeat.objects.filter(name__startswith="default").delete()


def no_redis(settings):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"


def no_mail_server(settings):
    settings.EMAIL_PORT = 9


def other_keyring(settings):
    settings.FOYER_KEYS = "k9:" + "A" * 43


def unapplied_migration(**_):
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM django_migrations WHERE id = (SELECT max(id) FROM django_migrations WHERE app = 'ticketing')"
        )


def broken_promise(**_):
    factories.reserved_order().event.quotas.update(taken=0)


def full_storage(settings):
    os.makedirs(settings.MEDIA_ROOT, exist_ok=True)
    (blocked := os.path.join(settings.MEDIA_ROOT, "doctor"))
    with open(blocked, "w") as file:
        file.write("a file where the folder should be")


@pytest.mark.parametrize(
    ("break_it", "subject"),
    [
        (stop_worker, "worker for purchases"),
        (no_worker, "worker for documents"),
        (no_redis, "Redis"),
        (no_mail_server, "mail"),
        (other_keyring, "keys"),
        (unapplied_migration, "migrations"),
        (broken_promise, "promises"),
        (full_storage, "storage for pictures"),
    ],
)
def test_fails_and_names_a_remedy_for(healthy, settings, break_it, subject):
    break_it(settings=settings)

    failed = [finding for finding in findings(FAIL) if finding.subject == subject]

    assert len(failed) == 1
    assert failed[0].remedy.endswith(".")


def dead_effect(**_):
    outbox.add("test", key="dead one")
    Effect.objects.update(state="dead")


def late_effect(**_):
    outbox.add("test", key="late one", due_at=clock.now() - timedelta(minutes=6))


def no_signing_key(**_):
    SigningKey.objects.all().delete()


def mail_to_nowhere(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"


@pytest.mark.parametrize(
    ("change", "subject"),
    [(dead_effect, "outbox"), (late_effect, "outbox"), (no_signing_key, "keys"), (mail_to_nowhere, "mail")],
)
def test_warns_of(healthy, settings, change, subject):
    change(settings=settings)

    assert [finding.subject for finding in findings(WARN)] == [subject]


def test_a_clock_that_is_off_is_a_warning(healthy):
    from tests.clock import clock_moved

    with clock_moved(timedelta(seconds=30)):
        assert levels()["clock"] == WARN


def test_a_question_that_cannot_be_asked_does_not_stop_the_others(healthy, monkeypatch):
    def broken():
        raise ValueError("cannot ask")
        yield

    monkeypatch.setattr(doctor, "QUESTIONS", (broken, *doctor.QUESTIONS))

    found = doctor.examine()

    assert (found[0].level, found[0].subject) == (FAIL, "broken")
    assert len(found) == 21


def test_nothing_secret_is_shown(healthy, settings):
    other_keyring(settings)
    shown = " ".join(f"{finding.what} {finding.remedy}" for finding in doctor.examine())

    for secret in (django_settings.SECRET_KEY, "A" * 43, connection.settings_dict["PASSWORD"]):
        assert secret not in shown


def test_storage_is_left_as_it_was(healthy, settings):
    doctor.examine()

    left = [name for _folder, _folders, names in os.walk(settings.MEDIA_ROOT) for name in names]
    assert left == []
    assert stat.S_ISDIR(os.stat(settings.MEDIA_ROOT).st_mode)


def test_a_machine_that_can_make_no_pdf_is_told_what_it_lacks(healthy, monkeypatch):
    why = "PDF tickets need the Debian packages libpango-1.0-0 (cannot load library 'libpango-1.0.so.0')."
    monkeypatch.setattr(documents, "problem", lambda: why)

    [finding] = findings(WARN)

    assert (finding.subject, finding.what) == ("PDF tickets", why)
    assert f"apt-get install {documents.PACKAGES}" in finding.remedy
