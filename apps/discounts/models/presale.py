"""Presale links: so many tickets for whoever has the link, with stock set aside for them or not.

The secret of a link is kept twice: as a keyed hash, by which a visitor's link is found, and encrypted, because whoever
made it must be able to copy or mail it again. A copy of the database opens nothing.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id, new_secret
from apps.accounts.keyring import EncryptedTextField, blind_index
from apps.accounts.privacy import EVENT, Personal, fields
from apps.discounts.models.memberships import MemberBody
from apps.events.models import Event
from apps.ticketing.models import Quota, TicketType

MOST_TICKETS = 1000
MOST_LINKS = 1000  # of one list


def index_of(secret: str) -> str:
    """The keyed hash by which a link is found."""
    return blind_index("presale", secret)


class PresaleBatch(models.Model):
    """Many links made at once from a list. The rows are made one after the other by a worker: `made_at` says when all
    were, and each row of the list that is not a link yet stands in `waiting`."""

    ORGANISATION_PATH = "event__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="presale_batches")
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )
    begun_at = models.DateTimeField(_("begun"))
    made_at = models.DateTimeField(_("done"), null=True)
    number = models.PositiveIntegerField(_("links"))
    waiting = models.JSONField(default=list)  # [[label, e-mail, tickets], ...]
    terms = models.JSONField(default=dict)  # what all its links have in common
    is_mailed = models.BooleanField(_("mailed"), default=True)
    problem = models.CharField(max_length=300, blank=True)  # why it stands still

    PERSONAL = {"waiting": Personal("to make and to mail a link for each row", EVENT)}
    NOT_PERSONAL = fields("id public_id event made_by begun_at made_at number terms is_mailed problem")

    class Meta:
        verbose_name = _("list of links")
        verbose_name_plural = _("lists of links")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.event}: {self.number}"


class PresaleLink(models.Model):
    """A link that is good for `size` tickets of some types, over as many orders as it takes.

    `used` counts tickets that are held or sold through it. Written by `discounts.presale` alone, which locks the quotas
    of the event first.
    """

    ORGANISATION_PATH = "event__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    event = models.ForeignKey(Event, verbose_name=_("event"), on_delete=models.PROTECT, related_name="presale_links")
    label = models.CharField(_("for whom"), max_length=80)
    email = models.EmailField(_("e-mail"), blank=True, help_text=_("Where the link is mailed. Anybody may use it."))
    secret = EncryptedTextField(default=new_secret, editable=False)
    secret_index = models.CharField(max_length=64, unique=True, editable=False)
    ticket_types = models.ManyToManyField(TicketType, verbose_name=_("tickets"), related_name="presale_links")
    size = models.PositiveSmallIntegerField(
        _("number of tickets"), validators=[MinValueValidator(1), MaxValueValidator(MOST_TICKETS)]
    )
    used = models.PositiveSmallIntegerField(default=0, editable=False)
    max_per_person = models.PositiveSmallIntegerField(
        _("most per person"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    opens_at = models.DateTimeField(_("good from"), null=True, blank=True)
    closes_at = models.DateTimeField(_("good until"), null=True, blank=True)
    sets_aside = models.BooleanField(
        _("places are set aside"),
        default=False,
        help_text=_("Nobody else can buy these places until the link ends; what is left then goes back by itself."),
    )
    admits_non_members = models.BooleanField(
        _("opens tickets for members to others too"),
        default=False,
        help_text=_(
            "Without this, whoever has the link sees a ticket for members and must be a member to buy it. With it, the"
            " link is enough."
        ),
    )
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), editable=False)
    locale = models.CharField(
        _("language of the mail"), max_length=2, choices=[("sv", "svenska"), ("en", "English")], default="sv"
    )
    mailed_at = models.DateTimeField(_("mailed"), null=True, editable=False)
    is_refused = models.BooleanField(default=False, editable=False)  # its mail, by the mail server
    edition = models.PositiveIntegerField(
        default=1, editable=False
    )  # of what an editor changes: a stale form is refused
    batch = models.ForeignKey(
        PresaleBatch, null=True, blank=True, on_delete=models.SET_NULL, related_name="links", editable=False
    )

    PERSONAL = {
        "label": Personal("to tell the organiser whose link it is", EVENT),
        "email": Personal("to mail the link", EVENT),
    }
    NOT_PERSONAL = fields(
        "id public_id event secret secret_index ticket_types size used max_per_person opens_at closes_at sets_aside"
        " admits_non_members revoked_at created_at locale mailed_at is_refused edition batch"
    )

    class Meta:
        verbose_name = _("presale link")
        verbose_name_plural = _("presale links")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(used__lte=F("size")), name="presale_link_not_overused"),
            models.CheckConstraint(
                condition=Q(opens_at=None) | Q(closes_at=None) | Q(closes_at__gt=F("opens_at")),
                name="presale_link_ends_after_it_begins",
            ),
            models.CheckConstraint(
                condition=Q(sets_aside=False) | Q(closes_at__isnull=False), name="presale_link_with_places_ends"
            ),
        ]

    def __str__(self) -> str:
        return self.label

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.secret_index = self.secret_index or index_of(self.secret)
        super().save(*args, **kwargs)

    @property
    def left(self) -> int:
        return max(0, self.size - self.used)


class PresaleStock(models.Model):
    """How many places of one quota are kept for one link now: a part of `Quota.set_aside`."""

    ORGANISATION_PATH = "link__event__organisation"

    link = models.ForeignKey(PresaleLink, on_delete=models.CASCADE, related_name="stock")
    quota = models.ForeignKey(Quota, on_delete=models.PROTECT, related_name="+")
    count = models.PositiveIntegerField(default=0)

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id link quota count")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["link", "quota"], name="presale_stock_once")]

    def __str__(self) -> str:
        return f"{self.link_id}: {self.count} of {self.quota_id}"


class Audience(models.Model):
    """A ticket type that is for members only is for the members of these bodies."""

    ORGANISATION_PATH = "body__organisation"

    ticket_type = models.ForeignKey(TicketType, on_delete=models.CASCADE, related_name="audiences")
    body = models.ForeignKey(
        MemberBody, verbose_name=_("member body"), on_delete=models.PROTECT, related_name="audiences"
    )

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id ticket_type body")

    class Meta:
        verbose_name = _("audience")
        verbose_name_plural = _("audiences")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["ticket_type", "body"], name="audience_once")]

    def __str__(self) -> str:
        return f"{self.ticket_type_id}: {self.body_id}"
