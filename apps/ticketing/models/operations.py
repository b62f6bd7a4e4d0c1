"""The machine room: effects to be carried out, notices received, who moved what, and which processes are alive."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id
from apps.accounts.privacy import BOOKS, EVENT, Personal, fields
from apps.events.models import Event
from apps.ticketing.models.orders import Order
from apps.ticketing.states import EffectState


class Effect(models.Model):
    """The outbox: something to be done outside the database, written in the same transaction as its cause."""

    ORGANISATION_PATH = "order__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=120, unique=True)  # also the idempotency key towards the outside
    queue = models.CharField(max_length=12, default="default")
    order = models.ForeignKey(Order, null=True, blank=True, on_delete=models.PROTECT, related_name="effects")
    payload = models.JSONField(default=dict)
    state = models.CharField(max_length=7, choices=EffectState, default=EffectState.DUE)
    due_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True)
    request_id = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField()

    PERSONAL = {"payload": Personal("to carry the effect out (ids; an address where one is written to)", EVENT)}
    NOT_PERSONAL = fields(
        "id public_id kind key queue order state due_at leased_until tries last_error request_id created_at"
    )

    class Meta:
        verbose_name = _("effect")
        verbose_name_plural = _("effects")
        ordering = ["id"]
        indexes = [models.Index(fields=["due_at"], condition=Q(state__in=["due", "leased"]), name="effect_open")]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="leased") | Q(leased_until__isnull=False), name="effect_lease_has_an_end"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"


class ProviderEvent(models.Model):
    """The inbox: a notice from a payment provider, verified and stored once. The effect stored with it acts on it."""

    ORGANISATION_PATH = None  # may concern no order of ours

    provider = models.SlugField(max_length=20)
    event_id = models.CharField(max_length=120)
    kind = models.CharField(max_length=60)
    object_id = models.CharField(max_length=120)
    received_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True)
    payload = models.JSONField(default=dict)

    PERSONAL = {"payload": Personal("to settle what the provider told (may name the payer)", BOOKS)}
    NOT_PERSONAL = fields("id provider event_id kind object_id received_at processed_at")

    class Meta:
        verbose_name = _("provider notice")
        verbose_name_plural = _("provider notices")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["provider", "event_id"], name="provider_event_once")]
        indexes = [
            models.Index(fields=["received_at"], condition=Q(processed_at__isnull=True), name="provider_event_open")
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.kind}"


class AuditEntry(models.Model):
    """Who moved which row from which state to which, when and why. Written by `transitions` in the same transaction.

    Whoever has no account is told by `actor_name`: the volunteer at the door, as their gate pass calls them.
    """

    ORGANISATION_PATH = None  # found through the row it is about

    model = models.CharField(max_length=40)
    row_id = models.BigIntegerField()
    old = models.CharField(max_length=20)
    new = models.CharField(max_length=20)
    reason = models.CharField(max_length=200, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    actor_name = models.CharField(max_length=60, blank=True, default="", db_default="")
    request_id = models.CharField(max_length=40, blank=True)
    at = models.DateTimeField()

    PERSONAL = {
        "actor": Personal("to answer for what was done", BOOKS),
        "actor_name": Personal("to tell who let a guest in", EVENT),
    }
    NOT_PERSONAL = fields("id model row_id old new reason request_id at")

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["model", "row_id"], name="audit_row"),
            models.Index(fields=["actor"], condition=Q(actor__isnull=False), name="audit_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.row_id}: {self.old} -> {self.new}"


class SentMail(models.Model):
    """A mail that was handed over, or refused for good: the desk sees what was sent and can send it again.

    `provider_id` is its name at whoever took it, under which troubles are told; over SMTP that is its Message-ID.
    """

    ORGANISATION_PATH = "order__organisation"

    public_id = models.UUIDField(default=new_public_id, db_default=RandomUUID(), unique=True, editable=False)
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="mails")
    name = models.CharField(max_length=40)
    payload = models.JSONField(default=dict)  # ids: what the mail is about, to write it again
    to = models.EmailField()
    subject = models.CharField(max_length=200)
    message_id = models.CharField(max_length=200, blank=True)
    provider_id = models.CharField(max_length=200, blank=True, db_index=True)
    sent_at = models.DateTimeField()

    PERSONAL = {
        "to": Personal("to show where a mail went", EVENT),
        "subject": Personal("to show what was sent", EVENT),
    }
    NOT_PERSONAL = fields("id public_id order name payload message_id provider_id sent_at")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["message_id"], condition=~Q(message_id=""), name="sent_mail_noted_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.to}"


class MailTrouble(models.Model):
    """Word that a mail did not arrive or was not wanted, kept once per `event_id` however often it is told.

    It may come before the mail itself is noted, so it holds the mail's name at its provider and no row of ours.
    """

    ORGANISATION_PATH = None  # found through the mail it is about

    class Kind(models.TextChoices):
        BOUNCED = "bounced", _("came back")
        COMPLAINED = "complained", _("marked as spam")
        FAILED = "failed", _("refused")

    event_id = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=10, choices=Kind)
    provider_id = models.CharField(max_length=200, db_index=True)
    address_key = models.CharField(max_length=64, db_index=True)
    detail = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField()

    PERSONAL = {
        "address_key": Personal("to know an address that wants no reminders (a keyed hash)", EVENT),
        "detail": Personal("to say why a mail did not arrive", EVENT),
    }
    NOT_PERSONAL = fields("id event_id kind provider_id at")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.provider_id}"


class QueuePace(models.Model):
    """How many orders the queue of one event has decided, so that nobody has to count them.

    Written by the queue in the batch that decides, under the event's advisory lock. `marks` are [second, decided until
    then] of the last seconds, from which the present rate follows.
    """

    ORGANISATION_PATH = "event__organisation"

    event = models.OneToOneField(Event, primary_key=True, on_delete=models.CASCADE, related_name="+")
    decided = models.PositiveBigIntegerField(default=0)
    marks = models.JSONField(default=list)

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("event decided marks")

    def __str__(self) -> str:
        return f"{self.event_id}: {self.decided}"


class Heartbeat(models.Model):
    """The last sign of life of one process: worker, cron or live."""

    ORGANISATION_PATH = None

    name = models.CharField(max_length=80, primary_key=True)
    role = models.CharField(max_length=20)
    beat_at = models.DateTimeField()

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("name role beat_at")

    def __str__(self) -> str:
        return self.name
