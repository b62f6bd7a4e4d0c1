"""Names the app to Django, and registers what it answers to ticketing."""

from django.apps import AppConfig
from django.db.models.signals import m2m_changed, post_delete, post_save
from django.utils.translation import gettext_lazy as _


class DiscountsConfig(AppConfig):
    name = "apps.discounts"
    label = "discounts"
    verbose_name = _("Discounts")

    def ready(self) -> None:
        from apps.discounts import facts
        from apps.discounts.models import Allowance, Discount, MemberBody, Sponsor
        from apps.discounts.preview import AMember
        from apps.discounts.rules import Discounts
        from apps.discounts.sponsor_report import SponsorNames
        from apps.ticketing.extensions import bearer_names, preview_persons, price_rules

        price_rules.register(Discounts())
        preview_persons.register(AMember())
        bearer_names.register(SponsorNames())
        for model in (Discount, Allowance, MemberBody, Sponsor):
            post_save.connect(facts.forget, sender=model, dispatch_uid=f"discounts.{model.__name__}.saved")
            post_delete.connect(facts.forget, sender=model, dispatch_uid=f"discounts.{model.__name__}.deleted")
        for link in (Discount.ticket_types.through, Discount.bodies.through):
            m2m_changed.connect(facts.forget, sender=link, dispatch_uid=f"discounts.{link.__name__}.changed")
