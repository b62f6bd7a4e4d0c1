"""The facts: who arranges, what happens, when and where. Prices and stock hang on these, never on a page.

`ORGANISATION_PATH` is each model's one declared way to its Organisation; every wall between associations is built on
it (see `tenancy`).
"""

from __future__ import annotations

import zoneinfo
from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id
from apps.accounts.privacy import Personal, fields
from apps.events.translated import Translated

THEMES_DEFAULT = "default"


def validate_time_zone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise ValidationError(
            _("“%(name)s” is not a time zone. Write it as in Europe/Stockholm."), params={"name": name}
        )


class Organisation(models.Model):  # type: ignore[django-manager-missing]  # Wagtail makes its pages' manager at run time
    """A student association: the party a buyer's contract is with, and the wall around its people and data."""

    ORGANISATION_PATH = "pk"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=80, unique=True)
    slug = models.SlugField(_("short name in addresses"), max_length=60, unique=True)
    legal_name = models.CharField(_("legal name"), max_length=120, blank=True)
    organisation_number = models.CharField(_("organisation number"), max_length=20, blank=True)
    address = models.TextField(_("postal address"), blank=True)
    email = models.EmailField(_("e-mail to buyers"), blank=True)
    vat_number = models.CharField(_("VAT number"), max_length=20, blank=True)
    is_outside_vat = models.BooleanField(
        _("pays no VAT"),
        default=False,
        db_default=False,
        help_text=_("For an association that is not registered for VAT: buyers are shown none, and none is booked."),
    )
    theme = models.SlugField(_("theme"), max_length=40, default=THEMES_DEFAULT)
    accent_colour = models.CharField(
        _("accent colour"),
        max_length=7,
        blank=True,
        validators=[RegexValidator(r"^#[0-9A-Fa-f]{6}$", _("Write the colour as # and six digits, such as #A5124B."))],
    )
    root_page = models.OneToOneField(
        "wagtailcore.Page", verbose_name=_("page"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    collection = models.OneToOneField(
        "wagtailcore.Collection", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    editors = models.OneToOneField(Group, null=True, editable=False, on_delete=models.PROTECT, related_name="edits")
    treasurers = models.OneToOneField(
        Group, null=True, editable=False, on_delete=models.PROTECT, related_name="keeps_books"
    )
    door = models.OneToOneField(Group, null=True, editable=False, on_delete=models.PROTECT, related_name="guards")

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields(
        "id public_id name slug legal_name organisation_number address email vat_number is_outside_vat theme"
        " accent_colour root_page collection editors treasurers door"
    )

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def seller_name(self) -> str:
        """The name under which the contract is made."""
        return self.legal_name or self.name


class Event(models.Model):  # type: ignore[django-manager-missing]  # Wagtail makes its pages' manager at run time
    """One evening, concert or conference: the fact. How it is told is an EventPage; what is sold are ticket types."""

    ORGANISATION_PATH = "organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(
        Organisation, verbose_name=_("organisation"), on_delete=models.PROTECT, related_name="events"
    )
    title_sv = models.CharField(_("title in Swedish"), max_length=120, blank=True)
    title_en = models.CharField(_("title in English"), max_length=120, blank=True)
    starts_at = models.DateTimeField(_("starts"))
    ends_at = models.DateTimeField(_("ends"))
    doors_at = models.DateTimeField(_("doors open"), null=True, blank=True)
    time_zone = models.CharField(
        _("time zone"), max_length=64, default="Europe/Stockholm", validators=[validate_time_zone]
    )
    venue = models.CharField(_("venue"), max_length=120, blank=True)
    venue_address = models.CharField(_("address of the venue"), max_length=200, blank=True)
    currency = models.CharField(_("currency"), max_length=3, default="SEK", choices=[("SEK", "SEK"), ("EUR", "EUR")])
    sign_in_required = models.BooleanField(
        _("buyers must sign in"),
        default=False,
        help_text=_("Only this makes limits per person hard: a guest may hold several e-mail addresses."),
    )
    challenges_guests = models.BooleanField(
        _("guests show that they are no robots"),
        default=False,
        db_default=False,
        help_text=_(
            "Each guest's browser does a calculation by itself: a third of a second on a laptop, some seconds on an "
            "old phone; else they sign in or get a code by e-mail. It makes it dear to fill the queue by machine. It "
            "does not stop somebody who takes the trouble, and asks nothing of whoever is signed in."
        ),
    )
    max_per_person = models.PositiveSmallIntegerField(
        _("most tickets per person"),
        null=True,
        blank=True,
        help_text=_(
            "Counted by account, and for guests by e-mail address, to which alone their tickets are sent. Whoever has "
            "several addresses gets round it, unless buyers must sign in."
        ),
    )
    one_file_per_ticket = models.BooleanField(
        _("each ticket is a PDF of its own"),
        default=False,
        db_default=False,
        help_text=_("Otherwise all tickets of an order come in one file, one on each page."),
    )

    # Written by whoever cancels or moves the event (ticketing.cancellations, ticketing.moves), never by a form.
    cancelled_at = models.DateTimeField(_("cancelled"), null=True, editable=False)
    moved_at = models.DateTimeField(_("moved"), null=True, editable=False)
    moved_from = models.DateTimeField(_("moved from"), null=True, editable=False)  # when it was to start before

    changed_at = models.DateTimeField(auto_now=True, db_default=Now())  # told to calendars and search engines

    title = Translated()

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields(
        "id public_id organisation title_sv title_en starts_at ends_at doors_at time_zone venue venue_address currency"
        " sign_in_required challenges_guests max_per_person one_file_per_ticket cancelled_at moved_at"
        " moved_from changed_at"
    )

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["starts_at", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="event_ends_after_it_starts"),
            models.CheckConstraint(condition=~Q(title_sv="", title_en=""), name="event_has_a_title"),
        ]

    def __str__(self) -> str:
        return self.title

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A form that was read before the event was cancelled or moved leaves that as it is."""
        if not self._state.adding and not args and kwargs.get("update_fields") is None:
            kwargs["update_fields"] = [
                field.name
                for field in self._meta.concrete_fields
                if field.name not in ("id", "cancelled_at", "moved_at", "moved_from")
            ]
        super().save(*args, **kwargs)

    def clean(self) -> None:
        if not self.title_sv and not self.title_en:
            raise ValidationError({"title_sv": _("Give the event a title in at least one language.")})
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValidationError({"ends_at": _("The event must end after it starts.")})

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone)
