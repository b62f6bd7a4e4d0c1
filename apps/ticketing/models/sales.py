"""What was done to a whole sale: paused, resumed, moved or ended, by whom, when and with which words."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id
from apps.accounts.privacy import BOOKS, Personal, fields
from apps.events.models import Event
from apps.events.translated import Translated


class SaleChange(models.Model):
    """One change of a sale, kept for good: the audit, and what holds now. Written by `sale_control` alone.

    `number` counts an event's changes from 1; the one without `until` is in force, and at most one is. `opens_at`
    belongs to a move: until then nothing is sold. An event without any change sells as its ticket types say.
    """

    ORGANISATION_PATH = "event__organisation"

    class Kind(models.TextChoices):
        PAUSED = "paused", _("paused")
        MOVED = "moved", _("moved")
        RESUMED = "resumed", _("resumed")
        ENDED = "ended", _("ended")

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    event = models.ForeignKey(Event, verbose_name=_("event"), on_delete=models.PROTECT, related_name="sale_changes")
    number = models.PositiveIntegerField(editable=False)
    kind = models.CharField(max_length=7, choices=Kind, editable=False)
    at = models.DateTimeField(editable=False)
    until = models.DateTimeField(null=True, editable=False)
    opens_at = models.DateTimeField(_("opens"), null=True, blank=True)
    say_sv = models.CharField(_("sentence in Swedish"), max_length=200, blank=True)
    say_en = models.CharField(_("sentence in English"), max_length=200, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )  # none: an operator at the command line, or the clock
    request_id = models.CharField(max_length=40, blank=True, editable=False)

    say = Translated()

    PERSONAL = {"actor": Personal("to answer for what was done", BOOKS)}
    NOT_PERSONAL = fields("id public_id event number kind at until opens_at say_sv say_en request_id")

    class Meta:
        verbose_name = _("change of the sale")
        verbose_name_plural = _("changes of the sale")
        ordering = ["event_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["event", "number"], name="sale_change_numbered_once"),
            models.UniqueConstraint(fields=["event"], condition=Q(until__isnull=True), name="sale_change_one_in_force"),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gte=F("at")), name="sale_change_ends_after_it_began"
            ),
            models.CheckConstraint(
                condition=Q(kind="moved", opens_at__isnull=False, opens_at__gt=F("at"))
                | Q(~Q(kind="moved"), opens_at__isnull=True),
                name="sale_change_move_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event}: {self.get_kind_display()}"
