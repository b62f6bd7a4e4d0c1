"""Names the app to Django. It registers nothing: nothing can be sold back yet."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ResaleConfig(AppConfig):
    name = "apps.resale"
    label = "resale"
    verbose_name = _("Resale")
