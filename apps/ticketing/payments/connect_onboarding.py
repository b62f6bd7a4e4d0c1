"""Connecting an organisation's own account at Stripe: made once, filled in on Stripe's pages, looked after since.

A treasurer begins on the desk (`connect_desk`), fills in what Stripe asks and comes back; who stops in between goes on
later in the same account. Nothing is believed on the way back: Stripe is asked how the account stands, then, every
five minutes (`look_after`) and whenever the desk's button is pressed. Facts: docs.stripe.com/connect/hosted-onboarding.

All calls are outside transactions. Each raises Trouble with a sentence for the treasurer when Stripe cannot be reached
or says no; what was written before stays, and trying again goes on from there.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import stripe
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.request_ids import current_request_id
from apps.events.models import Organisation
from apps.ticketing import clock
from apps.ticketing.models import AuditEntry, Payment, StripeAccount
from apps.ticketing.payments import connect
from apps.ticketing.payments.stripe_notices import SLUG
from apps.ticketing.payments.stripe_provider import client
from apps.ticketing.states import PAYMENT_LIVE

log = logging.getLogger(__name__)

BEGUN, LEFT = "stripe_connect_begun", "stripe_connect_left"
# The association's own account, with Stripe's dashboard, fees and risk its own: what "standard" accounts were.
CONTROLLER: dict[str, Any] = {
    "fees": {"payer": "account"},
    "losses": {"payments": "stripe"},
    "requirement_collection": "stripe",
    "stripe_dashboard": {"type": "full"},
}


class Trouble(Exception):
    """It did not work; `sentence` tells the treasurer what happened and what to do next."""

    def __init__(self, sentence: str | Promise) -> None:
        super().__init__(str(sentence))
        self.sentence = sentence


class _Gone(Exception):
    """The account is closed, or no longer connected with us."""


def begin(organisation: Organisation, *, actor: Any, return_url: str, refresh_url: str) -> str:
    """Make the organisation's account if it has none, and return the address of Stripe's page to fill it in: good
    once, for some minutes, for whoever has it. Safe to repeat, after a cancel or a lost answer too. Next: look."""
    account = _row_of(organisation)
    if account.is_gone:
        raise Trouble(_("This account is no longer connected with us. Remove it here, then connect another."))
    try:
        id = account.account or _make(account, actor)
        link = _ask(
            lambda: client().v1.account_links.create(
                {"account": id, "type": "account_onboarding", "return_url": return_url, "refresh_url": refresh_url},
                {"idempotency_key": f"connect-link:{uuid.uuid4()}"},  # each time another: a link is good once
            )
        )
    except _Gone:
        _keep(account, {"is_gone": True, "can_charge": False, "pays_out": False})
        raise Trouble(connect.WORDS[connect.Standing.GONE].means) from None
    return _text(link, "url")


def _row_of(organisation: Organisation) -> StripeAccount:
    account, _made = StripeAccount.objects.get_or_create(organisation=organisation, defaults={"begun_at": clock.now()})
    return account


def _make(account: StripeAccount, actor: Any) -> str:
    # Only what never changes: Stripe refuses a key that comes again with other words.
    wanted: Any = {
        "country": "SE",
        "controller": CONTROLLER,
        "metadata": {"foyer_organisation": str(account.organisation.public_id)},
    }
    made = _ask(lambda: client().v1.accounts.create(wanted, {"idempotency_key": f"connect:{account.public_id}"}))
    id = _text(made, "id")
    with transaction.atomic():
        if StripeAccount.objects.filter(pk=account.pk, account="").update(account=id):
            _note(account.organisation, BEGUN, actor)
    account.refresh_from_db(fields=["account"])
    return account.account


def look(organisation: Organisation) -> StripeAccount | None:
    """Ask Stripe how the organisation's account stands and write it down; None when there is none to ask about."""
    account = StripeAccount.objects.filter(organisation=organisation).first()
    if account is None or not account.account:
        return account
    try:
        told = _ask(lambda: client().v1.accounts.retrieve(account.account))
    except _Gone:
        return _keep(account, {"is_gone": True, "can_charge": False, "pays_out": False})
    return _keep(account, _read(told))


def _read(told: Mapping[str, Any]) -> dict[str, Any]:
    """What of Stripe's answer is kept."""
    try:
        asked = told.get("requirements") or {}
        by = asked.get("current_deadline")
        return {
            "is_submitted": told["details_submitted"] is True,
            "can_charge": told["charges_enabled"] is True,
            "pays_out": told["payouts_enabled"] is True,
            "is_gone": False,
            "due": [str(name)[:120] for name in asked.get("currently_due") or []][:50],
            "due_by": datetime.fromtimestamp(by, UTC) if by else None,
            "disabled_reason": str(asked.get("disabled_reason") or "")[:80],
        }
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        log.warning("Stripe told of an account what cannot be read: %r", error)
        raise Trouble(_NO_ANSWER) from error


def _keep(account: StripeAccount, facts: Mapping[str, Any]) -> StripeAccount:
    before = connect.standing_of(account)
    for name, value in facts.items():
        setattr(account, name, value)
    account.checked_at = clock.now()
    account.save(update_fields=[*facts, "checked_at"])
    after = connect.standing_of(account)
    if after != before:
        log.warning("the Stripe account of organisation %s: %s, was %s", account.organisation_id, after, before)
    return account


def look_after() -> None:
    """Ask about every account that was begun; every five minutes, from cron. One in trouble keeps no other."""
    for account in StripeAccount.objects.select_related("organisation").order_by("checked_at"):
        try:
            look(account.organisation)
        except Trouble as trouble:
            log.warning("the Stripe account of organisation %s: %s", account.organisation_id, trouble)


def leave(organisation: Organisation, *, actor: Any) -> None:
    """Forget the account: from now on nothing is sold by it. Payments made there are still refunded from it, as each
    payment names its own. Raises Trouble while somebody is paying."""
    with transaction.atomic():
        account = StripeAccount.objects.select_for_update().filter(organisation=organisation).first()
        if account is None:
            return
        paying = Payment.objects.filter(provider=SLUG, state__in=PAYMENT_LIVE, order__organisation=organisation)
        if account.account and paying.filter(account=account.account).exists():
            raise Trouble(
                _("Somebody is paying right now, so nothing was changed. Pause the sale, or try again in 20 minutes.")
            )
        if account.account:
            _note(organisation, LEFT, actor)
        account.delete()


def _note(organisation: Organisation, what: str, actor: Any) -> None:
    AuditEntry.objects.create(
        model=Organisation._meta.label_lower,
        row_id=organisation.pk,
        old="",
        new="",
        reason=what,
        actor=actor,
        request_id=current_request_id(),
        at=clock.now(),
    )


_NO_ANSWER = _("Stripe did not answer. Nothing was changed and no money moved. Try again in a minute.")


def _ask(call: Callable[[], Any]) -> dict[str, Any]:
    """Stripe's answer as a plain dictionary. Raises _Gone or Trouble."""
    try:
        return call().to_dict()
    except stripe.PermissionError as error:
        raise _Gone from error
    except (stripe.InvalidRequestError, stripe.AuthenticationError) as error:
        # In its own words for the operators: a platform that is not registered for Connect is told so here.
        log.error("Stripe refused to connect an account: %s %s", type(error).__name__, error.user_message)
        raise Trouble(
            _("Stripe refused. Nothing was changed. Ask whoever runs the site: the log says what Stripe said.")
        ) from error
    except (stripe.StripeError, AttributeError, TypeError, ValueError) as error:
        log.warning("Stripe did not answer: %s", type(error).__name__)
        raise Trouble(_NO_ANSWER) from error


def _text(told: Mapping[str, Any], name: str) -> str:
    """What an answer has to say; one that lacks it was cut off on its way. Raises Trouble."""
    if not isinstance(told.get(name), str) or not told[name]:
        raise Trouble(_NO_ANSWER)
    return told[name]
