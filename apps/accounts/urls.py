"""A person's own pages. Signing in and up, passwords and two-factor pages are allauth's, below /accounts/."""

from django.urls import path

from apps.accounts import views

app_name = "accounts"
urlpatterns = [
    path("my/", views.my_pages, name="my_pages"),
    path("my/account/", views.profile, name="profile"),
]
