"""The body of an event page: blocks come by hook, stay out of migrations, and survive the removal of their plugin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from wagtail import blocks, hooks
from wagtail.admin.panels import get_edit_handler
from wagtail.test.utils.form_data import rich_text

from apps.events.body import HOOK, MISSING, EventBodyField
from apps.events.models import EventPage
from tests.tenancy.world import World, page_of

BODY = [
    {"type": "text", "value": "<p>Before</p>", "id": "a"},
    {"type": "specimen", "value": {"headline": "Seen", "number": 3}, "id": "b"},
    {"type": "text", "value": "<p>After</p>", "id": "c"},
]


class SpecimenBlock(blocks.StructBlock):
    headline = blocks.CharBlock()
    number = blocks.IntegerBlock()

    class Meta:
        template = "specimen.html"

    def render(self, value: Any, context: Any = None) -> str:
        return f"<p>specimen {value['headline']} {value['number']}</p>"


@contextmanager
def plugin_installed(name: str = "specimen") -> Iterator[None]:
    """A plugin that brings one block. The administration's forms are made anew, as after a restart."""
    forget_forms()
    with hooks.register_temporarily(HOOK, lambda: [(name, SpecimenBlock())]):
        yield
    forget_forms()


def forget_forms() -> None:
    EventPage.get_edit_handler.cache_clear()
    get_edit_handler.cache_clear()


@pytest.fixture
def page(ours: World) -> EventPage:
    ours.page.delete()
    with plugin_installed():
        return page_of(ours.event, ours.root, slug="told", body=BODY)


def stored(page: EventPage) -> list[dict[str, Any]]:
    field = EventPage._meta.get_field("body")
    return field.get_prep_value(EventPage.objects.get(pk=page.pk).body)


def form_of(client: Client, page: EventPage) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """What the editor's form holds: its plain fields, and the state of its blocks."""
    soup = BeautifulSoup(client.get(reverse("wagtailadmin_pages:edit", args=[page.pk])).content, "html.parser")
    state = json.loads(soup.find(id="body")["data-w-block-arguments-value"])[0]  # type: ignore[index]
    fields = {"title": page.title, "slug": page.slug, "event": str(page.event_id)}
    for name in ("comments", "comment_subscriptions"):
        fields |= {f"{name}-{part}": "0" for part in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")}
    return fields, state


def posted(fields: dict[str, str], state: list[dict[str, Any]], **changes: Any) -> dict[str, str]:
    """The form as a browser sends it. `changes` replace block values by their place."""
    data = {**fields, "body-count": str(len(state)), "action-publish": "1"}
    for place, block in enumerate(state):
        prefix = f"body-{place}"
        data |= {f"{prefix}-{part}": "" for part in ("deleted",)}
        data |= {f"{prefix}-order": str(place), f"{prefix}-type": block["type"], f"{prefix}-id": block["id"]}
        value = changes.get(f"at_{place}", block["value"])
        if isinstance(value, dict):
            data |= {f"{prefix}-value-{name}": str(part) for name, part in value.items()}
        else:
            data[f"{prefix}-value"] = value
    return data


def test_body_field_stays_out_of_migrations() -> None:
    with plugin_installed():
        _name, path, args, kwargs = EventPage._meta.get_field("body").deconstruct()

        assert (path, args, set(kwargs)) == ("apps.events.body.EventBodyField", [], {"blank", "verbose_name"})


@pytest.mark.django_db
def test_installing_a_plugin_asks_for_no_migration() -> None:
    with plugin_installed():
        call_command("makemigrations", "events", check=True, dry_run=True, verbosity=0)


def test_two_plugins_cannot_offer_the_same_block() -> None:
    with plugin_installed("text"), pytest.raises(ImproperlyConfigured, match="text"):
        EventBodyField().stream_block  # noqa: B018 - asking builds it


def test_installed_block_is_rendered_on_the_page(page: EventPage, client: Client) -> None:
    with plugin_installed():
        assert "specimen Seen 3" in client.get(page.url).content.decode()

    assert "specimen Seen" not in client.get(page.url + "?page=1").content.decode()


def test_missing_block_survives_saving_a_revision(page: EventPage) -> None:
    read = EventPage.objects.get(pk=page.pk)
    read.title = "Changed"
    read.save_revision().publish()

    assert stored(page) == BODY
    with plugin_installed():
        block = EventPage.objects.get(pk=page.pk).body[1]
        assert (block.block_type, block.id, dict(block.value)) == ("specimen", "b", {"headline": "Seen", "number": 3})


def test_missing_block_survives_programmed_changes_around_it(page: EventPage) -> None:
    read = EventPage.objects.get(pk=page.pk)
    read.body.append(("text", blocks.RichTextBlock().to_python("<p>More</p>")))
    del read.body[0]
    read.save()

    assert [(block["type"], block["id"]) for block in stored(page)[:2]] == [("specimen", "b"), ("text", "c")]
    assert stored(page)[0]["value"] == {"headline": "Seen", "number": 3}


def test_missing_block_survives_the_editor(page: EventPage, ours: World, client: Client) -> None:
    client.force_login(ours.editor)
    fields, state = form_of(client, page)
    assert [block["type"] for block in state] == ["text", MISSING, "text"]

    data = posted(
        {**fields, "title": "Edited"}, state, at_0=rich_text("<p>Rewritten</p>"), at_2=rich_text("<p>After</p>")
    )
    response = client.post(reverse("wagtailadmin_pages:edit", args=[page.pk]), data)

    assert response.status_code == 302, response.context["form"].errors
    read = EventPage.objects.get(pk=page.pk)
    assert read.title == "Edited"
    assert stored(page)[1] == BODY[1]
    with plugin_installed():
        assert "specimen Seen 3" in client.get(read.url).content.decode()
        _fields, state = form_of(client, read)
        assert (state[1]["type"], state[1]["id"], state[1]["value"]["headline"]) == ("specimen", "b", "Seen")


def test_missing_block_can_be_moved_and_removed_by_the_editor(page: EventPage, ours: World, client: Client) -> None:
    client.force_login(ours.editor)
    fields, state = form_of(client, page)
    moved = [
        state[1],
        {**state[0], "value": rich_text("<p>Before</p>")},
        {**state[2], "value": rich_text("<p>After</p>")},
    ]
    client.post(reverse("wagtailadmin_pages:edit", args=[page.pk]), posted(fields, moved))
    assert [block["id"] for block in stored(page)] == ["b", "a", "c"]

    data = posted(fields, moved) | {"body-0-deleted": "1"}
    client.post(reverse("wagtailadmin_pages:edit", args=[page.pk]), data)

    assert [block["id"] for block in stored(page)] == ["a", "c"]


@pytest.mark.parametrize("forged", ["", "{}", "eyJ0eXBlIjoidGV4dCJ9:1abc:forged"])
def test_missing_block_that_was_changed_on_the_way_is_refused(
    page: EventPage, ours: World, client: Client, forged: str
) -> None:
    client.force_login(ours.editor)
    fields, state = form_of(client, page)

    data = posted(fields, state, at_0=rich_text("<p>x</p>"), at_1=forged, at_2=rich_text("<p>x</p>"))
    response = client.post(reverse("wagtailadmin_pages:edit", args=[page.pk]), data)

    assert response.status_code == 200
    assert "came back changed" in response.content.decode()
    assert stored(page) == BODY


def test_hero_is_offered_once(page: EventPage, ours: World, client: Client) -> None:
    client.force_login(ours.editor)
    soup = BeautifulSoup(client.get(reverse("wagtailadmin_pages:edit", args=[page.pk])).content, "html.parser")

    definition = json.dumps(json.loads(soup.find(id="body")["data-w-block-data-value"]))  # type: ignore[index]

    assert '"blockCounts": {"hero": {"max_num": 1}}' in definition
    assert "events/admin/event-blocks.js" in str(soup)  # offers no more blocks of missing plugins (see journeys)


def test_every_block_of_the_house_explains_itself() -> None:
    block = EventPage._meta.get_field("body").stream_block
    unexplained = [
        name
        for name, child in block.child_blocks.items()
        if name != MISSING and not (child.get_description() and child.meta.icon != "placeholder" and child.meta.group)
    ]

    assert unexplained == []
    assert [name for name, child in block.child_blocks.items() if name != MISSING and not child.is_previewable] == []
