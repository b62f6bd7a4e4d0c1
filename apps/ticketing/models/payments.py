"""Money on its way in and out, and the accounts of the sandbox bank."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id
from apps.accounts.privacy import BOOKS, EVENT, Personal, fields
from apps.events.models import Organisation
from apps.ticketing.models.orders import Order, OrderLine
from apps.ticketing.states import PAYMENT_LIVE, DisputeState, PaymentState, RefundState

# What the slugs begin with of ways to pay in which the buyer sends the money alone; see payments.manual.
BY_HAND = "manual-"
# What stands between a card's brand and its last four digits in Payment.paid_with.
CARD = "····"
# Where money goes back, as words within a sentence, when the card is not known or is not the reader's.
WAY_UNSAID = _("the way it was paid")


class Payment(models.Model):
    """One attempt to pay one order through one provider. At most one is live per order: a second tab gets the same.

    `amount_minor` and `currency` are what is asked, and from the capture on what really came. `paid_with` is as
    extensions.Notice has it.
    """

    ORGANISATION_PATH = "order__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="payments")
    provider = models.SlugField(_("provider"), max_length=20)
    provider_reference = models.CharField(max_length=120, blank=True, db_index=True)
    account = models.CharField(max_length=64, blank=True)  # at the provider, where the money is the seller's own there
    is_here = models.BooleanField(default=False)  # the buyer pays on the order's page, not on one of the provider's
    amount_minor = models.PositiveIntegerField(_("amount"))
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=13, choices=PaymentState, default=PaymentState.STARTED)
    reason = models.CharField(max_length=40, blank=True)
    redirect_url = models.URLField(max_length=2000, blank=True)
    created_at = models.DateTimeField()
    captured_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)  # when the provider was last asked about it
    declined_at = models.DateTimeField(null=True)  # when a first card was declined, where another may be tried under it
    paid_with = models.CharField(_("paid with"), max_length=60, blank=True, default="", db_default="")

    PERSONAL = {
        "provider_reference": Personal("to find the payment at the provider", BOOKS),
        "paid_with": Personal("to tell the payer, and who sends it, where money goes back", EVENT),
    }
    NOT_PERSONAL = fields(
        "id public_id order provider account is_here amount_minor currency state reason redirect_url created_at"
        " captured_at checked_at declined_at"
    )

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["order"],
                condition=Q(state__in=[str(state) for state in PAYMENT_LIVE]),
                name="payment_one_live_per_order",
            ),
            models.UniqueConstraint(
                fields=["provider", "provider_reference"],
                condition=~Q(provider_reference=""),
                name="payment_reference_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id}: {self.amount_minor} {self.currency} ({self.state})"

    @property
    def is_by_hand(self) -> bool:
        """Whether the buyer sends the money alone, and a treasurer approves it."""
        return self.provider.startswith(BY_HAND)

    @property
    def way_back(self) -> str:
        """Where money that is sent back goes, as words within a sentence. For whoever paid, and a treasurer: it may
        name their card."""
        if not self.paid_with:
            return str(WAY_UNSAID)
        card = self.paid_with.replace(f"{CARD} ", f"{CARD}\u00a0")  # on one line
        if card.startswith(CARD):
            return gettext("to the card %(number)s") % {"number": card}
        return (gettext("to %(card)s") if CARD in card else gettext("by %(card)s")) % {"card": card}


class PaymentPace(models.Model):
    """The pace of one account, `provider` for `organisation`; see `pacing`.

    `next_at` is when the next buyer may pay, `turn_at` when the next payment may really be opened there.
    """

    ORGANISATION_PATH = "organisation"

    provider = models.SlugField(max_length=20)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    next_at = models.DateTimeField()
    turn_at = models.DateTimeField()

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id provider organisation next_at turn_at")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "provider"], name="payment_pace_of_an_account")]

    def __str__(self) -> str:
        return f"{self.provider}: {self.next_at}"


class Refund(models.Model):
    """Money ordered back to the way it came. A retry of a failed one is a new Refund, its `retry_of`.

    `fee_minor` was kept of what its lines cost. `is_partial`: a part of a line's price was given back, and its ticket
    stays. A failed one is owed until it has a retry or was `paid_otherwise_at`, but for `covered_minor` of it, which
    the payer's bank has sent them in a dispute; see `refund_tasks`.
    """

    ORGANISATION_PATH = "payment__order__organisation"

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    lines = models.ManyToManyField(OrderLine, related_name="refunds", blank=True)
    amount_minor = models.PositiveIntegerField(_("amount"))
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=8, choices=RefundState, default=RefundState.ORDERED)
    reason = models.CharField(max_length=40, blank=True)
    provider_reference = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    fee_minor = models.PositiveIntegerField(_("fee kept"), default=0, db_default=0)
    is_partial = models.BooleanField(default=False, db_default=False)
    note = models.CharField(_("why"), max_length=200, blank=True, default="", db_default="")
    retry_of = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="retry")
    paid_otherwise_at = models.DateTimeField(null=True)
    paid_otherwise_note = models.CharField(max_length=200, blank=True, default="", db_default="")
    covered_minor = models.PositiveIntegerField(_("covered by a dispute"), default=0, db_default=0)

    PERSONAL = {
        "provider_reference": Personal("to find the refund at the provider", BOOKS),
        "note": Personal("to tell why money was sent back (may name somebody)", BOOKS),
        "paid_otherwise_note": Personal("to tell how a debt was paid (may name somebody)", BOOKS),
    }
    NOT_PERSONAL = fields(
        "id public_id payment lines amount_minor currency state reason created_at done_at fee_minor is_partial retry_of"
        " paid_otherwise_at covered_minor"
    )

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_moves_money"),
            models.CheckConstraint(
                condition=Q(paid_otherwise_at__isnull=True) | Q(state="failed") & ~Q(paid_otherwise_note=""),
                name="refund_paid_otherwise_says_how",
            ),
            models.CheckConstraint(
                condition=Q(covered_minor=0) | Q(state="failed", covered_minor__lte=F("amount_minor")),
                name="refund_covered_is_a_failed_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payment_id}: {self.amount_minor} {self.currency} ({self.state})"

    @property
    def before_fee_minor(self) -> int:
        """What it was before the fee that was kept of it."""
        return self.amount_minor + self.fee_minor

    @property
    def owed_minor(self) -> int:
        """What of it is owed, once it has failed."""
        return self.amount_minor - self.covered_minor

    @property
    def is_owed(self) -> bool:
        """Whether it failed and nobody has paid it in another way. That it was sent again is not looked at."""
        return self.state == RefundState.FAILED and self.paid_otherwise_at is None and self.owed_minor > 0

    @property
    def waits_for_the_bank(self) -> bool:
        """Whether it is not sent while the payer disputes its payment. One query, where it may be so."""
        return self.state == RefundState.ORDERED and self.payment.disputes.filter(state=DisputeState.OPENED).exists()


class SandboxCharge(models.Model):
    """An account entry at the sandbox bank, which stands in for a real one when no keys are set."""

    ORGANISATION_PATH = None  # the bank's book, not an organiser's

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    idempotency_key = models.CharField(max_length=80, unique=True)
    amount_minor = models.PositiveIntegerField()
    refunded_minor = models.PositiveIntegerField(default=0)
    currency = models.CharField(max_length=3)
    card = models.CharField(max_length=20, blank=True)
    status = models.CharField(max_length=20, default="requires_card")
    return_url = models.URLField(max_length=500)
    reference = models.CharField(max_length=64)
    changed_at = models.DateTimeField()
    dispute = models.CharField(max_length=6, blank=True)  # as states.DisputeState

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields(
        "id public_id idempotency_key amount_minor refunded_minor currency card status return_url reference changed_at"
        " dispute"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(refunded_minor__lte=F("amount_minor")), name="sandbox_refunds_what_it_has"
            )
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.status}"


class SandboxAccount(models.Model):
    """Money that an organisation has taken out of the sandbox bank, so that it lacks when an event is cancelled.

    Without a row all that was paid and not sent back lies there. Negative: it was topped up beyond that.
    """

    ORGANISATION_PATH = "organisation"

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    currency = models.CharField(max_length=3)
    taken_out_minor = models.BigIntegerField(default=0)

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id organisation currency taken_out_minor")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "currency"], name="sandbox_account_once")]

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.currency}"


class SandboxRefund(models.Model):
    """Money the sandbox bank was told to send back."""

    ORGANISATION_PATH = None

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    charge = models.ForeignKey(SandboxCharge, on_delete=models.CASCADE, related_name="refunds")
    idempotency_key = models.CharField(max_length=80, unique=True)
    reference = models.CharField(max_length=64)
    amount_minor = models.PositiveIntegerField()
    status = models.CharField(max_length=20)

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id public_id charge idempotency_key reference amount_minor status")

    def __str__(self) -> str:
        return f"{self.public_id} {self.status}"


class SandboxEntry(models.Model):
    """One line of the sandbox bank's statement: what an account gained (negative: lost), and the bank's own fee."""

    ORGANISATION_PATH = None

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    charge = models.ForeignKey(SandboxCharge, on_delete=models.CASCADE, related_name="entries")
    kind = models.CharField(max_length=11)
    object_reference = models.CharField(max_length=64)
    amount_minor = models.IntegerField()
    fee_minor = models.PositiveIntegerField(default=0)
    at = models.DateTimeField()

    PERSONAL: dict[str, Personal] = {}
    NOT_PERSONAL = fields("id public_id charge kind object_reference amount_minor fee_minor at")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "object_reference"], name="sandbox_books_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_minor}"
