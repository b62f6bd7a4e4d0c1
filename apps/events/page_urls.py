"""The list of events and Wagtail's pages, through the page cache. Wagtail's own sign-in page is a way to ours."""

from django.urls import path, re_path
from django.views.generic import RedirectView
from wagtail import views
from wagtail.urls import serve_pattern

from apps.events import views as ours
from apps.events.page_cache import kept

urlpatterns = [
    path("events/", kept(ours.event_list), name="event_list"),
    path("events.ics", kept(ours.feed), name="event_feed"),
    path("events/<slug:organisation>.ics", kept(ours.feed), name="organisation_feed"),
    path(
        "_util/authenticate_with_password/<int:page_view_restriction_id>/<int:page_id>/",
        views.authenticate_with_password,
        name="wagtailcore_authenticate_with_password",
    ),
    path(
        "_util/login/",
        RedirectView.as_view(pattern_name="account_login", query_string=True),
        name="wagtailcore_login",
    ),
    re_path(serve_pattern, kept(views.serve), name="wagtail_serve"),
]
