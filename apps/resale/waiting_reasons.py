"""Why somebody cannot join a waiting list, why an offer to them ended, and why a place went past them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.ticketing.reasons import register

# Why one cannot join.
CLOSED = register(
    "waiting_closed", _("There is no waiting list for this event now. No money was taken. Ask the organiser.")
)
NOT_SOLD_OUT = register(
    "waiting_not_sold_out", _("Some of these tickets can be bought right now. No money was taken. Buy them instead.")
)
NOTHING_CHOSEN = register(
    "waiting_nothing_chosen",
    _("Choose at least one kind of ticket. You were not put on the list, and nothing was charged."),
)
BAD_NUMBER = register(
    "waiting_bad_number",
    _("Write how many tickets you want, from 1 to 10. You were not put on the list, and nothing was charged."),
)
TOO_MANY = register(
    "waiting_too_many",
    _("That is more tickets than one person may have. You were not put on the list, and nothing was charged."),
)

# How an offer ended.
OFFER_OVER = register(
    "waiting_offer_over",
    _("This offer is over. No money was taken. You keep your place on the list, if you still stand on it."),
)
DECLINED = register("waiting_declined", _("You declined. No money was taken, and you keep your place on the list."))
LAPSED = register(
    "waiting_lapsed", _("The offer was not answered in time. No money was taken, and you keep your place on the list.")
)
WITHDRAWN = register(
    "waiting_withdrawn",
    _("The ticket is not to be had any more: its owner kept or used it. No money was taken. You keep your place."),
)
NOT_BOUGHT = register(
    "waiting_not_bought",
    _("It was not paid in time, so it went to the next. No money was taken, and you keep your place on the list."),
)

# How an entry ended.
BOUGHT = register("waiting_bought", _("You have what you waited for. You were charged as your order says, no more."))
LEFT = register("waiting_left", _("You left the waiting list. No money was taken. Join again whenever you like."))
REMOVED = register("waiting_removed", _("The organiser took you off the list. No money was taken. Ask them why."))
SILENT = register(
    "waiting_silent",
    _("Two offers in a row were not answered, so you are off the list. No money was taken. Join again if you like."),
)
LIST_OVER = register(
    "waiting_over", _("The list is over: tickets change hands no more. No money was taken. Maybe next time.")
)

# Why a place went past somebody.
NOT_THIS_KIND = register(
    "waiting_skip_kind",
    _("It was another kind of ticket than you asked for. Nothing was charged; you keep your place."),
)
TOO_FEW = register(
    "waiting_skip_few", _("There were fewer tickets than you want together. Nothing was charged; you keep your place.")
)
HAS_OFFER = register(
    "waiting_skip_offer", _("You had another offer to answer or to pay. Nothing was charged; you keep your place.")
)
DECLINED_BEFORE = register(
    "waiting_skip_declined", _("You were offered this very place before. Nothing was charged; you keep your place.")
)
OWN_TICKET = register("waiting_skip_own", _("It was your own ticket. Nothing was charged; you keep your place."))
NOT_CONFIRMED = register(
    "waiting_skip_unconfirmed",
    _("Your address is not confirmed yet. Nothing was charged. Open the link in the mail we sent you."),
)
NOT_ALLOWED = register(
    "waiting_skip_refused",
    _("You may not buy this ticket now, as by the limit per person. Nothing was charged; you keep your place."),
)
NOT_SOLD = register(
    "waiting_skip_not_sold",
    _("The organiser sells no places any more after the end of the sale. Nothing was charged; you keep your place."),
)
ONLY_LISTED = register(
    "waiting_offered_to_list",
    _("This ticket is offered to somebody on the waiting list first. No money was taken. Look again later."),
)
