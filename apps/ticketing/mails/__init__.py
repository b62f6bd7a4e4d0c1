"""Every mail Foyer sends about a purchase, each by its name.

A mail is an effect: its function here is called in the transaction of its cause, and a worker writes and sends it after
commit, in the order's language. What it says is read at that moment, and a mail that has become pointless is not sent.
A crash between the mail server's yes and our note of it sends the same mail once more, under the same Message-ID.

asking: the functions others call. gift_letters: mails about tickets given away. rounds: reminders for a whole batch.
letters: what each mail says, and when it is pointless. sending: from the outbox to whoever delivers it. troubles: what
came back, and who is spared reminders. notices: where we are told so.
"""

from apps.ticketing.mails import code_letter as code_letter  # its handler
from apps.ticketing.mails import found_letter as found_letter  # its handler
from apps.ticketing.mails import gift_letters, rounds
from apps.ticketing.mails import people_letters as people_letters  # its handler
from apps.ticketing.mails import transfer_letters as transfer_letters  # its letters
from apps.ticketing.mails.asking import (
    GUEST_QUESTIONS,
    KIND,
    address_corrected,
    ask,
    ask_each,
    books_alert,
    dispute_alert,
    event_cancelled,
    event_moved,
    guest_questions,
    hold_ends_soon,
    hold_expired,
    move_reminder,
    order_confirmation,
    order_moved,
    payment_alert,
    payment_failed,
    place_is_kept,
    refund_alert,
    refund_failed,
    refund_ordered,
    refund_sent,
    send_again,
    tickets_ended,
    transfer_instructions,
    transfer_reminder,
    transfer_short,
    your_turn,
)
from apps.ticketing.mails.letters import Letter, Request, register
from apps.ticketing.mails.links import change_url, guest_url, order_url, ticket_url
from apps.ticketing.mails.people_letters import account_changed, cancellation_waits
from apps.ticketing.mails.sending import LEASE_SECONDS, render

__all__ = [
    "GUEST_QUESTIONS",
    "KIND",
    "LEASE_SECONDS",
    "Letter",
    "Request",
    "account_changed",
    "address_corrected",
    "ask",
    "ask_each",
    "books_alert",
    "change_url",
    "cancellation_waits",
    "dispute_alert",
    "event_cancelled",
    "event_moved",
    "gift_letters",
    "guest_questions",
    "guest_url",
    "hold_ends_soon",
    "hold_expired",
    "move_reminder",
    "order_confirmation",
    "order_moved",
    "order_url",
    "payment_alert",
    "payment_failed",
    "place_is_kept",
    "refund_alert",
    "refund_failed",
    "refund_ordered",
    "refund_sent",
    "register",
    "render",
    "rounds",
    "send_again",
    "ticket_url",
    "tickets_ended",
    "transfer_instructions",
    "transfer_reminder",
    "transfer_short",
    "your_turn",
]
