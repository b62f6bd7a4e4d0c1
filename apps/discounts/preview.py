"""As whom an editor may look at the ticket block in the preview, so far as memberships are concerned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.discounts.granting import MEMBER
from apps.discounts.models import MemberBody
from apps.ticketing.context import PurchaseContext


class AMember:
    """Somebody made up who is a member of what the event's discounts and tickets ask for: of all of it, or of one."""

    slug = "member"
    label = gettext_lazy("A member")

    def dress(self, context: PurchaseContext) -> PurchaseContext:
        return _member_of(context, (body.public_id.hex for body in _bodies_of(context.event_id)))

    def variants(self, event_id: int) -> Sequence[tuple[str, str]]:
        """Each body by its public id; none where only one is asked for, which is what “a member” means then."""
        bodies = _bodies_of(event_id)
        if len(bodies) < 2:
            return ()
        return [(body.public_id.hex, _("A member of %(body)s") % {"body": body.name}) for body in bodies]

    def dress_as(self, context: PurchaseContext, variant: str) -> PurchaseContext:
        return _member_of(context, [variant])


def _member_of(context: PurchaseContext, hexes: Iterable[str]) -> PurchaseContext:
    return replace(context, pretends=tuple(f"{MEMBER}{public_hex}" for public_hex in hexes))


def _bodies_of(event_id: int) -> list[MemberBody]:
    """Those whose members pay or may buy something else at the event."""
    asked_for = Q(discounts__event=event_id, discounts__is_active=True) | Q(audiences__ticket_type__event=event_id)
    return list(MemberBody.objects.filter(asked_for).distinct().order_by("pk"))
