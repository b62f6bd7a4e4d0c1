"""What the door adds to Wagtail: the passes of an event, kept by its editors."""

from __future__ import annotations

from typing import Any

from wagtail import hooks
from wagtail.permissions import register_permission_policy

from apps.checkin.admin_views import DoorSection, GatePassDesk
from apps.checkin.models import GatePass
from apps.events.extensions import event_sections
from apps.events.tenancy import OrganisationPermissionPolicy

register_permission_policy(GatePass, OrganisationPermissionPolicy(GatePass, actions=["add", "delete"]))
event_sections.register(DoorSection())


@hooks.register("register_admin_viewset")
def desks() -> list[Any]:
    return [GatePassDesk()]
