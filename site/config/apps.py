from django.apps import AppConfig, apps

from config import plugins


class HouseConfig(AppConfig):
    """The Django project itself: shared templates and static files, and the checks that concern the whole house."""

    name = "config"
    verbose_name = "Foyer"

    def import_models(self) -> None:
        """The house is the first app whose models are asked for: plugins are guarded before theirs are."""
        plugins.guard(apps.app_configs.values())
        super().import_models()
