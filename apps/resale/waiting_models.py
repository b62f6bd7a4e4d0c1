"""What is stored about a waiting list: an event's rule, who stands on it, what was offered to whom, who was passed."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id, new_secret
from apps.accounts.privacy import EVENT, Personal, fields
from apps.events.models import Event
from apps.resale.waiting_states import LIVE, ON_LIST, EntryState, OfferState
from apps.ticketing.models import Order, Quota, TicketType

USUAL_HOURS, LONGEST_HOURS = 12, 72
MOST_TICKETS = 10


class WaitingRule(models.Model):
    """How an event's waiting list works. An event without a row: by the defaults here."""

    ORGANISATION_PATH = "event__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    event = models.OneToOneField(Event, verbose_name=_("event"), on_delete=models.CASCADE, related_name="waiting_rule")
    is_open = models.BooleanField(_("people may join the waiting list"), default=True)
    answer_hours = models.PositiveSmallIntegerField(
        _("hours to answer an offer"),
        default=USUAL_HOURS,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_HOURS)],
        help_text=_("The clock rests from 22 to 8. Close to the event the time is shorter, so that others get a turn."),
    )
    sells_after = models.BooleanField(
        _("offer places that are left or come back after the sale has ended"),
        default=True,
        help_text=_("Otherwise only tickets that people sell are offered from then on."),
    )

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id public_id event is_open answer_hours sells_after")

    class Meta:
        verbose_name = _("rule of the waiting list")
        verbose_name_plural = _("rules of waiting lists")
        ordering = ["event_id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(answer_hours__gte=1, answer_hours__lte=LONGEST_HOURS), name="waiting_rule_gives_time"
            )
        ]

    def __str__(self) -> str:
        return str(self.event)


class WaitingEntry(models.Model):
    """Somebody who wants `quantity` tickets of any of `types`, served by `rank`; one at a time per person and event.

    `rank` comes from the row of numbers that orders come from, and is the order's own for whoever lost in the queue.
    `got` counts what they have bought since. `secret` is in their mails: whoever has it is that person. `passed` tells
    which returns of places they were asked about and did not want: {quota id: arrivals}, see `offers`.
    """

    ORGANISATION_PATH = "event__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    secret = models.CharField(max_length=64, unique=True, default=new_secret)
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="waiting_entries", db_index=False)
    buyer_key = models.CharField(max_length=64)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="waiting_entries"
    )
    email = models.EmailField(_("e-mail"))
    locale = models.CharField(max_length=5, default="sv")
    types = models.ManyToManyField(TicketType, related_name="waiting_entries", verbose_name=_("tickets"))
    quantity = models.PositiveSmallIntegerField(
        _("number"), default=1, validators=[MinValueValidator(1), MaxValueValidator(MOST_TICKETS)]
    )
    got = models.PositiveSmallIntegerField(_("bought"), default=0)
    all_or_nothing = models.BooleanField(_("all or nothing"), default=False)
    rank = models.BigIntegerField(_("rank"))
    order = models.ForeignKey(
        Order, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("lost in the queue")
    )
    passed = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=9, choices=EntryState, default=EntryState.ASKED)
    reason = models.CharField(max_length=40, blank=True)
    note = models.CharField(_("reason"), max_length=300, blank=True)
    joined_at = models.DateTimeField(_("joined"))
    ended_at = models.DateTimeField(_("ended"), null=True)

    PERSONAL = {
        "email": Personal("to offer tickets to who waits for them", EVENT),
        "user": Personal("to show the entry on My pages", EVENT),
        "buyer_key": Personal("to keep one entry per person (a keyed hash)", EVENT),
        "locale": Personal("to write in their language", EVENT),
        "note": Personal("to tell why the organiser removed an entry", EVENT),
    }
    NOT_PERSONAL = fields(
        "id public_id secret event types quantity got all_or_nothing rank order passed state reason joined_at ended_at"
    )

    class Meta:
        verbose_name = _("waiting list entry")
        verbose_name_plural = _("waiting list")
        ordering = ["event_id", "rank", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["event", "buyer_key"],
                condition=Q(state__in=[str(state) for state in ON_LIST]) & ~Q(buyer_key=""),
                name="waiting_entry_one_per_person",
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=1, quantity__lte=MOST_TICKETS), name="waiting_entry_quantity"
            ),
        ]
        indexes = [models.Index(fields=["event", "rank"], condition=Q(state="waiting"), name="waiting_entry_line")]

    def __str__(self) -> str:
        return str(self.public_id)

    @property
    def wanted(self) -> int:
        """How many tickets they still wait for."""
        return max(0, self.quantity - self.got)

    @property
    def is_on_list(self) -> bool:
        return self.state in ON_LIST


class WaitingOffer(models.Model):
    """Tickets offered to one entry until `answer_until`: listings, or places of `ticket_type` that are kept for it.

    `order` is the one that was placed when it was accepted; `used` counts the tickets it holds of the kept places.
    """

    ORGANISATION_PATH = "entry__event__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    entry = models.ForeignKey(WaitingEntry, on_delete=models.CASCADE, related_name="offers")
    ticket_type = models.ForeignKey(TicketType, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    quantity = models.PositiveSmallIntegerField(_("number"))
    used = models.PositiveSmallIntegerField(default=0)
    order = models.OneToOneField(Order, null=True, blank=True, on_delete=models.PROTECT, related_name="waiting_offer")
    state = models.CharField(max_length=9, choices=OfferState, default=OfferState.OPEN)
    reason = models.CharField(max_length=40, blank=True)
    offered_at = models.DateTimeField(_("offered"))
    answer_until = models.DateTimeField(_("answer by"))
    ended_at = models.DateTimeField(_("ended"), null=True)

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields(
        "id public_id entry ticket_type quantity used order state reason offered_at answer_until ended_at"
    )

    class Meta:
        verbose_name = _("offer")
        verbose_name_plural = _("offers")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["entry"], condition=Q(state__in=[str(state) for state in LIVE]), name="waiting_offer_one_live"
            )
        ]
        indexes = [models.Index(fields=["answer_until"], condition=Q(state="open"), name="waiting_offer_due")]

    def __str__(self) -> str:
        return str(self.public_id)

    @property
    def is_live(self) -> bool:
        return self.state in LIVE


class OfferedListing(models.Model):
    """A ticket of somebody's in an offer. While `is_live` nobody else is offered or sold it: the database says so."""

    ORGANISATION_PATH = "offer__entry__event__organisation"

    offer = models.ForeignKey(WaitingOffer, on_delete=models.CASCADE, related_name="listings")
    listing = models.ForeignKey("resale.Listing", on_delete=models.PROTECT, related_name="offered")
    is_live = models.BooleanField(default=True)

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id offer listing is_live")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["listing"], condition=Q(is_live=True), name="offered_listing_to_one"),
            models.UniqueConstraint(fields=["offer", "listing"], name="offered_listing_once"),
        ]

    def __str__(self) -> str:
        return f"{self.offer} {self.listing}"


class KeptPlaces(models.Model):
    """Places of a quota that are kept for an offer, as `Quota.set_aside` counts them; none once it is over."""

    ORGANISATION_PATH = "offer__entry__event__organisation"

    offer = models.ForeignKey(WaitingOffer, on_delete=models.CASCADE, related_name="kept")
    quota = models.ForeignKey(Quota, on_delete=models.CASCADE, related_name="+")
    count = models.PositiveSmallIntegerField()

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id offer quota count")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["offer", "quota"], name="kept_places_once")]

    def __str__(self) -> str:
        return f"{self.offer} {self.quota}: {self.count}"


class Echo(models.Model):
    """How many returns of a quota were places that the list itself gave back: nobody who passed them is asked again."""

    ORGANISATION_PATH = "quota__event__organisation"

    quota = models.OneToOneField(Quota, on_delete=models.CASCADE, related_name="echo")
    count = models.PositiveIntegerField(default=0)

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id quota count")

    def __str__(self) -> str:
        return f"{self.quota}: {self.count}"


class WaitingSkip(models.Model):
    """Why a place went past somebody whose rank was good enough: the newest for each reason and kind of ticket."""

    ORGANISATION_PATH = "entry__event__organisation"

    entry = models.ForeignKey(WaitingEntry, on_delete=models.CASCADE, related_name="skips")
    ticket_type = models.ForeignKey(TicketType, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=40)
    at = models.DateTimeField()

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id entry ticket_type reason at")

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [models.UniqueConstraint(fields=["entry", "ticket_type", "reason"], name="waiting_skip_newest")]

    def __str__(self) -> str:
        return f"{self.entry}: {self.reason}"
