"""Handing mails over, to an SMTP server and to Resend's API, each a process of its own: what is taken, what is tried
again, and what never will be taken."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from config import doctor
from embedded.mailbox import Mailbox

from apps.ticketing import clock, documents, mails, outbox
from apps.ticketing.mails import sending, troubles
from apps.ticketing.models import Effect, MailTrouble, Order, SentMail
from tests import factories, mail_servers
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def smtp_port(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smtp")
    with mail_servers.serving("smtp", folder) as port:
        yield port, folder


@pytest.fixture(scope="module")
def resend_port(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resend")
    with mail_servers.serving("resend", folder) as port:
        yield port, folder


@pytest.fixture
def smtp(smtp_port, settings) -> Path:
    port, folder = smtp_port
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.DEFAULT_FROM_EMAIL = "Foyer <tickets@foyer.example>"
    Mailbox(folder).clear()
    return folder


@pytest.fixture
def resend(resend_port, settings) -> Path:
    port, folder = resend_port
    settings.EMAIL_BACKEND = "apps.ticketing.mails.resend.EmailBackend"
    settings.ANYMAIL = {
        "RESEND_API_KEY": mail_servers.KEY,
        "RESEND_API_URL": f"http://127.0.0.1:{port}/",
        "REQUESTS_TIMEOUT": 5,
    }
    settings.DEFAULT_FROM_EMAIL = "Foyer <tickets@foyer.example>"
    for path in folder.glob("*.json"):
        path.unlink()
    return folder


def expired(address: str) -> Effect:
    """An order whose hold is over, and the mail about it, still to be sent."""
    order = factories.reserved_order()
    Effect.objects.filter(order=order).delete()
    Order.objects.filter(pk=order.pk).update(state="expired", email=address, locale="en")
    with outbox.transaction.atomic():
        mails.hold_expired([order.pk])
    return Effect.objects.get(order=order)


def sent(effect: Effect) -> tuple[str, int]:
    """The effect's state after one try, and how many mails are noted."""
    outbox.run(effect.pk, early=True)
    effect.refresh_from_db()
    return effect.state, SentMail.objects.filter(order=effect.order_id).count()


def test_smtp_takes_a_mail(smtp):
    effect = expired("alva@example.org")

    assert sent(effect) == ("done", 1)
    (message,) = Mailbox(smtp).messages()
    noted = SentMail.objects.get()
    assert (noted.to, noted.name, noted.provider_id) == ("alva@example.org", "hold_expired", noted.message_id)
    assert message.mail["Message-ID"] == noted.message_id
    assert message.mail["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize("who", ["full", "grey", "later", "relay", "slow"])
def test_smtp_saying_not_now_is_tried_again(smtp, settings, who):
    settings.EMAIL_TIMEOUT = 1
    effect = expired(f"{who}@example.org")

    assert sent(effect) == ("due", 0)
    assert effect.due_at > clock.now()
    assert effect.last_error
    assert not MailTrouble.objects.exists()


@pytest.mark.parametrize(
    ("who", "kind", "why"),
    [
        ("gone", "bounced", "550 5.1.1 <…>: no such mailbox here"),
        ("bare", "bounced", "553 sorry"),
        ("spam", "failed", "554 5.6.0 message not wanted"),
    ],
)
def test_smtp_saying_never_is_noted_and_not_tried_again(smtp, who, kind, why):
    effect = expired(f"{who}@example.org")

    assert sent(effect) == ("done", 1)
    trouble = MailTrouble.objects.get()
    assert (trouble.kind, trouble.detail) == (kind, why)
    assert troubles.of_mails(SentMail.objects.all()) == {SentMail.objects.get().pk: trouble}
    assert Mailbox(smtp).messages() == []


def test_nobody_at_the_mail_server_is_tried_again(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9

    effect = expired("alva@example.org")

    assert sent(effect) == ("due", 0)
    assert "ConnectionRefusedError" in effect.last_error


def test_addresses_beyond_ascii_are_reached(smtp):
    effect = expired("alva@räksmörgås.example")

    assert sent(effect) == ("done", 1)
    assert Mailbox(smtp).messages()[0].recipients == ["alva@xn--rksmrgs-5wao1o.example"]


def test_resend_takes_a_mail_with_its_tickets(resend, monkeypatch):
    monkeypatch.setattr(documents, "attachments", lambda order: [("Biljetter Å.pdf", b"%PDF-1.7 tickets")])
    order = factories.paid_order()
    Order.objects.filter(pk=order.pk).update(locale="en")
    effect = Effect.objects.get(order=order, payload__name="order_confirmation")

    assert sent(effect) == ("done", 1)
    (request,) = mail_servers.requests_in(resend)
    mail, noted = request["mail"], SentMail.objects.get()
    assert mail["from"].endswith("<tickets@foyer.example>")
    assert (mail["to"], mail["reply_to"]) == ([order.email], ["board@example.org"])
    assert mail["subject"] == "Your tickets to Lucia dinner"
    assert "PDF in this mail" in mail["text"]
    assert mail["html"].startswith("<!doctype html>")
    pdf = mail["attachments"][-1]
    assert (pdf["filename"], base64.b64decode(pdf["content"])) == ("Biljetter Å.pdf", b"%PDF-1.7 tickets")
    assert pdf["content_type"] == "application/pdf"
    assert request["key"] == noted.message_id
    assert noted.provider_id not in ("", noted.message_id)


@pytest.mark.parametrize("who", ["quota", "sender", "broken", "garbled"])
def test_resend_saying_not_now_is_tried_again(resend, who):
    effect = expired(f"{who}@example.org")

    assert sent(effect) == ("due", 0)
    assert effect.last_error
    assert not MailTrouble.objects.exists()


def test_resend_being_busy_is_no_error(resend):
    effect = expired("busy@example.org")

    assert sent(effect) == ("due", 0)
    assert (effect.last_error, effect.tries) == ("", 0)
    assert timedelta(seconds=5) < effect.due_at - clock.now() < timedelta(seconds=13)


def test_resend_refusing_an_address_is_noted_and_not_tried_again(resend):
    effect = expired("wrong@example.org")

    assert sent(effect) == ("done", 1)
    assert MailTrouble.objects.get().kind == "bounced"
    assert "Invalid `to` field" in MailTrouble.objects.get().detail


def test_nobody_at_resend_is_tried_again(resend, settings):
    settings.ANYMAIL = {**settings.ANYMAIL, "RESEND_API_URL": "http://127.0.0.1:9/"}
    effect = expired("alva@example.org")

    assert sent(effect) == ("due", 0)


def crash(name):
    if name == "mail.handed_over":
        raise KeyboardInterrupt


@pytest.mark.parametrize("is_rewritten", [False, True], ids=["same text", "other text"])
def test_after_a_crash_resend_does_not_deliver_twice(resend, monkeypatch, is_rewritten):
    effect = expired("alva@example.org")
    with monkeypatch.context() as patched:
        patched.setattr(sending, "crashpoint", crash)
        with pytest.raises(KeyboardInterrupt):
            outbox.run(effect.pk)
    if is_rewritten:
        type(effect.order.event).objects.update(title_en="Lucia supper")

    with clock_moved(timedelta(seconds=mails.LEASE_SECONDS + 1)):
        outbox.sweep()
        assert sent(effect) == ("done", 1)

    assert len(mail_servers.requests_in(resend)) == 1


def test_lost_answer_of_resend_is_asked_for_again_and_delivered_once(resend):
    effect = expired("garbled@example.org")
    sent(effect)
    sent(effect)

    assert len(mail_servers.requests_in(resend)) == 1


def test_tickets_that_cannot_be_made_do_not_hold_the_mail_up(smtp, monkeypatch):
    def fail(order):
        raise documents.NotMade("no fonts")

    monkeypatch.setattr(documents, "attachments", fail)
    order = factories.paid_order()
    Order.objects.filter(pk=order.pk).update(locale="en")
    effect = Effect.objects.get(order=order, payload__name="order_confirmation")

    assert sent(effect) == ("done", 1)
    (message,) = Mailbox(smtp).messages()
    assert "where you can also get it as PDF" in message.text
    assert f"/orders/{order.reference}/{order.secret}/tickets.pdf" in message.text
    assert [name for _n, name, _c in message.attachments if name.endswith(".pdf")] == []


def test_tickets_too_large_for_a_mail_are_linked_only(smtp, monkeypatch):
    half = b"%PDF" + bytes(sending.ATTACHED_BYTES // 2)
    monkeypatch.setattr(documents, "attachments", lambda order: [("one.pdf", half), ("two.pdf", half)])
    order = factories.paid_order()

    assert sent(Effect.objects.get(order=order, payload__name="order_confirmation")) == ("done", 1)
    (message,) = Mailbox(smtp).messages()
    assert [name for _n, name, _c in message.attachments if name.endswith(".pdf")] == []
    assert "tickets.pdf" in message.text


def test_tickets_that_are_still_being_made_are_waited_for_and_then_done_without(smtp, monkeypatch):
    order = factories.paid_order(2)
    type(order.event).objects.update(one_file_per_ticket=True)
    effect = Effect.objects.get(order=order, payload__name="order_confirmation")

    assert sent(effect) == ("due", 0)
    assert (effect.last_error, effect.tries) == ("", 0)

    with clock_moved(timedelta(minutes=sending.PDF_MINUTES, seconds=1)):
        assert sent(effect) == ("done", 1)


def test_confirmation_is_written_where_pdfs_are_made():
    factories.paid_order()

    assert Effect.objects.get(payload__name="order_confirmation").queue == "documents"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"EMAIL_URL": "smtp+tls://who:word@mail.example:587"}, ("smtp.EmailBackend", "mail.example", True)),
        (
            {"RESEND_API_KEY": "re_1", "EMAIL_URL": "smtp://mail.example:25"},
            ("resend.EmailBackend", "mail.example", False),
        ),
    ],
    ids=["SMTP with TLS", "Resend"],
)
def test_environment_chooses_who_delivers(environment, expected):
    program = (
        "from django.conf import settings as s;"
        "print(s.EMAIL_BACKEND, s.EMAIL_HOST, s.EMAIL_USE_TLS if hasattr(s, 'EMAIL_USE_TLS') else False,"
        " s.EMAIL_TIMEOUT, getattr(s, 'ANYMAIL', {}).get('REQUESTS_TIMEOUT', 10))"
    )
    made = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONPATH": "site:.", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )

    backend, host, tls, timeout, api_timeout = made.stdout.split()
    assert (backend.endswith(expected[0]), host, tls == "True") == (True, *expected[1:])
    assert (timeout, api_timeout) == ("10", "10")


@pytest.mark.parametrize(("secret", "level"), [("", "warn"), ("whsec_abcd", "ok")])
def test_doctor_misses_the_notices_of_resend(resend, settings, secret, level):
    settings.RESEND_WEBHOOK_SECRET = secret

    (finding,) = doctor.mail()

    assert finding.level == level
    assert ("/webhooks/mail/resend/" in finding.remedy) == (not secret)
