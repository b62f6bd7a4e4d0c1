"""What discounts add to Wagtail: the desk of memberships, and who may use it."""

from __future__ import annotations

from typing import Any

from wagtail import hooks
from wagtail.permissions import register_permission_policy

from apps.discounts.membership_desk import MemberBodyDesk
from apps.discounts.models import MemberBody
from apps.events.tenancy import OrganisationPermissionPolicy, Role

register_permission_policy(MemberBody, OrganisationPermissionPolicy(MemberBody, view=[Role.TREASURER]))


@hooks.register("register_admin_viewset")
def desks() -> list[Any]:
    return [MemberBodyDesk(add_to_admin_menu=True)]
