"""Until when buyers of an event may give their tickets back by themselves, and what is kept of the price."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id
from apps.accounts.privacy import BOOKS, Personal, fields
from apps.events.models import Event

LONGEST_HOURS = 24 * 365


class RefundRule(models.Model):
    """One rule as it was promised, kept for good: a changed rule is a new row, and the newest holds for new orders.

    An event without any gives nothing back to a buyer who merely changes their mind. `fee_minor` and `fee_percent` are
    kept of each ticket, together never more than it cost. Read by `refund_rule`.
    """

    ORGANISATION_PATH = "event__organisation"

    class Kind(models.TextChoices):
        NEVER = "never", _("Not at all")
        HOURS = "hours", _("Until so many hours before the start")
        MOMENT = "moment", _("Until a day and time")

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    event = models.ForeignKey(Event, verbose_name=_("event"), on_delete=models.CASCADE, related_name="refund_rules")
    at = models.DateTimeField(editable=False)
    kind = models.CharField(_("buyers may give tickets back"), max_length=6, choices=Kind, default=Kind.HOURS)
    hours_before = models.PositiveSmallIntegerField(
        _("hours before the start"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_HOURS)],
        help_text=_("24 is a day, 168 a week. It moves along when the event is moved."),
    )
    until = models.DateTimeField(_("until"), null=True, blank=True)
    fee_minor = models.PositiveIntegerField(_("fee per ticket"), default=0)
    fee_percent = models.PositiveSmallIntegerField(
        _("and of the price, in percent"),
        default=0,
        validators=[MaxValueValidator(100)],
        help_text=_("Of what the buyer paid for the ticket. Both may be given; together they never exceed the price."),
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )  # none: an operator at the command line

    PERSONAL = {"actor": Personal("to answer for what was promised", BOOKS)}
    NOT_PERSONAL = fields("id public_id event at kind hours_before until fee_minor fee_percent")

    class Meta:
        verbose_name = _("refund rule")
        verbose_name_plural = _("refund rules")
        ordering = ["event_id", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="never", hours_before__isnull=True, until__isnull=True, fee_minor=0, fee_percent=0)
                | Q(kind="hours", hours_before__isnull=False, until__isnull=True)
                | Q(kind="moment", hours_before__isnull=True, until__isnull=False),
                name="refund_rule_says_until_when",
            ),
            models.CheckConstraint(condition=Q(fee_percent__lte=100), name="refund_rule_keeps_a_part_at_most"),
        ]

    def __str__(self) -> str:
        return f"{self.event}: {self.get_kind_display()}"
