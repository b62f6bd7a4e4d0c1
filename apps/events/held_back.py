"""Scheduled pages whose time has come and that the guard holds back: whoever scheduled one is written to, once.

A page that `publishing` refuses stays scheduled, and goes public by itself once it is mended; until then its schedule,
which is over, tells that it waits. The desk of the event and the page's editor say so too.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.mail import send_mail
from django.utils.translation import gettext as _
from django.utils.translation import override
from wagtail.log_actions import log as write_history
from wagtail.models import PageLogEntry, Revision

from apps.accounts.plain_text import one_line
from apps.events import publishing
from apps.events.extensions import Problem
from apps.events.listing import now
from apps.events.models import EventPage
from apps.events.sharing import whole
from apps.events.wording import write_moment

log = logging.getLogger(__name__)

TOLD = "events.hold_back"  # in the page's history
SCHEDULED = "wagtail.publish.schedule"


@dataclass(frozen=True)
class Held:
    """A page as it should have become public at `due_at`, and why it did not."""

    page: EventPage
    revision: Revision
    due_at: datetime
    problems: list[Problem]

    @property
    def sentence(self) -> str:
        facts = {"title": self.page.title, "moment": write_moment(self.due_at, self.page.event.time_zone)}
        return _("“%(title)s” was to become public %(moment)s, and waits until this is mended.") % facts


def pages(among: Iterable[EventPage] | None = None) -> Iterator[Held]:
    """The pages that wait, of all or `among` some. Reads only."""
    at = now()
    waiting = Revision.objects.filter(
        content_type=ContentType.objects.get_for_model(EventPage), approved_go_live_at__lte=at
    )
    if among is not None:
        waiting = waiting.filter(object_id__in=[str(page.pk) for page in among])
    for revision in waiting.select_related("user").order_by("approved_go_live_at", "pk"):
        page = revision.as_object()
        found = publishing.problems(page, at)
        if found and revision.approved_go_live_at is not None:
            yield Held(page, revision, revision.approved_go_live_at, found)


def tell() -> None:
    """Write to whoever scheduled a page that waits, once for each schedule. Not in a transaction: mail goes out at
    once, and one that cannot be sent is tried in the next round."""
    for held in pages():
        if PageLogEntry.objects.filter(revision=held.revision, action=TOLD).exists():
            continue
        scheduled_by = _who_scheduled(held.revision)
        address = scheduled_by.email if scheduled_by else held.page.event.organisation.email
        try:
            if address:
                _write_to(address, held, language=getattr(scheduled_by, "locale", "") or settings.LANGUAGE_CODE)
        except Exception as error:  # whatever the house's mail backend raises
            log.warning("nobody could be told that page %s waits: %s", held.page.pk, type(error).__name__)
            continue
        write_history(instance=held.page, action=TOLD, revision=held.revision)


def _who_scheduled(revision: Revision) -> Any:
    """The person, or None when they are gone."""
    entries = PageLogEntry.objects.filter(revision=revision, action=SCHEDULED).select_related("user")
    entry = entries.order_by("-timestamp").first()
    person = (entry.user if entry else None) or revision.user
    return person if person is not None and person.is_active else None


def _write_to(address: str, held: Held, *, language: str) -> None:
    with override(language):
        problems = publishing.problems(held.page)  # anew, in the reader's language
        reasons = "\n".join(f"- {one.sentence}{f' {whole(one.url)}' if one.url else ''}" for one in problems)
        after = _("It becomes public by itself as soon as this is mended. The page: %(address)s")
        edited_at = whole(publishing.edit_url(held.page))
        send_mail(
            _("“%(title)s” is not public yet") % {"title": one_line(held.page.title)},
            f"{held.sentence}\n\n{reasons}\n\n{after % {'address': edited_at}}\n",
            None,
            [address],
        )
