"""What a treasurer sees of resale, and takes along: listings, sales, fees and what sellers are owed, event by event."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.events import tenancy
from apps.events.tenancy import Role
from apps.resale import desk, listings
from apps.resale.models import Listing, ResaleRule, WaitingRule
from apps.ticketing import outbox, refunds
from apps.ticketing.models import AuditEntry, Refund
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


def test_list_leads_to_each_listing(event, sold):
    listed = page(at_desk(event, Role.EDITOR), reverse("listing_desk:index"))

    assert f'href="{reverse("listing_desk:inspect", args=[sold.public_id])}"' in listed


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


def seen(listing: Listing, **values: Any) -> dict[str, Any]:
    """What the form that changes this listing sends along: how the listing stood."""
    return {
        "listing": str(listing.public_id),
        "version": str(listing.version),
        "seen_minor": str(listing.asked_minor),
        "seen_who": "friend" if listing.is_private else "anybody",
        **values,
    }


@pytest.fixture
def offered(event: Any) -> Listing:
    """A ticket for sale, for 250 kr."""
    kind = factories.ticket_type(event, factories.quota(event))
    return houses.listed(houses.ticket_of(houses.pay(factories.reserved_order(1, of=kind))))


def facts(listing: Listing) -> tuple[Any, ...]:
    listing.refresh_from_db()
    return listing.asked_minor, listing.fee_minor, listing.is_private, listing.version


def test_treasurer_changes_a_sale_after_seeing_what_comes_back_and_its_owner_is_told(event, offered):
    client, address = at_desk(event, Role.TREASURER), reverse("listing_desk:change", args=[offered.public_id])
    inspect = page(client, reverse("listing_desk:inspect", args=[offered.public_id]))
    assert address in inspect and 'name="payout"' not in inspect
    wanted = seen(offered, price="200", who="friend")

    asked = client.post(address, wanted).content.decode().replace("\u00a0", " ")
    assert 'name="payout" value="19000"' in asked and "SEK 190" in asked
    assert facts(offered) == (25_000, 1_000, False, 1)

    done = client.post(address, {**wanted, "payout": "19000"})
    assert done["Location"] == reverse("listing_desk:inspect", args=[offered.public_id])
    assert facts(offered) == (20_000, 1_000, True, 2)
    (entry,) = AuditEntry.objects.filter(model="resale.listing", row_id=offered.pk)
    assert (entry.old, entry.new, entry.actor_id) == ("open", "open", int(client.session["_auth_user_id"]))
    assert entry.reason == "listing_changed_by_organiser: 25000 SEK -> 20000 SEK, by link"

    assert client.post(address, {**wanted, "payout": "19000"}).status_code == 302  # pressed twice
    assert facts(offered) == (20_000, 1_000, True, 2)
    mail.outbox.clear()
    outbox.run_all(kinds=["mail.send"])
    changed = [letter for letter in mail.outbox if "har ändrat försäljningen" in str(letter.body)]
    assert [letter.to for letter in changed] == [[offered.ticket.holder_email]]
    assert "190\xa0kr" in str(changed[0].body)


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        pytest.param({"price": "251"}, 422, "never sold for more than was paid", id="above"),
        pytest.param({"price": "251", "payout": "25000"}, 409, "never sold for more than was paid", id="above-at-once"),
        pytest.param({"price": "0"}, 422, "Ask for more than nothing", id="nothing"),
        pytest.param({"price": "10"}, 422, "The fee would be all that comes back", id="fee-eats-all"),
        pytest.param({"price": ""}, 422, "Write for how much you sell it", id="empty"),
        pytest.param({"price": "abc"}, 422, "Write the amount in figures", id="no-sum"),
        pytest.param({"price": "200", "payout": "24000"}, 409, "something else comes back", id="not-seen"),
        pytest.param({"price": "200", "payout": "19000", "who": ""}, 422, "required", id="for-whom"),
        pytest.param({"price": "200", "payout": "19000", "version": "0"}, 409, "was changed", id="stale"),
    ],
)
def test_change_that_is_refused_says_why_and_changes_nothing(event, offered, sent, status, words):
    client, address = at_desk(event, Role.TREASURER), reverse("listing_desk:change", args=[offered.public_id])

    answer = client.post(address, seen(offered, who="anybody", **sent) if "who" not in sent else seen(offered, **sent))

    assert (answer.status_code, words in answer.content.decode()) == (status, True)
    assert facts(offered) == (25_000, 1_000, False, 1)
    assert not AuditEntry.objects.filter(model="resale.listing").exists()


def test_change_of_another_moment_is_told_what_its_seller_changed_meanwhile(event, offered):
    client, address = at_desk(event, Role.TREASURER), reverse("listing_desk:change", args=[offered.public_id])
    wanted = seen(offered, price="200", who="anybody", payout="19000")
    listings.change(offered, version=1, asked_minor=24_000, agreed_payout_minor=23_000, is_private=False)

    answer = client.post(address, wanted)

    told = answer.content.decode().replace("\u00a0", " ")
    assert (answer.status_code, "The price was changed from SEK 250 to SEK 240." in told) == (409, True)
    assert facts(offered) == (24_000, 1_000, False, 2)


@pytest.mark.parametrize("becomes", ["held", "sold"])
def test_ticket_that_somebody_buys_is_not_changed(event, offered, becomes):
    client, address = at_desk(event, Role.TREASURER), reverse("listing_desk:change", args=[offered.public_id])
    wanted = seen(offered, price="200", who="anybody", payout="19000")
    order = houses.ordered(offered)
    if becomes == "sold":
        houses.pay(order)
    words = {"held": "Somebody is buying the ticket at this moment", "sold": "The ticket is sold already"}[becomes]

    answers = [client.post(address, wanted), client.get(address)]

    assert [(answer.status_code, words in answer.content.decode()) for answer in answers] == [(409, True), (200, True)]
    assert all('name="price"' not in answer.content.decode() for answer in answers)
    assert facts(offered)[0] == 25_000
    assert address not in page(client, reverse("listing_desk:inspect", args=[offered.public_id]))


def test_editor_changes_no_sale(event, offered):
    client, address = at_desk(event, Role.EDITOR), reverse("listing_desk:change", args=[offered.public_id])
    wanted = seen(offered, price="200", who="anybody", payout="19000")

    assert [client.get(address).status_code, client.post(address, wanted).status_code] == [403, 403]
    assert facts(offered) == (25_000, 1_000, False, 1)
    assert address not in page(client, reverse("listing_desk:inspect", args=[offered.public_id]))


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
