"""What is for sale: ticket types with their choices, and the quotas that say how many there are.

A type or a choice may draw on several quotas; it is available while every one of them has room. `Quota.taken` is
written only by `reservations`, and the database refuses a value outside 0..size.
"""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id
from apps.accounts.privacy import Personal, fields
from apps.events.models import Event
from apps.events.translated import Translated

CHANGE_HOURS = 72
HIGHEST_PRICE_MINOR = 10_000_000  # 100 000 kr: a typing error, not a student's evening


class Quota(models.Model):
    """A number of places that ticket types and choices share."""

    ORGANISATION_PATH = "event__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    event = models.ForeignKey(Event, verbose_name=_("event"), on_delete=models.PROTECT, related_name="quotas")
    name = models.CharField(_("name"), max_length=80)
    size = models.PositiveIntegerField(_("places"), help_text=_("May be raised or lowered, never below what is taken."))
    taken = models.PositiveIntegerField(_("taken"), default=0, editable=False)
    set_aside = models.PositiveIntegerField(_("set aside for presale"), default=0, editable=False)
    # `returns` counts events that freed places; the queue looks at waiting orders again until `returns_seen` equals it.
    returns = models.PositiveBigIntegerField(default=0, editable=False)
    returns_seen = models.PositiveBigIntegerField(default=0, editable=False)

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id public_id event name size taken set_aside returns returns_seen")

    class Meta:
        verbose_name = _("quota")
        verbose_name_plural = _("quotas")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(size__gte=F("taken") + F("set_aside")), name="quota_never_oversold"),
            models.CheckConstraint(
                condition=Q(taken__gte=0) & Q(set_aside__gte=0) & Q(size__gte=0), name="quota_counts_from_zero"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.size})"

    @property
    def left(self) -> int:
        return self.size - self.taken - self.set_aside


class TicketType(models.Model):
    """One kind of ticket to one event. Its price is the list price; who pays less is decided by price rules."""

    ORGANISATION_PATH = "event__organisation"

    class Visibility(models.TextChoices):
        PUBLIC = "public", _("everybody")
        LINK = "link", _("only by link")
        MEMBERS = "members", _("members")
        AFTER = "after", _("after another ticket is sold out")

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    event = models.ForeignKey(Event, verbose_name=_("event"), on_delete=models.PROTECT, related_name="ticket_types")
    position = models.PositiveSmallIntegerField(_("order on the page"), default=0)
    name_sv = models.CharField(_("name in Swedish"), max_length=80, blank=True)
    name_en = models.CharField(_("name in English"), max_length=80, blank=True)
    description_sv = models.CharField(_("description in Swedish"), max_length=300, blank=True)
    description_en = models.CharField(_("description in English"), max_length=300, blank=True)
    price_minor = models.PositiveIntegerField(
        _("price in öre or cent"), validators=[MaxValueValidator(HIGHEST_PRICE_MINOR)]
    )
    vat_percent = models.DecimalField(
        _("VAT in percent"),
        max_digits=4,
        decimal_places=2,
        default=0,
        validators=[MinValueValidator(0), MaxValueValidator(50)],
    )
    # [[rate, how much of the price in minor units], ...]: what of the price is taxed at other rates; see `vat`.
    vat_split = models.JSONField(_("VAT parts"), default=list, blank=True, db_default=[])
    is_published = models.BooleanField(_("published"), default=True)
    visibility = models.CharField(_("shown to"), max_length=8, choices=Visibility, default=Visibility.PUBLIC)
    after_type = models.ForeignKey(
        "self", verbose_name=_("shown after"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    # When the ticket it is shown after had sold out for the first time: from then on it stays open.
    came_up_at = models.DateTimeField(null=True, editable=False)
    sale_opens_at = models.DateTimeField(_("sale opens"), null=True, blank=True)
    sale_closes_at = models.DateTimeField(_("sale closes"), null=True, blank=True)
    min_per_order = models.PositiveSmallIntegerField(_("fewest per order"), default=0)
    max_per_order = models.PositiveSmallIntegerField(_("most per order"), default=6, validators=[MinValueValidator(1)])
    max_per_person = models.PositiveSmallIntegerField(
        _("most per person"),
        null=True,
        blank=True,
        help_text=_("Only where buyers must sign in is it hard: a guest may hold several e-mail addresses."),
    )
    conflicts_with = models.ManyToManyField("self", verbose_name=_("cannot be combined with"), blank=True)
    guests_of = models.ForeignKey(
        "self",
        verbose_name=_("guest ticket of"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="guest_types",
        help_text=_("Then it is sold only to those who buy, or have paid for, that ticket."),
    )
    guests_per_ticket = models.PositiveSmallIntegerField(
        _("guest tickets for each of them"), default=1, db_default=1, validators=[MinValueValidator(1)]
    )
    change_hours = models.PositiveSmallIntegerField(
        _("choices and answers may be changed until so many hours before the event"),
        default=CHANGE_HOURS,
        db_default=CHANGE_HOURS,
        help_text=_(
            "Such as 72, so that the kitchen can order three days ahead. What was never answered may still be."
        ),
    )
    quotas = models.ManyToManyField(Quota, verbose_name=_("quotas"), related_name="ticket_types", blank=True)
    is_transferable = models.BooleanField(_("may be given away"), default=True)
    is_resellable = models.BooleanField(_("may be sold back"), default=True)
    needs_name = models.BooleanField(_("each guest is named"), default=False)
    needs_id = models.BooleanField(_("identity is checked at the door"), default=False)
    minimum_age = models.PositiveSmallIntegerField(_("minimum age"), null=True, blank=True)

    name = Translated()
    description = Translated()

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields(
        "id public_id event position name_sv name_en description_sv description_en price_minor vat_percent"
        " vat_split is_published visibility after_type came_up_at sale_opens_at sale_closes_at min_per_order"
        " max_per_order max_per_person guests_of guests_per_ticket change_hours conflicts_with quotas is_transferable"
        " is_resellable needs_name needs_id minimum_age"
    )

    class Meta:
        verbose_name = _("ticket type")
        verbose_name_plural = _("ticket types")
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(condition=~Q(name_sv="", name_en=""), name="tickettype_has_a_name"),
            models.CheckConstraint(
                condition=Q(max_per_order__gte=F("min_per_order")) & Q(max_per_order__gte=1),
                name="tickettype_order_limits_agree",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Variation(models.Model):
    """A question with priced answers: one must be chosen ("Beverage"), or several may be taken in numbers ("Snaps")."""

    ORGANISATION_PATH = "ticket_type__event__organisation"

    class Kind(models.TextChoices):
        ONE = "one", _("one must be chosen")
        MANY = "many", _("optional, in numbers")

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    ticket_type = models.ForeignKey(
        TicketType, verbose_name=_("ticket type"), on_delete=models.PROTECT, related_name="variations"
    )
    position = models.PositiveSmallIntegerField(_("order on the page"), default=0)
    name_sv = models.CharField(_("name in Swedish"), max_length=80, blank=True)
    name_en = models.CharField(_("name in English"), max_length=80, blank=True)
    kind = models.CharField(_("kind"), max_length=4, choices=Kind, default=Kind.ONE)
    ask_again_on_resale = models.BooleanField(_("ask the new owner again"), default=False)

    name = Translated()

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id public_id ticket_type position name_sv name_en kind ask_again_on_resale")

    class Meta:
        verbose_name = _("variation")
        verbose_name_plural = _("variations")
        ordering = ["position", "id"]
        constraints = [models.CheckConstraint(condition=~Q(name_sv="", name_en=""), name="variation_has_a_name")]

    def __str__(self) -> str:
        return self.name


class Choice(models.Model):
    """One answer to a variation. `delta_minor` is added to the ticket's price, VAT included; it may be negative."""

    ORGANISATION_PATH = "variation__ticket_type__event__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    variation = models.ForeignKey(
        Variation, verbose_name=_("variation"), on_delete=models.PROTECT, related_name="choices"
    )
    position = models.PositiveSmallIntegerField(_("order on the page"), default=0)
    name_sv = models.CharField(_("name in Swedish"), max_length=80, blank=True)
    name_en = models.CharField(_("name in English"), max_length=80, blank=True)
    delta_minor = models.IntegerField(
        _("added to the price, in öre or cent"),
        default=0,
        validators=[MinValueValidator(-HIGHEST_PRICE_MINOR), MaxValueValidator(HIGHEST_PRICE_MINOR)],
    )
    max_quantity = models.PositiveSmallIntegerField(_("most per ticket"), default=1, validators=[MinValueValidator(1)])
    # Preselected, so that nobody has to tap in a rush. It never adds to the price: directive 2011/83/EU art. 22, lag
    # (2005:59) ch. 2 § 8, let nobody pay for what a form had ticked for them.
    is_default = models.BooleanField(
        _("preselected"),
        default=False,
        db_default=False,
        help_text=_("Taken by whoever does not choose. Only what adds nothing to the price."),
    )
    is_published = models.BooleanField(_("published"), default=True)
    is_sensitive = models.BooleanField(
        _("tells about health or belief"), default=False, help_text=_("Answers are deleted after the event.")
    )
    quotas = models.ManyToManyField(Quota, verbose_name=_("quotas"), related_name="choices", blank=True)

    name = Translated()

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields(
        "id public_id variation position name_sv name_en delta_minor max_quantity is_default is_published is_sensitive"
        " quotas"
    )

    class Meta:
        verbose_name = _("choice")
        verbose_name_plural = _("choices")
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(condition=~Q(name_sv="", name_en=""), name="choice_has_a_name"),
            models.CheckConstraint(condition=Q(max_quantity__gte=1), name="choice_can_be_taken"),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(delta_minor__lte=0), name="choice_preselected_adds_nothing"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Question(models.Model):
    """A free question per ticket, answered after the hold: neither price nor stock depends on it. See `answers`."""

    ORGANISATION_PATH = "ticket_type__event__organisation"

    class Kind(models.TextChoices):
        TEXT = "text", _("text")
        YES_NO = "yes_no", _("yes or no")
        DIET = "diet", _("diet")

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    ticket_type = models.ForeignKey(
        TicketType, verbose_name=_("ticket type"), on_delete=models.PROTECT, related_name="questions"
    )
    position = models.PositiveSmallIntegerField(_("order on the page"), default=0)
    text_sv = models.CharField(_("question in Swedish"), max_length=200, blank=True)
    text_en = models.CharField(_("question in English"), max_length=200, blank=True)
    kind = models.CharField(_("kind"), max_length=6, choices=Kind, default=Kind.TEXT)
    is_required = models.BooleanField(
        _("must be answered"), default=False, help_text=_("Each guest may do so until the event.")
    )
    is_asked_before_paying = models.BooleanField(
        _("asked before the payment"),
        default=False,
        db_default=False,
        help_text=_("The buyer answers for every ticket. Else each guest answers afterwards, by a link of their own."),
    )
    is_published = models.BooleanField(_("published"), default=True, db_default=True)
    is_sensitive = models.BooleanField(
        _("tells about health or belief"), default=False, help_text=_("Answers are deleted after the event.")
    )
    ask_again_on_resale = models.BooleanField(_("ask the new owner again"), default=False)

    text = Translated()

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields(
        "id public_id ticket_type position text_sv text_en kind is_required is_asked_before_paying is_published"
        " is_sensitive ask_again_on_resale"
    )

    class Meta:
        verbose_name = _("question")
        verbose_name_plural = _("questions")
        ordering = ["position", "id"]
        constraints = [models.CheckConstraint(condition=~Q(text_sv="", text_en=""), name="question_has_a_text")]

    def __str__(self) -> str:
        return self.text
