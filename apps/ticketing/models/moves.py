"""Events that move to another day or place, and what each buyer says to it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id
from apps.accounts.privacy import BOOKS, EVENT, Personal, fields
from apps.events.models import Event
from apps.events.translated import Translated
from apps.ticketing.models.orders import Order


class EventMove(models.Model):
    """That an event was moved: what it was (`was`, {field of the event: value before}), and until when buyers may have
    their money back for it. The newest of an event is the one in force; what it is now stands in the event."""

    ORGANISATION_PATH = "event__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    event = models.ForeignKey(Event, verbose_name=_("event"), on_delete=models.PROTECT, related_name="moves")
    was = models.JSONField(default=dict)
    answer_by = models.DateTimeField(_("answer by"))
    remind_at = models.DateTimeField()
    reminded_at = models.DateTimeField(null=True)
    say_sv = models.CharField(_("sentence in Swedish"), max_length=200, blank=True)
    say_en = models.CharField(_("sentence in English"), max_length=200, blank=True)
    announced_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    announced_at = models.DateTimeField(_("announced"))
    request_id = models.CharField(max_length=40, blank=True)

    say = Translated()

    PERSONAL = {"announced_by": Personal("to answer for what was done", BOOKS)}
    NOT_PERSONAL = fields(
        "id public_id event was answer_by remind_at reminded_at say_sv say_en announced_at request_id"
    )

    class Meta:
        verbose_name = _("move")
        verbose_name_plural = _("moves")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(answer_by__gt=F("announced_at")), name="event_move_leaves_time")
        ]

    def __str__(self) -> str:
        return f"{self.event}: {self.announced_at:%Y-%m-%d}"


class MoveAnswer(models.Model):
    """What a buyer said to a move: keep the tickets, or have the money back. No row: they said nothing, and keep."""

    ORGANISATION_PATH = "order__organisation"

    move = models.ForeignKey(EventMove, on_delete=models.CASCADE, related_name="answers", db_index=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="move_answers")
    keeps = models.BooleanField()
    at = models.DateTimeField()

    PERSONAL = {"keeps": Personal("to know who still comes", EVENT)}
    NOT_PERSONAL = fields("id move order at")

    class Meta:
        verbose_name = _("answer to a move")
        verbose_name_plural = _("answers to moves")
        constraints = [models.UniqueConstraint(fields=["move", "order"], name="move_answered_once")]

    def __str__(self) -> str:
        return f"{self.order_id}: {self.keeps}"
