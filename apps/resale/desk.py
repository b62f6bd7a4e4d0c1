"""The organiser's desk for resale: an event's rule, and every ticket that is or was for sale.

Who sells and who buys is seen with their orders. What went back to each seller stands beside the listing; a debt to one
whose card is gone is one of the tasks of refunds, and is sent again from either.
"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_filters import ChoiceFilter, ModelChoiceFilter
from wagtail.admin import messages
from wagtail.admin.panels import FieldPanel, FieldRowPanel, HelpPanel, ObjectList
from wagtail.admin.ui.tables import Column, TitleColumn

from apps.events import tenancy
from apps.events.desk import (
    BelowEvent,
    DeskEditView,
    DeskIndexView,
    DeskInspectView,
    MomentColumn,
    OnePerEventCreateView,
    OrganisationFilterSet,
    OrganisationForm,
    OrganisationViewSet,
)
from apps.events.models import Event
from apps.events.wording import write_moment, write_money
from apps.resale import listings, rules, seller_money
from apps.resale.change_desk import ListingChangeView, ListingForm, may_change
from apps.resale.models import Listing, ResaleRule
from apps.resale.sell_form import Seen
from apps.resale.seller_money import Stands
from apps.resale.states import ON_OFFER, ListingState
from apps.ticketing import refunds
from apps.ticketing.models import Refund
from apps.ticketing.price_field import PriceField
from apps.ticketing.reasons import RESOLD


class ResaleRuleForm(OrganisationForm):
    """Until when tickets change hands, and what is kept."""

    fee_minor = PriceField(
        label=gettext_lazy("Fee per ticket"), required=False, help_text=gettext_lazy("Such as 10. Empty: no fee.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("fee_percent", "hours_before_doors"):
            self.fields[name].required = False

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for name in ("fee_minor", "fee_percent", "hours_before_doors"):
            if name not in self.errors:
                cleaned[name] = cleaned.get(name) or 0
        return cleaned


class RuleView(BelowEvent):
    """Saves the rule of an event. Those who sell already keep the fee they were told."""

    def get_success_message(self, instance: Any) -> str:
        return _("Sellers are told: “%(rule)s”") % {"rule": sentence(self.event, instance)}


class RuleCreateView(RuleView, OnePerEventCreateView):
    pass


class RuleEditView(RuleView, DeskEditView):
    pass


class ResaleRuleDesk(OrganisationViewSet):
    model = ResaleRule
    name = "resale_rule_desk"
    url_prefix = "resale-rules"
    icon = "group"
    views = ("add", "edit")
    add_view_class = RuleCreateView
    edit_view_class = RuleEditView
    edit_handler = ObjectList(
        [
            HelpPanel(
                gettext_lazy(
                    "Who cannot go sells their ticket from its page, never dearer than it was. The new owner pays you,"
                    " and the seller is paid back by itself, less the fee that you keep."
                )
            ),
            FieldPanel("is_open"),
            FieldPanel("hours_before_doors"),
            FieldRowPanel([FieldPanel("fee_minor"), FieldPanel("fee_percent")]),
        ],
        base_form_class=ResaleRuleForm,
    )


def sentence(event: Event, rule: ResaleRule) -> str:
    """The rule in a sentence or two of the active language."""
    if not rule.is_open:
        return _("Tickets to this event are not sold back.")
    until = write_moment(rules.closes_at(event, rule), event.zone)
    fee, share = write_money(rule.fee_minor, event.currency), rule.fee_percent
    first = _("Tickets change hands until %(moment)s.") % {"moment": until}
    if rule.fee_minor and share:
        kept = _("%(fee)s and %(percent)d %% of the asking price are kept of each.") % {"fee": fee, "percent": share}
    elif rule.fee_minor:
        kept = _("%(fee)s is kept of each.") % {"fee": fee}
    elif share:
        kept = _("%(percent)d %% of the asking price is kept of each.") % {"percent": share}
    else:
        kept = _("Nothing is kept.")
    return f"{first} {kept}"


class ResaleSection:
    """Our answer to `events.event_sections`: the rule, how many are for sale and sold, and for a treasurer the sums."""

    slug = "resale"
    heading = gettext_lazy("Second hand")

    def render(self, request: HttpRequest, event: Event) -> str:
        rule = rules.of(event)
        rows = Listing.objects.filter(event=event)
        may_change = tenancy.has_role(request.user, event.organisation, tenancy.Role.EDITOR)
        add_url = f"{reverse('resale_rule_desk:add')}?event={event.public_id}"
        context = {
            "sentence": sentence(event, rule),
            "on_offer": rows.filter(state__in=ON_OFFER).count(),
            "sold": rows.filter(state=ListingState.SOLD).count(),
            "rule_url": add_url if may_change else "",
            "listings_url": f"{reverse('listing_desk:index')}?event={event.pk}",
            "currency": event.currency,
        }
        if tenancy.has_role(request.user, event.organisation, tenancy.Role.TREASURER):
            context |= sums(event)
        return render_to_string("resale/admin/event_resale.html", context, request)


def sums(event: Event) -> dict[str, Any]:
    """What the event's sales came to, in minor units: asked, kept, and still owed to sellers; with the debts. Two
    queries."""
    sold = Listing.objects.filter(event=event, state=ListingState.SOLD)
    asked = sold.aggregate(asked=Coalesce(Sum("asked_minor"), 0), fees=Coalesce(Sum("fee_minor"), 0))
    debts = list(_debts().filter(payment__order__event=event).select_related("payment__order").order_by("pk"))
    owed = sum(debt.owed_minor for debt in debts)
    return {"asked_minor": asked["asked"], "fees_minor": asked["fees"], "owed_minor": owed, "debts": debts}


def _debts() -> QuerySet[Refund]:
    """What sellers are owed because it did not arrive."""
    return refunds.debts().filter(reason=RESOLD)


class ListingFilterSet(OrganisationFilterSet):
    event = ModelChoiceFilter(queryset=Event.objects.all(), label=gettext_lazy("Event"))
    state = ChoiceFilter(choices=ListingState.choices, label=gettext_lazy("State"))
    payout_state = ChoiceFilter(choices=Stands.choices, label=gettext_lazy("Money to the seller"))

    class Meta:
        model = Listing
        fields = ["event", "state", "payout_state"]


class ListingIndexView(DeskIndexView):
    export_headings = {"owed_minor": gettext_lazy("Still owed, in öre or cents")}

    def get_base_queryset(self) -> Any:
        told = super().get_base_queryset().select_related("event", "ticket__ticket_type", "ticket__line__order")
        return seller_money.with_payouts(told.select_related("held_by__order")).order_by("-pk")


class ListingInspectView(DeskInspectView):
    """One listing, with the button that takes it back while nothing is captured, and for treasurers the form to change
    it."""

    template_name = "resale/admin/listing_inspect.html"
    page_title = gettext_lazy("Ticket second hand")

    def get_fields(self) -> list[str]:
        return []

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        listing: Listing = self.object
        may_see_money = may_change(self.request.user, listing)
        if may_see_money and listing.state == ListingState.OPEN:
            context |= {
                "form": ListingForm(listing=listing),
                "seen": Seen.of(listing),
                "highest_minor": listing.ticket.line.kept_minor,
            }
        return {
            **context,
            "listing": listing,
            "seller": listing.ticket.line.order,
            "buyer": listing.held_by.order if listing.held_by is not None else None,
            "debt": _debts().filter(lines=listing.ticket.line_id).first(),
            "payout": seller_money.in_words(seller_money.with_payouts(Listing.objects.filter(pk=listing.pk)).get()),
            "paid_otherwise": seller_money.paid_otherwise_note(listing) if may_see_money else "",
            "may_see_money": may_see_money,
            "may_take_back": listing.state in ON_OFFER,
        }

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        listing = self.object
        try:
            listings.take_back(listing, actor=request.user)
        except listings.Changed:
            messages.error(request, _("The ticket is sold already, so nothing was changed."))
        else:
            messages.success(request, _("The ticket is not for sale any more. Its owner is told by mail."))
        return HttpResponseRedirect(reverse("listing_desk:inspect", args=[listing.public_id]))


def _listing_url(listing: Listing) -> str:
    return reverse("listing_desk:inspect", args=[listing.public_id])


def _money(name: str) -> Any:
    return lambda listing: write_money(getattr(listing, name), listing.currency)


class ListingDesk(OrganisationViewSet):
    model = Listing
    name = "listing_desk"
    url_prefix = "second-hand"
    icon = "group"
    menu_label = gettext_lazy("Second hand")
    menu_order = 160
    add_to_admin_menu = True
    views = ("index", "index_results", "inspect")
    index_view_class = ListingIndexView
    inspect_view_class = ListingInspectView
    inspect_view_enabled = True
    inspect_template_name = ListingInspectView.template_name
    list_display = [
        TitleColumn("ticket", label=gettext_lazy("Ticket"), accessor="ticket.ticket_type", get_url=_listing_url),
        Column("event", label=gettext_lazy("Event"), accessor="event"),
        Column("seller", label=gettext_lazy("Seller"), accessor="ticket.line.order.reference"),
        Column("asked", label=gettext_lazy("Asking price"), accessor=_money("asked_minor")),
        Column("fee", label=gettext_lazy("Fee"), accessor=_money("fee_minor")),
        Column("state", label=gettext_lazy("State"), accessor="get_state_display", sort_key="state"),
        Column("payout", label=gettext_lazy("Money to the seller"), accessor=seller_money.in_words),
        MomentColumn("listed_at", label=gettext_lazy("Listed"), sort_key="listed_at"),
    ]
    list_export = [
        *("public_id", "event", "ticket.ticket_type", "ticket.line.order.reference", "held_by.order.reference"),
        *("state", "paid_minor", "asked_minor", "fee_minor", "price_minor", "currency", "listed_at", "sold_at"),
        *("payout_state", "owed_minor"),
    ]
    search_fields = ["ticket__short_code", "ticket__line__order__reference", "ticket__holder_email"]
    search_backend_name = None
    filterset_class = ListingFilterSet

    def get_urlpatterns(self) -> list[URLPattern]:
        change = path("change/<uuid:pk>/", self.construct_view(ListingChangeView), name="change")
        return [*super().get_urlpatterns(), change]
