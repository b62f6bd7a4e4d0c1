"""The pages of a ticket given away: what giver, recipient, payer and desk see, and what nobody else does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from apps.accounts import personal_data
from apps.events.models import Event
from apps.ticketing import (
    clock,
    documents,
    event_face,
    finding,
    gift_payments,
    giving,
    giving_desk,
    mails,
    outbox,
    reservations,
    tickets,
)
from apps.ticketing.extensions import price_rules
from apps.ticketing.mails import letters
from apps.ticketing.models import Effect, Gift, GivingRule, Order, OrderLine, Ticket
from apps.ticketing.payments import settle
from tests import factories
from tests.clock import clock_moved
from tests.tenancy.world import make_world
from tests.ticketing.test_giving import ForMembers
from tests.ticketing.test_order_page import address as order_address
from tests.ticketing.test_views import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english(settings: LazySettings) -> None:
    settings.LANGUAGE_CODE = "en"
    event_face.forget()


@pytest.fixture
def order() -> Order:
    return factories.paid_order(2)


@pytest.fixture
def ticket(order: Order) -> Ticket:
    return Ticket.objects.filter(line__order=order).order_by("line__position").first()  # type: ignore[return-value]


def to(name: str, *args: object) -> str:
    with override("en"):
        return reverse(f"ticketing:{name}", args=args)


def give_address(ticket: Ticket) -> str:
    return to("ticket_give", ticket.public_id, ticket.secret)


def gift_address(gift: Gift) -> str:
    return to("gift", gift.public_id, gift.secret)


def given(ticket: Ticket) -> Ticket:
    return giving.accept(giving.give(ticket, name="Kim Ek", email="kim@example.org"))


KIM = {"name": "Kim Ek", "email": "kim@example.org", "note": "For you"}


def test_giver_offers_sees_it_and_takes_it_back(client: Client, ticket: Ticket) -> None:
    assert "Give this ticket away" in text_of(client.get(to("ticket", ticket.public_id, ticket.secret)))

    sent = client.post(give_address(ticket), KIM)

    assert (sent.status_code, sent["Location"]) == (303, give_address(ticket))
    page = client.get(give_address(ticket))
    gift = Gift.objects.get()
    assert "We have written to kim@example.org." in text_of(page)
    assert gift.secret not in page.content.decode()  # only the recipient's mail tells it
    assert "Offered to Kim Ek" in text_of(client.get(to("ticket", ticket.public_id, ticket.secret)))
    assert client.post(give_address(ticket), {"what": "cancel"}).status_code == 303
    gift.refresh_from_db()
    assert gift.state == "cancelled"


def test_what_was_typed_is_kept_beside_its_error(client: Client, ticket: Ticket) -> None:
    answer = client.post(give_address(ticket), {**KIM, "email": "junk"})

    assert answer.status_code == 422
    assert "Write an e-mail address such as robin@example.org. Nothing was sent." in text_of(answer)
    assert 'value="Kim Ek"' in answer.content.decode() and 'value="For you"' in answer.content.decode()
    assert not Gift.objects.exists()


@pytest.mark.parametrize(
    ("what", "said"),
    [
        pytest.param("used", "used at the door", id="used"),
        pytest.param("blocked", "disputed", id="blocked"),
        pytest.param("not-transferable", "cannot be given away", id="kind"),
        pytest.param("cancelled", "The event is cancelled", id="cancelled"),
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_ticket_that_cannot_be_given_says_why(
    client: Client, ticket: Ticket, what: str, said: str, method: str
) -> None:
    if what == "used":
        tickets.use(ticket)
    elif what == "blocked":
        tickets.block([ticket.pk], reason="disputed")
    elif what == "cancelled":
        Event.objects.filter(pk=ticket.event_id).update(cancelled_at=clock.now())
    else:
        ticket.ticket_type.is_transferable = False
        ticket.ticket_type.save()

    answer = getattr(client, method)(give_address(ticket), KIM)

    assert (answer.status_code, said in text_of(answer)) == (422 if method == "post" else 200, True)
    assert "Offer the ticket" not in text_of(answer)
    assert not Gift.objects.exists()


def test_strangers_find_nothing(client: Client, ticket: Ticket) -> None:
    gift = giving.give(ticket, name="Kim", email="kim@example.org")

    wrong = (to("ticket_give", ticket.public_id, gift.secret), to("gift", gift.public_id, ticket.secret))

    assert [client.get(path).status_code for path in wrong] == [404, 404]
    assert [client.post(path, {"answer": "accept"}).status_code for path in wrong] == [404, 404]


def test_link_of_an_offer_is_masked_in_logs(ticket: Ticket) -> None:
    from config.logs import mask

    gift = giving.give(ticket, name="Kim", email="kim@example.org")

    for path in (gift_address(gift), f"/accounts/login/?next={gift_address(gift)}", give_address(ticket)):
        told = mask(f"GET {path} 200")
        assert gift.secret not in told and ticket.secret not in told


def test_recipient_accepts_and_sees_their_ticket_and_nothing_of_the_order(client: Client, ticket: Ticket) -> None:
    gift = giving.give(ticket, name="Kim Ek", email="kim@example.org", note="For you")
    page = client.get(gift_address(gift))
    assert "For you" in text_of(page) and "costs you nothing" in text_of(page)
    assert ticket.secret not in page.content.decode() and ticket.line.order.secret not in page.content.decode()

    answer = client.post(gift_address(gift), {"answer": "accept", "name": "Kim Ekström"})
    again = client.post(gift_address(gift), {"answer": "accept", "name": "Kim"})

    new = Ticket.objects.get(holder_email="kim@example.org")
    assert answer["Location"] == again["Location"] == to("ticket", new.public_id, new.secret)
    theirs = client.get(answer["Location"])
    assert "Kim Ekström" in text_of(theirs) and new.short_code[:3] in text_of(theirs)
    assert "The whole order" not in text_of(theirs) and ticket.line.order.secret not in theirs.content.decode()
    assert "The ticket is yours" in text_of(client.get(gift_address(gift)))


def test_recipient_declines(client: Client, ticket: Ticket) -> None:
    gift = giving.give(ticket, name="Kim Ek", email="kim@example.org")

    client.post(gift_address(gift), {"answer": "decline"})

    assert "You declined the ticket" in text_of(client.get(gift_address(gift)))
    late = client.post(gift_address(gift), {"answer": "accept"}, follow=True)
    assert "You declined the ticket" in text_of(late)
    assert Ticket.objects.count() == 2


@pytest.mark.parametrize(
    ("what", "said"),
    [
        pytest.param("lapsed", "It was open until", id="lapsed"),
        pytest.param("cancelled", "took that back", id="taken-back"),
        pytest.param("used", "used at the door", id="used"),
        pytest.param("event", "The event is cancelled", id="event-cancelled"),
    ],
)
def test_link_of_an_offer_that_is_over_says_why(client: Client, ticket: Ticket, what: str, said: str) -> None:
    gift = giving.give(ticket, name="Kim Ek", email="kim@example.org")
    days = timedelta(days=8 if what == "lapsed" else 0)
    if what == "cancelled":
        giving.cancel(gift)
    elif what == "used":
        tickets.use(ticket)  # and its signal is still to come
    elif what == "event":
        Event.objects.filter(pk=ticket.event_id).update(cancelled_at=clock.now())

    with clock_moved(days):
        page = client.get(gift_address(gift))
        client.post(gift_address(gift), {"answer": "accept"})

    assert said in text_of(page) and "Accept the ticket" not in text_of(page)
    assert Ticket.objects.count() == 2


def test_payer_sees_the_ticket_as_given_and_no_link_of_it(client: Client, order: Order, ticket: Ticket) -> None:
    new = given(ticket)

    page = client.get(order_address(order))

    html = page.content.decode()
    assert new.secret not in html and str(new.public_id) not in html
    assert "given away" in text_of(page)
    assert ticket.secret in html  # their own old one, whose page tells to whom it went
    assert "You gave this ticket to Kim Ek" in text_of(client.get(to("ticket", ticket.public_id, ticket.secret)))
    paper = client.get(to("ticket_pdf", ticket.public_id, ticket.secret))
    assert (paper.status_code, paper["Location"]) == (303, to("ticket", ticket.public_id, ticket.secret))


def test_payers_files_and_mails_leave_out_what_was_given(order: Order, ticket: Ticket) -> None:
    new = given(ticket)
    other = Ticket.objects.get(line__order=order, line__position=1)

    (file,) = documents.files_of(order)
    letter = letters.write(order, {"name": "order_confirmation"}, clock.now())

    assert [sheet.ticket for sheet in file.sheets] == [other]
    assert documents.file_of(new) is not None
    assert letter is not None
    assert [row["ticket"] for row in letter.context["tickets"]] == [other]


def test_neighbours_in_the_order_are_the_payers_own(client: Client, order: Order, ticket: Ticket) -> None:
    new = given(ticket)
    other = Ticket.objects.get(line__order=order, line__position=1)

    page = client.get(to("ticket", other.public_id, other.secret))

    assert new.secret not in page.content.decode()
    assert "1 of 1" in text_of(page)


def test_my_pages_of_a_guest_with_a_proved_address(client: Client, ticket: Ticket) -> None:
    from allauth.account.models import EmailAddress

    person = factories.user(email="kim@example.org")
    EmailAddress.objects.create(user=person, email=person.email, verified=True, primary=True)
    client.force_login(person)
    gift = giving.give(ticket, name="Kim Ek", email="Kim@example.org")
    assert gift.secret in client.get(reverse("accounts:my_pages")).content.decode()

    new = giving.accept(gift)  # without having signed in

    page = client.get(reverse("accounts:my_pages")).content.decode()
    assert new.secret in page and ticket.secret not in page


def test_a_lost_link_is_found_by_the_address_it_was_given_to(mailoutbox: Any, ticket: Ticket) -> None:
    new = given(ticket)

    finding.ask("Kim@example.org", locale="en")
    outbox.run_all(kinds=[finding.KIND])

    (letter,) = mailoutbox
    assert letter.to == ["Kim@example.org"]
    assert new.secret in letter.body and ticket.secret not in letter.body
    assert ticket.line.order.secret not in letter.body


def test_every_letter_can_be_written_in_both_languages(order: Order, ticket: Ticket) -> None:
    gift = giving.give(ticket, name="Kim Ek", email="kim@example.org", note="For you")
    wanted: list[tuple[str, dict[str, Any]]] = [("gift_offered", {"gift": gift.pk})]
    written: dict[str, list[str]] = {}

    def write() -> None:
        for name, facts in wanted:
            for language in ("sv", "en"):
                with override(language):
                    letter = letters.write(order, {"name": name, **facts}, clock.now())
                    assert letter is not None, name
                    message = mails.render(order, letter, to="kim@example.org")
                    html = str(message.alternatives[0][0])
                    written.setdefault(name, []).append(f"{message.subject}\n{message.body}\n{html}")

    write()
    giving.accept(gift)
    wanted = [(name, {"gift": gift.pk}) for name in ("gift_received", "gift_accepted", "gift_accepted_payer")]
    write()
    new = Ticket.objects.get(holder_email="kim@example.org")
    wanted = [("holder_ticket_ended", {"ticket": new.pk})]
    wanted += [("holder_event_changed", {"ticket": new.pk, "was": {"venue": "Elsewhere"}})]
    write()
    other = giving.give(Ticket.objects.get(line__order=order, line__position=1), name="Lo", email="lo@example.org")
    giving.decline(other)
    wanted = [("gift_not_taken", {"gift": other.pk}), ("gift_taken_back", {"gift": other.pk})]
    write()

    assert len(written) == 8
    assert all(swedish != english for swedish, english in written.values())
    for name in set(written) - {"gift_accepted_payer"}:
        for text in written[name]:
            assert order.secret not in text and order.reference not in text, name


def test_desk_shows_the_history_and_takes_an_offer_back(client: Client) -> None:
    world = make_world("Lyktan")
    order = factories.order(world.event, factories.wanted(world.kind, 1, (world.choice, 1)))
    factories.queue.drain(world.event.pk)
    order.refresh_from_db()
    due = factories.payment(order)
    factories.settle.settle(factories.notice(due), provider=due.provider)
    ticket = Ticket.objects.get(line__order=order)
    gift = giving.give(ticket, name="Kim Ek", email="kim@example.org")
    client.force_login(world.treasurer)

    page = client.get(reverse("order_desk:inspect", args=[order.public_id]))
    assert "Kim Ek" in text_of(page) and gift.secret not in page.content.decode()
    client.post(reverse("order_desk:gift_cancel", args=[order.public_id, gift.public_id]))

    gift.refresh_from_db()
    assert (gift.state, gift.reason) == ("cancelled", "gift_taken_back_by_organiser")


def test_export_and_erasure_hold_what_was_given(order: Order, ticket: Ticket) -> None:
    from allauth.account.models import EmailAddress

    person = factories.user(email="kim@example.org")
    EmailAddress.objects.create(user=person, email=person.email, verified=True, primary=True)
    new = given(ticket)

    told = personal_data.export(person)["ticketing"]
    assert [row["to_email"] for row in told["gifts"]] == ["kim@example.org"]
    assert [row["short_code"] for row in told["tickets"]] == [new.short_code]

    ticket.event.starts_at = clock.now() - timedelta(days=2)
    ticket.event.ends_at = clock.now() - timedelta(days=1)
    ticket.event.save()
    personal_data.erase(person)

    gift = Gift.objects.get()
    new.refresh_from_db()
    assert (gift.to_name, gift.to_email, new.holder_email) == ("", "", "")
    assert OrderLine.objects.get(pk=new.line_id).owner_key == "erased"


# --- A difference that the recipient pays ----------------------------------------------------------------------------


@pytest.fixture
def dearer(ticket: Ticket) -> Iterator[Gift]:
    """A member's ticket, offered to Kim, who would pay 50 kr more and may."""
    with price_rules.temporarily(ForMembers()):
        OrderLine.objects.filter(pk=ticket.line_id).update(price_minor=20_000)
        GivingRule.objects.create(event=ticket.event, at=clock.now(), when_dearer="pay")
        yield giving.give(ticket, name="Kim Ek", email="kim@example.org")


def test_recipient_reads_what_they_pay_and_why_and_pays_it(client: Client, dearer: Gift) -> None:
    said = text_of(client.get(gift_address(dearer)))
    assert "You would pay SEK 50 more" in said and "Pay SEK 50 and take it" in said
    assert "costs you nothing" not in said and "Bring a proof" not in said

    first = client.post(gift_address(dearer), {"answer": "pay", "agreed_minor": "5000", "name": "Kim"})
    second = client.post(gift_address(dearer), {"answer": "pay", "agreed_minor": "5000", "name": "Kim"})

    supplement = Order.objects.get(channel="gift")
    assert first["Location"] == second["Location"] == order_address(supplement)
    checkout = text_of(client.get(order_address(supplement)))
    assert "The ticket is yours when you pay the difference" in checkout and "The difference: " in checkout
    waiting = text_of(client.get(gift_address(dearer)))
    assert "You have begun to pay SEK 50" in waiting and "Pay SEK 50 and take it" not in waiting

    paid = factories.payment(supplement)
    settle.settle(factories.notice(paid), provider="sandbox")
    back = client.get(order_address(supplement))

    assert back["Location"] == gift_address(dearer)
    assert "Show the ticket" in text_of(client.get(back["Location"])), "without waiting for a worker"
    assert Ticket.objects.get(holder_email="kim@example.org").state == "valid"


def test_recipient_who_began_to_pay_more_than_they_need_to_is_offered_less(client: Client, dearer: Gift) -> None:
    client.post(gift_address(dearer), {"answer": "pay", "agreed_minor": "5000", "name": "Kim"})
    OrderLine.objects.filter(pk=dearer.ticket.line_id).update(price_minor=25_000)

    said = text_of(client.get(gift_address(dearer)))
    assert "Accept the ticket" in said and "Go on paying" not in said
    client.post(gift_address(dearer), {"answer": "accept", "name": "Kim"})

    assert Ticket.objects.get(holder_email="kim@example.org").state == "valid"
    outbox.run_all(kinds=[giving.LET_GO])
    assert Order.objects.get(channel="gift").state == "cancelled"


@pytest.mark.parametrize("agreed", ["", "4000", "-5000", "5 000", "9" * 30, "junk"])
def test_another_sum_than_the_difference_is_told_and_charges_nothing(client: Client, dearer: Gift, agreed: str) -> None:
    answer = client.post(gift_address(dearer), {"answer": "pay", "agreed_minor": agreed, "name": "Kim"})

    assert answer.status_code == 422
    assert "it is SEK 50 now. Nothing was charged" in text_of(answer)
    assert not Order.objects.filter(channel="gift").exists()


@pytest.mark.parametrize("when", ["before", "after"])
def test_recipient_of_an_offer_taken_back_while_they_paid_reads_that_their_money_goes_back(
    client: Client, dearer: Gift, when: str
) -> None:
    paid = factories.payment(gift_payments.begin(dearer, agreed_minor=5_000))
    if when == "before":
        giving.cancel(dearer)
        outbox.run_all(kinds=[giving.LET_GO])
    settle.settle(factories.notice(paid), provider="sandbox")
    if when == "after":
        giving.cancel(dearer)

    said = text_of(client.get(gift_address(dearer)))

    assert "The SEK 50 you paid goes back, all of it" in said
    assert "No money was taken" not in said
    (letter,) = [one for one in _letters(dearer.ticket.line.order) if one.template == "gift_taken_back"]
    assert "is sent back by itself" in letter.context["why"]
    (back,) = [one for one in _letters(paid.order) if one.template == "refund_ordered"]
    assert back.context["why"]


def _letters(order: Order) -> list[letters.Letter]:
    rows = Effect.objects.filter(order=order, kind="mail.send").order_by("pk")
    written = [letters.write(order, effect.payload, effect.created_at) for effect in rows]
    return [letter for letter in written if letter is not None]


def test_offer_whose_difference_was_not_paid_in_time_is_open_and_says_so(client: Client, dearer: Gift) -> None:
    gift_payments.begin(dearer, agreed_minor=5_000)

    with clock_moved(timedelta(minutes=16)):
        reservations.expire_overdue(clock.now())
        said = text_of(client.get(gift_address(dearer)))

    assert "You have not paid, and have no ticket yet" in said
    assert "Pay SEK 50 and take it" in said


def test_receipt_of_a_difference_in_both_languages(dearer: Gift) -> None:
    supplement = gift_payments.begin(dearer, agreed_minor=5_000)
    paid = factories.payment(supplement)
    settle.settle(factories.notice(paid), provider="sandbox")
    supplement.refresh_from_db()
    with pytest.raises(outbox.NotYet):
        _letters(supplement)
    outbox.run_all(kinds=[gift_payments.ACCEPT])

    for language in ("sv", "en"):
        with override(language):
            (receipt,) = _letters(supplement)
            assert "50" in str(mails.render(supplement, receipt, to="kim@example.org").body)
    assert (receipt.template, receipt.context["paid_minor"]) == ("difference_paid", 5_000)


def test_desk_makes_the_third_rule_and_shows_the_difference_with_both_orders(client: Client) -> None:
    world = make_world("Lyktan")
    order = factories.order(world.event, factories.wanted(world.kind, 1, (world.choice, 1)))
    factories.queue.drain(world.event.pk)
    order.refresh_from_db()
    due = factories.payment(order)
    factories.settle.settle(factories.notice(due), provider=due.provider)
    client.force_login(world.editor)
    desk = f"{reverse('giving_rule_desk:add')}?event={world.event.public_id}"
    assert "May have it, and pays the difference" in client.get(desk).content.decode()
    client.post(desk, {"hours_before_doors": "0", "when_dearer": "pay"})
    rule = giving.rule_of(world.event)
    assert "pays the difference, and gets that back" in giving_desk.sentence(world.event, rule)

    OrderLine.objects.filter(order=order).update(price_minor=order.total_minor - 5_000)
    with price_rules.temporarily(ForMembers()):
        gift = giving.give(Ticket.objects.get(line__order=order), name="Kim Ek", email="kim@example.org")
        supplement = gift_payments.begin(gift, agreed_minor=5_000)
    client.force_login(world.treasurer)

    of_ticket = text_of(client.get(reverse("order_desk:inspect", args=[order.public_id])))
    of_difference = text_of(client.get(reverse("order_desk:inspect", args=[supplement.public_id])))

    assert supplement.reference in of_ticket and "held for payment" in of_ticket
    assert order.reference in of_difference and "What it costs more whom it is given to" in of_difference
