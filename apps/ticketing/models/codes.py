"""A code by e-mail: that somebody reads an address, asked when an event challenges its guests."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id
from apps.accounts.privacy import Personal, fields
from apps.events.models import Event

KEEP = "1 day"


class AddressCode(models.Model):
    """One code sent to one address for one form. The digits themselves are derived from `public_id`; see `codes`."""

    ORGANISATION_PATH = "event__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="+")
    idempotency_key = models.CharField(max_length=64, db_index=True)
    email = models.EmailField(_("e-mail"))
    email_key = models.CharField(max_length=64)
    locale = models.CharField(max_length=5, default="sv")
    tries = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    PERSONAL = {
        "email": Personal("to send the code there", KEEP),
        "email_key": Personal("to count the codes an address is sent (a keyed hash)", KEEP),
        "locale": Personal("to write in the buyer's language", KEEP),
    }
    NOT_PERSONAL = fields("id public_id event idempotency_key tries sent_at expires_at")

    class Meta:
        verbose_name = _("code by e-mail")
        verbose_name_plural = _("codes by e-mail")
        ordering = ["id"]
        indexes = [models.Index(fields=["email_key", "sent_at"], name="address_code_lately")]

    def __str__(self) -> str:
        return str(self.public_id)
