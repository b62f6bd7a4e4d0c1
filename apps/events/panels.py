"""Panels of the page editor that are Foyer's own."""

from __future__ import annotations

from typing import Any

from django.utils.functional import cached_property
from wagtail.admin.panels import Panel


class PublishProblemsPanel(Panel):
    """Above the form: what keeps the page from being published. Shows nothing when it can be."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "events/admin/publish_problems.html"

        @cached_property
        def problems(self) -> list[Any]:
            from apps.events import publishing  # pages are built out of panels, and the guard reads pages

            return publishing.problems(self.instance)

        def is_shown(self) -> bool:
            return super().is_shown() and bool(self.problems)

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            from apps.events import held_back

            own = [self.instance] if self.instance.pk else []
            more = {"problems": self.problems, "held_back": list(held_back.pages(own)), "request": self.request}
            return {**super().get_context_data(parent_context), **more}


class AccentPanel(Panel):
    """Below an organisation's colour: what it is as it was saved, on a button, a link and a chosen row, light and dark.
    Shows nothing without a colour."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "events/admin/accent.html"

        @cached_property
        def samples(self) -> list[Any]:
            from apps.events import looks  # looks read models, whose pages are built out of panels

            return looks.samples(self.instance)

        def is_shown(self) -> bool:
            return super().is_shown() and bool(self.samples)

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            return {**super().get_context_data(parent_context), "samples": self.samples}
