"""What events add to Wagtail: their blocks and desks, and walls around what Wagtail would show across organisations."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from wagtail import blocks, hooks
from wagtail.admin.api.views import PagesAdminAPIViewSet
from wagtail.admin.userbar import ContentCheckerItem
from wagtail.api.v2.router import WagtailAPIRouter
from wagtail.log_actions import LogActionRegistry
from wagtail.models import Page
from wagtail.permissions import register_permission_policy
from wagtail.rich_text.feature_registry import FeatureRegistry

from apps.events import held_back, publishing, tenancy
from apps.events.admin_views import EventDesk, OrganisationDesk, OrganisationPolicy, OwnPageViewSet, event_chooser
from apps.events.blocks import standard_blocks
from apps.events.image_formats import TextPictures
from apps.events.legal_desk import LegalDesk
from apps.events.models import Event, LegalText, Organisation
from apps.events.tenancy import OrganisationPermissionPolicy, Role

register_permission_policy(Event, OrganisationPermissionPolicy(Event, view=[Role.TREASURER]))
register_permission_policy(
    Organisation, OrganisationPolicy(Organisation, change=[Role.EDITOR, Role.TREASURER], actions=["add", "change"])
)
register_permission_policy(
    LegalText, OrganisationPermissionPolicy(LegalText, view=[Role.TREASURER], actions=["change"])
)


@hooks.register("register_event_blocks", order=10)
def house_blocks() -> list[tuple[str, blocks.Block]]:
    return standard_blocks()


@hooks.register("register_rich_text_features", order=10)  # after Wagtail's own
def pictures_in_text(features: FeatureRegistry) -> None:
    features.register_embed_type(TextPictures)


@hooks.register("register_admin_viewset")
def desks() -> list[Any]:
    settings_menu = [LegalDesk(add_to_settings_menu=True), OrganisationDesk(add_to_settings_menu=True)]
    return [EventDesk(add_to_admin_menu=True), event_chooser, *settings_menu]


@hooks.register("register_admin_viewset", order=100)  # after Wagtail's own, which it replaces
def page_list() -> OwnPageViewSet:
    return OwnPageViewSet()


@hooks.register("construct_page_chooser_queryset")
def choose_among_own_pages(pages: QuerySet[Page], request: HttpRequest) -> QuerySet[Page]:
    """A page chooser offers one's own tree, and the pages above through which one walks down."""
    return tenancy.way_to_pages_of(request.user, pages)


@hooks.register("construct_explorer_page_queryset")
def explore_own_pages(parent_page: Page, pages: QuerySet[Page], request: HttpRequest) -> QuerySet[Page]:
    return tenancy.way_to_pages_of(request.user, pages)


@hooks.register("before_publish_page")
def stop_what_is_not_ready(request: HttpRequest, page: Page) -> None:
    """The editor has saved a draft and would publish it, past `EventPage.publish`. The wall answers the refusal."""
    publishing.insist(page)


@hooks.register("before_copy_page")
def stop_copies_that_are_not_ready(request: HttpRequest, page: Page) -> None:
    """A copy that is to be public at once is not published by anybody: Wagtail makes it so."""
    if request.method == "POST" and request.POST.get("publish_copies"):
        publishing.insist(page.specific)


@hooks.register("register_log_actions")
def history_of_pages_that_wait(actions: LogActionRegistry) -> None:
    told = _("Not public at its time, because something stood in its way")
    actions.register_action(held_back.TOLD, _("Hold back"), told)


class PagesToRead(PagesAdminAPIViewSet):
    """The administration's API, with which it looks pages up. What it would do to them, past every guard, is off."""

    actions: dict[str, Any] = {}


@hooks.register("construct_admin_api")
def only_read_by_api(router: WagtailAPIRouter) -> None:
    router.register_endpoint("pages", PagesToRead)


class WholeChecker(ContentCheckerItem):
    """Wagtail's content checker with all of axe's rules instead of a chosen ten."""

    axe_run_only: Any = None


@hooks.register("construct_wagtail_userbar")
def check_by_every_rule(request: HttpRequest, items: list[Any], page: Any) -> None:
    items[:] = [WholeChecker(item.in_editor) if isinstance(item, ContentCheckerItem) else item for item in items]


@hooks.register("construct_main_menu")
def leave_out_what_is_closed(request: HttpRequest, menu_items: list[Any]) -> None:
    """Reports and help of Wagtail's own tell about everybody; only a superuser has them in the menu."""
    if not request.user.is_superuser:
        menu_items[:] = [item for item in menu_items if item.name not in ("reports", "help")]


@hooks.register("construct_homepage_summary_items", order=100)  # after those who put them there
def leave_out_the_counts(request: HttpRequest, summary_items: list[Any]) -> None:
    """The numbers of all pages and files on the site are nobody's but the superuser's."""
    if not request.user.is_superuser:
        summary_items.clear()
