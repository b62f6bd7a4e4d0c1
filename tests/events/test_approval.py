"""A board member approves: what editors may do with a board and without one, and that the guard holds for approvals."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from wagtail.models import TaskState, WorkflowPage

from apps.accounts.models import User
from apps.events import approval, publishing
from apps.events.models import EventPage
from apps.ticketing.models import TicketType
from tests import factories
from tests.events.test_body import form_of, posted
from tests.tenancy.world import World, page_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(ours: World) -> EventPage:
    EventPage.objects.filter(pk=ours.page.pk).update(live=False)
    return EventPage.objects.get(pk=ours.page.pk)


@pytest.fixture
def board_member(ours: World) -> User:
    """Somebody on the board, who is an editor too."""
    person = factories.user(email="board@example.org")
    person.groups.add(ours.organisation.editors, Group.objects.get(name=approval.name_of(ours.organisation)))
    return person


def may_publish(user: User, page: EventPage) -> bool:
    return page.permissions_for_user(User.objects.get(pk=user.pk)).can_publish()


def in_editor(user: User, page: EventPage, action: str, **more: str) -> Any:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    fields, state = form_of(client, page)
    data = posted(fields, state)
    del data["action-publish"]
    address = reverse("wagtailadmin_pages:edit", args=[page.pk])
    return client.post(address, {**data, action: "1", **more}, follow=True)


def test_editors_publish_alone_until_somebody_is_on_the_board(ours: World, theirs: World, draft: EventPage) -> None:
    board = Group.objects.get(name=approval.name_of(ours.organisation))

    assert (approval.is_wanted(ours.organisation), may_publish(ours.editor, draft)) == (True, True)
    theirs.editor.groups.add(Group.objects.get(name=approval.name_of(theirs.organisation)))
    assert may_publish(ours.editor, draft)
    ours.editor.groups.add(board)  # an association of one approves what it wrote
    assert (may_publish(ours.editor, draft), draft.has_workflow) == (True, True)
    another = factories.user()
    another.groups.add(ours.organisation.editors)
    assert not may_publish(another, draft)
    board.user_set.clear()
    assert (may_publish(another, draft), draft.has_workflow) == (True, False)
    assert WorkflowPage.objects.filter(page=theirs.root).count() == 1


def test_board_member_approves_what_an_editor_submits(ours: World, draft: EventPage, board_member: User) -> None:
    refused = in_editor(ours.editor, draft, "action-publish")
    assert not EventPage.objects.get(pk=draft.pk).live
    assert refused.status_code == 200

    in_editor(ours.editor, draft, "action-submit")
    assert TaskState.objects.get().status == "in_progress"
    assert not EventPage.objects.get(pk=draft.pk).live
    in_editor(board_member, draft, "action-workflow-action", **{"workflow-action-name": "approve"})

    assert EventPage.objects.get(pk=draft.pk).live


def test_approval_is_refused_while_something_stands_in_the_way(
    ours: World, draft: EventPage, board_member: User
) -> None:
    in_editor(ours.editor, draft, "action-submit")
    ours.kind.quotas.clear()

    answer = in_editor(board_member, draft, "action-workflow-action", **{"workflow-action-name": "approve"})

    assert "takes from no quota" in " ".join(str(message) for message in answer.context["messages"])
    assert TaskState.objects.get().status == "in_progress"
    assert not EventPage.objects.get(pk=draft.pk).live
    ours.kind.quotas.add(ours.quota)
    in_editor(board_member, draft, "action-workflow-action", **{"workflow-action-name": "approve"})
    assert EventPage.objects.get(pk=draft.pk).live


def test_organisation_switches_approval_off_and_on_at_its_desk(
    ours: World, draft: EventPage, board_member: User
) -> None:
    client = Client(headers={"accept-language": "en"})
    client.force_login(board_member)
    address = reverse("organisation_desk:edit", args=[ours.organisation.public_id])
    facts = {"name": ours.organisation.name, "theme": "default", "board": [board_member.pk]}

    assert not may_publish(ours.editor, draft)
    assert client.post(address, facts).status_code == 302
    assert (approval.is_wanted(ours.organisation), may_publish(ours.editor, draft)) == (False, True)
    client.post(address, {**facts, "needs_approval": "on"})
    assert (approval.is_wanted(ours.organisation), may_publish(ours.editor, draft)) == (True, False)


def test_page_of_the_board_is_published_by_code_all_the_same(ours: World, board_member: User) -> None:
    page = page_of(factories.event(organisation=ours.organisation), ours.root, slug="other", publish=False)

    page.save_revision().publish()

    assert EventPage.objects.get(pk=page.pk).live
    assert publishing.problems(page) == []
    assert TicketType.objects.count() == 1


# --- The content checker -------------------------------------------------------------------------------------------


def test_content_checker_is_there_for_editors_and_runs_every_rule(ours: World, theirs: World) -> None:
    def page_of_visitor(user: User | None) -> str:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client.get(ours.page.url).content.decode()

    shown = page_of_visitor(ours.editor)
    assert "<wagtail-userbar>" in shown
    assert '"runOnly"' not in shown
    assert '"alt-text-quality"' in shown
    for other in (None, factories.user(), theirs.editor, ours.treasurer):
        assert "wagtail-userbar" not in page_of_visitor(other)

    client = Client()
    client.force_login(ours.editor)
    preview = client.get(reverse("wagtailadmin_pages:view_draft", args=[ours.page.pk])).content.decode()
    assert "<wagtail-userbar>" in preview
    assert '"runOnly"' not in client.get(reverse("wagtailadmin_pages:edit", args=[ours.page.pk])).content.decode()


def seated(user: User, ours: World, *people: User, needs: str = "on") -> Any:
    """Post the organisation's desk with these people as the board."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    facts = {"name": "Lyktan", "theme": "default", "legal_name": "Lyktan", "needs_approval": needs}
    address = reverse("organisation_desk:edit", args=[ours.organisation.public_id])
    return client.post(address, {**facts, "board": [person.pk for person in people]}, follow=True)


def test_association_names_its_board_on_its_desk_and_then_only_the_board_does(
    ours: World, theirs: World, draft: EventPage
) -> None:
    another = factories.user(name="Bo")
    another.groups.add(ours.organisation.editors)

    stranger = seated(ours.editor, ours, theirs.editor)
    assert "board" in stranger.context["form"].errors
    assert list(approval.members(ours.organisation)) == []
    seated(ours.editor, ours, another)

    board = Group.objects.get(name=approval.name_of(ours.organisation))
    board.user_set.add(factories.user(name="Guest", is_active=False), theirs.treasurer)  # by the site's hand: they stay
    assert seated(another, ours, another).redirect_chain
    assert list(approval.members(ours.organisation).exclude(pk=theirs.treasurer.pk)) == [another]
    board.user_set.remove(theirs.treasurer)
    assert (may_publish(ours.editor, draft), may_publish(another, draft)) == (False, True)
    seated(ours.editor, ours, ours.editor, needs="")  # who is not on it may change neither
    seated(ours.treasurer, ours)
    assert (list(approval.members(ours.organisation)), approval.is_wanted(ours.organisation)) == ([another], True)
    seated(another, ours, ours.editor)
    assert list(approval.members(ours.organisation)) == [ours.editor]
    assert may_publish(ours.editor, draft)
