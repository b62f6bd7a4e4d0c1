"""The marketplace, a ticket that is for sale, and the page where its owner sells it. Under the language's prefix.

What a `secret` looks like is ticketing's to say: its addresses come first (config.urls)."""

from django.urls import path

from apps.resale import sell_views, views

app_name = "resale"
urlpatterns = [
    path("resale/", views.resale, name="market"),
    path("resale/of/<uuid:event>/", views.of_event, name="of_event"),
    path("resale/<uuid:listing>/", views.listing, name="listing"),
    path("resale/<uuid:listing>/<secret:secret>/", views.listing, name="private"),
    path("tickets/<uuid:ticket>/<secret:secret>/sell/", sell_views.sell, name="sell"),
]
