"""The guard before publishing: an event page that contradicts itself, its event or its sale does not become public.

Everything that publishes a page ends in `EventPage.publish`, which refuses here; only the page editor goes past it, and
is stopped by the hook `before_publish_page` (wagtail_hooks). Drafts can always be saved. In the administration `answer`
tells of a refusal, with the sentences and a way to mend each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from wagtail.models import Page

from apps.events.extensions import Problem, offerings
from apps.events.listing import now
from apps.events.looks import faint_accent
from apps.events.models import Event, EventPage
from apps.events.wording import write_moment


class NotReady(Exception):
    """A page that cannot be published yet; `problems` say why."""

    def __init__(self, page: Page, problems: list[Problem]) -> None:
        super().__init__(" ".join(problem.sentence for problem in problems))
        self.page = page
        self.problems = problems


def problems(page: Page, at: datetime | None = None) -> list[Problem]:
    """Why `page`, as it is in memory, should not be published at the moment `at` (default: now). None for pages that
    tell no event, nor while the event is not chosen. Reads only."""
    if not isinstance(page, EventPage) or not page.event_id:
        return []
    at = at or now()
    public_at = public_from(page, at)
    found = []
    if at < page.event.ends_at <= public_at:
        sentence = _("The page becomes public %(public)s, when the event is over.")
        found.append(Problem(sentence % {"public": write_moment(public_at, page.event.time_zone)}, edit_url(page)))
    found += problems_of(page.event, public_at)
    for block in page.body:
        ask = getattr(block.block, "publish_problems", None)
        if ask is not None:
            found += ask(block.value, page.event, public_at)
    return _each_once(found)


def problems_of(event: Event, public_at: datetime) -> list[Problem]:
    """Why no page about `event` should become public at `public_at`, whatever stands on it."""
    found = []
    if event.ends_at > public_at:
        contrast = faint_accent(event.organisation)
        if contrast is not None:
            sentence = _(
                "The accent colour of %(organisation)s cannot be read on its theme: a contrast of %(contrast)s to 1,"
                " and 4.5 is needed. Choose another colour or theme."
            )
            facts = {
                "organisation": event.organisation.name,
                "contrast": number_format(math.floor(contrast * 100) / 100, 2),
            }
            found.append(
                Problem(sentence % facts, reverse("organisation_desk:edit", args=[event.organisation.public_id]))
            )
        for offering in offerings:
            found += offering.publish_problems(event, public_at)
    return _each_once(found)


def problems_on_desk(event: Event) -> list[Problem]:
    """What stands in the way of any page of `event`, as it was saved last; of the event alone while it has none."""
    pages = [page.get_latest_revision_as_object() for page in EventPage.objects.filter(event=event)]
    found = [problem for page in pages for problem in problems(page)] if pages else problems_of(event, now())
    return _each_once(found)


def public_from(page: EventPage, at: datetime) -> datetime:
    """When the event would be public if `page` were published at `at`: at its scheduled time, unless it, or the page in
    the other language, is public already."""
    if page.go_live_at is None or page.go_live_at <= at:
        return at
    is_public = EventPage.objects.live().filter(event_id=page.event_id).exists()
    return at if is_public else page.go_live_at


def insist(page: Page) -> None:
    """Let a page pass that can be published. Raises NotReady."""
    found = problems(page)
    if found:
        raise NotReady(page, found)


def answer(request: HttpRequest, refusal: NotReady) -> HttpResponseRedirect:
    """Tell an editor what stopped the publishing, and lead back to the page, where it stands too."""
    reasons = format_html_join("", "<li>{}</li>", ((problem.sentence,) for problem in refusal.problems))
    head = _("“%(title)s” is not published. What you wrote is kept as a draft. This stands in the way:")
    messages.error(request, format_html("{}<ul>{}</ul>", head % {"title": refusal.page.title}, reasons))
    return redirect(edit_url(refusal.page))


def edit_url(page: Page) -> str:
    """Where a page is edited; empty for one that was never saved."""
    return reverse("wagtailadmin_pages:edit", args=[page.pk]) if page.pk else ""


def _each_once(found: Iterable[Problem]) -> list[Problem]:
    return list({problem.sentence: problem for problem in found}.values())
