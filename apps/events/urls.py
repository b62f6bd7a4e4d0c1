"""The addresses of events that are the same in every language."""

from django.urls import re_path

from apps.events import views

app_name = "events"
urlpatterns = [
    re_path(r"^accents/(?P<colour>[0-9a-f]{6}(?:-[a-z][a-z0-9-]*)?)\.css$", views.accent_css, name="accent"),
    re_path(r"^cards/(?P<page_id>[0-9]{1,9})-(?P<digest>[0-9a-f]{16})\.png$", views.social_card, name="social_card"),
]
