"""What discounts add to Wagtail: the desks below one menu item, and who may see them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.menu import Menu, MenuItem, SubmenuMenuItem
from wagtail.permissions import policy_registry, register_permission_policy

from apps.discounts.desk import DiscountDesk, DiscountsSection, SponsorDesk
from apps.discounts.membership_desk import MemberBodyDesk
from apps.discounts.models import Discount, MemberBody, PresaleBatch, PresaleLink, Sponsor
from apps.discounts.presale_desk import AudienceView, PresaleBatchDesk, PresaleDesk, PresaleSection
from apps.events.extensions import event_sections
from apps.events.tenancy import OrganisationPermissionPolicy, Role

for model in (Discount, Sponsor, MemberBody):
    register_permission_policy(model, OrganisationPermissionPolicy(model, view=[Role.TREASURER]))
register_permission_policy(PresaleLink, OrganisationPermissionPolicy(PresaleLink))
register_permission_policy(PresaleBatch, OrganisationPermissionPolicy(PresaleBatch, actions=["add", "change"]))
event_sections.register(DiscountsSection())
event_sections.register(PresaleSection())

# What else belongs below "Discounts" registers a menu item under this hook.
MENU = "register_discounts_menu_item"


@hooks.register("register_admin_viewset")
def discount_desks() -> list[Any]:
    return [DiscountDesk(), SponsorDesk(), MemberBodyDesk(), PresaleDesk(), PresaleBatchDesk()]


class DeskMenuItem(MenuItem):
    """Shown to whoever may see discounts of any organisation."""

    def is_shown(self, request: HttpRequest) -> bool:
        return policy_registry.get_by_type(Discount).user_has_any_permission(request.user, ["view", "change"])


@hooks.register("register_admin_menu_item")
def discounts_menu() -> SubmenuMenuItem:
    menu = Menu(register_hook_name=MENU)
    return SubmenuMenuItem(_("Discounts"), menu, name="discounts", icon_name="tag", order=155)


@hooks.register(MENU)
def all_discounts() -> MenuItem:
    return DeskMenuItem(_("All discounts"), reverse("discount_desk:index"), name="discount-list", order=10)


@hooks.register(MENU)
def memberships() -> MenuItem:
    return DeskMenuItem(_("Memberships"), reverse("member_body_desk:index"), name="memberships", order=20)


@hooks.register(MENU)
def sponsors() -> MenuItem:
    return DeskMenuItem(_("Sponsors"), reverse("sponsor_desk:index"), name="sponsors", order=40)


@hooks.register(MENU)
def who_pays() -> MenuItem:
    return DeskMenuItem(_("Who pays for discounts"), reverse("sponsor_desk:report"), name="who-pays", order=50)


@hooks.register("register_admin_urls")
def audience_urls() -> list[URLPattern]:
    return [path("ticket-types/audience/<uuid:pk>/", AudienceView.as_view(), name="presale_audience")]
