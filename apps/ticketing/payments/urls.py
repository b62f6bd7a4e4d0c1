"""The sandbox bank's page, in the buyer's language. Providers' notices come to an address without one: config.urls."""

from django.urls import path

from apps.ticketing.payments import sandbox_views

urlpatterns = [path("sandbox/<uuid:charge_id>/", sandbox_views.pay, name="sandbox_pay")]
