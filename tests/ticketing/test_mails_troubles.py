"""Notices of bounces and complaints: believed only when signed, kept once, and what follows from them."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from standardwebhooks.webhooks import Webhook

from apps.ticketing import clock, mails, order_page, outbox
from apps.ticketing.mails import letters, troubles
from apps.ticketing.models import Effect, MailTrouble, Order, SentMail
from tests import factories

pytestmark = pytest.mark.django_db

ADDRESS = "/webhooks/mail/resend/"
SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two characters").decode()


@pytest.fixture(autouse=True)
def with_secret(settings):
    settings.RESEND_WEBHOOK_SECRET = SECRET


def notice(kind: str = "email.bounced", **values) -> dict:
    """What Resend sends, as it documents it."""
    data = {
        "email_id": "re-1",
        "created_at": "2026-11-22T22:00:00.000Z",
        "from": "Foyer <tickets@foyer.example>",
        "to": ["alva@example.org"],
        "subject": "Your tickets",
        **values,
    }
    if kind == "email.bounced":
        data.setdefault("bounce", {"message": "alva@example.org: mailbox unknown", "type": "Permanent"})
    return {"type": kind, "created_at": "2026-11-22T22:00:05.000Z", "data": data}


def send(what, *, secret: str = SECRET, notice_id: str = "", minutes: float = 0, **headers):
    """Post a notice as the mailer does, signed as if it were `minutes` later."""
    body = what if isinstance(what, str | bytes) else json.dumps(what)
    body = body if isinstance(body, bytes) else body.encode()
    notice_id, at = notice_id or f"msg_{uuid.uuid4()}", datetime.now(UTC) + timedelta(minutes=minutes)
    signature = Webhook(secret).sign(notice_id, at, body.decode("utf-8", "replace"))
    signed = {
        "svix-id": notice_id,
        "svix-timestamp": str(int(at.timestamp())),
        "svix-signature": signature,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return Client(raise_request_exception=False).post(
        ADDRESS, body, content_type="application/json", headers={name: v for name, v in signed.items() if v is not None}
    )


def mailed(order: Order, name: str = "order_confirmation", **values) -> SentMail:
    """A mail that Resend took under the id re-1."""
    values = {"to": order.email, "provider_id": "re-1", "payload": {"name": name}, **values}
    return SentMail.objects.create(order=order, name=name, subject="Your tickets", sent_at=clock.now(), **values)


@pytest.mark.parametrize(
    ("kind", "values", "kept", "why"),
    [
        ("email.bounced", {}, "bounced", "…: mailbox unknown"),
        ("email.complained", {}, "complained", ""),
        ("email.suppressed", {"suppressed": {"message": "It bounced before"}}, "bounced", "It bounced before"),
        ("email.failed", {"failed": {"reason": "reached_daily_quota"}}, "failed", "reached_daily_quota"),
    ],
)
def test_trouble_is_kept_with_its_mail(kind, values, kept, why):
    mail = mailed(factories.paid_order())

    assert send(notice(kind, **values)).status_code == 200

    trouble = MailTrouble.objects.get()
    assert (trouble.kind, trouble.detail, trouble.provider_id) == (kept, why, "re-1")
    assert trouble.at == datetime(2026, 11, 22, 22, 0, 5, tzinfo=UTC)
    assert trouble.address_key == troubles.address_key(" Alva@EXAMPLE.org")
    assert "alva" not in trouble.address_key
    assert troubles.of_mails([mail]) == {mail.pk: trouble}


@pytest.mark.parametrize(
    "kind", ["email.sent", "email.delivered", "email.delivery_delayed", "email.opened", "contact.created", "email.new"]
)
def test_other_news_is_let_pass(kind):
    assert send(notice(kind)).status_code == 200
    assert not MailTrouble.objects.exists()


def test_notice_of_a_mail_nobody_knows_is_harmless():
    assert send(notice(email_id="of-somebody-else", to=["somebody@example.org"])).status_code == 200


def test_notice_that_comes_before_the_mail_is_noted_counts():
    send(notice())

    mail = mailed(factories.paid_order())

    assert set(troubles.of_mails([mail])) == {mail.pk}


def test_notice_told_twice_is_kept_once():
    for _ in range(3):
        assert send(notice(), notice_id="msg_1").status_code == 200

    assert MailTrouble.objects.count() == 1


@pytest.mark.parametrize(
    "values",
    [
        {"secret": "whsec_" + base64.b64encode(b"another secret").decode()},
        {"minutes": -10},
        {"minutes": 10},
        {"svix_id": "msg_other"},
        {"svix_signature": None},
        {"svix_id": None},
        {"svix_timestamp": "soon"},
        {"svix_timestamp": "nan"},
        {"svix_signature": "v1"},
        {"svix_signature": "v1,%%%"},
        {"svix_signature": "v2,abcd"},
        {"svix_signature": "v1,åäö"},
    ],
    ids=[
        *("another secret", "too old", "from the future", "another id", "no signature", "no id", "no number"),
        *("not a number", "no value", "not base64", "another version", "not ASCII"),
    ],
)
def test_notice_that_is_not_signed_rightly_leaves_no_trace(values):
    response = send(notice(), **values)

    assert (response.status_code, MailTrouble.objects.count()) == (400, 0)


@pytest.mark.parametrize(
    "what",
    [
        "",
        "not json",
        "[]",
        "null",
        "{}",
        '{"type": [], "data": {}}',
        '{"type": "email.bounced", "created_at": 7, "data": {}}',
        '{"type": "email.bounced", "created_at": "2026-11-22T22:00:05Z", "data": {"bounce": 3}}',
        '{"type": "email.bounced", "created_at": "2026-11-22T22:00:05Z", "data": {"bounce": {"message": 3}}}',
        '{"type": "email.bounced", "created_at": "2026-11-22T22:00:05Z", "data": {"bounce": {"message": {"a": 1}}}}',
        '{"type": "email.bounced", "created_at": "2026-11-22T22:00:05Z", "data": {"bounce": {"message": ["a"]}}}',
        '{"type": "email.complained", "data": {"email_id": "re-1", "to": ["a\\ud800@example.org"]}}',
        '{"type": "email.complained", "created_at": ' + "[" * 100_000 + "]" * 100_000 + "}",
        b"\xff\xfe",
    ],
)
def test_notice_that_cannot_be_read_is_refused(what):
    response = send(what)

    assert response.status_code == 400
    assert not MailTrouble.objects.exists()


@pytest.mark.parametrize("data", [[], None, "words", {"to": "alva@example.org", "email_id": {}}])
def test_notice_of_an_odd_shape_is_no_fault(data):
    response = send({"type": "email.complained", "created_at": "2026-11-22", "data": data})

    assert response.status_code in (200, 400)


def test_words_of_the_other_side_fit_and_hold_no_control_characters():
    send(notice(bounce={"message": "no\x00pe\r\n" + "x" * 1000}))

    assert MailTrouble.objects.get().detail == "no pe " + "x" * 294


def test_notices_are_taken_only_where_a_secret_is_set(settings):
    settings.RESEND_WEBHOOK_SECRET = ""

    assert send(notice()).status_code == 404


@pytest.mark.parametrize("secret", ["whsec_", "no base64 at all", "whsec_å"])
def test_secret_that_is_none_lets_nobody_in(settings, secret):
    settings.RESEND_WEBHOOK_SECRET = secret

    assert send(notice()).status_code == 400


def test_notice_may_only_be_posted():
    assert Client().get(ADDRESS).status_code == 405


def test_notice_that_is_too_long_is_not_read():
    assert send(" " * (256 * 1024 + 1)).status_code == 413


@pytest.mark.parametrize("name", sorted(letters.kinds))
def test_who_complained_gets_only_what_they_must_have(name):
    send(notice("email.complained"))

    assert troubles.is_spared(name, "alva@example.org") == letters.kinds[name].is_reminder
    assert not troubles.is_spared(name, "kim@example.org")


def test_reminders_are_those_one_can_do_without():
    assert {name for name, kind in letters.kinds.items() if kind.is_reminder} == {
        "your_turn",
        "hold_ends_soon",
        "payment_failed",
        "hold_expired",
        "place_is_kept",
        "transfer_reminder",
        "move_reminder",
    }


def test_reminder_to_who_complained_is_not_sent(settings, mailoutbox):
    order = factories.reserved_order()
    Order.objects.filter(pk=order.pk).update(email="alva@example.org")
    send(notice("email.complained"))

    outbox.run_all(kinds=[mails.KIND], early=True)

    assert mailoutbox == []
    assert Effect.objects.get(payload__name="your_turn").state == "done"


def test_who_bounced_is_still_written_to(mailoutbox):
    order = factories.reserved_order()
    Order.objects.filter(pk=order.pk).update(email="alva@example.org")
    send(notice())

    outbox.run_all(kinds=[mails.KIND], early=True)

    assert [mail.to for mail in mailoutbox] == [["alva@example.org"]]


def page_of(order: Order) -> str:
    return Client().get(f"/en/orders/{order.reference}/{order.secret}/").content.decode()


def test_buyer_reads_that_mail_came_back_and_what_to_do():
    order = factories.paid_order()
    mailed(order)
    assert "came back" not in page_of(order)

    send(notice())

    page = page_of(order)
    assert f"Our mail to {order.email} came back." in page
    assert "board@example.org" in page
    assert "Everything is also in your e-mail" not in page


def test_mail_that_arrives_later_ends_the_sentence():
    order = factories.paid_order()
    mailed(order)
    send(notice())
    mailed(order, provider_id="re-2")

    assert not order_page.read(order, clock.now()).mail_came_back


def test_trouble_with_the_organisers_address_is_not_the_buyers():
    order = factories.paid_order()
    mailed(order, name="refund_alert", to="board@example.org")
    send(notice(to=["board@example.org"]))

    assert not order_page.read(order, clock.now()).mail_came_back
