"""What is told in one language alone: the gaps that an event's desk lists, each with the place where it is mended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.events.extensions import Gap, translated_texts
from apps.events.models import Event, EventPage, LegalText, OrganisationPage
from apps.events.translated import LANGUAGES, lacking

HEADINGS = {"sv": gettext_lazy("Missing in Swedish"), "en": gettext_lazy("Missing in English")}


@dataclass(frozen=True)
class Lack:
    """The gaps of one language."""

    heading: str | Promise
    gaps: list[Gap]


def of(event: Event) -> list[Lack]:
    """What an event lacks, by language: its title and pages, the organisation's terms, and what other apps tell."""
    gaps = [*_own(event), *(gap for texts in translated_texts for gap in texts.gaps(event))]
    found = {language: [gap for gap in gaps if gap.language == language] for language in LANGUAGES}
    return [Lack(HEADINGS[language], lack) for language, lack in found.items() if lack]


def _own(event: Event) -> Iterator[Gap]:
    address = reverse("event_desk:edit", args=[event.public_id])
    yield from (Gap(language, what, address) for language, what in lacking(event, "title"))
    yield from _pages(event)
    for row in LegalText.objects.filter(organisation=event.organisation):
        where = reverse("legal_desk:edit", args=[row.public_id])
        yield from (Gap(language, f"{row}: {what}", where) for language, what in lacking(row, "text"))


def _pages(event: Event) -> Iterator[Gap]:
    """Languages in which visitors find no page, while they find one in the other: to be translated, or published."""
    pages = EventPage.objects.filter(event=event).select_related("locale").order_by("pk")
    told = {page.locale.language_code: page for page in pages}
    live = next((page for page in told.values() if page.live), None)
    if live is None:
        return
    roots = OrganisationPage.objects.filter(organisation=event.organisation).select_related("locale")
    for language in (root.locale.language_code for root in roots):
        page = told.get(language)
        if page is None:
            where = reverse("simple_translation:submit_page_translation", args=[live.pk])
            yield Gap(language, _("The page: translate it"), where)
        elif not page.live:
            yield Gap(language, _("The page: publish it"), reverse("wagtailadmin_pages:edit", args=[page.pk]))
