"""Where somebody is to be paid whose money could not go back the way it came."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.keyring import EncryptedTextField
from apps.accounts.privacy import DEBT, Personal, fields
from apps.ticketing.models.payments import Refund


class PayoutAccount(models.Model):
    """The account to which a failed refund is paid by hand, kept as long as the money is owed.

    Written by `payouts.give`. `refunds` takes it along when the money is sent again and deletes it when it has arrived
    or was paid otherwise; `payouts.forget_paid` deletes what is left, such as of a debt that a dispute has settled.
    """

    ORGANISATION_PATH = "refund__payment__order__organisation"

    refund = models.OneToOneField(Refund, on_delete=models.CASCADE, related_name="payout_account")
    holder = EncryptedTextField(_("account holder"))
    number = EncryptedTextField(_("account number"))  # an IBAN, a Swish number, or a Swedish account, without spaces
    given_at = models.DateTimeField(_("given"))

    PERSONAL = {
        "holder": Personal("to pay a debt to somebody whose card is gone", DEBT),
        "number": Personal("to pay a debt to somebody whose card is gone", DEBT),
    }
    NOT_PERSONAL = fields("id refund given_at")

    class Meta:
        verbose_name = _("payout account")
        verbose_name_plural = _("payout accounts")

    def __str__(self) -> str:
        return f"{self.refund_id}"
