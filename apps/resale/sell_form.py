"""What the seller's form asks, and what it showed: a form of another moment does nothing, and says what is different.

A page may be open twice, or for hours. It carries which listing it showed and how that stood (`Seen`) wherever it goes:
to the button, to the reckoning while one types, and to the page that reckons without JavaScript.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.events.wording import write_money
from apps.resale import reasons
from apps.resale.models import Listing
from apps.resale.states import ON_OFFER, ListingState
from apps.ticketing.price_field import HIGHEST_SUM_MINOR, PriceField
from apps.ticketing.reasons import sentence

ANYBODY, FRIEND = "anybody", "friend"


class SellForm(forms.Form):
    """Who may buy the ticket, and for how much."""

    who = forms.ChoiceField(
        choices=[(ANYBODY, gettext_lazy("Anybody")), (FRIEND, gettext_lazy("Somebody I know"))], required=False
    )
    price = PriceField(
        required=True,
        highest_minor=HIGHEST_SUM_MINOR,  # with its choices
        error_messages={"required": gettext_lazy("Write for how much you sell it, such as 250.")},
    )


@dataclass(frozen=True)
class Seen:
    """The listing as a form showed it; all empty where the ticket was not for sale."""

    listing: str = ""
    version: int = -1
    asked_minor: int = -1
    who: str = ""

    @classmethod
    def in_form(cls, data: Mapping[str, str]) -> Seen:
        return cls(
            data.get("listing", "")[:36],
            whole(data, "version"),
            whole(data, "seen_minor"),
            data.get("seen_who", ""),
        )

    @classmethod
    def of(cls, listing: Listing | None) -> Seen:
        """How it stands now."""
        if listing is None or listing.state not in ON_OFFER:
            return cls()
        return cls(str(listing.public_id), listing.version, listing.asked_minor, who_of(listing))

    def is_stale(self, listing: Listing | None) -> bool:
        now = Seen.of(listing)
        return (self.listing, self.version) != (now.listing, now.version)

    def what_changed(self, listing: Listing | None) -> str:
        """How the ticket's newest listing differs from this, in sentences."""
        if listing is None:
            return _("The ticket is not for sale, so nothing was changed.")
        if listing.state == ListingState.HELD:
            return _(
                "Somebody is buying the ticket at this moment, so nothing was changed. Look again in a few minutes."
            )
        if listing.state == ListingState.SOLD:
            return _("The ticket is sold already, so nothing was changed.")
        if listing.state == ListingState.WITHDRAWN:
            if listing.reason not in ("", reasons.BY_SELLER):
                return sentence(listing.reason)
            return _("The ticket was withdrawn from sale since you looked, so nothing was changed. It is not for sale.")
        price = write_money(listing.asked_minor, listing.currency)
        if not self.listing:
            return _(
                "The ticket is for sale already, for %(price)s, so nothing was changed. Below is how it is now."
            ) % {"price": price}
        return " ".join([*self._differences(listing, price), _("Nothing was done. Below is how it is now.")])

    def _differences(self, listing: Listing, price: str) -> list[str]:
        told = []
        if self.listing != str(listing.public_id):
            told.append(_("The ticket was withdrawn and put up for sale anew since you looked."))
        if self.asked_minor not in (-1, listing.asked_minor):
            was = write_money(self.asked_minor, listing.currency)
            told.append(_("The price was changed from %(was)s to %(now)s.") % {"was": was, "now": price})
        if self.who == ANYBODY and listing.is_private:
            told.append(_("Whoever has its link may buy it now, and not anybody."))
        if self.who == FRIEND and not listing.is_private:
            told.append(_("Anybody may buy it now, and not only whoever has its link."))
        return told or [_("The listing was changed since you looked.")]


def who_of(listing: Listing) -> str:
    return FRIEND if listing.is_private else ANYBODY


def whole(data: Mapping[str, str], name: str) -> int:
    """A number from the form; one that is none agrees with nothing."""
    text = data.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else -1
