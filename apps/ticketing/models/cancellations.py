"""The cancelling of whole events: proposed by one person, confirmed by another."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id
from apps.accounts.privacy import BOOKS, Personal, fields
from apps.events.models import Event
from apps.events.translated import Translated
from apps.ticketing.states import CancellationState


class Cancellation(models.Model):
    """A proposal to cancel an event, and from its confirmation on how far paying back has come.

    Written by `cancellations` alone. `short_minor` is what lacks at `short_provider`, as it said at `looked_at`, or
    0 where that provider did not say; how many orders are paid back is counted from the orders.
    """

    ORGANISATION_PATH = "event__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    event = models.ForeignKey(Event, verbose_name=_("event"), on_delete=models.PROTECT, related_name="cancellations")
    state = models.CharField(max_length=9, choices=CancellationState, default=CancellationState.PROPOSED)
    say_sv = models.CharField(_("sentence in Swedish"), max_length=200, blank=True)
    say_en = models.CharField(_("sentence in English"), max_length=200, blank=True)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    proposed_at = models.DateTimeField(_("proposed"))
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    confirmed_at = models.DateTimeField(_("confirmed"), null=True)
    over_at = models.DateTimeField(_("over"), null=True)  # withdrawn, or the last order paid back
    looked_at = models.DateTimeField(null=True)
    short_provider = models.SlugField(max_length=20, blank=True, db_index=False)
    short_minor = models.PositiveBigIntegerField(default=0)
    request_id = models.CharField(max_length=40, blank=True)

    say = Translated()

    PERSONAL = {
        "proposed_by": Personal("to answer for what was done", BOOKS),
        "confirmed_by": Personal("to answer for what was done", BOOKS),
    }
    NOT_PERSONAL = fields(
        "id public_id event state say_sv say_en proposed_at confirmed_at over_at looked_at short_provider short_minor"
        " request_id"
    )

    class Meta:
        verbose_name = _("cancellation")
        verbose_name_plural = _("cancellations")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["event"], condition=~Q(state="withdrawn"), name="cancellation_one_per_event"
            ),
            # Unknown, and so allowed, once one of the two has been erased.
            models.CheckConstraint(condition=~Q(confirmed_by=F("proposed_by")), name="cancellation_takes_two"),
            models.CheckConstraint(
                condition=Q(state__in=["proposed", "withdrawn"], confirmed_at__isnull=True)
                | Q(state__in=["running", "done"], confirmed_at__isnull=False),
                name="cancellation_confirmed_before_it_runs",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event}: {self.get_state_display()}"
