"""The marketplace, a ticket that is for sale, and the page where its owner sells it. Under the language's prefix."""

from django.urls import path

from apps.resale import sell_views, views
from apps.ticketing import urls as ticketing_urls  # noqa: F401 - it knows what a secret looks like

app_name = "resale"
urlpatterns = [
    path("resale/", views.resale, name="market"),
    path("resale/of/<uuid:event>/", views.of_event, name="of_event"),
    path("resale/<uuid:listing>/", views.listing, name="listing"),
    path("resale/<uuid:listing>/<secret:secret>/", views.listing, name="private"),
    path("tickets/<uuid:ticket>/<secret:secret>/sell/", sell_views.sell, name="sell"),
]
