"""Who is a member of what, as the sources last said. Only the verdict is stored, never what a source told besides."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id
from apps.accounts.privacy import ACCOUNT, Personal, fields
from apps.discounts.extensions import Verdict
from apps.events.models import Organisation
from apps.events.translated import Translated


class MemberBody(models.Model):
    """Those whom an organisation counts as members of something: a union, a section, its functionaries.

    `source` is the slug of a MembershipSource, `source_key` what it is asked for there (a union's short name, an e-mail
    domain, a claim, a list).
    """

    ORGANISATION_PATH = "organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(
        Organisation, verbose_name=_("organisation"), on_delete=models.PROTECT, related_name="member_bodies"
    )
    name_sv = models.CharField(_("name in Swedish"), max_length=80, blank=True)
    name_en = models.CharField(_("name in English"), max_length=80, blank=True)
    source = models.SlugField(_("who knows its members"), max_length=40)
    source_key = models.CharField(_("what is asked for"), max_length=200)

    name = Translated()

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id public_id organisation name_sv name_en source source_key")

    class Meta:
        verbose_name = _("member body")
        verbose_name_plural = _("member bodies")
        ordering = ["id"]
        constraints = [models.CheckConstraint(condition=~Q(name_sv="", name_en=""), name="memberbody_has_a_name")]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """What a body's source last said of one person, and until when that counts. No row: it was never asked."""

    ORGANISATION_PATH = "body__organisation"

    body = models.ForeignKey(MemberBody, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    verdict = models.CharField(_("verdict"), max_length=8, choices=Verdict)
    told_at = models.DateTimeField(_("told"))
    good_until = models.DateTimeField(_("counts until"))

    PERSONAL = {
        "body": Personal("to sell at members' prices", ACCOUNT),
        "user": Personal("to sell at members' prices", ACCOUNT),
        "verdict": Personal("to sell at members' prices", ACCOUNT),
        "told_at": Personal("to ask again in time", ACCOUNT),
        "good_until": Personal("to ask again in time", ACCOUNT),
    }
    NOT_PERSONAL = fields("id")

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["body", "user"], name="membership_once_per_body")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.body_id} {self.verdict}"


class MemberList(models.Model):
    """The list of members that was uploaded for a body, and how fresh it is. Who stands on it: ListedMember."""

    ORGANISATION_PATH = "body__organisation"

    body = models.OneToOneField(MemberBody, on_delete=models.CASCADE, related_name="member_list")
    size = models.PositiveIntegerField(_("members"))
    uploaded_at = models.DateTimeField(_("uploaded"))
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    PERSONAL = {"uploaded_by": Personal("to tell colleagues who uploaded a list", ACCOUNT)}
    NOT_PERSONAL = fields("id body size uploaded_at")

    class Meta:
        verbose_name = _("member list")
        verbose_name_plural = _("member lists")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.body_id}: {self.size}"


class ListedMember(models.Model):
    """One member on a body's list: a keyed hash of their address or LiU ID, of which nothing can be read."""

    ORGANISATION_PATH = "body__organisation"

    body = models.ForeignKey(MemberBody, on_delete=models.CASCADE, related_name="listed", db_index=False)
    mark = models.CharField(max_length=64)

    PERSONAL = {"mark": Personal("to sell at members' prices (a keyed hash)", "until the next list or the body's end")}
    NOT_PERSONAL = fields("id body")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["body", "mark"], name="listed_once")]

    def __str__(self) -> str:
        return self.mark[:8]


class MemberListDraft(models.Model):
    """A list that was read and shown, and counts once it is confirmed. It too holds nothing but keyed hashes."""

    ORGANISATION_PATH = "body__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    body = models.ForeignKey(MemberBody, on_delete=models.CASCADE, related_name="list_drafts")
    size = models.PositiveIntegerField(_("members"))
    marks = models.JSONField(default=list)
    bad = models.JSONField(default=list)  # [[line, why], ...] of rows that count for nobody
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    made_at = models.DateTimeField()

    PERSONAL = {
        "marks": Personal("to sell at members' prices (keyed hashes)", "until it is confirmed or the next one is read"),
        "made_by": Personal("to tell colleagues who read a list", ACCOUNT),
    }
    NOT_PERSONAL = fields("id public_id body size bad made_at")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.body_id}: {self.size}"
