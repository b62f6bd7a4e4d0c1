"""Terms, privacy notice and accessibility statement: whose words hold, what is filled in, and that versions stay."""

from __future__ import annotations

import json
import re

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils.translation import override
from pytest_django.fixtures import DjangoAssertNumQueries
from wagtail.admin.rich_text.converters.contentstate import ContentstateConverter

from apps.events import legal
from apps.events.legal_start import START
from apps.events.models import LegalKind, LegalText, LegalVersion, Organisation
from apps.events.models.legal import FEATURES
from tests import factories
from tests.tenancy.world import World

pytestmark = pytest.mark.django_db
FACTS = {
    "legal_name": "Lyktan & vänner",
    "organisation_number": "802999-0000",
    "address": "Campusvägen 3\r\n581 83 Linköping",
    "email": "lyktan@example.org",
}


@pytest.fixture
def lyktan(ours: World) -> Organisation:
    Organisation.objects.filter(pk=ours.organisation.pk).update(**FACTS)
    ours.organisation.refresh_from_db()
    return ours.organisation


def write(organisation: Organisation | None, kind: str = "terms", **texts: str) -> None:
    LegalText.objects.update_or_create(organisation=organisation, kind=kind, defaults=texts)


def text_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


@pytest.mark.parametrize("kind", LegalKind.values)
@pytest.mark.parametrize("language", ["sv", "en"])
def test_start_text_names_who_it_is_and_leaves_out_what_nobody_knows(
    client: Client, lyktan: Organisation, kind: str, language: str
) -> None:
    with override(language):
        own, house = text_of(client, legal.address(lyktan.slug, kind)), text_of(client, legal.address("", kind))

    assert "Lyktan &amp; vänner" in own and "lyktan@example.org" in own
    assert "{" not in own + house
    assert ("VAT number" in own, "Momsregistreringsnummer" in own) == (False, False)  # they have none
    assert {"sv": "föreningen som håller i evenemanget", "en": "the association that arranges the event"}[
        language
    ] in house
    assert ("802999-0000, " in own, "Campusvägen 3, 581 83 Linköping" in own) == (False, kind != "accessibility")


def test_start_texts_say_the_same_in_both_languages() -> None:
    outline = [[re.findall(r"<(h2|p|li)>|(\{\w+\})", text) for text in texts] for texts in START.values()]

    assert [swedish == english for swedish, english in outline] == [True, True, True]
    assert [legal.unknown_placeholders("".join(texts)) for texts in START.values()] == [[], [], []]


def test_own_words_come_before_the_houses_and_those_before_the_start_text(lyktan: Organisation, theirs: World) -> None:
    def told() -> list[str]:
        rows = (legal.standing(whose, "terms") for whose in (lyktan, theirs.organisation, None))
        return [row.text_en if len(row.text_en) < 60 else "start" for row in rows]

    seen = [told()]
    write(None, text_en="<p>Buy of {seller}.</p>", text_sv="<p>Köp av {seller}.</p>")
    seen.append(told())
    write(lyktan, text_en="<p>Ours.</p>", text_sv="<p>Våra.</p>")
    seen.append(told())

    assert seen == [
        ["start"] * 3,
        [
            "<p>Buy of Lyktan &amp; vänner.</p>",
            f"<p>Buy of {theirs.organisation.seller_name}.</p>",
            "<p>Buy of the association that arranges the event.</p>",
        ],
        [
            "<p>Ours.</p>",
            f"<p>Buy of {theirs.organisation.seller_name}.</p>",
            "<p>Buy of the association that arranges the event.</p>",
        ],
    ]


def test_each_change_is_a_version_with_an_address_that_stays(client: Client, lyktan: Organisation) -> None:
    first = legal.standing(lyktan, "terms")
    again = legal.standing(lyktan, "terms")
    Organisation.objects.filter(pk=lyktan.pk).update(legal_name="Lyktan ideell förening")
    lyktan.refresh_from_db()
    second = legal.standing(lyktan, "terms")
    write(lyktan, text_en="<p>Ours.</p>")
    third = legal.standing(lyktan, "terms")

    assert [row.number for row in (first, again, second, third)] == [1, 1, 2, 3]
    old, new = (text_of(client, legal.address(lyktan.slug, "terms", number)) for number in (1, 3))
    assert "Lyktan &amp; vänner" in old and "This version no longer applies" in old
    assert "Ours." in new and "This version no longer applies" not in new
    assert client.get(legal.address(lyktan.slug, "terms", 4)).status_code == 404
    assert client.get(legal.address("nobody", "terms")).status_code == 404


def test_what_stands_is_one_question_until_something_changes(
    lyktan: Organisation, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    legal.standing(lyktan, LegalKind.TERMS)
    first = legal.standing(lyktan, LegalKind.TERMS)
    with django_assert_num_queries(1):
        again = legal.standing(lyktan, LegalKind.TERMS)

    lyktan.email = "new@lyktan.example"
    moved = legal.standing(lyktan, LegalKind.TERMS)
    write(lyktan, text_en="<p>Ours</p>")
    ours = legal.standing(lyktan, LegalKind.TERMS)
    LegalText.objects.all().delete()

    assert (again.pk, moved.number, ours.number) == (first.pk, first.number + 1, first.number + 2)
    assert legal.standing(lyktan, LegalKind.TERMS).number == first.number + 3


@pytest.mark.parametrize("change", ["update", "delete"])
def test_a_version_refuses_to_change(lyktan: Organisation, change: str) -> None:
    rows = LegalVersion.objects.filter(pk=legal.standing(lyktan, "terms").pk)

    with pytest.raises(IntegrityError, match="stays as it was"), transaction.atomic():
        rows.update(text_en="") if change == "update" else rows.delete()


def test_a_missing_translation_is_told_in_the_other_language_and_marked(client: Client, lyktan: Organisation) -> None:
    write(lyktan, text_sv="<p>Bara på svenska.</p>")

    html = client.get(legal.address(lyktan.slug, "terms")).content.decode()

    assert '<html lang="en"' in html
    assert re.search(r'<div class="prose chapter" lang="sv">.*Bara på svenska\.', html)
    assert f'href="/sv/legal/{lyktan.slug}/terms/"' in html  # the chooser stays on the page


def test_foot_of_a_page_leads_to_the_texts_of_whose_page_it_is(client: Client, lyktan: Organisation) -> None:
    page = client.get(f"/en/{lyktan.slug}/").content.decode()
    house = client.get("/en/").content.decode()

    for kind in LegalKind.values:
        assert f'href="/en/legal/{lyktan.slug}/{kind}/"' in page
        assert f'href="/en/legal/{kind}/"' in house


# --- The desk --------------------------------------------------------------------------------------------------------


def desk_of(row: LegalText) -> str:
    return reverse("legal_desk:edit", args=[row.public_id])


def as_typed(html: str) -> str:
    """A rich text as the administration's form sends it."""
    return json.dumps(json.loads(ContentstateConverter(features=FEATURES).from_database_format(html)))


def test_editor_writes_looks_and_makes_a_version(client: Client, ours: World, lyktan: Organisation) -> None:
    client.force_login(ours.editor)
    row = LegalText.objects.get(organisation=lyktan, kind="terms")
    data = {"text_sv": as_typed("<p>Köp av {seller}.</p>"), "text_en": as_typed("<p>Buy of {seller}.</p>")}
    before = legal.standing(lyktan, "terms").number

    listed = client.get(reverse("legal_desk:index")).content.decode()
    looked = client.post(desk_of(row), data | {"show": "1"}).content.decode()
    still = legal.standing(lyktan, "terms").number
    saved = client.post(desk_of(row), data)

    assert desk_of(row) in listed and "As the house has it" in listed
    assert "Buy of Lyktan &amp; vänner." in looked and "Nothing is saved yet" in looked
    assert (before, still, saved.status_code) == (1, 1, 302)
    now = legal.standing(lyktan, "terms")
    assert (now.number, re.sub(r" data-block-key=\"\w+\"", "", now.text_sv)) == (
        2,
        "<p>Köp av Lyktan &amp; vänner.</p>",
    )
    assert "Version 2 applies since" in client.get(desk_of(row)).content.decode()


def test_text_that_is_left_as_it_was_goes_on_following_the_house(
    client: Client, ours: World, lyktan: Organisation
) -> None:
    client.force_login(ours.editor)
    row = LegalText.objects.get(organisation=lyktan, kind="privacy")

    client.post(desk_of(row), dict(zip(("text_sv", "text_en"), map(as_typed, START["privacy"]), strict=True)))

    row.refresh_from_db()
    assert (row.text_sv, row.text_en) == ("", "")


def test_unknown_placeholder_is_refused_in_a_sentence(client: Client, ours: World, lyktan: Organisation) -> None:
    client.force_login(ours.editor)
    row = LegalText.objects.get(organisation=lyktan, kind="terms")

    response = client.post(desk_of(row), {"text_sv": as_typed("<p>{saljare}</p>"), "text_en": as_typed("")})

    assert "Nothing can be filled in for {saljare}." in response.content.decode()
    assert legal.written(lyktan, "terms").sv == START["terms"][0]


def test_the_houses_texts_are_the_superusers(client: Client, ours: World) -> None:
    row = LegalText.objects.get(organisation=None, kind="terms")
    client.force_login(ours.editor)
    refused = client.get(desk_of(row)).status_code
    client.force_login(factories.user(is_staff=True, is_superuser=True))

    assert (refused, client.get(desk_of(row)).status_code) == (404, 200)
