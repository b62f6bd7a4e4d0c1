"""As whom an editor may look at the ticket block in the preview, so far as discounts are concerned."""

from __future__ import annotations

from dataclasses import replace

from django.utils.translation import gettext_lazy as _

from apps.discounts import facts
from apps.discounts.granting import MEMBER
from apps.ticketing.context import PurchaseContext


class AMember:
    """Somebody made up who is a member of every body that the event's discounts ask for."""

    slug = "member"
    label = _("A member")

    def dress(self, context: PurchaseContext) -> PurchaseContext:
        bodies = (body for discount in facts.load(context.event_id).discounts for body in discount.bodies)
        return replace(context, pretends=tuple(dict.fromkeys(f"{MEMBER}{body.public_hex}" for body in bodies)))
