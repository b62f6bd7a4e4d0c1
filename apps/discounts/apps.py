"""Names the app to Django, and answers ticketing's questions: who may buy, and what is kept for whom."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DiscountsConfig(AppConfig):
    name = "apps.discounts"
    label = "discounts"
    verbose_name = _("Discounts")

    def ready(self) -> None:
        from apps.discounts.allotment import PresaleLinks
        from apps.discounts.gates import MembersOnly
        from apps.ticketing.extensions import allotments, purchase_gates

        allotments.register(PresaleLinks())
        purchase_gates.register(MembersOnly())
