"""Orders: the row is the queue. An order is born `queued` with its lines; everything it will ever cost is frozen onto
those lines when it is reserved, so that later price changes and refunds read rows, never rules.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id, new_reference, new_secret
from apps.accounts.privacy import BOOKS, EVENT, Personal, fields
from apps.events.models import Event, Organisation
from apps.events.translated import Translated
from apps.ticketing import vat
from apps.ticketing.models.catalogue import Choice, TicketType
from apps.ticketing.models.draws import Draw
from apps.ticketing.states import OrderState

RESALE = "resale"  # the channel of an order for tickets that somebody has: it takes no place, and waits for none
LIST = "list"  # the channel of an order for places that were kept for somebody on a waiting list
# Neither stands in line: the windows of a type, its minimum and the end of a sale are not asked for.
PAST_THE_SALE = (RESALE, LIST)
# The channels of orders that sell no ticket, and pay for more of one sold before: for other choices of it (see
# `changes`), or for what it costs whom it is given to (see `gift_payments`).
CHANGE, GIFT = "change", "gift"
SUPPLEMENTS = (CHANGE, GIFT)


class Order(models.Model):
    """What one buyer wants, holds or owns: one organisation, one event, one currency."""

    ORGANISATION_PATH = "organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="orders", db_index=False)
    # Found by `order_person`, which begins with the event. Every index here is paid for by each order, twice.
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="orders", db_index=False)
    currency = models.CharField(max_length=3)
    reference = models.CharField(_("reference"), max_length=8, unique=True, default=new_reference)
    secret = models.CharField(max_length=64, default=new_secret)  # 128 bits and more; looked up by the reference
    idempotency_key = models.CharField(max_length=64, unique=True)
    buyer_key = models.CharField(max_length=64)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="orders",
        db_index=False,
    )
    email = models.EmailField(_("e-mail"))
    email_confirmed_at = models.DateTimeField(null=True, editable=False)  # its reader was here; see addresses
    name = models.CharField(_("name"), max_length=120, blank=True)
    locale = models.CharField(max_length=5, default="sv")
    terms_version = models.CharField(max_length=40, blank=True)
    tokens = models.JSONField(default=list, blank=True)
    channel = models.CharField(max_length=8, default="web")
    fewer_is_fine = models.BooleanField(default=True)
    party = models.UUIDField(null=True, blank=True)

    state = models.CharField(max_length=9, choices=OrderState, default=OrderState.QUEUED)
    reason = models.CharField(max_length=40, blank=True)
    rank = models.BigIntegerField(_("rank"), null=True)  # none while a draw has yet to give it
    draw = models.ForeignKey(
        Draw, null=True, blank=True, on_delete=models.PROTECT, related_name="orders", db_index=False
    )
    draw_rank = models.PositiveIntegerField(_("rank in the draw"), null=True)  # from 1; none for late comers
    queued_at = models.DateTimeField(_("queued"))
    decided_at = models.DateTimeField(_("decided"), null=True)
    reserved_until = models.DateTimeField(_("held until"), null=True)
    pays_from = models.DateTimeField(_("may pay from"), null=True)  # none: at once
    was_extended = models.BooleanField(default=False)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    total_minor = models.PositiveIntegerField(_("total"), default=0)
    paid_at = models.DateTimeField(_("paid"), null=True)
    request_id = models.CharField(max_length=40, blank=True)

    PERSONAL = {
        "email": Personal("to deliver tickets and to recognise a buyer who has no account", BOOKS),
        "name": Personal("to name the buyer on the receipt", BOOKS),
        "user": Personal("to show the order on My pages", EVENT),
        "buyer_key": Personal("to keep limits per person (a keyed hash)", EVENT),
        "locale": Personal("to write in the buyer's language", EVENT),
        "tokens": Personal("to apply codes and presale links", EVENT),
    }
    NOT_PERSONAL = fields(
        "id public_id organisation event currency reference secret idempotency_key email_confirmed_at terms_version"
        " channel fewer_is_fine party state reason rank draw draw_rank queued_at decided_at reserved_until pays_from"
        " was_extended tries next_try_at total_minor paid_at request_id"
    )

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state__in=["reserved", "offered"]) | Q(reserved_until__isnull=False),
                name="order_hold_has_an_end",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["paid", "refunded"]) | Q(paid_at__isnull=False), name="order_paid_at_is_known"
            ),
            models.CheckConstraint(
                condition=Q(rank__isnull=False) | Q(draw__isnull=False, state__in=["queued", "cancelled", "rejected"]),
                name="order_waits_unranked_for_a_draw_only",
            ),
            models.UniqueConstraint(
                fields=["draw", "draw_rank"], condition=Q(draw__isnull=False), name="order_draw_rank_once"
            ),
            models.UniqueConstraint(
                fields=["event", "buyer_key"],
                condition=Q(state__in=["queued", "waiting", "offered"])
                & ~Q(buyer_key="")
                & ~Q(channel__in=PAST_THE_SALE),
                name="order_one_place_per_person",
            ),
        ]
        indexes = [
            # Apart, so that those who wait behind a sold-out quota are not walked over at each look for the next.
            models.Index(fields=["event", "rank"], condition=Q(state="queued"), name="order_queued"),
            models.Index(fields=["event", "rank"], condition=Q(state="waiting"), name="order_waiting"),
            models.Index(
                fields=["event"],
                condition=Q(state__in=["queued", "waiting"], next_try_at__isnull=False),
                name="order_postponed",
            ),
            models.Index(
                fields=["reserved_until"],
                include=["event"],
                condition=Q(state__in=["reserved", "offered"]),
                name="order_holds",
            ),
            models.Index(fields=["event", "buyer_key"], name="order_person"),
            models.Index(fields=["user"], condition=Q(user__isnull=False), name="order_user"),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def is_supplement(self) -> bool:
        """Whether it sells no ticket, but pays for more of one sold before."""
        return self.channel in SUPPLEMENTS

    @property
    def is_resale(self) -> bool:
        """Whether it takes over tickets that somebody has, and so no place."""
        return self.channel == RESALE

    @property
    def is_for_gift(self) -> bool:
        """Whether it pays what a ticket costs more whom it is given to."""
        return self.channel == GIFT


class OrderLine(models.Model):
    """One ticket wanted. `is_held`: it counts against stock, being held for payment or sold and not refunded."""

    ORGANISATION_PATH = "order__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines", db_index=False)
    position = models.PositiveSmallIntegerField()
    ticket_type = models.ForeignKey(TicketType, on_delete=models.PROTECT, related_name="lines")
    fulfilment = models.SlugField(max_length=20, default="issue", db_index=False)
    subject = models.CharField(max_length=64, blank=True)
    is_wanted = models.BooleanField(default=True)  # False once the buyer settled for fewer and this one is left out
    is_held = models.BooleanField(default=False)
    # "slug:key" of the allotment it was decided from (extensions.Allotment), also after it was let go; else empty.
    allotment = models.CharField(max_length=60, default="", db_default="", blank=True, editable=False)
    # What the form showed when this was chosen, choices included: who pays more is asked again (see agreed).
    seen_minor = models.PositiveIntegerField(null=True, editable=False)
    # Frozen at reserve. list = type price + choices; price = list + adjustments, never below zero.
    list_minor = models.PositiveIntegerField(default=0)
    price_minor = models.PositiveIntegerField(default=0)
    vat_percent = models.DecimalField(max_digits=4, decimal_places=2, default=0)
    vat_minor = models.PositiveIntegerField(default=0)
    vat_split = models.JSONField(null=True)  # the parts of a price with several rates (vat.frozen); else none
    # Why something did not change the price, {language: [sentence]}, as it was when that was frozen; else none.
    not_given = models.JSONField(null=True, editable=False)
    guest_name = models.CharField(max_length=120, blank=True)
    # Whose limits it counts against once its ticket was given away; empty: the buyer's. Refunds go to the payer always.
    owner_key = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    refunded_at = models.DateTimeField(null=True)
    given_back_minor = models.PositiveIntegerField(default=0, db_default=0)  # of its price, without ending its ticket

    PERSONAL = {
        "guest_name": Personal("to name the guest on the ticket", EVENT),
        "not_given": Personal("to tell the buyer why a price is not lower (such as that they are no member)", EVENT),
        "owner_key": Personal("to keep limits per person (a keyed hash)", EVENT),
    }
    NOT_PERSONAL = fields(
        "id public_id order position ticket_type fulfilment subject is_wanted is_held allotment seen_minor list_minor"
        " price_minor vat_percent vat_minor vat_split refunded_at given_back_minor"
    )

    class Meta:
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        ordering = ["order_id", "position"]
        # No index on what holding a line changes: with room on its page (fillfactor) the row is then changed in place.
        constraints = [
            models.UniqueConstraint(fields=["order", "position"], name="line_position_once"),
            models.CheckConstraint(
                condition=Q(given_back_minor__lte=models.F("price_minor")), name="line_gives_back_what_it_cost"
            ),
        ]
        indexes = [
            models.Index(fields=["allotment"], condition=~Q(allotment=""), name="line_of_an_allotment"),
            models.Index(fields=["owner_key"], condition=~Q(owner_key=""), name="line_owner"),
        ]

    def __str__(self) -> str:
        return f"{self.order_id}/{self.position}"

    @property
    def is_given_away(self) -> bool:
        """Whether its place is somebody else's than the buyer's."""
        return bool(self.owner_key)

    @property
    def kept_minor(self) -> int:
        """What the organiser still has of what the buyer paid for it; of a line that is not refunded."""
        return self.price_minor - self.given_back_minor

    @property
    def vat_parts(self) -> tuple[vat.Part, ...]:
        """What of its price is taxed at which rate, as frozen."""
        if self.vat_split:
            return vat.thawed(self.vat_split)
        return (vat.Part(self.vat_percent, self.list_minor, self.price_minor, self.vat_minor),)


class LineChoice(models.Model):
    """A choice made for one ticket; `delta_minor` per piece is frozen at reserve."""

    ORGANISATION_PATH = "line__order__organisation"

    line = models.ForeignKey(OrderLine, on_delete=models.CASCADE, related_name="choices", db_index=False)
    choice = models.ForeignKey(Choice, on_delete=models.PROTECT, related_name="+")
    quantity = models.PositiveSmallIntegerField(default=1)
    delta_minor = models.IntegerField(default=0)

    PERSONAL = {"choice": Personal("to serve the guest (may tell about diet)", EVENT)}
    NOT_PERSONAL = fields("id line quantity delta_minor")

    class Meta:
        ordering = ["line_id", "id"]
        constraints = [
            models.UniqueConstraint(fields=["line", "choice"], name="line_choice_once"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="line_choice_counts"),
        ]

    def __str__(self) -> str:
        return f"{self.line_id}: {self.choice_id}"


class Adjustment(models.Model):
    """A named change of one line's price, frozen at reserve. `bearer` pays for it: the organiser or a sponsor.
    `is_provisional`: nobody knows yet whether the buyer has a right to it, so that the door asks for a proof."""

    ORGANISATION_PATH = "line__order__organisation"

    line = models.ForeignKey(OrderLine, on_delete=models.CASCADE, related_name="adjustments")
    source = models.SlugField(max_length=40, db_index=False)
    label_sv = models.CharField(max_length=120)
    label_en = models.CharField(max_length=120)
    amount_minor = models.IntegerField()
    bearer = models.CharField(max_length=64, default="organiser")
    is_provisional = models.BooleanField(default=False, db_default=False)

    label = Translated()

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id line source label_sv label_en amount_minor bearer is_provisional")

    class Meta:
        ordering = ["line_id", "id"]

    def __str__(self) -> str:
        return self.label
