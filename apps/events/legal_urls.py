"""The addresses of the legal texts, below the language: `legal/terms/` is the house's, `legal/lyktan/terms/` an
organisation's, and a number at the end names a version."""

from django.urls import re_path

from apps.events.legal_views import legal_text

app_name = "legal"
KIND = r"(?P<kind>terms|privacy|accessibility)/"
OWN = r"(?P<organisation>[-a-zA-Z0-9_]{1,60})/"
NUMBER = r"(?P<number>[0-9]{1,6})/"
urlpatterns = [
    re_path(rf"^legal/{KIND}$", legal_text, name="legal"),
    re_path(rf"^legal/{KIND}{NUMBER}$", legal_text, name="legal_version"),
    re_path(rf"^legal/{OWN}{KIND}$", legal_text, name="legal_own"),
    re_path(rf"^legal/{OWN}{KIND}{NUMBER}$", legal_text, name="legal_own_version"),
]
