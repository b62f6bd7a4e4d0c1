"""The treasurer's desk for refunds, what is to do there, and the organiser's desk for the rule."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from apps.ticketing import changes, payouts, refund_rule, refunds, tickets
from apps.ticketing.models import AuditEntry, Order, Refund, RefundRule, Ticket
from tests import factories, mould
from tests.tenancy.world import World, make_world, sell
from tests.ticketing.test_refund_pages import hidden, shown

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return mould.cast(make_world, "Lyktan")


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with override("en"):
        yield


@pytest.fixture(autouse=True)
def promises(promises_kept: None) -> None:
    """Every test here ends with all promises kept."""


@pytest.fixture
def order(world: World) -> Order:
    bought = factories.order(world.event, factories.wanted(world.kind, 2, (world.choice, 1)))
    Order.objects.filter(pk=bought.pk).update(name="Kim Karlsson")
    factories.queue.drain(world.event.pk)
    bought.refresh_from_db()
    due = factories.payment(bought)
    factories.settle.settle(factories.notice(due), provider=due.provider)
    bought.refresh_from_db()
    return bought


@pytest.fixture
def treasurer(world: World) -> Client:
    browser = Client(headers={"accept-language": "en"})
    browser.force_login(world.treasurer)
    return browser


@pytest.fixture
def editor(world: World) -> Client:
    browser = Client(headers={"accept-language": "en"})
    browser.force_login(world.editor)
    return browser


def address(order: Order) -> str:
    return reverse("order_desk:refund", args=[order.public_id])


def fail(refund: Refund) -> Refund:
    told = factories.notice(refund.payment, "failed", kind="refund", our_id=str(refund.public_id), reference="")
    refunds.settle(told, provider="sandbox")
    refund.refresh_from_db()
    return refund


def sent_form(order: Order, **values: Any) -> dict[str, Any]:
    lines = [str(line.public_id) for line in order.lines.all()]
    return {"what": "tickets", "tickets": lines[:1], "fee": "none", "note": "Broke her leg", **values}


# --- Refunds of an order ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fee", "back_minor"), [("none", 50_000), ("rule", 46_000)])
def test_treasurer_refunds_the_whole_order_with_a_reason(world, order, treasurer, fee, back_minor):
    RefundRule.objects.create(event=world.event, at=order.decided_at, kind="hours", hours_before=24, fee_minor=2_000)
    lines = [str(line.public_id) for line in order.lines.all()]
    assert address(order) in treasurer.get(reverse("order_desk:inspect", args=[order.public_id])).content.decode()

    question = treasurer.post(address(order), sent_form(order, tickets=lines, fee=fee))
    assert (question.status_code, Refund.objects.count()) == (200, 0)
    treasurer.post(address(order), hidden(question))

    refund = Refund.objects.get()
    order.refresh_from_db()
    assert (order.state, refund.amount_minor, refund.note) == ("refunded", back_minor, "Broke her leg")
    entries = AuditEntry.objects.filter(actor=world.treasurer).values_list("model", "reason")
    assert set(entries) == {
        ("ticketing.refund", "Broke her leg"),
        ("ticketing.order", "refunded_by_organiser"),
        ("ticketing.ticket", "refunded_by_organiser"),
    }
    page = shown(treasurer.get(reverse("order_desk:inspect", args=[order.public_id])))
    assert "On its way, 5–10 bank days" in page
    assert "Refunded at the desk" in page


def test_the_desk_shows_no_vat_where_none_is_in_the_price(order, treasurer):
    address_of_order = reverse("order_desk:inspect", args=[order.public_id])
    assert "(25 %)" in shown(treasurer.get(address_of_order))

    order.lines.update(vat_percent=0, vat_minor=0)

    assert "(0 %)" not in shown(treasurer.get(address_of_order))


def test_treasurer_refunds_one_ticket_that_was_used(world, order, treasurer):
    line = order.lines.first()
    tickets.use(Ticket.objects.get(line=line))

    assert "(used)" in shown(treasurer.get(address(order)))
    treasurer.post(address(order), hidden(treasurer.post(address(order), sent_form(order))))

    assert (Refund.objects.get().amount_minor, Ticket.objects.get(line=line).state) == (25_000, "revoked")


def test_treasurer_gives_a_part_back(world, order, treasurer):
    line = order.lines.first()
    form = {"what": "part", "ticket": str(line.public_id), "amount_minor": "49,50", "note": "Cold soup"}

    question = treasurer.post(address(order), form)
    assert "Stays valid" in shown(question)
    treasurer.post(address(order), hidden(question))

    line.refresh_from_db()
    assert (line.given_back_minor, Refund.objects.get().note, Ticket.objects.filter(state="valid").count()) == (
        4_950, "Cold soup", 2,
    )  # fmt: skip
    assert "49.50 of it given back" in shown(treasurer.get(reverse("order_desk:inspect", args=[order.public_id])))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"note": ""}, "Say why"),
        ({"tickets": []}, "Choose at least one ticket."),
        ({"tickets": ["nonsense"]}, "is not one of the available choices"),
        ({"what": "part", "ticket": "", "amount_minor": "10"}, "Choose a ticket."),
        ({"what": "part", "amount_minor": "1000"}, "is left of this ticket"),
        ({"what": "part", "amount_minor": "0"}, "Write an amount above 0."),
        ({"what": "part", "amount_minor": "-5"}, "below zero"),
    ],
)
def test_form_says_what_is_wrong(order, treasurer, values, says):
    line = str(order.lines.first().public_id)
    sent = sent_form(order, ticket=line) | values

    response = treasurer.post(address(order), sent)

    assert response.status_code == 422
    assert says in shown(response)
    assert Refund.objects.count() == 0


def test_question_that_is_out_of_date_is_asked_anew(order, treasurer):
    line = order.lines.first()
    question = hidden(treasurer.post(address(order), sent_form(order)))
    refunds.give_back(order, line, 1_000, note="x")

    response = treasurer.post(address(order), question)

    assert (response.status_code, Refund.objects.count()) == (409, 1)
    assert "The sums have changed since you looked. No money has moved." in shown(response)
    treasurer.post(address(order), hidden(response))
    assert sorted(Refund.objects.values_list("amount_minor", flat=True)) == [1_000, 24_000]

    again = treasurer.post(address(order), hidden(response))
    assert (again.status_code, Refund.objects.count()) == (409, 2)


def test_what_was_paid_for_choices_is_refunded_with_its_ticket_alone(world, order, treasurer):
    wine = factories.choice(factories.variation(order.lines.first().ticket_type, kind="many"), delta_minor=10_000)
    wanted = {world.choice.pk: 1, wine.pk: 1}
    paid_more = changes.begin(order, Ticket.objects.filter(line__order=order)[0], wanted, agreed_minor=10_000)
    factories.settle.settle(factories.notice(factories.payment(paid_more)), provider="sandbox")

    page = treasurer.get(address(paid_more)).content.decode()
    refused = treasurer.post(address(paid_more), sent_form(paid_more))

    assert address(order) in page and 'value="tickets"' not in page and 'value="part"' in page
    assert (refused.status_code, Refund.objects.count()) == (409, 0)
    assert "with the ticket alone" in refused.content.decode()


def test_order_of_another_association_is_not_there(order):
    stranger = Client()
    stranger.force_login(make_world("Sexsidan").treasurer)

    assert stranger.post(address(order), sent_form(order)).status_code == 404
    assert Refund.objects.count() == 0


# --- What is to do ---------------------------------------------------------------------------------------------------


def test_treasurer_reads_that_a_disputed_order_is_not_refunded(order, treasurer):
    told = factories.notice(order.payments.get(), "opened", kind="dispute", reference="dispute-1")
    factories.settle.settle(told, provider="sandbox")
    asked = sent_form(order)
    question = treasurer.post(address(order), asked)

    said = shown(treasurer.post(address(order), hidden(question), follow=True))

    assert "the payer's bank decides who gets the money" in said.replace("&#x27;", "'")
    assert not Refund.objects.exists()


@pytest.fixture
def failed(order: Order) -> Refund:
    refund = refunds.order_refund(order, order.lines.all()[:1], reason=refunds.BY_ORGANISER, note="ill")
    assert refund is not None
    return fail(refund)


def test_failed_refund_waits_in_the_list_and_on_the_dashboard(order, failed, treasurer, editor):
    listed = treasurer.get(reverse("refund_task:index"))

    assert re.search(r"SEK 250 to Kim Karlsson", shown(listed))
    assert f"Order {order.reference}" in shown(listed)
    assert "1 thing waits for you" in shown(treasurer.get(reverse("wagtailadmin_home")))
    assert "waits for you" not in shown(editor.get(reverse("wagtailadmin_home")))
    assert "still owed" in shown(treasurer.get(reverse("order_desk:inspect", args=[order.public_id])))


def test_treasurer_sends_it_again_once(order, failed, treasurer, world):
    address = reverse("refund_task:again", args=[failed.public_id])

    said = [shown(treasurer.post(address, follow=True)) for _ in range(2)]

    again = Refund.objects.get(retry_of=failed)
    assert "SEK 250 is on its way back" in said[0]
    assert "Somebody was faster" in said[1]
    assert "Nothing waits for you" in said[1]
    assert AuditEntry.objects.get(model="ticketing.refund", row_id=again.pk).actor == world.treasurer


def test_treasurer_notes_that_it_was_paid_otherwise(order, failed, treasurer):
    address = reverse("refund_task:otherwise", args=[failed.public_id])

    assert "Say how it was paid" in shown(treasurer.post(address, {"note": " "}))
    done = shown(treasurer.post(address, {"note": "Swish, 3 December"}, follow=True))

    assert "SEK 250 is noted as paid." in done
    assert "Swish, 3 December" in shown(treasurer.get(reverse("order_desk:inspect", args=[order.public_id])))
    assert treasurer.get(address)["Location"] == reverse("refund_task:index")


def test_treasurer_reads_to_which_account_it_is_paid(failed, treasurer, editor):
    address = reverse("refund_task:otherwise", args=[failed.public_id])
    assert "The buyer has been asked for an account." in shown(treasurer.get(reverse("refund_task:index")))
    payouts.give(failed, holder="Kim Karlsson", number="SE4550000000058398257466")

    said = [shown(treasurer.get(page)) for page in (reverse("refund_task:index"), address)]

    assert ["SE45 5000 0000 0583 9825 7466" in text for text in said] == [True, True]
    assert "SE45" not in shown(editor.get(address, follow=True))


def test_list_asks_as_much_for_three_tasks_as_for_one(world, treasurer, failed, django_assert_max_num_queries):
    for _ in range(2):
        bought = sell(world)
        fail(refunds.order_refund(bought, bought.lines.all(), reason=refunds.BY_ORGANISER))

    with django_assert_max_num_queries(25):
        assert shown(treasurer.get(reverse("refund_task:index"))).count("Send it again") == 3


# --- The rule --------------------------------------------------------------------------------------------------------


def rule_address(world: World) -> str:
    return f"{reverse('refund_rule_desk:add')}?event={world.event.public_id}"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"kind": "hours", "hours_before": "48", "fee_minor": "25", "fee_percent": "5"}, ("hours", 48, 2_500, 5)),
        ({"kind": "hours", "hours_before": "24", "fee_minor": "", "fee_percent": ""}, ("hours", 24, 0, 0)),
        ({"kind": "never", "hours_before": "24", "fee_minor": "25", "fee_percent": "5"}, ("never", None, 0, 0)),
    ],
)
def test_editor_makes_a_rule(world, editor, sent, kept):
    response = editor.post(rule_address(world), sent)

    rule = RefundRule.objects.get(event=world.event)
    assert response.status_code == 302
    assert (rule.kind, rule.hours_before, rule.fee_minor, rule.fee_percent) == kept
    assert rule.actor == world.editor
    desk = shown(editor.get(reverse("event_desk:edit", args=[world.event.public_id])))
    assert refund_rule.sentence(world.event).replace("\u00a0", " ") in desk


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"kind": "hours", "hours_before": ""}, "hours_before"),
        ({"kind": "hours", "hours_before": "0"}, "hours_before"),
        ({"kind": "moment", "until": ""}, "until"),
        ({"kind": "moment", "until": "2199-01-01 12:00"}, "until"),
        ({"kind": "hours", "hours_before": "24", "fee_percent": "101"}, "fee_percent"),
        ({"kind": "hours", "hours_before": "24", "fee_minor": "-1"}, "fee_minor"),
        ({"kind": "perhaps"}, "kind"),
    ],
)
def test_rule_that_says_nothing_is_refused(world, editor, sent, field):
    response = editor.post(rule_address(world), sent)

    assert list(response.context["form"].errors) == [field]
    assert not RefundRule.objects.exists()


def test_rule_of_another_association_cannot_be_made(world, editor):
    theirs = make_world("Sexsidan")

    assert editor.post(rule_address(theirs), {"kind": "never"}).status_code == 404
    assert not RefundRule.objects.exists()
