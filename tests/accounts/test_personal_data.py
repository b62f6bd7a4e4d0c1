"""Taking one's data along and having it erased."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client

from apps.accounts import personal_data
from apps.accounts.extensions import personal_data as holders
from apps.accounts.models import User
from apps.accounts.personal_data import erase, export
from apps.events.models import Event
from apps.ticketing import clock
from apps.ticketing.models import AuditEntry, LineChoice, Order, OrderLine, Payment, SentMail, Ticket
from tests import factories

CANARY = "zebulon"


@pytest.fixture
def zebulon(db: None) -> User:
    user = factories.user(email=f"{CANARY}@example.org", name="Zebulon Pike", locale="en")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    EmailAddress.objects.create(user=user, email=f"{CANARY}.pike@example.org", verified=True)
    EmailAddress.objects.create(user=user, email="not-his@example.org", verified=False)
    user.groups.add(Group.objects.create(name="Door"))
    return user


def buy(event: Event, user: User | None, email: str) -> Ticket:
    """One paid ticket with everything that names a person filled in."""
    kind = factories.ticket_type(event, name_sv="Sittning", name_en="Dinner")
    allergy = factories.choice(factories.variation(kind), name_sv="Nötter", name_en="Nuts", is_sensitive=True)
    now = clock.now()
    order = Order.objects.create(
        organisation=event.organisation,
        event=event,
        currency="SEK",
        idempotency_key=f"privacy-{Order.objects.count()}",
        buyer_key="k" * 64,
        user=user,
        email=email,
        name="Zebulon Pike",
        tokens=["ZEBULON10"],
        state="paid",
        rank=1,
        queued_at=now,
        paid_at=now,
        total_minor=25_000,
    )
    line = OrderLine.objects.create(
        order=order, position=0, ticket_type=kind, is_held=True, price_minor=25_000, guest_name="Zebulon Pike",
        not_given={"sv": ["Zebulon är inte känd som medlem."], "en": ["Zebulon is not known as a member."]},
    )  # fmt: skip
    LineChoice.objects.create(line=line, choice=allergy)
    Payment.objects.create(
        order=order, provider="sandbox", provider_reference=order.reference, amount_minor=25_000, currency="SEK",
        state="captured", created_at=now, captured_at=now, paid_with="Visa ···· 4242",
    )  # fmt: skip
    SentMail.objects.create(order=order, name="confirmation", to=email, subject="Zebulon, your tickets", sent_at=now)
    return Ticket.objects.create(
        event=event, ticket_type=kind, line=line, owner=user, holder_name="Zebulon Pike", holder_email=email,
        issued_at=now,
    )  # fmt: skip


def past_event(**values: Any) -> Event:
    return factories.event(starts_at=datetime.now(UTC) - timedelta(days=10), **values)


def rows_that_say(word: str) -> dict[str, int]:
    """{table: rows} in the whole database in which `word` stands, in any case."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT count(*) FROM "{table}" row WHERE row::text ILIKE %s', [f"%{word}%"])
            (number,) = cursor.fetchone()
            if number:
                found[table] = number
    return found


def test_export_holds_what_each_app_holds_as_json(zebulon: User) -> None:
    mine = buy(past_event(), zebulon, zebulon.email)
    as_guest = buy(past_event(), None, f"{CANARY.upper()}.Pike@example.org")
    buy(past_event(), None, "not-his@example.org")
    buy(past_event(), factories.user(), "somebody@example.org")

    data = json.loads(json.dumps(export(zebulon)))

    assert {"accounts", "ticketing"} <= set(data)
    assert (data["accounts"]["name"], data["accounts"]["groups"]) == ("Zebulon Pike", ["Door"])
    assert [row["email"] for row in data["accounts"]["email_addresses"] if row["verified"]] == [
        "zebulon@example.org",
        "zebulon.pike@example.org",
    ]
    assert [order["reference"] for order in data["ticketing"]["orders"]] == [
        mine.line.order.reference,
        as_guest.line.order.reference,
    ]
    first = data["ticketing"]["orders"][0]
    assert (first["total_minor"], first["currency"], first["codes"]) == (25_000, "SEK", ["ZEBULON10"])
    assert first["lines"][0]["guest_name"] == "Zebulon Pike"
    assert first["lines"][0]["choices"][0]["quantity"] == 1
    assert first["lines"][0]["did_not_apply"] == ["Zebulon är inte känd som medlem."]
    assert first["payments"][0]["amount_minor"] == 25_000
    assert first["payments"][0]["paid_with"] == "Visa ···· 4242"
    assert [ticket["short_code"] for ticket in data["ticketing"]["tickets"]] == [mine.short_code, as_guest.short_code]
    assert len(data["ticketing"]["mails"]) == 2


def test_export_asks_the_same_number_of_questions_however_much_there_is(
    zebulon: User, django_assert_max_num_queries
) -> None:
    for _ in range(2):
        buy(past_event(), zebulon, zebulon.email)
    with django_assert_max_num_queries(25) as two:
        export(zebulon)
    for _ in range(4):
        buy(past_event(), zebulon, zebulon.email)

    with django_assert_max_num_queries(25) as six:
        export(zebulon)

    assert len(six) == len(two)


def test_erase_leaves_no_name_of_what_is_over(zebulon: User) -> None:
    ticket = buy(past_event(), zebulon, zebulon.email)
    guest = buy(past_event(), None, f"{CANARY}.pike@example.org")
    AuditEntry.objects.create(
        model="ticketing.ticket", row_id=ticket.pk, old="valid", new="used", actor=zebulon, at=clock.now()
    )
    assert len(rows_that_say(CANARY)) >= 6  # there is something to forget

    erase(zebulon)

    assert rows_that_say(CANARY) == {}
    assert LineChoice.objects.count() == 0  # what told about health
    for kept in (ticket, guest):
        order = Order.objects.get(pk=kept.line.order_id)
        assert (order.total_minor, order.email, order.name, order.buyer_key, order.user) == (25_000, "", "", "", None)
        assert order.payments.get().paid_with == ""
        assert order.payments.get().provider_reference == order.reference  # the books go on to agree
    assert AuditEntry.objects.filter(actor=zebulon).count() == 1  # one actor, without a name


def test_erase_keeps_what_is_still_to_be_delivered(zebulon: User) -> None:
    ticket = buy(factories.event(), zebulon, zebulon.email)

    erase(zebulon)

    ticket.refresh_from_db()
    assert (ticket.owner, ticket.holder_name, ticket.state) == (None, "Zebulon Pike", "valid")
    order = Order.objects.get(pk=ticket.line.order_id)
    assert (order.user, order.email) == (None, "zebulon@example.org")


def test_erase_touches_nobody_else(zebulon: User) -> None:
    other = factories.user(name="Other")
    theirs = buy(past_event(), other, other.email)
    unproved = buy(past_event(), None, "not-his@example.org")

    erase(zebulon)

    theirs.refresh_from_db()
    unproved.refresh_from_db()
    assert (theirs.owner, theirs.holder_email, unproved.holder_email) == (other, other.email, "not-his@example.org")


def test_erased_account_is_signed_out_and_cannot_return(zebulon: User, client: Client) -> None:
    client.force_login(zebulon)
    assert client.get("/my/").status_code == 200

    erase(zebulon)

    assert client.get("/my/").status_code == 302
    zebulon.refresh_from_db()
    assert (zebulon.is_active, zebulon.has_usable_password(), zebulon.groups.count()) == (False, False, 0)
    assert (zebulon.name, zebulon.locale, zebulon.last_login) == ("", "", None)
    again = factories.user(email=f"{CANARY}@example.org")  # the address is free for a new beginning
    assert again.pk != zebulon.pk


def test_erase_is_whole_or_not_at_all(zebulon: User) -> None:
    ticket = buy(past_event(), zebulon, zebulon.email)

    class Stubborn:
        slug = "stubborn"

        def export(self, user: User) -> dict[str, Any]:
            return {}

        def erase(self, user: User) -> None:
            raise RuntimeError("not now")

    with holders.temporarily(Stubborn()), pytest.raises(RuntimeError):
        erase(zebulon)

    ticket.refresh_from_db()
    zebulon.refresh_from_db()
    assert (ticket.holder_name, zebulon.name, zebulon.is_active) == ("Zebulon Pike", "Zebulon Pike", True)


def test_account_is_erased_last(zebulon: User) -> None:
    """Others find what is theirs by the account's proved addresses, so those must still stand."""
    seen: list[list[str]] = []

    class Late:
        slug = "late"

        def export(self, user: User) -> dict[str, Any]:
            return {}

        def erase(self, user: User) -> None:
            seen.append(personal_data.verified_emails(user))

    with holders.temporarily(Late()):
        erase(zebulon)

    assert seen == [["zebulon.pike@example.org", "zebulon@example.org"]]
