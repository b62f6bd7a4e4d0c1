"""The right to enter: one ticket per place, and the keys that sign the codes people carry."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id, new_secret, new_short_code
from apps.accounts.keyring import EncryptedTextField
from apps.accounts.privacy import EVENT, Personal, fields
from apps.events.models import Event
from apps.ticketing.models.catalogue import TicketType
from apps.ticketing.models.orders import OrderLine
from apps.ticketing.states import TicketState


class Ticket(models.Model):
    """One place at one event. The holder need not be the payer. A resold ticket is a new row; the old one is
    `superseded`, and a line has at most one ticket that is neither superseded nor revoked."""

    ORGANISATION_PATH = "event__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="tickets")
    ticket_type = models.ForeignKey(TicketType, on_delete=models.PROTECT, related_name="tickets")
    line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="tickets")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="tickets"
    )
    holder_name = models.CharField(_("holder"), max_length=120, blank=True)
    holder_email = models.EmailField(_("holder's e-mail"))
    secret = models.CharField(max_length=64, unique=True, default=new_secret)
    short_code = models.CharField(_("short code"), max_length=6, default=new_short_code)
    credential_version = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=10, choices=TicketState, default=TicketState.VALID)
    issued_at = models.DateTimeField(_("issued"))
    # A lower price was given that its buyer may have no right to: the door asks for a proof of membership.
    check_membership = models.BooleanField(_("check membership"), default=False, db_default=False)

    PERSONAL = {
        "owner": Personal("to show the ticket on My pages", EVENT),
        "holder_name": Personal("to greet and to check the guest", EVENT),
        "holder_email": Personal("to deliver the ticket", EVENT),
    }
    NOT_PERSONAL = fields(
        "id public_id event ticket_type line secret short_code credential_version state issued_at check_membership"
    )

    class Meta:
        verbose_name = _("ticket")
        verbose_name_plural = _("tickets")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["event", "short_code"], name="ticket_short_code_once"),
            models.UniqueConstraint(
                fields=["line"], condition=~Q(state__in=["superseded", "revoked"]), name="ticket_one_live_per_line"
            ),
        ]

    def __str__(self) -> str:
        return self.short_code

    @property
    def is_payers(self) -> bool:
        """Whether its holder is whoever paid for it, to whom money goes back. Its line and order are fetched."""
        return bool(self.holder_email) and self.holder_email.lower() == self.line.order.email.lower()


class SigningKey(models.Model):
    """An Ed25519 key that signs ticket codes. Several may verify; the newest that is not retired signs."""

    ORGANISATION_PATH = None  # the house's keys

    key_id = models.PositiveSmallIntegerField(unique=True)
    private_key = EncryptedTextField()
    public_key = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id key_id private_key public_key created_at retired_at")

    class Meta:
        ordering = ["-key_id"]
        constraints = [models.CheckConstraint(condition=Q(key_id__lte=255), name="signing_key_id_fits_a_byte")]

    def __str__(self) -> str:
        return str(self.key_id)
