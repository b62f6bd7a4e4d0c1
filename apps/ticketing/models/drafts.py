"""An event that is being written in the wizard: nothing of it exists yet but what was typed."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id
from apps.accounts.privacy import Personal, fields
from apps.events.models import Event, Organisation


class EventDraft(models.Model):
    """What was typed, as it was typed, right or wrong; any editor of the organisation may go on with it.

    `typed` is {"facts": {field: text}, "<template>": {"tickets": …, "page": …}}: going back to another template loses
    nothing. Once the event is made, the row keeps only which one, so that a second click finds it.
    """

    ORGANISATION_PATH = "organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(
        Organisation, verbose_name=_("organisation"), on_delete=models.CASCADE, related_name="event_drafts"
    )
    template = models.CharField(_("template"), max_length=60)
    typed = models.JSONField(default=dict)
    touched_at = models.DateTimeField()
    event = models.OneToOneField(Event, null=True, on_delete=models.CASCADE, related_name="+")

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id public_id organisation template typed touched_at event")

    class Meta:
        verbose_name = _("unfinished event")
        verbose_name_plural = _("unfinished events")
        ordering = ["-touched_at"]

    def __str__(self) -> str:
        facts = self.typed.get("facts", {})
        return facts.get("title_sv") or facts.get("title_en") or str(_("Event without a title"))
