"""The organiser's desk for tickets given away: an event's rule, and taking back an offer from an order's page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import View
from wagtail.admin import messages
from wagtail.admin.panels import FieldPanel, HelpPanel, ObjectList

from apps.events.desk import AddressesByPublicId, BelowEvent, DeskCreateView, OrganisationForm, OrganisationViewSet
from apps.events.models import Event
from apps.events.wording import write_moment
from apps.ticketing import clock, giving, reasons
from apps.ticketing.models import Gift, GivingRule, Order

KEPT = ("hours_before_doors", "when_dearer")


class GivingRuleView(BelowEvent, DeskCreateView):
    """Makes the next rule, beginning with the one that holds."""

    def get_initial(self) -> dict[str, Any]:
        newest = giving.rule_of(self.event)
        return {**super().get_initial(), **{name: getattr(newest, name) for name in KEPT}}

    def save_instance(self) -> Any:
        self.form.instance.at = clock.now()
        self.form.instance.actor = self.request.user
        return super().save_instance()

    def get_success_message(self, instance: Any) -> str:
        return _("It holds from now on: “%(rule)s”") % {"rule": sentence(self.event, instance)}

    @property
    def submit_button_label(self) -> str:  # type: ignore[override]
        return _("Save the rule")

    def get_page_title(self) -> str:
        return _("Giving tickets away")

    def get_page_subtitle(self) -> str:
        return str(self.event)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        *above, last = super().get_breadcrumbs_items()
        return [*above, {**last, "label": _("Giving tickets away"), "sublabel": ""}]


class GivingRuleDesk(OrganisationViewSet):
    model = GivingRule
    name = "giving_rule_desk"
    url_prefix = "giving-rules"
    icon = "resubmit"
    views = ("add",)
    add_view_class = GivingRuleView
    edit_handler = ObjectList(
        [
            HelpPanel(
                gettext_lazy(
                    "Whoever has a ticket may give it to a person by e-mail; that person is bound by your limits and"
                    " conditions as a buyer is, and refunds go to whoever paid. A type of ticket may be kept from it."
                )
            ),
            FieldPanel("hours_before_doors"),
            FieldPanel("when_dearer"),
        ],
        base_form_class=OrganisationForm,
    )


def sentence(event: Event, rule: GivingRule) -> str:
    """The rule in the organiser's words."""
    until = write_moment(giving.closes_at(event, rule), event.zone)
    if rule.when_dearer == GivingRule.WhenDearer.REFUSE:
        return _(
            "Until %(until)s. Whoever would have to pay more for the ticket cannot have it."
        ) % {"until": until}  # fmt: skip
    if rule.when_dearer == GivingRule.WhenDearer.PAY:
        return _(
            "Until %(until)s. Whoever would have to pay more for the ticket pays the difference, and gets that back if"
            " the ticket is refunded."
        ) % {"until": until}  # fmt: skip
    return _(
        "Until %(until)s. Whoever would have to pay more for the ticket shows a proof of membership at the door."
    ) % {"until": until}


def section_context(event: Event) -> dict[str, str]:
    """What the event's page at the desk shows of the rule. One query."""
    return {
        "sentence": sentence(event, giving.rule_of(event)),
        "url": f"{reverse('giving_rule_desk:add')}?event={event.public_id}",
    }


class CancelGiftView(AddressesByPublicId, View):
    """Takes an open offer of one of the order's tickets back. Whoever sees the order may; the audit tells who did."""

    model = Order
    http_method_names = ["post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.object = self.get_object()
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, pk: UUID, gift: UUID) -> HttpResponse:
        found = get_object_or_404(Gift, public_id=gift, ticket__line__order=self.object)
        try:
            giving.cancel(found, reason=reasons.GIFT_TAKEN_BACK_BY_ORGANISER, actor=request.user)
            messages.success(
                request, _("The offer is taken back, and both are told. The ticket is its holder's as before.")
            )
        except giving.Over as over:
            messages.error(
                request,
                _("It was answered before: %(state)s. Nothing was changed.") % {"state": over.gift.get_state_display()},
            )
        return HttpResponseRedirect(reverse("order_desk:inspect", args=[self.object.public_id]))
