"""What the door writes down: the lists it keeps, the passes that open it, and every scan, for good.

A scan is never changed and never deleted by the door: an undo is a scan of its own that names the one it takes back.
The database refuses an update of anything but what tells about a volunteer: `by` empties when that person's account is
erased, `note` when the event's data is. The name on a gate pass stands on the pass, and in ticketing's audit of the
tickets its holder moved; nowhere else is it to be emptied.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id
from apps.accounts.privacy import EVENT, Personal, fields
from apps.events.models import Event
from apps.events.translated import Translated
from apps.ticketing.models import Ticket


class CheckinList(models.Model):
    """One thing that is ticked off at an event: the entrance, which `admits`, or a hand-out, which does not."""

    ORGANISATION_PATH = "event__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    event = models.ForeignKey(Event, verbose_name=_("event"), on_delete=models.PROTECT, related_name="checkin_lists")
    name_sv = models.CharField(_("name in Swedish"), max_length=80, blank=True)
    name_en = models.CharField(_("name in English"), max_length=80, blank=True)
    admits = models.BooleanField(_("lets people in"), default=True)

    name = Translated()

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id public_id event name_sv name_en admits")

    class Meta:
        verbose_name = _("check-in list")
        verbose_name_plural = _("check-in lists")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=~Q(name_sv="", name_en=""), name="checkinlist_has_a_name"),
            models.UniqueConstraint(fields=["event", "admits", "name_sv", "name_en"], name="checkinlist_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class GatePass(models.Model):
    """Opens the door of one event on a volunteer's own phone, until it expires or is revoked; grants nothing else.

    Of the secret in its link only the SHA-256 is kept: it has 192 random bits, so that nothing slower is needed.
    """

    ORGANISATION_PATH = "event__organisation"

    class State(StrEnum):
        ACTIVE = "active"
        EXPIRED = "expired"
        REVOKED = "revoked"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    event = models.ForeignKey(Event, verbose_name=_("event"), on_delete=models.CASCADE, related_name="gate_passes")
    holder_name = models.CharField(
        _("name"), max_length=60, help_text=_("As colleagues call them: they see it when a ticket comes twice.")
    )
    gate = models.CharField(_("entrance"), max_length=40, blank=True)
    may_let_in_anyway = models.BooleanField(
        _("may let in a guest who is said to be inside already"),
        default=False,
        help_text=_("Such an entry needs a reason and stays on record."),
    )
    secret_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(_("valid until"))
    revoked_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)
    phones = models.PositiveSmallIntegerField(default=0)  # on which it was opened; one is meant
    last_used_at = models.DateTimeField(null=True)  # to the minute: a scan must not wait for this row

    PERSONAL = {
        "holder_name": Personal("to tell colleagues who let a guest in", EVENT),
        "created_by": Personal("to tell who gave the pass away", EVENT),
    }
    NOT_PERSONAL = fields(
        "id public_id event gate may_let_in_anyway secret_hash created_at expires_at revoked_at opened_at phones"
        " last_used_at"
    )

    class Meta:
        verbose_name = _("gate pass")
        verbose_name_plural = _("gate passes")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.holder_name

    def state_at(self, moment: datetime) -> State:
        """Whether it opens the door at `moment`, and why not."""
        if self.revoked_at is not None:
            return self.State.REVOKED
        return self.State.ACTIVE if moment < self.expires_at else self.State.EXPIRED


class Scan(models.Model):
    """One answer the door gave, to a member of staff (`by`) or the holder of a pass (`gate_pass`). `public_id` comes
    from the phone, so that a scan sent twice is one scan.

    `reason` is why the door said no, why an admission was undone, or why a guest was let in anyway; `overrode` then
    names the refusal. Such an entry moves no ticket: the guest's first entry stands.
    """

    ORGANISATION_PATH = "checkin_list__event__organisation"

    class Outcome(models.TextChoices):
        ADMITTED = "admitted", _("let in")
        LOOK = "look", _("to be looked at")
        ALREADY_IN = "already_in", _("already in")
        NOT_VALID = "not_valid", _("not valid")
        UNKNOWN = "unknown", _("unknown code")
        UNDONE = "undone", _("undone")

    public_id = models.UUIDField(default=new_public_id, unique=True)
    checkin_list = models.ForeignKey(CheckinList, on_delete=models.PROTECT, related_name="scans")
    ticket = models.ForeignKey(Ticket, null=True, on_delete=models.PROTECT, related_name="scans")
    at = models.DateTimeField()
    gate = models.CharField(_("entrance"), max_length=40, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    gate_pass = models.ForeignKey(GatePass, null=True, on_delete=models.PROTECT, related_name="scans")
    outcome = models.CharField(max_length=10, choices=Outcome)
    reason = models.CharField(max_length=40, blank=True)
    note = models.CharField(max_length=200, blank=True)
    overrode = models.CharField(max_length=40, blank=True)
    undo_of = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="undone_by")

    PERSONAL = {
        "by": Personal("to tell who let a guest in", EVENT),
        "note": Personal("to tell in a volunteer's words why an answer of the door was overruled", EVENT),
    }
    NOT_PERSONAL = fields("id public_id checkin_list ticket at gate gate_pass outcome reason overrode undo_of")

    class Meta:
        verbose_name = _("scan")
        verbose_name_plural = _("scans")
        ordering = ["id"]
        indexes = [models.Index(fields=["checkin_list", "-id"], name="scan_log")]
        constraints = [
            models.CheckConstraint(
                condition=Q(ticket__isnull=False) | Q(outcome__in=["unknown", "not_valid"]), name="scan_has_a_ticket"
            ),
            models.CheckConstraint(
                condition=Q(outcome="undone", undo_of__isnull=False) | (~Q(outcome="undone") & Q(undo_of__isnull=True)),
                name="scan_undoes_one",
            ),
            models.CheckConstraint(condition=Q(by__isnull=True) | Q(gate_pass__isnull=True), name="scan_by_one"),
            models.CheckConstraint(condition=Q(overrode="") | Q(outcome="admitted"), name="scan_overrules_by_entry"),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} {self.public_id}"
