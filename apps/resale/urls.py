"""The marketplace, a ticket that is for sale, and the page where its owner sells it. Under the language's prefix.

What a `secret` looks like is ticketing's to say: its addresses come first (config.urls)."""

from django.urls import path

from apps.resale import sell_views, views, waiting_views

app_name = "resale"
urlpatterns = [
    path("resale/", views.resale, name="market"),
    path("resale/of/<uuid:event>/", views.of_event, name="of_event"),
    path("resale/<uuid:listing>/", views.listing, name="listing"),
    path("resale/<uuid:listing>/<secret:secret>/", views.listing, name="private"),
    path("events/<uuid:event>/waiting-list/", waiting_views.join, name="wait"),
    path("orders/<reference:reference>/<secret:secret>/waiting-list/", waiting_views.join_from, name="wait_from"),
    path("waiting/<uuid:entry>/<secret:secret>/", waiting_views.entry, name="waiting"),
    path("tickets/<uuid:ticket>/<secret:secret>/sell/", sell_views.sell, name="sell"),
]
