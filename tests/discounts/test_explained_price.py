"""Why something does not lower a price is told in the same words on the event's page, on the order in each of its
states and in the mails, whatever has become of the discounts since."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy, override

from apps.accounts.models import User
from apps.discounts import rules, sentences
from apps.discounts.granting import Finding
from apps.discounts.models import Discount, MemberBody, Membership
from apps.events.models import Event
from apps.ticketing import changes, clock, mails, queue, requoting, reservations
from apps.ticketing.context import ContextLine, PurchaseContext
from apps.ticketing.extensions import NamedAdjustment, Why, price_rules
from apps.ticketing.mails import letters
from apps.ticketing.models import Order, OrderLine, Ticket, TicketType
from apps.ticketing.payments import settle
from apps.ticketing.requoting import Outcome
from tests import factories
from tests.discounts import builders
from tests.resale import houses

pytestmark = pytest.mark.django_db

HEADINGS = {"sv": "Det som inte gällde", "en": "What did not apply"}
SENTENCES = {
    "sv": [
        "Medlemmar i LinTek: 200 kr. Logga in för att få det.",
        "Från 3 biljetter i en beställning: Gäng, 30 kr lägre per biljett.",
    ],
    "en": [
        "Members of LinTek: SEK 200. Sign in to get it.",
        "From 3 tickets in one order: Friends, SEK 30 less each.",
    ],
}


@pytest.fixture(autouse=True)
def promises(promises_kept: None) -> None:
    """Every invariant holds after each of these."""


@pytest.fixture
def event() -> Event:
    return factories.event()


@pytest.fixture
def dinner(event: Event) -> TicketType:
    return factories.ticket_type(event, factories.quota(event, 200), name_en="Dinner", price_minor=25_000)


@pytest.fixture
def lintek(event: Event) -> MemberBody:
    return builders.body(event.organisation)


@pytest.fixture
def dressed(event: Event, lintek: MemberBody) -> None:
    """A member price, and what friends get who come together."""
    builders.discount(
        event, name_sv="Kårpris", name_en="Member price", kind="price", amount_minor=20_000, bodies=[lintek]
    )
    builders.discount(event, name_sv="Gäng", name_en="Friends", amount_minor=3_000, min_quantity=3)


def words(page: str) -> str:
    """A page's words, on one line."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def page_of(order: Order, language: str) -> str:
    with override(language):
        address = reverse("ticketing:order", args=[order.reference, order.secret])
    return words(Client().get(address).content.decode())


def mail_about(order: Order, name: str, language: str) -> tuple[str, str]:
    """Its text and its HTML, in words."""
    order = Order.objects.select_related("event", "organisation").get(pk=order.pk)
    order.locale = language
    with override(language):
        letter = letters.write(order, {"name": name, "again": True}, clock.now())
        assert letter is not None
        message = mails.render(order, letter, to=order.email)
    ((content, _kind),) = message.alternatives
    return words(str(message.body)), words(str(content))


def said_in(page: str, language: str) -> list[str]:
    return [sentence for sentence in SENTENCES[language] if page.count(sentence) == 1]


def held(kind: TicketType, number: int = 1, **values: Any) -> Order:
    order = factories.order(kind.event, factories.wanted(kind, number), **values)
    queue.drain(kind.event_id)
    order.refresh_from_db()
    assert order.state == "reserved"
    return order


def pay(order: Order) -> None:
    due = factories.payment(order)
    settle.settle(factories.notice(due), provider=due.provider)
    order.refresh_from_db()


def kept(order: Order, language: str = "en") -> list[list[str]]:
    return [(line.not_given or {}).get(language, []) for line in order.lines.order_by("position")]


@pytest.mark.parametrize("language", ["sv", "en"])
def test_same_sentences_stand_on_every_page_and_in_every_mail(
    language: str, event: Event, dinner: TicketType, dressed: None
) -> None:
    with override(language):
        form = words(Client().get(reverse("ticketing:form", args=[event.public_id])).content.decode())
    order = factories.order(event, factories.wanted(dinner, 2))
    queued = page_of(order, language)
    queue.drain(event.pk)
    Discount.objects.all().delete()  # whoever asked now would be told nothing
    told = {"form": form, "queued": queued, "held": page_of(order, language)}
    told["your turn, text"], told["your turn"] = mail_about(order, "your_turn", language)
    told["ends soon, text"], told["ends soon"] = mail_about(order, "hold_ends_soon", language)
    order.refresh_from_db()
    pay(order)
    told["paid"] = page_of(order, language)
    told["confirmation, text"], told["confirmation"] = mail_about(order, "order_confirmation", language)

    assert {where: said_in(page, language) for where, page in told.items()} == dict.fromkeys(told, SENTENCES[language])
    heading = HEADINGS[language]
    assert {where for where, page in told.items() if page.count(heading) == 1} == told.keys() - {"form", "queued"}


def test_part_that_is_offered_is_explained_too(event: Event, dressed: None) -> None:
    kind = factories.ticket_type(event, factories.quota(event, 2), price_minor=25_000)
    order = factories.order(event, factories.wanted(kind, 3))
    assert "Från 3 biljetter" not in page_of(order, "sv")
    queue.drain(event.pk)

    order.refresh_from_db()

    assert (order.state, said_in(page_of(order, "sv"), "sv")) == ("offered", SENTENCES["sv"])
    reservations.decline_offer(order)
    assert HEADINGS["sv"] not in page_of(order, "sv")


def test_sentence_names_discounts_in_its_own_language(event: Event, dinner: TicketType) -> None:
    """Whatever language the queue's worker thinks in."""
    builders.discount(event, name_sv="Storrabatt", name_en="Big one", amount_minor=5_000)
    builders.discount(event, name_sv="Lillrabatt", name_en="Small one", amount_minor=1_000)

    with override("sv"):
        order = held(dinner)

    assert kept(order, "en") == [["Small one is not added: Big one is better for you."]]
    assert "Storrabatt" in kept(order, "sv")[0][0]


@pytest.mark.parametrize("has_others", [False, True], ids=["no discounts", "what is given alone"])
def test_nothing_is_kept_where_there_is_nothing_to_say(has_others: bool, event: Event, dinner: TicketType) -> None:
    if has_others:
        builders.discount(event)

    order = held(dinner)
    pay(order)

    assert OrderLine.objects.filter(not_given__isnull=True).count() == 1
    assert HEADINGS["sv"] not in page_of(order, "sv") + "".join(mail_about(order, "order_confirmation", "sv"))


# --- What it costs us -----------------------------------------------------------------------------------------------


def count(what: Callable[[], object]) -> int:
    """Questions to the database."""
    with CaptureQueriesContext(connection) as captured:
        what()
    return len(captured)


@pytest.mark.usefixtures("kept_for_long")
def test_reasons_take_no_question_more(event: Event, dinner: TicketType) -> None:
    elsewhere = factories.event()
    other = factories.ticket_type(elsewhere, factories.quota(elsewhere, 200), price_minor=25_000)
    builders.discount(event)
    builders.discount(other.event)
    builders.discount(other.event, amount_minor=9_000, min_quantity=5)  # alone it has a reason to tell
    counts = []
    for kind in (dinner, other):
        held(kind)  # what is not in memory yet is read now
        order = factories.order(kind.event, factories.wanted(kind, 2))
        drained = count(partial(queue.drain, kind.event_id))
        order.refresh_from_db()
        pay(order)
        page_of(order, "sv")
        shown = count(partial(page_of, order, "sv"))
        counts.append((drained, shown, count(partial(mail_about, order, "order_confirmation", "sv"))))

    plain, explained = counts
    assert plain == explained
    assert OrderLine.objects.exclude(not_given=None).count() == 3


def test_sentence_is_made_once_for_a_batch_and_language(
    event: Event, dinner: TicketType, dressed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    say = sentences.explain

    def count_and_say(context: PurchaseContext, findings: Iterable[Finding]) -> list[Why]:
        made.append(context.order_id)
        return say(context, findings)

    monkeypatch.setattr(sentences, "explain", count_and_say)
    for _ in range(20):
        factories.order(event, factories.wanted(dinner, 2))

    queue.drain(event.pk)

    assert len(made) == 2
    assert OrderLine.objects.filter(not_given=SENTENCES_KEPT).count() == 40


SENTENCES_KEPT = {language: [text.replace(" kr", "\xa0kr") for text in texts] for language, texts in SENTENCES.items()}
SENTENCES_KEPT["en"] = [text.replace("SEK ", "SEK\xa0") for text in SENTENCES_KEPT["en"]]


class Neighbour:
    """Another's rule: it explains in words of its own, line by line."""

    slug = "neighbour"

    def prepare(self, contexts: Sequence[PurchaseContext], at: datetime) -> None:
        return None

    def adjustments(self, context: PurchaseContext, line: ContextLine, answers: None) -> Sequence[NamedAdjustment]:
        return ()

    def explain(self, context: PurchaseContext, line: ContextLine, answers: None) -> Sequence[Why]:
        return [Why(gettext("Saved"), gives=True), Why(gettext_lazy("Sold out"))]  # type: ignore[arg-type]

    def claim(self, order_lines: Mapping[int, Sequence[NamedAdjustment]]) -> None: ...

    def release(self, order_line_ids: Sequence[int]) -> None: ...

    def reprice(self, ticket: Ticket, context: PurchaseContext, answers: Any) -> Sequence[NamedAdjustment]:
        return ()


def test_reasons_of_several_rules_stand_one_after_the_other(event: Event, dinner: TicketType, dressed: None) -> None:
    elsewhere = factories.event()
    plain = factories.ticket_type(elsewhere, factories.quota(elsewhere), price_minor=1_000)
    with price_rules.temporarily(Neighbour()):
        order, alone = held(dinner, 2), held(plain)

    assert kept(order) == [[*SENTENCES_KEPT["en"], "Sold out"]] * 2
    assert (kept(alone, "sv"), kept(alone)) == ([["Slutsålt"]], [["Sold out"]])


class Mute(rules.Discounts):
    """A rule whose words fail."""

    slug = "mute"

    def explain(self, *args: Any) -> Sequence[Why]:
        raise KeyError("login")


def test_rule_that_cannot_say_why_costs_nobody_their_place(
    dinner: TicketType, dressed: None, caplog: pytest.LogCaptureFixture
) -> None:
    with price_rules.temporarily(Mute()), caplog.at_level(logging.ERROR):
        order = held(dinner)

    assert kept(order) == [SENTENCES_KEPT["en"]]  # what the other rule says
    assert "mute cannot say why it changes no price" in caplog.text


# --- What is learnt later -------------------------------------------------------------------------------------------


def tell(user: User, body: MemberBody, verdict: str) -> None:
    at = clock.now()
    told = {"verdict": verdict, "told_at": at, "good_until": at + timedelta(days=1)}
    Membership.objects.update_or_create(user=user, body=body, defaults=told)


FRIENDS = SENTENCES_KEPT["en"][1]
NO_MEMBER = "Members of LinTek: SEK\xa0200. You are not known as a member."


def test_nobody_is_promised_an_answer_that_only_the_door_could_give(
    dinner: TicketType, lintek: MemberBody, dressed: None
) -> None:
    MemberBody.objects.update(source="door")

    order = held(dinner, user=builders.member())

    assert kept(order)[0][0] == (
        "Members of LinTek: SEK\xa0200. Whether you are one could only be seen at the door, so you pay the full price."
    )


@pytest.mark.parametrize("is_paid", [False, True], ids=["held", "paid"])
def test_no_that_comes_later_is_told_in_place_of_not_known(
    is_paid: bool, dinner: TicketType, lintek: MemberBody, dressed: None
) -> None:
    alva = builders.member()
    order = held(dinner, user=alva)
    assert "Whether you are one is not known yet." in kept(order)[0][0]
    if is_paid:
        pay(order)
    tell(alva, lintek, "no")

    assert requoting.requote(order.pk) == Outcome.KEPT

    assert kept(order) == [[NO_MEMBER, FRIENDS]]


@pytest.mark.parametrize("is_paid", [False, True], ids=["held", "paid"])
def test_lower_price_brings_its_own_reasons(
    is_paid: bool, event: Event, dinner: TicketType, lintek: MemberBody, dressed: None
) -> None:
    builders.discount(event, name_sv="Tidig", name_en="Early", amount_minor=1_000)
    alva = builders.member()
    order = held(dinner, user=alva)
    if is_paid:
        pay(order)
    tell(alva, lintek, "yes")

    assert requoting.requote(order.pk) == (Outcome.REPAID if is_paid else Outcome.LOWERED)

    assert kept(order) == [[FRIENDS, "Early is not added: Member price is better for you."]]


def test_reasons_stay_where_a_price_stays_that_would_be_higher(
    dinner: TicketType, lintek: MemberBody, dressed: None
) -> None:
    """The member price stands beside them: nobody is told that they do not get it."""
    alva = builders.member(lintek)
    order = held(dinner, user=alva)
    assert kept(order) == [[FRIENDS]]
    tell(alva, lintek, "no")

    requoting.requote(order.pk, lost=[f"member:{lintek.public_id.hex}"])

    assert kept(order) == [[FRIENDS]]


def test_tickets_of_ones_own_are_in_nobodys_way_when_it_is_asked_anew(event: Event, dinner: TicketType) -> None:
    builders.discount(event, name_sv="Första", name_en="The first", size=1)
    builders.discount(event, name_sv="Gäng", name_en="Friends", amount_minor=3_000, min_quantity=3)
    order = held(dinner)
    assert kept(order) == [[FRIENDS]]

    assert requoting.requote(order.pk) == Outcome.KEPT

    assert kept(order) == [[FRIENDS]]


# --- Prices that are not made anew ----------------------------------------------------------------------------------


def test_ticket_that_is_sold_again_is_told_no_reasons_of_a_first_sale(dinner: TicketType, dressed: None) -> None:
    order = held(dinner)
    pay(order)
    ticket = Ticket.objects.select_related("event", "line__order", "ticket_type").get()

    again = houses.bought(houses.listed(ticket))

    assert kept(again) == [[]]
    requoting.requote(again.pk)
    assert kept(again) == [[]]
    assert kept(order)[0] == SENTENCES_KEPT["en"]


def test_other_choices_leave_the_reasons_of_the_ticket_and_have_none(dinner: TicketType, dressed: None) -> None:
    order = held(dinner)
    pay(order)
    wine = factories.choice(factories.variation(dinner), delta_minor=8_000)

    supplement = changes.begin(order, Ticket.objects.get(), {wine.pk: 1}, agreed_minor=8_000)

    assert supplement is not None and kept(supplement) == [[]]
    assert HEADINGS["sv"] not in page_of(supplement, "sv")
    pay(supplement)
    assert kept(order) == [SENTENCES_KEPT["en"]]
    assert said_in(page_of(order, "sv"), "sv") == SENTENCES["sv"]
