"""What keeps a page from being published: the sentences, where they are mended, and that no way leads past them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from config import cron
from django.conf import LazySettings
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from wagtail.admin.api.views import PagesAdminAPIViewSet
from wagtail.models import Page, Revision

from apps.accounts.models import User
from apps.events import publishing
from apps.events.extensions import offerings
from apps.events.models import Event, EventPage, Organisation, OrganisationPage
from apps.ticketing import clock
from apps.ticketing.models import Choice, TicketType
from tests import factories
from tests.events.test_body import form_of, posted
from tests.specimen_plugin.parts import CloakroomOffer
from tests.tenancy.world import World, page_of

pytestmark = pytest.mark.django_db


def sentences(page: Page) -> list[str]:
    return [problem.sentence.replace("\u00a0", " ") for problem in publishing.problems(page)]


@pytest.fixture
def draft(ours: World) -> EventPage:
    """A page that may be published, of an event at a fixed time."""
    begins = clock.now() + timedelta(days=30)
    Event.objects.filter(pk=ours.event.pk).update(starts_at=begins, ends_at=begins + timedelta(hours=5))
    EventPage.objects.filter(pk=ours.page.pk).update(live=False)
    return EventPage.objects.get(pk=ours.page.pk)


def no_quota(ours: World) -> None:
    ours.kind.quotas.clear()


def minimum_above_quota(ours: World) -> None:
    TicketType.objects.update(min_per_order=11, max_per_order=20)


def minimum_above_limit(ours: World) -> None:
    TicketType.objects.update(min_per_order=4, max_per_person=3)


def nothing_to_choose(ours: World) -> None:
    Choice.objects.update(is_published=False)


def price_below_nothing(ours: World) -> None:
    Choice.objects.update(delta_minor=-30_000)


def after_an_unpublished_one(ours: World) -> None:
    earlier = factories.ticket_type(ours.event, ours.kind.quotas.get(), name_en="First release", is_published=False)
    TicketType.objects.filter(pk=ours.kind.pk).update(visibility="after", after_type=earlier)


def no_legal_party(ours: World) -> None:
    type(ours.organisation).objects.update(legal_name="")


def faint_colour(ours: World) -> None:
    type(ours.organisation).objects.update(theme="dusk", accent_colour="#A5124B")


@pytest.fixture(autouse=True)
def dusk(settings: LazySettings) -> None:
    """A theme with a white page and dark slips on it, in one mode: no colour can be read on both."""
    default = settings.THEMES["default"]
    light = {**default.palettes["light"], "canvas": "#FFFFFF", "surface": "#333333"}
    palettes = {**default.palettes, "light": light}
    settings.THEMES = {**settings.THEMES, "dusk": replace(default, slug="dusk", palettes=palettes)}


CONTRADICTIONS: list[tuple[Callable[[World], None], str, str]] = [
    (no_quota, "“Ticket Lyktan” takes from no quota, so there is none to sell.", "ticket_type_desk:edit"),
    (
        minimum_above_quota,
        "“Ticket Lyktan” is sold at least 11 at a time, but the quota “Platser Lyktan” has only 10.",
        "ticket_type_desk:edit",
    ),
    (
        minimum_above_limit,
        "“Ticket Lyktan” is sold at least 4 at a time, but one person may have only 3.",
        "ticket_type_desk:edit",
    ),
    (
        nothing_to_choose,
        "“Beverage Lyktan” must be answered for “Ticket Lyktan”, but there is nothing to choose.",
        "ticket_type_desk:edit",
    ),
    (
        price_below_nothing,
        "“Cider Lyktan” takes SEK 300 off “Ticket Lyktan”, which costs only SEK 250: correct one price.",
        "ticket_type_desk:edit",
    ),
    (
        after_an_unpublished_one,
        "“Ticket Lyktan” is shown when “First release” is sold out, but that is not published.",
        "ticket_type_desk:edit",
    ),
    (
        no_legal_party,
        "Buyers cannot see with whom they make their contract: Föreningen Lyktan has no legal name yet.",
        "organisation_desk:edit",
    ),
    (
        faint_colour,
        "The accent colour of Föreningen Lyktan cannot be read on its theme: a contrast of 1.65 to 1, and 4.5 is"
        " needed. Choose another colour or theme.",
        "organisation_desk:edit",
    ),
]


@pytest.mark.parametrize(("contradict", "sentence", "mended_at"), CONTRADICTIONS)
def test_contradiction_is_a_sentence_with_where_to_mend_it(
    ours: World, draft: EventPage, contradict: Callable[[World], None], sentence: str, mended_at: str
) -> None:
    assert sentences(draft) == []

    contradict(ours)

    owner: Any = {"ticket_type_desk:edit": ours.kind, "organisation_desk:edit": ours.organisation}[mended_at]
    page = EventPage.objects.get(pk=draft.pk)
    assert sentences(page) == [sentence]
    assert publishing.problems(page)[0].url == reverse(mended_at, args=[owner.public_id])
    with pytest.raises(publishing.NotReady, match="1.65" if contradict is faint_colour else sentence[:20]):
        page.save_revision().publish()
    assert not EventPage.objects.get(pk=draft.pk).live


def test_way_to_pay_is_missed_only_where_something_costs_money(draft: EventPage, settings: LazySettings) -> None:
    settings.PAYMENT_PROVIDERS_ENABLED = []

    missed = ["Something costs money, but there is no way to pay in SEK. Ask whoever runs the site."]
    assert sentences(draft) == missed
    TicketType.objects.update(price_minor=0)
    assert sentences(draft) == []
    Choice.objects.update(delta_minor=500)
    assert sentences(draft) == missed


def test_ticket_block_without_tickets_and_of_another_event_is_told(ours: World, draft: EventPage) -> None:
    empty = factories.event(organisation=ours.organisation, title_en="Empty night")
    broken = factories.event(organisation=ours.organisation, title_en="Broken night")
    factories.ticket_type(broken, name_en="Loose")
    for event, expected in (
        (None, []),
        (
            empty,
            ["The page has a ticket block, but “Empty night” has no ticket to sell: add one, or take the block away."],
        ),
        (broken, ["“Loose” takes from no quota, so there is none to sell."]),
    ):
        block = {"type": "tickets", "value": {"heading": "", "event": event and event.pk}, "id": "t"}
        draft.body = json.dumps([block])  # type: ignore[assignment]  # the field reads it
        assert sentences(draft) == expected


def test_plugin_adds_a_sentence(draft: EventPage) -> None:
    Event.objects.update(venue="")

    with offerings.temporarily(CloakroomOffer()):
        assert sentences(EventPage.objects.get(pk=draft.pk)) == ["There is no venue to hang coats in."]


def test_event_that_is_over_is_asked_nothing(ours: World, draft: EventPage) -> None:
    no_quota(ours)
    faint_colour(ours)
    Event.objects.update(starts_at=clock.now() - timedelta(days=2), ends_at=clock.now() - timedelta(days=1))

    assert sentences(EventPage.objects.get(pk=draft.pk)) == []


# --- Times ---------------------------------------------------------------------------------------------------------


def test_sale_must_not_open_before_the_page_is_public(ours: World, draft: EventPage) -> None:
    opens = datetime.fromisoformat("2031-02-03T18:00:00+01:00")
    Event.objects.update(starts_at=opens + timedelta(days=20), ends_at=opens + timedelta(days=21))
    TicketType.objects.update(sale_opens_at=opens)
    page = EventPage.objects.get(pk=draft.pk)

    page.go_live_at = opens + timedelta(hours=1)
    assert sentences(page) == [
        "“Ticket Lyktan” goes on sale Mon 3 Feb 18:00, before the page becomes public Mon 3 Feb 19:00."
    ]
    with pytest.raises(publishing.NotReady):
        page.save_revision().publish()
    page.go_live_at = opens
    assert sentences(page) == []
    page.go_live_at = opens + timedelta(days=30)
    assert sentences(page) == ["The page becomes public Wed 5 Mar 18:00, when the event is over."]


def test_sale_may_be_on_already_when_the_page_is_published_now_or_told_in_another_language(
    ours: World, draft: EventPage
) -> None:
    TicketType.objects.update(sale_opens_at=clock.now() - timedelta(days=1))

    assert sentences(draft) == []
    draft.go_live_at = clock.now() + timedelta(days=1)
    assert len(sentences(draft)) == 1
    english = OrganisationPage.objects.get(organisation=ours.organisation, locale__language_code="en")
    page_of(ours.event, english, slug="told-in-english")
    assert sentences(draft) == []


def test_scheduled_page_waits_while_something_stands_in_its_way(ours: World, draft: EventPage) -> None:
    draft.go_live_at = clock.now() + timedelta(days=1)
    draft.save_revision().publish()
    other = page_of(
        factories.event(organisation=ours.organisation),
        ours.root,
        slug="other",
        publish=False,
        go_live_at=draft.go_live_at,
    )
    other.save_revision().publish()
    no_quota(ours)
    Revision.objects.update(approved_go_live_at=clock.now() - timedelta(minutes=1))
    for revision in Revision.objects.all():
        revision.content["go_live_at"] = (clock.now() - timedelta(minutes=1)).isoformat()
        revision.save()

    call_command("publish_scheduled")
    assert [EventPage.objects.get(pk=page.pk).live for page in (draft, other)] == [False, True]

    ours.kind.quotas.add(ours.quota)
    call_command("publish_scheduled")
    assert EventPage.objects.get(pk=draft.pk).live


def held_back(page: EventPage) -> None:
    """Let the time come for which the page was scheduled."""
    due = clock.now() - timedelta(minutes=1)
    Revision.objects.filter(object_id=str(page.pk)).update(approved_go_live_at=due)
    for revision in Revision.objects.filter(object_id=str(page.pk)):
        revision.content["go_live_at"] = due.isoformat()
        revision.save()


def test_whoever_scheduled_a_page_that_waits_is_told_once_and_its_desk_says_so(
    ours: World, draft: EventPage, desk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.filter(pk=ours.editor.pk).update(locale="en")
    draft.go_live_at = clock.now() + timedelta(days=1)
    draft.save_revision(user=ours.editor).publish(user=ours.editor)
    no_quota(ours)
    cron._publish_scheduled()
    assert mail.outbox == []  # its time has not come
    held_back(draft)

    def no_mail(*_: Any, **__: Any) -> None:
        raise ConnectionRefusedError

    with monkeypatch.context() as away:
        away.setattr("apps.events.held_back.send_mail", no_mail)
        cron._publish_scheduled()
    for _round in range(2):
        cron._publish_scheduled()

    [letter] = mail.outbox
    mended_at = reverse("ticket_type_desk:edit", args=[ours.kind.public_id])
    assert (letter.to, letter.subject) == ([ours.editor.email], f"“{draft.title}” is not public yet")
    assert "was to become public" in letter.body and "takes from no quota" in letter.body
    assert f"{mended_at}\n" in letter.body and f"/admin/pages/{draft.pk}/edit/" in letter.body
    for address in (
        reverse("event_desk:edit", args=[ours.event.public_id]),
        reverse("wagtailadmin_pages:edit", args=[draft.pk]),
    ):
        assert "was to become public" in desk.get(address).content.decode()
    history = desk.get(reverse("wagtailadmin_pages:history", args=[draft.pk])).content.decode()
    assert "Not public at its time" in history

    ours.kind.quotas.add(ours.quota)
    cron._publish_scheduled()
    assert EventPage.objects.get(pk=draft.pk).live
    assert len(mail.outbox) == 1


def test_association_is_told_when_whoever_scheduled_is_gone(ours: World, draft: EventPage) -> None:
    Organisation.objects.update(email="board@example.org")
    draft.go_live_at = clock.now() + timedelta(days=1)
    draft.save_revision(user=ours.editor).publish(user=ours.editor)
    User.objects.filter(pk=ours.editor.pk).update(is_active=False)
    no_quota(ours)
    held_back(draft)

    cron._publish_scheduled()

    assert [letter.to for letter in mail.outbox] == [["board@example.org"]]


# --- The ways to publish -------------------------------------------------------------------------------------------


@pytest.fixture
def desk(ours: World, client: Client) -> Client:
    client.force_login(ours.editor)
    return client


def told(answer: Any) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def test_editor_sees_what_stands_in_the_way_and_keeps_a_draft(ours: World, draft: EventPage, desk: Client) -> None:
    no_quota(ours)
    address = reverse("wagtailadmin_pages:edit", args=[draft.pk])
    fields, state = form_of(desk, draft)

    shown = desk.get(address).content.decode()
    answer = desk.post(address, {**posted(fields, state), "title": "Kept words"}, follow=True)

    mended_at = reverse("ticket_type_desk:edit", args=[ours.kind.public_id])
    assert "Stops publishing" in shown
    assert f'href="{mended_at}"' in shown
    assert "Kept words” is not published" in told(answer)
    assert "takes from no quota" in told(answer)
    page = EventPage.objects.get(pk=draft.pk)
    assert (page.live, page.get_latest_revision_as_object().title) == (False, "Kept words")

    ours.kind.quotas.add(ours.quota)
    assert "Stops publishing" not in desk.get(address).content.decode()
    desk.post(address, posted(fields, state))
    assert EventPage.objects.get(pk=draft.pk).live


def test_new_page_is_kept_as_a_draft_and_shown_to_nobody(ours: World, desk: Client, client: Client) -> None:
    event = factories.event(organisation=ours.organisation)
    factories.ticket_type(event)
    fields = {"title": "New night", "slug": "new-night", "event": str(event.pk), "body-count": "0"}
    for name in ("comments", "comment_subscriptions"):
        fields |= {f"{name}-{part}": "0" for part in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")}
    address = reverse("wagtailadmin_pages:add", args=["events", "eventpage", ours.root.pk])

    answer = desk.post(address, {**fields, "action-publish": "1"}, follow=True)

    page = EventPage.objects.get(slug="new-night")
    assert "takes from no quota" in told(answer)
    assert (page.live, page.first_published_at) == (False, None)
    assert Client().get(page.url).status_code == 404


def test_bulk_publishing_publishes_none_when_one_is_not_ready(ours: World, draft: EventPage, desk: Client) -> None:
    other = page_of(factories.event(organisation=ours.organisation), ours.root, slug="other", publish=False)
    no_quota(ours)
    address = reverse("wagtail_bulk_action", args=["wagtailcore", "page", "publish"])

    answer = desk.post(f"{address}?id={other.pk}&id={draft.pk}", {"next": "/admin/"}, follow=True)

    assert "takes from no quota" in told(answer)
    assert EventPage.objects.filter(live=True).count() == 0


def test_api_of_the_administration_reads_pages_and_does_nothing_to_them(draft: EventPage, client: Client) -> None:
    client.force_login(factories.user(is_superuser=True, is_staff=True))
    address = reverse("wagtailadmin_api:pages:detail", args=[draft.pk])
    assert client.get(address).json()["id"] == draft.pk

    for action in PagesAdminAPIViewSet.actions:
        answer = client.post(reverse("wagtailadmin_api:pages:action", args=[draft.pk, action]))
        assert answer.status_code == 404, action

    assert len(PagesAdminAPIViewSet.actions) >= 9
    assert not EventPage.objects.get(pk=draft.pk).live


def test_copy_is_not_public_while_something_stands_in_the_way(ours: World, desk: Client) -> None:
    no_quota(ours)
    address = reverse("wagtailadmin_pages:copy", args=[ours.page.pk])
    wanted = {"new_title": "Again", "new_slug": "again", "new_parent_page": str(ours.root.pk)}

    refused = desk.post(address, {**wanted, "publish_copies": "on"}, follow=True)
    assert "takes from no quota" in told(refused)
    assert not EventPage.objects.filter(slug="again").exists()
    desk.post(address, wanted)
    assert not EventPage.objects.get(slug="again").live


def test_desk_of_the_event_shows_the_same_list(ours: World, draft: EventPage, desk: Client) -> None:
    no_quota(ours)
    address = reverse("event_desk:edit", args=[ours.event.public_id])

    assert "“Ticket Lyktan” takes from no quota" in desk.get(address).content.decode()
    ours.kind.quotas.add(ours.quota)
    assert "Stops publishing" not in desk.get(address).content.decode()


def test_revision_brings_back_words_and_never_prices_or_places(ours: World, draft: EventPage) -> None:
    before = draft.save_revision()
    TicketType.objects.update(price_minor=99_000)
    type(ours.quota).objects.update(size=77)
    draft.title = "Later"
    draft.save_revision().publish()

    before.publish()

    assert EventPage.objects.get(pk=draft.pk).title == ours.page.title
    assert (TicketType.objects.get().price_minor, type(ours.quota).objects.get().size) == (99_000, 77)
