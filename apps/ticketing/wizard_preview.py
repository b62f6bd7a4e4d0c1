"""The page of an event that does not exist yet, as visitors will see it: built in memory, nothing is written."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.text import slugify
from django.utils.translation import override

from apps.events import listing
from apps.events.extensions import Offer
from apps.events.models import Event, EventPage, OrganisationPage
from apps.ticketing import clock, wizard
from apps.ticketing.models import EventDraft


class SketchedTickets:
    """Stands where the ticket block will, and is rendered like one."""

    def __init__(self, event: Event, plan: wizard.Plan, offers: list[Offer], standing: Any) -> None:
        self.event, self.plan, self.offers, self.standing = event, plan, offers, standing

    def render_as_block(self, context: Any = None) -> SafeString:
        sketches = [wizard.sketch_of(self.plan.template, row["key"]) for row in self.plan.tickets]
        rows = [
            {"offer": offer, "description": sketch.description if sketch else None}
            for offer, sketch in zip(self.offers, sketches, strict=True)
        ]
        facts = {"event": self.event, "rows": rows, "standing": self.standing, "questions": self.plan.questions}
        return render_to_string("ticketing/wizard_tickets.html", facts)


def render(draft: EventDraft, request: HttpRequest, language: str) -> str:
    """The page in one language. Raises Incomplete, and Http404 for a language in which there will be no page."""
    plan = wizard.plan_of(draft)
    roots = OrganisationPage.objects.filter(organisation=draft.organisation, locale__language_code=language)
    root = roots.select_related("locale").first()
    if root is None or not plan.facts.get(f"title_{language}"):
        raise Http404
    with override(language):
        return render_to_string("ticketing/wizard_preview.html", _context(draft, plan, root, request), request)


def _context(draft: EventDraft, plan: wizard.Plan, root: OrganisationPage, request: HttpRequest) -> dict[str, Any]:
    event, at = Event(organisation=draft.organisation, **plan.facts), clock.now()
    title = plan.facts[f"title_{root.locale.language_code}"]
    page = EventPage(
        title=title,
        slug=slugify(title),
        event=event,
        locale=root.locale,
        body=json.dumps(plan.body(root.locale.language_code)),
    )
    page.set_url_path(root)
    offers = [_offer(row, plan, at) for row in plan.rows()]
    standing = listing.standing_of(event, offers, at)
    stories = [block for block in page.body if block.block_type not in ("hero", "tickets")]
    poster = listing.posters_of([page], for_hero=True)[page.pk]
    return {
        "page": page,
        "event": event,
        "organisation": draft.organisation,
        "language_url": request.path,
        "has_hero": True,
        "has_brand": poster.is_cut_paper,
        "poster": poster,
        "title_size": listing.title_size(title),
        "standing": standing,
        "price": listing.price_of(offers),
        "invitation": listing.invitation_of(offers),
        "before": [],
        "aside": SketchedTickets(event, plan, offers, standing),
        "after": stories,
    }


def _offer(row: wizard.Row, plan: wizard.Plan, at: datetime) -> Offer:
    opens_at = plan.sale["sale_opens_at"]
    availability = "PreOrder" if opens_at and at < opens_at else "InStock"
    return Offer(row.name, row.price_minor, "SEK", availability, opens_at, None, "")
