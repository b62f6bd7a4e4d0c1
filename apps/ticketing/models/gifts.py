"""A ticket given to somebody else: whom it is offered to, what became of it, and an event's rule for it."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id, new_secret
from apps.accounts.privacy import BOOKS, EVENT, Personal, fields
from apps.events.models import Event
from apps.ticketing.models.tickets import Ticket
from apps.ticketing.states import GiftState

LONGEST_HOURS = 24 * 90


class GivingRule(models.Model):
    """How an event's tickets may be given away: a changed rule is a new row, and the newest holds.

    An event without any: until doors open, and whoever may have to pay more shows a proof at the door. A type of ticket
    may be kept from it altogether (`TicketType.is_transferable`). Read by `giving`.
    """

    ORGANISATION_PATH = "event__organisation"

    class WhenDearer(models.TextChoices):
        FLAG = "flag", _("May have it, and the door asks for a proof of membership")
        PAY = "pay", _("May have it, and pays the difference")
        REFUSE = "refuse", _("Cannot have it")

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    event = models.ForeignKey(Event, verbose_name=_("event"), on_delete=models.CASCADE, related_name="giving_rules")
    at = models.DateTimeField(editable=False)
    hours_before_doors = models.PositiveSmallIntegerField(
        _("hours before doors open at which it ends"),
        default=0,
        validators=[MaxValueValidator(LONGEST_HOURS)],
        help_text=_("0: when doors open. It moves along when the event is moved."),
    )
    when_dearer = models.CharField(
        _("somebody for whom the ticket would cost more"),
        max_length=6,
        choices=WhenDearer,
        default=WhenDearer.FLAG,
        help_text=_("Such as somebody who is no member, for a ticket bought at the members' price."),
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )

    PERSONAL = {"actor": Personal("to answer for what was promised", BOOKS)}
    NOT_PERSONAL = fields("id public_id event at hours_before_doors when_dearer")

    class Meta:
        verbose_name = _("rule for giving tickets away")
        verbose_name_plural = _("rules for giving tickets away")
        ordering = ["event_id", "id"]

    def __str__(self) -> str:
        return str(self.event)


class Gift(models.Model):
    """One ticket offered to one person. Whoever has its link (`secret`) is that person; an account is not needed.

    While it is pending the ticket is the giver's as before. `became` is the recipient's ticket once they have accepted:
    the gifts of a place's tickets are the history of who owned it. `asks_proof`: it would have cost them more.
    """

    ORGANISATION_PATH = "ticket__event__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    secret = models.CharField(max_length=64, unique=True, default=new_secret)
    ticket = models.ForeignKey(Ticket, on_delete=models.PROTECT, related_name="gifts")
    became = models.OneToOneField(
        Ticket, null=True, blank=True, on_delete=models.PROTECT, related_name="came_by", verbose_name=_("new ticket")
    )
    to_name = models.CharField(_("to"), max_length=120)
    to_email = models.EmailField(_("recipient's e-mail"))
    note = models.CharField(_("a few words"), max_length=300, blank=True)
    until = models.DateTimeField(_("open until"))
    asks_proof = models.BooleanField(_("proof of membership"), default=False)
    state = models.CharField(max_length=9, choices=GiftState, default=GiftState.PENDING)
    reason = models.CharField(max_length=40, blank=True)
    given_at = models.DateTimeField(_("offered"))
    answered_at = models.DateTimeField(_("answered"), null=True)

    PERSONAL = {
        "to_name": Personal("to tell whose ticket it is to be", EVENT),
        "to_email": Personal("to deliver the ticket", EVENT),
        "note": Personal("to tell the recipient what the giver wrote", EVENT),
    }
    NOT_PERSONAL = fields("id public_id secret ticket became until asks_proof state reason given_at answered_at")

    class Meta:
        verbose_name = _("ticket given away")
        verbose_name_plural = _("tickets given away")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["ticket"], condition=Q(state="pending"), name="gift_one_pending"),
            models.CheckConstraint(
                condition=Q(state="accepted", became__isnull=False) | ~Q(state="accepted") & Q(became__isnull=True),
                name="gift_accepted_became_a_ticket",
            ),
        ]
        indexes = [
            models.Index(fields=["until"], condition=Q(state="pending"), name="gift_pending"),
            models.Index(Lower("to_email"), name="gift_to"),
        ]

    def __str__(self) -> str:
        return str(self.public_id)
