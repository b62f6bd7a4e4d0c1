"""The addresses of events that are the same in every language."""

from django.urls import re_path

from apps.events import views

app_name = "events"
urlpatterns = [
    re_path(r"^accents/(?P<colour>[0-9a-f]{6}(?:-[a-z][a-z0-9-]*)?)\.css$", views.accent_css, name="accent"),
]
