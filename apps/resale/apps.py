"""Registers how a ticket is sold again: its fulfilment, its price, its states."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ResaleConfig(AppConfig):
    name = "apps.resale"
    label = "resale"
    verbose_name = _("Resale")

    def ready(self) -> None:
        from apps.accounts.extensions import my_page_panels
        from apps.events.extensions import SiteWay, site_ways
        from apps.resale import listings, states
        from apps.resale.acts import ListingsPanel, SellAct
        from apps.resale.fulfilment import Resale
        from apps.resale.models import Listing
        from apps.resale.price import SellersPrice
        from apps.ticketing import signals, transitions
        from apps.ticketing.extensions import fulfilments, price_rules, ticket_acts

        transitions.register_states(Listing, states.LISTING)
        fulfilments.register(Resale())
        price_rules.register(SellersPrice())
        ticket_acts.register(SellAct())
        my_page_panels.register(ListingsPanel())
        site_ways.register(SiteWay("resale", _("Second hand"), "resale:market"))
        signals.tickets_moved.connect(listings.on_tickets_moved, dispatch_uid="resale.tickets_moved")
        signals.tickets_offered.connect(listings.on_tickets_offered, dispatch_uid="resale.tickets_offered")
