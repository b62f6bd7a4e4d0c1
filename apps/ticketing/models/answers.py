"""What guests answered: one row per ticket's line and question, readable only with the house's keys."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.keyring import EncryptedTextField
from apps.accounts.privacy import ANSWERS, Personal, fields
from apps.ticketing.models.catalogue import Question
from apps.ticketing.models.orders import OrderLine


class Answer(models.Model):
    """One answer of whoever holds the ticket of `line`. `value` is JSON, written and read by `answers` alone."""

    ORGANISATION_PATH = "line__order__organisation"

    line = models.ForeignKey(OrderLine, on_delete=models.CASCADE, related_name="answers")
    question = models.ForeignKey(Question, on_delete=models.PROTECT, related_name="answers", db_index=False)
    value = EncryptedTextField(_("answer"))
    answered_at = models.DateTimeField(_("answered"))

    PERSONAL = {"value": Personal("to serve the guest (may tell about diet, health or belief)", ANSWERS)}
    NOT_PERSONAL = fields("id line question answered_at")

    class Meta:
        verbose_name = _("answer")
        verbose_name_plural = _("answers")
        ordering = ["line_id", "id"]
        constraints = [models.UniqueConstraint(fields=["question", "line"], name="answer_once_per_ticket")]

    def __str__(self) -> str:
        return f"{self.line_id}: {self.question_id}"
