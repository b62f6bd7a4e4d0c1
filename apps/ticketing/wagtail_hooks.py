"""What ticketing adds to Wagtail: the ticket block, the desks for catalogue and orders, and who may see them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from wagtail import blocks, hooks
from wagtail.admin.menu import MenuItem
from wagtail.admin.viewsets.base import ViewSetGroup
from wagtail.permissions import policy_registry, register_permission_policy

from apps.events.extensions import event_sections, translated_texts
from apps.events.tenancy import OrganisationPermissionPolicy, Role
from apps.ticketing import answers_desk, books_desk, connect_desk
from apps.ticketing.admin_views import (
    BOOKS,
    CATALOGUE,
    CatalogueTexts,
    OrderDesk,
    QuotaDesk,
    SalesReport,
    TicketDesk,
    TicketsSection,
    TicketTypeDesk,
)
from apps.ticketing.blocks import TicketBlock
from apps.ticketing.cancellation_desk import CancellationDesk, ProposedPanel
from apps.ticketing.draw_desk import DrawDesk
from apps.ticketing.giving_desk import GivingRuleDesk
from apps.ticketing.models import EventDraft, GivingRule, RefundRule, TicketType, TransferAccount
from apps.ticketing.move_desk import MoveDesk
from apps.ticketing.pay_back_desk import PayBackDesk
from apps.ticketing.refund_desk import RefundTaskDesk, add_panel
from apps.ticketing.refund_rule_desk import RefundRuleDesk
from apps.ticketing.sale_desk import SaleDesk
from apps.ticketing.transfer_account_desk import TransferAccountDesk
from apps.ticketing.transfer_desk import TransferDesk
from apps.ticketing.wizard_desk import EventWizard, NewEventPanel, is_for

for model in CATALOGUE:
    register_permission_policy(model, OrganisationPermissionPolicy(model, view=[Role.TREASURER]))
for book in BOOKS:
    register_permission_policy(book, OrganisationPermissionPolicy(book, change=[], view=[Role.TREASURER], actions=[]))
register_permission_policy(
    TransferAccount, OrganisationPermissionPolicy(TransferAccount, change=[Role.TREASURER], actions=["add", "change"])
)
register_permission_policy(EventDraft, OrganisationPermissionPolicy(EventDraft))
register_permission_policy(RefundRule, OrganisationPermissionPolicy(RefundRule, view=[Role.TREASURER]))
register_permission_policy(GivingRule, OrganisationPermissionPolicy(GivingRule, view=[Role.TREASURER]))
hooks.register("construct_homepage_panels", add_panel)
event_sections.register(TicketsSection())
translated_texts.register(CatalogueTexts())


@hooks.register("register_event_blocks", order=20)
def ticket_blocks() -> list[tuple[str, blocks.Block]]:
    return [("tickets", TicketBlock())]


@hooks.register("insert_editor_js")
def time_travel() -> str:
    """The choice of moment and person in the preview panel of an event page."""
    return format_html(
        '<link rel="stylesheet" href="{}"><script type="module" src="{}"></script>',
        static("ticketing/admin/travel.css"),
        static("ticketing/admin/travel.js"),
    )


class SalesDesks(ViewSetGroup):
    """The menu of those who keep the books."""

    menu_label = _("Tickets")
    menu_icon = "tag"
    menu_order = 150
    items = (OrderDesk, TicketDesk, TransferDesk, PayBackDesk)


@hooks.register("register_admin_viewset")
def desks() -> list[Any]:
    return [
        SalesDesks(),
        TicketTypeDesk(),
        QuotaDesk(),
        DrawDesk(),
        SaleDesk(),
        RefundRuleDesk(),
        GivingRuleDesk(),
        RefundTaskDesk(),
        EventWizard(),
        TransferAccountDesk(),
        CancellationDesk(),
        MoveDesk(),
    ]


@hooks.register("register_admin_viewset")
def stripe_desk() -> connect_desk.StripeDesk:
    return connect_desk.StripeDesk()


@hooks.register("construct_homepage_panels")
def stripe_panel(request: HttpRequest, panels: list[Any]) -> None:
    if connect_desk.is_on() and connect_desk.is_for(request):
        panels.append(connect_desk.StripePanel(request))


@hooks.register("construct_homepage_panels")
def new_event_panel(request: HttpRequest, panels: list[Any]) -> None:
    if is_for(request):
        panels.append(NewEventPanel(request))


@hooks.register("construct_homepage_panels")
def proposed_panel(request: HttpRequest, panels: list[Any]) -> None:
    panels.append(ProposedPanel(request))


@hooks.register("register_admin_urls")
def report_urls() -> list[URLPattern]:
    return [
        path("sales/", SalesReport.as_view(), name="sales_report"),
        path("sales/results/", SalesReport.as_view(results_only=True), name="sales_report_results"),
    ]


class SalesMenuItem(MenuItem):
    def is_shown(self, request: HttpRequest) -> bool:
        return policy_registry.get_by_type(TicketType).user_has_permission(request.user, "view")


@hooks.register("register_admin_menu_item")
def sales_menu_item() -> MenuItem:
    return SalesMenuItem(_("Sales"), reverse("sales_report"), name="sales", icon_name="order", order=160)


@hooks.register("register_admin_urls")
def books_urls() -> list[URLPattern]:
    return [
        path("books/", books_desk.BooksIndexView.as_view(), name="books"),
        path("books/<uuid:pk>/", books_desk.EventBooksView.as_view(), name="event_books"),
        path("books/<uuid:pk>/entries.csv", books_desk.EventBooksFileView.as_view(), name="event_books_file"),
    ]


@hooks.register("register_admin_urls")
def answers_urls() -> list[URLPattern]:
    return [
        path("answers/", answers_desk.AnswersIndexView.as_view(), name="answers"),
        path("answers/<uuid:pk>/", answers_desk.EventAnswersView.as_view(), name="event_answers"),
        path("answers/<uuid:pk>/kitchen.csv", answers_desk.KitchenFileView.as_view(), name="event_kitchen_file"),
        path("answers/<uuid:pk>/guests.csv", answers_desk.GuestsFileView.as_view(), name="event_guests_file"),
    ]


@hooks.register("register_admin_menu_item")
def answers_menu_item() -> MenuItem:
    return answers_desk.menu_item()


@hooks.register("register_admin_menu_item")
def books_menu_item() -> MenuItem:
    return books_desk.menu_item()
