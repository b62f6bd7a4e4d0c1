"""Begins to watch, when Django is ready, for whatever makes a cached page old, or the words by which an event is found,
and for who joins a board."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EventsConfig(AppConfig):
    name = "apps.events"
    label = "events"
    verbose_name = _("Events")

    def ready(self) -> None:
        from django.db.models.signals import post_save

        from apps.events import approval, finding, page_cache
        from apps.events.models import Event

        approval.connect()
        page_cache.connect()
        post_save.connect(finding.tell_anew, sender=Event, dispatch_uid="finding")
