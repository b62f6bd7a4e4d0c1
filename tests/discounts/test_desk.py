"""The organiser's desk: rules in words, codes, sponsors, what a person would pay, and two editors in one form."""

from __future__ import annotations

import contextlib
import html
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse

from apps.discounts import rules
from apps.discounts.models import Allowance, Audience, Code, Discount, ListedPerson
from apps.events import stale
from apps.ticketing import preview, queue
from tests import factories
from tests.discounts import builders
from tests.tenancy.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(ours: World) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(ours.editor)
    return client


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode()).replace("\xa0", " ")


def typed(**values: Any) -> dict[str, Any]:
    return {
        "name_sv": "Kårpris",
        "name_en": "Member price",
        "kind": "price",
        "amount_minor": "180",
        "percent": "",
        "stacking": "best",
        "position": "1",
        "when_unknown": "full",
        "is_active": "on",
        **values,
    }


def add_address(world: World) -> str:
    return f"{reverse('discount_desk:add')}?event={world.event.public_id}"


def test_editor_makes_a_member_price_and_reads_it_in_words(desk: Client, ours: World) -> None:
    body = builders.body(ours.organisation)
    sponsor = builders.sponsor(ours.organisation)

    sent = typed(
        bodies=[body.pk],
        ticket_types=[ours.kind.pk],
        sponsor=sponsor.pk,
        max_tickets="50",
        max_per_person="1",
        listed_emails="",
    )
    assert desk.post(add_address(ours), sent).status_code == 302

    row = Discount.objects.get()
    assert (row.kind, row.amount_minor, row.allowance.size, list(row.bodies.all())) == ("price", 18_000, 50, [body])
    page = text_of(desk.get(reverse("event_desk:edit", args=[ours.event.public_id])))
    assert (
        "SEK 180 for Ticket Lyktan. Only for members of LinTek (while a membership is not known: full price, paid back"
        " when verified). The first 50 tickets. On 1 ticket per person. Of those that fit, the best one for the buyer"
        " applies. Paid by Strömbolaget."
    ) in page
    assert "0 of 50" in page


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name_sv": "", "name_en": ""}, "Give it a name in at least one language."),
        ({"kind": "percent"}, "Say how many per cent."),
        ({"kind": "less", "amount_minor": ""}, "Say how much."),
        ({"kind": "percent", "percent": "130"}, "less than or equal to 100"),
        ({"opens_at": "2027-01-02 12:00", "closes_at": "2027-01-01 12:00"}, "It must end after it begins."),
        ({"listed_emails": "robin@example.org\nnobody"}, "“nobody” is no e-mail address."),
        ({"amount_minor": "lots"}, "Write the amount in figures"),
    ],
    ids=["no name", "no per cent", "no amount", "more than all", "ends first", "no address", "no figure"],
)
def test_what_makes_no_sense_gets_a_sentence(desk: Client, ours: World, values: dict[str, str], sentence: str) -> None:
    response = desk.post(add_address(ours), typed(**values))

    assert response.status_code == 200
    assert sentence in text_of(response)
    assert not Discount.objects.exists()


def test_choices_of_another_association_are_refused(desk: Client, ours: World, theirs: World) -> None:
    foreign = {
        "bodies": [builders.body(theirs.organisation).pk],
        "ticket_types": [theirs.kind.pk],
        "sponsor": builders.sponsor(theirs.organisation).pk,
    }

    for name, value in foreign.items():
        assert desk.post(add_address(ours), typed(**{name: value})).status_code == 200
    assert not Discount.objects.exists()


def test_surcharge_is_always_added(desk: Client, ours: World) -> None:
    desk.post(add_address(ours), typed(kind="more", amount_minor="30", stacking="best"))

    assert Discount.objects.get().stacking == "added"


def test_second_editor_is_told_what_the_first_changed(desk: Client, ours: World) -> None:
    row = builders.discount(ours.event, name_sv="Rabatt", name_en="Discount", kind="price", amount_minor=18_000)
    address = reverse("discount_desk:edit", args=[row.public_id])
    opened = desk.get(address).context["form"]["opened"].value()
    Discount.objects.filter(pk=row.pk).update(amount_minor=17_000)

    refused = desk.post(address, typed(amount_minor="150", opened=opened))
    assert "Somebody else has changed this since you opened it: amount: from “180” to “170”." in text_of(refused)
    assert 'value="150"' in refused.content.decode()
    row.refresh_from_db()
    assert row.amount_minor == 17_000

    again = refused.context["form"]["opened"].value()
    assert desk.post(address, typed(amount_minor="150", opened=again)).status_code == 302
    row.refresh_from_db()
    assert row.amount_minor == 15_000


def test_limit_of_a_stale_form_is_told_too(desk: Client, ours: World) -> None:
    row = builders.discount(
        ours.event, name_sv="Rabatt", name_en="Discount", kind="price", amount_minor=18_000, size=50
    )
    address = reverse("discount_desk:edit", args=[row.public_id])
    opened = desk.get(address).context["form"]["opened"].value()
    Allowance.objects.update(size=30)

    refused = text_of(desk.post(address, typed(max_tickets="50", position=row.position, opened=opened)))

    assert "since you opened it: Most tickets in all: from “50” to “30”." in refused
    assert Allowance.objects.get().size == 30


@pytest.mark.django_db(transaction=True)
def test_of_two_editors_who_save_at_once_the_second_is_told(
    desk: Client, ours: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = builders.discount(ours.event, kind="price", amount_minor=17_000)
    address = reverse("discount_desk:edit", args=[row.public_id])
    opened = desk.get(address).context["form"]["opened"].value()
    both_have_looked = threading.Barrier(2)
    judge = stale.say_changes

    def judge_together(*args: Any) -> str:
        told = judge(*args)
        with contextlib.suppress(threading.BrokenBarrierError):
            both_have_looked.wait(timeout=1)
        return told

    monkeypatch.setattr(stale, "say_changes", judge_together)

    def save(amount: str) -> int:
        client = Client(headers={"accept-language": "en"})
        client.force_login(ours.editor)
        try:
            return client.post(address, typed(amount_minor=amount, position=row.position, opened=opened)).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(save, ["150", "160"])) == [200, 302]


def test_what_a_discount_said_before_it_was_changed_is_kept_for_orders_placed_before(desk: Client, ours: World) -> None:
    row = builders.discount(ours.event, kind="price", amount_minor=17_000)
    address = reverse("discount_desk:edit", args=[row.public_id])

    for amount in ("180", "180"):
        assert desk.post(address, typed(amount_minor=amount, position=row.position)).status_code == 302

    assert [each.terms["amount_minor"] for each in row.past_terms.all()] == ["17000"]


def test_limit_does_not_go_below_what_was_used(desk: Client, ours: World) -> None:
    row = builders.discount(ours.event, size=5)
    factories.order(ours.event, factories.wanted(ours.kind, 2, (ours.choice, 1)))
    queue.drain(ours.event.pk)
    address = reverse("discount_desk:edit", args=[row.public_id])

    refused = desk.post(address, typed(max_tickets="1"))
    assert "2 tickets have it already." in text_of(refused)
    assert desk.post(address, typed(max_tickets="2")).status_code == 302
    row.allowance.refresh_from_db()
    assert (row.allowance.size, row.allowance.taken) == (2, 2)
    assert desk.post(reverse("discount_desk:delete", args=[row.public_id])).status_code == 302
    assert Discount.objects.filter(pk=row.pk).exists()


def test_codes_are_made_in_bulk_written_and_switched_off(desk: Client, ours: World) -> None:
    row = builders.discount(ours.event, needs_code=True)
    address = reverse("discount_desk:codes", args=[row.public_id])

    assert desk.post(address, {"number": "40", "begin": "kår-", "size": "2", "note": "=Nollan"}).status_code == 302
    assert desk.post(address, {"texts": "Lucia 26\nSTAFFAN"}).status_code == 302
    taken = desk.post(address, {"texts": "NY\nlucia26\nNYARE"})
    assert taken.status_code == 422
    assert "“NY” is no code" in text_of(taken)
    assert "Taken already at this event: LUCIA26." in text_of(desk.post(address, {"texts": "lucia26\nNYARE"}))

    made = list(Code.objects.order_by("pk").values_list("text", "size"))
    assert len(made) == 42
    assert made[-2:] == [("LUCIA26", None), ("STAFFAN", None)]
    assert all(text.startswith("KÅR-") and size == 2 for text, size in made[:40])
    desk.post(address, {"switch": "STAFFAN", "to": "off"})
    assert not Code.objects.get(text="STAFFAN").is_active
    file = desk.get(reverse("discount_desk:codes_file", args=[row.public_id])).content.decode().splitlines()
    assert file[0] == "\ufeffcode,note,tickets,used,switched_on"
    assert file[-1] == "STAFFAN,,,0,0"
    assert file[1].endswith(",'=Nollan,2,0,1")


def test_list_takes_addresses_and_keeps_none_of_them(desk: Client, ours: World) -> None:
    desk.post(add_address(ours), typed(needs_list="on", listed_emails="Robin@example.org\n\nsam@example.org"))

    assert ListedPerson.objects.count() == 2
    assert not ListedPerson.objects.filter(email_key__contains="@").exists()


def test_people_are_taken_off_a_list(desk: Client, ours: World) -> None:
    row = builders.discount(ours.event, listed=["robin@example.org", "sam@example.org"])
    address = reverse("discount_desk:edit", args=[row.public_id])
    sent = typed(needs_list="on", position=row.position)

    refused = text_of(desk.post(address, {**sent, "unlisted_emails": "robin@example.org\nkim@example.org"}))
    assert "“kim@example.org” is not on the list." in refused
    assert desk.post(address, {**sent, "unlisted_emails": "Robin@example.org"}).status_code == 302

    keys = ListedPerson.objects.values_list("email_key", flat=True)
    assert list(keys) == [rules.person_key("sam@example.org")]


def test_what_would_this_person_pay(desk: Client, ours: World) -> None:
    lintek = builders.body(ours.organisation)
    builders.discount(ours.event, name_sv="Kårpris", name_en="Member price", bodies=[lintek])
    builders.discount(ours.event, name_sv="Kod", name_en="Code", amount_minor=9_000, codes={"LUCIA": 1})
    person = builders.member(lintek)
    address = reverse("discount_desk:person_price", args=[ours.event.public_id])

    def ask(**values: Any) -> str:
        return text_of(desk.get(address, {"kind": ours.kind.pk, "number": "2", **values}))

    assert "SEK 500</h2>" in ask()
    assert "Members of LinTek: SEK 50 less. Sign in to get it." in ask()
    assert "SEK 400</h2>" in ask(members=lintek.pk)
    assert "SEK 400</h2>" in ask(email=person.email)
    assert "SEK 410</h2>" in ask(code="lucia")
    assert "There is no such code for this event." not in ask(code="lucia")
    assert "There is no such code for this event." in ask(code="lucio")
    assert "the difference is paid back once it is known" in ask(unknown=lintek.pk)


def test_accounts_of_strangers_are_not_told_of(desk: Client, ours: World, theirs: World) -> None:
    elsewhere = builders.member(builders.body(theirs.organisation))
    nowhere = "nobody@example.org"
    address = reverse("discount_desk:person_price", args=[ours.event.public_id])

    for email in (elsewhere.email, nowhere):
        page = text_of(desk.get(address, {"kind": ours.kind.pk, "number": "1", "email": email}))
        assert "Nobody with this address has ordered from you or is known as your member." in page
        assert "</h2>" not in page.split("Show the price")[1]


def test_treasurer_reads_who_pays(desk: Client, ours: World, theirs: World) -> None:
    sponsor = builders.sponsor(ours.organisation, "=Strömbolaget")
    builders.discount(ours.event, sponsor=sponsor)
    from tests.tenancy.world import sell

    sell(ours)
    client = Client(headers={"accept-language": "en"})
    client.force_login(ours.treasurer)

    page = text_of(client.get(reverse("sponsor_desk:report")))
    assert "=Strömbolaget stands for, on 1 ticket" in page
    file = client.get(reverse("sponsor_desk:report_file")).content.decode()
    assert ",'=Strömbolaget,1,5000,25000,20000" in file
    client.force_login(theirs.treasurer)
    assert "Strömbolaget" not in text_of(client.get(reverse("sponsor_desk:report")))


def test_menu_and_list_show_own_discounts_alone(desk: Client, ours: World, theirs: World) -> None:
    builders.discount(ours.event, name_en="Ours alone")
    builders.discount(theirs.event, name_en="Theirs alone")

    page = text_of(desk.get(reverse("discount_desk:index")))
    assert "Ours alone" in page
    assert "Theirs alone" not in page
    assert reverse("sponsor_desk:report") in text_of(desk.get("/admin/"))


def test_preview_shows_what_a_member_sees(desk: Client, ours: World) -> None:
    builders.discount(ours.event, kind="price", amount_minor=18_000, bodies=[builders.body(ours.organisation)])
    address = reverse("ticketing:form_preview", args=[ours.event.public_id])

    assert 'data-price-minor="25000"' in desk.get(address).content.decode()
    assert 'data-price-minor="18000"' in desk.get(f"{address}?as=member").content.decode()


def test_preview_shows_what_a_member_of_each_body_sees(desk: Client, ours: World) -> None:
    lintek, consensus = (builders.body(ours.organisation, name) for name in ("LinTek", "Consensus"))
    builders.discount(ours.event, kind="price", amount_minor=18_000, bodies=[lintek])
    hidden = factories.ticket_type(
        ours.event, factories.quota(ours.event), name_sv="Medlemsbord", visibility="members", price_minor=9_900
    )
    Audience.objects.create(ticket_type=hidden, body=consensus)
    address = reverse("ticketing:form_preview", args=[ours.event.public_id])

    def seen(person: str) -> tuple[bool, bool]:
        page = desk.get(address, {"as": person}).content.decode()
        return 'data-price-minor="18000"' in page, "Medlemsbord" in page

    words = dict(preview.persons(ours.event.pk))
    assert seen(f"member:{lintek.public_id.hex}") == (True, False)
    assert seen(f"member:{consensus.public_id.hex}") == (False, True)
    assert seen("member") == (True, True)
    assert seen("member:nobody") == seen("") == (False, False)
    assert [str(label) for slug, label in words.items() if slug.startswith("member:")] == [
        "En medlem i LinTek",
        "En medlem i Consensus",
    ]


def test_what_a_discount_is_for_cannot_be_deleted(desk: Client, ours: World) -> None:
    """Without it, the discount would be for everybody, or on every ticket."""
    lintek = builders.body(ours.organisation)
    kind = factories.ticket_type(ours.event, factories.quota(ours.event), name_sv="Funktionär")
    row = builders.discount(ours.event, name_sv="Kårpris", name_en="Member price", bodies=[lintek], types=[kind])

    for address, sentence in (
        (reverse("member_body_desk:delete", args=[lintek.public_id]), "prices or tickets for members depend on it."),
        (reverse("ticket_type_desk:delete", args=[kind.public_id]), "or a discount is for it."),
    ):
        told = text_of(desk.post(address, follow=True))
        assert sentence in told
        assert "These depend on it: “Member price”." in told

    assert (list(row.bodies.all()), list(row.ticket_types.all())) == ([lintek], [kind])


def test_nothing_waits_for_what_only_the_door_knows(desk: Client, ours: World) -> None:
    card = builders.body(ours.organisation, "Kortet", source="door")
    lintek = builders.body(ours.organisation)

    refused = text_of(desk.post(add_address(ours), typed(bodies=[lintek.pk, card.pk])))
    assert "Only the door knows who is a member of Kortet, so nothing would ever be paid back." in refused
    assert desk.post(add_address(ours), typed(bodies=[card.pk], when_unknown="member")).status_code == 302

    audience = reverse("presale_audience", args=[ours.kind.public_id])
    desk.post(audience, {"body": [str(card.public_id), str(lintek.public_id)]})
    assert [row.body for row in Audience.objects.all()] == [lintek]

    body = {"name_sv": "LinTek", "name_en": "LinTek", "source": "door", "source_key": "card"}
    refused = text_of(desk.post(reverse("member_body_desk:edit", args=[lintek.public_id]), body))
    assert "the door never tells before. Change those first." in refused
