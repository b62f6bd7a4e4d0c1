"""Registers how a ticket is sold again: its fulfilment, its price, its states."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ResaleConfig(AppConfig):
    name = "apps.resale"
    label = "resale"
    verbose_name = _("Resale")

    def ready(self) -> None:
        from apps.accounts.extensions import my_page_panels, personal_data
        from apps.events.extensions import SiteWay, site_ways
        from apps.resale import listings, states, waiting, waiting_states
        from apps.resale.acts import ListingsPanel, SellAct
        from apps.resale.fulfilment import Resale
        from apps.resale.market import SecondHand
        from apps.resale.models import Listing, WaitingEntry, WaitingOffer
        from apps.resale.price import SellersPrice
        from apps.resale.waiting_answers import KeptForList, List
        from apps.resale.waiting_people import WaitingData, WaitingPanel
        from apps.ticketing import signals, transitions
        from apps.ticketing.extensions import allotments, fulfilments, markets, price_rules, ticket_acts, waiting_lists

        transitions.register_states(Listing, states.LISTING)
        transitions.register_states(WaitingEntry, waiting_states.ENTRY)
        transitions.register_states(WaitingOffer, waiting_states.OFFER)
        waiting_lists.register(List())
        allotments.register(KeptForList())
        my_page_panels.register(WaitingPanel())
        personal_data.register(WaitingData())
        signals.orders_moved.connect(waiting.on_orders_moved, dispatch_uid="resale.orders_moved")
        fulfilments.register(Resale())
        price_rules.register(SellersPrice())
        ticket_acts.register(SellAct())
        markets.register(SecondHand())
        my_page_panels.register(ListingsPanel())
        site_ways.register(SiteWay("resale", _("Second hand"), "resale:market"))
        signals.tickets_moved.connect(listings.on_tickets_moved, dispatch_uid="resale.tickets_moved")
        signals.tickets_offered.connect(listings.on_tickets_offered, dispatch_uid="resale.tickets_offered")
        signals.choices_changed.connect(listings.on_choices_changed, dispatch_uid="resale.choices_changed")
