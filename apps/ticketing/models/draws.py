"""A draw: everybody who enters before it closes is ranked at random, and anybody can check how."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id
from apps.accounts.keyring import EncryptedTextField
from apps.accounts.privacy import Personal, fields
from apps.events.models import Event


class Draw(models.Model):
    """How an event ranks its buyers. `seed_hash` is shown from the beginning; `seed` only once it was drawn.

    Orders placed while it is not drawn carry it and have no rank, so that the queue passes them by; see `draws`.
    """

    ORGANISATION_PATH = "event__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    event = models.OneToOneField(Event, verbose_name=_("event"), on_delete=models.PROTECT, related_name="draw")
    closes_at = models.DateTimeField(
        _("entries until"), help_text=_("Everybody who has chosen tickets by then is ranked at random.")
    )
    seed = EncryptedTextField(editable=False)
    seed_hash = models.CharField(max_length=64, editable=False)
    drawn_at = models.DateTimeField(null=True, editable=False)
    entries = models.PositiveIntegerField(null=True, editable=False)

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id public_id event closes_at seed seed_hash drawn_at entries")

    class Meta:
        verbose_name = _("draw")
        verbose_name_plural = _("draws")
        constraints = [
            models.CheckConstraint(
                condition=Q(drawn_at__isnull=True, entries__isnull=True)
                | Q(drawn_at__isnull=False, entries__isnull=False),
                name="draw_is_counted_when_drawn",
            )
        ]

    def __str__(self) -> str:
        return str(self.event)
