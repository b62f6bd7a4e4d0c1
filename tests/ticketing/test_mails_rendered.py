"""Every mail as it is rendered, in both languages: whole, safe, and readable wherever it is opened."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.core.mail import EmailMultiAlternatives
from django.template import Engine
from django.utils.translation import override
from PIL import Image

from apps.events import tenancy
from apps.events.models import EventPage, OrganisationPage
from apps.resale import listings
from apps.resale import reasons as resale_reasons
from apps.ticketing import clock, giving, mails, payments, refunds, reservations
from apps.ticketing.extensions import Notice
from apps.ticketing.mails import letters
from apps.ticketing.models import EventMove, LineChoice, Order, Payment, Question, Refund, Ticket, TransferAccount
from apps.ticketing.payments import manual, settle
from tests import factories
from tests.resale import houses
from tests.tenancy.world import picture

pytestmark = pytest.mark.django_db

WHOLE = ["multipart/related", "multipart/alternative", "text/plain", "text/html", "image/png"]
HOSTILE = "Alva <script>alert(1)</script> \"&'\u202e"
Payload = dict[str, Any]


def held(**values: Any) -> Order:
    """Two dinners, one without alcohol, held for payment."""
    organisation = factories.organisation(
        name="Lyktan",
        legal_name="Festföreningen Lyktan",
        organisation_number="802999-0000",
        vat_number="SE802999000001",
        address="Campusvägen 3\n583 30 Linköping",
        email="fest@lyktan.example",
        accent_colour="#A5124B",
    )
    event = factories.event(
        organisation=organisation,
        title_sv="Luciasittning & sexa",
        title_en="Lucia dinner & supper",
        starts_at=datetime(2030, 12, 12, 17, 0, tzinfo=UTC),
        doors_at=datetime(2030, 12, 12, 16, 30, tzinfo=UTC),
        venue="Kårhuset Fyren",
        venue_address="Campusvägen 1, Linköping",
        **values,
    )
    quota = factories.quota(event)
    dinner = factories.ticket_type(
        event, quota, name_sv="Sittning med sexa", name_en="Dinner with supper", price_minor=34_500, vat_percent=12
    )
    beverage = factories.variation(dinner)
    free = factories.choice(beverage, name_sv="Alkoholfritt", name_en="Alcohol-free", delta_minor=-6_000)
    beer = factories.choice(beverage, name_sv="Öl, vin och snaps", name_en="Beer, wine and schnapps", delta_minor=0)
    ball = factories.ticket_type(event, quota, name_sv="Bal", name_en="Ball", price_minor=10_000, vat_percent=25)
    order = factories.order(
        event,
        [
            *factories.wanted(dinner, 1, (free, 1)),
            *factories.wanted(dinner, 1, (beer, 1)),
            *factories.wanted(ball),
        ],
        email="alva@student.example",
    )
    factories.queue.drain(event.pk)
    Order.objects.filter(pk=order.pk).update(name="Alva Exempelsson")
    return Order.objects.select_related("event", "organisation").get(pk=order.pk)


def paid(**values: Any) -> Order:
    order = held(**values)
    settle.settle(factories.notice(factories.payment(order)), provider="sandbox")
    return Order.objects.select_related("event", "organisation").get(pk=order.pk)


# A moved event's facts before.
WAS = {
    "starts_at": datetime(2030, 12, 11, 16, 0, tzinfo=UTC).isoformat(),
    "doors_at": None,
    "venue": "Gamla matsalen",
}


def confirmation() -> tuple[Order, Payload]:
    return paid(), {}


def on_hold() -> tuple[Order, Payload]:
    return held(), {"again": True}


def declined() -> tuple[Order, Payload]:
    order = held()
    payment = factories.payment(order)
    settle.settle(factories.notice(payment, "failed"), provider="sandbox")
    order.refresh_from_db()
    return order, {"payment": payment.pk}


def in_line() -> tuple[Order, Payload]:
    order = held()
    Order.objects.filter(pk=order.pk).update(state="waiting")
    order.refresh_from_db()
    return order, {}


def expired() -> tuple[Order, Payload]:
    order = held()
    reservations.release([order.pk], "reserved", "expired", "hold_expired")
    order.refresh_from_db()
    return order, {}


def sent_back() -> tuple[Order, Payload]:
    order = paid()
    refund = refunds.order_refund(order, order.lines.all()[:2], reason="refused")
    assert refund is not None
    return order, {"refund": refund.pk}


def all_kept() -> tuple[Order, Payload]:
    order = paid()
    lines = [line.pk for line in order.lines.all()[:2]]
    refunds.order_refund(order, order.lines.all()[:2], reason="refunded_by_organiser", fee_minor=63_000)
    return order, {"lines": lines, "fee_minor": 63_000}


def owed() -> tuple[Order, Payload]:
    order, payload = sent_back()
    Refund.objects.filter(pk=payload["refund"]).update(state="failed")
    return order, payload


def arrived() -> tuple[Order, Payload]:
    order, payload = sent_back()
    Refund.objects.filter(pk=payload["refund"]).update(state="done", done_at=clock.now())
    return order, payload


def surplus() -> tuple[Order, Payload]:
    order = held()
    payment = factories.payment(order)
    settle.settle(factories.notice(payment, amount_minor=1_000), provider="sandbox")
    order.refresh_from_db()
    return order, {"payment": Payment.objects.get().pk}


def disputed() -> tuple[Order, Payload]:
    order = paid()
    payment = Payment.objects.get()
    dispute = Notice("", "dispute", "dispute-1", "opened", 79_000, "SEK", our_id=str(payment.public_id))
    settle.settle(dispute, provider="sandbox")
    return order, {"dispute": payment.disputes.get().pk, "state": "opened"}


def differing() -> tuple[Order, Payload]:
    facts = {"ours_minor": 79_000, "theirs_minor": 0, "currency": "SEK"}
    return paid(), {"what": "sandbox payment 1f0c", "wrong": "only_here", **facts}


def to_another_day() -> tuple[Order, Payload]:
    order = paid()
    at = clock.now()
    move = EventMove.objects.create(
        event=order.event,
        was=WAS,
        answer_by=at + timedelta(days=7),
        remind_at=at + timedelta(days=5),
        say_sv="Lokalen är översvämmad.",
        say_en="The place is flooded.",
        announced_at=at,
    )
    return order, {"move": move.pk}


def off() -> tuple[Order, Payload]:
    return paid(), {"amount_minor": 73_000}


def sends_it(way: str) -> tuple[Order, Payload]:
    order = held()
    TransferAccount.objects.create(
        organisation=order.organisation,
        offers_transfer=True,
        bankgiro="9912346",
        iban="SE4550000000058398257466",
        bic="SWEDSESS",
        offers_swish=True,
        swish_number="1239009999",
    )
    payment = payments.start(order, way, "https://example.org/")
    assert payment is not None
    payments.open(payment)
    order.refresh_from_db()
    return order, {"payment": payment.pk}


def by_bank() -> tuple[Order, Payload]:
    return sends_it(manual.TRANSFER)


def by_swish() -> tuple[Order, Payload]:
    return sends_it(manual.SWISH)


def short() -> tuple[Order, Payload]:
    order, payload = sends_it(manual.TRANSFER)
    return order, {**payload, "received_minor": 20_000}


def given(answer: str) -> Callable[[], tuple[Order, Payload]]:
    """A ticket offered to somebody, and what became of it."""

    def arrange() -> tuple[Order, Payload]:
        order = paid()
        ticket = Ticket.objects.filter(line__order=order).order_by("pk")[0]
        gift = giving.give(ticket, name="Kim Ek", email="kim@student.example", note="Ha det så kul!")
        if answer == "accepted":
            ticket = giving.accept(gift)
        elif answer == "declined":
            giving.decline(gift)
        elif answer == "taken back":
            giving.cancel(gift)
        elif answer == "ended":
            ticket = giving.accept(gift)
            refunds.order_refund(order, [ticket.line], reason="refused")
        return order, {"gift": gift.pk, "ticket": ticket.pk, "was": WAS, "to": "kim@student.example"}

    return arrange


def asked() -> tuple[Order, Payload]:
    order = paid()
    ticket = Ticket.objects.filter(line__order=order).order_by("pk")[0]
    Question.objects.create(ticket_type=ticket.ticket_type, text_sv="Vilken sång?", text_en="Which song?")
    return order, {"ticket": ticket.pk, "to": "kim@student.example"}


def asked_anew() -> tuple[Order, Payload]:
    """What somebody who bought a ticket second hand is asked, by question and by choice."""
    order = paid()
    ticket = Ticket.objects.filter(line__order=order).order_by("pk")[0]
    Question.objects.create(ticket_type=ticket.ticket_type, text_sv="Äter du allt?", text_en="Do you eat everything?",
                            kind=Question.Kind.DIET)  # fmt: skip
    food = factories.variation(ticket.ticket_type, name_sv="Mat", name_en="Food", ask_again_on_resale=True)
    LineChoice.objects.create(line=ticket.line, choice=factories.choice(food, name_sv="Fisk", name_en="Fish"))
    return order, {"ticket": ticket.pk}


def for_sale(ending: str) -> Callable[[], tuple[Order, Payload]]:
    """A ticket that its owner sells, and what became of it."""

    def arrange() -> tuple[Order, Payload]:
        order = paid()
        ticket = Ticket.objects.filter(line__order=order).select_related("event", "line__order", "ticket_type")[0]
        listing = houses.listed(ticket, ticket.line.kept_minor - 1_000)
        if ending == "sold":
            houses.bought(listing)
        elif ending == "reserved":
            houses.ordered(listing)
        elif ending == "withdrawn":
            listings.withdraw(listing, reason=resale_reasons.BY_DESK)
        return order, {"listing": listing.pk, "to": order.email}

    return arrange


MAILS: dict[str, Callable[[], tuple[Order, Payload]]] = {
    "order_confirmation": confirmation,
    "order_link": on_hold,
    "address_corrected": on_hold,
    "your_turn": on_hold,
    "place_is_kept": in_line,
    "hold_ends_soon": on_hold,
    "payment_failed": declined,
    "hold_expired": expired,
    "refund_ordered": sent_back,
    "refund_failed": owed,
    "tickets_ended": all_kept,
    "refund_sent": arrived,
    "event_cancelled": off,
    "event_moved": to_another_day,
    "move_reminder": to_another_day,
    "payment_alert": surplus,
    "refund_alert": owed,
    "dispute_alert": disputed,
    "books_alert": differing,
    "transfer_instructions": by_bank,
    "transfer_reminder": by_swish,
    "transfer_short": short,
    "guest_questions": asked,
    "gift_offered": given(""),
    "gift_received": given("accepted"),
    "gift_accepted": given("accepted"),
    "gift_accepted_payer": given("accepted"),
    "gift_not_taken": given("declined"),
    "gift_taken_back": given("taken back"),
    "holder_ticket_ended": given("ended"),
    "holder_event_changed": given("accepted"),
    "resale_listed": for_sale(""),
    "resale_reserved": for_sale("reserved"),
    "resale_sold": for_sale("sold"),
    "resale_withdrawn": for_sale("withdrawn"),
    "resale_ask_anew": asked_anew,
}


def rendered(name: str, language: str, arrange: Callable[[], tuple[Order, Payload]] | None = None) -> tuple:
    """The order, and the message that is written about it."""
    order, payload = (arrange or MAILS[name])()
    order.locale = language
    with override(language):
        letter = letters.write(order, {"name": name, **payload}, clock.now())
        assert letter is not None
        return order, mails.render(order, letter, to=order.email)


@cache
def looked_at(name: str, language: str) -> tuple:
    """`rendered` once for all who only look at it, with every word that its template does not know marked."""
    with patch.object(Engine.get_default(), "string_if_invalid", "MISSING"):
        return rendered(name, language)


def html_of(message: EmailMultiAlternatives) -> str:
    ((content, kind),) = message.alternatives
    assert kind == "text/html"
    return str(content)


class Page(HTMLParser):
    """Reads a mail's HTML: its links, its words, and whether every element is closed."""

    VOID = {"meta", "img", "br"}

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.tags: set[str] = set()
        self.words = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            if name == "href":
                self.links.append(value or "")
            if name in ("src", "background"):
                self.sources.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words += data


def figures(text: str) -> set[str]:
    """Every amount, time and code in a text."""
    return set(re.findall(r"\d[\d .:,\u00a0]*\d", text.replace("\u00ad", "")))


def test_every_mail_is_looked_at():
    assert set(MAILS) == set(letters.kinds)


@pytest.mark.parametrize("language", ["sv", "en"])
@pytest.mark.parametrize("name", MAILS)
def test_mail_is_whole(name, language):
    order, message = looked_at(name, language)
    html, text = html_of(message), str(message.body)
    page = Page(html)

    for part in (html, text, message.subject):
        assert not re.search(r"\bNone\b|MISSING|\{\{|\{%|\\u00", part)
    if not name.startswith(("gift_", "holder_", "guest_")):  # the order is the buyer's alone
        assert order.reference in page.words
        assert order.reference in text
    assert f'<html lang="{language}">' in html
    assert message.extra_headers["Content-Language"] == language
    links = [link for link in page.links if link != f"{django_settings.SITE_URL}/"]
    assert links
    assert all(link.startswith(f"{django_settings.SITE_URL}/") for link in page.links)
    assert {link for link in links if not link.endswith("/my/")} <= set(re.findall(r"https?://\S+", text))


@pytest.mark.parametrize("name", MAILS)
def test_text_holds_every_figure_of_the_page(name):
    _order, message = looked_at(name, "en")
    words = Page(html_of(message)).words

    assert figures(words) - figures(str(message.body)) == set()


@pytest.mark.parametrize("name", MAILS)
def test_mail_needs_nothing_from_elsewhere(name):
    _order, message = looked_at(name, "en")
    html = html_of(message)
    page = Page(html)

    assert [source for source in page.sources if not source.startswith("cid:")] == []
    assert page.tags.isdisjoint({"script", "link", "iframe", "form", "object", "svg", "video"})
    assert "url(" not in html
    assert "@import" not in html
    assert '<meta name="color-scheme" content="light dark">' in html
    assert len(html.encode()) < 60_000  # longer ones are cut off by some readers


@pytest.mark.parametrize("name", MAILS)
def test_strangers_words_are_only_text(name):
    def hostile() -> tuple[Order, Payload]:
        order, payload = MAILS[name]()
        for thing, values in (
            (order.event, {"title_en": f"{HOSTILE}\r\nBcc: all@example.org", "venue": HOSTILE}),
            (order.organisation, {"name": f"{HOSTILE}\nBcc: all@example.org", "legal_name": HOSTILE}),
            (order, {"name": HOSTILE}),
        ):
            type(thing).objects.filter(pk=thing.pk).update(**values)
        return Order.objects.select_related("event", "organisation").get(pk=order.pk), payload

    _order, message = rendered(name, "en", hostile)
    sent = message.message()

    assert "script" not in Page(html_of(message)).tags
    assert sent["Bcc"] is None
    assert "\n" not in str(sent["Subject"]).replace("\n ", "")
    assert "\u202e" not in str(message.subject)
    assert [part.get_content_type() for part in sent.walk()] == WHOLE


def test_confirmation_shows_net_and_vat_per_rate_and_who_sold_it():
    _order, message = rendered("order_confirmation", "en")

    text = str(message.body).replace("\u00a0", " ")
    assert "of which VAT 12%: SEK 67.50 (on SEK 562.50 without VAT)" in text
    assert "of which VAT 25%: SEK 20 (on SEK 80 without VAT)" in text
    assert "Paid: SEK 730" in text
    for fact in ("Festföreningen Lyktan", "org. no. 802999-0000", "VAT no. SE802999000001", "583 30 Linköping"):
        assert fact in text
        assert fact in Page(html_of(message)).words


def test_changes_are_told_with_what_was_before():
    _order, message = rendered("event_moved", "en")

    text = str(message.body)
    assert "- Starts: Thursday 12 December 18:00 (before: Wednesday 11 December 17:00)" in text
    assert "- Doors: Thursday 12 December 17:30 (before: not said)" in text
    assert "- Place: Kårhuset Fyren (before: Gamla matsalen)" in text


def test_cancelled_event_names_what_goes_back():
    _order, message = rendered("event_cancelled", "en")

    back = "All SEK\u00a0730 goes back the way it was paid and arrives within 5–10 bank days."
    assert f"{back} You need do nothing." in str(message.body)


def test_failed_refund_is_called_a_debt():
    _order, message = rendered("refund_failed", "en")

    assert message.subject.endswith("did not reach you")
    assert "We owe it to you" in str(message.body)


def picture_of(message: EmailMultiAlternatives) -> Image.Image:
    (part,) = [part for part in message.attachments if not isinstance(part, tuple)]
    assert part["Content-ID"] == "<poster>"
    assert part["Content-Disposition"].startswith("inline")
    return Image.open(io.BytesIO(part.get_payload(decode=True)))


def is_brand_shown(image: Image.Image) -> bool:
    """Whether a good part of the picture is the organisation's colour, give or take a shade."""
    near = [
        number
        for number, colour in image.convert("RGB").getcolors(100_000)
        if math.dist(colour, (0xA5, 0x12, 0x4B)) < 8
    ]
    return sum(near) > image.width * image.height / 20


def with_page(**hero: Any) -> Callable[[], tuple[Order, Payload]]:
    def arrange() -> tuple[Order, Payload]:
        order = paid()
        event = order.event
        home = tenancy.ensure_site()
        root = home.add_child(instance=OrganisationPage(title="Lyktan", slug="l", organisation=event.organisation))
        body = [{"type": "hero", "value": hero, "id": "h1"}]
        root.add_child(instance=EventPage(title="Lucia", slug="lucia", event=event, body=json.dumps(body)))
        return order, {}

    return arrange


def test_poster_of_the_event_travels_with_the_mail():
    order, message = rendered("order_confirmation", "en", known)

    image = picture_of(message)
    assert image.size == (1200, 600)
    assert 'src="cid:poster"' in html_of(message)
    assert 'alt=""' in html_of(message)
    assert is_brand_shown(image)


def known() -> tuple[Order, Payload]:
    """Of an event whose motif and drawing are always the same: they follow from its public id."""
    order = paid()
    order.event.public_id = UUID("01941f29-7c00-7000-8000-000000000001")
    order.event.save(update_fields=["public_id"])
    return order, {}


def test_drawing_that_the_page_chose_is_shown():
    _order, message = rendered("order_confirmation", "en", with_page(motif="lucia"))

    assert not is_brand_shown(picture_of(message))


def test_photo_is_shown_and_one_that_is_lost_does_not_stop_the_mail(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path)
    photo = picture("x", size=(1600, 1200))

    order, message = rendered("order_confirmation", "en", with_page(photo=photo.pk))
    assert (picture_of(message).format, picture_of(message).size) == ("JPEG", (1200, 600))

    for rendition in photo.renditions.all():
        Path(rendition.file.path).unlink()
    with override("en"):
        letter = letters.write(order, {"name": "order_confirmation"}, clock.now())
        assert letter is not None
        assert picture_of(mails.render(order, letter, to=order.email)).format == "PNG"


def test_files_come_after_the_page_and_its_picture():
    order, payload = confirmation()
    with override("en"):
        letter = letters.write(order, {"name": "order_confirmation", **payload}, clock.now())
        assert letter is not None
        message = mails.render(order, letter, to=order.email, files=[("Biljett Å.pdf", b"%PDF-1.7")])

    assert [part.get_content_type() for part in message.message().walk()] == [
        "multipart/mixed",
        *WHOLE,
        "application/pdf",
    ]
    assert "as PDF in this mail" in str(message.body)
