"""Begins to watch, when Django is ready, for whatever makes a cached page old, or the words by which an event is found,
for who joins a board, and for pages that are published."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EventsConfig(AppConfig):
    name = "apps.events"
    label = "events"
    verbose_name = _("Events")

    def ready(self) -> None:
        from django.db.models.signals import post_save
        from wagtail.signals import page_published

        from apps.events import approval, finding, making_ready, page_cache
        from apps.events.models import Event, EventPage

        approval.connect()
        page_cache.connect()
        page_published.connect(making_ready.ask, sender=EventPage, dispatch_uid="making_ready")
        post_save.connect(finding.tell_anew, sender=Event, dispatch_uid="finding")
