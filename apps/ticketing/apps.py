"""Registers what ticketing answers to other apps, its effects, and who forgets what when a row is saved."""

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_delete, post_save
from django.utils.translation import gettext_lazy as _


class TicketingConfig(AppConfig):
    name = "apps.ticketing"
    label = "ticketing"
    verbose_name = _("Tickets")

    def ready(self) -> None:
        from apps.accounts.extensions import my_page_panels, personal_data
        from apps.events import page_cache
        from apps.events.extensions import fact_guards, offerings
        from apps.ticketing import (  # noqa: F401 - they carry out effects
            catalogue,
            changes,
            documents,
            gift_payments,
            giving,
            live,
            mails,
            refunds,
            reminders,
            signals,
            webhooks,
        )
        from apps.ticketing.event_templates import OURS
        from apps.ticketing.extensions import event_templates, fulfilments
        from apps.ticketing.fulfilment import Issue
        from apps.ticketing.models import Quota, TransferAccount
        from apps.ticketing.my_pages import TicketsPanel
        from apps.ticketing.offers import TicketOffers
        from apps.ticketing.payments import manual, sandbox
        from apps.ticketing.personal_data import TicketingData
        from apps.ticketing.sold_facts import SoldFacts

        personal_data.register(TicketingData())
        my_page_panels.register(TicketsPanel())
        offerings.register(TicketOffers())
        fact_guards.register(SoldFacts())
        fulfilments.register(Issue())
        fulfilments.register(changes.Change())
        fulfilments.register(gift_payments.Difference())
        for template in OURS:
            event_templates.register(template)
        sandbox.enable()
        manual.enable()
        if "stripe" in settings.PAYMENT_PROVIDERS_ENABLED:
            from apps.ticketing.payments import stripe_provider  # a large library: only where it is used

            stripe_provider.enable()
        signals.tickets_moved.connect(documents.on_tickets_moved, dispatch_uid="documents.tickets_moved")
        signals.tickets_moved.connect(giving.on_tickets_moved, dispatch_uid="giving.tickets_moved")

        for model in catalogue.MODELS:
            post_save.connect(catalogue.forget, sender=model, dispatch_uid=f"catalogue.{model.__name__}.saved")
            post_delete.connect(catalogue.forget, sender=model, dispatch_uid=f"catalogue.{model.__name__}.deleted")
        post_save.connect(manual.forget_accounts, sender=TransferAccount, dispatch_uid="manual.account_saved")
        post_delete.connect(manual.forget_accounts, sender=TransferAccount, dispatch_uid="manual.account_deleted")
        # A cached page tells prices and openings. What is sold moves no page: that is the form's to say.
        for sold in (*catalogue.MODELS, Quota):
            post_save.connect(page_cache.begin_anew, sender=sold, dispatch_uid=f"pages.{sold.__name__}.saved")
            post_delete.connect(page_cache.begin_anew, sender=sold, dispatch_uid=f"pages.{sold.__name__}.deleted")
