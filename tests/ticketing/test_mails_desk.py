"""The desk's list of an order's mails, and sending one again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from apps.events import tenancy
from apps.ticketing import clock, mail_desk, mails, outbox
from apps.ticketing.mails import troubles
from apps.ticketing.models import AuditEntry, Effect, Order, SentMail
from tests import factories, mould
from tests.clock import clock_moved
from tests.tenancy.world import World, make_world, sell

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return mould.cast(make_world, "Lyktan")


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with override("en"):
        yield


@pytest.fixture
def order(world) -> Order:
    order = sell(world)
    Effect.objects.filter(order=order).exclude(kind=mails.KIND, payload__name="order_confirmation").delete()
    return order


def held(world) -> Order:
    order = factories.order(world.event, factories.wanted(world.kind, 1, (world.choice, 1)))
    factories.queue.drain(world.event.pk)
    order.refresh_from_db()
    return order


def browser(person) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person)
    return client


def desk(order: Order, person) -> str:
    response = browser(person).get(reverse("order_desk:inspect", args=[order.public_id]))
    assert response.status_code == 200
    return response.content.decode()


def press(order: Order, person, mail_id=None):
    mail_id = mail_id or SentMail.objects.get(order=order).public_id
    address = reverse("order_desk:mail_again", args=[order.public_id, mail_id])
    return browser(person).post(address, follow=True)


def deliver() -> None:
    outbox.run_all(kinds=[mails.KIND])


def states(order: Order) -> list[tuple[str, str]]:
    return [(str(mail.what), str(mail.state)) for mail in mail_desk.of(order)]


def test_mail_is_listed_from_when_it_waits_to_when_it_is_sent(order):
    assert states(order) == [("Order confirmation", "Waits")]

    deliver()

    assert states(order) == [("Order confirmation", "Sent")]
    (mail,) = mail_desk.of(order)
    assert (mail.to, mail.can_send_again, mail.is_bad) == (order.email, True, False)


def test_mail_that_waits_for_its_time_says_so(world):
    order = held(world)

    reminder = next(mail for mail in mail_desk.of(order) if str(mail.what) == "The hold ends soon")

    assert "only if it is still needed then" in reminder.why
    assert not reminder.can_send_again


@pytest.mark.parametrize(
    ("state", "tries", "expected"),
    [("due", 3, "Is tried again"), ("leased", 1, "Is tried again"), ("dead", 30, "Could not be sent")],
)
@pytest.mark.parametrize(
    ("error", "why"),
    [
        ("ConnectionRefusedError: [Errno 111]", "The mail server could not be reached or did not take it."),
        ("SMTPDataError: (451, b'4.3.0 later')", "The mail server could not be reached or did not take it."),
        (
            "FileNotFoundError: [Errno 2] No such file: '/srv/foyer/media/x.jpg'",
            "Something went wrong while it was written or sent. The operators' log says what.",
        ),
    ],
    ids=["unreachable", "refused-for-now", "internal"],
)
def test_mail_nobody_takes_is_listed_with_the_reason(order, state, tries, expected, error, why):
    until = clock.now() if state == "leased" else None
    Effect.objects.filter(order=order).update(state=state, tries=tries, leased_until=until, last_error=error)

    (mail,) = mail_desk.of(order)

    assert (mail.state, mail.why) == (expected, why)
    assert mail.can_send_again == mail.is_bad == (state == "dead")


def test_mail_whose_hold_was_extended_waits_and_is_not_tried_again(world):
    order = held(world)
    Order.objects.filter(pk=order.pk).update(reserved_until=clock.now() + timedelta(hours=3))
    effect = Effect.objects.get(order=order, payload__name="hold_ends_soon")

    outbox.run(effect.pk, early=True)

    reminder = next(mail for mail in mail_desk.of(order) if str(mail.what) == "The hold ends soon")
    assert reminder.state == "Waits"
    assert "not before" in reminder.why and "extended" not in reminder.why


@pytest.mark.parametrize(
    ("kind", "expected"), [("bounced", "Came back"), ("complained", "Marked as spam"), ("failed", "Refused")]
)
def test_mail_in_trouble_is_listed_with_the_reason(world, order, kind, expected):
    deliver()
    mail = SentMail.objects.get()
    troubles.note(
        "msg_1", kind, provider_id=mail.provider_id, address=mail.to, detail="<b>no such mailbox</b>", at=clock.now()
    )

    page = desk(order, world.treasurer)

    assert states(order) == [("Order confirmation", expected)]
    assert expected in page
    assert "&lt;b&gt;no such mailbox&lt;/b&gt;" in page


def test_treasurer_sends_a_mail_again(world, order, mailoutbox):
    deliver()

    page = press(order, world.treasurer).content.decode()
    deliver()

    assert "“Order confirmation” is on its way once more." in page
    assert [mail.to for mail in mailoutbox] == [[order.email]] * 2
    assert len({mail.extra_headers["Message-ID"] for mail in mailoutbox}) == 2
    assert states(order) == [("Order confirmation", "Sent")] * 2
    entry = AuditEntry.objects.get(reason=mail_desk.SENT_AGAIN)
    assert (entry.row_id, entry.actor) == (order.pk, world.treasurer)
    assert "A mail was sent again" in desk(order, world.treasurer)


def test_mail_is_not_sent_again_twice_within_half_a_minute(world, order, mailoutbox):
    deliver()
    press(order, world.treasurer)
    page = press(order, world.treasurer).content.decode()
    deliver()

    assert "This mail was sent again just now." in page
    assert len(mailoutbox) == 2

    first = SentMail.objects.order_by("pk").first()
    with clock_moved(timedelta(seconds=mail_desk.AGAIN_SECONDS + 1)):
        press(order, world.treasurer, first.public_id)
        deliver()
    assert len(mailoutbox) == 3


def test_mail_that_was_given_up_is_sent_again(world, order, mailoutbox):
    Effect.objects.filter(order=order).update(state="dead", tries=30, last_error="OSError")

    press(order, world.treasurer, Effect.objects.get(order=order).public_id)
    deliver()

    assert len(mailoutbox) == 1
    assert ("Order confirmation", "Sent") in states(order)


def test_mail_that_waits_is_not_sent_again(world, order):
    page = press(order, world.treasurer, Effect.objects.get(order=order).public_id).content.decode()

    assert "This mail waits to be sent already." in page
    assert Effect.objects.filter(order=order).count() == 1


def test_mail_that_is_not_true_any_more_is_not_sent_again(world, order, mailoutbox):
    deliver()
    Order.objects.filter(pk=order.pk).update(state="refunded")

    page = press(order, world.treasurer).content.decode()

    assert "is not true any more" in page
    assert not Effect.objects.filter(payload__again=True).exists()


def test_reminder_to_who_complained_is_not_sent_again(world):
    order = held(world)
    mail = SentMail.objects.create(
        order=order, name="your_turn", payload={"name": "your_turn"}, to=order.email, subject="x", sent_at=clock.now()
    )
    troubles.note("msg_1", "complained", provider_id="x", address=order.email, detail="", at=clock.now())

    assert "marked our mail as spam" in press(order, world.treasurer, mail.public_id).content.decode()


def test_mail_of_a_plugin_that_is_gone_is_listed_and_stays(world, order):
    mail = SentMail.objects.create(order=order, name="old_one", to="a@b.c", subject="Old", sent_at=clock.now())

    listed = next(row for row in mail_desk.of(order) if row.public_id == mail.public_id)

    assert (listed.what, listed.can_send_again) == ("old_one", False)
    assert "cannot be written any more" in press(order, world.treasurer, mail.public_id).content.decode()


def test_only_who_keeps_the_books_may_send_again(world, order):
    deliver()
    other = make_world("Facklan")

    answers = {
        name: press(order, person).status_code
        for name, person in {
            "editor": world.editor,
            "door": world.door,
            "other treasurer": other.treasurer,
            "buyer": factories.user(),
            "treasurer": world.treasurer,
        }.items()
    }

    assert answers == {"editor": 404, "door": 403, "other treasurer": 404, "buyer": 403, "treasurer": 200}
    assert Effect.objects.filter(payload__again=True).count() == 1


def test_mail_of_another_order_cannot_be_named(world, order):
    deliver()
    foreign = sell(make_world("Facklan"))
    deliver()

    assert press(order, world.treasurer, SentMail.objects.get(order=foreign).public_id).status_code == 404
    assert press(order, world.treasurer, uuid4()).status_code == 404


@pytest.mark.parametrize("number", [1, 3])
def test_list_takes_three_queries_however_many_mails(order, number, django_assert_num_queries):
    deliver()
    first = SentMail.objects.get()
    for copy in range(number - 1):
        SentMail.objects.create(order=order, name=first.name, to="x", subject="x", sent_at=clock.now(), provider_id="x")
        with transaction.atomic():
            mails.hold_expired([order.pk]) if copy == 0 else mails.send_again(order, {"name": "order_confirmation"})
    fresh = Order.objects.select_related("event").get(pk=order.pk)

    with django_assert_num_queries(3):
        assert len(mail_desk.of(fresh)) == 1 + 2 * (number - 1)


def test_press_belongs_to_whoever_is_a_treasurer_of_that_organisation(world, order):
    deliver()
    member = factories.user()
    member.groups.add(make_world("Facklan").organisation.treasurers)
    assert tenancy.organisation_ids(member)

    assert press(order, member).status_code == 404
