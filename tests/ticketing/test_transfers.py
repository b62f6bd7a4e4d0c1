"""Money that buyers send themselves: chosen at checkout, held for days, approved, late, too much, paid back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from apps.events.models import Event, Organisation
from apps.ticketing import (
    bank_parts,
    catalogue,
    clock,
    corrections,
    invariants,
    ledger,
    moves,
    outbox,
    payments,
    publish_guard,
    queue,
    refunds,
    reservations,
    transfers,
)
from apps.ticketing.account_numbers import is_checked
from apps.ticketing.models import (
    AuditEntry,
    BankRow,
    Effect,
    Entry,
    EventMove,
    Order,
    Payment,
    Refund,
    RefundRule,
    Ticket,
    TransferAccount,
)
from apps.ticketing.payments import manual
from apps.ticketing.visitors import address_of
from tests import factories, mould
from tests.clock import clock_moved
from tests.tenancy.world import World, make_world

pytestmark = pytest.mark.django_db

PRICE = 25_000
HOUSE = "Transfers"


@pytest.fixture(autouse=True)
def english(settings: Any) -> Iterator[None]:
    settings.LANGUAGE_CODE = "en"
    with override("en"):
        yield


@pytest.fixture
def world() -> World:
    made = mould.cast(make_world, "Lyktan")
    TransferAccount.objects.create(
        organisation=made.organisation,
        offers_transfer=True,
        bankgiro="9912346",
        offers_swish=True,
        swish_number="1234567890",
        offers_invoice=True,
        days=10,
    )
    return made


@pytest.fixture
def order(world: World) -> Order:
    return reserve(world)


def reserve(world: World, **values: Any) -> Order:
    placed = factories.order(world.event, factories.wanted(world.kind, 1, (world.choice, 1)), locale="en", **values)
    queue.drain(world.event.pk)
    placed.refresh_from_db()
    return placed


def choose(order: Order, slug: str = manual.TRANSFER) -> Payment:
    """The buyer chooses to send the money themselves, as the page does it."""
    payment = payments.start(order, slug, "https://example.org/")
    assert payment is not None
    payment = payments.open(payment)
    order.refresh_from_db()
    return payment


def let_days_pass(days: float) -> Any:
    return clock_moved(timedelta(days=days))


def sweep() -> None:
    """What the house does by itself every few seconds, often enough to come to rest."""
    for _ in range(3):
        payments.close_overdue()
        outbox.run_all()
        reservations.expire_overdue(clock.now())
    outbox.run_all()


def state_of(order: Order) -> str:
    order.refresh_from_db()
    return order.state


def subjects() -> list[str]:
    return [str(message.subject) for message in mail.outbox]


def browser(person: Any) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person)
    return client


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", response.content.decode().replace("\u00a0", " "))


# --- The buyer -----------------------------------------------------------------------------------------------------


def test_a_buyer_who_sends_the_money_has_days_a_reference_and_clear_words(client: Client, order: Order) -> None:
    page = address_of(order)
    form = {"name": "Kim", "terms": "on", "provider": manual.SWISH}

    answer = client.post(reverse("ticketing:order_pay", args=[order.reference, order.secret]), form)
    shown = text_of(client.get(page))
    payment = Payment.objects.get(order=order)
    order.refresh_from_db()
    outbox.run_all()

    assert answer.headers["Location"] == page
    assert (payment.provider, payment.state, payment.amount_minor) == (manual.SWISH, "action_needed", PRICE)
    assert len(payment.provider_reference) == 9 and is_checked(payment.provider_reference)
    until = order.reserved_until.astimezone(ZoneInfo("Europe/Stockholm"))  # type: ignore[union-attr]
    today = payment.created_at.astimezone(ZoneInfo("Europe/Stockholm")).date()
    assert (until.date() - today, until.hour, until.minute) == (timedelta(days=10), 23, 59)
    link = f"https://app.swish.nu/1/p/sw/?sw=1234567890&amp;amt=250&amp;cur=SEK&amp;msg={payment.provider_reference}"
    assert all(word in shown for word in (payment.provider_reference, "123 456 78 90", "SEK 250", link, "<svg"))
    assert "Nothing has been charged" in shown and "hold-bar" not in shown
    (letter,) = mail.outbox
    assert str(letter.subject).startswith("How to pay for Party Lyktan, by ")
    assert payment.provider_reference in str(letter.body) and "123 456 78 90" in str(letter.body)
    assert "hold_ends_soon" not in {effect.payload.get("name") for effect in Effect.objects.filter(state="done")}


def test_each_way_tells_what_its_form_needs(order: Order, client: Client) -> None:
    choose(order)
    transfer = text_of(client.get(address_of(order)))
    other = text_of(client.get(address_of(order) + "?other=1"))
    choose(order, manual.INVOICE)
    invoice = text_of(client.get(address_of(order)))

    assert "991-2346" in transfer and "Reference (OCR)" in transfer
    assert "Bank transfer" in other and "Invoice" in other and 'name="terms"' in other
    assert "sends the invoice to" in invoice and "991-2346" not in invoice


def test_a_page_that_died_before_the_reference_was_made_shows_it_a_moment_later(client: Client, order: Order) -> None:
    payments.start(order, manual.TRANSFER, "https://example.org/")

    before = text_of(client.get(address_of(order)))
    for seconds in (20, 40):  # the mail waits for the reference, too
        with clock_moved(timedelta(seconds=seconds)):
            outbox.run_all()
            after = text_of(client.get(address_of(order)))

    reference = Payment.objects.get(order=order).provider_reference
    assert "Your reference is being made." in before and "991-2346" not in before
    assert reference in after and "991-2346" in after
    assert reference in str(mail.outbox[0].body)


def test_nobody_can_say_by_a_notice_that_money_has_come(client: Client, order: Order) -> None:
    payment = choose(order)
    told = {"kind": "payment", "reference": payment.provider_reference, "state": "captured"}

    answer = client.post(reverse("webhook", args=[manual.TRANSFER]), told, content_type="application/json")

    assert answer.status_code == 400
    assert state_of(order) == "reserved"


def test_changing_to_and_fro_gives_nobody_more_days(order: Order) -> None:
    choose(order)
    promised = order.reserved_until
    with let_days_pass(3):
        card = payments.start(order, "sandbox", "https://example.org/")
        order.refresh_from_db()
        back_to_minutes = order.reserved_until - clock.now()  # type: ignore[operator]
        choose(order, manual.SWISH)

    assert card is not None and card.provider == "sandbox"
    assert timedelta(minutes=14) < back_to_minutes <= timedelta(minutes=15)
    assert order.reserved_until == promised
    assert Payment.objects.filter(order=order, state="action_needed").count() == 1


@pytest.mark.parametrize("days_before", [0.5, 3])
def test_it_is_offered_by_whoever_ticked_it_and_while_money_comes_in_time(world: World, days_before: float) -> None:
    stranger = factories.event()
    Event.objects.filter(pk=world.event.pk).update(starts_at=clock.now() + timedelta(days=days_before))
    world.event.refresh_from_db()

    offered = {provider.slug for provider in payments.available("SEK", world.event)}
    elsewhere = {provider.slug for provider in payments.available("SEK", stranger)}

    own = {manual.TRANSFER, manual.SWISH, manual.INVOICE}
    assert offered & own == (own if days_before > 1 else set())
    assert elsewhere & own == set()


def test_an_organisation_without_cards_may_publish_once_it_says_where_money_goes(world: World, settings: Any) -> None:
    sandbox = payments.base.payment_providers.get("sandbox")
    world.organisation.refresh_from_db()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(sandbox), "is_available", lambda self, currency: False)
        with_account = publish_guard.problems(world.event, clock.now())
        TransferAccount.objects.all().delete()
        without = publish_guard.problems(world.event, clock.now())

    assert [problem.sentence for problem in without if problem not in with_account] == [
        "Something costs money, but there is no way to pay in SEK. Ask whoever runs the site."
    ]


def test_a_day_before_the_deadline_is_reminded_of_once_and_never_when_it_is_paid(world: World, order: Order) -> None:
    paid = reserve(world)
    for one in (order, paid):
        choose(one)
    approve(paid, world)
    outbox.run_all()
    mail.outbox.clear()

    with let_days_pass(7.5):
        outbox.run_all()
        too_early = subjects()
    with let_days_pass(9):
        for _ in range(2):
            outbox.run_all()

    assert too_early == []
    assert [subject[:27] for subject in subjects()] == ["Your places at Party Lyktan"]
    assert mail.outbox[0].to == [order.email]


def test_after_the_deadline_the_place_goes_on_and_the_buyer_is_told(client: Client, world: World, order: Order) -> None:
    choose(order)
    outbox.run_all()
    mail.outbox.clear()

    with let_days_pass(9.5):
        sweep()
        before = state_of(order)
    with let_days_pass(11):
        at_once = text_of(client.get(address_of(order)))
        sweep()
        page = text_of(client.get(address_of(order)))

    assert before == "reserved"
    assert state_of(order) == "expired"
    assert Payment.objects.get(order=order).state == "cancelled"
    world.quota.refresh_from_db()
    assert world.quota.taken == 0
    assert "The bank has not answered" not in at_once
    assert "Did you send the money already?" in at_once and "Did you send the money already?" in page
    assert subjects()[-1] == "Your place at Party Lyktan moved on"
    assert "Do not send any money now" in str(mail.outbox[-1].body)
    assert invariants.check() == []


# --- The treasurer -------------------------------------------------------------------------------------------------


def approve(order: Order, world: World, received_minor: int = PRICE, **values: Any) -> transfers.Approved:
    payment = Payment.objects.filter(manual.IS_MANUAL, order=order).latest("pk")
    return transfers.approve(payment, received_minor=received_minor, actor=world.treasurer, **values)


def test_a_treasurer_approves_with_one_button_and_the_books_know_who(world: World, order: Order) -> None:
    payment = choose(order)
    desk = browser(world.treasurer)
    url = reverse("transfer_desk:inspect", args=[payment.public_id])

    listed = text_of(desk.get(reverse("transfer_desk:index"), {"q": " ".join(payment.provider_reference)}))
    shown = text_of(desk.get(url))
    first = text_of(desk.post(url, {"received_minor": "250", "do": "approve"}, follow=True))
    again = text_of(desk.post(url, {"received_minor": "250", "do": "approve"}, follow=True))

    assert payment.provider_reference in listed and "Waits for money" in listed
    assert 'value="250"' in shown and "Approve: the money has come" in shown
    assert f"{order.reference} is paid, and its tickets are on their way." in first
    assert "treasurers Lyktan did this already" in again and "Nothing was done again." in again
    assert state_of(order) == "paid" and Ticket.objects.filter(line__order=order).count() == 1
    entry = AuditEntry.objects.get(model="ticketing.payment", row_id=payment.pk, new="captured")
    assert entry.actor == world.treasurer
    assert ledger.balance(Entry.Account.CLEARING, order=order) == PRICE
    outbox.run_all()
    assert "Your tickets to Party Lyktan" in subjects()
    assert invariants.check() == []


def test_a_large_sum_is_approved_by_hand(world: World) -> None:
    type(world.kind).objects.filter(pk=world.kind.pk).update(price_minor=10_000_000)
    type(world.choice).objects.filter(pk=world.choice.pk).update(delta_minor=5_000_000)
    catalogue.forget()
    order = reserve(world)
    payment = choose(order)

    url = reverse("transfer_desk:inspect", args=[payment.public_id])
    answer = browser(world.treasurer).post(url, {"received_minor": "150 000", "do": "approve"})

    assert (answer.status_code, state_of(order)) == (302, "paid")
    assert ledger.balance(Entry.Account.CLEARING, order=order) == 15_000_000


def test_less_than_agreed_is_not_booked_and_the_buyer_may_be_asked_for_the_rest(world: World, order: Order) -> None:
    payment = choose(order)
    outbox.run_all()
    desk = browser(world.treasurer)
    url = reverse("transfer_desk:inspect", args=[payment.public_id])

    answer = desk.post(url, {"received_minor": "200", "do": "approve"})
    asked = text_of(desk.post(url, {"received_minor": "200", "do": "ask"}, follow=True))
    outbox.run_all()

    assert answer.status_code == 409
    assert "SEK 200 of SEK 250 has come: SEK 50 is missing. Nothing was booked, and the order is unpaid." in text_of(
        answer
    )
    assert (state_of(order), ledger.balance(Entry.Account.CLEARING, order=order)) == ("reserved", 0)
    assert f"{order.email} is asked for the rest. When that has come, approve it with what you wrote" in asked
    assert subjects()[-1] == "SEK 50 is missing for Party Lyktan"
    assert [desk.post(url, {"received_minor": text}).status_code for text in ("", "0", "-5", "två")] == [422] * 4


def test_less_that_is_booked_goes_onto_the_list_to_pay_back(world: World, order: Order) -> None:
    choose(order)

    approved = approve(order, world, 20_000, returns_short=True)
    outbox.run_all()

    assert (approved.is_paid, approved.owed_minor, state_of(order)) == (False, 20_000, "reserved")
    assert [(refund.amount_minor, refund.state) for refund in Refund.objects.all()] == [(20_000, "pending")]
    assert ledger.balance(Entry.Account.BUYER_REFUNDABLE, order=order) == -20_000
    assert invariants.check() == []


def test_what_is_too_much_pays_the_order_and_the_rest_is_paid_back_by_hand(world: World, order: Order) -> None:
    choose(order)

    approved = approve(order, world, 30_000)
    outbox.run_all()
    (refund,) = Refund.objects.all()
    desk = browser(world.treasurer)
    listed = text_of(desk.get(reverse("pay_back_desk:index")))
    url = reverse("pay_back_desk:inspect", args=[refund.public_id])
    asked = text_of(desk.get(url))
    first = text_of(desk.post(url, follow=True))
    again = text_of(desk.post(url, follow=True))

    assert (approved.is_paid, approved.owed_minor, state_of(order)) == (True, 5_000, "paid")
    assert "SEK 50" in listed and order.email in listed and "I have paid back SEK 50" in asked
    assert f"SEK 50 is paid back to {order.email}." in first and "did this already" in again
    refund.refresh_from_db()
    assert (refund.state, refund.reason) == ("done", "overpaid")
    assert AuditEntry.objects.get(model="ticketing.refund", new="done").actor == world.treasurer
    assert ledger.balance(Entry.Account.BUYER_REFUNDABLE, order=order) == 0
    assert ledger.balance(Entry.Account.CLEARING, order=order) == PRICE
    assert invariants.check() == []


@pytest.mark.parametrize("is_full", [False, True], ids=["a place is left", "full"])
def test_money_that_comes_late_takes_a_place_or_is_owed_back(world: World, order: Order, is_full: bool) -> None:
    choose(order)
    with let_days_pass(11):
        sweep()
        if is_full:
            reservations.resize(world.quota, 0)
        approved = approve(order, world)
        outbox.run_all()

    assert (approved.is_paid, approved.owed_minor) == ((False, PRICE) if is_full else (True, 0))
    assert state_of(order) == ("expired" if is_full else "paid")
    assert [refund.reason for refund in Refund.objects.all()] == (["late_payment"] if is_full else [])
    assert invariants.check() == []


def test_a_refund_waits_for_the_treasurer_and_is_a_debt_until_then(world: World, order: Order) -> None:
    choose(order)
    approve(order, world)
    refund = refunds.order_refund(
        order, list(order.lines.all()), reason="cancelled_by_organiser", actor=world.treasurer
    )
    assert refund is not None
    outbox.run_all()
    refund.refresh_from_db()

    assert (refund.state, ledger.balance(Entry.Account.BUYER_REFUNDABLE, order=order)) == ("pending", -PRICE)
    (told,) = [message for message in mail.outbox if "on its way back" in message.subject]
    page = text_of(Client().get(address_of(order)))
    assert ["by hand" in text and "bank days" not in text for text in (told.body, page)] == [True, True]
    desk = browser(world.treasurer)
    assert "you pay it back from your bank" in text_of(desk.get(reverse("refund_task:index")))
    back = reverse("pay_back_desk:inspect", args=[refund.public_id])
    assert back in desk.get(reverse("order_desk:inspect", args=[order.public_id])).content.decode()
    transfers.paid_back(refund, actor=world.treasurer)
    with pytest.raises(transfers.Done):
        transfers.paid_back(refund, actor=world.treasurer)
    assert "Nothing waits for you" in text_of(desk.get(reverse("refund_task:index")))
    assert ledger.balance(Entry.Account.BUYER_REFUNDABLE, order=order) == 0
    assert invariants.check() == []


def test_a_buyer_reads_before_they_ask_that_it_is_paid_back_by_hand(world: World, order: Order) -> None:
    choose(order)
    approve(order, world)
    RefundRule.objects.create(event=world.event, at=order.queued_at, kind="hours", hours_before=1)
    Event.objects.filter(pk=world.event.pk).update(moved_at=clock.now() + timedelta(seconds=1))
    EventMove.objects.create(
        event=world.event,
        answer_by=clock.now() + timedelta(days=2),
        remind_at=clock.now() + timedelta(days=1),
        announced_at=clock.now(),
    )

    for name in ("order_refund", "order_moved"):
        page = text_of(Client().get(reverse(f"ticketing:{name}", args=[order.reference, order.secret])))
        assert ("by hand" in page, "bank days" in page) == (True, False)


def test_nobody_else_sees_or_approves_it(world: World, order: Order) -> None:
    payment = choose(order)
    url = reverse("transfer_desk:inspect", args=[payment.public_id])
    theirs = make_world("Skuggan")

    answers = {
        name: browser(person).post(url, {"received_minor": "250"}).status_code
        for name, person in (("editor", world.editor), ("stranger", theirs.treasurer), ("door", world.door))
    }

    assert answers == {"editor": 404, "stranger": 404, "door": 403}
    assert state_of(order) == "reserved"


# --- Beside other parts --------------------------------------------------------------------------------------------


def test_the_address_is_corrected_while_the_money_is_waited_for(order: Order) -> None:
    payment = choose(order)

    corrected = corrections.correct_address(order, "right@example.org", by_desk=True)

    page = Client().get(reverse("ticketing:order", args=[corrected.reference, corrected.secret]))
    assert payment.provider_reference in text_of(page)
    assert (state_of(order), order.email) == ("reserved", "right@example.org")


def test_another_way_is_shown_when_it_is_too_late_to_send_money(world: World, order: Order) -> None:
    choose(order)
    Event.objects.filter(pk=world.event.pk).update(starts_at=clock.now() + timedelta(hours=12))
    world.event.refresh_from_db()
    (left,) = payments.available("SEK", world.event)

    page = Client(headers={"accept-language": "en"}).get(
        reverse("ticketing:order", args=[order.reference, order.secret])
    )

    assert left.slug == "sandbox"
    assert "Pay another way instead" in text_of(page)


BY_HAND = "The organiser pays it back by hand, and writes to you if something is needed for it."


def test_who_pays_out_by_hand_is_said_wherever_money_goes_back(world: World, order: Order) -> None:
    choose(order)
    approve(order, world)
    order.refresh_from_db()
    RefundRule.objects.create(event=order.event, at=order.queued_at, kind="hours", hours_before=24)
    buyer = Client(headers={"accept-language": "en"})
    length = timedelta(days=14)
    facts = {"starts_at": world.event.starts_at + length, "ends_at": world.event.ends_at + length, "venue": "Nya salen"}
    moves.announce(world.event, by=world.editor, answer_by=clock.now() + timedelta(days=2), facts=facts)
    here = [order.reference, order.secret]

    asked = text_of(buyer.get(reverse("ticketing:order_refund", args=here), {"ticket": order.lines.get().public_id}))
    moved = text_of(buyer.get(reverse("ticketing:order_moved", args=here)))
    refund = refunds.order_refund(order, list(order.lines.all()), reason="refunded_by_organiser")
    assert refund is not None
    outbox.run_all()
    waits = text_of(buyer.get(reverse("ticketing:order", args=here)))
    transfers.paid_back(refund, actor=world.treasurer)
    paid = text_of(buyer.get(reverse("ticketing:order", args=here)))

    assert BY_HAND in asked and BY_HAND in waits
    assert "the organiser pays it back by hand" in moved
    assert "The organiser has paid the money out by hand. It arrives within a few bank days." in paid
    told = next(message for message in mail.outbox if "on its way back" in str(message.subject))
    assert BY_HAND in re.sub(r"\s+", " ", str(told.body))
    assert not any("5–10" in said for said in (asked, moved, waits, paid, str(told.body)))


def test_a_refund_is_told_though_another_way_was_tried_after_the_one_that_paid(world: World, order: Order) -> None:
    sent = choose(order)
    assert payments.start(order, "sandbox", "https://example.org/") is not None
    transfers.approve(sent, received_minor=PRICE, actor=world.treasurer)
    order.refresh_from_db()
    refunds.order_refund(order, list(order.lines.all()), reason="refunded_by_organiser")

    page = Client(headers={"accept-language": "en"}).get(
        reverse("ticketing:order", args=[order.reference, order.secret])
    )

    assert [payment.state for payment in order.payments.order_by("pk")] == ["captured", "cancelled"]
    assert "SEK 250 is on its way back." in text_of(page)


# --- A bank's file -------------------------------------------------------------------------------------------------


def bank_file(*rows: str) -> bytes:
    return ("Bokföringsdag;Belopp;Text;Valuta\r\n" + "".join(f"{row}\r\n" for row in rows)).encode("latin-1")


def send(desk: Client, content: bytes) -> Any:
    from django.core.files.uploadedfile import SimpleUploadedFile

    return desk.post(reverse("transfer_desk:bank_file"), {"file": SimpleUploadedFile("bank.csv", content)})


def confirm(desk: Client, shown: Any) -> str:
    token = re.search(r'name="token" value="([^"]+)"', shown.content.decode())
    assert token is not None
    return text_of(desk.post(reverse("transfer_desk:bank_file_confirm"), {"token": token[1]}, follow=True))


def test_a_bank_file_is_shown_row_by_row_and_carried_out_once(world: World) -> None:
    exact, more, less, late, by_name, by_hand = (reserve(world, email=f"b{n}@example.org") for n in range(6))
    paid = {one.pk: choose(one).provider_reference for one in (exact, more, less, late, by_name, by_hand)}
    approve(by_hand, world)
    Payment.objects.filter(order=late).update(state="cancelled")
    Order.objects.filter(pk=late.pk).update(state="expired", reserved_until=None)
    reservations.give_back(late.lines.all())
    stranger = make_world("Skuggan")
    TransferAccount.objects.create(organisation=stranger.organisation, offers_transfer=True, bankgiro="9912346")
    foreign = choose(reserve(stranger)).provider_reference
    grouped = f"{paid[exact.pk][:3]} {paid[exact.pk][3:6]} {paid[exact.pk][6:]}"
    content = bank_file(
        f"2026-11-30;250,00;OCR {grouped} Åsa;SEK",
        f"2026-11-30;300,00;{paid[more.pk]};SEK",
        f"2026-11-30;200,00;{paid[less.pk]};SEK",
        f"2026-11-30;250,00;{paid[late.pk]};SEK",
        f"2026-11-30;250,00;biljett {by_name.reference.lower()} tack;SEK",
        f"2026-11-30;250,00;{paid[by_hand.pk]};SEK",
        f"2026-11-30;250,00;{paid[exact.pk]} en gång till;SEK",
        f"2026-11-30;250,00;{foreign};SEK",
        f"2026-11-30;tusen;{paid[less.pk]};SEK",
        f"2026-11-30;250,00;{paid[less.pk]};EUR",
        f"2026-11-30;250,00;{paid[less.pk]} {paid[late.pk]};SEK",
        "2026-11-30;-75,00;Hyra;SEK",
    )
    desk = browser(world.treasurer)

    shown = send(desk, content)
    meanings = [
        (one.row.number, str(one.meaning)) for one in sorted(shown.context["found"], key=lambda x: x.row.number)
    ]
    done = confirm(desk, shown)
    outbox.run_all()
    again = send(desk, content)

    assert meanings == [
        *((2, "match"), (3, "more"), (4, "kept"), (5, "late"), (6, "match"), (7, "paid"), (8, "repeated")),
        *((9, "unknown"), (10, "unreadable"), (11, "currency"), (12, "several")),
    ]
    assert "1 row of money that went out was passed over." in text_of(shown)
    assert "4 orders are paid" in done and "SEK 50 stands on the list to pay back" in done
    assert [state_of(one) for one in (exact, more, less, late, by_name, by_hand)] == [
        *("paid", "paid", "reserved", "paid", "paid", "paid")
    ]
    assert {row.read_by for row in BankRow.objects.all()} == {world.treasurer}
    assert sorted(BankRow.objects.values_list("amount_minor", "is_part")) == [
        *[(20_000, True), (25_000, False), (25_000, False), (25_000, False), (30_000, False)]
    ]
    read_again = {one.row.number: str(one.meaning) for one in again.context["found"]}
    assert [read_again[number] for number in (2, 3, 5, 6)] == ["read"] * 4
    # The row that stood twice is, now that the first was carried out, money that came a second time.
    assert read_again[8] == "second"
    assert invariants.check() == []


def test_parts_that_are_enough_together_pay_and_those_that_are_not_wait(world: World) -> None:
    whole, over, short = (reserve(world, email=f"b{n}@example.org") for n in range(3))
    paid = {one.pk: choose(one).provider_reference for one in (whole, over, short)}
    content = bank_file(
        f"2026-11-28;100,00;{paid[whole.pk]};SEK",
        f"2026-11-30;150,00;{paid[whole.pk]};SEK",
        f"2026-11-29;200,00;{paid[over.pk]};SEK",
        f"2026-11-29;100,00;{paid[over.pk]};SEK",
        f"2026-11-29;100,00;{paid[short.pk]};SEK",
        f"2026-11-29;100,00;{paid[short.pk]};SEK",
    )
    desk = browser(world.treasurer)

    shown = send(desk, content)
    found = sorted(shown.context["found"], key=lambda one: one.row.number)
    said = confirm(desk, shown)
    again = confirm(desk, shown)
    outbox.run_all()

    assert [str(one.meaning) for one in found] == ["part", "part", "part", "part", "kept", "kept"]
    assert f"2 rows of this file pay for {whole.reference} together" in text_of(shown)
    assert "2 orders are paid" in said and "SEK 50 stands on the list to pay back" in said
    assert "2 rows are remembered as parts" in said
    assert "left alone" in again
    assert [state_of(one) for one in (whole, over, short)] == ["paid", "paid", "reserved"]
    assert sorted(BankRow.objects.filter(is_part=False).values_list("amount_minor", flat=True)) == [
        *(10_000, 10_000, 15_000, 20_000)
    ]
    assert {one.row.number: str(one.meaning) for one in send(desk, content).context["found"]} == {
        **dict.fromkeys((2, 3, 4, 5), "read"), 6: "waits", 7: "waits",
    }  # fmt: skip
    assert invariants.check() == []


def row_of(payment: Payment, kronor: str, day: str = "2026-11-28") -> bytes:
    return bank_file(f"{day};{kronor};{payment.provider_reference};SEK")


@pytest.mark.parametrize(("rest", "owed_minor"), [("150,00", 0), ("200,00", 5_000), ("250,00", 10_000)])
def test_the_rest_in_another_file_completes_a_part(world: World, order: Order, rest: str, owed_minor: int) -> None:
    payment, desk = choose(order), browser(world.treasurer)
    confirm(desk, send(desk, row_of(payment, "100,00")))
    waits = text_of(desk.get(reverse("transfer_desk:inspect", args=[payment.public_id])))
    between = state_of(order)

    shown = send(desk, row_of(payment, rest, "2026-12-02"))
    confirm(desk, shown)

    assert "They wait for the rest" in waits and "SEK 100" in waits
    assert (between, state_of(order)) == ("reserved", "paid")
    assert sum(Refund.objects.values_list("amount_minor", flat=True)) == owed_minor
    assert (f"SEK {owed_minor // 100} too much" in text_of(shown)) == bool(owed_minor)
    assert not BankRow.objects.filter(is_part=True).exists()
    assert [str(send(desk, row_of(payment, "100,00")).context["found"][0].meaning)] == ["read"]
    assert invariants.check() == []


def test_a_part_of_an_order_that_lapses_is_owed_back_by_itself(world: World, order: Order) -> None:
    payment, desk = choose(order), browser(world.treasurer)
    confirm(desk, send(desk, row_of(payment, "100,00")))
    bank_parts.send_back()
    early = Refund.objects.count()

    with let_days_pass(30):
        sweep()
        bank_parts.send_back()
        bank_parts.send_back()

    assert (early, state_of(order)) == (0, "expired")
    assert [refund.amount_minor for refund in Refund.objects.all()] == [10_000]
    assert not BankRow.objects.filter(is_part=True).exists()
    assert invariants.check() == []


def test_the_rest_that_is_approved_by_hand_pays_together_with_the_part(world: World, order: Order) -> None:
    payment, desk = choose(order), browser(world.treasurer)
    confirm(desk, send(desk, row_of(payment, "100,00")))
    url = reverse("transfer_desk:inspect", args=[payment.public_id])
    asked = desk.get(url).context["form"].initial["received_minor"]

    desk.post(url, {"received_minor": str((PRICE - 10_000) // 100), "do": "approve"})
    bank_parts.send_back()

    assert (asked, state_of(order)) == (PRICE - 10_000, "paid")
    assert (Payment.objects.filter(order=order).count(), Refund.objects.count()) == (1, 0)
    assert str(send(desk, row_of(payment, "100,00")).context["found"][0].meaning) == "read"
    assert not BankRow.objects.filter(is_part=True).exists()
    assert invariants.check() == []


def test_too_little_with_the_part_leaves_the_part_waiting_and_asks_for_what_is_missing(
    world: World, order: Order
) -> None:
    payment, desk = choose(order), browser(world.treasurer)
    confirm(desk, send(desk, row_of(payment, "100,00")))
    url = reverse("transfer_desk:inspect", args=[payment.public_id])

    refused = desk.post(url, {"received_minor": "100", "do": "approve"})
    desk.post(url, {"received_minor": "100", "do": "ask"})
    outbox.run_all()
    waiting = bank_parts.minor_of(payment)
    desk.post(url, {"received_minor": "150", "do": "approve"})

    assert refused.status_code == 409 and "SEK 200 of SEK 250 has come: SEK 50 is missing." in text_of(refused)
    assert "SEK 50 is missing for Party Lyktan" in subjects()
    assert (waiting, bank_parts.minor_of(payment), state_of(order)) == (10_000, 0, "paid")
    assert invariants.check() == []


def test_a_part_of_what_was_paid_otherwise_meanwhile_is_owed_back(world: World, order: Order) -> None:
    payment, desk = choose(order), browser(world.treasurer)
    confirm(desk, send(desk, row_of(payment, "100,00")))
    approve(order, world)

    bank_parts.send_back()
    bank_parts.send_back()

    assert [refund.amount_minor for refund in Refund.objects.all()] == [10_000]
    assert not BankRow.objects.filter(is_part=True).exists()
    assert invariants.check() == []


def test_parts_of_which_one_was_carried_out_meanwhile_are_left_alone_together(world: World, order: Order) -> None:
    payment = choose(order)
    rows = [f"2026-11-30;{amount};{payment.provider_reference};SEK" for amount in ("100,00", "150,00")]
    desk = browser(world.treasurer)
    shown = send(desk, bank_file(*rows))
    one = shown.context["found"][0]
    BankRow.objects.create(
        organisation=world.organisation, fingerprint=one.row.fingerprint, payment=payment, amount_minor=10_000,
        currency="SEK", booked_on=one.row.on, read_at=clock.now(),
    )  # fmt: skip

    assert "left alone" in confirm(desk, shown)
    assert (state_of(order), BankRow.objects.count()) == ("reserved", 1)


def test_confirming_twice_and_after_somebody_else_does_nothing_twice(world: World, order: Order) -> None:
    payment = choose(order)
    desk = browser(world.treasurer)
    shown = send(desk, bank_file(f"2026-11-30;250,00;{payment.provider_reference};SEK"))
    token = re.search(r'name="token" value="([^"]+)"', shown.content.decode())
    assert token is not None

    first, second = confirm(desk, shown), confirm(desk, shown)
    other = factories.user()
    other.groups.add(world.organisation.treasurers)
    as_other = text_of(
        browser(other).post(reverse("transfer_desk:bank_file_confirm"), {"token": token[1]}, follow=True)
    )

    assert "1 order is paid" in first
    assert "left alone" in second and order.reference in second
    assert "That list is too old. Nothing was done." in as_other
    assert (Payment.objects.filter(order=order).count(), BankRow.objects.count(), Refund.objects.count()) == (1, 1, 0)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"Namn\nKim\n"], ids=["empty", "excel", "no columns"])
def test_a_file_that_is_none_is_refused_in_a_sentence(world: World, content: bytes) -> None:
    answer = send(browser(world.treasurer), content)

    assert answer.status_code == 422
    assert "Nothing was done." in text_of(answer)


# --- Where money goes ----------------------------------------------------------------------------------------------


def test_a_treasurer_says_where_money_goes_and_mistyped_numbers_are_refused(world: World) -> None:
    TransferAccount.objects.all().delete()
    desk = browser(world.treasurer)
    typed = {"offers_transfer": "on", "bankgiro": "991-2345", "iban": "", "bic": "", "swish_number": "", "days": "10"}

    wrong = text_of(desk.post(reverse("transfer_account_desk:add"), typed))
    nowhere = text_of(desk.post(reverse("transfer_account_desk:add"), {**typed, "bankgiro": ""}))
    saved = desk.post(reverse("transfer_account_desk:add"), {**typed, "bankgiro": "991-2346"})
    account = TransferAccount.objects.get()
    second = desk.get(reverse("transfer_account_desk:add"))

    assert "This is not a bankgiro" in wrong and "Say where a bank transfer goes" in nowhere
    assert saved.status_code == 302
    assert (account.organisation, account.bankgiro, account.days) == (world.organisation, "9912346", 10)
    assert second.headers["Location"] == reverse("transfer_account_desk:edit", args=[account.public_id])
    entry = AuditEntry.objects.get(model="ticketing.transferaccount", row_id=account.pk)
    assert (entry.reason, entry.actor) == ("transfer_account_changed", world.treasurer)
    assert browser(world.editor).get(second.headers["Location"]).status_code in (302, 404)


def test_every_treasurer_and_the_organisation_are_told_when_where_money_goes_changes(world: World) -> None:
    other = factories.user(locale="en")
    other.groups.add(world.organisation.treasurers)
    Organisation.objects.update(email="board@example.org")
    account = TransferAccount.objects.get()
    address = reverse("transfer_account_desk:edit", args=[account.public_id])
    typed = {"offers_transfer": "on", "offers_swish": "on", "iban": "", "bic": "", "swish_number": "123 456 78 90"}
    desk = browser(world.treasurer)

    desk.post(address, {**typed, "bankgiro": "991-2346", "days": "12"})
    outbox.run_all()
    unchanged = len(mail.outbox)
    desk.post(address, {**typed, "bankgiro": "5050-1055", "days": "12"})
    outbox.run_all()

    assert (unchanged, TransferAccount.objects.get().bankgiro) == (0, "50501055")
    told = {message.to[0]: message for message in mail.outbox}
    assert set(told) == {world.treasurer.email, other.email, "board@example.org"}
    assert str(world.treasurer) in str(told[other.email].body) and "bankgiro" in str(told[other.email].body)
    assert address in str(told[other.email].body) and "IBAN" not in str(told[other.email].body)
