"""The books. A posting is one fact and its entries sum to zero; neither is ever changed (a trigger refuses)."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id
from apps.accounts.privacy import Personal, fields
from apps.events.models import Organisation
from apps.ticketing.models.orders import Order


class Posting(models.Model):
    """One fact that moved money or owed it. `fact` is unique: a fact told twice is booked once."""

    ORGANISATION_PATH = "organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="postings")
    order = models.ForeignKey(Order, null=True, on_delete=models.PROTECT, related_name="postings")
    kind = models.CharField(_("kind"), max_length=30)
    fact = models.CharField(max_length=80, unique=True)
    booked_at = models.DateTimeField(_("booked"))

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id public_id organisation order kind fact booked_at")

    class Meta:
        verbose_name = _("posting")
        verbose_name_plural = _("postings")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.fact}"


class Entry(models.Model):
    """One side of a posting, in minor units: debit positive, credit negative."""

    ORGANISATION_PATH = "posting__organisation"

    class Account(models.TextChoices):
        CLEARING = "clearing", _("provider clearing")
        REVENUE = "revenue", _("ticket revenue")
        VAT = "vat", _("VAT payable")
        BUYER_REFUNDABLE = "buyer_refundable", _("owed to buyers")
        SELLER_PAYABLE = "seller_payable", _("owed to sellers")
        SELLER_SHARE = "seller_share", _("given up by sellers")
        SPONSOR_RECEIVABLE = "sponsor_receivable", _("owed by sponsors")
        FEE = "fee", _("fees kept")
        PROVIDER_FEE = "provider_fee", _("provider's fees")
        DISPUTE = "dispute", _("disputed")
        LOSS = "loss", _("lost in disputes")
        OUTSIDE = "outside", _("paid outside the provider")

    posting = models.ForeignKey(Posting, on_delete=models.PROTECT, related_name="entries")
    account = models.CharField(_("account"), max_length=20, choices=Account)
    amount_minor = models.BigIntegerField(_("amount"))
    currency = models.CharField(max_length=3)
    detail = models.CharField(max_length=64, blank=True)  # VAT rate, sponsor, line

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id posting account amount_minor currency detail")

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.account} {self.amount_minor}"
