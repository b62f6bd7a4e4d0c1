"""The Django app. Foyer installs it because the package declares the entry point `foyer.plugins`."""

from django.apps import AppConfig


class TwoForOneTuesdaysConfig(AppConfig):
    name = "two_for_one_tuesdays"
    verbose_name = "2 for 1 on Tuesdays"

    def ready(self) -> None:
        # Imported here and not above: models can be imported once every app is known.
        from apps.ticketing.extensions import price_rules
        from two_for_one_tuesdays.price import TwoForOneTuesdays

        price_rules.register(TwoForOneTuesdays())
