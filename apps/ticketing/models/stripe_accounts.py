"""What Stripe last said of the accounts that organisations have there."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id
from apps.accounts.keyring import EncryptedTextField
from apps.accounts.privacy import Personal, fields
from apps.events.models import Organisation


class StripeAccount(models.Model):
    """An organisation's own account at Stripe, as Stripe told it at `checked_at`. See `payments.connect`.

    `account` is its id, encrypted, and empty until Stripe has made it. It stands here and not on the organisation, so
    that a key that was lost (FOYER_KEYS) stops payment by Stripe and not every page. `public_id` is also the name under
    which the account is asked for, so that a lost answer makes no second one.
    """

    ORGANISATION_PATH = "organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.OneToOneField(Organisation, on_delete=models.CASCADE, related_name="stripe_facts")
    account = EncryptedTextField(blank=True)
    is_submitted = models.BooleanField(default=False)  # its owner has filled in what Stripe asks
    can_charge = models.BooleanField(default=False)
    pays_out = models.BooleanField(default=False)
    is_gone = models.BooleanField(default=False)  # closed, or taken away from us at Stripe
    due = models.JSONField(default=list)  # what Stripe asks for now, in its own words
    due_by = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=80, blank=True)
    begun_at = models.DateTimeField()
    checked_at = models.DateTimeField(null=True)

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields(
        "id public_id organisation account is_submitted can_charge pays_out is_gone due due_by disabled_reason begun_at"
        " checked_at"
    )

    class Meta:
        verbose_name = _("Stripe account")
        verbose_name_plural = _("Stripe accounts")

    def __str__(self) -> str:
        return str(self.organisation)
