"""The editor's form of an event page: only events and files of the organisation whose page it is."""

from __future__ import annotations

from itertools import chain, count
from typing import Any

from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminPageForm

from apps.events import tenancy
from apps.events.translated import pick


class EventPageForm(WagtailAdminPageForm):
    """Offers the organisation's events, proposes the newest that has no page yet, and refuses anything of another."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.organisation = tenancy.organisation_of_page(self.instance if self.instance.pk else self.parent_page)
        if "event" not in self.fields:
            return
        events = tenancy.scope(self.fields["event"].queryset, self.for_user)
        if self.organisation is not None:
            events = events.filter(organisation=self.organisation)
        self.fields["event"].queryset = events
        if self.instance.pk is None and self.parent_page is not None and not self.is_bound:
            self._propose(events)

    def _propose(self, events: Any) -> None:
        """Begin a new page with its event (the newest without one, unless the page came with one) and its title."""
        told = type(self.instance).objects.filter(locale=self.parent_page.locale).values("event_id")
        event = (
            events.filter(pk=self.instance.event_id or 0).first() or events.exclude(pk__in=told).order_by("-pk").first()
        )
        if event is not None:
            title = pick(event.title_sv, event.title_en, self.parent_page.locale.language_code)
            self.initial |= {"event": event.pk, "title": title, "slug": self._free_slug(slugify(title) or "event")}

    def _free_slug(self, wanted: str) -> str:
        taken = set(self.parent_page.get_children().values_list("slug", flat=True))
        return next(slug for slug in chain([wanted], (f"{wanted}-{n}" for n in count(2))) if slug not in taken)

    def save(self, commit: bool = True) -> Any:
        if self.instance.pk is None:
            self.instance.live = False  # Wagtail would show a new page to everybody before it is published
        return super().save(commit=commit)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        event, body = cleaned.get("event"), cleaned.get("body")
        if event is not None and self._is_told_already(event):
            self.add_error("event", _("This event already has a page in this language. Open that page instead."))
        if body is not None and self.for_user is not None and not self.for_user.is_superuser:
            strangers = tenancy.foreign_references(body.stream_block.extract_references(body), self.organisation)
            if strangers:
                sentence = _("The page used something that belongs to another organisation. It was left out.")
                self.add_error("body", sentence)
                # The form is shown again with what is stored, so that it does not name the stranger's thing.
                self.fields["body"].bound_data = lambda data, initial: initial
        return cleaned

    def _is_told_already(self, event: Any) -> bool:
        locale = self.instance.locale if self.instance.pk else self.parent_page.locale
        live_elsewhere = type(self.instance).objects.filter(event=event, locale=locale, alias_of__isnull=True)
        return live_elsewhere.exclude(pk=self.instance.pk).exists()
