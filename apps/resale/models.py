"""What is stored about resale: an event's rule for it, and each ticket that is or was for sale."""

from __future__ import annotations

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id, new_secret
from apps.accounts.privacy import Personal, fields
from apps.events.models import Event
from apps.resale.states import ON_OFFER, ListingState
from apps.resale.waiting_models import Echo as Echo
from apps.resale.waiting_models import KeptPlaces as KeptPlaces
from apps.resale.waiting_models import OfferedListing as OfferedListing
from apps.resale.waiting_models import WaitingEntry as WaitingEntry
from apps.resale.waiting_models import WaitingOffer as WaitingOffer
from apps.resale.waiting_models import WaitingRule as WaitingRule
from apps.resale.waiting_models import WaitingSkip as WaitingSkip
from apps.ticketing.models import OrderLine, Ticket, TicketType

LONGEST_HOURS = 24 * 90
# Kinds of ticket that strangers may see; of others a listing is found by its link.
SHOWN = (TicketType.Visibility.PUBLIC, TicketType.Visibility.AFTER)


class ResaleRule(models.Model):
    """How an event's tickets change hands. An event without a row: by the defaults here.

    `fee_minor` and `fee_percent` of the asking price are kept of what the seller gets, together never more than that.
    """

    ORGANISATION_PATH = "event__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    event = models.OneToOneField(Event, verbose_name=_("event"), on_delete=models.CASCADE, related_name="resale_rule")
    is_open = models.BooleanField(_("tickets may be sold back"), default=True)
    hours_before_doors = models.PositiveSmallIntegerField(
        _("hours before doors open at which it ends"),
        default=0,
        validators=[MaxValueValidator(LONGEST_HOURS)],
        help_text=_("0: when doors open. Tickets that are not sold by then are their owners' as before."),
    )
    fee_minor = models.PositiveIntegerField(_("fee per ticket"), default=0)
    fee_percent = models.PositiveSmallIntegerField(
        _("and of the asking price, in percent"), default=0, validators=[MaxValueValidator(50)]
    )

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id public_id event is_open hours_before_doors fee_minor fee_percent")

    class Meta:
        verbose_name = _("resale rule")
        verbose_name_plural = _("resale rules")
        ordering = ["event_id"]
        constraints = [
            models.CheckConstraint(condition=Q(fee_percent__lte=50), name="resale_rule_leaves_the_seller_half")
        ]

    def __str__(self) -> str:
        return str(self.event)


class Listing(models.Model):
    """A ticket its owner would sell: at `asked_minor`, of which `fee_minor` is kept.

    `price_minor` is what it costs somebody without any discount of their own, which may be more: a member's discount
    does not go along. `paid_minor` is what was left of the price they paid when they listed it: they never ask for
    more. `version` counts changes, so that a form that shows an older one is refused. While somebody buys it `held_by`
    is their order's line, which it stays once it is sold. `is_private`: found by its link alone.
    """

    ORGANISATION_PATH = "ticket__event__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    secret = models.CharField(max_length=64, unique=True, default=new_secret)
    ticket = models.ForeignKey(Ticket, on_delete=models.PROTECT, related_name="listings")
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="listings", db_index=False)
    paid_minor = models.PositiveIntegerField(_("paid"))
    asked_minor = models.PositiveIntegerField(_("asking price"))
    fee_minor = models.PositiveIntegerField(_("fee"))
    price_minor = models.PositiveIntegerField(_("price"), default=0)
    currency = models.CharField(max_length=3)
    is_private = models.BooleanField(_("by private link"), default=False)
    version = models.PositiveIntegerField(default=1)
    held_by = models.ForeignKey(
        OrderLine, null=True, blank=True, on_delete=models.PROTECT, related_name="listings", db_index=False
    )
    state = models.CharField(max_length=9, choices=ListingState, default=ListingState.OPEN)
    reason = models.CharField(max_length=40, blank=True)
    listed_at = models.DateTimeField(_("listed"))
    sold_at = models.DateTimeField(_("sold"), null=True)

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields(
        "id public_id secret ticket event paid_minor asked_minor fee_minor price_minor currency is_private version"
        " held_by state reason listed_at sold_at"
    )

    class Meta:
        verbose_name = _("listing")
        verbose_name_plural = _("listings")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["ticket"], condition=Q(state__in=[str(state) for state in ON_OFFER]), name="listing_once"
            ),
            models.UniqueConstraint(fields=["held_by"], condition=Q(held_by__isnull=False), name="listing_line_once"),
            models.CheckConstraint(
                condition=Q(asked_minor__lte=models.F("paid_minor")), name="listing_never_above_face_value"
            ),
            models.CheckConstraint(
                condition=Q(fee_minor__lte=models.F("asked_minor")), name="listing_fee_within_its_price"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "withdrawn"], held_by__isnull=True)
                | Q(state__in=["held", "sold"], held_by__isnull=False),
                name="listing_is_held_by_somebody",
            ),
        ]
        indexes = [
            models.Index(fields=["price_minor", "id"], condition=Q(state="open"), name="listing_open"),
            models.Index(fields=["event"], name="listing_event"),
            models.Index(fields=["ticket"], name="listing_ticket"),
        ]

    def __str__(self) -> str:
        return str(self.public_id)

    @property
    def needs_link(self) -> bool:
        """Whether it is found by its link alone, by its seller's wish or because not everybody is shown its kind."""
        return self.is_private or self.ticket.ticket_type.visibility not in SHOWN

    @property
    def payout_minor(self) -> int:
        """What the seller gets, in minor units."""
        return self.asked_minor - self.fee_minor

    @property
    def given_up_minor(self) -> int:
        """What the seller gives up of the price they paid."""
        return self.paid_minor - self.asked_minor
