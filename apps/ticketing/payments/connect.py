"""Whose account at Stripe takes an order's money: with Connect each organisation's own, by direct charges.

Plain questions, answered from our rows; nothing here asks Stripe (`connect_onboarding` does) and so anybody may ask
inside a transaction.
Facts are of docs.stripe.com/connect/direct-charges.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.events.models import Organisation
from apps.ticketing import reasons
from apps.ticketing.models import Payment, StripeAccount
from apps.ticketing.money import Money

NO_ACCOUNT = reasons.register(
    "no_stripe_account",
    _("The organiser cannot take payment this way now. Nothing was charged. Choose another way, or ask the organiser."),
)


def account_of(organisation: Organisation) -> str | None:
    """The id of the account that takes this organisation's money, if it may charge now; None where the house's own
    account sells for all, or where nothing can be sold (see `sells`). One query with Connect, none without."""
    if not settings.STRIPE_CONNECT:
        return None
    account = StripeAccount.objects.filter(organisation=organisation, can_charge=True).first()
    return account.account or None if account else None


def sells(organisation_id: int) -> bool:
    """Whether this organisation may sell by Stripe now. One query with Connect, none without."""
    if not settings.STRIPE_CONNECT:
        return True
    return StripeAccount.objects.filter(organisation=organisation_id, can_charge=True).exists()


def platform_fee(payment: Payment) -> dict[str, int]:
    """The house's share of a payment, as Stripe's parameter; empty where it keeps none. A refund does not return it,
    as Stripe returns none of its own fee either."""
    if not payment.account or settings.STRIPE_PLATFORM_FEE_PERCENT <= 0:
        return {}
    share = Money(payment.amount_minor, payment.currency).percent(settings.STRIPE_PLATFORM_FEE_PERCENT).minor
    return {"application_fee_amount": min(share, payment.amount_minor)} if share else {}


class Standing(StrEnum):
    """How an organisation's account stands, as its treasurer sees it."""

    NONE = "none"
    BEGUN = "begun"
    READY = "ready"
    DUE = "due"
    NO_PAYOUTS = "no_payouts"
    RESTRICTED = "restricted"
    GONE = "gone"


@dataclass(frozen=True)
class Words:
    """A standing for people: in short, what it means for sales and money, and what to do next."""

    short: Promise
    means: Promise
    is_bad: bool = False
    button: Promise | str = ""  # leads to Stripe


WORDS = {
    Standing.NONE: Words(
        _("Not connected"),
        _(
            "Buyers cannot pay by card, Swish or Klarna yet. Connect an account of the association at Stripe, a new one"
            " or one it has. You need its organisation number, its bank account and somebody who may sign for it."
        ),
        button=_("Connect with Stripe"),
    ),
    Standing.BEGUN: Words(
        _("Begun, not finished"),
        _(
            "Stripe still asks for something before it lets buyers pay. What you have filled in is kept there; go on"
            " where you stopped. Nothing is sold by Stripe until then."
        ),
        button=_("Go on at Stripe"),
    ),
    Standing.READY: Words(
        _("Connected"), _("Buyers pay into the association's own account, and Stripe pays out to its bank account.")
    ),
    Standing.DUE: Words(
        _("Connected, but Stripe wants to know more"),
        _(
            "Buyers can pay and money is paid out for now. Unless Stripe hears from you in time it stops one or the"
            " other."
        ),
        is_bad=True,
        button=_("Answer at Stripe"),
    ),
    Standing.NO_PAYOUTS: Words(
        _("Connected, but nothing is paid out"),
        _("Buyers can pay, and the money stays safe at Stripe. It reaches your bank once Stripe has what it asks for."),
        is_bad=True,
        button=_("Answer at Stripe"),
    ),
    Standing.RESTRICTED: Words(
        _("Restricted by Stripe"),
        _(
            "Buyers cannot pay by Stripe now; those who try are offered the other ways to pay, and no money moves."
            " Tickets that are sold stay valid. Give Stripe what it asks for; this page notices within five minutes."
        ),
        is_bad=True,
        button=_("Answer at Stripe"),
    ),
    Standing.GONE: Words(
        _("Disconnected"),
        _(
            "Stripe says that this account is closed or no longer connected with us. Buyers cannot pay by Stripe, and"
            " payments made there can only be refunded in Stripe's dashboard. Remove it here to connect another."
        ),
        is_bad=True,
    ),
}


def standing_of(account: StripeAccount | None) -> Standing:
    """How the account stands by what Stripe told last."""
    if account is None:
        return Standing.NONE
    if account.is_gone:
        return Standing.GONE
    if account.can_charge:
        if not account.pays_out:
            return Standing.NO_PAYOUTS
        return Standing.DUE if account.due else Standing.READY
    return Standing.RESTRICTED if account.is_submitted else Standing.BEGUN


# What Stripe asks for, by the beginning of its name for it (docs.stripe.com/api/accounts/object#account_object-
# requirements-currently_due). Others are counted as "something else".
ASKED_FOR: tuple[tuple[str, Promise], ...] = (
    ("external_account", _("a bank account to pay out to")),
    ("representative.", _("who represents the association")),
    ("person", _("facts or a document about a person")),
    ("owners.", _("who owns or controls it")),
    ("directors.", _("who sits on its board")),
    ("company.", _("facts about the association, such as its number or address")),
    ("individual.", _("facts or a document about the person")),
    ("business_profile.", _("what it does and its website")),
    ("business_type", _("what kind of organisation it is")),
    ("tos_acceptance", _("that Stripe's terms are accepted")),
    ("settings.", _("the name on buyers' statements")),
)
SOMETHING_ELSE = _("something else, which Stripe names")


def asked_for(account: StripeAccount) -> list[Promise]:
    """What Stripe asks for now, in words, each once."""
    found = [
        next((words for start, words in ASKED_FOR if name.startswith(start)), SOMETHING_ELSE) for name in account.due
    ]
    return list(dict.fromkeys(found))


@register()
def check_share(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """The house's share is a share: Stripe refuses each payment whose fee is larger than itself."""
    if 0 <= settings.STRIPE_PLATFORM_FEE_PERCENT < 100:
        return []
    return [
        Error(
            "The house's share of payments by Stripe is no share of them.",
            hint="Set STRIPE_PLATFORM_FEE_PERCENT to a number of per cent, such as 1.5; 0 for none.",
            id="ticketing.E003",
        )
    ]
