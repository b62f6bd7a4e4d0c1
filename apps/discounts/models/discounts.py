"""Lower and higher prices of one event: to whom, when, how often, and who pays for them.

What a discount is (`Discount`, its codes and its list) and how often it was used (`Allowance`, `Code.taken`) lie apart:
the first is kept in memory while thousands look, the second changes with every order.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id
from apps.accounts.privacy import EVENT, Personal, fields
from apps.discounts.models.memberships import MemberBody
from apps.events.models import Event, Organisation
from apps.events.translated import Translated
from apps.ticketing import clock
from apps.ticketing.models import OrderLine, TicketType

HIGHEST_MINOR = 10_000_000
LONGEST_CODE = 40


class Sponsor(models.Model):
    """Somebody who pays for an organisation's discounts: a company, a union, a section."""

    ORGANISATION_PATH = "organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(
        Organisation, verbose_name=_("organisation"), on_delete=models.PROTECT, related_name="sponsors"
    )
    name = models.CharField(_("name"), max_length=120)
    email = models.EmailField(_("e-mail for invoices"), blank=True)
    reference = models.CharField(_("their reference"), max_length=80, blank=True)

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id public_id organisation name email reference")

    class Meta:
        verbose_name = _("sponsor")
        verbose_name_plural = _("sponsors")
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name

    @property
    def bearer(self) -> str:
        """How frozen adjustments and the ledger name it."""
        return bearer_of(self.public_id.hex)


def bearer_of(sponsor_hex: str) -> str:
    return f"sponsor:{sponsor_hex}"


class Discount(models.Model):
    """A named change of a ticket's price, and everything that must be true for it. All conditions that are set hold
    together; one that is not set asks nothing."""

    ORGANISATION_PATH = "event__organisation"

    class Kind(models.TextChoices):
        LESS = "less", _("an amount less")
        PERCENT = "percent", _("per cent less")
        PRICE = "price", _("a fixed price")
        MORE = "more", _("an amount more")
        PERCENT_MORE = "percent_more", _("per cent more")

    class Stacking(models.TextChoices):
        BEST = "best", _("the best one for the buyer applies")
        ADDED = "added", _("it is added to the others, in the order of the list")

    class WhenUnknown(models.TextChoices):
        FULL = "full", _("full price, paid back when verified")
        MEMBER = "member", _("member price, checked at the door")

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    event = models.ForeignKey(Event, verbose_name=_("event"), on_delete=models.PROTECT, related_name="discounts")
    position = models.PositiveSmallIntegerField(_("place in the list"), default=0)
    is_active = models.BooleanField(_("switched on"), default=True)
    name_sv = models.CharField(_("name in Swedish"), max_length=80, blank=True)
    name_en = models.CharField(_("name in English"), max_length=80, blank=True)

    kind = models.CharField(_("what it does"), max_length=12, choices=Kind, default=Kind.LESS)
    amount_minor = models.PositiveIntegerField(
        _("amount"), default=0, validators=[MaxValueValidator(HIGHEST_MINOR)]
    )  # of `less`, `more` and `price`, in minor units
    percent = models.DecimalField(
        _("per cent"),
        max_digits=5,
        decimal_places=2,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(100))],
    )
    covers_choices = models.BooleanField(
        _("also on what is chosen with the ticket"),
        default=False,
        help_text=_("Without, food and drink chosen with the ticket cost what they cost."),
    )
    stacking = models.CharField(_("with other discounts"), max_length=5, choices=Stacking, default=Stacking.BEST)
    ticket_types = models.ManyToManyField(
        TicketType,
        through="DiscountTicketType",
        verbose_name=_("tickets"),
        related_name="discounts",
        blank=True,
        help_text=_("None ticked: all tickets of the event."),
    )

    bodies = models.ManyToManyField(
        MemberBody,
        through="DiscountBody",
        verbose_name=_("members of"),
        related_name="discounts",
        blank=True,
        help_text=_("Whoever is a member of one of these. None ticked: no membership is asked for."),
    )
    when_unknown = models.CharField(
        _("while the membership is not known"), max_length=6, choices=WhenUnknown, default=WhenUnknown.FULL
    )
    needs_code = models.BooleanField(_("only with a code"), default=False)
    needs_list = models.BooleanField(
        _("only for the people on its list"),
        default=False,
        help_text=_("They sign in with an address that is on the list."),
    )
    min_quantity = models.PositiveSmallIntegerField(
        _("from so many tickets in one order"), null=True, blank=True, validators=[MinValueValidator(2)]
    )
    opens_at = models.DateTimeField(_("from"), null=True, blank=True)
    closes_at = models.DateTimeField(_("until"), null=True, blank=True)
    max_per_person = models.PositiveSmallIntegerField(
        _("most tickets per person"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    sponsor = models.ForeignKey(
        Sponsor,
        verbose_name=_("paid by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="discounts",
        help_text=_("Who stands for what the buyer does not pay. Empty: you do."),
    )

    made_at = models.DateTimeField(null=True, editable=False)  # empty: before every order that is asked about

    name = Translated()

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields(
        "id public_id event position is_active name_sv name_en kind amount_minor percent covers_choices stacking"
        " ticket_types bodies when_unknown needs_code needs_list min_quantity opens_at closes_at max_per_person sponsor"
        " made_at"
    )

    class Meta:
        verbose_name = _("discount")
        verbose_name_plural = _("discounts")
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(condition=~Q(name_sv="", name_en=""), name="discount_has_a_name"),
            models.CheckConstraint(condition=Q(percent__gte=0, percent__lte=100), name="discount_percent_is_one"),
            models.CheckConstraint(
                condition=Q(opens_at__isnull=True) | Q(closes_at__isnull=True) | Q(opens_at__lt=F("closes_at")),
                name="discount_closes_after_it_opens",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=["more", "percent_more"]) | Q(stacking="added"), name="surcharge_is_added"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store it, and give a new one the counter that goes with it."""
        if self.pk is None and self.made_at is None:
            self.made_at = clock.now()
        with transaction.atomic():
            super().save(*args, **kwargs)
            Allowance.objects.get_or_create(discount=self)


class PastTerms(models.Model):
    """What a discount did, and for whom, until an editor changed it: orders decided before keep to that."""

    ORGANISATION_PATH = "discount__event__organisation"

    discount = models.ForeignKey(Discount, on_delete=models.CASCADE, related_name="past_terms")
    until = models.DateTimeField()
    terms = models.JSONField()  # as `past_terms.terms_of` writes them

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id discount until terms")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.discount_id} until {self.until}"


class _DependsOn(models.Model):
    """What a discount is about stays while it is: the last condition that went away would open it to everybody."""

    ORGANISATION_PATH = "discount__event__organisation"
    NAMES_WHAT_DEPENDS = True  # on a desk that cannot delete what it holds

    discount = models.ForeignKey(Discount, on_delete=models.CASCADE, related_name="+")

    PERSONAL: dict[str, Personal] = {}

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.discount)


class DiscountTicketType(_DependsOn):
    """A discount is on this kind of ticket."""

    tickettype = models.ForeignKey(TicketType, on_delete=models.PROTECT, related_name="+")

    NOT_PERSONAL = fields("id discount tickettype")

    class Meta:
        db_table = "discounts_discount_ticket_types"
        unique_together = [("discount", "tickettype")]
        ordering = ["id"]


class DiscountBody(_DependsOn):
    """A discount is for members of this body."""

    memberbody = models.ForeignKey(MemberBody, on_delete=models.PROTECT, related_name="+")

    NOT_PERSONAL = fields("id discount memberbody")

    class Meta:
        db_table = "discounts_discount_bodies"
        unique_together = [("discount", "memberbody")]
        ordering = ["id"]


class Allowance(models.Model):
    """How many tickets have a discount now, and how many may. Written by `claims` alone, with conditional UPDATEs; the
    database's CHECK is the last word."""

    ORGANISATION_PATH = "discount__event__organisation"

    discount = models.OneToOneField(Discount, primary_key=True, on_delete=models.CASCADE, related_name="allowance")
    size = models.PositiveIntegerField(_("most tickets in all"), null=True, blank=True)
    taken = models.PositiveIntegerField(default=0, db_default=0)

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("discount size taken")

    class Meta:
        ordering = ["discount_id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(size__isnull=True) | Q(taken__lte=F("size")), name="allowance_is_not_overdrawn"
            )
        ]

    def __str__(self) -> str:
        return f"{self.discount_id}: {self.taken}"


class Code(models.Model):
    """One of the codes that open a discount, with a budget of its own, counted in tickets."""

    ORGANISATION_PATH = "discount__event__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    discount = models.ForeignKey(Discount, verbose_name=_("discount"), on_delete=models.CASCADE, related_name="codes")
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="+", db_index=False)  # the discount's
    text = models.CharField(_("code"), max_length=LONGEST_CODE)  # as `codes.normalise` writes it
    note = models.CharField(_("note"), max_length=120, blank=True)
    size = models.PositiveIntegerField(_("for so many tickets"), null=True, blank=True)
    taken = models.PositiveIntegerField(_("used"), default=0, db_default=0)
    is_active = models.BooleanField(_("switched on"), default=True)

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id public_id discount event text note size taken is_active")

    class Meta:
        verbose_name = _("code")
        verbose_name_plural = _("codes")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["event", "text"], name="code_once_per_event"),
            models.CheckConstraint(condition=~Q(text=""), name="code_has_a_text"),
            models.CheckConstraint(
                condition=Q(size__isnull=True) | Q(taken__lte=F("size")), name="code_is_not_overdrawn"
            ),
        ]

    def __str__(self) -> str:
        return self.text


class ListedPerson(models.Model):
    """Somebody on a discount's personal list: a keyed hash of their address, never the address."""

    ORGANISATION_PATH = "discount__event__organisation"

    discount = models.ForeignKey(Discount, on_delete=models.CASCADE, related_name="listed", db_index=False)
    email_key = models.CharField(max_length=64)

    PERSONAL = {"email_key": Personal("to sell at the price of a personal list (a keyed hash)", EVENT)}
    NOT_PERSONAL = fields("id discount")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["discount", "email_key"], name="listed_once_per_discount")]

    def __str__(self) -> str:
        return f"{self.discount_id}"


class DiscountUse(models.Model):
    """One ticket that got one discount when it was reserved. `is_live`: it counts against the limits, its line being
    held or sold. A line that is held again, by money that came late, takes the same rights again. `buyer_key`: whom it
    is counted for, the buyer or their entry of a personal list."""

    ORGANISATION_PATH = "discount__event__organisation"

    line = models.ForeignKey(OrderLine, on_delete=models.CASCADE, related_name="+", db_index=False)
    discount = models.ForeignKey(Discount, on_delete=models.PROTECT, related_name="uses", db_index=False)
    code = models.ForeignKey(Code, null=True, on_delete=models.PROTECT, related_name="uses")
    buyer_key = models.CharField(max_length=64)
    amount_minor = models.IntegerField()
    is_live = models.BooleanField(default=True)

    PERSONAL = {"buyer_key": Personal("to keep limits per person (a keyed hash)", EVENT)}
    NOT_PERSONAL = fields("id line discount code amount_minor is_live")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["line", "discount"], name="discount_once_per_line")]
        indexes = [models.Index(fields=["discount", "buyer_key"], name="discount_use_person")]

    def __str__(self) -> str:
        return f"{self.line_id}: {self.discount_id} {self.amount_minor}"
