"""Begins to watch for whatever makes a cached page old when Django is ready."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EventsConfig(AppConfig):
    name = "apps.events"
    label = "events"
    verbose_name = _("Events")

    def ready(self) -> None:
        from apps.events import page_cache

        page_cache.connect()
