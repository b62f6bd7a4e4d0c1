from django.apps import AppConfig


class SpecimenConfig(AppConfig):
    name = "tests.specimen_plugin"
    label = "specimen"
    verbose_name = "Specimen"

    def ready(self) -> None:
        from apps.accounts.extensions import my_page_panels, personal_data
        from apps.checkin.extensions import credential_readers
        from apps.events.extensions import offerings
        from apps.ticketing.extensions import (
            event_templates,
            fulfilments,
            payment_providers,
            preview_persons,
            price_rules,
            purchase_gates,
        )
        from tests.specimen_plugin import parts

        price_rules.register(parts.EarlyBird())
        purchase_gates.register(parts.NoStrangers())
        preview_persons.register(parts.Stranger())
        payment_providers.register(parts.VoucherDesk())
        fulfilments.register(parts.Cloakroom())
        offerings.register(parts.CloakroomOffer())
        event_templates.register(parts.QUIZ)
        my_page_panels.register(parts.CloakroomPanel())
        personal_data.register(parts.CloakroomData())
        credential_readers.register(parts.Wristband())
