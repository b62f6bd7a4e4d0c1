"""The two addresses that are registered at LiU: /accounts/liu/login/ and /accounts/liu/login/callback/."""

from django.urls import path

from apps.accounts.liu import views

urlpatterns = [
    path("liu/login/", views.oauth2_login, name="liu_login"),
    path("liu/login/callback/", views.oauth2_callback, name="liu_callback"),
]
