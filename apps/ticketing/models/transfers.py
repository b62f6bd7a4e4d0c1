"""Money that buyers send by themselves: where to, and which rows of a bank's file have been acted upon."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id
from apps.accounts.privacy import BOOKS, Personal, fields
from apps.events.models import Organisation
from apps.ticketing.account_numbers import clean_bankgiro, clean_bic, clean_iban, clean_swish
from apps.ticketing.models.payments import Payment

LONGEST_DAYS = 60


class TransferAccount(models.Model):
    """How buyers may pay an organisation by themselves, where to, and within how many days.

    A way is offered when it is ticked here; without a row none is. Numbers are kept as digits and letters alone.
    """

    ORGANISATION_PATH = "organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.OneToOneField(
        Organisation, verbose_name=_("organisation"), on_delete=models.CASCADE, related_name="transfer_account"
    )
    offers_transfer = models.BooleanField(_("bank transfer"), default=False)
    bankgiro = models.CharField(_("bankgiro"), max_length=12, blank=True)
    iban = models.CharField("IBAN", max_length=42, blank=True)
    bic = models.CharField("BIC", max_length=14, blank=True, help_text=_("For transfers from other countries."))
    offers_swish = models.BooleanField(_("Swish to a number"), default=False)
    swish_number = models.CharField(
        _("Swish number"), max_length=20, blank=True, help_text=_("The association's, such as 123 456 78 90.")
    )
    offers_invoice = models.BooleanField(
        _("invoice"),
        default=False,
        help_text=_("You write the invoice and send it; the buyer pays it by its reference."),
    )
    days = models.PositiveSmallIntegerField(
        _("days to pay"),
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_DAYS)],
        help_text=_(
            "So long the places are held, to the end of the last day. A transfer takes a bank day or two to reach you."
        ),
    )

    PERSONAL = {"swish_number": Personal("to tell buyers where to swish", "while the organisation offers it")}
    NOT_PERSONAL = fields(
        "id public_id organisation offers_transfer bankgiro iban bic offers_swish offers_invoice days"
    )

    class Meta:
        verbose_name = _("account for transfers")
        verbose_name_plural = _("accounts for transfers")
        ordering = ["organisation__name"]
        constraints = [
            models.CheckConstraint(condition=Q(days__gte=1, days__lte=LONGEST_DAYS), name="transfer_days_are_sane"),
            models.CheckConstraint(
                condition=Q(offers_transfer=False) | ~Q(bankgiro="") | ~Q(iban=""), name="transfer_goes_somewhere"
            ),
            models.CheckConstraint(condition=Q(offers_swish=False) | ~Q(swish_number=""), name="swish_goes_somewhere"),
        ]

    def __str__(self) -> str:
        return str(self.organisation)

    def clean(self) -> None:
        """Write the numbers as they are kept. Raises ValidationError for one that cannot be right, field by field."""
        wrong: dict[str, ValidationError] = {}
        for name, cleaned in (
            ("bankgiro", clean_bankgiro),
            ("iban", clean_iban),
            ("bic", clean_bic),
            ("swish_number", clean_swish),
        ):
            try:
                setattr(self, name, cleaned(getattr(self, name)))
            except ValidationError as error:
                wrong[name] = error
        if self.offers_transfer and not self.bankgiro and not self.iban and not wrong.keys() & {"bankgiro", "iban"}:
            wrong["bankgiro"] = ValidationError(_("Say where a bank transfer goes: a bankgiro, an IBAN, or both."))
        if self.offers_swish and not self.swish_number and "swish_number" not in wrong:
            wrong["swish_number"] = ValidationError(_("Say which number buyers shall swish to."))
        if wrong:
            raise ValidationError(wrong)


class BankRow(models.Model):
    """One row of a bank's file that a treasurer had carried out, so that the same row does nothing twice.

    `fingerprint` is a hash of the whole row and of how many like it stood before it in its file. The row's own words,
    which name the payer, are not kept. `is_part`: it is less than the order costs, is not booked yet and waits for the
    rest (`bank_parts`).
    """

    ORGANISATION_PATH = "organisation"

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    fingerprint = models.CharField(max_length=64)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="bank_rows")
    amount_minor = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    booked_on = models.DateField()
    read_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    read_at = models.DateTimeField()
    is_part = models.BooleanField(default=False, db_default=False)

    PERSONAL = {"read_by": Personal("to answer for what was done", BOOKS)}
    NOT_PERSONAL = fields("id organisation fingerprint payment amount_minor currency booked_on read_at is_part")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "fingerprint"], name="bank_row_once")]
        indexes = [models.Index(fields=["payment"], condition=Q(is_part=True), name="bank_row_part")]

    def __str__(self) -> str:
        return f"{self.booked_on}: {self.amount_minor} {self.currency}"
