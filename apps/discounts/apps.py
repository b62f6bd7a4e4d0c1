"""Names the app to Django, and registers who knows members and when they are asked."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DiscountsConfig(AppConfig):
    name = "apps.discounts"
    label = "discounts"
    verbose_name = _("Discounts")

    def ready(self) -> None:
        from allauth.account.signals import email_confirmed
        from allauth.socialaccount.signals import social_account_added, social_account_updated
        from django.contrib.auth.signals import user_logged_in

        from apps.accounts.extensions import my_page_panels, personal_data
        from apps.discounts import asking
        from apps.discounts.extensions import membership_sources
        from apps.discounts.my_pages import MembershipsPanel
        from apps.discounts.personal_data import DiscountsData
        from apps.discounts.sources.claims import LiuClaims, OidcClaim
        from apps.discounts.sources.kobra import Kobra
        from apps.discounts.sources.near import DoorCheck, EmailDomain, UploadedList
        from apps.discounts.sources.sesam import Sesam
        from apps.ticketing import signals

        for source in (LiuClaims(), Kobra(), Sesam(), UploadedList(), EmailDomain(), OidcClaim(), DoorCheck()):
            membership_sources.register(source)
        my_page_panels.register(MembershipsPanel())
        personal_data.register(DiscountsData())
        user_logged_in.connect(asking.on_signed_in, dispatch_uid="discounts.signed_in")
        email_confirmed.connect(asking.on_address_verified, dispatch_uid="discounts.address_verified")
        for connected in (social_account_added, social_account_updated):
            connected.connect(asking.on_login_connected, dispatch_uid="discounts.login_connected")
        signals.orders_moved.connect(asking.on_orders_moved, dispatch_uid="discounts.orders_moved")
