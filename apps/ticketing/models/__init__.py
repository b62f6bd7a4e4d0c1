"""What ticketing stores. One file per subject; everything is importable from here."""

from apps.ticketing.models.answers import Answer
from apps.ticketing.models.cancellations import Cancellation
from apps.ticketing.models.catalogue import Choice, Question, Quota, TicketType, Variation
from apps.ticketing.models.changes import ChoiceChange
from apps.ticketing.models.codes import AddressCode
from apps.ticketing.models.disputes import Dispute
from apps.ticketing.models.drafts import EventDraft
from apps.ticketing.models.draws import Draw
from apps.ticketing.models.gifts import Gift, GivingRule
from apps.ticketing.models.ledger import Entry, Posting
from apps.ticketing.models.moves import EventMove, MoveAnswer
from apps.ticketing.models.operations import (
    AuditEntry,
    Effect,
    Heartbeat,
    MailTrouble,
    ProviderEvent,
    QueuePace,
    SentMail,
)
from apps.ticketing.models.orders import SUPPLEMENTS, Adjustment, LineChoice, Order, OrderLine
from apps.ticketing.models.payments import (
    BY_HAND,
    CARD,
    WAY_UNSAID,
    Payment,
    PaymentPace,
    Refund,
    SandboxAccount,
    SandboxCharge,
    SandboxEntry,
    SandboxRefund,
)
from apps.ticketing.models.payouts import PayoutAccount
from apps.ticketing.models.refund_rules import RefundRule
from apps.ticketing.models.reminders import Reminder
from apps.ticketing.models.sales import SaleChange
from apps.ticketing.models.stripe_accounts import StripeAccount
from apps.ticketing.models.tickets import SigningKey, Ticket
from apps.ticketing.models.transfers import BankRow, TransferAccount

__all__ = [
    "BY_HAND",
    "CARD",
    "WAY_UNSAID",
    "SUPPLEMENTS",
    "AddressCode",
    "Answer",
    "Adjustment",
    "AuditEntry",
    "BankRow",
    "Cancellation",
    "Choice",
    "ChoiceChange",
    "Dispute",
    "Draw",
    "Effect",
    "Entry",
    "EventDraft",
    "EventMove",
    "Gift",
    "GivingRule",
    "Heartbeat",
    "MailTrouble",
    "LineChoice",
    "MoveAnswer",
    "Order",
    "OrderLine",
    "Payment",
    "PaymentPace",
    "PayoutAccount",
    "Posting",
    "ProviderEvent",
    "Question",
    "QueuePace",
    "Quota",
    "Refund",
    "RefundRule",
    "Reminder",
    "SaleChange",
    "SandboxAccount",
    "SandboxCharge",
    "SandboxEntry",
    "SandboxRefund",
    "SentMail",
    "SigningKey",
    "StripeAccount",
    "Ticket",
    "TicketType",
    "TransferAccount",
    "Variation",
]
