"""The desk for presale links: one by one, from a list, mailed, revoked; and for whom members' tickets are."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.discounts import presale, presale_lists, presale_mails
from apps.discounts.models import Audience, MemberBody, PresaleBatch, PresaleLink
from apps.events import tenancy
from apps.ticketing import clock, outbox
from tests import factories, mould
from tests.discounts import presales
from tests.tenancy.world import member

pytestmark = pytest.mark.django_db


@pytest.fixture
def event(settings: LazySettings) -> Any:
    settings.LANGUAGE_CODE = "en"
    organisation = mould.cast(tenancy.create_organisation, "Lyktan", slug="lyktan", legal_name="Lyktan")
    return factories.event(organisation=organisation)


@pytest.fixture
def alumni(event: Any) -> Any:
    return presales.hidden_type(event)


@pytest.fixture
def editor(client: Client, event: Any) -> Any:
    person = member(event.organisation, tenancy.Role.EDITOR)
    client.force_login(person)
    return person


def written(kind: Any, **facts: Any) -> dict[str, Any]:
    return {"label": "Alumni 1998", "email": "", "locale": "en", "ticket_types": [kind.pk], "size": 5, **facts}


def tomorrow() -> str:
    return f"{clock.now() + timedelta(days=1):%Y-%m-%d %H:%M}"


def run(kind: str) -> None:
    outbox.run_all(kinds=[kind])


def sentences(response: Any) -> str:
    return presales.text_of(response)


def test_an_editor_makes_a_link_copies_it_and_has_it_mailed(client: Client, editor: Any, alumni: Any) -> None:
    address = f"{reverse('presale_desk:add')}?event={alumni.event.public_id}"
    facts = written(alumni, email="kim@example.org", sets_aside="on", closes_at=tomorrow())

    assert "Alumni" in sentences(client.get(address))
    answer = client.post(address, facts, follow=True)
    made = PresaleLink.objects.get()
    client.post(reverse("presale_desk:mail", args=[made.public_id]))
    run(presale_mails.KIND)

    assert (made.size, made.sets_aside, presales.stock(alumni)) == (5, True, [(10, 0, 5)])
    assert presale_mails.address_of(made) in answer.content.decode().replace("&amp;", "&")
    [message] = mail.outbox
    assert message.to == ["kim@example.org"]
    assert presale_mails.address_of(made) in message.body and "5 tickets" in message.body
    made.refresh_from_db()
    assert made.mailed_at is not None
    assert "Alumni 1998" in sentences(client.get(reverse("event_desk:edit", args=[alumni.event.public_id])))
    assert "0 / 5" in sentences(client.get(reverse("presale_desk:index")))


WRONG = {
    "no-ticket": ({"ticket_types": []}, "Choose which tickets the link opens."),
    "too-many": (
        {"size": 11, "sets_aside": "on", "closes_at": "2099-01-01 10:00"},
        "Only 10 places are left",
    ),
    "none": ({"size": 0}, "greater than or equal to 1"),
    "far-too-many": ({"size": 99_999, "max_per_person": 99_999}, "less than or equal to 1000"),
    "no-end": ({"sets_aside": "on"}, "Say until when the places are set aside."),
    "mailed-nowhere": ({"mails_it": "on"}, "Write the address to which the link is mailed."),
}


@pytest.mark.parametrize(("facts", "sentence"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_a_link_is_said_beside_the_form(
    client: Client, editor: Any, alumni: Any, facts: dict[str, Any], sentence: str
) -> None:
    type(alumni.event).objects.filter(pk=alumni.event_id).update(ends_at="2100-01-01T00:00:00Z")
    address = f"{reverse('presale_desk:add')}?event={alumni.event.public_id}"

    answer = client.post(address, written(alumni, **facts))

    assert (answer.status_code, PresaleLink.objects.count()) == (200, 0)
    assert sentence in sentences(answer)


def test_a_second_editors_stale_form_is_refused_with_what_changed(client: Client, editor: Any, alumni: Any) -> None:
    made = presales.link(alumni, size=5)
    address = reverse("presale_desk:edit", args=[made.public_id])
    seen = re.search(r'name="seen" value="(\d+)"', client.get(address).content.decode())
    assert seen is not None
    presale.change(made, seen=made.edition, types=[alumni], size=8)

    refused = client.post(address, written(alumni, size=6, seen=seen[1]))
    accepted = client.post(address, written(alumni, size=6, seen=int(seen[1]) + 1))

    assert "Somebody else saved this link" in sentences(refused) and "Number of tickets: 8" in sentences(refused)
    assert accepted.status_code == 302
    assert PresaleLink.objects.get().size == 6


def test_a_link_cannot_be_good_for_fewer_than_were_bought(client: Client, editor: Any, alumni: Any) -> None:
    made = presales.link(alumni, size=5)
    bought = presales.buy(alumni, 3, made)

    answer = client.post(reverse("presale_desk:edit", args=[made.public_id]), written(alumni, size=2, seen=1))
    used = sentences(client.get(reverse("presale_desk:inspect", args=[made.public_id])))

    assert "3 tickets are held or sold" in sentences(answer)
    assert PresaleLink.objects.get().size == 5
    assert bought.reference in used and "3 of 5 tickets are held or sold." in used


def test_an_editor_revokes_a_link_and_its_places_are_everybodys(client: Client, editor: Any, alumni: Any) -> None:
    made = presales.link(alumni, size=5, sets_aside=True, closes_at=clock.now() + timedelta(days=1))

    client.post(reverse("presale_desk:delete", args=[made.public_id]))

    assert presales.stock(alumni) == [(10, 0, 0)]
    assert PresaleLink.objects.get().revoked_at is not None
    assert "Revoked" in sentences(client.get(reverse("presale_desk:inspect", args=[made.public_id])))


LIST = """E-post;Namn;Antal
anna@example.org;Anna;2
bo@example.org;Bo;
;Utan adress;3
not an address;Cilla;1
anna@example.org;Anna igen;1
dag@example.org;Dag;många
;;
"""


def test_a_list_is_looked_at_before_its_links_are_made_and_mailed(client: Client, editor: Any, alumni: Any) -> None:
    address = f"{reverse('presale_batch_desk:add')}?event={alumni.event.public_id}"
    common = {"ticket_types": [alumni.pk], "size": 1, "locale": "sv", "is_mailed": "on"}

    file = SimpleUploadedFile("list.csv", LIST.encode("cp1252"), content_type="text/csv")
    shown = client.post(address, {**common, "file": file})
    assert PresaleLink.objects.count() == PresaleBatch.objects.count() == 0
    answer = client.post(address, {**common, "rows": shown.context["text"], "sure": "on"})
    batch = PresaleBatch.objects.get()
    progress = sentences(client.get(answer["Location"]))
    run(presale_lists.KIND)
    run(presale_mails.KIND)
    done = sentences(client.get(answer["Location"]))

    told = sentences(shown)
    assert "3 links can be made" in told and "For 6 tickets in all." in told and "3 lines cannot" in told
    assert "“not an address” is no e-mail address." in told and "“många” is no number of tickets" in told
    assert "0 of 3 links are made" in progress and "3 of 3 links are made" in done and "2 of 2 mails" in done
    batch.refresh_from_db()
    assert (batch.waiting, batch.made_at is not None) == ([], True)
    rows = PresaleLink.objects.order_by("pk").values_list("label", "email", "size")
    assert list(rows) == [("Anna", "anna@example.org", 2), ("Bo", "bo@example.org", 1), ("Utan adress", "", 3)]
    assert sorted(message.to[0] for message in mail.outbox) == ["anna@example.org", "bo@example.org"]
    secrets = set(PresaleLink.objects.values_list("secret", flat=True))
    assert len(secrets) == 3 and all(len(secret) >= 32 for secret in secrets)


def test_a_list_may_end_its_lines_like_any_program() -> None:
    text = LIST.replace("\r\n", "\n")
    as_written = presale_lists.read(text, tickets=1)

    assert [presale_lists.read(text.replace("\n", end), tickets=1) for end in ("\r", "\r\n")] == [as_written] * 2
    assert len(as_written.rows) == 3
    assert len(presale_lists.read("anna@example.org;An\rna\n", tickets=1).rows) == 2 - 1  # the rest is no address


@pytest.mark.parametrize("field", ["file", "rows"])
def test_a_list_that_is_no_csv_is_refused_with_a_sentence(client: Client, editor: Any, alumni: Any, field: str) -> None:
    address = f"{reverse('presale_batch_desk:add')}?event={alumni.event.public_id}"
    common = {"ticket_types": [alumni.pk], "size": 1, "locale": "sv"}
    text = "anna@example.org;" + "x" * 131_073
    given = SimpleUploadedFile("list.csv", text.encode(), content_type="text/csv") if field == "file" else text

    answer = client.post(address, {**common, field: given})

    assert answer.status_code == 200
    assert answer.context["form"].errors == {field: ["This is no text file. Save the list as CSV."]}
    assert not PresaleBatch.objects.exists()


def test_a_list_that_was_cut_off_goes_on_and_makes_nothing_twice(alumni: Any, editor: Any) -> None:
    rows = [presale_lists.Row(f"Nr {n}", "", 1) for n in range(60)]
    batch = presale_lists.begin(alumni.event, rows, types=[alumni], is_mailed=False, by=editor, locale="sv")

    assert presale_lists.make_some(batch.pk) is True
    after_one = PresaleLink.objects.count()
    run(presale_lists.KIND)
    run(presale_lists.KIND)

    assert after_one == presale_lists.AT_ONCE
    assert list(PresaleLink.objects.order_by("pk").values_list("label", flat=True)) == [row.label for row in rows]


def test_a_list_stands_still_when_places_run_out_and_goes_on_when_there_are_more(
    client: Client, alumni: Any, editor: Any
) -> None:
    rows = [presale_lists.Row(f"Nr {n}", "", 4) for n in range(3)]
    terms = {"sets_aside": True, "closes_at": clock.now() + timedelta(days=1), "locale": "sv"}
    batch = presale_lists.begin(alumni.event, rows, types=[alumni], is_mailed=False, by=editor, **terms)
    address = reverse("presale_batch_desk:inspect", args=[batch.public_id])

    run(presale_lists.KIND)
    stopped = sentences(client.get(address))
    alumni.quotas.update(size=12)
    client.post(address)
    run(presale_lists.KIND)

    assert "0 of 3 links are made" in stopped and "cannot set theirs aside" in stopped
    assert "3 of 3 links are made" in sentences(client.get(address))
    assert presales.stock(alumni) == [(12, 0, 12)]


def test_an_editor_says_whose_members_a_ticket_is_for(client: Client, editor: Any, event: Any) -> None:
    kind = factories.ticket_type(event, factories.quota(event), visibility="members", name_en="Members")
    body, other = (
        MemberBody.objects.create(organisation=event.organisation, name_en=name, source="list", source_key=name)
        for name in ("LinTek", "StuFF")
    )
    foreign = MemberBody.objects.create(
        organisation=factories.organisation(), name_en="Foreign", source="list", source_key="x"
    )
    address = reverse("presale_audience", args=[kind.public_id])

    before = sentences(client.get(address))
    client.post(address, {"body": [str(body.public_id), str(foreign.public_id), "nonsense"]})

    assert "LinTek" in before and "Foreign" not in before
    assert list(Audience.objects.values_list("body", flat=True)) == [body.pk]
    client.post(address, {"body": [str(other.public_id)]})
    assert list(Audience.objects.values_list("body", flat=True)) == [other.pk]


def test_second_editor_is_told_whose_members_the_first_chose(client: Client, editor: Any, event: Any) -> None:
    kind = factories.ticket_type(event, factories.quota(event), visibility="members", name_en="Members")
    made = {"organisation": event.organisation, "source": "list"}
    lintek, stuff = (MemberBody.objects.create(name_en=name, source_key=name, **made) for name in ("LinTek", "StuFF"))
    address = reverse("presale_audience", args=[kind.public_id])
    opened = client.get(address).context["opened"]
    Audience.objects.create(ticket_type=kind, body=lintek)

    refused = client.post(address, {"body": [str(stuff.public_id)], "opened": opened})
    assert "from “” to “LinTek”. Nothing was saved" in sentences(refused)
    assert list(Audience.objects.values_list("body", flat=True)) == [lintek.pk]
    assert refused.context["chosen"] == {stuff.pk}

    client.post(address, {"body": [str(stuff.public_id)], "opened": refused.context["opened"]})
    assert list(Audience.objects.values_list("body", flat=True)) == [stuff.pk]


def test_second_editor_is_told_which_tickets_the_first_chose(client: Client, editor: Any, alumni: Any) -> None:
    made = presales.link(alumni, label="Alumni")
    other = factories.ticket_type(alumni.event, factories.quota(alumni.event), name_en="Dance", name_sv="Dans")
    address = reverse("presale_desk:edit", args=[made.public_id])
    form = client.get(address).context["form"]
    opened = {name: form[name].value() for name in ("label", "size", "seen", "locale")}
    changed = {"label": made.label, "size": made.size}
    presale.change(made, seen=made.edition, types=[other], **changed)

    refused = client.post(address, {**opened, "ticket_types": [alumni.pk]})

    assert "Now it says: tickets: Dance" in sentences(refused).replace("Tickets:", "tickets:")


def test_the_desk_shows_nothing_of_another_association(client: Client, alumni: Any) -> None:
    made = presales.link(alumni, label="Secret society")
    stranger = member(tenancy.create_organisation("Other", slug="other"), tenancy.Role.EDITOR)
    client.force_login(stranger)

    addresses = [reverse(f"presale_desk:{name}", args=[made.public_id]) for name in ("inspect", "edit", "delete")]
    addresses.append(reverse("presale_audience", args=[alumni.public_id]))
    addresses.append(f"{reverse('presale_desk:add')}?event={alumni.event.public_id}")

    assert {client.get(address).status_code for address in addresses} == {404}
    assert "Secret society" not in sentences(client.get(reverse("presale_desk:index")))
