"""Names the app to Django, and answers ticketing's questions: who may buy, and what is kept for whom."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DiscountsConfig(AppConfig):
    name = "apps.discounts"
    label = "discounts"
    verbose_name = _("Discounts")

    def ready(self) -> None:
        from apps.accounts.extensions import personal_data
        from apps.discounts import presale_lists, presale_mails  # noqa: F401 - they carry out effects
        from apps.discounts.allotment import PresaleLinks
        from apps.discounts.gates import MembersOnly
        from apps.discounts.presale_people import HasALink, PresaleData
        from apps.ticketing.extensions import allotments, preview_persons, purchase_gates

        allotments.register(PresaleLinks())
        purchase_gates.register(MembersOnly())
        preview_persons.register(HasALink())
        personal_data.register(PresaleData())
