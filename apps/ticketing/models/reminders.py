"""Somebody who wants to hear of an opening before it comes."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id, new_secret
from apps.accounts.privacy import Personal, fields
from apps.events.models import Event

KEPT = "until the mail is sent; what tells it apart a day after the sale has opened"


class Reminder(models.Model):
    """One mail to one address before the sale of one event opens. Whoever asks twice is written to once.

    The address is emptied when the mail is sent; `address_key` stays until the day after the opening, so that the same
    wish is not met twice. `asked_for` is the opening for which the mail stands in the outbox. See `reminders`.
    """

    ORGANISATION_PATH = "event__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    secret = models.CharField(max_length=64, unique=True, default=new_secret)
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="reminders")
    email = models.EmailField(_("e-mail"), blank=True)
    address_key = models.CharField(max_length=64)
    locale = models.CharField(max_length=5, default="sv")
    asked_for = models.DateTimeField(null=True, editable=False)
    sent_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField()

    PERSONAL = {
        "email": Personal("to write once before the sale opens, by the person's own wish", KEPT),
        "address_key": Personal("to write only once (a keyed hash)", KEPT),
        "locale": Personal("to write in the person's language", KEPT),
    }
    NOT_PERSONAL = fields("id public_id secret event asked_for sent_at created_at")

    class Meta:
        verbose_name = _("reminder")
        verbose_name_plural = _("reminders")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["event", "address_key"], name="reminder_once_per_address"),
            models.CheckConstraint(
                condition=Q(sent_at__isnull=True) | Q(email=""), name="reminder_forgets_the_address_when_sent"
            ),
        ]
        indexes = [models.Index(fields=["event"], condition=Q(sent_at__isnull=True), name="reminder_open")]

    def __str__(self) -> str:
        return f"{self.event}"
