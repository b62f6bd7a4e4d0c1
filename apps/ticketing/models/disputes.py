"""A payer who tells their bank that a payment was not right."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id
from apps.accounts.privacy import BOOKS, Personal, fields
from apps.ticketing.models.payments import Payment
from apps.ticketing.states import DisputeState


class Dispute(models.Model):
    """The payer's bank has taken a payment back until somebody decides who is right.

    `tickets_were` holds what each of the order's tickets was before it was blocked: {ticket id: state}. One that was
    told of in another currency than the payment's counts as one about all of it; what was told stands beside it.
    """

    ORGANISATION_PATH = "payment__order__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="disputes")
    provider_reference = models.CharField(max_length=120)
    amount_minor = models.PositiveIntegerField(_("amount"))
    currency = models.CharField(max_length=3)
    told_minor = models.PositiveIntegerField(null=True)
    told_currency = models.CharField(max_length=3, blank=True, default="", db_default="")
    state = models.CharField(max_length=6, choices=DisputeState, default=DisputeState.OPENED)
    reason = models.CharField(max_length=40, blank=True)
    tickets_were = models.JSONField(default=dict)
    opened_at = models.DateTimeField(_("opened"))
    closed_at = models.DateTimeField(_("closed"), null=True)

    PERSONAL = {"provider_reference": Personal("to find the dispute at the provider", BOOKS)}
    NOT_PERSONAL = fields(
        "id public_id payment amount_minor currency told_minor told_currency state reason tickets_were opened_at"
        " closed_at"
    )

    class Meta:
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["payment", "provider_reference"], name="dispute_once"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="dispute_is_about_money"),
            models.CheckConstraint(
                condition=Q(state="opened", closed_at__isnull=True) | (~Q(state="opened") & Q(closed_at__isnull=False)),
                name="dispute_closed_at_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payment_id}: {self.amount_minor} {self.currency} ({self.state})"
