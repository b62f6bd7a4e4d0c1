"""Addresses of one's own memberships. What organisers do is below the administration (see `wagtail_hooks`)."""

from django.urls import path

from apps.discounts import views

app_name = "discounts"
urlpatterns = [path("my/memberships/ask/", views.ask_again, name="ask_again")]
