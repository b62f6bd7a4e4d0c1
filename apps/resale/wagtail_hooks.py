"""What resale adds to Wagtail: its block, and the desk for an event's rule and listings."""

from __future__ import annotations

from typing import Any

from wagtail import blocks, hooks
from wagtail.permissions import register_permission_policy

from apps.events.extensions import event_sections
from apps.events.tenancy import OrganisationPermissionPolicy, Role
from apps.resale.blocks import ResaleBlock
from apps.resale.desk import ListingDesk, ResaleRuleDesk, ResaleSection
from apps.resale.models import Listing, ResaleRule, WaitingEntry, WaitingRule
from apps.resale.waiting_desk import WaitingDesk, WaitingRuleDesk, WaitingSection

register_permission_policy(ResaleRule, OrganisationPermissionPolicy(ResaleRule, actions=["add", "change"]))
register_permission_policy(
    Listing, OrganisationPermissionPolicy(Listing, change=[Role.EDITOR, Role.TREASURER], actions=["change"])
)
register_permission_policy(WaitingRule, OrganisationPermissionPolicy(WaitingRule, actions=["add", "change"]))
register_permission_policy(
    WaitingEntry, OrganisationPermissionPolicy(WaitingEntry, change=[Role.EDITOR], actions=["change"])
)
event_sections.register(ResaleSection())
event_sections.register(WaitingSection())


@hooks.register("register_event_blocks", order=21)
def resale_blocks() -> list[tuple[str, blocks.Block]]:
    return [("resale", ResaleBlock())]


@hooks.register("register_admin_viewset")
def desks() -> list[Any]:
    return [ResaleRuleDesk(), ListingDesk(), WaitingRuleDesk(), WaitingDesk()]
