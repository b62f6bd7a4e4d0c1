"""Names the app to Django, and registers what it answers: who may buy and for how much, and who knows members."""

from django.apps import AppConfig
from django.db.models.signals import m2m_changed, post_delete, post_save
from django.utils.translation import gettext_lazy as _


class DiscountsConfig(AppConfig):
    name = "apps.discounts"
    label = "discounts"
    verbose_name = _("Discounts")

    def ready(self) -> None:
        from allauth.account.models import EmailAddress
        from allauth.account.signals import email_confirmed
        from allauth.socialaccount.models import SocialAccount
        from allauth.socialaccount.signals import social_account_added, social_account_updated
        from django.contrib.auth.signals import user_logged_in

        from apps.accounts.extensions import my_page_panels, personal_data
        from apps.discounts import asking
        from apps.discounts.extensions import MembershipSource, membership_sources
        from apps.discounts.my_pages import MembershipsPanel
        from apps.discounts.personal_data import DiscountsData
        from apps.discounts.sources.claims import LiuClaims, OidcClaim
        from apps.discounts.sources.kobra import Kobra
        from apps.discounts.sources.near import DoorCheck, EmailDomain, UploadedList
        from apps.discounts.sources.sesam import Sesam
        from apps.ticketing import signals

        near: list[MembershipSource] = [LiuClaims(), UploadedList(), EmailDomain(), OidcClaim(), DoorCheck()]
        far: list[MembershipSource] = [Kobra(), Sesam()]
        for source in (*near, *far):
            membership_sources.register(source)
        my_page_panels.register(MembershipsPanel())
        personal_data.register(DiscountsData())
        user_logged_in.connect(asking.on_signed_in, dispatch_uid="discounts.signed_in")
        email_confirmed.connect(asking.on_address_verified, dispatch_uid="discounts.address_verified")
        for connected in (social_account_added, social_account_updated):
            connected.connect(asking.on_login_connected, dispatch_uid="discounts.login_connected")
        post_delete.connect(asking.on_login_gone, sender=SocialAccount, dispatch_uid="discounts.login_gone")
        post_delete.connect(asking.on_address_gone, sender=EmailAddress, dispatch_uid="discounts.address_gone")
        signals.orders_moved.connect(asking.on_orders_moved, dispatch_uid="discounts.orders_moved")

        from apps.discounts import facts
        from apps.discounts.models import Allowance, Discount, DiscountBody, DiscountTicketType, MemberBody, Sponsor
        from apps.discounts.preview import AMember
        from apps.discounts.rules import Discounts
        from apps.discounts.sponsor_report import SponsorNames
        from apps.ticketing.extensions import bearer_names, preview_persons, price_rules

        price_rules.register(Discounts())
        preview_persons.register(AMember())
        bearer_names.register(SponsorNames())
        for model in (Discount, Allowance, MemberBody, Sponsor):
            post_save.connect(facts.forget, sender=model, dispatch_uid=f"discounts.{model.__name__}.saved")
            post_delete.connect(facts.forget, sender=model, dispatch_uid=f"discounts.{model.__name__}.deleted")
        for link in (DiscountTicketType, DiscountBody):
            m2m_changed.connect(facts.forget, sender=link, dispatch_uid=f"discounts.{link.__name__}.changed")

        from apps.discounts import presale_lists, presale_mails  # noqa: F401 - they carry out effects
        from apps.discounts.allotment import PresaleLinks
        from apps.discounts.gates import MembersOnly
        from apps.discounts.presale_people import HasALink, PresaleData
        from apps.ticketing.extensions import allotments, purchase_gates

        allotments.register(PresaleLinks())
        purchase_gates.register(MembersOnly())
        preview_persons.register(HasALink())
        personal_data.register(PresaleData())
