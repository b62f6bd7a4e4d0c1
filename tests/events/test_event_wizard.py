"""The event wizard, step by step as a browser without JavaScript walks it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bs4 import BeautifulSoup
from config import cron
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from wagtail.models import GroupApprovalTask, GroupPagePermission, Page, Workflow, WorkflowPage, WorkflowTask

from apps.events.models import Event, EventPage, OrganisationPage
from apps.events.tenancy import create_organisation
from apps.ticketing import clock, wizard
from apps.ticketing.event_templates import CONCERT, CONFERENCE, OURS, SITTNING
from apps.ticketing.extensions import EventTemplate, event_templates
from apps.ticketing.models import EventDraft, Quota, TicketType
from apps.ticketing.wizard_forms import keep_tickets, proposed_tickets
from tests import factories
from tests.specimen_plugin.parts import QUIZ
from tests.tenancy.world import World

pytestmark = pytest.mark.django_db

YEAR = datetime.now().year + 1
FACTS = {
    "title_sv": "Luciasittning",
    "title_en": "Lucia dinner",
    "starts_at": f"{YEAR}-12-11T18:00",
    "ends_at": "",
    "doors_at": f"{YEAR}-12-11T17:30",
    "venue": "Kårhuset Fyren",
    "venue_address": "",
}
STOCKHOLM = ZoneInfo("Europe/Stockholm")


@pytest.fixture
def editor(ours: World, client: Client) -> Client:
    client.force_login(ours.editor)
    return client


def text_of(response: Any) -> str:
    return BeautifulSoup(response.content, "html.parser").get_text(" ", strip=True)


def fields_of(response: Any) -> dict[str, Any]:
    """The step's form as a browser would send it back."""
    form = BeautifulSoup(response.content, "html.parser").select_one("form#wizard")
    assert form is not None
    for template in form.select("template"):
        template.decompose()
    fields: dict[Any, Any] = {
        box["name"]: box.get("value", "") for box in form.select("input[name]:not([type=checkbox])")
    }
    fields |= {box["name"]: box.get_text().removeprefix("\n") for box in form.select("textarea[name]")}
    chosen = [box["value"] for box in form.select("[name=questions][checked]")]
    return {**fields, "questions": chosen}


def begin(browser: Client, template: str = "sittning", **more: Any) -> EventDraft:
    number = uuid.uuid4()
    response = browser.post(reverse("event_wizard:begin"), {"draft": number, "template": template, **more})

    draft = EventDraft.objects.get(public_id=number)
    assert response["Location"] == address(draft, "facts")
    return draft


def address(draft: EventDraft, step: str) -> str:
    return reverse(f"event_wizard:{step}", args=[draft.public_id])


def priced(browser: Client, draft: EventDraft, **changes: Any) -> dict[str, Any]:
    """The ticket step with a price and a number of places written in."""
    shown = fields_of(browser.get(address(draft, "tickets")))
    return {**shown, "rows-0-price_minor": "250", "rows-0-places": "100", **changes}


def up_to_page(browser: Client, template: str = "sittning", **facts: str) -> EventDraft:
    draft = begin(browser, template)
    browser.post(address(draft, "facts"), {**FACTS, **facts})
    response = browser.post(address(draft, "tickets"), priced(browser, draft))
    assert response["Location"] == address(draft, "page")
    return draft


def made(browser: Client, draft: EventDraft, go: str = "publish") -> tuple[Any, Event]:
    """The last button pressed."""
    response = browser.post(address(draft, "page"), {**wizard.typed_in(draft, "page"), "go": go})
    draft.refresh_from_db()
    assert draft.event is not None
    return response, draft.event


def ready(world: World, template: EventTemplate = SITTNING, **facts: str) -> EventDraft:
    """A draft as the steps before the last leave it."""
    return factories.event_draft(world.organisation, template, **facts)


# --- What comes out ------------------------------------------------------------------------------------------------


def test_sittning_is_published_with_all_that_belongs_to_it(editor: Client, ours: World) -> None:
    response, event = made(editor, up_to_page(editor))

    assert response["Location"] == reverse("event_desk:edit", args=[event.public_id])
    assert (event.organisation, event.title_sv, event.title_en) == (ours.organisation, "Luciasittning", "Lucia dinner")
    assert event.starts_at == datetime(YEAR, 12, 11, 18, 0, tzinfo=STOCKHOLM)
    assert event.ends_at == event.starts_at + timedelta(hours=7)
    assert [(quota.name, quota.size) for quota in event.quotas.all()] == [
        ("Dinner", 100),
        ("Wheelchair place", 2),
        ("Companion", 2),
    ]
    told = [
        (kind.name_sv, kind.name_en, kind.price_minor, [quota.size for quota in kind.quotas.all()], kind.max_per_order)
        for kind in event.ticket_types.all()
    ]
    assert told == [
        ("Sittning", "Dinner", 25_000, [100], 6),
        ("Rullstolsplats", "Wheelchair place", 25_000, [2], 2),
        ("Ledsagare", "Companion", 0, [2], 2),
    ]
    for kind in event.ticket_types.all():
        assert (kind.minimum_age, kind.vat_percent, kind.sale_opens_at) == (18, 0, None)
        assert [(asked.name_en, asked.choices.count()) for asked in kind.variations.all()] == [
            ("Food", 3),
            ("Beverage", 3),
        ]
    pages = EventPage.objects.filter(event=event).order_by("locale__language_code")
    assert [(page.title, page.slug, page.live) for page in pages] == [
        ("Lucia dinner", "lucia-dinner", True),
        ("Luciasittning", "luciasittning", True),
    ]
    assert len({page.translation_key for page in pages}) == 1
    assert [block.block_type for block in pages[0].body] == ["hero", "tickets", "text", "practical_info", "faq"]
    assert "published" in text_of(editor.get(response["Location"]))


@pytest.mark.parametrize("template", OURS, ids=lambda template: template.slug)
def test_each_template_makes_a_page_that_a_stranger_can_buy_from(
    editor: Client, ours: World, template: EventTemplate, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        _response, event = made(editor, ready(ours, template))

    stranger = Client(headers={"accept-language": "sv"})
    page = EventPage.objects.get(event=event, locale__language_code="sv")
    shown = text_of(stranger.get(page.url))
    sold = text_of(stranger.get(reverse("ticketing:form", args=[event.public_id])))
    assert all(part in shown for part in template.text.sv.split("\n\n"))
    assert all(sketch.name.sv in sold for sketch in template.tickets)
    assert {sketch.key for sketch in template.tickets} >= {"wheelchair", "companion"}


def test_draft_is_shown_to_nobody_and_says_where_to_publish(editor: Client, ours: World) -> None:
    response, event = made(editor, ready(ours), "draft")

    assert [page.live for page in EventPage.objects.filter(event=event)] == [False, False]
    assert "saved as a draft" in text_of(editor.get(response["Location"]))


def test_page_is_made_in_the_languages_that_have_a_title(editor: Client, ours: World) -> None:
    _response, event = made(editor, ready(ours, title_en=""))

    assert list(event.pages.values_list("locale__language_code", flat=True)) == ["sv"]


def test_minimum_age_stands_on_the_page_and_questions_may_be_left_out(editor: Client, ours: World) -> None:
    draft = ready(ours)
    editor.post(address(draft, "tickets"), {**priced(editor, draft), "minimum_age": "20", "questions": ["drink"]})

    _response, event = made(editor, draft)

    body = EventPage.objects.get(event=event, locale__language_code="sv").body
    notes = next(block for block in body if block.block_type == "practical_info").value["notes"]
    assert [note["title"] for note in notes] == ["20 år"]
    for kind in event.ticket_types.all():
        assert [asked.name_sv for asked in kind.variations.all()] == ["Dryck"]


def test_ticket_without_places_shares_those_of_the_first(editor: Client, ours: World) -> None:
    draft = ready(ours, CONCERT)
    editor.post(
        address(draft, "tickets"), {**priced(editor, draft), "rows-1-places": "", "rows-1-price_minor": "99,50"}
    )

    _response, event = made(editor, draft)

    assert [(kind.name_en, kind.price_minor, kind.quotas.get().name) for kind in event.ticket_types.all()] == [
        ("Ticket", 25_000, "Ticket"),
        ("Wheelchair place", 9_950, "Ticket"),
        ("Companion", 0, "Companion"),
    ]


def test_second_event_of_the_same_title_gets_an_address_of_its_own(editor: Client, ours: World) -> None:
    made(editor, ready(ours))

    _response, event = made(editor, ready(ours))

    assert sorted(event.pages.values_list("slug", flat=True)) == ["lucia-dinner-2", "luciasittning-2"]


# --- Nothing is lost, nothing is made twice ------------------------------------------------------------------------


def test_double_click_makes_one_event(editor: Client, ours: World) -> None:
    draft = ready(ours)
    fields = {**fields_of(editor.get(address(draft, "page"))), "go": "publish"}

    first, second = (editor.post(address(draft, "page"), fields) for _click in range(2))

    assert second["Location"] == first["Location"]
    assert Event.objects.exclude(pk=ours.event.pk).count() == 1
    assert editor.get(address(draft, "facts"))["Location"] == first["Location"]


def test_second_click_on_a_kind_begins_no_second_draft(editor: Client) -> None:
    number = uuid.uuid4()
    for kind in ("sittning", "sittning", "concert"):
        editor.post(reverse("event_wizard:begin"), {"draft": number, "template": kind})

    assert list(EventDraft.objects.values_list("template", flat=True)) == ["concert"]


def test_what_is_wrong_is_kept_by_every_button(editor: Client) -> None:
    for go in ("keep", "template", "next", "tickets"):
        draft = begin(editor)
        wrong = {**FACTS, "starts_at": f"on {go} Friday", "venue": ""}

        editor.post(address(draft, "facts"), {**wrong, "go": go})

        shown = fields_of(editor.get(address(draft, "facts")))
        assert {name: shown[name] for name in wrong} == wrong


def test_other_template_and_back_again_loses_nothing(editor: Client, ours: World) -> None:
    draft = ready(ours)
    for kind in ("concert", "sittning"):
        editor.post(address(draft, "template"), {"template": kind})

    shown = fields_of(editor.get(address(draft, "tickets")))

    assert (shown["rows-0-name_en"], shown["rows-0-price_minor"]) == ("Dinner", "250")


def test_unfinished_event_is_offered_to_go_on_with_until_it_is_thrown_away(editor: Client) -> None:
    draft = begin(editor)
    assert "Go on where you stopped" not in text_of(editor.get(reverse("event_wizard:begin")))
    editor.post(address(draft, "facts"), {**FACTS, "go": "keep"})

    for name in ("event_wizard:begin", "wagtailadmin_home"):
        assert "Luciasittning" in text_of(editor.get(reverse(name))) or "Lucia dinner" in text_of(
            editor.get(reverse(name))
        )
    editor.post(address(draft, "discard"))

    assert EventDraft.objects.count() == 0


def test_draft_that_nobody_goes_on_with_is_thrown_away_after_its_days(editor: Client, ours: World) -> None:
    old, young = begin(editor), begin(editor)
    limit = clock.now() - timedelta(days=wizard.KEPT_DAYS)
    EventDraft.objects.filter(pk=old.pk).update(touched_at=limit - timedelta(hours=1))
    EventDraft.objects.filter(pk=young.pk).update(touched_at=limit + timedelta(hours=1))

    cron._clean_up()

    assert list(EventDraft.objects.all()) == [young]
    assert f"for {wizard.KEPT_DAYS} days" in text_of(editor.get(address(young, "facts")))


def test_failure_on_the_way_leaves_nothing_half_made(
    editor: Client, ours: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = ready(ours)
    before = (Event.objects.count(), TicketType.objects.count(), Quota.objects.count())

    def fails(*args: Any) -> None:
        raise RuntimeError("the last page cannot be made")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(wizard, "_make_pages", fails)
        wizard.finish(draft.pk, ours.editor, publish=True)

    assert (Event.objects.count(), TicketType.objects.count(), Quota.objects.count()) == before
    assert made(editor, draft)[1].title_sv == "Luciasittning"


def test_preview_shows_the_page_and_writes_nothing(editor: Client, ours: World) -> None:
    draft = ready(ours)

    response = editor.get(reverse("event_wizard:preview", args=[draft.public_id, "en"]))

    shown = text_of(response)
    for part in (
        "Lucia dinner",
        "Songbooks are on the tables.",
        "On sale",
        "Companion Free",
        "Alcohol-free",
        "18 years",
    ):
        assert part in shown
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    assert list(Event.objects.all()) == [ours.event]
    assert editor.get(reverse("event_wizard:preview", args=[draft.public_id, "de"])).status_code == 404


# --- What cannot be right is told beside its field -----------------------------------------------------------------

WRONG_FACTS: dict[str, tuple[dict[str, str], str, str]] = {
    "no title": ({"title_sv": "", "title_en": ""}, "title_sv", "Give the event a title in at least one language."),
    "too long": ({"title_sv": "x" * 121}, "title_sv", "Ensure this value has at most 120 characters (it has 121)."),
    "no start": ({"starts_at": ""}, "starts_at", "Say when it starts."),
    "no time": ({"starts_at": "tomorrow"}, "starts_at", "Write the day and the time as in 2026-12-12 18:00."),
    "year 9999": (
        {"starts_at": "9999-12-31T23:00"},
        "starts_at",
        "That is more than ten years away. Is the year right?",
    ),
    "year 1": ({"starts_at": "0001-01-01T00:00"}, "starts_at", "That is more than ten years away. Is the year right?"),
    "past": (
        {"starts_at": f"{YEAR - 2}-12-11T18:00", "doors_at": ""},
        "starts_at",
        "That time has passed. Is the year right?",
    ),
    "no such hour": (
        {"starts_at": "2027-03-28T02:30", "doors_at": ""},
        "starts_at",
        "2027-03-28 02:30:00 couldn’t be interpreted in time zone Europe/Stockholm; "
        "it may be ambiguous or it may not exist.",
    ),
    "ends before": ({"ends_at": f"{YEAR}-12-11T17:00"}, "ends_at", "The event must end after it starts."),
    "doors after": (
        {"doors_at": f"{YEAR}-12-11T18:30"},
        "doors_at",
        "Doors open before the event starts, at most a day before.",
    ),
    "nowhere": ({"venue": ""}, "venue", "Say where it is, or “To be announced”."),
}
WRONG_TICKETS: dict[str, tuple[dict[str, str], str, str]] = {
    "no price": ({"rows-0-price_minor": ""}, "rows-0-price_minor", "Say what it costs; 0 for a free ticket."),
    "not a price": (
        {"rows-0-price_minor": "cheap"},
        "rows-0-price_minor",
        "Write the amount in figures, such as 250 or 249,50.",
    ),
    "no places": (
        {"rows-0-places": ""},
        "rows-0-places",
        "Say how many there are; nothing can be sold before.",
    ),
    "no place": ({"rows-0-places": "0"}, "rows-0-places", "Ensure this value is greater than or equal to 1."),
    "too many": ({"rows-0-places": "9" * 40}, "rows-0-places", "Ensure this value is less than or equal to 100000."),
    "nameless": (
        {"rows-1-name_sv": "", "rows-1-name_en": ""},
        "rows-1-name_sv",
        "Give it a name in at least one language.",
    ),
    "opens too late": (
        {"sale_opens_at": f"{YEAR}-12-11T18:00"},
        "sale_opens_at",
        "The sale must open before the event starts.",
    ),
    "no VAT": ({"vat_percent": ""}, "vat_percent", "Write 0 if you pay no VAT."),
    "made-up question": (
        {"questions": "fireworks"},
        "questions",
        "Select a valid choice. fireworks is not one of the available choices.",
    ),
    "no tickets": (
        {"rows-0-DELETE": "on", "rows-1-DELETE": "on", "rows-2-DELETE": "on"},
        "",
        "Add at least one ticket; one that is free costs 0.",
    ),
    "too many rows": (
        {"rows-TOTAL_FORMS": "9999", **{f"rows-{place}-name_sv": "Biljett" for place in range(20)}},
        "",
        "Please submit at most 12 forms.",
    ),
}


def sentences(draft: EventDraft, step: str) -> dict[str, list[str]]:
    """What is told beside each field of a step; under "" what stands above all."""
    found = wizard.forms_of(draft, step, judged=True)
    found.is_valid()
    told = {name: [str(error) for error in errors] for name, errors in found.main.errors.items()}
    if found.rows is not None:
        told |= {row.add_prefix(name): list(errors) for row in found.rows for name, errors in row.errors.items()}
        told |= {"": list(found.rows.non_form_errors())} if found.rows.non_form_errors() else {}
    return told


@pytest.mark.parametrize(("wrong", "field", "sentence"), WRONG_FACTS.values(), ids=WRONG_FACTS)
def test_wrong_fact_is_told_beside_its_field(wrong: dict[str, str], field: str, sentence: str) -> None:
    draft = EventDraft(template=SITTNING.slug, typed={"facts": {**FACTS, **wrong}})

    assert sentences(draft, "facts") == {field: [sentence]}


@pytest.mark.parametrize(("wrong", "field", "sentence"), WRONG_TICKETS.values(), ids=WRONG_TICKETS)
def test_wrong_ticket_is_told_beside_its_field(wrong: dict[str, str], field: str, sentence: str) -> None:
    posted = QueryDict(mutable=True)
    posted.update({**proposed_tickets(CONFERENCE), "rows-0-price_minor": "90", "rows-0-places": "9"})
    posted.update({"questions": "food"})
    for name, value in wrong.items():
        posted[name] = value
    draft = EventDraft(template=CONFERENCE.slug, typed={"facts": FACTS})

    wizard.keep(draft, "tickets", keep_tickets(posted))

    assert sentences(draft, "tickets") == {field: [sentence]}


def test_wrong_step_is_shown_again_with_all_that_was_typed(editor: Client) -> None:
    draft = begin(editor)

    response = editor.post(address(draft, "facts"), {**FACTS, "starts_at": "on Friday"})

    assert response.status_code == 200
    assert "Write the day and the time as in 2026-12-12 18:00." in text_of(response)
    assert {name: fields_of(response)[name] for name in FACTS} == {**FACTS, "starts_at": "on Friday"}


def test_rows_are_added_and_left_out_without_javascript(editor: Client) -> None:
    draft = begin(editor)
    editor.post(address(draft, "facts"), FACTS)

    editor.post(address(draft, "tickets"), {**priced(editor, draft), "rows-1-DELETE": "on", "go": "more"})

    shown = fields_of(editor.get(address(draft, "tickets")))
    assert [shown[f"rows-{place}-name_en"] for place in range(3)] == ["Dinner", "Companion", ""]
    assert shown["rows-TOTAL_FORMS"] == "3"


def test_later_step_leads_back_to_what_is_missing(editor: Client) -> None:
    draft = begin(editor)

    response = editor.get(address(draft, "page"), follow=True)

    assert response.redirect_chain == [(address(draft, "facts") + "?missing", 302)]
    assert "Say when it starts." in text_of(response)


def test_text_of_the_invitation_is_only_text(editor: Client, ours: World) -> None:
    draft = ready(ours)
    editor.post(address(draft, "page"), {"text_sv": "<b>Hej</b>\r\n\r\nDå", "text_en": "", "go": "draft"})

    draft.refresh_from_db()
    pages = {page.locale.language_code: page for page in EventPage.objects.filter(event=draft.event)}
    texts = {
        code: [str(block.value.source) for block in page.body if block.block_type == "text"]
        for code, page in pages.items()
    }
    assert texts == {"sv": ["<p>&lt;b&gt;Hej&lt;/b&gt;</p><p>Då</p>"], "en": []}


# --- Who may ------------------------------------------------------------------------------------------------------


def test_superuser_chooses_the_organisation(client: Client, ours: World, theirs: World) -> None:
    client.force_login(factories.user(is_superuser=True, is_staff=True))

    draft = begin(client, organisation=theirs.organisation.public_id)

    assert draft.organisation == theirs.organisation


@pytest.mark.parametrize("organisation", ["", "nonsense"])
def test_superuser_who_chose_none_is_asked_again(client: Client, ours: World, theirs: World, organisation: str) -> None:
    client.force_login(factories.user(is_superuser=True, is_staff=True))

    response = client.post(reverse("event_wizard:begin"), {"template": "sittning", "organisation": organisation})

    assert (response.status_code, EventDraft.objects.count()) == (200, 0)


def test_editor_cannot_take_another_organisations_draft(editor: Client, theirs: World) -> None:
    foreign = EventDraft.objects.create(
        organisation=theirs.organisation, template="concert", touched_at=datetime.now(STOCKHOLM)
    )

    taken = editor.post(reverse("event_wizard:begin"), {"draft": foreign.public_id, "template": "sittning"})
    opened = [editor.post(address(foreign, step), FACTS) for step in ("template", "facts", "page", "discard")]

    foreign.refresh_from_db()
    assert {taken.status_code, *(response.status_code for response in opened)} == {404}
    assert (foreign.template, foreign.typed) == ("concert", {})


def test_editor_begins_for_no_organisation_but_her_own(editor: Client, ours: World, theirs: World) -> None:
    assert begin(editor, organisation=theirs.organisation.public_id).organisation == ours.organisation


def test_who_may_not_publish_gets_a_draft_and_is_told(editor: Client, ours: World) -> None:
    rights = GroupPagePermission.objects.filter(group=ours.organisation.editors, permission__codename="publish_page")
    assert rights.delete()[0] > 0

    response, event = made(editor, ready(ours))

    assert [page.live for page in event.pages.all()] == [False, False]
    assert "could not be published" in text_of(editor.get(response["Location"]))


def test_who_may_not_add_pages_makes_nothing(editor: Client, ours: World) -> None:
    draft = ready(ours)
    GroupPagePermission.objects.filter(group=ours.organisation.editors).delete()

    editor.post(address(draft, "page"), {"text_sv": "", "text_en": "", "go": "publish"})

    assert Event.objects.count() == 1


def test_publishing_asks_for_approval_where_that_is_the_rule(editor: Client, ours: World) -> None:
    workflow = Workflow.objects.create(name="The board looks at it", active=True)
    board = GroupApprovalTask.objects.create(name="The board", active=True)
    WorkflowTask.objects.create(workflow=workflow, task=board)
    for root in OrganisationPage.objects.filter(organisation=ours.organisation):
        WorkflowPage.objects.create(page=Page.objects.get(pk=root.pk), workflow=workflow)

    response, event = made(editor, ready(ours))

    assert [(page.live, page.workflow_states.count()) for page in event.pages.all()] == [(False, 1), (False, 1)]
    assert "public once it is approved" in text_of(editor.get(response["Location"]))


# --- Where it is found, and who adds to it ---------------------------------------------------------------------------


def test_desk_menu_and_dashboard_lead_to_it(editor: Client) -> None:
    begins = reverse("event_wizard:begin")

    for name in ("event_desk:index", "wagtailadmin_home"):
        links = BeautifulSoup(editor.get(reverse(name)).content, "html.parser").select(f'main a[href="{begins}"]')
        assert links, name


def test_treasurer_is_not_offered_it(ours: World, client: Client) -> None:
    client.force_login(ours.treasurer)

    assert reverse("event_wizard:begin") not in client.get(reverse("wagtailadmin_home")).content.decode()
    assert reverse("event_wizard:begin") not in client.get(reverse("event_desk:index")).content.decode()


@pytest.fixture
def quiz() -> Iterator[EventTemplate]:
    with event_templates.temporarily(QUIZ) as template:
        yield template


def test_plugins_template_is_offered_and_its_draft_outlives_it(
    editor: Client, ours: World, quiz: EventTemplate
) -> None:
    assert str(quiz.name) in text_of(editor.get(reverse("event_wizard:begin")))

    _response, event = made(editor, ready(ours, quiz))

    assert [kind.name_en for kind in event.ticket_types.all()] == ["Team"]


def test_draft_of_a_missing_plugin_goes_on_with_ours(editor: Client) -> None:
    with event_templates.temporarily(QUIZ):
        draft = begin(editor, QUIZ.slug)
    editor.post(address(draft, "facts"), FACTS)

    assert fields_of(editor.get(address(draft, "tickets")))["rows-0-name_en"] == "Dinner"


def test_house_without_an_organisation_says_so(client: Client) -> None:
    client.force_login(factories.user(is_superuser=True, is_staff=True))

    assert "There is no organisation yet" in text_of(client.get(reverse("event_wizard:begin")))


def test_organisation_is_found_by_name_in_the_list(client: Client) -> None:
    create_organisation("Alfa")
    create_organisation("Beta")
    client.force_login(factories.user(is_superuser=True, is_staff=True))

    shown = text_of(client.get(reverse("event_wizard:begin")))

    assert "Alfa" in shown and "Beta" in shown
