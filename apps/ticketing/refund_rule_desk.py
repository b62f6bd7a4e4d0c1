"""The organiser's desk for an event's refund rule. Saving makes a new rule; those who have bought keep theirs."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.panels import FieldPanel, FieldRowPanel, HelpPanel, ObjectList

from apps.events.desk import BelowEvent, DeskCreateView, OrganisationForm, OrganisationViewSet
from apps.events.models import Event
from apps.ticketing import clock, refund_rule
from apps.ticketing.models import RefundRule
from apps.ticketing.price_field import PriceField

Kind = RefundRule.Kind
KEPT = ("kind", "hours_before", "until", "fee_minor", "fee_percent")


class RefundRuleForm(OrganisationForm):
    """Until when and for which fee. What the chosen kind has no use for is left out, whatever stood there."""

    fee_minor = PriceField(
        label=gettext_lazy("Fee per ticket"), required=False, help_text=gettext_lazy("Such as 25. Empty: no fee.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["fee_percent"].required = False

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        kind = cleaned.get("kind")
        if kind != Kind.HOURS:
            cleaned["hours_before"] = None
            self.errors.pop("hours_before", None)
        elif not cleaned.get("hours_before") and "hours_before" not in self.errors:
            self.add_error("hours_before", _("Say how many hours before the start."))
        if kind != Kind.MOMENT:
            cleaned["until"] = None
            self.errors.pop("until", None)
        elif "until" not in self.errors:
            self._check_until(cleaned.get("until"))
        if kind == Kind.NEVER:
            for name in ("fee_minor", "fee_percent"):
                self.errors.pop(name, None)
        fees = {name: cleaned.get(name) or 0 for name in ("fee_minor", "fee_percent")}
        return {**cleaned, **(dict.fromkeys(fees, 0) if kind == Kind.NEVER else fees)}

    def _check_until(self, until: Any) -> None:
        if until is None:
            self.add_error("until", _("Say until when."))
        elif until > self.instance.event.ends_at:
            self.add_error("until", _("Choose a time before the event is over."))


class RefundRuleView(BelowEvent, DeskCreateView):
    """Makes the next rule, beginning with the one that holds."""

    @property
    def before(self) -> RefundRule | None:
        return refund_rule.of(self.event)

    def get_initial(self) -> dict[str, Any]:
        newest = self.before
        known = {name: getattr(newest, name) for name in KEPT} if newest else {"kind": Kind.HOURS, "hours_before": 24}
        return {**super().get_initial(), **known}

    def save_instance(self) -> Any:
        self.form.instance.at = clock.now()
        self.form.instance.actor = self.request.user
        return super().save_instance()

    def get_success_message(self, instance: Any) -> str:
        return _("New orders are told: “%(rule)s”") % {"rule": refund_rule.sentence(self.event, rule=instance)}

    @property
    def submit_button_label(self) -> str:  # type: ignore[override]
        return _("Save the rule")

    def get_page_title(self) -> str:
        return _("Refunds to buyers")

    def get_page_subtitle(self) -> str:
        return str(self.event)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        *above, last = super().get_breadcrumbs_items()
        return [*above, {**last, "label": _("Refunds to buyers"), "sublabel": ""}]


class RefundRuleDesk(OrganisationViewSet):
    model = RefundRule
    name = "refund_rule_desk"
    url_prefix = "refund-rules"
    icon = "resubmit"
    views = ("add",)
    add_view_class = RefundRuleView
    edit_handler = ObjectList(
        [
            HelpPanel(
                gettext_lazy(
                    "What buyers may do by themselves, from their order's page. You can always refund at the desk."
                    " Whoever has bought keeps the rule they were shown, or gets the new one where it gives more back."
                )
            ),
            FieldPanel("kind"),
            FieldRowPanel([FieldPanel("hours_before"), FieldPanel("until")]),
            FieldRowPanel([FieldPanel("fee_minor"), FieldPanel("fee_percent")]),
        ],
        base_form_class=RefundRuleForm,
    )


def section_context(event: Event) -> dict[str, str]:
    """What the event's page at the desk shows of the rule. One query."""
    return {
        "sentence": refund_rule.sentence(event),
        "url": f"{reverse('refund_rule_desk:add')}?event={event.public_id}",
    }
