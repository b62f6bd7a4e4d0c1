"""Begins to watch, when Django is ready, for whatever makes a cached page old, and for who joins a board."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EventsConfig(AppConfig):
    name = "apps.events"
    label = "events"
    verbose_name = _("Events")

    def ready(self) -> None:
        from apps.events import approval, page_cache

        approval.connect()
        page_cache.connect()
