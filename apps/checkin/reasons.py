"""Why the door says no, or asks: the door's codes among ticketing's reasons. Those of a verdict bring two words for the
big screen. And why a ticket was moved at the door, in words for the desk's audit.

Imported when the app is ready, so that `ticketing.reasons` knows every code before anybody asks.
"""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from apps.ticketing import reasons

_headings: dict[str, Promise] = {}


def _register(code: str, heading: Promise, sentence: Promise) -> str:
    _headings[code] = heading
    return reasons.register(code, sentence)


def heading(code: str) -> str:
    """Two words for the big screen; empty for a code that is not the door's."""
    return str(_headings.get(code, ""))


ALREADY_IN = _register(
    "door_already_in",
    _("Already in"),
    _("This ticket has been let in before. Ask the guest to wait and get whoever is in charge of the door."),
)
UNKNOWN = _register(
    "door_unknown",
    _("Unknown code"),
    _("No ticket to this event has that code. Check the code, or ask for the ticket in the guest's e-mail."),
)
FORGED = _register(
    "door_forged",
    _("Not valid"),
    _("This code was not made by us. Ask for the ticket in the guest's e-mail."),
)
OLD_CODE = _register(
    "door_old_code",
    _("Old code"),
    _("This ticket has changed hands and its old code no longer works. Ask for the newest ticket."),
)
BEING_SOLD = _register(
    "door_being_sold",
    _("Being sold"),
    _("Somebody is buying this ticket right now. Ask the guest to wait 15 minutes, then try again."),
)
REPLACED = _register(
    "door_replaced",
    _("Sold on"),
    _("This ticket was sold or given away. The new owner has another code. Ask for the newest ticket."),
)
GIVEN_AWAY = _register(
    "door_given_away",
    _("Given away"),
    _("This ticket was given to somebody else, who has another code. Ask for the newest ticket."),
)
REVOKED = _register(
    "door_revoked",
    _("Cancelled"),
    _("This ticket was cancelled or refunded. Ask the guest to talk to whoever is in charge of the door."),
)
BLOCKED = _register(
    "door_blocked",
    _("Payment disputed"),
    _("The payment for this ticket is disputed with the bank. Get whoever is in charge of the door."),
)
EVENT_CANCELLED = _register(
    "door_event_cancelled",
    _("Event cancelled"),
    _("The event is cancelled: nobody is let in. What was paid goes back to the guest by itself."),
)
CHECK_PROOF = _register(
    "door_check_proof",
    _("Check membership"),
    _("The ticket was bought at a members' price and given on. Ask for a proof of membership and an identity card: the "
      "initials must match."),
)  # fmt: skip
CHECK_ID = _register(
    "door_check_id",
    _("Check identity"),
    _("Ask for an identity card. The initials must match."),
)
CHECK_MEMBERSHIP = _register(
    "door_check_membership",
    _("Check membership"),
    _("This was sold at a member's price that no register has confirmed. Ask for a proof of membership."),
)

# --- Told beside the field, without a screen of their own ------------------------------------------------------------

CANNOT_UNDO = reasons.register(
    "door_cannot_undo",
    _("This cannot be undone: the scan let nobody in, or the ticket has changed since. Nothing was changed."),
)
NOT_ONE_ORDER = reasons.register(
    "door_not_one_order",
    _("These tickets are not of one order at this event. Nobody was let in. Scan one of them again."),
)
VALID_AGAIN = reasons.register("door_valid_again", _("The ticket is valid now. Scan it again."))
CANNOT_LET_IN = reasons.register(
    "door_cannot_let_in", _("You cannot let this guest in. Get whoever is in charge of the door.")
)

DOOR = "door"  # why a ticket was used; with a colon and the reason after it, why it is valid again
OTHER = "other"  # any other reason, in the volunteer's own words
UNDO_REASONS = {
    "wrong_guest": _("The wrong guest was let in"),
    "wrong_ticket": _("The wrong ticket was read"),
    "left_again": _("The guest did not come in after all"),
    "mistake": _("The code was read by mistake"),
    OTHER: _("Something else"),
}


class DoorWords:
    """The door's answer to `ticketing.extensions.audit_words`."""

    slug = "door"

    def words(self) -> dict[str, Promise]:
        undone = {
            f"{DOOR}:{code}": format_lazy("{}: {}", _("Undone at the door"), why) for code, why in UNDO_REASONS.items()
        }
        return {DOOR: _("Let in at the door"), **undone}
