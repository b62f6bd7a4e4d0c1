"""What is not for everybody: it leaks nowhere, and is there for whoever may have it."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from config.logs import mask
from django.conf import LazySettings
from django.core.cache import cache
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_started
from django.db import close_old_connections, connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import override

from apps.discounts import allotment
from apps.discounts.extensions import Verdict
from apps.discounts.gates import MEMBERS_ONLY, MEMBERSHIP_UNKNOWN
from apps.discounts.models import Audience, MemberBody, Membership, PresaleLink
from apps.discounts.presale_mails import address_of
from apps.discounts.presale_people import HasALink, PresaleData
from apps.events import page_cache, tenancy
from apps.events.models import OrganisationPage
from apps.ticketing import catalogue, clock, ordering, queue, reasons, reservations, sale
from apps.ticketing.context import PurchaseContext
from apps.ticketing.models import Order, TicketType
from tests import factories, mould
from tests.discounts import presales
from tests.tenancy.world import page_of

pytestmark = pytest.mark.django_db
HIDDEN = "Hemliga klubben"


@pytest.fixture(autouse=True)
def english(settings: LazySettings) -> None:
    settings.LANGUAGE_CODE = "en"
    cache.clear()


@pytest.fixture
def event() -> Any:
    """An event with a page, a public ticket, and one hidden in each way."""
    named = {"slug": "lyktan", "legal_name": "Lyktan", "email": "l@example.org"}
    organisation = mould.cast(tenancy.create_organisation, "Lyktan", **named)
    made = factories.event(organisation=organisation)
    public = factories.ticket_type(made, factories.quota(made, 5), name_sv="Sittning", name_en="Dinner")
    names = {"name_sv": HIDDEN, "name_en": HIDDEN, "description_sv": HIDDEN, "description_en": HIDDEN}
    opens = {"sale_opens_at": clock.now() + timedelta(days=1)}
    for visibility in ("link", "members"):
        for facts in ({}, opens):
            kind = factories.ticket_type(made, factories.quota(made, 5), visibility=visibility, **facts, **names)
            kind.conflicts_with.add(public)
    factories.ticket_type(made, factories.quota(made, 5), visibility="after", after_type=public, **names)
    root = OrganisationPage.objects.get(pk=organisation.root_page_id)
    page_of(made, root, body=[{"type": "tickets", "value": {"heading": "", "event": None}, "id": "a1"}])
    return made


def public_addresses(event: Any) -> list[str]:
    found = ["/", "/sitemap.xml", "/robots.txt"]
    for language in ("sv", "en"):
        with override(language):
            found += [
                reverse("event_list"),
                reverse("event_list") + f"?q={HIDDEN}",
                reverse("event_feed"),
                reverse("organisation_feed", args=["lyktan"]),
            ]
            found += [
                reverse(f"ticketing:{name}", args=[event.public_id])
                for name in ("form", "sale_status", "sale_news", "remind")
            ]
    return [*found, event.pages.first().url]


def test_a_hidden_ticket_leaks_nowhere(client: Client, event: Any) -> None:
    hidden = TicketType.objects.filter(event=event).exclude(visibility="public")
    words = {HIDDEN.lower(), *(str(kind.public_id) for kind in hidden)}
    posted = [
        {"email": "a@example.org", "idempotency_key": uuid.uuid4().hex, f"type-{kind.public_id}": "1"}
        for kind in hidden
    ]

    answers = {address: client.get(address) for address in public_addresses(event)}
    answers |= {f"form {n}": client.post(presales.form_of(event), data) for n, data in enumerate(posted)}

    texts = {name: answer.content.decode().lower() for name, answer in answers.items()}
    searched = "?q="  # says what was looked for, which is no leak
    leaks = {
        (name, word)
        for name, text in texts.items()
        for word in words
        if word in text.replace(HIDDEN.lower() if searched in name else "\0", "")
    }
    assert leaks == set()
    assert sum(answer.status_code == 200 for answer in answers.values()) >= 15
    assert {answers[f"form {n}"].status_code for n in range(len(posted))} == {422}
    assert any("dinner" in text for text in texts.values()), "the walk must see what is public"
    assert not Order.objects.exists()


def test_the_walk_would_see_a_leak(client: Client, event: Any) -> None:
    TicketType.objects.filter(event=event, visibility="link").update(visibility="public")

    texts = [client.get(address).content.decode() for address in public_addresses(event) if "?q" not in address]

    assert sum(HIDDEN in text for text in texts) >= 3


@pytest.mark.parametrize(("sold", "is_open"), [(0, False), (5, True)], ids=["places-left", "sold-out"])
def test_the_next_release_stays_closed_while_the_first_is_unpublished_and_not_sold_out(
    event: Any, sold: int, is_open: bool
) -> None:
    first = event.ticket_types.get(visibility="public")
    if sold:
        factories.order(event, factories.wanted(first, sold))
        queue.drain(event.pk)
    TicketType.objects.filter(event=event, visibility="after").update(came_up_at=None)
    TicketType.objects.filter(pk=first.pk).update(is_published=False)

    other = factories.ticket_type(event, factories.quota(event, 5))
    factories.order(event, factories.wanted(other, 1), email="another@example.org")
    queue.drain(event.pk)

    later = event.ticket_types.get(visibility="after")
    assert (later.came_up_at is not None) == is_open
    shown = sale.load(event, PurchaseContext(event.pk, "SEK", clock.now()))
    assert (later.pk in {offer.facts.id for offer in shown.offers}) == is_open


# --- The page of a link ---------------------------------------------------------------------------------------------


def test_the_page_of_a_link_is_neither_taken_from_the_cache_nor_kept(client: Client, event: Any) -> None:
    kind = TicketType.objects.filter(event=event, visibility="link")[0]
    made = presales.link(kind)
    page = event.pages.first().url

    with_link = client.get(f"{page}?link={made.secret}")
    without = client.get(page)
    again = client.get(f"{page}?link={made.secret}")

    assert made.secret in with_link.content.decode() and made.secret in again.content.decode()
    assert made.secret not in without.content.decode()
    assert [with_link[name] for name in ("Cache-Control", "Referrer-Policy", "X-Robots-Tag")] == [
        "private, no-store",
        "same-origin",
        "noindex, nofollow",
    ]
    assert "public" in without["Cache-Control"] and "Referrer-Policy" not in str(without.headers.get("X-Robots-Tag"))


def test_the_pages_of_links_are_one_page_with_each_ones_own(client: Client, event: Any) -> None:
    kind = TicketType.objects.filter(event=event, visibility="link")[0]
    first, second = presales.link(kind), presales.link(kind)
    page = event.pages.first().url
    cache.clear()
    one = client.get(f"{page}?link={first.secret}").content.decode()

    with CaptureQueriesContext(connection) as asked:
        other = client.get(f"{page}?link={second.secret}")

    html = other.content.decode()
    assert not asked.captured_queries
    assert one.count(first.secret) == html.count(second.secret) > 2 and first.secret not in html
    assert page_cache.stand_in() not in one + html
    assert html == one.replace(first.secret, second.secret)
    assert not other.cookies and other["Cache-Control"] == "private, no-store" and "ETag" not in other


@pytest.mark.parametrize(
    "query", ["link=a%22b%3Cc", "link=a%20long%20key", "link=", "link=abcdefgh1&link=abcdefgh2", "q=x&link=abcdefgh1"]
)
def test_keys_that_are_no_plain_one_have_a_page_of_their_own(client: Client, event: Any, query: str) -> None:
    page = event.pages.first().url
    client.get(f"{page}?link=abcdefgh0")

    html = client.get(f"{page}?{query}").content.decode()

    assert page_cache.stand_in() not in html and "abcdefgh0" not in html and 'a"b<c' not in html


def test_an_edit_is_seen_by_those_with_a_link(
    client: Client, event: Any, django_capture_on_commit_callbacks: Any
) -> None:
    page = event.pages.first()
    client.get(f"{page.url}?link=abcdefgh0")
    with django_capture_on_commit_callbacks(execute=True):
        page.title = "Renamed just now"
        page.save_revision().publish()

    assert "Renamed just now" in client.get(f"{page.url}?link=abcdefgh1").content.decode()


def test_what_stands_before_django_lets_a_link_through(event: Any) -> None:
    made = presales.link(TicketType.objects.filter(event=event, visibility="link")[0])
    front = page_cache.Front(WSGIHandler())
    page = event.pages.first().url

    other = presales.link(TicketType.objects.filter(event=event, visibility="link")[0])
    heads: list[dict[str, str]] = []

    def visit(query: str) -> str:
        asked = RequestFactory().get(page).environ | {"QUERY_STRING": query, "HTTP_ACCEPT_ENCODING": "gzip"}
        return b"".join(front(asked, lambda _status, headers, *_more: heads.append(dict(headers)))).decode()

    request_started.disconnect(close_old_connections)  # the test's own; Django's client does the same
    try:
        visit("")
        front.looked_at = 0.0  # half a second later
        front._is_current()
        heads.clear()
        queries = ("", f"link={made.secret}", f"link={other.secret}", f"x=1&link={made.secret}", "q=x&link=abcdefgh1")
        pages = [visit(query) for query in queries]
    finally:
        request_started.connect(close_old_connections)

    assert [made.secret in html for html in pages] == [False, True, False, True, False]
    assert pages[2] == pages[1].replace(made.secret, other.secret) and page_cache.stand_in() not in "".join(pages)
    assert len(front.pages) == 2  # what was given to everybody, and to everybody with a link
    for head in heads[1:4]:
        assert head["Cache-Control"] == "private, no-store" and "Content-Encoding" not in head and "ETag" not in head


def test_the_link_survives_signing_in(client: Client, event: Any) -> None:
    type(event).objects.filter(pk=event.pk).update(sign_in_required=True)
    made = presales.link(TicketType.objects.filter(event=event, visibility="link")[0])

    answer = client.get(presales.form_of(event, made)).content.decode()

    assert f"next=/en/events/{event.public_id}/tickets/%3Flink%3D{made.secret}" in answer


def test_the_secret_of_a_link_is_masked_in_logs(event: Any) -> None:
    made = presales.link(TicketType.objects.filter(event=event, visibility="link")[0])

    lines = [
        f"GET {address_of(made)} 200",
        f"GET /en/accounts/login/?next=/en/events/x/tickets/%3Flink%3D{made.secret} 200",
        f"GET /sv/lyktan/x/?a=1&link={made.secret}&b=2 200",
        f"tokens ['link:{made.secret}'] of an order",
    ]

    masked = [mask(line) for line in lines]
    assert [made.secret in line for line in lines] == [True] * 4
    assert [made.secret in line for line in masked] == [False] * 4
    assert masked[2].endswith("&b=2 200")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ([f"link:{n}" for n in range(9)], [f"link:{n}" for n in range(5)]),
        (["x" * 500], ["x" * 120]),
        (["link:a", "link:a", "  ", "nul\0led"], ["link:a", "nul led"]),
    ],
    ids=["five-at-most", "120-characters-at-most", "cleaned"],
)
def test_what_a_form_may_bring_is_bounded(client: Client, event: Any, sent: list[str], kept: list[str]) -> None:
    presales.send(client, event.ticket_types.get(visibility="public"), 1, tokens=sent)

    assert Order.objects.get().tokens == kept


def test_an_editor_looks_as_somebody_with_a_link(event: Any) -> None:
    kind = TicketType.objects.filter(event=event, visibility="link", sale_opens_at=None)[0]
    made, over = presales.link(kind), presales.link(kind, closes_at=clock.now() + timedelta(hours=1))
    later = PurchaseContext(event.pk, "SEK", clock.now() + timedelta(hours=2), preview=True)

    assert HasALink().dress(later).tokens == (presales.token(made),)
    assert over.secret not in str(HasALink().dress(later))


def test_a_person_exports_and_erases_the_links_made_for_them(event: Any) -> None:
    person = factories.user(email="kim@example.org")
    EmailAddress.objects.create(user=person, email=person.email, verified=True, primary=True)
    kind = TicketType.objects.filter(event=event, visibility="link")[0]
    presales.link(kind, email="Kim@example.org", label="Kim")
    presales.link(kind, email="other@example.org", label="Another")

    exported = PresaleData().export(person)["presale_links"]
    PresaleData().erase(person)

    assert [link["label"] for link in exported] == ["Kim"]
    assert list(PresaleLink.objects.order_by("pk").values_list("label", "email")) == [
        ("–", ""),
        ("Another", "other@example.org"),
    ]


# --- Members --------------------------------------------------------------------------------------------------------


@pytest.fixture
def members(event: Any) -> Any:
    kind = TicketType.objects.filter(event=event, visibility="members", sale_opens_at=None)[0]
    kind.conflicts_with.clear()
    body = MemberBody.objects.create(organisation=event.organisation, name_en="M", source="list", source_key="m")
    Audience.objects.create(ticket_type=kind, body=body)
    return kind


def known(kind: TicketType, verdict: Verdict | None, *, hours: int = 1) -> Any:
    person = factories.user()
    if verdict is not None:
        at = clock.now()
        body = kind.audiences.get().body
        until = at + timedelta(hours=hours)
        Membership.objects.create(body=body, user=person, verdict=verdict, told_at=at, good_until=until)
    return person


SEEN = {"yes": (Verdict.YES, True), "no": (Verdict.NO, False), "unknown": (Verdict.UNKNOWN, False), "": (None, False)}


@pytest.mark.parametrize(("verdict", "is_seen"), SEEN.values(), ids=["yes", "no", "unknown", "never-asked"])
def test_a_ticket_for_members_is_seen_and_bought_by_members(
    client: Client, event: Any, members: Any, verdict: Verdict | None, is_seen: bool
) -> None:
    client.force_login(known(members, verdict))

    page = presales.text_of(client.get(presales.form_of(event)))
    answer = presales.send(client, members, 1, tokens=[])

    assert (HIDDEN in page) is is_seen
    assert ("Some tickets are for members" in page) is not is_seen or is_seen
    assert answer.status_code == (303 if is_seen else 422)
    if is_seen:
        assert presales.decided(Order.objects.get()) == [("reserved", "")]


def test_a_guest_is_told_that_there_is_something_for_members_and_not_what(client: Client, event: Any) -> None:
    page = presales.text_of(client.get(presales.form_of(event)))

    assert "Some tickets are for members." in page and "Sign in to see them" in page
    assert HIDDEN not in page


REFUSED = {
    "no": (Verdict.NO, MEMBERS_ONLY),
    "unknown": (Verdict.UNKNOWN, MEMBERSHIP_UNKNOWN),
    "never-asked": (None, MEMBERSHIP_UNKNOWN),
}


@pytest.mark.parametrize(("verdict", "reason"), REFUSED.values(), ids=REFUSED)
def test_the_queue_judges_membership_again(members: Any, verdict: Verdict | None, reason: str) -> None:
    person = known(members, verdict)

    order = factories.order(members.event, factories.wanted(members), user=person)

    assert presales.decided(order) == [("rejected", reason)]
    guest = factories.order(members.event, factories.wanted(members))
    assert presales.decided(guest) == [("rejected", MEMBERS_ONLY)]


def test_whom_the_door_alone_knows_is_not_told_to_try_again(members: Any) -> None:
    MemberBody.objects.update(source="door")

    order = factories.order(members.event, factories.wanted(members), user=known(members, Verdict.UNKNOWN))

    assert presales.decided(order) == [("rejected", MEMBERS_ONLY)]


def test_a_link_does_not_make_a_member(members: Any) -> None:
    made = presales.link(members)

    assert presales.buy(members, 1, made).reason == MEMBERS_ONLY
    assert presales.buy(members, 1, made, user=known(members, Verdict.YES)).state == "reserved"


def test_a_link_whose_maker_said_so_is_enough_until_it_is_used_up(client: Client, event: Any, members: Any) -> None:
    made = presales.link(members, size=1, admits_non_members=True)
    other = presales.link(members, size=5)

    page = presales.text_of(client.get(presales.form_of(event, made)))
    first, late = presales.place(members, 1, made), presales.place(members, 1, made, email="late@example.org")

    assert HIDDEN in page and "Some tickets are for members" not in page.partition(HIDDEN)[2]
    assert presales.decided(first, late) == [("reserved", ""), ("rejected", allotment.USED_UP)]
    assert presales.buy(members, 1, made, other, email="both@example.org").reason == MEMBERS_ONLY
    assert presales.buy(members, 1, other, email="sight@example.org").reason == MEMBERS_ONLY
    made.refresh_from_db()
    assert made.used == 1


def test_a_link_of_another_ticket_admits_to_none(event: Any, members: Any) -> None:
    hidden = TicketType.objects.filter(event=event, visibility="link")[0]
    made = presales.link(hidden, admits_non_members=True)

    assert presales.buy(members, 1, made).reason == MEMBERS_ONLY


# --- After another is sold out ---------------------------------------------------------------------------------------


def test_a_ticket_that_comes_up_when_another_is_sold_out_stays_open(client: Client, event: Any) -> None:
    dinner, later = event.ticket_types.get(visibility="public"), event.ticket_types.get(visibility="after")
    address = presales.form_of(event)
    assert HIDDEN not in presales.text_of(client.get(address))

    bought = presales.buy(dinner, 5)
    catalogue.forget()  # as on commit
    sold_out = presales.text_of(Client().get(address))
    ordering.cancel(bought)
    places_are_back = presales.text_of(Client().get(address))
    late = presales.send(Client(), later, 1, tokens=[])

    assert HIDDEN in sold_out and HIDDEN in places_are_back
    assert late.status_code == 303
    assert presales.decided(Order.objects.get(email="robin@example.org")) == [("reserved", "")]


def test_places_set_aside_or_taken_away_sell_a_ticket_out_too(event: Any) -> None:
    dinner, later = event.ticket_types.get(visibility="public"), event.ticket_types.get(visibility="after")
    presales.buy(dinner, 3)

    reservations.resize(dinner.quotas.get(), 3)
    later.refresh_from_db()

    assert later.came_up_at is not None
    assert presales.buy(later, 1).state == "reserved"
    TicketType.objects.filter(pk=later.pk).update(came_up_at=None)
    reservations.resize(dinner.quotas.get(), 5)
    presales.link(dinner, size=2, sets_aside=True, closes_at=clock.now() + timedelta(hours=1))
    later.refresh_from_db()
    assert later.came_up_at is not None


def test_before_it_is_sold_out_the_later_ticket_is_refused_by_the_queue_too(event: Any) -> None:
    later = event.ticket_types.get(visibility="after")

    assert presales.buy(later, 1).reason == reasons.NOT_ON_SALE
