"""Two pairs of eyes: an organisation's pages are approved by a board member before they become public.

Every organisation has a group `<slug>: board` and a workflow whose one task asks it. Editors may then write and submit,
and only the board publishes. That holds once somebody is on the board: until then, and where the organisation has
switched it off on its desk, editors publish by themselves, so that an association of one person is not locked out.
Whoever is on the board is an editor too, and may approve what they wrote. The first are named by any editor on the
organisation's desk; from then on only the board says who is on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.signals import m2m_changed
from django.utils.translation import gettext as _
from django.utils.translation import override
from wagtail.models import GroupApprovalTask, GroupPagePermission, Page, Workflow, WorkflowPage, WorkflowTask

from apps.events.models import Organisation, OrganisationPage

BOARD = ": board"


def name_of(organisation: Organisation) -> str:
    """How the group of those who approve is called, and the workflow that asks it."""
    return f"{organisation.slug}{BOARD}"


def is_wanted(organisation: Organisation) -> bool:
    """Whether the organisation wants pages approved; so it is from its founding."""
    return organisation.pk is None or Workflow.objects.filter(name=name_of(organisation), active=True).exists()


@transaction.atomic
def want(organisation: Organisation, wanted: bool) -> None:
    """Have pages approved from now on, or let editors publish by themselves. Makes what that takes. Next: settle."""
    board = Group.objects.get_or_create(name=name_of(organisation))[0]
    workflow = Workflow.objects.filter(name=board.name).first()
    if workflow is None:
        with override("sv"):
            name = _("A board member approves")
        task = GroupApprovalTask.objects.create(name=f"{name} ({organisation.name})"[:255])
        task.groups.add(board)
        workflow = Workflow.objects.create(name=board.name)
        WorkflowTask.objects.create(workflow=workflow, task=task)
    if workflow.active != wanted:
        workflow.active = wanted
        workflow.save(update_fields=["active"])
    settle(organisation)


def members(organisation: Organisation) -> QuerySet[Any]:
    """Who is on the board now: they, and nobody else, publish, and say who is on it."""
    return get_user_model().objects.filter(groups__name=name_of(organisation), is_active=True).order_by("name", "email")


def may_seat(user: Any, organisation: Organisation) -> bool:
    """Whether `user` may say who approves, and whether anybody must: the board itself, once there is one, until then
    whoever keeps the organisation's facts."""
    board = {person.pk for person in members(organisation)} if organisation.pk else set()
    return user.is_superuser or not board or user.pk in board


def candidates(organisation: Organisation) -> QuerySet[Any]:
    """Whom an organisation may put on its board: its editors."""
    editors = organisation.editors_id
    people = get_user_model().objects.filter(is_active=True).order_by("name", "email")
    return people.filter(groups=editors) if editors else people.none()


@transaction.atomic
def seat(organisation: Organisation, people: Iterable[Any]) -> None:
    """Let these of the candidates be on the board, and no others of them. `settle` follows by itself."""
    board = Group.objects.get(name=name_of(organisation))
    chosen = {person.pk for person in people}
    for person in candidates(organisation):
        if person.pk in chosen:
            board.user_set.add(person)
        else:
            board.user_set.remove(person)


@transaction.atomic
def settle(organisation: Organisation) -> None:
    """Give the right to publish to those who have it now, and ask for approval where it holds. Safe to repeat."""
    board = Group.objects.get(name=name_of(organisation))
    workflow = Workflow.objects.get(name=board.name)
    holds = workflow.active and board.user_set.filter(is_active=True).exists()
    publish = Permission.objects.get(content_type__app_label="wagtailcore", codename="publish_page")
    for root in OrganisationPage.objects.filter(organisation=organisation):
        page = Page.objects.get(pk=root.pk)
        GroupPagePermission.objects.get_or_create(group=board, page=page, permission=publish)
        of_editors = {"group": organisation.editors, "page": page, "permission": publish}
        if holds:
            GroupPagePermission.objects.filter(**of_editors).delete()
            WorkflowPage.objects.update_or_create(page=page, defaults={"workflow": workflow})
        else:
            GroupPagePermission.objects.get_or_create(**of_editors)
            WorkflowPage.objects.filter(page=page, workflow=workflow).delete()


def follow_the_board(instance: Any, action: str, reverse: bool, pk_set: set[int] | None, **_more: Any) -> None:
    """Somebody joined or left a board: a receiver of `m2m_changed` of people's groups."""
    if not action.startswith("post_"):
        return
    if reverse:
        names = {instance.name}
    elif pk_set is None:  # all of somebody's groups were taken away at once, and nobody says which
        names = set(Group.objects.filter(name__endswith=BOARD).values_list("name", flat=True))
    else:
        names = set(Group.objects.filter(pk__in=pk_set).values_list("name", flat=True))
    slugs = [name.removesuffix(BOARD) for name in names if name.endswith(BOARD)]
    for organisation in Organisation.objects.filter(slug__in=slugs) if slugs else ():
        settle(organisation)


def connect() -> None:
    """Follow every board. Called once, when apps are ready."""
    m2m_changed.connect(follow_the_board, sender=get_user_model().groups.through, dispatch_uid="approval.board")
