"""What discounts adds to Wagtail: the desks for presale links, and for whom tickets for members are."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path
from wagtail import hooks
from wagtail.permissions import register_permission_policy

from apps.discounts.models import PresaleBatch, PresaleLink
from apps.discounts.presale_desk import AudienceView, PresaleBatchDesk, PresaleDesk, PresaleSection
from apps.events.extensions import event_sections
from apps.events.tenancy import OrganisationPermissionPolicy

register_permission_policy(PresaleLink, OrganisationPermissionPolicy(PresaleLink))
register_permission_policy(PresaleBatch, OrganisationPermissionPolicy(PresaleBatch, actions=["add", "change"]))
event_sections.register(PresaleSection())


@hooks.register("register_admin_viewset")
def presale_desks() -> list[Any]:
    return [PresaleDesk(), PresaleBatchDesk()]


@hooks.register("register_admin_urls")
def audience_urls() -> list[URLPattern]:
    return [path("ticket-types/audience/<uuid:pk>/", AudienceView.as_view(), name="presale_audience")]
