"""How the money of a ticket that was sold stands on its way to whoever paid for it: one answer for the organiser's desk
and for the seller's own page.

A refund's state alone does not tell: one that failed may have been paid otherwise, or sent by the payer's bank. What
was sent again is told by its newest try.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import (
    Case,
    CharField,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextChoices,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.events.wording import write_full_day, write_money
from apps.resale.models import Listing
from apps.resale.states import ListingState
from apps.ticketing.models import BY_HAND, Dispute, Refund, Ticket
from apps.ticketing.reasons import RESOLD
from apps.ticketing.states import DisputeState, RefundState


class Stands(TextChoices):
    """What became of the money. The first five are the refund's own states; `failed` is still owed."""

    ORDERED = "ordered", gettext_lazy("ordered")
    PENDING = "pending", gettext_lazy("on its way")
    DONE = "done", gettext_lazy("done")
    FAILED = "failed", gettext_lazy("Did not arrive: still owed")
    UNKNOWN = "unknown", gettext_lazy("On its way; the bank has not answered yet")
    BY_HAND = "by_hand", gettext_lazy("To pay back")
    DISPUTED = "disputed", gettext_lazy("Not sent: waits until the payer's bank has decided the dispute")
    PAID_OTHERWISE = "paid_otherwise", gettext_lazy("Did not arrive; paid otherwise")
    SENT_BY_BANK = "sent_by_bank", gettext_lazy("Did not arrive; the payer's bank has sent the money in a dispute")


def refunds_of(line: Any) -> QuerySet[Any]:
    """What went to whoever paid for the sold ticket of `line`, the newest first, each with how it `stands`. One that
    was sent again is left out: its retry tells."""
    disputed = Dispute.objects.filter(payment=OuterRef("payment"), state=DisputeState.OPENED)
    stands = Case(
        When(paid_otherwise_at__isnull=False, then=Value(Stands.PAID_OTHERWISE)),
        When(state=RefundState.FAILED, covered_minor__gte=F("amount_minor"), then=Value(Stands.SENT_BY_BANK)),
        When(Q(state=RefundState.ORDERED) & Exists(disputed), then=Value(Stands.DISPUTED)),
        When(state=RefundState.PENDING, payment__provider__startswith=BY_HAND, then=Value(Stands.BY_HAND)),
        default=F("state"),
        output_field=CharField(),
    )
    found = Refund.objects.filter(lines=line, reason=RESOLD, retry__isnull=True)
    return found.annotate(stands=stands).order_by("-pk")


def with_payouts(listings: QuerySet[Listing]) -> QuerySet[Listing]:
    """With `payout_state`, how the newest refund `Stands`, and `owed_minor`, what of it did not arrive and is still
    owed; none, and 0, where nothing was sold or owed."""
    newest = refunds_of(OuterRef("ticket__line"))
    is_sold = Q(state=ListingState.SOLD)
    owed = newest.annotate(left_minor=F("amount_minor") - F("covered_minor")).values("left_minor")[:1]
    told = listings.annotate(
        payout_state=Case(When(is_sold, then=Subquery(newest.values("stands")[:1])), output_field=CharField())
    )
    return told.annotate(
        owed_minor=Coalesce(
            Case(When(payout_state=Stands.FAILED, then=Subquery(owed)), output_field=IntegerField()), Value(0)
        )
    )


def in_words(listing: Listing) -> str:
    """How the money to a seller stands; `with_payouts` has read it. What is owed is told with its sum."""
    stands = getattr(listing, "payout_state", None)
    if not stands:
        return ""
    owed_minor: int = getattr(listing, "owed_minor", 0)
    owed = f" ({write_money(owed_minor, listing.currency)})" if owed_minor else ""
    return f"{Stands(stands).label}{owed}"


def paid_otherwise_note(listing: Listing) -> str:
    """How a treasurer wrote that the debt to the seller was paid; empty where it was not. One query."""
    refund = refunds_of(listing.ticket.line_id).first()
    return str(refund.paid_otherwise_note) if refund is not None else ""


@dataclass(frozen=True)
class Told:
    """How the money stands, for whoever paid for the ticket: an alert's `level`, what happened, what follows, and where
    they say to which account they want what is owed."""

    level: str
    sentence: str
    follows: str = ""
    payout_url: str = ""


def told_to_payer(ticket: Ticket, listing: Listing) -> Told | None:
    """What the payer of this sold ticket reads of their money on its page; None where nothing comes back, and for a
    holder who is somebody else. The ticket's line, order and event are fetched. One query at most."""
    if not ticket.is_payers or not listing.payout_minor:
        return None
    refund = refunds_of(ticket.line_id).select_related("payment").first()
    if refund is None:
        return None
    order, stands = ticket.line.order, refund.stands
    words = {"sum": write_money(refund.amount_minor, refund.currency)}
    if stands == Stands.PAID_OTHERWISE:
        follows = _("Write to the seller, whose address stands with your order, if it has not reached you.")
        return Told("success", _("%(sum)s was paid to you in another way.") % words, follows)
    if stands == Stands.SENT_BY_BANK:
        follows = _(
            "The bank of whoever paid decided the dispute for them and sent the money, so our refund is settled."
            " Nothing more is owed."
        )
        return Told("success", _("%(sum)s came back to you from your bank.") % words, follows)
    if stands == Stands.FAILED:
        words = {"sum": write_money(refund.owed_minor, refund.currency)}
        follows = _("We owe it to you: say to which account you want it.")
        if refund.covered_minor:
            follows = _("Your bank has sent you the rest. We owe you this: say to which account you want it.")
        url = reverse("ticketing:order_payout", args=[order.reference, order.secret, refund.public_id])
        return Told("warning", _("%(sum)s did not arrive.") % words, follows, url)
    if stands == Stands.DISPUTED:
        follows = _(
            "Whoever paid disputes the payment, so their bank has the money for now and decides who gets it. Nothing"
            " was sent by us yet."
        )
        return Told("info", _("%(sum)s waits for your bank.") % words, follows)
    is_done = stands == Stands.DONE
    level = "success" if is_done else "info"
    sentence = _("%(sum)s has been sent back.") % words if is_done else _("%(sum)s is on its way back.") % words
    if refund.payment.is_by_hand:
        if is_done:
            follows = _("The organiser has paid the money out by hand. It arrives within a few bank days.")
        else:
            sentence = _("%(sum)s comes back to you.") % words
            follows = _("The organiser pays it back by hand, and writes to you if something is needed for it.")
        return Told(level, sentence, follows)
    follows = _("It goes back %(way)s and arrives within 5–10 bank days.") % {"way": refund.payment.way_back}
    if is_done and refund.done_at:
        day = write_full_day(refund.done_at, ticket.event.zone)
        follows += " " + _("It was sent on %(day)s.") % {"day": day}
    return Told(level, sentence, follows)
