"""What is paid for a ticket after its purchase: what a supplementary order is for, and what became of it."""

from __future__ import annotations

from django.db import models

from apps.accounts.privacy import EVENT, Personal, fields
from apps.ticketing.models.gifts import Gift
from apps.ticketing.models.orders import OrderLine


class ChoiceChange(models.Model):
    """Which choices a ticket gets once the supplementary order of `line` is paid; see `changes`.

    `line` is what the difference is paid by, `of_line` the ticket's own. `wanted` are all choices it will have,
    [[choice, quantity, what each adds in minor units], ...], emptied when they are made: then they stand on `of_line`.
    `replaced` is what fell away for them, written in the same way when they are made, for `changes.undo`. Both are
    emptied a week after the event, whatever became of it (`answers.forget_old`).
    `covered` are places, {quota: number}, that what is added takes and what falls away has: `of_line` holds them until
    then, so that `line` does not. `undone_at` is when it was taken back, after which it is never taken back again.

    With a `gift` no choice is changed: `line` pays what the ticket costs more whom it is given to, see `gift_payments`.
    Then it is made when the gift is accepted by it, and undone when it never is, or when its payment is lost.
    """

    ORGANISATION_PATH = "line__order__organisation"

    line = models.OneToOneField(OrderLine, on_delete=models.CASCADE, related_name="choice_change")
    of_line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="choice_changes")
    wanted = models.JSONField(default=list, blank=True)
    replaced = models.JSONField(default=list, db_default=[], blank=True)
    covered = models.JSONField(default=dict, db_default={}, blank=True)
    gift = models.ForeignKey(Gift, null=True, blank=True, on_delete=models.PROTECT, related_name="differences")
    made_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)

    # It was paid, and the ticket has what it brought.
    STANDS = models.Q(made_at__isnull=False, undone_at__isnull=True)
    # It is for a gift, and held for its payment or paid a moment ago.
    BEING_PAID = models.Q(
        gift__isnull=False, made_at__isnull=True, undone_at__isnull=True, line__order__state__in=["reserved", "paid"]
    )

    PERSONAL = {
        "wanted": Personal("to serve the guest (may tell about diet)", EVENT),
        "replaced": Personal("to undo a change whose payment is lost (may tell about diet)", EVENT),
    }
    NOT_PERSONAL = fields("id line of_line covered gift made_at undone_at")

    def __str__(self) -> str:
        return f"{self.of_line_id}: {self.wanted}"
