"""What buyers and the desk put right: name, address, a mail that did not arrive; and what ends with an old address."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from apps.checkin import scans
from apps.ticketing import (
    addresses,
    corrections,
    credentials,
    event_face,
    invariants,
    mail_desk,
    mails,
    ordering,
    outbox,
    queue,
    resending,
    visitors,
)
from apps.ticketing.models import AuditEntry, Effect, Order, SentMail, Ticket
from apps.ticketing.payments import settle
from tests import factories
from tests.clock import clock_moved
from tests.tenancy.world import make_world, sell
from tests.ticketing.test_order_page import address, said_on

pytestmark = pytest.mark.django_db

OLD, NEW = "alva@exmaple.org", "alva@example.org"
DOCUMENT = {"Sec-Fetch-Dest": "document"}


@pytest.fixture(autouse=True)
def english(settings: LazySettings) -> None:
    settings.LANGUAGE_CODE = "en"
    event_face.forget()


def bought(number: int = 1, *, email: str = OLD, user: Any = None) -> Order:
    """A paid order of Alva's with its tickets."""
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event))
    placed = factories.order(event, factories.wanted(kind, number), email=email, user=user, locale="en")
    queue.drain(event.pk)
    Order.objects.filter(pk=placed.pk).update(name="Alva Ek")
    due = factories.payment(fresh(placed))
    settle.settle(factories.notice(due), provider=due.provider)
    return fresh(placed)


@pytest.fixture
def order() -> Order:
    found = bought(2)
    outbox.run_all(kinds=[mails.KIND], early=True)
    mail.outbox.clear()
    return found


def bought_here(client: Client, order: Order) -> None:
    """Give the browser the cookie of whoever placed the order."""
    from django.http import HttpResponse

    response = HttpResponse()
    visitors.remember(response, order.event, order)
    client.cookies.update(response.cookies)


def repair(client: Client, order: Order, **data: str) -> Any:
    return client.post(address(order, "order_repair"), data)


def fresh(order: Order) -> Order:
    return Order.objects.select_related("event").get(pk=order.pk)


def test_an_address_is_corrected_from_the_buying_browser(client: Client, order: Order) -> None:
    bought_here(client, order)
    before = {ticket.pk: (ticket, credentials.sign(ticket)) for ticket in Ticket.objects.select_related("event")}
    links = [address(order)] + [
        reverse("ticketing:ticket", args=[ticket.public_id, ticket.secret]) for ticket, _code in before.values()
    ]

    answer = repair(client, order, what="email", email=f" {NEW} ")

    now = fresh(order)
    assert (now.email, now.buyer_key) == (NEW, ordering.buyer_key(None, NEW))
    assert answer.status_code == 303 and answer["Location"] == f"{address(now)}?done=email"
    assert f"Everything goes to {NEW} now" in said_on(client.get(answer["Location"]))
    assert [client.get(link).status_code for link in links] == [404, 404, 404]
    for ticket in Ticket.objects.all():
        old, code = before[ticket.pk]
        assert (ticket.holder_email, ticket.state) == (NEW, "valid")
        assert ticket.credential_version == old.credential_version + 1
        assert ticket.short_code != old.short_code
        assert credentials.verify(code).version < ticket.credential_version  # the door refuses it: checkin.scans
    outbox.run_all(kinds=[mails.KIND], early=True)
    told = {message.recipients()[0]: message for message in mail.outbox}
    assert sorted(told) == [NEW, OLD]
    assert now.secret in str(told[NEW].body) and "The tickets are yours!" in str(told[NEW].body)
    assert now.secret not in str(told[OLD].body) and NEW not in str(told[OLD].body)
    assert "do not work any more" in str(told[OLD].body)
    assert SentMail.objects.filter(payload__has_key="to").count() == 0
    assert AuditEntry.objects.filter(row_id=order.pk, reason=corrections.ADDRESS_CORRECTED).count() == 1
    assert invariants.check() == []
    # The browser that corrected knows its order still, and may put it right once more.
    assert repair(client, now, what="email", email="alva.ek@example.org").status_code == 303


def test_the_old_code_does_not_open_the_door(order: Order) -> None:
    ticket = Ticket.objects.select_related("event").order_by("pk")[0]
    code = credentials.sign(ticket)

    corrections.correct_address(order, NEW)

    with pytest.raises(scans.NotCredible):
        scans._insist_on(credentials.verify(code).version, [Ticket.objects.get(pk=ticket.pk)])  # type: ignore[list-item]


def test_the_word_to_the_old_address_is_sent_there_again_and_nowhere_else(order: Order) -> None:
    corrections.correct_address(order, NEW)
    outbox.run_all(kinds=[mails.KIND], early=True)
    told = SentMail.objects.get(name="address_corrected")
    mail.outbox.clear()

    mail_desk.send_again(fresh(order), told.public_id, actor=None)
    outbox.run_all(kinds=[mails.KIND], early=True)

    assert [message.recipients() for message in mail.outbox] == [[OLD]]
    assert {shown.to for shown in mail_desk.of(fresh(order)) if shown.what.startswith("To the former")} == {OLD}
    SentMail.objects.filter(name="address_corrected").update(to="")  # forgotten with everything that is over
    with pytest.raises(mail_desk.Again), clock_moved(timedelta(minutes=2)):
        mail_desk.send_again(fresh(order), told.public_id, actor=None)


def test_of_two_corrections_by_one_link_the_second_is_refused(order: Order) -> None:
    stale = fresh(order)
    corrections.correct_address(order, NEW)

    with pytest.raises(corrections.NotCorrected, match="this link has ended"):
        corrections.correct_address(stale, "thief@example.org")

    assert fresh(order).email == NEW


@pytest.mark.parametrize("who", ["a link alone", "a cookie made from the link", "another order's cookie"])
def test_a_link_alone_changes_no_address(client: Client, order: Order, who: str) -> None:
    other = bought(email="bo@example.org")
    if who == "a cookie made from the link":
        client.cookies[visitors.cookie_of(order.event.public_id)] = f"{order.reference}.{order.secret}"
    elif who == "another order's cookie":
        bought_here(client, other)

    page, answer = client.get(address(order, "order_repair")), repair(client, order, what="email", email=NEW)

    assert 'name="email"' not in page.content.decode()
    assert answer.status_code == 422 and "Only the browser that bought can change this" in said_on(answer)
    assert (fresh(order).email, fresh(order).secret) == (OLD, order.secret)


def test_an_address_that_is_read_is_confirmed_and_left_to_the_desk(client: Client, order: Order) -> None:
    bought_here(client, order)
    link = mails.order_url(order)

    client.get(f"{address(order)}?mail=wrong", headers=DOCUMENT)
    client.get(link)  # a mail server that looks at links before their reader does
    client.head(link, headers=DOCUMENT)
    assert not addresses.is_confirmed(fresh(order))

    Client().get(link, headers=DOCUMENT)

    assert addresses.is_confirmed(fresh(order))
    answer = repair(client, order, what="email", email=NEW)
    assert answer.status_code == 422 and "so it is in use" in said_on(answer)
    corrections.correct_address(order, NEW, by_desk=True)
    assert fresh(order).email == NEW and not addresses.is_confirmed(fresh(order))


def test_the_proved_address_of_the_account_counts_as_confirmed() -> None:
    from allauth.account.models import EmailAddress

    person = factories.user(email="alva@example.org")
    order = bought(email="Alva@example.org", user=person)
    assert not addresses.is_confirmed(order)

    EmailAddress.objects.create(user=person, email="alva@example.org", verified=True)

    assert addresses.is_confirmed(order)


@pytest.mark.parametrize(
    ("email", "sentence"),
    [
        ("", "Write an e-mail address"),
        ("alva", "Write an e-mail address"),
        ("a" * 250 + "@example.org", "Write an e-mail address"),
        (OLD.upper(), "That is the address it has already"),
        ("bo@example.org\r\nBcc: all@example.org", "Write an e-mail address"),
    ],
)
def test_an_address_that_cannot_be_used_changes_nothing(
    client: Client, order: Order, email: str, sentence: str
) -> None:
    bought_here(client, order)

    answer = repair(client, order, what="email", email=email)

    assert answer.status_code == 422 and sentence in said_on(answer)
    assert fresh(order).secret == order.secret and not Effect.objects.filter(payload__name="address_corrected").exists()


def test_a_place_in_line_keeps_its_rank_and_one_per_person(client: Client) -> None:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 1))
    factories.order(event, factories.wanted(kind), email="first@example.org")
    queue.drain(event.pk)
    waits = factories.order(event, factories.wanted(kind), email=OLD, locale="en")
    factories.order(event, factories.wanted(kind), email="taken@example.org")
    queue.drain(event.pk)
    waits.refresh_from_db()
    bought_here(client, waits)

    taken = repair(client, waits, what="email", email="taken@example.org")
    answer = repair(client, waits, what="email", email=NEW)

    assert taken.status_code == 422 and "it is one place each" in said_on(taken)
    now = fresh(waits)
    assert answer.status_code == 303
    assert (now.state, now.rank, now.email) == ("waiting", waits.rank, NEW)
    outbox.run_all(kinds=[mails.KIND], early=True)
    assert [message.subject for message in mail.outbox if message.recipients() == [NEW]] != []


def test_nothing_is_corrected_while_a_bank_holds_the_page_s_address(client: Client) -> None:
    order = factories.reserved_order(1)
    factories.payment(order)
    bought_here(client, order)

    answer = repair(client, order, what="email", email=NEW)

    assert answer.status_code == 422 and "A payment is under way" in said_on(answer)
    with pytest.raises(corrections.NotCorrected):
        corrections.correct_address(order, NEW, by_desk=True)
    assert fresh(order).secret == order.secret


def test_a_buyer_corrects_three_times_at_most(client: Client, order: Order) -> None:
    bought_here(client, order)
    for number in range(3):
        assert repair(client, fresh(order), what="email", email=f"alva{number}@example.org").status_code == 303

    answer = repair(client, fresh(order), what="email", email=NEW)

    assert answer.status_code == 422 and "several times already" in said_on(answer)


def test_the_name_is_corrected_with_the_tickets_that_bear_it(client: Client, order: Order) -> None:
    first, second = Ticket.objects.order_by("pk")
    Ticket.objects.filter(pk=second.pk).update(holder_name="Bo Ek")

    answer = repair(client, order, what="name", name=" Alva\u0000  Eklund ")

    assert answer.status_code == 303 and "The name is Alva Eklund now." in said_on(client.get(answer["Location"]))
    assert fresh(order).name == "Alva Eklund"
    assert list(Ticket.objects.order_by("pk").values_list("holder_name", flat=True)) == ["Alva Eklund", "Bo Ek"]
    assert first.holder_name == "Alva Ek"


def test_a_personal_ticket_keeps_its_name_unless_the_desk_asks(client: Client, order: Order) -> None:
    order.lines.all()[0].ticket_type.__class__.objects.update(needs_id=True)

    answer = repair(client, order, what="name", name="Bo Ek")

    assert answer.status_code == 422 and "personal" in said_on(answer)
    assert fresh(order).name == "Alva Ek"
    corrections.correct_name(order, "Bo Ek", by_desk=True)
    assert set(Ticket.objects.values_list("holder_name", flat=True)) == {"Bo Ek"}


def test_the_tickets_are_mailed_again_now_and_then(client: Client, order: Order) -> None:
    answer, at_once = repair(client, order, what="mail"), repair(client, order, what="mail")

    assert answer.status_code == 303 and f"On its way to {OLD} once more." in said_on(client.get(answer["Location"]))
    assert at_once.status_code == 422 and "It was sent just now" in said_on(at_once)
    outbox.run_all(kinds=[mails.KIND], early=True)
    assert [message.recipients() for message in mail.outbox] == [[OLD]]
    for number in range(1, resending.A_DAY):
        with clock_moved(timedelta(minutes=2 * number)):
            assert repair(client, order, what="mail").status_code == 303
    with clock_moved(timedelta(minutes=20)):
        assert "several times today" in said_on(repair(client, order, what="mail"))
    with clock_moved(timedelta(days=1, minutes=21)):
        assert repair(client, order, what="mail").status_code == 303


def test_the_desk_corrects_what_it_may_see() -> None:
    world, other = make_world("A"), make_world("B")
    order = sell(world, email=OLD)
    treasurer, stranger, client = world.treasurer, other.treasurer, Client(headers={"accept-language": "en"})
    at_desk = reverse("order_desk:repair", args=[order.public_id])

    client.force_login(stranger)
    assert client.post(at_desk, {"email": NEW}).status_code == 404
    client.force_login(treasurer)
    inspected = client.get(reverse("order_desk:inspect", args=[order.public_id]))
    wrong = client.post(at_desk, {"email": "nobody"}, follow=True)
    right = client.post(at_desk, {"email": NEW}, follow=True)
    named = client.post(at_desk, {"name": "Alva Eklund"}, follow=True)

    assert "address not confirmed" in said_on(inspected)
    assert "Nothing was changed" in said_on(wrong)
    assert f"Everything goes to {NEW} now" in said_on(right) and "The name was corrected" in said_on(named)
    assert (fresh(order).email, fresh(order).name) == (NEW, "Alva Eklund")
    assert set(AuditEntry.objects.filter(actor=treasurer).values_list("reason", flat=True)) == {
        corrections.ADDRESS_CORRECTED,
        corrections.NAME_CORRECTED,
    }


def test_placing_an_order_makes_its_browser_the_buying_one(client: Client) -> None:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event))
    with override("en"):
        form = reverse("ticketing:form", args=[event.public_id])
    data = {f"type-{kind.public_id}": "1", "email": OLD, "idempotency_key": "a" * 20}

    client.post(form, data)

    placed = Order.objects.get()
    page = client.get(address(placed, "order_repair"))
    assert 'name="email"' in page.content.decode()
    assert 'name="email"' not in Client().get(address(placed, "order_repair")).content.decode()
