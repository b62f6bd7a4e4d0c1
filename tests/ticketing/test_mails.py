"""The mails: right words, right language, once, over a real mail server."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from embedded.mailbox import Mailbox

from apps.ticketing import clock, mails, ordering, outbox, presence, queue, refunds, reservations
from apps.ticketing.mails import letters, sending
from apps.ticketing.models import Effect, EventMove, Order, OrderLine, SentMail, Ticket
from apps.ticketing.payments import settle
from tests import factories
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def mail_server(tmp_path_factory):
    with Mailbox(tmp_path_factory.mktemp("mail")) as box:
        yield box


@pytest.fixture
def mailbox(mail_server, settings):
    """A real mail server on loopback, to which Django speaks SMTP, with nothing in it yet."""
    mail_server.clear()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mail_server.smtp_port
    settings.DEFAULT_FROM_EMAIL = "Foyer <tickets@foyer.example>"
    return mail_server


def deliver() -> None:
    outbox.run_all(kinds=[mails.KIND], early=True)


def bought(locale="sv", **values) -> Order:
    """A paid order of two dinners, one without alcohol, as in the pictures."""
    organisation = factories.organisation(
        name="Lyktan",
        legal_name="Festföreningen Lyktan",
        organisation_number="802999-0000",
        address="Campusvägen 3, Linköping",
        email="fest@lyktan.example",
        accent_colour="#0B3D91",
    )
    event = factories.event(
        organisation=organisation,
        title_sv="Luciasittning & sexa",
        title_en="Lucia dinner & supper",
        starts_at=datetime(2030, 12, 12, 17, 0, tzinfo=UTC),
        doors_at=datetime(2030, 12, 12, 16, 30, tzinfo=UTC),
        venue="Kårhuset Fyren",
        venue_address="Campusvägen 1",
    )
    dinner = factories.ticket_type(
        event, factories.quota(event), name_sv="Sittning", name_en="Dinner", price_minor=34_500, vat_percent=12
    )
    beverage = factories.variation(dinner)
    free = factories.choice(beverage, name_sv="Alkoholfritt", name_en="Alcohol-free", delta_minor=-6_000)
    beer = factories.choice(beverage, name_sv="Öl", name_en="Beer", delta_minor=0)
    wanted = [*factories.wanted(dinner, 1, (free, 1)), *factories.wanted(dinner, 1, (beer, 1))]
    order = factories.order(event, wanted, locale=locale, email="alva@student.example", **values)
    factories.queue.drain(event.pk)
    Order.objects.filter(pk=order.pk).update(name="Alva <Exempelsson>")
    order.refresh_from_db()
    due = factories.payment(order)
    settle.settle(factories.notice(due), provider="sandbox")
    order.refresh_from_db()
    return order


def test_confirmation_says_what_when_where_and_how_much(mailbox):
    order = bought()
    deliver()

    (mail,) = mailbox.messages()
    tickets = list(Ticket.objects.filter(line__order=order).order_by("line__position"))
    assert mail.subject.endswith("Luciasittning & sexa")
    assert (mail.recipients, mail.mail["Reply-To"]) == (["alva@student.example"], "fest@lyktan.example")
    assert mail.sender == "Lyktan · Foyer <tickets@foyer.example>"
    text = mail.text.replace("\u00a0", " ")
    for fact in (
        "Luciasittning & sexa",
        "12 december",
        "17.30",
        "18.00",
        "Kårhuset Fyren, Campusvägen 1",
        "Alkoholfritt −60 kr",
        "285 kr",
        "345 kr",
        "630 kr",
        "12 %: 67,50 kr",
        "Festföreningen Lyktan",
        "802999-0000",
        "Campusvägen 3, Linköping",
        "alva@student.example",
        order.reference,
        f"/sv/orders/{order.reference}/{order.secret}/",
    ):
        assert fact in text, fact
    for ticket in tickets:
        assert ticket.short_code in text
        assert f"http://localhost:8000/sv/tickets/{ticket.public_id}/{ticket.secret}/" in text


def test_confirmation_in_html_says_the_same_and_escapes_names(mailbox):
    order = bought()
    deliver()

    html = mailbox.messages()[0].html
    assert "Alva &lt;Exempelsson&gt;" in html
    assert "<Exempelsson>" not in html
    for ticket in Ticket.objects.filter(line__order=order):
        assert f"/sv/tickets/{ticket.public_id}/{ticket.secret}/" in html
    assert 'lang="sv"' in html
    assert "<script" not in html
    assert "#0B3D91" in html


def test_text_mail_is_not_escaped(mailbox):
    bought()
    deliver()

    assert "&amp;" not in mailbox.messages()[0].text
    assert "Alva <Exempelsson>" in mailbox.messages()[0].text


def test_mails_are_in_the_language_of_the_order(mailbox):
    bought(locale="en")
    deliver()

    (mail,) = mailbox.messages()
    assert mail.subject == "Your tickets to Lucia dinner & supper"
    text = mail.text.replace("\u00a0", " ")
    assert "Thursday 12 December" in text
    assert "Doors 17:30, starts 18:00" in text
    assert "Alcohol-free −SEK 60" in text
    assert "SEK 630 is paid." in text
    assert "of which VAT 12%: SEK 67.50" in text


def test_a_mail_is_noted_and_never_sent_again(mailbox):
    order = bought()
    deliver()
    effect = Effect.objects.get(kind=mails.KIND, payload__name="order_confirmation")

    Effect.objects.filter(pk=effect.pk).update(state="due", due_at=clock.now())
    deliver()

    sent = SentMail.objects.get(name="order_confirmation")
    assert len(mailbox.messages()) == 1
    assert (sent.order, sent.to, sent.message_id) == (order, order.email, mailbox.messages()[0].mail["Message-ID"])


def test_a_crash_between_handing_over_and_noting_sends_the_same_message_once_more(mailbox, monkeypatch):
    def crash(name):
        if name == "mail.handed_over":
            raise KeyboardInterrupt

    bought()
    effect = Effect.objects.get(kind=mails.KIND, payload__name="order_confirmation")
    with monkeypatch.context() as patched:
        patched.setattr(sending, "crashpoint", crash)
        with pytest.raises(KeyboardInterrupt):
            outbox.run(effect.pk)
    with clock_moved(timedelta(seconds=mails.LEASE_SECONDS + 1)):
        outbox.sweep()
        deliver()
        deliver()

    ids = [message.mail["Message-ID"] for message in mailbox.messages()]
    assert (len(ids), len(set(ids)), SentMail.objects.count()) == (2, 1, 1)
    assert re.fullmatch(r"<[0-9a-f]{40}@foyer\.example>", ids[0])


def test_a_mail_server_that_is_away_is_waited_for(mailbox, settings):
    settings.EMAIL_PORT = 9
    bought()

    deliver()

    effect = Effect.objects.get(payload__name="order_confirmation")
    assert (effect.state, effect.tries, SentMail.objects.count()) == ("due", 1, 0)


def test_a_confirmation_of_an_order_refunded_meanwhile_is_not_sent(mailbox):
    order = bought()
    refunds.order_refund(order, order.lines.all(), reason="cancelled_by_organiser")

    deliver()

    assert [mail.name for mail in SentMail.objects.all()] == ["refund_ordered"]


def test_refund_mail_names_the_sum_and_the_lines(mailbox):
    order = bought(locale="en")
    refunds.order_refund(order, order.lines.all()[:1], reason="refused")
    deliver()

    mail = next(one for one in mailbox.messages() if "on its way" in one.subject)
    assert mail.subject.replace("\u00a0", " ") == "SEK 285 is on its way back to you"
    assert "The tickets below are no longer valid." in mail.text
    assert "Dinner (Alcohol-free −SEK\u00a060): SEK\u00a0285" in mail.text


def test_late_money_mail_says_why(mailbox):
    order = factories.reserved_order(1, size=1)
    Order.objects.filter(pk=order.pk).update(locale="en")
    due = factories.payment(order, state="cancelled")
    with clock_moved(timedelta(minutes=16)):
        reservations.expire_overdue(clock.now())
    OrderLine.objects.filter(order=order).update(fulfilment="nobody")  # so that the place cannot be had again

    settle.settle(factories.notice(due), provider="sandbox")
    deliver()

    text = next(one.text for one in mailbox.messages() if "on its way" in one.subject)
    assert "came late and it was full" in text
    assert "Your tickets" not in text


def test_your_turn_is_written_to_those_who_do_not_watch(mailbox):
    order = factories.reserved_order(2)
    assert Effect.objects.get(payload__name="your_turn").due_at > clock.now()

    deliver()

    (mail,) = mailbox.messages()
    assert mail.recipients == [order.email]
    assert f"{order.reserved_until.astimezone(order.event.zone):%H.%M}" in mail.text
    assert f"/orders/{order.reference}/{order.secret}/" in mail.text


@pytest.mark.parametrize("language", ["sv", "en"])
def test_your_turn_says_when_payment_opens_as_long_as_that_is_to_come(mailbox, language):
    order = factories.reserved_order(2)
    opens = clock.now() + timedelta(minutes=10)
    until = opens + timedelta(minutes=15)
    Order.objects.filter(pk=order.pk).update(pays_from=opens, reserved_until=until, locale=language)

    deliver()

    (mail,) = mailbox.messages()
    zone, dot = order.event.zone, "." if language == "sv" else ":"
    moment, end = (f"{opens.astimezone(zone):%H.%M.%S}", f"{until.astimezone(zone):%H.%M}")
    said = "Payment opens for you at" if language == "en" else "Betalningen öppnar för dig kl."
    assert f"{said} {moment.replace('.', dot)}" in mail.text and end.replace(".", dot) in mail.text


def watching(order):
    presence.note(order, clock.now())


def paying(order):
    factories.payment(order)


def gone(order):
    Order.objects.filter(pk=order.pk).update(state="cancelled")


@pytest.mark.parametrize("meanwhile", [watching, paying, gone])
def test_your_turn_is_not_written_to_whoever_is(mailbox, meanwhile):
    order = factories.reserved_order()
    meanwhile(order)

    deliver()

    assert mailbox.messages() == []


def test_your_turn_is_written_to_who_waited_for_a_place_that_came_back(mailbox):
    holder = factories.reserved_order(size=1)
    kind = holder.lines.get().ticket_type
    waiting = factories.order(holder.event, factories.wanted(kind))
    queue.drain(holder.event_id)
    deliver()
    assert [mail.recipients for mail in mailbox.messages()] == [[holder.email]]

    ordering.cancel(holder)
    queue.drain(holder.event_id)  # nobody asks for it: the place goes to the next by itself
    deliver()

    waiting.refresh_from_db()
    assert waiting.state == "reserved"
    assert sorted(mail.recipients for mail in mailbox.messages()) == sorted([[holder.email], [waiting.email]])


def test_a_part_is_offered_by_mail(mailbox):
    order = factories.order(
        (event := factories.event()),
        factories.wanted(factories.ticket_type(event, factories.quota(event, 1)), 2),
        locale="en",
    )
    factories.queue.drain(event.pk)

    deliver()

    (mail,) = mailbox.messages(order.email)
    assert mail.subject == "You got 1 of 2 tickets to Lucia dinner"
    assert "Say before" in mail.text


def test_hold_expired_says_that_nothing_was_charged(mailbox):
    order = factories.reserved_order()
    Order.objects.filter(pk=order.pk).update(locale="en")
    Effect.objects.all().delete()
    with clock_moved(timedelta(minutes=16)):
        reservations.expire_overdue(clock.now())

        deliver()

    (mail,) = mailbox.messages()
    assert mail.subject == "Your place at Lucia dinner moved on"
    assert "Nothing was charged." in mail.text


def test_alerts_go_to_the_organiser(mailbox):
    order = factories.reserved_order()
    Order.objects.filter(pk=order.pk).update(locale="en")
    due = factories.payment(order)
    settle.settle(factories.notice(due, amount_minor=1_000), provider="sandbox")
    deliver()

    (alert,) = mailbox.messages("board@example.org")
    assert alert.subject == f"A payment for order {order.reference} was sent back"
    assert "The sum that came was not the one agreed." in alert.text


@pytest.mark.parametrize("name", sorted(letters.kinds))
def test_every_mail_has_a_page_and_a_text(name):
    from django.template.loader import get_template

    path = f"resale/mails/{name.removeprefix('resale_')}" if name.startswith("resale_") else f"ticketing/mails/{name}"
    assert get_template(f"{path}.html")
    assert get_template(f"{path}.txt")


# --- Mails for those who are away ----------------------------------------------------------------------------------


def subjects(mailbox) -> list[str]:
    return [message.subject for message in mailbox.messages()]


def declined(order, **values):
    """A payment of the order that the bank declined; the buyer stayed away."""
    Order.objects.filter(pk=order.pk).update(locale="en", terms_version="1")
    payment = factories.payment(order, **values)
    settle.settle(factories.notice(payment, "failed"), provider="sandbox")
    order.refresh_from_db()
    return payment


def test_payment_failed_is_written_to_who_did_not_come_back(mailbox):
    order = factories.reserved_order()
    declined(order)
    assert Effect.objects.get(payload__name="payment_failed").due_at > clock.now()

    deliver()

    (mail,) = mailbox.messages()
    assert mail.subject == "The payment for Lucia dinner did not go through"
    assert "Nothing was charged." in mail.text
    assert f"{order.reserved_until.astimezone(order.event.zone):%H:%M}" in mail.text
    assert f"/orders/{order.reference}/{order.secret}/" in mail.text


def came_back(order):
    presence.note(order, clock.now())


def tries_again(order):
    factories.payment(order)


def gave_up(order):
    Order.objects.filter(pk=order.pk).update(state="expired")


def has_no_time_left(order):
    Order.objects.filter(pk=order.pk).update(reserved_until=clock.now() + timedelta(seconds=10))


@pytest.mark.parametrize("meanwhile", [came_back, tries_again, gave_up, has_no_time_left])
def test_payment_failed_is_not_written_to_who(mailbox, meanwhile):
    order = factories.reserved_order()
    declined(order)
    meanwhile(order)

    deliver()

    assert mailbox.messages() == []


def test_payment_failed_is_written_to_who_looked_only_before_it(mailbox):
    order = factories.reserved_order()
    presence.note(order, clock.now() - timedelta(seconds=5))
    declined(order)

    deliver()

    assert subjects(mailbox) == ["The payment for Lucia dinner did not go through"]


def test_each_decline_is_asked_for_and_only_the_last_is_written(mailbox):
    order = factories.reserved_order()
    declined(order)
    declined(order)

    deliver()

    assert Effect.objects.filter(payload__name="payment_failed").count() == 2
    assert len(mailbox.messages()) == 1


def test_decline_of_an_order_that_is_over_is_nobodys_news():
    order = factories.reserved_order()
    payment = factories.payment(order)
    Order.objects.filter(pk=order.pk).update(state="cancelled")

    settle.settle(factories.notice(payment, "failed"), provider="sandbox")

    assert not Effect.objects.filter(payload__name="payment_failed").exists()


def near_the_end() -> Order:
    """An order held, in five minutes no more; its other mails are out of the way."""
    order = factories.reserved_order(2)
    Order.objects.filter(pk=order.pk).update(locale="en")
    Effect.objects.exclude(payload__name="hold_ends_soon").delete()
    order.refresh_from_db()
    return order


TEN_MINUTES = timedelta(minutes=10, seconds=1)


def test_hold_that_ends_soon_is_told_five_minutes_before(mailbox):
    order = near_the_end()
    reminder = Effect.objects.get()
    assert order.reserved_until is not None
    assert reminder.due_at == order.reserved_until - timedelta(minutes=5)

    with clock_moved(TEN_MINUTES):
        outbox.run_all(kinds=[mails.KIND])

    (mail,) = mailbox.messages()
    until = f"{order.reserved_until.astimezone(order.event.zone):%H:%M}"
    assert mail.subject == f"Your place at Lucia dinner is yours until {until}"
    assert f"Your 2 places are held until {until}" in mail.text


def paid_meanwhile(order):
    Order.objects.filter(pk=order.pk).update(state="paid", paid_at=clock.now())


def bank_has_it(order):
    factories.payment(order, state="processing")


def on_the_page(order):
    presence.note(order, clock.now())


@pytest.mark.parametrize("meanwhile", [paid_meanwhile, gone, bank_has_it, on_the_page])
def test_hold_that_ends_soon_is_not_told_to_who(mailbox, meanwhile):
    order = near_the_end()
    meanwhile(order)

    with clock_moved(TEN_MINUTES):
        outbox.run_all(kinds=[mails.KIND])

    assert mailbox.messages() == []
    assert Effect.objects.get().state == "done"


def test_hold_that_was_extended_is_told_later(mailbox):
    order = near_the_end()
    reservations.extend(order)

    with clock_moved(TEN_MINUTES):
        outbox.run_all(kinds=[mails.KIND])
    assert mailbox.messages() == []
    assert order.reserved_until is not None
    assert abs(Effect.objects.get().due_at - (order.reserved_until - timedelta(minutes=5))) < timedelta(seconds=5)

    with clock_moved(TEN_MINUTES + timedelta(minutes=5)):
        outbox.run_all(kinds=[mails.KIND])
    assert len(mailbox.messages()) == 1


def test_hold_that_is_over_is_not_said_to_end_soon(mailbox):
    near_the_end()

    with clock_moved(timedelta(minutes=14, seconds=45)):
        outbox.run_all(kinds=[mails.KIND])

    assert mailbox.messages() == []


def test_taken_offer_is_reminded_of_as_well():
    event = factories.event()
    order = factories.order(event, factories.wanted(factories.ticket_type(event, factories.quota(event, 1)), 2))
    factories.queue.drain(event.pk)
    assert not Effect.objects.filter(payload__name="hold_ends_soon").exists()

    reservations.accept_offer(order)

    order.refresh_from_db()
    assert order.reserved_until is not None
    assert Effect.objects.get(payload__name="hold_ends_soon").due_at == order.reserved_until - timedelta(minutes=5)


# --- An event that changes -----------------------------------------------------------------------------------------


def audience(number: int = 3):
    """An event with that many paid orders, and one each that is held, expired and refunded."""
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 20))
    paid = [factories.reserved_order(of=kind) for _ in range(number)]
    for order in paid:
        settle.settle(factories.notice(factories.payment(order)), provider="sandbox")
    factories.reserved_order(of=kind)
    expired, refunded = factories.reserved_order(of=kind), factories.reserved_order(of=kind)
    Order.objects.filter(pk=expired.pk).update(state="expired")
    Order.objects.filter(pk=refunded.pk).update(state="refunded", paid_at=clock.now())
    Effect.objects.all().delete()
    return event, paid


def moved(event, number):
    at = clock.now()
    return EventMove.objects.create(
        event=event,
        was={"venue": "Elsewhere"},
        answer_by=at + timedelta(days=7),
        remind_at=at + timedelta(days=5),
        announced_at=at,
    ), [order.pk for order in Order.objects.filter(event=event, state="paid")[:number]]


@pytest.mark.parametrize("number", [1, 3])
def test_many_are_told_in_as_many_queries_as_one(number, django_assert_num_queries):
    event, _paid = audience(number)
    move, ids = moved(event, number)

    with transaction.atomic(), django_assert_num_queries(3):  # the effects, the time, tickets given to others
        mails.event_moved(move, ids)
        mails.gift_letters.event_moved(move)

    assert Effect.objects.count() == number


def test_many_mails_at_once_are_left_to_the_sweeper(monkeypatch):
    event, _paid = audience(2)
    rung = []
    monkeypatch.setattr("apps.ticketing.jobs.ring", lambda *arguments, **values: rung.append(arguments))

    with transaction.atomic():
        mails.event_moved(*moved(event, 2))

    assert rung == []


def test_cancellation_tells_what_each_gets_back(mailbox):
    event, (first, second) = audience(2)
    Order.objects.update(locale="en")
    OrderLine.objects.filter(order=second).update(price_minor=0)

    with transaction.atomic():
        mails.event_cancelled(event)
        refunds.order_refund(first, first.lines.all(), reason="cancelled_by_organiser")
    outbox.run_all(kinds=[mails.KIND])

    texts = {
        message.recipients[0]: message.text for message in mailbox.messages() if message.subject.endswith("cancelled")
    }
    assert set(texts) == {first.email, second.email}
    assert "All SEK\u00a0250 goes back the way it was paid and arrives" in texts[first.email]
    assert "You have paid nothing and need do nothing." in texts[second.email]


def test_failed_refund_is_told_as_a_debt(mailbox):
    order = bought(locale="en")
    refund = refunds.order_refund(order, order.lines.all()[:1], reason="refused")
    deliver()
    refunds.settle(
        factories.notice(refund.payment, "failed", kind="refund", our_id=str(refund.public_id), reference="refund-1"),
        provider="sandbox",
    )
    deliver()

    owed = next(message for message in mailbox.messages(order.email) if "did not reach you" in message.subject)
    assert owed.subject.replace("\u00a0", " ") == "SEK 285 did not reach you"
    assert "We owe it to you" in owed.text
    assert [message.subject for message in mailbox.messages("fest@lyktan.example")] == [
        f"A refund for order {order.reference} failed"
    ]


def test_mail_to_an_order_whose_buyer_was_erased_goes_nowhere(mailbox):
    order = near_the_end()
    Order.objects.filter(pk=order.pk).update(email="")

    with clock_moved(TEN_MINUTES):
        outbox.run_all(kinds=[mails.KIND])

    assert (mailbox.messages(), Effect.objects.get().state) == ([], "done")
