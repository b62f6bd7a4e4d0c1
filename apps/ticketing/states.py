"""The states of everything that has states, and the allowed moves, as literal tables.

Nobody but `transitions.move` and `move_many` writes a state. The tables are DESIGN 5.
"""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

Table = dict[str, frozenset[str]]


def _to(*states: str) -> frozenset[str]:
    return frozenset(str(state) for state in states)


class OrderState(TextChoices):
    """Where an order is on its way from the queue to its tickets."""

    QUEUED = "queued", _("in the queue")
    WAITING = "waiting", _("waiting for places")
    OFFERED = "offered", _("offered a part")
    RESERVED = "reserved", _("held for payment")
    PAID = "paid", _("paid")
    REFUNDED = "refunded", _("refunded")
    EXPIRED = "expired", _("expired")
    REJECTED = "rejected", _("rejected")
    CANCELLED = "cancelled", _("cancelled")


ORDER: Table = {
    OrderState.QUEUED: _to("reserved", "offered", "waiting", "rejected", "cancelled"),
    # Nothing left for it now; looked at again, in rank order, when places return.
    OrderState.WAITING: _to("reserved", "offered", "rejected", "cancelled"),
    # "2 of your 3", held for five minutes. Declined means waiting: from then on all or nothing.
    OrderState.OFFERED: _to("reserved", "waiting", "cancelled", "expired"),
    OrderState.RESERVED: _to("paid", "expired", "cancelled"),
    OrderState.EXPIRED: _to("paid"),  # late money
    OrderState.PAID: _to("refunded"),  # when its last line is
    OrderState.REFUNDED: _to(),
    OrderState.REJECTED: _to(),
    OrderState.CANCELLED: _to(),
}
ORDER_HOLDS = (OrderState.OFFERED, OrderState.RESERVED, OrderState.PAID)  # states whose held lines count against stock
ORDER_IN_QUEUE = (OrderState.QUEUED, OrderState.WAITING)
ORDER_STANDS_IN_LINE = (
    *ORDER_IN_QUEUE,
    OrderState.OFFERED,
)  # an offer may go back to waiting


class PaymentState(TextChoices):
    """What we know of one payment at its provider."""

    STARTED = "started", _("started")
    ACTION_NEEDED = "action_needed", _("needs the buyer")
    PROCESSING = "processing", _("processing")
    CAPTURED = "captured", _("captured")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")
    UNKNOWN = "unknown", _("unknown")


# The provider is the authority: it may jump ahead, never back. `unknown` stands for a call whose answer was lost.
PAYMENT: Table = {
    PaymentState.STARTED: _to("action_needed", "processing", "captured", "failed", "cancelled", "unknown"),
    PaymentState.ACTION_NEEDED: _to("processing", "captured", "failed", "cancelled", "unknown"),
    PaymentState.PROCESSING: _to("captured", "failed", "cancelled", "unknown"),
    PaymentState.UNKNOWN: _to("started", "action_needed", "processing", "captured", "failed", "cancelled"),
    PaymentState.CAPTURED: _to(),
    PaymentState.FAILED: _to("captured"),  # a payer may have tried another card under the same payment
    PaymentState.CANCELLED: _to("captured"),  # a cancel can lose the race against success: late money
}
PAYMENT_LIVE = (PaymentState.STARTED, PaymentState.ACTION_NEEDED, PaymentState.PROCESSING, PaymentState.UNKNOWN)


class RefundState(TextChoices):
    """How far money on its way back has come."""

    ORDERED = "ordered", _("ordered")
    PENDING = "pending", _("on its way")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    UNKNOWN = "unknown", _("unknown")


# A retry of a failed refund is a new Refund.
REFUND: Table = {
    RefundState.ORDERED: _to("pending", "done", "failed", "unknown"),
    RefundState.PENDING: _to("done", "failed", "unknown"),
    RefundState.UNKNOWN: _to("pending", "done", "failed"),
    RefundState.DONE: _to("failed"),  # a bank may send it back within 30 days, when the card was closed meanwhile
    RefundState.FAILED: _to(),
}


class DisputeState(TextChoices):
    """What the payer's bank says of a disputed payment."""

    OPENED = "opened", _("under dispute")
    WON = "won", _("decided for us")
    LOST = "lost", _("decided for the payer")


DISPUTE: Table = {
    DisputeState.OPENED: _to("won", "lost"),
    DisputeState.WON: _to(),
    DisputeState.LOST: _to(),
}


class EffectState(TextChoices):
    """Where an effect of the outbox is between being written down and being done."""

    DUE = "due", _("due")
    LEASED = "leased", _("being done")
    DONE = "done", _("done")
    UNKNOWN = "unknown", _("unknown")
    DEAD = "dead", _("given up")


EFFECT: Table = {
    EffectState.DUE: _to("leased"),
    EffectState.LEASED: _to("done", "due", "unknown", "dead"),
    EffectState.UNKNOWN: _to("due", "done", "dead"),
    EffectState.DONE: _to(),
    EffectState.DEAD: _to(),
}


class TicketState(TextChoices):
    """What a ticket is good for now."""

    VALID = "valid", _("valid")
    HELD = "held", _("being bought")
    SUPERSEDED = "superseded", _("replaced")
    USED = "used", _("used")
    REVOKED = "revoked", _("revoked")
    BLOCKED = "blocked", _("blocked")


class GiftState(TextChoices):
    """What became of a ticket that its holder gives to somebody."""

    PENDING = "pending", _("offered")
    ACCEPTED = "accepted", _("accepted")
    DECLINED = "declined", _("declined")
    CANCELLED = "cancelled", _("withdrawn")
    EXPIRED = "expired", _("not answered in time")


GIFT: Table = {
    GiftState.PENDING: _to("accepted", "declined", "cancelled", "expired"),
    GiftState.ACCEPTED: _to(),
    GiftState.DECLINED: _to(),
    GiftState.CANCELLED: _to(),
    GiftState.EXPIRED: _to(),
}


class CancellationState(TextChoices):
    """How far the cancelling of an event has come."""

    PROPOSED = "proposed", _("proposed")
    RUNNING = "running", _("being paid back")
    DONE = "done", _("all is ordered back")
    WITHDRAWN = "withdrawn", _("withdrawn")


CANCELLATION: Table = {
    CancellationState.PROPOSED: _to("running", "withdrawn"),
    CancellationState.RUNNING: _to("done"),
    CancellationState.DONE: _to(),
    CancellationState.WITHDRAWN: _to(),
}

TICKET: Table = {
    TicketState.VALID: _to("held", "used", "revoked", "blocked"),
    TicketState.HELD: _to("valid", "superseded", "revoked", "blocked"),
    TicketState.USED: _to("valid", "revoked", "blocked"),
    TicketState.BLOCKED: _to("valid", "held", "used", "revoked"),
    TicketState.SUPERSEDED: _to(),
    TicketState.REVOKED: _to(),
}
