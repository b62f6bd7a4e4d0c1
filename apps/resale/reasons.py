"""Why a ticket cannot be sold or bought this way: codes and sentences, the same on pages and in mails."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.ticketing.reasons import register

LISTING_TAKEN = register(
    "listing_taken",
    _("Somebody else was faster and is buying this ticket. No money was taken. Look at the others that are for sale."),
)
LISTING_GONE = register(
    "listing_gone",
    _("This ticket is not for sale any more. Whatever was paid for it is on its way back. Look at the others."),
)
LISTING_CHANGED = register(
    "listing_changed",
    _("What is chosen with this ticket, such as food, was changed before it was your turn. No money was taken and"
      " nothing was bought. Look at the ticket as it is now."),
)  # fmt: skip
OWN_LISTING = register(
    "own_listing",
    _("This ticket is your own. No money was taken. Withdraw it from sale if you would rather go after all."),
)
RESALE_OVER = register(
    "resale_over", _("Tickets to this event change hands no more. No money was taken. Ask the organiser.")
)
DIFFERENCE_RESOLD = register(
    "difference_resold",
    _("The ticket was sold again, so what was paid more for it when it was given away is on its way back as well."),
)
# Why a listing ended, for who reads what happened.
BY_SELLER = register(
    "withdrawn_by_seller", _("The ticket was withdrawn from sale. No money was taken, and it is its owner's as before.")
)
BY_DESK = register(
    "withdrawn_by_organiser",
    _("The organiser withdrew the ticket from sale. No money was taken, and it is its owner's as before."),
)
GIVEN = register(
    "listing_given", _("You offered the ticket to somebody, so it is not for sale any more. No money was taken.")
)
TICKET_CHANGED = register(
    "listing_ticket_changed",
    _("The ticket was used, refunded or is disputed, so it is not for sale any more. No money was taken for it."),
)
PART_GIVEN_BACK = register(
    "listing_part_given_back",
    _("A part of its price was given back, so its sale was ended and no money was taken for it. Put it up again for"
      " what is left of the price."),
)  # fmt: skip
NEEDED = register(
    "listing_needed",
    _("Guest tickets of its owner need the ticket by now, so it is not for sale any more. No money was taken for it."
      " It can be put up again together with those."),
)  # fmt: skip
CHOICES_CHANGED = register(
    "listing_choices_changed",
    _("Its choices are changed for money, so the ticket is not for sale any more and stays its owner's. No money was"
      " taken for it."),
)  # fmt: skip
CLOSED = register(
    "listing_closed",
    _("Selling ended before somebody bought the ticket. No money was taken, and it is its owner's as before."),
)
TAKEN_BACK = register(
    "listing_taken_back",
    _("The organiser took the ticket back from sale. Nothing was charged. Look at the others that are for sale."),
)
