"""How a page that was made for somebody goes out to the public: at once, by way of those who approve it, or not yet."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from wagtail.models import Page

from apps.events import publishing


class Outcome(StrEnum):
    """What became of a page, the furthest first."""

    PUBLISHED = "published"
    SUBMITTED = "submitted"  # to the organisation's approval workflow
    DRAFT = "draft"


def publish(pages: Iterable[Page], user: Any) -> list[Page]:
    """Publish the drafts that `user` may publish, that nobody has to approve and that nothing stands in the way of (see
    `publishing`); the others stay drafts. May run inside a transaction: it writes to nobody. Returns the pages that
    wait for `submit`, because they have an approval workflow.
    """
    waiting = []
    for page in pages:
        if page.get_workflow() is not None:
            waiting.append(page)
        elif not page.live and page.permissions_for_user(user).can_publish() and not publishing.problems(page):
            (page.get_latest_revision() or page.save_revision(user=user)).publish(user=user)
    return waiting


def submit(pages: Iterable[Page], user: Any) -> None:
    """Ask for approval of drafts that nobody has asked for yet. Call it outside a transaction: approvers are mailed."""
    for page in pages:
        workflow = page.get_workflow()
        if workflow is not None and not page.live and not page.workflow_in_progress:
            if page.get_latest_revision() is None:
                page.save_revision(user=user)
            workflow.start(page, user)


def outcome_of(pages: Iterable[Page]) -> Outcome:
    """What became of `pages`, judged by the one that is behind."""
    found = [
        Outcome.PUBLISHED if page.live else Outcome.SUBMITTED if page.workflow_in_progress else Outcome.DRAFT
        for page in pages
    ]
    order = list(Outcome)
    return max(found, key=order.index, default=Outcome.DRAFT)
