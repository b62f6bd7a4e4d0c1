"""Finding tickets by an address: the same answer for every address, one mail to the address alone, and limits."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.conf import LazySettings
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import override

from apps.ticketing import event_face, finding, outbox, queue
from apps.ticketing.models import Effect, Order
from tests import factories
from tests.clock import clock_moved
from tests.ticketing.test_order_page import said_on
from tests.ticketing.test_self_service import bought

pytestmark = pytest.mark.django_db
ALVA = "alva@example.org"


@pytest.fixture(autouse=True)
def english(settings: LazySettings) -> None:
    settings.LANGUAGE_CODE = "en"
    cache.clear()
    event_face.forget()


def find(client: Client, email: str, **headers: Any) -> Any:
    with override("en"):
        return client.post(reverse("ticketing:find_orders"), {"email": email}, **headers)


def work() -> None:
    mail.outbox.clear()
    outbox.run_all(kinds=[finding.KIND], early=True)


def shape(response: Any) -> str:
    """The page without what is new in each: the address that was typed, and tokens."""
    return re.sub(r"[a-z]+@example\.org|[0-9a-f]{16,}", "…", response.content.decode())


def test_all_links_of_an_address_are_mailed_there_and_nowhere_else(client: Client) -> None:
    first, second = bought(email=ALVA), bought(email="Alva@Example.org")
    bought(email="bo@example.org")
    waits = factories.order(first.event, factories.wanted(first.lines.all()[0].ticket_type), email=ALVA)

    answer = find(client, ALVA)
    assert mail.outbox == [] or all(ALVA not in message.recipients() for message in mail.outbox)
    work()

    assert answer.status_code == 200 and "Look in your e-mail" in said_on(answer)
    [message] = mail.outbox
    assert message.recipients() == [ALVA]
    assert {order.reference for order in Order.objects.all() if order.secret in str(message.body)} == {
        first.reference,
        second.reference,
        waits.reference,
    }
    assert str(message.body).count("?mail=") == 3 and "Paid" not in str(message.subject)
    assert Effect.objects.get(kind=finding.KIND).payload == {}  # the address is not kept


def test_the_answer_is_the_same_for_an_address_nobody_knows(client: Client) -> None:
    bought(email=ALVA)
    find(client, "warm@example.org")

    answers, counts = [], []
    for email in (ALVA, "nobody@example.org"):
        with CaptureQueriesContext(connection) as queries:
            answers.append(find(client, email))
        counts.append(len(queries))
    work()

    assert counts[0] == counts[1] <= 4  # what the page does does not depend on what is known
    assert shape(answers[0]) == shape(answers[1])
    assert [message.recipients() for message in mail.outbox] == [[ALVA]]


def test_an_address_is_written_to_once_in_ten_minutes_and_five_times_a_day(client: Client) -> None:
    bought(email=ALVA)

    sent = []
    for minutes in (0, 1, 11, 22, 33, 44, 55, 66, 24 * 60 + 70):
        with clock_moved(timedelta(minutes=minutes)):
            assert find(client, ALVA).status_code == 200
            work()
            sent.append(len(mail.outbox))

    assert (sum(sent[:8]), sent[-1]) == (5, 1)
    assert sent[0] == 1


def test_where_somebody_asks_from_is_counted_high(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "ASKED_FROM_ONE_PLACE", 3)

    answers = [find(client, f"x{number}@example.org", REMOTE_ADDR="192.0.2.7") for number in range(4)]
    elsewhere = find(client, "y@example.org", REMOTE_ADDR="192.0.2.8")

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429] and answers[-1]["Retry-After"]
    assert elsewhere.status_code == 200
    assert Effect.objects.filter(kind=finding.KIND).count() == 4


@pytest.mark.parametrize("email", ["", "alva", "a" * 300 + "@example.org", "alva@example.org\r\nBcc: x@example.org"])
def test_what_is_no_address_gets_a_sentence(client: Client, email: str) -> None:
    answer = find(client, email)

    assert answer.status_code == 422 and "e-mail address" in said_on(answer)
    assert not Effect.objects.filter(kind=finding.KIND).exists()


def test_what_is_long_over_is_not_found(client: Client) -> None:
    old = bought(email=ALVA)
    old.event.__class__.objects.filter(pk=old.event_id).update(
        starts_at=old.event.starts_at - timedelta(days=4000), ends_at=old.event.ends_at - timedelta(days=4000)
    )

    find(client, ALVA)
    work()

    assert mail.outbox == []


def test_an_account_shows_what_was_bought_as_a_guest_under_its_proved_address(client: Client) -> None:
    person, stranger = factories.user(email=ALVA), factories.user(email="bo@example.org")
    EmailAddress.objects.create(user=person, email=ALVA, verified=True, primary=True)
    EmailAddress.objects.create(user=stranger, email="Alva+x@example.org", verified=False, primary=True)
    as_guest, own = bought(email="Alva@example.org"), bought(email=ALVA, user=person)
    tagged = bought(email="alva+tag@example.org")  # counts as the same person, and may be another mailbox
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 1))
    held = factories.order(event, factories.wanted(kind), email=ALVA)
    queue.drain(event.pk)

    client.force_login(person)
    page = client.get(reverse("accounts:my_pages"))
    client.force_login(stranger)
    theirs = client.get(reverse("accounts:my_pages")).content.decode()

    shown = page.content.decode()
    assert [order.secret in shown for order in (as_guest, own, held, tagged)] == [True, True, True, False]
    assert [order.secret in theirs for order in (as_guest, own, held, tagged)] == [False] * 4
    assert shown.count("/tickets/") >= 2  # the tickets of both
    assert "Held for payment" in said_on(page) and "Paid" in said_on(page)
