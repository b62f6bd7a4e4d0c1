"""What a treasurer sees of resale, and takes along: listings, sales, fees and what sellers are owed, event by event."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.events import tenancy
from apps.events.tenancy import Role
from apps.resale import desk
from apps.resale.models import Listing, ResaleRule, WaitingRule
from apps.ticketing import refunds
from apps.ticketing.models import Refund
from tests import factories
from tests.resale import houses
from tests.tenancy.world import member

pytestmark = pytest.mark.django_db


@pytest.fixture
def event() -> Any:
    event = factories.event(organisation=tenancy.create_organisation("Lyktan"))
    ResaleRule.objects.create(event=event, fee_minor=1_000)
    return event


@pytest.fixture
def sold(event: Any) -> Listing:
    """A ticket sold again, whose seller's card is gone."""
    kind = factories.ticket_type(event, factories.quota(event))
    order = houses.pay(factories.reserved_order(1, of=kind))
    listing = houses.listed(houses.ticket_of(order))
    houses.bought(listing)
    refund = Refund.objects.get()
    told: dict[str, Any] = {"kind": "refund", "our_id": str(refund.public_id), "reference": ""}
    refunds.settle(factories.notice(refund.payment, "failed", **told), provider=refund.payment.provider)
    return listing


def at_desk(event: Any, role: Role) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(member(event.organisation, role))
    return client


def page(client: Client, address: str) -> str:
    return client.get(address, follow=True).content.decode().replace("\u00a0", " ")


def test_treasurer_reads_the_sums_of_an_event_and_an_editor_does_not(event, sold):
    assert desk.sums(event) == {
        "asked_minor": 25_000,
        "fees_minor": 1_000,
        "owed_minor": 24_000,
        "debts": [Refund.objects.get()],
    }
    address = reverse("event_desk:edit", args=[event.public_id])
    told = page(at_desk(event, Role.EDITOR), address)

    assert "1 has been sold" in told
    assert "was kept as fees" not in told


def test_debt_is_sent_again_from_the_listing(event, sold):
    address = reverse("listing_desk:inspect", args=[sold.public_id])
    client = at_desk(event, Role.TREASURER)
    told = page(client, address)
    again = reverse("refund_task:again", args=[Refund.objects.get().public_id])
    assert "SEK 240 did not reach the seller" in told and again in told
    assert again not in page(at_desk(event, Role.EDITOR), address)

    client.post(again)

    assert Refund.objects.filter(retry_of__isnull=False).count() == 1
    assert again not in page(client, address)


@pytest.mark.parametrize(("desk_name", "rules"), [("resale_rule_desk", ResaleRule), ("waiting_rule_desk", WaitingRule)])
def test_second_rule_of_an_event_leads_to_the_first(event, desk_name, rules):
    rule, _made = rules.objects.get_or_create(event=event)
    client = at_desk(event, Role.EDITOR)
    add = f"{reverse(f'{desk_name}:add')}?event={event.public_id}"
    before = rules.objects.values().get()

    answers = [client.get(add), client.post(add, {"is_open": "", "answer_hours": "3", "hours_before_doors": "3"})]

    assert [answer["Location"] for answer in answers] == [reverse(f"{desk_name}:edit", args=[rule.public_id])] * 2
    assert rules.objects.values().get() == before


@pytest.mark.parametrize(("query", "number"), [("", 1), ("&payout_state=failed", 1), ("&payout_state=done", 0)])
def test_list_is_taken_along_with_how_the_money_stands(event, sold, query, number):
    listing_of_other = houses.listed(houses.sold_ticket())

    answer = at_desk(event, Role.TREASURER).get(f"{reverse('listing_desk:index')}?event={event.pk}{query}&export=csv")

    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))
    assert len(rows) == number
    assert all("failed" in row.values() and str(sold.public_id) in row.values() for row in rows)
    assert all(str(listing_of_other.public_id) not in row.values() for row in rows)


def sent_again(refund: Refund) -> None:
    refunds.send_again(refund)


def sent_again_and_arrived(refund: Refund) -> None:
    again = refunds.send_again(refund)
    told: dict[str, Any] = {"kind": "refund", "our_id": str(again.public_id), "reference": ""}
    refunds.settle(factories.notice(again.payment, "done", **told), provider=again.payment.provider)


def paid_otherwise(refund: Refund) -> None:
    refunds.pay_otherwise(refund, note="Swish to Kim, 3 December")


def covered(minor: int) -> Any:
    return lambda refund: Refund.objects.filter(pk=refund.pk).update(covered_minor=minor)


@pytest.mark.parametrize(
    ("settle", "stands", "owed_minor", "words"),
    [
        pytest.param(lambda refund: None, "failed", 24_000, "Did not arrive: still owed (SEK 240)", id="owed"),
        pytest.param(covered(4_000), "failed", 20_000, "Did not arrive: still owed (SEK 200)", id="partly-covered"),
        pytest.param(covered(24_000), "sent_by_bank", 0, "the payer&#x27;s bank has sent the money", id="covered"),
        pytest.param(paid_otherwise, "paid_otherwise", 0, "Did not arrive; paid otherwise", id="paid-otherwise"),
        pytest.param(sent_again, "ordered", 0, "ordered", id="sent-again"),
        pytest.param(sent_again_and_arrived, "done", 0, "done", id="sent-again-and-arrived"),
    ],
)
def test_desk_tells_what_is_still_owed_from_what_is_settled(event, sold, settle, stands, owed_minor, words):
    settle(Refund.objects.get())
    client, index = at_desk(event, Role.TREASURER), reverse("listing_desk:index")

    def exported(query: str) -> list[dict[str, str]]:
        answer = client.get(f"{index}?event={event.pk}{query}&export=csv")
        return list(csv.DictReader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))

    (row,) = exported("")
    assert (stands in row.values(), row["Still owed, in öre or cents"]) == (True, str(owed_minor))
    assert len(exported("&payout_state=failed")) == (stands == "failed")
    assert len(exported(f"&payout_state={stands}")) == 1
    assert words in page(client, index)
    assert words in page(client, reverse("listing_desk:inspect", args=[sold.public_id]))


def test_how_a_debt_was_paid_is_read_by_treasurers_alone(event, sold):
    paid_otherwise(Refund.objects.get())
    address = reverse("listing_desk:inspect", args=[sold.public_id])

    told = {role: "Swish to Kim" in page(at_desk(event, role), address) for role in (Role.TREASURER, Role.EDITOR)}

    assert told == {Role.TREASURER: True, Role.EDITOR: False}


def test_list_asks_as_much_for_three_tickets_as_for_one(event, sold):
    client, index = at_desk(event, Role.TREASURER), f"{reverse('listing_desk:index')}?event={event.pk}"
    page(client, index)

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert client.get(index).status_code == 200
        return len(asked)

    one = queries()
    for _number in range(2):
        houses.bought(houses.listed(houses.sold_ticket(of=sold.ticket.ticket_type)))

    assert queries() == one
