"""Every reason for which a person is refused: one stable code, one sentence, the same on pages and in the API.

A sentence says what happened, whether money moved and what to do next. Codes are part of the API and never change.
Plugins add their own with `register` from their AppConfig.ready().
"""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_sentences: dict[str, Promise] = {}


def register(code: str, sentence: Promise) -> str:
    """Make `code` known under `sentence` and return it. Raises ValueError when it already means something else."""
    if code in _sentences and _sentences[code] is not sentence:
        raise ValueError(f"The reason “{code}” is already taken.")
    _sentences[code] = sentence
    return code


def sentence(code: str) -> str:
    """The sentence for `code` in the active language; a code whose plugin is gone reads as a plain refusal."""
    return str(_sentences.get(code, _sentences[REFUSED]))


def codes() -> dict[str, Promise]:
    """All codes known now, for the API's description and the tests."""
    return dict(_sentences)


REFUSED = register("refused", _("This order could not be accepted. No money was taken. Ask the organiser."))
SOLD_OUT = register("sold_out", _("Sold out. No money was taken. Stay if you like: places that come back are yours."))
PARTIAL = register(
    "partial",
    _("Not everything you asked for was left. Nothing has been charged. Keep what is held for you, or wait for all."),
)
NOT_ON_SALE = register("not_on_sale", _("This ticket is not on sale. No money was taken. Choose another one."))
NOT_YET_ON_SALE = register(
    "not_yet_on_sale", _("The sale has not opened yet. No money was taken. Your choices are kept; try again then.")
)
SALE_OVER = register(
    "sale_over", _("The sale is over. No money was taken. Ask the organiser if you still want to come.")
)
SALE_ENDED = register(
    "sale_ended", _("The organiser has ended the sale. No money was taken. Ask them if you still want to come.")
)
SALE_STOPPED = register(
    "sale_stopped",
    _("Nothing is sold just now, so nothing was ordered and no money was taken. Come back when the sale goes on."),
)
EVENT_OVER = register("event_over", _("The event is over, so its tickets are not sold any more. No money was taken."))
EVENT_CANCELLED = register(
    "event_cancelled",
    _("The event is cancelled. Whatever was paid for it is on its way back by itself. You need do nothing."),
)
EVENT_MOVED = register(
    "event_moved",
    _("You chose to have your money back because the event was moved. It is on its way back."),
)
RESOLD = register(
    "resold", _("Your ticket has a new owner. What you agreed to is on its way back to you, and your code is void.")
)
GIVEN_AWAY = register(
    "given_away", _("The ticket was given away. Its new holder has another code. No money was taken.")
)
GIFT_TAKEN_BACK = register(
    "gift_taken_back", _("Whoever offered the ticket took that back. It is theirs as before. No money was taken.")
)
GIFT_TAKEN_BACK_BY_ORGANISER = register(
    "gift_taken_back_by_organiser",
    _("The organiser took the offer back. The ticket is its holder's as before. No money was taken."),
)
GIFT_USED = register(
    "gift_used", _("The ticket was used at the door, so it cannot be given away any more. No money was taken.")
)
GIFT_BEING_SOLD = register(
    "gift_being_sold", _("The ticket is being sold to somebody else, so the offer has ended. No money was taken.")
)
GIFT_TICKET_ENDED = register(
    "gift_ticket_ended",
    _("The ticket is not valid any more, or its payment is disputed, so the offer has ended. No money was taken."),
)
GIFT_NOT_FOR_YOU = register(
    "gift_not_for_you",
    _(
        "This ticket is for those who are invited to buy it, and you are not. It is its giver's as before. No money was"
        " taken."
    ),
)
GIFT_NOT_HAD = register(
    "gift_not_had",
    _("The ticket was not on offer any more when your payment came: it was taken back, used, sold or ended. All that"
      " you paid is on its way back."),
)  # fmt: skip
GIFT_REFUSED_TO_PAYER = register(
    "gift_refused_to_payer",
    _("A rule of the event kept you from having the ticket when your payment came. All that you paid is on its way"
      " back. Open the offer again to read why."),
)  # fmt: skip
GIFT_COSTS_MORE = register(
    "gift_costs_more",
    _("By the time your payment came, the ticket would have cost you more than you paid. All of it is on its way back."
      " Open the offer again to see what it costs now."),
)  # fmt: skip
GIFT_PAID_LATE = register(
    "gift_paid_late",
    _("Your payment came when the time for it was over, or the ticket was not on offer any more. All of it is on its"
      " way back."),
)  # fmt: skip
GIFT_ENDED_UNDER_PAYER = register(
    "gift_ended_under_payer",
    _("The ticket was taken back, used, sold or ended. Whatever you paid for it, or still pay, is sent back by"
      " itself."),
)  # fmt: skip
GIFT_NOT_BOUGHT = (GIFT_NOT_HAD, GIFT_REFUSED_TO_PAYER, GIFT_COSTS_MORE, GIFT_PAID_LATE)  # paid for, and not had
GIFT_COSTS_LESS = register(
    "gift_costs_less",
    _("The ticket costs you less than when you began to pay for it: the rest is on its way back to you."),
)
GIFT_OVER = register(
    "gift_over", _("The ticket is not on offer to you any more. Nothing was charged. Money that still comes goes back.")
)
SIGN_IN_REQUIRED = register("sign_in_required", _("Sign in to buy tickets to this event. No money was taken."))
LIMIT_PER_PERSON = register(
    "limit_per_person",
    _("With this order you would have more tickets than one person may. No money was taken. Choose fewer."),
)
TOO_MANY_GUESTS = register(
    "too_many_guests",
    _("There would be more guest tickets than your own tickets allow. No money was taken. Choose fewer guests, or buy "
      "your own ticket in the same order; one held in another order counts once it is paid."),
)  # fmt: skip
LIMIT_PER_ORDER = register(
    "limit_per_order", _("That is more tickets than one order may hold. No money was taken. Choose fewer.")
)
BELOW_MINIMUM = register(
    "below_minimum", _("That is fewer tickets than one order must hold. No money was taken. Choose more.")
)
CONFLICTING_TYPES = register(
    "conflicting_types", _("These tickets cannot be combined for one person. No money was taken. Choose one of them.")
)
CHOICE_MISSING = register(
    "choice_missing", _("A choice is missing for a ticket. No money was taken. Choose and send again.")
)
CHOICE_GONE = register(
    "choice_gone", _("A choice you made is no longer offered. No money was taken. Choose another one.")
)
HOLD_EXPIRED = register(
    "hold_expired", _("Time ran out and the place moved on. Nothing was charged. Join the queue again.")
)
PAYMENT_NOT_OPEN = register(
    "payment_not_open",
    _("Payment has not opened for you yet. Nothing was charged. Your tickets are held, and what you wrote is kept."),
)
CANCELLED_BY_BUYER = register(
    "cancelled_by_buyer",
    _("You gave up your place. Nothing was charged. Choose tickets again if you change your mind."),
)
CANCELLED_BY_ORGANISER = register(
    "cancelled_by_organiser", _("The organiser cancelled this order. What was paid for it is sent back. Ask them why.")
)
INTERNAL_ERROR = register(
    "internal_error", _("Something failed on our side. Nothing was charged. Try again, or write to the organiser.")
)
KEY_OF_ANOTHER = register(
    "key_of_another", _("This form was already sent by somebody else. No money was taken. Load the page again.")
)
IN_QUEUE = register(
    "in_queue",
    _("You are in the queue already: one place each. Nothing was charged. Leave your place to choose anew."),
)
IN_DRAW = register(
    "in_draw", _("This person is in the draw already: one entry each. No money was taken. Wait for the draw.")
)
CHALLENGE_MISSING = register(
    "challenge_missing",
    _("This event asks guests for a short calculation by their browser, and it was not done. Nothing was charged and "
      "your choices are kept. Wait until it is ready, sign in, or ask for a code by e-mail."),
)  # fmt: skip
CHALLENGE_OVER = register(
    "challenge_over",
    _("The page was open for so long that its calculation against robots is too old. Nothing was charged and your "
      "choices are kept. Send again once the new one is ready."),
)  # fmt: skip
CHALLENGE_WRONG = register(
    "challenge_wrong",
    _("The calculation against robots does not fit this form. Nothing was charged and your choices are kept. Send "
      "again once the new one is ready, sign in, or ask for a code by e-mail."),
)  # fmt: skip
CODE_WRONG = register("code_wrong", _("That is not the code we sent. Nothing was charged. Look at the newest e-mail."))
CODE_OVER = register(
    "code_over",
    _("That code is too old, or was mistyped too often. Nothing was charged and your choices are kept. Ask for a new "
      "one."),
)  # fmt: skip
TOO_MANY_ORDERS = register(
    "too_many_orders",
    _("Too many orders were sent for this person. Nothing was charged. Wait a few minutes, or sign in."),
)
PRICE_RISEN = register(
    "price_risen",
    _("The price has risen since this page was opened. Nothing was charged. Look at the sum and pay if you want to."),
)
PAYMENT_DECLINED = register(
    "payment_declined", _("The card was declined and nothing was charged. Your place is kept: try another card.")
)
LATE_PAYMENT = register("late_payment", _("Your payment came late and it was full. All of it is on its way back."))
