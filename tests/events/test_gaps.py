"""The texts that an event has in one language alone, as its desk lists them; and how a page gets its translation."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse
from wagtail.models import Locale

from apps.events import gaps
from apps.events.models import Event, EventPage, LegalText, OrganisationPage
from apps.ticketing.models import Choice, TicketType, Variation
from tests.tenancy.world import World

pytestmark = pytest.mark.django_db


def told(event: Event) -> dict[str, list[str]]:
    return {str(lack.heading): [str(gap.what) for gap in lack.gaps] for lack in gaps.of(event)}


@pytest.fixture
def whole(ours: World) -> World:
    """An event that is told in both languages, with its page in both."""
    Event.objects.filter(pk=ours.event.pk).update(title_sv="Bal", title_en="Ball")
    TicketType.objects.update(name_sv="Biljett", name_en="Ticket", description_sv="", description_en="")
    Variation.objects.update(name_sv="Dryck", name_en="Drink")
    Choice.objects.update(name_sv="Öl", name_en="Beer")
    ours.event.refresh_from_db()
    return ours


def translate(client: Client, page: EventPage) -> EventPage:
    """As the administration's own form does it."""
    english = Locale.objects.get(language_code="en")
    client.post(reverse("simple_translation:submit_page_translation", args=[page.pk]), {"locales": [english.pk]})
    return EventPage.objects.get(event=page.event, locale=english)


def test_an_editor_translates_a_page_within_the_walls(client: Client, whole: World, theirs: World) -> None:
    client.force_login(theirs.editor)
    address = reverse("simple_translation:submit_page_translation", args=[whole.page.pk])
    refused = client.get(address).status_code
    client.force_login(whole.editor)
    before = told(whole.event)

    page = translate(client, whole.page)

    above = OrganisationPage.objects.get(organisation=whole.organisation, locale__language_code="en")
    edit = reverse("wagtailadmin_pages:edit", args=[page.pk])
    assert refused == 404
    assert before == {"Missing in English": ["The page: translate it"]}
    assert page.get_parent().pk == above.pk and page.translation_key == whole.page.translation_key
    assert (page.live, told(whole.event)) == (False, {"Missing in English": ["The page: publish it"]})
    form = client.get(edit).context["form"]
    data = {"title": "The ball", "slug": "the-ball", "event": whole.event.pk, "action-publish": "1"}
    fields = re.findall(r'name="(body-[^"]+|comments-[^"]+)"[^>]*value="([^"]*)"', str(form["body"]) + str(form))
    answer = client.post(edit, {"body-count": "0", **dict(fields), **data})
    assert answer.status_code == 302
    page.refresh_from_db()
    assert (page.live, page.title, told(whole.event)) == (True, "The ball", {})
    assert "The ball" in client.get(page.url).content.decode()


def test_each_text_in_one_language_alone_is_listed_with_its_place(client: Client, whole: World) -> None:
    client.force_login(whole.editor)
    translate(client, whole.page).save_revision().publish()
    Event.objects.filter(pk=whole.event.pk).update(title_sv="")
    kind = TicketType.objects.get(event=whole.event)
    TicketType.objects.filter(pk=kind.pk).update(description_sv="Trerätters.")
    Variation.objects.filter(ticket_type=kind).update(name_en="")
    LegalText.objects.filter(organisation=whole.organisation, kind="terms").update(text_sv="<p>Vårt.</p>")
    whole.event.refresh_from_db()

    html = client.get(reverse("event_desk:edit", args=[whole.event.public_id])).content.decode()

    assert told(whole.event) == {
        "Missing in Swedish": ["title in Swedish"],
        "Missing in English": [
            "Terms of purchase: text in English",
            "Ticket: description in English",
            "Ticket, Dryck: name in English",
        ],
    }
    for lack in gaps.of(whole.event):
        assert str(lack.heading) in html
        assert all(f'href="{gap.url}">{gap.what}</a>' in html for gap in lack.gaps)


def test_number_of_queries_does_not_grow_with_the_catalogue(
    whole: World, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    kind = TicketType.objects.get(event=whole.event)
    variation = Variation.objects.filter(ticket_type=kind)[0]
    gaps.of(whole.event)  # what processes keep is kept now
    asked = 7
    with django_assert_num_queries(asked):  # type: ignore[operator]
        gaps.of(whole.event)
    for number in range(3):
        more = Variation.objects.create(ticket_type=kind, position=number + 5, name_sv=f"Fråga {number}")
        Choice.objects.create(variation=more, position=0, name_sv="Ja")
        Choice.objects.create(variation=variation, position=number + 5, name_sv=f"Svar {number}")
    with django_assert_num_queries(asked):  # type: ignore[operator]
        assert len(told(whole.event)["Missing in English"]) == 10
