"""The event wizard without its screens: what a draft holds, whether it is complete, and how it becomes an event.

Until the end only the draft's row is written. Then event, places, tickets, choices and pages are made in one
transaction, or nothing is. The views are in `wizard_desk`, the forms in `wizard_forms`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, count
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.html import escape
from django.utils.text import slugify
from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import override as in_language
from wagtail.models import Page

from apps.events import going_public
from apps.events.models import Event, EventPage, OrganisationPage
from apps.events.translated import LANGUAGES, pick
from apps.ticketing import clock
from apps.ticketing.event_templates import OURS
from apps.ticketing.extensions import EventTemplate, event_templates
from apps.ticketing.models import Choice, EventDraft, Quota, TicketType, Variation
from apps.ticketing.wizard_forms import (
    ROWS,
    FactsForm,
    PageForm,
    SaleForm,
    TicketRowSet,
    Typed,
    as_posted,
    proposed_page,
    proposed_tickets,
    rows_of,
    sketch_of,
)

KEPT_DAYS = 90  # after somebody wrote in a draft for the last time
STEPS = ("template", "facts", "tickets", "page")
STEP_NAMES = {
    "template": gettext_lazy("Kind of event"),
    "facts": gettext_lazy("Facts"),
    "tickets": gettext_lazy("Tickets"),
    "page": gettext_lazy("Page"),
}


class Incomplete(Exception):
    """The draft cannot become an event yet: `step` is the first that lacks something."""

    def __init__(self, step: str) -> None:
        super().__init__(step)
        self.step = step


# --- What a draft holds ----------------------------------------------------------------------------------------------


def template_of(draft: EventDraft) -> EventTemplate:
    """The draft's template; our first when the plugin that brought it is gone."""
    return event_templates.get(draft.template) if draft.template in event_templates else OURS[0]


def typed_in(draft: EventDraft, step: str) -> Typed:
    """What was typed in a step, else what the template proposes there."""
    template = template_of(draft)
    if step == "facts":
        return draft.typed.get("facts", {})
    kept = draft.typed.get(template.slug, {}).get(step)
    if step == "page":
        return {**proposed_page(template), **(kept or {})}
    return proposed_tickets(template) if kept is None else kept


def keep(draft: EventDraft, step: str, typed: Typed) -> None:
    """Write down what was typed in a step; the caller holds the row's lock and saves it."""
    if step == "facts":
        draft.typed["facts"] = typed
    else:
        draft.typed.setdefault(template_of(draft).slug, {})[step] = typed


def languages_of(draft: EventDraft) -> list[str]:
    """The languages that have a title, in which the organisation has pages."""
    facts = typed_in(draft, "facts")
    return [language for language in LANGUAGES if facts.get(f"title_{language}", "").strip()]


@dataclass(frozen=True)
class StepForms:
    """The forms of one step: `main`, and the rows of tickets where there are any."""

    main: Any
    rows: Any = None

    def is_valid(self) -> bool:
        valid = self.main.is_valid()
        return (self.rows is None or self.rows.is_valid()) and valid


def forms_of(draft: EventDraft, step: str, *, judged: bool) -> StepForms:
    """The step's forms with what the draft holds; errors are told when they are `judged`."""
    typed = as_posted(typed_in(draft, step))
    how = {"data": typed} if judged else {"initial": typed}
    template = template_of(draft)
    if step == "facts":
        return StepForms(FactsForm(template=template, **how))
    if step == "page":
        return StepForms(PageForm(languages=languages_of(draft), **how))
    rows = {"data": typed} if judged else {"initial": rows_of(typed_in(draft, step))}
    facts = forms_of(draft, "facts", judged=True).main
    starts_at = facts.cleaned_data.get("starts_at") if facts.is_valid() else None
    sale = SaleForm(template=template, starts_at=starts_at, **how)
    return StepForms(sale, TicketRowSet(prefix=ROWS, template=template, **rows))


def first_incomplete(draft: EventDraft, until: str = "page") -> str | None:
    """The first step up to `until` that does not hold yet; None when all do."""
    for step in STEPS[1 : STEPS.index(until) + 1]:
        if not forms_of(draft, step, judged=True).is_valid():
            return step
    return None


# --- What is made of it ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One ticket of a plan. `places` of None shares those of the first."""

    key: str
    name_sv: str
    name_en: str
    price_minor: int
    places: int | None

    @property
    def name(self) -> str:
        return pick(self.name_sv, self.name_en)


@dataclass(frozen=True)
class Plan:
    """All that a complete draft says, as cleaned values."""

    template: EventTemplate
    facts: dict[str, Any]
    sale: dict[str, Any]
    tickets: list[dict[str, Any]]
    texts: dict[str, str]

    @property
    def questions(self) -> list[Any]:
        return [question for question in self.template.questions if question.key in self.sale.get("questions", ())]

    def rows(self) -> list[Row]:
        """The tickets, each with its price and the places that it takes from."""
        first = self.tickets[0]
        return [
            Row(
                key=row["key"],
                name_sv=row["name_sv"],
                name_en=row["name_en"],
                price_minor=first["price_minor"] if row["price_minor"] is None else row["price_minor"],
                places=row["places"],
            )
            for row in self.tickets
        ]

    def body(self, language: str) -> list[dict[str, Any]]:
        """The page's blocks in one language: poster, tickets, invitation, practical information, questions."""
        text = self.texts.get(f"text_{language}", "")
        notes = [(title[language], below[language]) for title, below in self.template.notes]
        if age := self.sale.get("minimum_age"):
            with in_language(language):
                notes.insert(0, (gettext("%(age)s years") % {"age": age}, gettext("Bring identification")))
        faq = [
            {"question": question[language], "answer": f"<p>{escape(answer[language])}</p>"}
            for question, answer in self.template.faq
        ]
        blocks = [
            ("hero", {"kicker": "", "motif": self.template.motif, "photo": None}),
            ("tickets", {"heading": "", "event": None}),
            ("text", paragraphs(text)),
            ("practical_info", {"heading": "", "notes": [{"title": title, "text": below} for title, below in notes]}),
            ("faq", {"heading": "", "questions": faq}),
        ]
        empty = {"text": not text.strip(), "faq": not faq}
        return [
            {"type": kind, "value": value, "id": str(uuid.uuid4())} for kind, value in blocks if not empty.get(kind)
        ]


def paragraphs(text: str) -> str:
    """Plain text as rich text: an empty line begins a new paragraph."""
    blocks = (block.strip() for block in text.replace("\r\n", "\n").split("\n\n"))
    return "".join(f"<p>{escape(block).replace(chr(10), '<br/>')}</p>" for block in blocks if block)


def plan_of(draft: EventDraft) -> Plan:
    """What the draft says. Raises Incomplete."""
    found = {step: forms_of(draft, step, judged=True) for step in STEPS[1:]}
    for step, forms in found.items():
        if not forms.is_valid():
            raise Incomplete(step)
    tickets = [form.cleaned_data for form in found["tickets"].rows.kept()]
    return Plan(
        template_of(draft),
        found["facts"].main.cleaned_data,
        found["tickets"].main.cleaned_data,
        tickets,
        found["page"].main.cleaned_data,
    )


def finish(draft_id: int, user: Any, *, publish: bool) -> Event:
    """Make the draft's event with all that belongs to it, once: whoever comes second gets the same event.

    Locks the draft, then the organisation's pages. Raises Incomplete, or PermissionDenied for somebody who may not add
    pages there; nothing is made then. With `publish` its pages go out as far as `user` may let them (`going_public`).
    """
    with transaction.atomic():
        draft = EventDraft.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=draft_id)
        if draft.event_id is None:
            plan = plan_of(draft)
            draft.event = _make(draft, plan, user)
            draft.typed = {}
            draft.save()
        event = draft.event
        assert event is not None  # just made, or found
        pages = list(EventPage.objects.filter(event=event))
        waiting = going_public.publish(pages, user) if publish else []
    going_public.submit(waiting, user)
    return event


def _make(draft: EventDraft, plan: Plan, user: Any) -> Event:
    event = Event.objects.create(organisation=draft.organisation, **plan.facts)
    _make_tickets(event, plan)
    _make_pages(event, plan, user)
    return event


def _make_tickets(event: Event, plan: Plan) -> None:
    shared: Quota | None = None
    for position, row in enumerate(plan.rows()):
        quota = Quota.objects.create(event=event, name=row.name, size=row.places) if row.places else shared
        shared = shared or quota
        assert quota is not None  # the first ticket says its places
        kind = TicketType.objects.create(
            event=event,
            position=position,
            name_sv=row.name_sv,
            name_en=row.name_en,
            price_minor=row.price_minor,
            vat_percent=plan.sale["vat_percent"],
            sale_opens_at=plan.sale["sale_opens_at"],
            minimum_age=plan.sale["minimum_age"],
            **_of_sketch(plan.template, row.key),
        )
        kind.quotas.add(quota)
        _make_questions(kind, plan)


def _of_sketch(template: EventTemplate, key: str) -> dict[str, Any]:
    """What a template says of a ticket without asking."""
    sketch = sketch_of(template, key)
    if sketch is None:
        return {}
    return {
        "description_sv": sketch.description.sv,
        "description_en": sketch.description.en,
        "max_per_order": sketch.max_per_order,
        "max_per_person": sketch.max_per_person,
        "is_resellable": sketch.is_resellable,
    }


def _make_questions(kind: TicketType, plan: Plan) -> None:
    for position, question in enumerate(plan.questions):
        variation = Variation.objects.create(
            ticket_type=kind, position=position, name_sv=question.name.sv, name_en=question.name.en
        )
        Choice.objects.bulk_create(
            Choice(variation=variation, position=place, name_sv=answer.sv, name_en=answer.en)
            for place, answer in enumerate(question.answers)
        )


def _make_pages(event: Event, plan: Plan, user: Any) -> None:
    """A draft page in each of the organisation's languages that has a title, as translations of each other."""
    key = uuid.uuid4()
    roots = OrganisationPage.objects.filter(organisation=event.organisation).select_related("locale")
    for root in roots.select_for_update(of=("self",)).order_by("pk"):
        language = root.locale.language_code
        title = plan.facts.get(f"title_{language}")
        if not title:
            continue
        parent = Page.objects.get(pk=root.pk)
        if not parent.permissions_for_user(user).can_add_subpage():
            raise PermissionDenied
        page = EventPage(
            title=title,
            slug=_free_slug(parent, title),
            event=event,
            locale=root.locale,
            owner=user,
            translation_key=key,
            body=json.dumps(plan.body(language)),
            live=False,
        )
        parent.add_child(instance=page)
        page.save_revision(user=user)


def _free_slug(parent: Page, title: str) -> str:
    wanted = slugify(title) or "event"
    taken = set(parent.get_children().values_list("slug", flat=True))
    return next(slug for slug in chain([wanted], (f"{wanted}-{number}" for number in count(2))) if slug not in taken)


# --- Drafts ----------------------------------------------------------------------------------------------------------


def unfinished(drafts: Any) -> Iterator[EventDraft]:
    """Of these drafts those in which something was typed, the latest first."""
    return (draft for draft in drafts.filter(event__isnull=True).select_related("organisation") if draft.typed)


def forget_old() -> None:
    """Throw away drafts that nobody has touched for KEPT_DAYS, finished ones too. Once a day."""
    EventDraft.objects.filter(touched_at__lt=clock.now() - timedelta(days=KEPT_DAYS)).delete()
