"""The door's addresses."""

from django.urls import path

from apps.checkin import pass_views, views

app_name = "checkin"
urlpatterns = [
    path("door/", views.events_today, name="events"),
    path("door/pass/<slug:secret>/", pass_views.open_pass, name="pass"),
    path("door/<uuid:event_id>/", views.door, name="door"),
    path("door/<uuid:event_id>/search/", views.search, name="search"),
    path("door/<uuid:event_id>/order/", views.admit_order, name="admit_order"),
    path("door/<uuid:event_id>/gate/", views.choose_gate, name="gate"),
    path("door/<uuid:event_id>/undo/<uuid:scan_id>/", views.undo, name="undo"),
    path("door/<uuid:event_id>/anyway/<uuid:scan_id>/", views.let_in_anyway, name="anyway"),
]
