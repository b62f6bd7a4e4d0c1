"""What stands at the foot of every page: terms of purchase, privacy notice and accessibility statement.

What editors write (LegalText) is apart from what visitors were shown (LegalVersion): an order names the version that
its buyer accepted, and that version can be read for as long as the order is kept.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from wagtail.fields import RichTextField

from apps.accounts.ids import new_public_id
from apps.accounts.privacy import Personal, fields
from apps.events.models.facts import Organisation

FEATURES = ["h2", "h3", "bold", "italic", "ol", "ul", "link"]


class LegalKind(models.TextChoices):
    """The three texts. The value stands in addresses."""

    TERMS = "terms", _("Terms of purchase")
    PRIVACY = "privacy", _("Privacy")
    ACCESSIBILITY = "accessibility", _("Accessibility")


def _once(name: str, *names: str) -> list[models.BaseConstraint]:
    """`names` once for each organisation, and once for the house."""
    return [
        models.UniqueConstraint(fields=["organisation", *names], name=f"{name}_once"),
        models.UniqueConstraint(fields=names, condition=Q(organisation=None), name=f"{name}_once_in_the_house"),
    ]


class LegalText(models.Model):  # type: ignore[django-manager-missing]  # as Organisation
    """What an organisation has written itself, with placeholders for who it is; empty: what the house has. The house's
    own rows are of no organisation; empty: the start text that comes with Foyer."""

    ORGANISATION_PATH = "organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(
        Organisation,
        verbose_name=_("organisation"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="legal_texts",
    )
    kind = models.CharField(_("text"), max_length=13, choices=LegalKind, editable=False)
    text_sv = RichTextField(_("text in Swedish"), blank=True, features=FEATURES)
    text_en = RichTextField(_("text in English"), blank=True, features=FEATURES)

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id public_id organisation kind text_sv text_en")

    class Meta:
        verbose_name = _("legal text")
        verbose_name_plural = _("terms and notices")
        ordering = ["organisation__name", "-kind"]
        constraints = _once("legal_text", "kind")

    def __str__(self) -> str:
        return str(self.get_kind_display())


class LegalVersion(models.Model):
    """A text as visitors were shown it from `shown_from` on, complete. The database refuses to change or delete it."""

    ORGANISATION_PATH = "organisation"

    organisation = models.ForeignKey(
        Organisation, null=True, editable=False, on_delete=models.PROTECT, related_name="legal_versions"
    )
    kind = models.CharField(max_length=13, choices=LegalKind)
    number = models.PositiveIntegerField()
    text_sv = models.TextField(blank=True)
    text_en = models.TextField(blank=True)
    shown_from = models.DateTimeField(db_default=Now())

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id organisation kind number text_sv text_en shown_from")

    class Meta:
        verbose_name = _("version of a legal text")
        verbose_name_plural = _("versions of legal texts")
        ordering = ["-number"]
        constraints = _once("legal_version", "kind", "number")

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.number}"
