"""How it is told: pages. A page points to its Event and never stores what is sold, so that reverting a page reverts no
price. The tree is site -> home (one per language) -> organisation -> events and plain pages; an organisation's subtree
is its wall.
"""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel
from wagtail.fields import RichTextField
from wagtail.models import Page
from wagtail.search import index

from apps.accounts.privacy import Personal, fields
from apps.events import page_cache, travel
from apps.events.body import EventBodyField
from apps.events.forms import EventPageForm
from apps.events.models.facts import Event, Organisation
from apps.events.panels import PublishProblemsPanel

log = logging.getLogger(__name__)

PAGE_PERSONAL = {
    "owner": Personal("to know who made a page", "as long as the page"),
    "locked_by": Personal("to know who holds a page", "until it is unlocked"),
}
PAGE_FIELDS = " ".join(field.name for field in Page._meta.concrete_fields if field.name not in PAGE_PERSONAL)
SCHEDULED = "wagtail.publish.scheduled"  # how Wagtail's publish_scheduled names what it does
# What the site itself answers below a language, so that no page directly below the start page may be called so.
OWN_ADDRESSES = frozenset({"events", "legal", "orders", "reminders", "sandbox", "tickets"})
BELOW_HOME = 3
PLAIN_TEXT = ["h2", "h3", "bold", "italic", "ol", "ul", "link", "hr"]


class FoyerPage(Page):
    """What all pages share: kept whole for visitors, and a way to the same page in the other language."""

    # Who may see a page is nobody's choice: its form would name every group of every organisation.
    private_page_options: list[str] = []

    class Meta:
        abstract = True

    def serve(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return page_cache.mark(super().serve(request, *args, **kwargs))

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        from apps.events import sharing  # sharing reads pages

        context = super().get_context(request, *args, **kwargs)
        translations = list(self.get_translations().live().public().select_related("locale"))
        context["organisation"] = self.get_organisation()
        context["sharing"] = sharing.of_page(self, request, translations)
        other = self.url_in_other_language(request, translations)
        context["language_url"] = other + page_cache.keys_of(request)
        return context

    def clean(self) -> None:
        super().clean()
        if self.depth == BELOW_HOME and self.slug in OWN_ADDRESSES:
            taken = _("“%(slug)s” is an address of the site's own. Choose another.")
            raise ValidationError({"slug": taken % {"slug": self.slug}})

    def get_organisation(self) -> Organisation | None:
        """Whose page it is; None for the house's own."""
        return None

    def url_in_other_language(self, request: HttpRequest, translations: list[Page]) -> str:
        """This page in the other language; where it is not translated, the nearest page above that is."""
        page: Page = self
        while not page.is_root():
            for translation in translations:
                return translation.get_url(request) or "/"
            page = page.get_parent()
            translations = list(page.get_translations().filter(live=True))
        return "/"


class HomePage(FoyerPage):
    """The start: what is on."""

    ORGANISATION_PATH = None  # the house's
    PERSONAL = PAGE_PERSONAL
    NOT_PERSONAL = fields(f"page_ptr {PAGE_FIELDS}")

    template = "events/home_page.html"
    is_creatable = False  # made by tenancy.ensure_site
    parent_page_types = ["wagtailcore.Page"]
    subpage_types = ["events.OrganisationPage", "events.PlainPage"]

    class Meta:
        verbose_name = _("start page")
        verbose_name_plural = _("start pages")

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        from apps.events import listing  # listing reads pages

        context = super().get_context(request, *args, **kwargs)
        return {**context, **listing.home_context(request)}


class OrganisationPage(FoyerPage):
    """The root of an organisation's pages, one per language. Made with the organisation."""

    ORGANISATION_PATH = "organisation"
    PERSONAL = PAGE_PERSONAL
    NOT_PERSONAL = fields(f"page_ptr organisation introduction {PAGE_FIELDS}")

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="pages", editable=False)
    introduction = RichTextField(_("introduction"), blank=True, features=["bold", "italic", "link"])

    template = "events/organisation_page.html"
    is_creatable = False  # made by tenancy.create_organisation
    parent_page_types = ["events.HomePage"]
    subpage_types = ["events.EventPage", "events.PlainPage"]
    content_panels = [*Page.content_panels, FieldPanel("introduction")]

    class Meta:
        verbose_name = _("organisation's page")
        verbose_name_plural = _("organisations' pages")

    def get_organisation(self) -> Organisation:
        return self.organisation

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        from apps.events import listing, structured

        context = super().get_context(request, *args, **kwargs)
        about = structured.organisation(self, context["sharing"])
        return {
            **context,
            **listing.organisation_context(request, self.organisation),
            "structured": structured.written(about, structured.trail((self.title, context["sharing"].url))),
        }


class EventPage(FoyerPage):
    """How one event is told in one language, out of blocks."""

    ORGANISATION_PATH = "event__organisation"
    PERSONAL = PAGE_PERSONAL
    NOT_PERSONAL = fields(f"page_ptr event body words {PAGE_FIELDS}")

    event = models.ForeignKey(Event, verbose_name=_("event"), on_delete=models.PROTECT, related_name="pages")
    body = EventBodyField(verbose_name=_("content"), blank=True)
    words = models.TextField(editable=False, blank=True, default="", db_default="")  # finding.words_for

    template = "events/event_page.html"
    parent_page_types = ["events.OrganisationPage"]
    subpage_types: list[str] = []
    base_form_class = EventPageForm
    content_panels = [
        PublishProblemsPanel(),
        FieldPanel("event"),
        *Page.content_panels,
        FieldPanel("body"),
    ]
    search_fields = [*Page.search_fields, index.SearchField("body")]

    class Meta:
        verbose_name = _("event page")
        verbose_name_plural = _("event pages")

    def get_organisation(self) -> Organisation:
        return self.event.organisation

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        from apps.events import listing, structured

        wanted = getattr(request, "travel", None)  # an editor's, in the preview
        at = wanted.at if wanted else None
        context = {**super().get_context(request, *args, **kwargs), **listing.event_context(self, at=at)}
        above, sharing = self.get_parent(), context["sharing"]
        above_url = above.get_full_url(request) or ""
        about = structured.event(self, sharing, context["offers"], above_url)
        trail = structured.trail((above.title, above_url), (self.title, sharing.url))
        return {**context, "structured": structured.written(about, trail)}

    def serve_preview(self, request: HttpRequest, mode_name: str) -> HttpResponse:
        """The page as it is edited, at the moment and for the person that the mode names (events.travel)."""
        if not self.event_id:  # not chosen yet: there is nothing to tell
            return TemplateResponse(request, "wagtailadmin/generic/preview_error.html", {"object": self})
        request.travel = travel.read(QueryDict(mode_name or ""), self.event.zone)  # type: ignore[attr-defined]
        return super().serve_preview(request, mode_name)

    def save(self, *args: Any, **kwargs: Any) -> None:
        from apps.events.finding import words_for

        self.words = words_for(self)
        super().save(*args, **kwargs)

    def publish(self, revision: Any, *args: Any, log_action: Any = True, **kwargs: Any) -> None:
        """Make the revision public, or have it made public at its time. Raises publishing.NotReady.

        A page whose time has come but that is not ready stays scheduled, and goes public once it is mended.
        """
        from apps.events import publishing

        try:
            publishing.insist(revision.as_object())
        except publishing.NotReady as refusal:
            if log_action != SCHEDULED:
                raise
            log.warning("page %s waits, although its time has come: %s", self.pk, refusal)
            return
        super().publish(revision, *args, log_action=log_action, **kwargs)

    def clean(self) -> None:
        super().clean()
        if self.event_id and self.path and self.depth > 1:
            self._must_lie_with_its_organisation()

    def _must_lie_with_its_organisation(self) -> None:
        owner = OrganisationPage.objects.filter(path=self.path[: -self.steplen]).values_list("organisation_id").first()
        if owner is not None and owner[0] != self.event.organisation_id:
            raise ValidationError({"event": _("Choose an event of the organisation whose page this lies under.")})


class PlainPage(FoyerPage):
    """Text alone: terms, help, who we are. The organisation's when it lies in its tree, else the house's."""

    ORGANISATION_PATH = None  # by its place in the page tree, which Wagtail's page permissions guard
    PERSONAL = PAGE_PERSONAL
    NOT_PERSONAL = fields(f"page_ptr text {PAGE_FIELDS}")

    text = RichTextField(_("text"), features=PLAIN_TEXT)

    template = "events/plain_page.html"
    parent_page_types = ["events.HomePage", "events.OrganisationPage", "events.PlainPage"]
    subpage_types = ["events.PlainPage"]
    content_panels = [*Page.content_panels, FieldPanel("text")]
    search_fields = [*Page.search_fields, index.SearchField("text")]

    class Meta:
        verbose_name = _("plain page")
        verbose_name_plural = _("plain pages")

    def get_organisation(self) -> Organisation | None:
        above = OrganisationPage.objects.ancestor_of(self).select_related("organisation").first()
        return above.organisation if above else None
